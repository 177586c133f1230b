"""One message to one channel outside AWS: at least once, shown once, in the order of its incident."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.alerts.incident import acknowledges, episode_name
from kedge.alerts.routing import routed
from kedge.config.model import ModelConfig
from kedge.config.owners import Channel
from kedge.config.secret_forms import secret_problem
from kedge.errors import SecretMissingError
from kedge.instants import to_text
from kedge.severity import Severity
from lambdas import stage
from lambdas.adapters import secrets
from lambdas.adapters.bucket import history
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.channels import amazon_q
from lambdas.adapters.channels.every_service import SERVICES
from lambdas.adapters.channels.message import Action, Event, Notice
from lambdas.adapters.channels.sending import SendResult, send
from lambdas.adapters.state import alert_episodes, deliveries
from lambdas.adapters.state.deliveries import Delivery, Heard
from report.alert_words import Place

# Longer than a function may run: a holder older than this has ended.
LEASE = timedelta(seconds=90)
# A try takes two requests at most.
HELD_SECONDS = 20


@dataclass(frozen=True)
class DeliveryDesk:
    """By which channel messages are delivered, and where it is remembered how far each has come.

    Attributes
    ----------
    rooms : str
        How the ARN of a chat room's topic begins.
    place : Place
        Where the pages are that a message links to.
    """

    dynamodb: Any
    secretsmanager: Any
    sns: Any
    table: str
    bucket: str
    channel: Channel
    rooms: str
    place: Place
    now: Callable[[], datetime]


def deliver(body: str, copy: str, desk: DeliveryDesk, *, attempt: int = 1) -> SendResult:
    """Send a message of the topic, unless the channel has certainly shown it, or this very copy lies among the dead letters.

    Parameters
    ----------
    copy : str
        The queue's id of it. SQS may bring a copy twice; what a person takes back from the dead letters has another id.
    attempt : int
        How often the queue has brought it.
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
    config, begun = find_model(event.model, desk.bucket), desk.now()
    if config is None or getattr(config.owner, desk.channel) is None:
        outcome = SendResult("refused", f"{event.model} has no address for {desk.channel} any more")
    else:
        outcome = _in_turn(event, config, delivery, desk)
    _note(event, outcome, attempt, begun, desk)
    return outcome


def _note(event: Event, outcome: SendResult, attempt: int, begun: datetime, desk: DeliveryDesk) -> None:
    """Leave the attempt for the history: what the channel said in a code, and nothing of what was sent."""
    facts = {
        "channel": desk.channel,
        "status": {"accepted": "delivered", "again": "failed"}.get(outcome.verdict, "refused"),
        "answer": outcome.why,
        "attempts": attempt,
        "answer_seconds": (desk.now() - begun).total_seconds(),
    }
    history.note_delivery(desk.bucket, event.document, history.delivery_name(event.id, desk.channel), facts)


def remember_buried(body: str, copy: str, desk: DeliveryDesk) -> None:
    """Note that this copy lies among the dead letters; what is no event has no name to note it by."""
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        event = Event.read(body)
        key = (event.model, desk.channel, event.id)
        known = deliveries.load(desk.dynamodb, desk.table, key)
        deliveries.save(desk.dynamodb, desk.table, key, replace(known, buried=copy), now=desk.now())


def _in_turn(event: Event, config: ModelConfig, delivery: Delivery, desk: DeliveryDesk) -> SendResult:
    """Hold the incident while its message is sent."""
    owner = config.owner
    name = f"{event.episode}@{owner.room(desk.channel) or SERVICES[desk.channel].place(owner)}"
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
    outcome = _once(event, config, delivery, held, desk)
    # A person may have deleted the first message: the next try begins a thread anew.
    thread = "" if outcome.thread_is_gone else held.thread or outcome.thread
    free = replace(held, held_until=None, thread=thread)
    deliveries.save_incident(desk.dynamodb, desk.table, key, free, revision=revision + 1, now=now)
    return outcome


def _once(event: Event, config: ModelConfig, delivery: Delivery, held: Heard, desk: DeliveryDesk) -> SendResult:
    """Send a message, and remember before and after it how far it has come."""
    key, late = (event.model, desk.channel, event.id), held.newest > event.time
    action, incident = _action(event, config, desk)
    if late and SERVICES[desk.channel].pager and held.resolved != event.resolved:
        outcome = SendResult("accepted", "a newer message of its incident says otherwise")
    elif action is None:
        outcome = SendResult("accepted", "no incident is open that it could acknowledge")
    else:
        begun = Delivery(uncertain=True)
        deliveries.save(desk.dynamodb, desk.table, key, begun, now=desk.now())
        repeated = delivery.uncertain or bool(event.document["detail"].get("repeated"))
        notice = Notice(
            event, config.owner, action, incident, repeated, late, held.thread, desk.now(), desk.place, secret=""
        )
        outcome = _attempt(notice, desk)
    after = Delivery(outcome.verdict == "accepted", delivery.uncertain or outcome.uncertain)
    deliveries.save(desk.dynamodb, desk.table, key, after, now=desk.now())
    return outcome


def _attempt(message: Notice, desk: DeliveryDesk) -> SendResult:
    """Post it; a secret that is refused is read anew, for a person may have rotated it."""
    if (room := message.owner.room(desk.channel)) is not None:
        return amazon_q.publish(desk.sns, desk.rooms + room, message, desk.channel)
    place, tried = getattr(message.owner, desk.channel), ""
    service, outcome = SERVICES[desk.channel], SendResult("denied", "the secret was refused")
    for anew in (False, True):
        try:
            secret = secrets.read(desk.secretsmanager, stage.current().named(place.secret), anew=anew)
        except SecretMissingError as error:
            return SendResult("refused", str(error))
        problem = secret_problem(desk.channel, secret)
        if secret == tried:
            break
        tried = secret
        if problem:
            outcome = SendResult(
                "denied", f"the secret {stage.current().named(place.secret)} has the wrong form: {problem}"
            )
            continue
        outcome = send(service.render(replace(message, secret=secret)), service.read)
        if outcome.verdict != "denied":
            return outcome
    return replace(outcome, verdict="refused")


def _action(event: Event, config: ModelConfig, desk: DeliveryDesk) -> tuple[Action | None, str]:
    """What a pager does, and with which incident: what a person did acknowledges the model's open episode.

    Without one it is news for those alone whose routes take it: a pager may get it for the acknowledgement's sake.
    """
    if acknowledges(event.kind):
        episode, _ = alert_episodes.load(desk.dynamodb, desk.table, event.model)
        if episode is not None and episode.ended is None:
            return "acknowledge", episode_name(event.model, to_text(episode.name))
        wanted = not SERVICES[desk.channel].pager or desk.channel in routed(config, event.kind, event.severity)
        return ("change" if wanted else None), event.episode
    if event.resolved:
        return "resolve", event.episode
    return ("change" if event.severity is Severity.OK else "trigger"), event.episode
