"""Hand messages of the topic *Events* to pagers, chats and webhooks: a queue each, so that none waits for another."""

from __future__ import annotations

import json
from typing import Any, cast

from kedge.config.owners import Channel
from lambdas import stage
from lambdas.adapters import clients, queues
from lambdas.adapters.channels.sending import SendResult
from lambdas.adapters.times import wall_clock
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.deliver_message import DeliveryDesk, deliver, remember_buried
from lambdas.steps.requests import receives
from report.alert_words import Place

# A message takes this long at most: two requests, and what is read and written around them.
MESSAGE_MILLISECONDS = 28_000
WAIT_SECONDS_MIN, WAIT_SECONDS_MAX = 30, 900
TRIES_AS_ASKED = 5


class Settings(Environment):
    """What this function's environment holds.

    Attributes
    ----------
    channel_queues : str
        JSON: per channel its queue and that of its dead.
    rooms_begin : str
        How the ARNs of the chat rooms' topics begin.
    """

    data_bucket: str
    state_table: str
    channel_queues: str
    rooms_begin: str


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Deliver each message, put off what may pass, and bury what a person must see to."""
    settings, failed = Settings.from_environment(), []
    places = json.loads(settings.channel_queues)
    by_name = {place["queue"].rpartition("/")[2]: channel for channel, place in places.items()}
    for record in event["Records"]:
        channel = by_name[record["eventSourceARN"].rpartition(":")[2]]
        outcome = SendResult("again", "the function's time is nearly over", 1)
        desk = DeliveryDesk(
            clients.dynamodb(),
            clients.secretsmanager(),
            clients.sns(),
            settings.state_table,
            settings.data_bucket,
            cast(Channel, channel),
            settings.rooms_begin,
            Place(settings.data_bucket, record["eventSourceARN"].split(":")[3], stage.current()),
            wall_clock,
        )
        if context.get_remaining_time_in_millis() > MESSAGE_MILLISECONDS:
            outcome = deliver(record["body"], record["messageId"], desk, attempt=receives({"Records": [record]}))
        logger.info(
            "delivery", channel=channel, message_id=record["messageId"], verdict=outcome.verdict, why=outcome.why
        )
        if outcome.verdict == "again":
            failed.append({"itemIdentifier": record["messageId"]})
            wait = wait_seconds(record, outcome.seconds)
            queues.put_off(clients.sqs(), places[channel]["queue"], record["receiptHandle"], seconds=wait)
        elif outcome.verdict != "accepted":
            queues.bury(clients.sqs(), places[channel]["dead_letters"], record["body"], why=outcome.why)
            # Behind it: who dies in between buries it twice, and loses nothing.
            remember_buried(record["body"], record["messageId"], desk)
    return {"batchItemFailures": failed}


def wait_seconds(record: dict[str, Any], asked: int | None) -> int:
    """Seconds until the next try: as the service asked, else twice as long each time, up to a quarter of an hour."""
    tries = receives({"Records": [record]})
    # One higher exponent would be the longest wait already.
    doubled = min(WAIT_SECONDS_MIN << min(tries - 1, 5), WAIT_SECONDS_MAX)
    if asked is None:
        return doubled
    # A service that always asks for a moment does not use up the tries within a minute.
    return asked if tries <= TRIES_AS_ASKED else max(asked, doubled)
