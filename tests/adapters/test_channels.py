"""The lists of channels agree: what a YAML may name can be reached, and has a service."""

import pytest

from kedge.config.owners import CHANNELS, Owner
from kedge.config.secret_forms import secret_problem
from lambdas.adapters.channels.every_service import SERVICES


def test_each_channel_has_an_address_and_each_but_the_mail_a_service():
    assert {*CHANNELS} <= {*Owner.model_fields}
    assert {*SERVICES} == {*CHANNELS} - {"email"}


@pytest.mark.parametrize("channel", SERVICES)
def test_each_services_secret_has_a_form(channel):
    assert secret_problem(channel, "").startswith("it must be ")
