"""What happened, gathered from what the account holds, and figures that anyone can recompute from the files."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from demo.bookings import REPLAY_FROM
from demo.replay import Replay
from kedge.config.model import ModelConfig
from kedge.own_columns import ROW_ID, TIME
from kedge.profile.encoding import decode_profiles
from kedge.retraining.rows import scoring_payload, typed_rows
from lambdas.adapters.bucket import history, layout, timeline
from offline.account import Account
from report.alert_words import deciding_reasons

SCORE_JOB = "static-model-on-everything"


@dataclass(frozen=True)
class Outcome:
    """What the page and the summary are made of."""

    model: str
    timeline: list[dict[str, Any]]
    predictions: pd.DataFrame
    months: pd.DataFrame
    history: dict[str, list[dict[str, Any]]]
    failures: int

    def kinds(self, *kinds: str) -> list[dict[str, Any]]:
        """The timeline's entries of some kinds."""
        return [entry for entry in self.timeline if entry["kind"] in kinds]


def gather(
    account: Account, config: ModelConfig, frame: pd.DataFrame, replay: Replay, bucket: str, out: Path
) -> Outcome:
    """Read the timeline, the predictions table and the reports back out of the account."""
    entries = load_timeline(account, bucket, config.model)
    predictions = load_predictions(account, bucket, config, frame, replay)
    static = score_with_first_package(account, config, frame, bucket)
    predictions = predictions.merge(static, on="id", how="left")
    copy_reports(account, bucket, entries, out)
    since = min(datetime.fromisoformat(entry["time"]) for entry in entries)
    told = {
        name: history.load_history(account.client("s3"), bucket, config.model, name, since=since).to_pylist()
        for name in ("decisions", "columns")
    }
    return Outcome(config.model, entries, predictions, monthly(predictions), told, replay.failures)


def load_timeline(account: Account, bucket: str, model: str) -> list[dict[str, Any]]:
    """Every audit entry, in time."""
    entries = timeline.load_timeline(account.client("s3"), bucket, model)
    return sorted(entries, key=lambda entry: (entry["time"], entry["kind"]))


def load_predictions(
    account: Account, bucket: str, config: ModelConfig, frame: pd.DataFrame, replay: Replay
) -> pd.DataFrame:
    """What the endpoint really answered: Kedge's predictions table, checked against what the client was told."""
    tables = []
    for key, body in objects_below(account, bucket, layout.profiles_prefix(config.model)).items():
        if not key.endswith(".npz"):
            continue  # the hashes of the counted ids stand beside the days
        header, _, _ = decode_profiles("day", body)
        for part in header["parts"]:
            content = account.client("s3").get_object(Bucket=bucket, Key=part)["Body"].read()
            table = pq.read_table(io.BytesIO(content), columns=[ROW_ID, TIME, config.prediction.name]).to_pandas()
            tables.append(table.assign(package=part.split("/package=")[1].split("/")[0]))
    found = pd.concat(tables, ignore_index=True).rename(
        columns={ROW_ID: "id", TIME: "time", config.prediction.name: "score"}
    )
    booking_of = {row_id: booking for booking, row_id in replay.row_ids.items()}
    found["id"] = found["id"].map(booking_of)
    told = pd.Series({booking: float(answer) for booking, answer in replay.answers.items()}, name="told")
    checked = found.merge(told, left_on="id", right_index=True, how="outer", indicator=True)
    wrong = checked[(checked["_merge"] != "both") | ~np.isclose(checked["score"], checked["told"], rtol=1e-9)]
    if len(wrong):
        raise AssertionError(
            f"{len(wrong)} answers differ between the client and the predictions table:\n{wrong.head()}"
        )
    found = found.merge(frame[["id", "label"]], on="id", how="left")
    return found.sort_values(["time", "id"], ignore_index=True)[["id", "time", "package", "score", "label"]]


def score_with_first_package(account: Account, config: ModelConfig, frame: pd.DataFrame, bucket: str) -> pd.DataFrame:
    """Score every replayed booking with the first package's own artefact, by Batch Transform."""
    import pyarrow as pa

    rows = frame[frame["time"] >= REPLAY_FROM]
    table = pa.Table.from_pandas(rows.rename(columns={"id": ROW_ID, "time": TIME}), preserve_index=False)
    payload = b"".join(scoring_payload(typed_rows(table, config), config))
    s3 = account.client("s3")
    # Where the role of transform jobs may read and write, beside every retraining.
    rows_key = f"{layout.retraining_prefix(config.model, SCORE_JOB)}/holdout/input/input.csv"
    scored = layout.scored_prefix(config.model, SCORE_JOB, "challenger")
    s3.put_object(Bucket=bucket, Key=rows_key, Body=payload)
    make_model_of_first_package(account, config)
    transform(
        account,
        f"s3://{bucket}/{rows_key}",
        f"s3://{bucket}/{scored}",
        # A row's id is not the model's business: it goes around it, to stand before the answer.
        {
            "InputFilter": "$[1:]",
            "JoinSource": "Input",
            "OutputFilter": f"$[0,{len(config.features) + 1}]",
        },
    )
    body = s3.get_object(Bucket=bucket, Key=f"{scored}/input.csv.out")["Body"].read()
    return pd.read_csv(io.BytesIO(body), names=["id", "static_score"], dtype={"id": str})


