"""`kedge test-alert`: one message by every route, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.operator.commands import EndpointUrl, Model, Region
from cli.refusals import BAD_INPUT, BadInputError, in_a_sentence
from kedge.config.owners import Channel

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment

PENDING, ACCEPTED, DELIVERED = "PendingConfirmation", "accepted", "delivered"
LOOK_SECONDS = 2


def alert_test(
    model: Model,
    severity: Annotated[
        Literal["OK", "WARNING", "CRITICAL"], typer.Option(help="It goes where a window of this severity would go.")
    ] = "CRITICAL",
    channel: Annotated[Channel | None, typer.Option(help="Only this channel.", show_default="the routes'")] = None,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the channels' answers.", min=0, max=900)] = 60,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Send a test message about a model the way every message goes, and say what each channel answered.

    Exit code 0: each was accepted; 2: one was not, or did not answer in time, or no route takes it.
    """
    with in_a_sentence("test-alert"):
        from cli.operator.deployment import Deployment
        from cli.operator.operations import send_test_alert

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        answer = send_test_alert(deployment, model, severity, channel)
        if not answer["channels"]:
            raise BadInputError(f"no route of {model} takes a window that is {severity}: alerts.routes says which do")
        others = [name for name in answer["channels"] if name != "email"] if sent(answer, "programs") else []
        heard = answers(deployment, answer, others, wait)
        lines = [_said(name, answer, heard, wait, deployment) for name in answer["channels"]]
    for line in lines:
        typer.echo(line)
    arrived = all(name in heard and heard[name]["status"] == DELIVERED for name in others)
    if not arrived or not all(sent(answer, topic) for topic in answer["answers"]):
        raise typer.Exit(BAD_INPUT)


def sent(answer: Mapping[str, Any], topic: str) -> bool:
    """Whether SNS took the message for this topic."""
    return bool(answer["answers"][topic] == ACCEPTED)


def answers(
    deployment: Deployment, answer: Mapping[str, Any], channels: list[str], wait: int
) -> dict[str, Mapping[str, Any]]:
    """What each channel has answered, from the history; a channel that is tried again has answered when the time is over."""
    from kedge.history.tables import DELIVERIES
    from kedge.instants import from_text
    from lambdas.adapters.bucket import history

    s3, at = deployment.client("s3"), from_text(answer["event"]["time"])
    model, found = answer["event"]["model"], dict[str, Mapping[str, Any]]()
    end = time.monotonic() + wait
    while True:
        for channel in channels:
            name = history.delivery_name(answer["event"]["id"], channel)
            key = history.delivery_key(model, at, name)
            rows = history.load_table(s3, deployment.bucket, key, DELIVERIES).to_pylist()
            if rows:
                found[channel] = rows[0]
        open_ones = [c for c in channels if c not in found or found[c]["status"] == "failed"]
        if not open_ones or time.monotonic() + LOOK_SECONDS > end:
            return found
        time.sleep(LOOK_SECONDS)


def _said(
    channel: str, answer: dict[str, Any], heard: Mapping[str, Mapping[str, Any]], wait: int, deployment: Deployment
) -> str:
    topic = "people" if channel == "email" else "programs"
    if not sent(answer, topic):
        return f"{channel}: not sent: {answer['answers'][topic]}"
    if channel == "email":
        return f"email: accepted by SNS for {_addresses(answer['mail'], deployment)}"
    if channel not in heard:
        return (
            f"{channel}: accepted by SNS on the topic Events, and not answered within {wait} seconds; the table deliveries "
            "of the history will say what came of it"
        )
    found = heard[channel]
    again = " (it is tried again)" if found["status"] == "failed" else ""
    return f"{channel}: {found['status']}: {found['answer']}, in {found['answer_seconds']:.1f} s{again}"


def _addresses(wanted: list[str], deployment: Deployment) -> str:
    """The addresses of the mail, each with whether its subscription is confirmed; without any, it is the deployment's."""
    if not wanted:
        return "the deployment's address (alert_email in cdk.json)"
    pages = deployment.client("sns").get_paginator("list_subscriptions_by_topic")
    topic = deployment.alert_topic
    found = [each for page in pages.paginate(TopicArn=topic) for each in page["Subscriptions"]]
    state = {each["Endpoint"].lower(): each["SubscriptionArn"] for each in found}
    missing = {PENDING: " (not confirmed: it gets nothing)", None: " (not subscribed: it gets nothing)"}
    return ", ".join(f"{address}{missing.get(state.get(address.lower()), '')}" for address in wanted)
