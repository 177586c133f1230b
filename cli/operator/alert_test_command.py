"""`kedge test-alert`: one message by every route, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.operator.commands import EndpointUrl, Model, Region
from cli.refusals import BAD_INPUT, BadInputError, in_a_sentence
from kedge.config.owners import Channel

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment

PENDING, ACCEPTED = "PendingConfirmation", "accepted"


def alert_test(
    model: Model,
    severity: Annotated[
        Literal["OK", "WARNING", "CRITICAL"], typer.Option(help="It goes where a window of this severity would go.")
    ] = "CRITICAL",
    channel: Annotated[Channel | None, typer.Option(help="Only this channel.", show_default="the routes'")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Send a test message about a model the way every message goes, and say what each channel answered.

    Exit code 0: each was accepted; 2: one was not, or no route takes it.
    """
    with in_a_sentence("test-alert"):
        from cli.operator.deployment import Deployment
        from cli.operator.operations import send_test_alert

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        answer = send_test_alert(deployment, model, severity, channel)
        if not answer["channels"]:
            raise BadInputError(f"no route of {model} takes a window that is {severity}: alerts.routes says which do")
        lines = [_said(name, answer, deployment) for name in answer["channels"]]
    for line in lines:
        typer.echo(line)
    if any(said != ACCEPTED for said in answer["answers"].values()):
        raise typer.Exit(BAD_INPUT)


def _said(channel: str, answer: dict[str, Any], deployment: Deployment) -> str:
    topic = "people" if channel == "email" else "programs"
    if answer["answers"][topic] != ACCEPTED:
        return f"{channel}: not sent: {answer['answers'][topic]}"
    if channel != "email":
        return f"{channel}: accepted by SNS on the topic Events; the channel's own function sends it on"
    return f"email: accepted by SNS for {_addresses(answer['mail'], deployment)}"


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
