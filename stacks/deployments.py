"""What is deployed where: one Kedge, or one for each of the `stages` in the context of `cdk.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import aws_cdk as cdk
from constructs import Construct

from kedge.config.stage import Stage
from kedge.errors import ModelConfigError
from stacks.parts.naming import put_stage
from stacks.promotion import PackageSource, PackageTaker

DEFAULT_REGION = "eu-west-1"
_ACCOUNT = re.compile(r"\d{12}")
# What an entry of `stages` says beside what the context may say for every deployment.
_OF_A_STAGE = {"account", "takes_from"}


@dataclass(frozen=True)
class DeployedStage:
    """One Kedge: where its stacks stand, its facts from the context, and the others with which it shares packages."""

    scope: Construct
    stage: Stage
    env: cdk.Environment
    facts: Mapping[str, object]
    source: PackageSource | None = None
    takers: tuple[PackageTaker, ...] = ()


def deployments(app: cdk.App, context: Mapping[str, object], known: frozenset[str]) -> Iterator[DeployedStage]:
    """Each Kedge that the context describes; one with a stage stands in a `cdk.Stage`, so that all of them are one app.

    Parameters
    ----------
    known : frozenset of str
        What an entry of `stages` may say otherwise than the context around it.

    Raises
    ------
    ModelConfigError
        `stages` is no mapping of stages to what the context may say, or packages are taken from where there are none.
    """
    stages = _stages(context.get("stages"), known)
    chosen = str(context.get("stage") or "")
    if not stages:
        source = PackageSource.of_context(context.get("package_source"))
        takers = PackageTaker.of_context(context.get("package_takers"))
        yield _deployment(app, Stage(chosen), context, source, takers)
        return
    if chosen and chosen not in stages:
        _refuse(f"stage is {chosen!r}, and stages has {', '.join(stages)}")
    regions = {name: _region({**context, **said}) for name, said in stages.items()}
    for name, said in stages.items():
        if (before := said.get("takes_from")) and regions[before] != regions[name]:
            _refuse(
                f"stages.{name}.takes_from is {before!r}, in {regions[before]}, and {name} is in {regions[name]}: a registry is known in "
                "its own region alone, so put both into one"
            )
        if chosen in ("", name):
            takers = tuple(_taker(other, entry) for other, entry in stages.items() if entry.get("takes_from") == name)
            source = _source(str(said["takes_from"]), stages) if "takes_from" in said else None
            yield _deployment(app, Stage(name), {**context, **said}, source, takers)


def _deployment(
    app: cdk.App,
    stage: Stage,
    facts: Mapping[str, object],
    source: PackageSource | None,
    takers: tuple[PackageTaker, ...],
) -> DeployedStage:
    account = facts.get("account")
    env = cdk.Environment(account=str(account) if account else None, region=_region(facts))
    scope: Construct = cdk.Stage(app, stage.name, env=env) if stage.name else app
    put_stage(scope, stage)
    return DeployedStage(scope, stage, env, facts, source, takers)


def _region(facts: Mapping[str, object]) -> str:
    return str(facts.get("region") or DEFAULT_REGION)


def _stages(given: object, known: frozenset[str]) -> Mapping[str, Mapping[str, Any]]:
    example = '{"dev": {"account": "111111111111"}, "production": {"account": "222222222222", "takes_from": "dev"}}'
    try:
        found = json.loads(given) if isinstance(given, str) and given.strip() else given
    except json.JSONDecodeError:
        found = given
    if found in (None, "", {}):
        return {}
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        _refuse(f"stages is {given!r}: an object is needed, like {example}")
    for name, entry in found.items():
        Stage(name)
        if strange := sorted(set(entry) - known - _OF_A_STAGE):
            _refuse(f"stages.{name} has {', '.join(strange)}: known are {', '.join(sorted(known | _OF_A_STAGE))}")
        if not _ACCOUNT.fullmatch(str(entry.get("account", ""))):
            _refuse(
                f"stages.{name}.account is {entry.get('account')!r}: the 12 digits of an AWS account are needed, as a text"
            )
        if "takes_from" in entry and entry["takes_from"] not in {*found} - {name}:
            _refuse(f"stages.{name}.takes_from is {entry['takes_from']!r}: the name of another stage is needed")
    return found


def _source(name: str, stages: Mapping[str, Mapping[str, Any]]) -> PackageSource:
    return PackageSource(str(stages[name]["account"]), Stage(name))


def _taker(name: str, entry: Mapping[str, Any]) -> PackageTaker:
    return PackageTaker(str(entry["account"]), Stage(name))


def _refuse(problem: str) -> NoReturn:
    raise ModelConfigError(source="cdk.json", problems=[problem])
