"""The first champion: the rows that a data scientist hands over, the retrain machine, and an approval."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pandas as pd

from demo.bookings import CHAMPION_FROM, REPLAY_FROM, training_rows
from kedge.config.model import ModelConfig
from lambdas.adapters.bucket import layout
from lambdas.adapters.state import champions
from offline.account import Account

PATIENCE = timedelta(hours=10)


class DemoStuckError(Exception):
    """The account did not get where the demo needs it; the timeline and the mails say why."""


def release_first_champion(
    account: Account,
    config: ModelConfig,
    frame: pd.DataFrame,
    bucket: str,
    *,
    since: datetime = CHAMPION_FROM,
    until: datetime = REPLAY_FROM,
) -> str:
    """Put the rows where Kedge looks for them, ask for a first training, approve it, and wait until it serves."""
    body = io.BytesIO()
    training_rows(frame, config.feature_names, since=since, until=until).to_parquet(body, index=False)
    account.client("s3").put_object(Bucket=bucket, Key=layout.initial_key(config.model), Body=body.getvalue())
    return release_trained(account, config)


def release_trained(account: Account, config: ModelConfig) -> str:
    """Ask for a first training, approve its package, and wait until it serves."""
    account.invoke_function(
        function_name(account, "decide_retraining"),
        {
            "model": config.model,
            "time": f"{account.clock.now:%Y-%m-%dT%H:%M:%SZ}",
            "trigger": "initial",
            "reason": "the first champion",
        },
    )
    registry = account.client("sagemaker")
    deadline = account.clock.now + PATIENCE
    package = ""
    while account.clock.now < deadline:
        account.clock.advance_to(account.clock.now + timedelta(minutes=10))
        if not package:
            pending = registry.list_model_packages(
                ModelPackageGroupName=config.package_group, ModelApprovalStatus="PendingManualApproval"
            )["ModelPackageSummaryList"]
            for found in pending:
                package = str(found["ModelPackageArn"])
                registry.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
        elif serving(account, config):
            return package
    raise DemoStuckError("no first champion after ten hours of the account's time")


def serving(account: Account, config: ModelConfig) -> bool:
    """Whether the state table names a champion."""
    dynamodb = account.client("dynamodb")
    table = next(name for name in dynamodb.list_tables()["TableNames"] if "State" in name)
    return champions.load(dynamodb, table, config.model) is not None


def function_name(account: Account, handler: str) -> str:
    """The deployed function with this handler."""
    pages = account.client("lambda").get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    return next(str(f["FunctionName"]) for f in functions if f["Handler"] == f"lambdas.handlers.{handler}.handler")
