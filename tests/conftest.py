"""What holds for every test: the handlers know the example's model alone, and botocore does its slow work once a process.

botocore reads a service's model, and makes its client's class, once a process: every mock begins a new session, which
would do both anew.
"""

import functools
import gc
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.client import ClientCreator
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.sns.models import Subscription

from lambdas.adapters import owners
from offline.speed import transport
from tests.synthesised import example_models

# An account keeps a record of every call: collecting among so many objects took a tenth of the time.
gc.set_threshold(200_000, 50, 1000)
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# What a user keeps beside models/ changes no test.
owners.DIRECTORY = example_models().parent

_make_class = ClientCreator._create_client_class
_classes: dict[str, type] = {}


def _class_of(creator: ClientCreator, service_name: str, service_model: Any) -> type:
    # What a session adds to a class (S3's transfers, DynamoDB's conversions) is the same for each session.
    if service_name not in _classes:
        _classes[service_name] = _make_class(creator, service_name, service_model)
    return _classes[service_name]


ClientCreator._create_client_class = _class_of


class _MachinesClock:
    @property
    def now(self) -> datetime:
        return datetime.now(UTC)


# The short way of a request, also where a test mocks AWS without an account.
transport.shorten(setattr, _MachinesClock())
# moto makes a key of 2,048 bits for each subscription.
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Subscription.private_key = lambda _subscription: _KEY
