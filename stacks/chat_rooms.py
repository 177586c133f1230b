"""Chat rooms that Amazon Q Developer brings messages to: per room a topic of its own, and a configuration that may do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.owners import SlackPlace, TeamsPlace
from kedge.config.teams import TEAMS
from kedge.errors import ModelConfigError
from stacks.parts.access import service_role
from stacks.parts.naming import stage_of
from stacks.parts.topics import add_topic
from stacks.storage import Storage

# How the name of a room's topic begins.
ROOM = "kedge-chat-"
# Three resources a room, in a stack that holds 500.
ROOMS_MAX = 60
# The most that anything typed in the room could do, if its role could do more than nothing. AWS's own default is everything.
GUARDRAIL = "CloudWatchReadOnlyAccess"


def rooms_of(models: Sequence[ModelConfig]) -> Mapping[str, SlackPlace | TeamsPlace]:
    """The rooms that some route of a model leads to, by their names."""
    used = ((model.owner, channel) for model in models for route in model.alerts.routes or () for channel in route.to)
    found = {room: getattr(owner, channel) for owner, channel in used if (room := owner.room(channel)) is not None}
    return dict(sorted(found.items()))


class ChatRooms(Construct):
    """deliver -> (per room a topic) -> Amazon Q Developer -> the room."""

    def __init__(self, scope: Construct, name: str, *, models: Sequence[ModelConfig], storage: Storage) -> None:
        super().__init__(scope, name)
        rooms = rooms_of(models)
        if len(rooms) > ROOMS_MAX:
            problem = f"{len(rooms)} chat rooms by Amazon Q Developer are more than one stack holds ({ROOMS_MAX}): let teams share rooms"
            raise ModelConfigError(source=TEAMS, problems=[problem])
        if not rooms:
            return
        role = service_role(
            self,
            "Role",
            service="chatbot.amazonaws.com",
            description="Kedge: Amazon Q Developer shows messages, and may do nothing else",
        )
        for room, place in rooms.items():
            topic = add_topic(
                self, room, display_name="Kedge chat", key=storage.key, topic_name=stage_of(self).named(f"{ROOM}{room}")
            )
            self._configure(room, place, topic, role)

    def _configure(self, room: str, place: SlackPlace | TeamsPlace, topic: sns.Topic, role: iam.Role) -> None:
        stack = cdk.Stack.of(self)
        # A configuration's name is one for all regions of an account.
        shared: dict[str, Any] = {
            "configuration_name": stage_of(self).named(f"kedge-{stack.region}-{room}"),
            "iam_role_arn": role.role_arn,
            "guardrail_policies": [
                stack.format_arn(service="iam", region="", account="aws", resource="policy", resource_name=GUARDRAIL)
            ],
            "sns_topic_arns": [topic.topic_arn],
            "logging_level": "ERROR",
            "user_role_required": False,
        }
        if isinstance(place, SlackPlace):
            chatbot.CfnSlackChannelConfiguration(
                self,
                f"{room}-Channel",
                slack_workspace_id=str(place.workspace),
                slack_channel_id=place.channel,
                **shared,
            )
            return
        chatbot.CfnMicrosoftTeamsChannelConfiguration(
            self,
            f"{room}-Channel",
            teams_tenant_id=str(place.tenant),
            team_id=str(place.team),
            # As Teams writes it into a channel's link.
            teams_channel_id=str(place.channel).replace(":", "%3a").replace("@", "%40"),
            **shared,
        )
