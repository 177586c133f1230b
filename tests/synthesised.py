"""The templates that the tests read: synthesised once for a test run, without credentials or network."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "hotel-cancellations.yaml"
STACKS = ("KedgeStorage", "KedgeMonitoring", "KedgeRetraining", "KedgeRelease", "KedgeModels-1")


@functools.cache
def example_models() -> Path:
    """A folder with the example's YAML alone: what a user keeps in models/ beside it changes no test."""
    directory = Path(tempfile.mkdtemp(prefix="kedge-models-")) / "models"
    directory.mkdir()
    shutil.copy(ROOT / "models" / EXAMPLE, directory)
    return directory


@functools.cache
def brisk_models() -> Path:
    """The example with a canary that bakes for twenty minutes, not for an hour: in a story each minute is a look."""
    directory = Path(tempfile.mkdtemp(prefix="kedge-brisk-")) / "models"
    directory.mkdir()
    text = (ROOT / "models" / EXAMPLE).read_text("utf-8")
    for field, minutes in (("bake_minutes", 20), ("termination_wait_minutes", 10)):
        assert f"{field}: 60" in text
        text = text.replace(f"{field}: 60", f"{field}: {minutes}")
    (directory / EXAMPLE).write_text(text, "utf-8")
    return directory


# A secret is only ever named: these addresses reach nothing.
TEAMS = """\
default: risk
teams:
  risk:
    email: [risk@example.com]
    slack: {channel: C024BE91L, secret: kedge/slack}
    teams: {secret: kedge/teams}
    pagerduty: {secret: kedge/pagerduty}
    opsgenie: {secret: kedge/opsgenie}
    webhook: {url: "https://hooks.example.com/kedge?team=risk", secret: kedge/webhook}
    runbook: https://example.com/runbook
routes:
  - to: [email, slack, teams, pagerduty, opsgenie, webhook]
"""


# The same team, with chats that Amazon Q Developer brings the messages to.
ROOMS = TEAMS.replace(
    "{channel: C024BE91L, secret: kedge/slack}", "{channel: C024BE91L, workspace: T07EA123LEP}"
).replace(
    "{secret: kedge/teams}",
    "{tenant: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0, team: 1b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0, "
    'channel: "19:0a1b2c3d4e5f60718293a4b5c6d7e8f9@thread.tacv2"}',
)


@functools.cache
def models_in_rooms() -> Path:
    """The example beside a team whose chats Amazon Q Developer brings the messages to."""
    directory = Path(tempfile.mkdtemp(prefix="kedge-rooms-")) / "models"
    shutil.copytree(example_models(), directory)
    (directory.parent / "teams.yaml").write_text(ROOMS)
    return directory


def once_a_run(synthesise: Callable[[Path], None]) -> Callable[[], Path]:
    """Return the folder that a synthesis fills: by the first process of a test run that asks, and the others wait for it."""

    @functools.cache
    def folder() -> Path:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        place = Path(tempfile.gettempdir(), f"kedge-{run}") if run else Path(tempfile.mkdtemp(prefix="kedge-assembly-"))
        place.mkdir(exist_ok=True)
        assembly, whole = place / synthesise.__name__, place / f"{synthesise.__name__}.whole"
        with whole.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                synthesise(assembly)
                whole.touch()
        return assembly

    return folder


@once_a_run
def assembly_in_rooms(directory: Path) -> None:
    """The cloud assembly of the example's model with that team."""
    from app import build_app

    build_app(directory, models_in_rooms()).synth()


@functools.cache
def reachable_models() -> Path:
    """The example in a folder of its own, beside a team that can be reached by every channel."""
    directory = Path(tempfile.mkdtemp(prefix="kedge-reachable-")) / "models"
    shutil.copytree(example_models(), directory)
    (directory.parent / "teams.yaml").write_text(TEAMS)
    return directory


@once_a_run
def assembly(directory: Path) -> None:
    """The cloud assembly of the example's model."""
    from app import build_app

    build_app(directory, example_models()).synth()


@once_a_run
def brisk_assembly(directory: Path) -> None:
    """The cloud assembly of the example with the short canary."""
    from app import build_app

    build_app(directory, brisk_models()).synth()


@once_a_run
def assembly_with_channels(directory: Path) -> None:
    """The example's model with a team that is reached by every channel, a feature group, and a Kedge before and after it."""
    from app import build_app

    build_app(
        directory,
        reachable_models(),
        feature_groups={"customers": "s3://their-features/groups"},
        package_source="111111111111/staging",
        package_takers=["333333333333/production"],
    ).synth()


@functools.cache
def template(stack: str) -> dict[str, Any]:
    """One stack's template, of a deployment that uses every channel."""
    loaded: dict[str, Any] = json.loads((assembly_with_channels() / f"{stack}.template.json").read_text())
    return loaded


def resources(kind: str, *stacks: str) -> dict[str, dict[str, Any]]:
    """The resources of one type in these stacks, or in all of them, under `stack/logical id`."""
    return {
        f"{stack}/{name}": resource
        for stack in stacks or STACKS
        for name, resource in template(stack)["Resources"].items()
        if resource["Type"] == kind
    }


def functions() -> dict[str, dict[str, Any]]:
    """Every function under `stack/handler`, the handler named as its module in lambdas/handlers."""
    return {
        f"{path.split('/')[0]}/{resource['Properties']['Handler'].split('.')[2]}": resource
        for path, resource in resources("AWS::Lambda::Function").items()
    }


def statements_of(stack: str, role_logical_id: str) -> list[dict[str, Any]]:
    """Every statement of the policies attached to a role."""
    return [
        statement
        for path, policy in resources("AWS::IAM::Policy", stack).items()
        if {"Ref": role_logical_id} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def actions_of(stack: str, role_logical_id: str) -> set[str]:
    """Every action that a role is allowed."""
    allowed = (each["Action"] for each in statements_of(stack, role_logical_id) if each["Effect"] == "Allow")
    return {action for actions in allowed for action in ([actions] if isinstance(actions, str) else actions)}
