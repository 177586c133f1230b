"""Whom a model belongs to, where its people can be reached, and which messages go where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from kedge.config.sections import Section
from kedge.severity import Severity

Channel = Literal["email", "slack", "teams", "pagerduty", "opsgenie", "webhook"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
Team = Annotated[str, Field(pattern=r"^[a-z0-9](-*[a-z0-9]){0,39}$", examples=["risk"])]
# A name in Secrets Manager, never the secret itself; one beginning, so that one permission covers them all and no other secret.
SecretName = Annotated[str, Field(pattern=r"^kedge/[\w/+=.@-]{1,200}$", examples=["kedge/pagerduty-risk"])]
Email = Annotated[str, Field(pattern=r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+$", examples=["risk@example.com"])]
SecureUrl = Annotated[str, Field(pattern=r"^https://[^\s/@]+(/\S*)?$", examples=["https://example.com/runbook"])]
# Kinds of the timeline by what they are about: a route may name a group or a kind.
KIND_GROUPS: Mapping[str, tuple[str, ...]] = {
    "windows": (
        "window_judged", "rows_uncounted", "labels_lost", "labels_silent", "baseline_stale", "captures_unreadable", "capture_astray",
        "mute_ended", "test_alert",
    ),
    "approvals": (
        "package_registered", "gate_passed", "approved", "rejected", "approval_taken_back", "approved_absent", "approval_waits",
        "approval_expired",
    ),
    "releases": (
        "canary_started", "canary_promoted", "canary_rolled_back", "release_unproven", "release_superseded", "release_withheld",
        "release_refused", "endpoint_changed", "baseline_switched", "decision_overtaken", "promise_broken",
    ),
    "retraining": ("retraining_started", "retraining_held", "data_rejected", "gate_failed", "capacity_awaited"),
    "failures": ("failed", "retrainings_failing"),
    "alarms": ("alarm",),
    "digest": ("digest",),
}  # fmt: skip


class SecretPlace(Section):
    """A channel whose address is itself a secret: a Teams workflow's URL, a PagerDuty routing key."""

    secret: SecretName


class SlackPlace(Section):
    """A Slack channel by its ID, and the secret with the bot's token."""

    channel: Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]{6,}$", examples=["C024BE91L"])]
    secret: SecretName


class OpsgeniePlace(Section):
    """Jira Service Management's alerts, or Opsgenie's, and the secret with the API key."""

    secret: SecretName
    url: SecureUrl = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"


class WebhookPlace(Section):
    """An HTTPS address of your own, and the secret that signs what is sent there."""

    url: SecureUrl
    secret: SecretName


class Owner(Section):
    """Whom a model belongs to. What is empty comes from the team in `teams.yaml`."""

    team: Team | None = None
    email: tuple[Email, ...] = ()
    slack: SlackPlace | None = None
    teams: SecretPlace | None = None
    pagerduty: SecretPlace | None = None
    opsgenie: OpsgeniePlace | None = None
    webhook: WebhookPlace | None = None
    runbook: SecureUrl | None = None

    @property
    def reachable(self) -> frozenset[Channel]:
        """The channels that have an address."""
        return frozenset(channel for channel in CHANNELS if getattr(self, channel))


class Route(Section):
    """Messages of these severities and kinds go to these channels."""

    severity: tuple[Severity, ...] = ()
    kinds: tuple[str, ...] = ()
    to: Annotated[tuple[Channel, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _kinds_are_known(self) -> Route:
        known = {*KIND_GROUPS, *(kind for kinds in KIND_GROUPS.values() for kind in kinds)}
        if strange := sorted({*self.kinds} - known):
            raise ValueError(f"routes.kinds has {', '.join(strange)}; groups of kinds are {', '.join(KIND_GROUPS)}")
        return self

    def takes(self, kind: str, severity: Severity) -> bool:
        """Whether a message goes this way; an empty list means any."""
        kinds = {each for name in self.kinds for each in KIND_GROUPS.get(name, (name,))}
        return (not self.severity or severity in self.severity) and (not kinds or kind in kinds)
