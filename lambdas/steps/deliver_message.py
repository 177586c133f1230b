"""One message to one channel outside AWS: at least once, shown once, in the order of its incident."""

from __future__ import annotations

from collections.abc import Callable
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

# Longer than a function may run: whoever held an incident until then is gone.
LEASE = timedelta(seconds=90)
# A try takes two requests at most.
HELD_SECONDS = 20


@dataclass(frozen=True)
class Counter:
    """What a message is delivered with."""

    dynamodb: Any
    secretsmanager: Any
    table: str
    bucket: str
    channel: Channel
    now: Callable[[], datetime]


def deliver(body: str, counter: Counter) -> SendResult:
    """Send a message of the topic, unless the channel has certainly shown it."""
    try:
        event = Event.read(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        return SendResult("refused", "it is no event of Kedge's")
    config = find_model(event.model, counter.bucket)
    if config is None or getattr(config.owner, counter.channel) is None:
        return SendResult("refused", f"{event.model} has no address for {counter.channel} any more")
    delivery = deliveries.load(counter.dynamodb, counter.table, (event.model, counter.channel, event.id))
    if delivery.accepted:
        return SendResult("accepted", "it was accepted before")
    return _in_turn(event, config.owner, delivery, counter)


def _in_turn(event: Event, owner: Owner, delivery: Delivery, counter: Counter) -> SendResult:
    """Hold the incident while its message is sent."""
    name = f"{event.episode}@{SERVICES[counter.channel].place(owner)}"
    key, now = (event.model, counter.channel, name), counter.now()
    before, revision = deliveries.load_incident(counter.dynamodb, counter.table, key)
    waits = SendResult("again", "another message of its incident is being sent", HELD_SECONDS)
    if before is not None and before.held_until is not None and before.held_until > now:
        return waits
    newer = before is not None and before.newest > event.time
    newest = before if before is not None and newer else Heard(event.time, event.resolved)
    held = replace(newest, thread=before.thread if before else "", held_until=now + LEASE)
    # Noted before it is sent: whatever becomes of this try, an older message does not open what this one closes.
    if not deliveries.save_incident(counter.dynamodb, counter.table, key, held, revision=revision, now=now):
        return waits
    outcome = _once(event, owner, delivery, held, counter)
    free = replace(held, held_until=None, thread=held.thread or outcome.thread)
    deliveries.save_incident(counter.dynamodb, counter.table, key, free, revision=revision + 1, now=now)
    return outcome


def _once(event: Event, owner: Owner, delivery: Delivery, held: Heard, counter: Counter) -> SendResult:
    """Send a message, and remember before and after it how far it has come."""
    key, late = (event.model, counter.channel, event.id), held.newest > event.time
    if late and SERVICES[counter.channel].pager and held.resolved != event.resolved:
        outcome = SendResult("accepted", "a newer message of its incident says otherwise")
    else:
        begun = Delivery(uncertain=True)
        deliveries.save(counter.dynamodb, counter.table, key, begun, now=counter.now())
        outcome = _attempt(_message(event, owner, delivery, held, counter), counter)
    after = Delivery(outcome.verdict == "accepted", delivery.uncertain or outcome.uncertain)
    deliveries.save(counter.dynamodb, counter.table, key, after, now=counter.now())
    return outcome


def _attempt(message: Notice, counter: Counter) -> SendResult:
    """Post it; a secret that is refused is read anew, for a person may have rotated it."""
    place, tried = getattr(message.owner, counter.channel), ""
    service, outcome = SERVICES[counter.channel], SendResult("denied", "the secret was refused")
    for anew in (False, True):
        try:
            secret = secrets.read(counter.secretsmanager, place.secret, anew=anew)
        except SecretMissingError as error:
            return SendResult("refused", str(error))
        problem = secret_problem(counter.channel, secret)
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


def _message(event: Event, owner: Owner, delivery: Delivery, held: Heard, counter: Counter) -> Notice:
    action, incident = _action(event, counter)
    repeated = delivery.uncertain or bool(event.document["detail"].get("repeated"))
    late = held.newest > event.time
    return Notice(event, owner, action, incident, repeated, late, held.thread, counter.now(), secret="")


def _action(event: Event, counter: Counter) -> tuple[Action, str]:
    """What a pager does, and with which incident: what a person did acknowledges the model's open episode."""
    if acknowledges(event.kind):
        episode, _ = alert_episodes.load(counter.dynamodb, counter.table, event.model)
        if episode is not None and episode.ended is None:
            return "acknowledge", episode_name(event.model, to_text(episode.name))
        return "change", event.episode
    if event.resolved:
        return "resolve", event.episode
    return ("change" if event.severity is Severity.OK else "trigger"), event.episode
