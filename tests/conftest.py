"""What holds for every test: the handlers know the example's model alone, and botocore does its slow work once a process.

botocore reads a service's model and its rules, and makes its client's class, once a process: every mock begins a new
session, which would do so anew.
"""

import functools
import gc
import os
from datetime import UTC, datetime
from typing import Any

import botocore.endpoint
import botocore.regions
import botocore.session
import moto.core.models
from botocore.client import ClientCreator
from botocore.endpoint_provider import EndpointProvider
from botocore.hooks import NodeList, _PrefixTrie
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.sns.models import Subscription
from responses import CallbackResponse

from lambdas.adapters import owners
from offline.speed import dynamodb, s3, transport
from tests.synthesised import example_models

# Before numpy and scikit-learn are imported: threads that spin while they wait take the processor from the other tests.
os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
# An account keeps a record of every call: collecting among so many objects took a tenth of the time.
gc.set_threshold(200_000, 50, 1000)


def pytest_collection_finish() -> None:
    """Look for garbage no more among what was imported: at its end pytest looks five times."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by the beginning of a long text: one of 8 MB went to the other process with each of its reports."""
    return ascii(val[:60]) if isinstance(val, str | bytes) and len(val) > 1000 else None


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

_load_model = ClientCreator._load_service_model
_models: dict[tuple[str, str | None], ServiceModel] = {}


def _model_of(creator: ClientCreator, service_name: str, api_version: str | None = None) -> ServiceModel:
    if (service_name, api_version) not in _models:
        _models[service_name, api_version] = _load_model(creator, service_name, api_version)
    return _models[service_name, api_version]


ClientCreator._load_service_model = _model_of

_rules: dict[int, EndpointProvider] = {}


def _rules_of(ruleset_data: dict[str, Any], **more: Any) -> EndpointProvider:
    # The session's loader, one for all, keeps the data that the rules are read from.
    if id(ruleset_data) not in _rules:
        _rules[id(ruleset_data)] = EndpointProvider(ruleset_data, **more)
    return _rules[id(ruleset_data)]


botocore.regions.EndpointProvider = _rules_of
# No test speaks TLS to AWS.
_TLS = URLLib3Session()._get_ssl_context()
URLLib3Session._get_ssl_context = lambda _session: _TLS
# Each client would look for proxies through the whole environment, and each mock list some 1,300 patterns for `requests`.
botocore.endpoint.get_environ_proxies = lambda _url: {}
moto.core.models.CallbackResponse = functools.cache(CallbackResponse)


def _copied(node: dict[str, Any]) -> dict[str, Any]:
    values = node["values"] and NodeList(*map(list, node["values"]))
    return node | {"values": values, "children": {name: _copied(each) for name, each in node["children"].items()}}


def _copy(handlers: _PrefixTrie) -> _PrefixTrie:
    # Every client has a copy of its session's handlers.
    made = _PrefixTrie()
    made._root = _copied(handlers._root)
    return made


_PrefixTrie.__copy__ = _copy


class _MachinesClock:
    @property
    def now(self) -> datetime:
        return datetime.now(UTC)


# The short way of a request, also where a test mocks AWS without an account.
transport.shorten(setattr, _MachinesClock())
s3.install(setattr)
dynamodb.install(setattr)
# moto makes a key of 2,048 bits for each subscription.
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Subscription.private_key = lambda _subscription: _KEY
