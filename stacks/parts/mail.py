"""Who gets which mail: addresses on the topic *Alerts*, each with its filter, and a topic per team for its models' alarms.

Messages carry the addresses that they are for (attribute `mail`), and none where they go to the deployment's own address.
CloudWatch's alarms carry no attributes at all, so they could pass no team's filter: they have topics of their own, which need
neither a function nor a filter (ADR 26).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.teams import TEAMS, Teams
from kedge.errors import ModelConfigError
from stacks.parts.naming import stage_of
from stacks.parts.topics import add_topic

# SNS: filter policies a topic. https://docs.aws.amazon.com/general/latest/gr/sns.html
ADDRESSES_MAX = 200
# CloudFormation holds 500 resources in a stack; those of the storage beside these are few.
RESOURCES_MAX = 440
RESOURCES_PER_TOPIC = 2


@dataclass(frozen=True)
class Mail:
    """The addresses of the deployment, of its teams, and of models that have their own."""

    alert_email: str | None
    models: Sequence[ModelConfig]
    teams: Teams = field(default_factory=Teams)

    @property
    def lists(self) -> Mapping[str, tuple[str, ...]]:
        """The addresses of each list that alarms are sent to, by the name of a team, or of a model with addresses of its own."""
        found = {self.teams.mail_list(model): model.owner.email for model in self.models}
        return {name: addresses for name, addresses in found.items() if name}

    def subscribe(self, alerts: sns.Topic) -> None:
        """Subscribe each address once: it gets the messages that name it, the deployment's own those that name nobody, and alarms."""
        if not self.lists:
            if self.alert_email:
                alerts.add_subscription(subscriptions.EmailSubscription(self.alert_email))
            return
        # An address subscribes only once to a topic, so one of two teams, or of a team and the deployment, has one filter. The
        # values of a filter are compared with their case, addresses are not.
        addresses = {address.lower(): address for each in self.lists.values() for address in reversed(each)}
        matched: dict[str, list[object]] = {address: [address] for address in addresses}
        if self.alert_email:
            addresses.setdefault(self.alert_email.lower(), self.alert_email)
            matched.setdefault(self.alert_email.lower(), []).insert(0, {"exists": False})
        for key, address in sorted(addresses.items()):
            policy = {"mail": sns.SubscriptionFilter(matched[key])}
            alerts.add_subscription(subscriptions.EmailSubscription(address, filter_policy=policy))

    def add_alarm_topics(self, scope: Construct, key: kms.IKey) -> None:
        """Make a topic per list, with everyone of it subscribed."""
        for name, addresses in sorted(self.lists.items()):
            topic = add_topic(
                scope, f"AlarmsOf-{name}", display_name="Kedge alarms", key=key, topic_name=_topic_name(scope, name)
            )
            for address in dict.fromkeys(each.lower() for each in addresses):
                topic.add_subscription(subscriptions.EmailSubscription(address))

    def alarm_topic(self, scope: Construct, mail_list: str) -> sns.ITopic:
        """The topic of a list, by its name, because an export in use could not go with its team."""
        known = cast("sns.ITopic | None", scope.node.try_find_child(f"AlarmsOf-{mail_list}"))
        arn = cdk.Stack.of(scope).format_arn(service="sns", resource=_topic_name(scope, mail_list))
        return known or sns.Topic.from_topic_arn(scope, f"AlarmsOf-{mail_list}", arn)

    def check(self) -> None:
        """Refuse what cannot work.

        Raises
        ------
        ModelConfigError
            A route leads to mail and nobody has an address, or there are more addresses than fit.
        """
        for model in self.models:
            wanted = any("email" in route.to for route in model.alerts.routes or ())
            if wanted and not model.owner.email and not self.alert_email:
                problem = (
                    "a route leads to email, and nobody has an address: write owner.email, the team's email in teams.yaml, or "
                    "alert_email in the context of cdk.json"
                )
                raise ModelConfigError(source=f"{model.model}.yaml", problems=[problem])
        addresses = len({address.lower() for each in self.lists.values() for address in each})
        resources = addresses + sum(RESOURCES_PER_TOPIC + len(each) for each in self.lists.values())
        if addresses >= ADDRESSES_MAX or resources > RESOURCES_MAX:
            problem = (
                f"{addresses} addresses in {len(self.lists)} lists are more than one topic and one stack can hold: give each team "
                "one address that your mail system distributes, and models none of their own"
            )
            raise ModelConfigError(source=TEAMS, problems=[problem])


def _topic_name(scope: Construct, name: str) -> str:
    return stage_of(scope).named(f"kedge-alarms-{name}")