def make_model_of_first_package(account: Account, config: ModelConfig) -> None:
    """A model of SageMaker's from the oldest package in the registry."""
    sagemaker = account.client("sagemaker")
    packages = sagemaker.list_model_packages(
        ModelPackageGroupName=config.package_group, SortBy="CreationTime", SortOrder="Ascending"
    )["ModelPackageSummaryList"]
    role = next(r["Arn"] for r in account.client("iam").list_roles()["Roles"] if "Scoring" in r["RoleName"])
    sagemaker.create_model(
        ModelName=SCORE_JOB,
        ExecutionRoleArn=role,
        PrimaryContainer={"ModelPackageName": packages[0]["ModelPackageArn"]},
    )


def transform(account: Account, rows_uri: str, scored_uri: str, processing: dict[str, str]) -> None:
    """Run the transform job, and let the account's time pass until it has ended."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_transform_job(
        TransformJobName=SCORE_JOB,
        ModelName=SCORE_JOB,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": rows_uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": scored_uri, "AssembleWith": "Line", "Accept": "text/csv"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        DataProcessing=processing,
    )
    while sagemaker.describe_transform_job(TransformJobName=SCORE_JOB)["TransformJobStatus"] == "InProgress":
        account.clock.advance_to(account.clock.now + pd.Timedelta(minutes=5).to_pytimedelta())


def monthly(predictions: pd.DataFrame) -> pd.DataFrame:
    """AUC of both models month by month, of the rows that each package answered together."""
    months = predictions.assign(month=predictions["time"].dt.strftime("%Y-%m"))
    return pd.DataFrame(
        [
            {
                "month": month,
                "rows": len(rows),
                "managed": roc_auc_score(rows["label"], rows["score"]),
                "static": roc_auc_score(rows["label"], rows["static_score"]),
            }
            for month, rows in months.groupby("month")
        ]
    )


def copy_reports(account: Account, bucket: str, entries: list[dict[str, Any]], out: Path) -> None:
    """Copy the windows' pages beside the demo's own."""
    (out / "reports").mkdir(exist_ok=True)
    for entry in entries:
        if entry["kind"] == "window_judged":
            key = entry["detail"]["report_key"].replace(".json", ".html")
            body = account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            (out / report_page(entry)).write_bytes(body)


def report_page(entry: dict[str, Any]) -> str:
    """Where the page of a judged window lies, seen from the demo's."""
    window = entry["detail"]["window"]
    return (
        f"reports/{window['end'][:10]}-r{entry['detail']['revision']}-package-{entry['detail']['package_version']}.html"
    )


def write(outcome: Outcome, out: Path) -> None:
    """Write the timeline and the answers."""
    (out / "timeline.json").write_text(json.dumps(outcome.timeline, indent=1), encoding="utf-8")
    outcome.predictions.drop(columns="static_score").to_parquet(out / "predictions.parquet", index=False)


def figures(outcome: Outcome) -> dict[str, Any]:
    """The row-weighted monthly AUCs, and what was promoted and refused."""
    months = outcome.months
    return {
        "managed_auc": float(np.average(months["managed"], weights=months["rows"])),
        "static_auc": float(np.average(months["static"], weights=months["rows"])),
        "promotions": len(outcome.kinds("canary_promoted")),
        "refusals": len(outcome.kinds("gate_failed")),
        "bookings": len(outcome.predictions),
        "unanswered": outcome.failures,
    }


def write_summary(outcome: Outcome, out: Path, *, loop_seconds: float, timing: list[tuple[str, float]]) -> None:
    """Write the figures with the seconds that they took."""
    summary = figures(outcome) | {
        "loop_seconds": round(loop_seconds, 1),
        "seconds_by_work": {what: round(seconds, 1) for what, seconds in timing},
        "months": outcome.months.to_dict(orient="records"),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")


def show(outcome: Outcome, console: Console, seconds: float, timing: list[tuple[str, float]]) -> None:
    """Print the story, the figures, and where the time went."""
    shown = (
        "retraining_started",
        "retraining_held",
        "gate_passed",
        "gate_failed",
        "approved",
        "canary_promoted",
        "canary_rolled_back",
        "release_unproven",
        "data_rejected",
        "failed",
    )
    for entry in outcome.kinds(*shown):
        told = (deciding_reasons(entry["detail"]) or [entry["detail"].get("package_version", "")])[0]
        console.print(f"{entry['time'][:16]}  [bold]{entry['kind']}[/bold]  {told}", highlight=False)
    found = figures(outcome)
    console.print(
        f"\nmanaged AUC [bold]{found['managed_auc']:.3f}[/bold], never retrained [bold]{found['static_auc']:.3f}[/bold]; "
        f"{found['promotions']} promotions, {found['refusals']} refusals; loop {seconds:.0f} s"
    )
    table = Table("where the time went", "seconds")
    for what, spent in timing:
        if spent >= 0.05:
            table.add_row(what, f"{spent:.1f}")
    console.print(table)


def objects_below(account: Account, bucket: str, prefix: str) -> dict[str, bytes]:
    """Every object below a prefix."""
    s3 = account.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
