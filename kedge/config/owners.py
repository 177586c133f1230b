"""Whom a model belongs to, where its people can be reached, and which messages go where."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from kedge.config.sections import Section
from kedge.severity import Severity

Channel = Literal["email", "slack", "teams", "pagerduty", "opsgenie", "webhook"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
Team = Annotated[str, Field(pattern=r"^[a-z0-9](-*[a-z0-9]){0,39}$", examples=["risk"])]
# A name in Secrets Manager, never the secret itself; one beginning, so that one permission covers them all and no other secret.
# In ASCII, as there: pydantic needs a tenth of a second of each process for two hundred times \w, which is any script's.
SecretName = Annotated[str, Field(pattern=r"^kedge/[A-Za-z0-9/_+=.@-]{1,200}$", examples=["kedge/pagerduty-risk"])]
Email = Annotated[str, Field(pattern=r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+$", examples=["risk@example.com"])]
Uuid = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=["0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"]),
]
SecureUrl = Annotated[str, Field(pattern=r"^https://[^\s/@]+(/\S*)?$", examples=["https://example.com/runbook"])]
# Kinds of the timeline by what they are about: a route may name a group or a kind.
KIND_GROUPS: Mapping[str, tuple[str, ...]] = {
    "windows": (
        "window_judged", "rows_uncounted", "labels_lost", "labels_silent", "baseline_stale", "captures_unreadable", "capture_astray",
        "mute_ended", "test_alert",
    ),
    "approvals": (
        "package_registered", "gate_passed", "approved", "rejected", "approval_taken_back", "approved_absent", "approval_waits",
        "approval_expired", "approved_automatically", "second_approval_awaited", "package_found",
    ),
    "releases": (
        "canary_started", "canary_promoted", "canary_rolled_back", "release_unproven", "release_superseded", "release_withheld",
        "release_refused", "endpoint_changed", "baseline_switched", "decision_overtaken", "promise_broken",
        "experiment_started", "experiment_proved", "experiment_withdrawn",
    ),
    "retraining": (
        "retraining_started", "retraining_held", "retrain_event_refused", "data_rejected", "gate_failed", "capacity_awaited",
        "mlflow_failed",
    ),
    "failures": ("failed", "retrainings_failing"),
    "alarms": ("alarm",),
    "acts": ("paused", "muted"),
    "digest": ("digest",),
}  # fmt: skip


class SlackPlace(Section):
    """A Slack channel by its ID, and one of two ways there.

    Attributes
    ----------
    secret : str or None
        The secret with the token of your own bot.
    workspace : str or None
        The workspace's ID: Amazon Q Developer, which an administrator let in there, brings the messages.
    """

    channel: Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]{6,}$", examples=["C024BE91L"])]
    secret: SecretName | None = None
    workspace: Annotated[str, Field(pattern=r"^T[A-Z0-9]{6,}$", examples=["T07EA123LEP"])] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> SlackPlace:
        if (self.secret is None) == (self.workspace is None):
            raise ValueError(
                "slack needs either secret (your own bot brings the messages) or workspace (Amazon Q Developer does)"
            )
        return self

    @property
    def room(self) -> str | None:
        """The name under which Amazon Q Developer knows the channel; None where a bot brings the messages."""
        return f"slack-{self.workspace}-{self.channel}" if self.workspace else None


class TeamsPlace(Section):
    """A channel of Microsoft Teams, by one of two ways.

    Attributes
    ----------
    secret : str or None
        The secret with the address of a Workflows webhook.
    tenant, team, channel : str or None
        The three IDs from the channel's link: Amazon Q Developer brings the messages.
    """

    secret: SecretName | None = None
    tenant: Uuid | None = None
    team: Uuid | None = None
    channel: (
        Annotated[
            str,
            Field(pattern=r"^19:[A-Za-z0-9_-]{10,}@thread\.(tacv2|skype)$", examples=["19:0a1b2c3d4e@thread.tacv2"]),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_way(self) -> TeamsPlace:
        ids = [each for each in (self.tenant, self.team, self.channel) if each]
        if len(ids) != (3 if self.secret is None else 0):
            raise ValueError(
                "teams needs either secret (a Workflows webhook brings the messages) or tenant, team and channel "
                "(Amazon Q Developer does)"
            )
        return self

    @property
    def room(self) -> str | None:
        """The name under which Amazon Q Developer knows the channel; None where a webhook brings the messages."""
        if self.secret is not None:
            return None
        place = "/".join(str(each) for each in (self.tenant, self.team, self.channel))
        return f"teams-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


class PagerDutyPlace(Section):
    """The secret with the routing key, and the region of PagerDuty's that the account is in."""

    secret: SecretName
    url: Literal["https://events.pagerduty.com", "https://events.eu.pagerduty.com"] = "https://events.pagerduty.com"


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
    teams: TeamsPlace | None = None
    pagerduty: PagerDutyPlace | None = None
    opsgenie: OpsgeniePlace | None = None
    webhook: WebhookPlace | None = None
    runbook: SecureUrl | None = None

    def room(self, channel: Channel) -> str | None:
        """The chat room of a channel that Amazon Q Developer brings messages to; None where Kedge itself does."""
        place = getattr(self, channel)
        return place.room if isinstance(place, SlackPlace | TeamsPlace) else None

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
