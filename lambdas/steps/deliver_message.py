"""One message to one channel outside AWS: at least once, shown once, in the order of its incident."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.alerts.incident import acknowledges, episode_name
from kedge.config.owners import Channel, Owner
from kedge.config.secret_forms import secret_problem
from kedge.errors import SecretMissingError
from kedge.instants import to_text
from kedge.severity import Severity
from lambdas.adapters import secrets
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.channels.every_service import SERVICES
from lambdas.adapters.channels.message import Action, Event, Notice
from lambdas.adapters.channels.sending import SendResult, send
from lambdas.adapters.state import alert_episodes, deliveries
from lambdas.adapters.state.deliveries import Delivery, Heard

# Longer than a function may run: a holder older than this has ended.
LEASE = timedelta(seconds=90)
# A try takes two requests at most.
HELD_SECONDS = 20


@dataclass(frozen=True)
class DeliveryDesk:
    """By which channel messages are delivered, and where it is remembered how far each has come."""

    dynamodb: Any
    secretsmanager: Any
    table: str
    bucket: str
    channel: Channel
    now: Callable[[], datetime]


def deliver(body: str, copy: str, desk: DeliveryDesk) -> SendResult:
    """Send a message of the topic, unless the channel has certainly shown it, or this very copy lies among the dead letters.

    Parameters
    ----------
    copy : str
        The queue's id of it. SQS may bring a copy twice; what a person takes back from the dead letters has another id.
    """
    try:
        event = Event.read(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        return SendResult("refused", "it is no event of Kedge's")
    delivery = deliveries.load(desk.dynamodb, desk.table, (event.model, desk.channel, event.id))
    if delivery.accepted:
        return SendResult("accepted", "it was accepted before")
    if delivery.buried == copy:
        return SendResult("accepted", "it lies among the dead letters")
    config = find_model(event.model, desk.bucket)
    if config is None or getattr(config.owner, desk.channel) is None:
        return SendResult("refused", f"{event.model} has no address for {desk.channel} any more")
    return _in_turn(event, config.owner, delivery, desk)


def remember_buried(body: str, copy: str, desk: DeliveryDesk) -> None:
    """Note that this copy lies among the dead letters; what is no event has no name to note it by."""
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        event = Event.read(body)
        key = (event.model, desk.channel, event.id)
        known = deliveries.load(desk.dynamodb, desk.table, key)
        deliveries.save(desk.dynamodb, desk.table, key, replace(known, buried=copy), now=desk.now())


def _in_turn(event: Event, owner: Owner, delivery: Delivery, desk: DeliveryDesk) -> SendResult:
    """Hold the incident while its message is sent."""
    name = f"{event.episode}@{SERVICES[desk.channel].place(owner)}"
    key, now = (event.model, desk.channel, name), desk.now()
    before, revision = deliveries.load_incident(desk.dynamodb, desk.table, key)
    waits = SendResult("again", "another message of its incident is being sent", HELD_SECONDS)
    if before is not None and before.held_until is not None and before.held_until > now:
        return waits
    newer = before is not None and before.newest > event.time
    newest = before if before is not None and newer else Heard(event.time, event.resolved)
    held = replace(newest, thread=before.thread if before else "", held_until=now + LEASE)
    # Noted before it is sent: whatever becomes of this try, an older message does not open what this one closes.
    if not deliveries.save_incident(desk.dynamodb, desk.table, key, held, revision=revision, now=now):
        return waits
    outcome = _once(event, owner, delivery, held, desk)
    free = replace(held, held_until=None, thread=held.thread or outcome.thread)
    deliveries.save_incident(desk.dynamodb, desk.table, key, free, revision=revision + 1, now=now)
    return outcome


def _once(event: Event, owner: Owner, delivery: Delivery, held: Heard, desk: DeliveryDesk) -> SendResult:
    """Send a message, and remember before and after it how far it has come."""
    key, late = (event.model, desk.channel, event.id), held.newest > event.time
    if late and SERVICES[desk.channel].pager and held.resolved != event.resolved:
        outcome = SendResult("accepted", "a newer message of its incident says otherwise")
    else:
        begun = Delivery(uncertain=True)
        deliveries.save(desk.dynamodb, desk.table, key, begun, now=desk.now())
        outcome = _attempt(_message(event, owner, delivery, held, desk), desk)
    after = Delivery(outcome.verdict == "accepted", delivery.uncertain or outcome.uncertain)
    deliveries.save(desk.dynamodb, desk.table, key, after, now=desk.now())
    return outcome


def _attempt(message: Notice, desk: DeliveryDesk) -> SendResult:
    """Post it; a secret that is refused is read anew, for a person may have rotated it."""
    place, tried = getattr(message.owner, desk.channel), ""
    service, outcome = SERVICES[desk.channel], SendResult("denied", "the secret was refused")
    for anew in (False, True):
        try:
            secret = secrets.read(desk.secretsmanager, place.secret, anew=anew)
        except SecretMissingError as error:
            return SendResult("refused", str(error))
        problem = secret_problem(desk.channel, secret)
        if secret == tried:
            break
        tried = secret
        if problem:
            outcome = SendResult("denied", f"the secret {place.secret} has the wrong form: {problem}")
            continue
        outcome = send(service.render(replace(message, secret=secret)), service.read)
        if outcome.verdict != "denied":
            return outcome
    return replace(outcome, verdict="refused")


def _message(event: Event, owner: Owner, delivery: Delivery, held: Heard, desk: DeliveryDesk) -> Notice:
    action, incident = _action(event, desk)
    repeated = delivery.uncertain or bool(event.document["detail"].get("repeated"))
    late = held.newest > event.time
    return Notice(event, owner, action, incident, repeated, late, held.thread, desk.now(), secret="")


def _action(event: Event, desk: DeliveryDesk) -> tuple[Action, str]:
    """What a pager does, and with which incident: what a person did acknowledges the model's open episode."""
    if acknowledges(event.kind):
        episode, _ = alert_episodes.load(desk.dynamodb, desk.table, event.model)
        if episode is not None and episode.ended is None:
            return "acknowledge", episode_name(event.model, to_text(episode.name))
        return "change", event.episode
    if event.resolved:
        return "resolve", event.episode
    return ("change" if event.severity is Severity.OK else "trigger"), event.episode
