"""Whether the secrets of pagers, chats and webhooks are there and have the right form; no word of them is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok
from cli.doctor.refused import absent
from kedge.config.model import ModelConfig
from kedge.config.owners import Channel
from kedge.config.secret_forms import secret_problem


def check(installation: Installation) -> Iterator[Finding]:
    """Look at each secret that a route leads to, once."""
    named = {pair for config in installation.models.values() for pair in secrets_of(config)}
    client = installation.client("secretsmanager")
    for channel, name in sorted(named):
        yield state(channel, name, _read(client, name))


def secrets_of(config: ModelConfig) -> set[tuple[Channel, str]]:
    """Channel and name of each secret that messages about a model need."""
    used = {channel for route in config.alerts.routes or () for channel in route.to} - {"email"}
    return {(channel, getattr(config.owner, channel).secret) for channel in used if config.owner.room(channel) is None}


def state(channel: Channel, name: str, secret: str | None) -> Finding:
    """The finding about one secret; None where there is none."""
    if secret is None:
        remedy = f"aws secretsmanager create-secret --name {name} --secret-string file://secret.txt"
        return failed(name, f"the secret of {channel} is not there, so its messages fail", remedy)
    if problem := secret_problem(channel, secret.strip()):
        remedy = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string file://secret.txt"
        return failed(name, f"the secret of {channel} has the wrong form: {problem}", remedy)
    return ok(name, f"the secret of {channel} is there and has the right form")


def _read(client: Any, name: str) -> str | None:
    try:
        return str(client.get_secret_value(SecretId=name).get("SecretString", ""))
    except ClientError as error:
        if not absent(error):
            raise
        return None
