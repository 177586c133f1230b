"""Two Kedges of the same tiny model in one account, a stage each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app import build_app
from kedge.config.reading import parse_model_config
from kedge.config.stage import Stage
from offline.account import Account
from tests.end_to_end.hotel import DAY, MINUTE
from tests.faults.world import BEGIN, YAML, World, make_rows

DEV, PRODUCTION = Stage("dev"), Stage("production")
TEXT = f"{YAML.read_text()}metrics: few\n"
STAGES = (DEV, PRODUCTION)


class StagedWorld(World):
    """What belongs to one stage of the account."""

    def __init__(self, account: Account, stage: Stage) -> None:
        config = parse_model_config(TEXT, source="tiny.yaml").in_stage(stage)
        super().__init__(account, config, make_rows(1_000, BEGIN - 60 * DAY, BEGIN))
        self.stage = stage
        self.bucket = self.physical("KedgeStorage", "AWS::S3::Bucket", "Data")
        self.table = self.physical("KedgeStorage", "AWS::DynamoDB::Table", "State")

    def physical(self, stack: str, kind: str, name: str) -> str:
        """The physical name of a resource of this stage."""
        pages = self.account.client("cloudformation").get_paginator("list_stack_resources")
        found = (
            r for page in pages.paginate(StackName=self.stage.named(stack)) for r in page["StackResourceSummaries"]
        )
        return next(
            str(r["PhysicalResourceId"])
            for r in found
            if r["ResourceType"] == kind and r["LogicalResourceId"].startswith(name)
        )

    def call(self, stack: str, function: str, event: dict[str, Any]) -> Any:
        """The answer of one of this stage's functions."""
        return self.account.invoke_function(self.physical(stack, "AWS::Lambda::Function", function), event)

    def train(self) -> None:
        """A person hands rows over and asks for the first training."""
        self.hand_over(make_rows(1_000, self.now - 60 * DAY, self.now))
        asked = {"model": self.model, "time": f"{self.now:%Y-%m-%dT%H:%M:%SZ}", "trigger": "initial", "reason": "first"}
        self.call("KedgeRetraining", "DecideRetraining", asked)

    def wish(self, detail_type: str) -> None:
        """Another program wishes for a retraining."""
        detail = json.dumps({"model": self.model, "reason": "prices have changed"})
        entry = {"Source": "shop", "DetailType": detail_type, "Detail": detail}
        self.account.client("events").put_events(Entries=[entry])
        self.wait(5 * MINUTE)


@contextmanager
def open_stages(directory: Path, **settings: Any) -> Iterator[dict[Stage, StagedWorld]]:
    """Deploy both stages into one account; nobody has trained anything yet."""
    models = directory / "models"
    models.mkdir()
    (models / "tiny.yaml").write_text(TEXT)
    for stage in STAGES:
        build_app(directory / stage.name, models, stage=stage.name, **settings.get(stage.name, {})).synth()
    with Account(start=BEGIN - DAY / 2, directory=directory / "account") as account:
        for stage in STAGES:
            account.deploy(directory / stage.name)
        yield {stage: StagedWorld(account, stage) for stage in STAGES}
