"""One way to tell: an entry in the timeline and a message to people and programs, kept until each of them was told.

What is to be told is written into the state table (`untold#...`) before it is sent and taken away after it. Where SNS
fails, or the function dies in between, the item stays, and `tell_again` sends it within the hour. What went out is remembered
(`told#message-...`): a caller whose answer was lost comes with the same message once more, and nothing is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from kedge.alerts.holding import Hold, Mute, hold_of
from kedge.alerts.incident import acknowledges, incident_of
from kedge.alerts.routing import is_over, recipients, severity_of
from kedge.config.model import ModelConfig
from kedge.errors import ModelConfigError
from kedge.instants import from_text
from lambdas import stage
from lambdas.adapters import clients
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.channels.channel import Alert, Topics
from lambdas.adapters.channels.every_channel import CHANNELS
from lambdas.adapters.channels.message import event_id
from lambdas.adapters.state import mutes, state_items, windows
from lambdas.adapters.state.state_items import Item
from report.alert_words import Place

# A message younger than this may still be on its way: its own sender ends the work.
_GRACE = timedelta(minutes=10)
ACCEPTED = "accepted"
# How often a topic is asked that says no.
ATTEMPTS = 3


@dataclass(frozen=True)
class Desk:
    """Where a message is kept, written down and sent."""

    dynamodb: Any
    s3: Any
    sns: Any
    table: str
    bucket: str
    topics: Topics


class TellingSettings(Protocol):
    """What the environment of a function that tells holds."""

    @property
    def data_bucket(self) -> str:
        """Where the timeline is."""

    @property
    def state_table(self) -> str:
        """Where messages are kept."""

    @property
    def alert_topic_arn(self) -> str:
        """Where people are told."""

    @property
    def event_topic_arn(self) -> str:
        """Where programs are told."""


def desk_of(settings: TellingSettings) -> Desk:
    """The desk of a function: its environment, and its clients."""
    topics = Topics(settings.alert_topic_arn, settings.event_topic_arn)
    return Desk(clients.dynamodb(), clients.s3(), clients.sns(), settings.state_table, settings.data_bucket, topics)


def record_and_tell(
    desk: Desk,
    entry: Entry,
    *,
    entered: bool = False,
    name: str | None = None,
    when_kept: Callable[[], object] | None = None,
    audience: Sequence[str] | None = None,
) -> None:
    """Write the timeline's entry, unless it was `entered` already, and send the message.

    A topic that cannot be reached is no error: the message stays in the state table until it was sent. One that stands there
    already was being sent when its function died; it is sent once more, and says so. One that was told whole, with the same
    time and the same words, is not told again. `when_kept` is called in between, where
    it is certain that the message will be sent, and was not: who remembers there that it is told neither loses nor doubles
    it. `name` is what the message is about; without one its content names it. What a person did is for the `audience` of programs
    alone: it acknowledges a pager's incident, and is no reason for a mail.

    A message of a model that is muted, or in its quiet hours, is kept and not sent: `tell_again` sends it later.
    """
    audience = tuple(CHANNELS) if audience is None else audience
    model, body = entry.model, json.dumps(entry.to_json(), sort_keys=True, default=str)
    digest, repeated, whole = _digest(name or body), False, f"message-{_digest(body)}"
    if not entered:
        timeline.record(desk.s3, desk.bucket, entry)
    holds = _holds(_alert_of(desk, entry), mutes.load(desk.dynamodb, desk.table, model), entry.time)
    for channel in audience:
        item = {**_key(model, channel, digest), "event": {"S": body}, "audience": {"S": channel}}
        if channel in holds:
            item["held"] = {"S": holds[channel]}
        kept = state_items.waiting(item)
        before = desk.dynamodb.put_item(TableName=desk.table, Item=kept, ReturnValues="ALL_OLD")
        repeated = repeated or "Attributes" in before
    # Looked at behind the puts: another teller of the same sees them, or has been seen here.
    if windows.is_told(desk.dynamodb, desk.table, model, whole):
        _forget(desk, model, audience, digest)
        return
    if when_kept is not None:
        when_kept()
    if repeated:
        entry = replace(entry, detail={**entry.detail, "repeated": True})
    # Forgotten together: after a crash in between, the message is still known to be a repetition.
    sent = [channel for channel in audience if channel not in holds and _send(desk, entry, channel)]
    with suppress(ClientError, BotoCoreError):  # what is kept for that is sent once more, and says so
        if len(sent) == len(audience):
            windows.remember_told(desk.dynamodb, desk.table, model, whole, now=entry.time)
        _forget(desk, model, sent, digest)


def tell_once(desk: Desk, what: str, entry: Entry, *, entered: bool = False) -> None:
    """Write it down and tell it, unless `what` was told."""
    if windows.is_told(desk.dynamodb, desk.table, entry.model, what):
        return

    def remember() -> None:
        windows.remember_told(desk.dynamodb, desk.table, entry.model, what, now=entry.time)

    record_and_tell(desk, entry, entered=entered, name=what, when_kept=remember)


def tell_again(desk: Desk, untold: Iterable[Item], *, now: datetime, mute: Mute | None = None) -> tuple[int, int]:
    """Send what was kept because it could not be sent, or was held; return how many messages went out, and how many could not.

    What a mute held is not sent one by one: `held_by_mute` finds it, and one message tells of all.
    """
    sent = left = 0
    for item in untold:
        entry, channel, hold = _kept(item), item["audience"]["S"], item.get("held", {}).get("S")
        if hold == "mute" or channel in _holds(_alert_of(desk, entry), mute, now):
            continue
        if hold is None:
            if now - entry.time < _GRACE:
                continue
            # It may have been sent just before the function died: a message twice is better than none, and says so.
            entry = replace(entry, detail={**entry.detail, "repeated": True})
        went_out = _send(desk, entry, channel)
        if went_out:
            forget(desk, [item])
        sent, left = sent + went_out, left + (not went_out)
    return sent, left


def send_test(desk: Desk, entry: Entry, channel: str | None) -> dict[str, Any]:
    """Write a test into the timeline and send it at once, muted or not; return where it went, and what each topic answered.

    It goes where a window of its severity would go, or to the one channel.
    """
    timeline.record(desk.s3, desk.bucket, entry)
    alert = _alert_of(desk, entry)
    if channel is not None:
        alert = replace(alert, recipients=frozenset({channel}))
    answers = {}
    for name, send in CHANNELS.items():
        try:
            send(desk.sns, desk.topics, alert)
        except (ClientError, BotoCoreError) as error:
            answers[name] = str(error)
        else:
            answers[name] = ACCEPTED
    event = entry.to_json()
    named = {"model": entry.model, "time": event["time"], "id": event_id(event)}
    return {"channels": sorted(alert.recipients), "mail": list(alert.mail), "answers": answers, "event": named}


def held_by_mute(untold: Iterable[Item]) -> list[tuple[Item, Entry]]:
    """The messages that a mute held, oldest first; each stands once for every channel."""
    found = [(item, _kept(item)) for item in untold if item.get("held", {}).get("S") == "mute"]
    return sorted(found, key=lambda each: each[1].time)


def forget(desk: Desk, items: Iterable[Item]) -> None:
    """Take away what was kept and is told."""
    for item in items:
        _forget(desk, item["model"]["S"], [item["audience"]["S"]], item["item"]["S"].rpartition("#")[2])


def _kept(item: Item) -> Entry:
    kept = json.loads(item["event"]["S"])
    return Entry(kept["model"], kept["kind"], from_text(kept["time"]), kept["detail"])


def _holds(alert: Alert, mute: Mute | None, now: datetime) -> dict[str, Hold]:
    """Why each channel waits. Programs always hear that something is over, or that a person has acted: a pager waits for it."""
    kind = alert.entry.kind
    # A digest is told in the name of one model, and is about several.
    hold = hold_of(None if kind == "digest" else mute, alert.quiet_hours, alert.severity, now)
    at_once = is_over(kind, alert.entry.detail) or acknowledges(kind)
    return {channel: hold for channel in CHANNELS if hold and not (at_once and channel == "programs")}


def _send(desk: Desk, entry: Entry, channel: str) -> bool:
    if channel not in CHANNELS:  # kept by an earlier release: the channel has been taken away since
        return True
    for _ in range(ATTEMPTS):
        try:
            CHANNELS[channel](desk.sns, desk.topics, _alert_of(desk, entry))
        except ClientError:  # it was not sent
            continue
        except BotoCoreError:  # nobody knows: it stays, and when it is sent once more it says so
            return False
        return True
    return False


def _alert_of(desk: Desk, entry: Entry) -> Alert:
    severity, config = severity_of(entry.kind, entry.detail), _config_of(desk, entry.model)
    # What is still to be told of a model that has been taken away goes where everything goes without teams.
    arn = desk.topics.people.split(":")
    place = Place(desk.bucket, arn[3], stage.current()) if len(arn) > 3 else None
    if config is None:
        return Alert(entry, severity, None, frozenset({"email"}), place=place)
    resolved = incident_of(entry.model, entry.kind, entry.time, entry.detail).resolved
    over, mailed = is_over(entry.kind, entry.detail), bool(entry.detail.get("mailed"))
    to = recipients(config, entry.kind, severity, over=over, resolved=resolved, mailed=mailed)
    return Alert(entry, severity, config.owner.team, to, config.owner.email, config.alerts.quiet_hours, place)


def _config_of(desk: Desk, model: str) -> ModelConfig | None:
    """The model that a message is about; None of one that has been taken away, or that this function may not look up."""
    with suppress(ClientError, BotoCoreError, ModelConfigError):
        return find_model(model, desk.bucket)
    return None


def _forget(desk: Desk, model: str, channels: Iterable[str], digest: str) -> None:
    with suppress(ClientError, BotoCoreError):  # it stays, and is sent once more
        for channel in channels:
            desk.dynamodb.delete_item(TableName=desk.table, Key=_key(model, channel, digest))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _key(model: str, channel: str, digest: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, f"{state_items.UNTOLD}{channel}#{digest}")
