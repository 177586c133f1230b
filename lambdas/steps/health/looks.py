"""Four looks at a model, once a day: each tells once of what it finds, as a message, and no alarm and no metric is needed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from kedge.alerts.gauges import FAILED_IN_A_ROW, LOOK_BACK, failing_in_a_row, is_silent, longest_pause, reminder_of
from kedge.config.capture_place import registry_number
from kedge.instants import to_text
from kedge.release.two_people import what_is_missing
from lambdas.adapters import clients, executions
from lambdas.adapters.bucket import label_files
from lambdas.adapters.release import model_registry
from lambdas.adapters.state import approvals, champions, windows
from lambdas.adapters.state.champions import Champion
from lambdas.steps.release.settled_release import Bench, tell_once


def look(bench: Bench, retrain_machine_arn: str) -> None:
    """Tell of what slowly goes wrong with a model that serves."""
    champion = champions.load(clients.dynamodb(), bench.desk.table, bench.model)
    if bench.config.mode == "manage":
        remind(champion, bench)
    if champion is not None:
        look_at_labels(bench)
        look_at_baseline(champion, bench)
        look_at_retrainings(retrain_machine_arn, bench)


def remind(champion: Champion | None, bench: Bench) -> None:
    """Remind people of each package that waits, at growing distances; after `gate.approval_expires_days` once for good."""
    group, newest = bench.config.package_group, registry_number(champion.package_version) if champion else 0
    for version, since in model_registry.list_pending(clients.sagemaker(), group).get(group, {}).items():
        if version > newest:
            remind_of("approval_waits", str(version), since, {}, bench)
    if (wanted := bench.config.approval.approvers) > 1:
        remind_second_person(newest, wanted, bench)


def remind_second_person(newest: int, wanted: int, bench: Bench) -> None:
    """Remind people of each package that too few of them have approved, as of one that nobody has."""
    for version in model_registry.list_versions(clients.sagemaker(), bench.config.package_group, "Approved"):
        if version <= newest:
            continue
        heard = approvals.load(clients.dynamodb(), bench.desk.table, bench.model, str(version))
        missing = what_is_missing(heard.people, wanted)
        # What was released once was approved enough, though the YAML may want more by now.
        waits = heard.status == "Approved" and (heard.people or not heard.approvals)
        if missing and waits and heard.decided_at is not None:
            remind_of("second_approval_awaited", str(version), heard.decided_at, {"reasons": [missing]}, bench)


def remind_of(kind: str, version: str, since: datetime, more: dict[str, Any], bench: Bench) -> None:
    """Tell of a package that waits, if a reminder is due."""
    waited = bench.time - since
    detail = {"package_version": version, "since": to_text(since), "waiting_days": waited.days, **more}
    if waited >= timedelta(days=bench.config.gate.approval_expires_days):
        tell_once(f"approval_expired#{version}", "approval_expired", detail, bench)
    elif (days := reminder_of(waited)) is not None:
        tell_once(f"{kind}#{version}#{days}", kind, detail, bench)


def look_at_labels(bench: Bench) -> None:
    """Tell once when the labels stop, as this model's labels come."""
    files = label_files.list_files(clients.s3(), bench.desk.bucket, bench.model, since=bench.time - LOOK_BACK)
    hours = [hour for key in files if (hour := label_files.collected_at(key, bench.model)) is not None]
    hours = [hour for hour in hours if hour <= bench.time]
    pause = longest_pause(hours)
    if pause is not None and is_silent(hours, bench.time):
        newest = max(hours)
        usual = round(pause.total_seconds() / 3600)
        detail = {"newest": to_text(newest), "silent_days": (bench.time - newest).days, "longest_pause_hours": usual}
        tell_once(f"labels_silent#{to_text(newest)}", "labels_silent", detail, bench)


def look_at_baseline(champion: Champion, bench: Bench) -> None:
    """Tell once for a package whose rows are older than `drift.baseline_days_max`."""
    rows_until = champion.training_end or champion.promoted_at
    age, limit = bench.time - rows_until, bench.config.drift.baseline_days_max
    if age > timedelta(days=limit):
        detail = {
            "package_version": champion.package_version,
            "rows_until": to_text(rows_until),
            "age_days": age.days,
            "limit_days": limit,
            "mode": bench.config.mode,
        }
        tell_once(f"baseline_stale#{champion.package_version}", "baseline_stale", detail, bench)


def look_at_retrainings(machine_arn: str, bench: Bench) -> None:
    """Tell when the newest retrainings all failed, whatever caused them."""
    starts = windows.load_starts(clients.dynamodb(), bench.desk.table, bench.model)
    lately = [run for run, start in starts.items() if bench.time - start.time < executions.REMEMBERED]
    newest = [*islice(reversed(lately), FAILED_IN_A_ROW)]
    stepfunctions = clients.stepfunctions()
    ended = [executions.status(stepfunctions, executions.execution_arn(machine_arn, run)) for run in newest]
    if failing_in_a_row([status in executions.ENDED_BADLY for status in ended]):
        detail = {"runs": newest, "statuses": ended}
        tell_once(f"retrainings_failing#{newest[0]}", "retrainings_failing", detail, bench)
