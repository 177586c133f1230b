"""Every service outside AWS that a message goes to: adding one is its file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kedge.config.owners import Channel, Owner
from lambdas.adapters.channels import opsgenie, pagerduty, slack, teams, webhook
from lambdas.adapters.channels.message import Notice
from lambdas.adapters.channels.sending import Post, Reply, SendResult, by_json, by_status


@dataclass(frozen=True)
class Service:
    """How a channel writes a message and reads the answer.

    Attributes
    ----------
    pager : bool
        Whether it keeps incidents open: then an old message must not open what is closed.
    """

    render: Callable[[Notice], Post]
    read: Callable[[Reply], SendResult] = by_status
    pager: bool = False
    # Where the threads of a chat are; empty for a channel without threads.
    place: Callable[[Owner], str] = lambda _owner: ""


SERVICES: Mapping[Channel, Service] = {
    "slack": Service(slack.render, slack.read, place=slack.place),
    "teams": Service(teams.render, teams.read),
    "pagerduty": Service(pagerduty.render, pagerduty.read, pager=True),
    "opsgenie": Service(opsgenie.render, by_json, pager=True),
    "webhook": Service(webhook.render),
}
