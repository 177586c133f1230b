"""The release that is under way: the state table's `release` item, written before anything is changed.

Whoever finds it after its machine has ended knows what may have been touched, and settles it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import from_text, to_text
from kedge.release.way_back import Kept
from lambdas.adapters.state import champions, state_items


@dataclass(frozen=True)
class ReleaseUnderWay:
    """What one release is about to change; without a previous config it creates the endpoint.

    `replaces` is the version that was the champion when it was planned.
    """

    run: str
    package_arn: str
    package_version: str
    endpoint_config: str
    previous_config: str | None
    alarm_names: tuple[str, ...]
    planned_at: datetime
    # Why a person goes back with it, and from which version; None of a release that an approval started.
    rollback: Mapping[str, str] | None = None
    replaces: str | None = None
    # Of the fast way back: what serves again, with the config that the release puts into service.
    kept: Kept | None = None
    # Whether it only tries the package beside the champion, which serves on.
    experiment: bool = False


def save(dynamodb: Any, table: str, model: str, release: ReleaseUnderWay) -> None:
    """Note what is about to be changed."""
    item: dict[str, Any] = {
        **_key(model),
        "run": {"S": release.run},
        "package_arn": {"S": release.package_arn},
        "package_version": {"S": release.package_version},
        "endpoint_config": {"S": release.endpoint_config},
        "alarm_names": {"L": [{"S": name} for name in release.alarm_names]},
        "planned_at": {"S": to_text(release.planned_at)},
    }
    if release.previous_config is not None:
        item["previous_config"] = {"S": release.previous_config}
    if release.rollback is not None:
        item["rollback"] = {"M": {name: {"S": value} for name, value in release.rollback.items()}}
    if release.replaces is not None:
        item["replaces"] = {"S": release.replaces}
    if release.experiment:
        item["experiment"] = {"BOOL": True}
    if release.kept is not None:
        item["kept"] = {"M": champions.kept_item(release.kept)}
    state_items.put(dynamodb, table, item)


def load(dynamodb: Any, table: str, model: str) -> ReleaseUnderWay | None:
    """Read the note; None where every release was settled."""
    return read(state_items.load(dynamodb, table, _key(model)))


def read(item: Mapping[str, Any] | None) -> ReleaseUnderWay | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _release) if item is not None else None


def _release(item: Mapping[str, Any]) -> ReleaseUnderWay:
    return ReleaseUnderWay(
        run=item["run"]["S"],
        package_arn=item["package_arn"]["S"],
        package_version=item["package_version"]["S"],
        endpoint_config=item["endpoint_config"]["S"],
        previous_config=item["previous_config"]["S"] if "previous_config" in item else None,
        alarm_names=tuple(name["S"] for name in item["alarm_names"]["L"]),
        planned_at=from_text(item["planned_at"]["S"]),
        rollback={name: value["S"] for name, value in item["rollback"]["M"].items()} if "rollback" in item else None,
        replaces=item["replaces"]["S"] if "replaces" in item else None,
        kept=champions.read_kept(item["kept"]["M"]) if "kept" in item else None,
        experiment="experiment" in item,
    )


def forget(dynamodb: Any, table: str, model: str, run: str) -> None:
    """Remove this run's note; another run's is left alone."""
    condition = "attribute_not_exists(#run) OR #run = :run"
    state_items.delete_if(dynamodb, table, _key(model), condition, run={"S": run})


def _key(model: str) -> dict[str, dict[str, str]]:
    return state_items.key(model, state_items.RELEASE)
