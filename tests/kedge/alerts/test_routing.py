"""Which channels a message goes out by."""

import pytest

from kedge.alerts.routing import recipients, severity_of
from kedge.config.owners import KIND_GROUPS
from kedge.severity import Severity
from report.alert_text import MESSAGES
from tests.builders import make_config

ROUTES = """
owner: {email: [a@example.com], pagerduty: {secret: kedge/pd}, slack: {channel: C024BE91L, secret: kedge/slack}}
alerts:
  routes:
    - {severity: [WARNING, CRITICAL], kinds: [windows], to: [slack]}
    - {severity: [CRITICAL], to: [pagerduty]}
    - {kinds: [approvals], to: [email, slack]}
"""


ROUTES_CHANGED = """
owner: {email: [a@example.com], pagerduty: {secret: kedge/pd}, slack: {channel: C024BE91L, secret: kedge/slack}}
alerts: {routes: [{severity: [CRITICAL], to: [slack]}]}
"""


@pytest.mark.parametrize(
    ("kind", "severity", "channels"),
    [
        ("window_judged", Severity.WARNING, {"slack"}),
        ("window_judged", Severity.CRITICAL, {"slack", "pagerduty"}),
        ("window_judged", Severity.OK, set()),
        ("failed", Severity.CRITICAL, {"pagerduty"}),
        ("package_registered", Severity.OK, {"email", "slack"}),
        ("canary_started", Severity.OK, set()),
        # A pager that a window's alarm may have called hears that somebody acts.
        ("approved", Severity.OK, {"email", "slack", "pagerduty"}),
        ("muted", Severity.OK, {"pagerduty"}),
    ],
)
def test_a_message_goes_by_all_routes_that_take_it(kind, severity, channels):
    assert recipients(make_config(ROUTES), kind, severity) == channels


@pytest.mark.parametrize("kind", ["window_judged", "canary_promoted", "baseline_switched"])
def test_what_resolves_an_incident_goes_to_each_pager_whatever_the_routes_say_by_now(kind):
    assert recipients(make_config(ROUTES_CHANGED), kind, Severity.OK, resolved=True) == {"pagerduty"}
    assert recipients(make_config(ROUTES_CHANGED), kind, Severity.OK) == set()


def test_without_routes_everything_goes_by_mail():
    assert recipients(make_config(), "canary_started", Severity.OK) == {"email"}


def test_a_window_says_its_own_severity_and_other_kinds_have_theirs():
    assert severity_of("window_judged", {"severity": "CRITICAL"}) is Severity.CRITICAL
    assert severity_of("canary_rolled_back", {}) is Severity.CRITICAL
    assert severity_of("gate_failed", {}) is Severity.WARNING
    assert severity_of("canary_promoted", {"severity": "x"}) is Severity.OK


def test_every_kind_of_message_is_in_one_group():
    kinds = [kind for group in KIND_GROUPS.values() for kind in group]
    assert len(kinds) == len({*kinds})
    assert {*MESSAGES} <= {*kinds}
