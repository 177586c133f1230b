"""A challenger that is no better than the champion is refused, on real rows: the arrivals of November 2016."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from demo import results, story
from demo.first_champion import function_name
from demo.page import write_page
from demo.replay import Replay
from tests.end_to_end.hotel import HOUR, Hotel

pytestmark = pytest.mark.slow

# A champion of a whole year has seen what November brings: half a month more teaches a challenger next to nothing.
LEARNT_FROM, MID_NOVEMBER = datetime(2015, 11, 1, tzinfo=UTC), datetime(2016, 11, 15, tzinfo=UTC)
DECEMBER = datetime(2016, 12, 1, tzinfo=UTC)
LABELS_RIPE = datetime(2016, 12, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def hotel(opened: Callable[..., Any]) -> Iterator[Hotel]:
    with opened(since=LEARNT_FROM, until=MID_NOVEMBER) as hotel:
        yield hotel


@pytest.fixture(scope="module")
def retrained(hotel: Hotel) -> dict[str, Any]:
    """Play the rest of November as it was, ask for a retraining when its outcomes are known, and wait until it has ended."""
    automatic_retraining_waits(hotel)
    replay = Replay(hotel.account, endpoint=hotel.endpoint, model=hotel.model, bucket=hotel.bucket)
    replay.run(hotel.bookings(MID_NOVEMBER, DECEMBER), LABELS_RIPE, lambda _day: None)
    before = {"champion": hotel.item("champion"), "mails": len(hotel.mails()), "packages": packages(hotel)}
    asked = {"model": hotel.model, "time": f"{hotel.now:%Y-%m-%dT%H:%M:%SZ}", "trigger": "manual", "reason": "a test"}
    name = function_name(hotel.account, "decide_retraining")
    answer = hotel.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(asked).encode())
    run = json.loads(answer["Payload"].read())["run"]
    assert hotel.item("lease")["holder"].endswith(f":{run}")
    hotel.wait(3 * HOUR)
    return before | {"run": run, "replay": replay}


def automatic_retraining_waits(hotel: Hotel) -> None:
    """Pause it as a person does, so that the one that is asked for is the only one."""
    item = {"model": hotel.model, "item": "pause", "reason": "a test asks itself", "by": "the test"}
    hotel.dynamodb.put_item(TableName=hotel.table, Item={name: {"S": value} for name, value in item.items()})


def packages(hotel: Hotel) -> list[str]:
    found = hotel.registry.list_model_packages(ModelPackageGroupName=hotel.config.package_group)
    return [str(package["ModelPackageArn"]) for package in found["ModelPackageSummaryList"]]


def test_the_gate_refuses_it_and_says_why(hotel, retrained):
    (failed,) = [e["detail"] for e in hotel.timeline("gate_failed")]
    assert (failed["run"], failed["champion"], failed["verdict"]) == (retrained["run"], "1", "REFUSE")
    (row,) = [row for row in failed["rows"] if row["gate"] == "auc_improvement"]
    assert row["verdict"] == "REFUSE"
    assert row["low"] <= 0 or row["value"] < row["limit"]
    assert row["reason"] in failed["reasons"]
    kept = json.loads(hotel.objects(failed["report_key"])[failed["report_key"]])
    assert kept["rows"] == failed["rows"]


def test_both_models_were_judged_on_november_rows_that_neither_had_learnt_from(hotel, retrained):
    prefix = f"retraining/{hotel.model}/{retrained['run']}"
    manifest = json.loads(hotel.objects(f"{prefix}/manifest.json")[f"{prefix}/manifest.json"])
    holdout, training = manifest["files"]["holdout/truth.parquet"], manifest["files"]["training.parquet"]
    assert holdout["first"] > training["last"]
    assert holdout["first"] > retrained["champion"]["training_end"]
    assert f"{MID_NOVEMBER:%Y-%m-%d}" < holdout["last"] < f"{DECEMBER:%Y-%m-%d}"
    assert holdout["rows"] >= hotel.config.gate.minimum_holdout_rows


def test_nothing_of_it_is_left_but_the_evidence(hotel, retrained):
    models = [model["ModelName"] for model in hotel.registry.list_models()["Models"]]
    assert retrained["run"] not in models
    assert packages(hotel) == retrained["packages"]
    assert hotel.item("lease") is None
    assert hotel.item("champion") == retrained["champion"]
    (execution,) = [e for e in hotel.executions("kedge-retrain") if e["name"] == retrained["run"]]
    assert execution["status"] == "SUCCEEDED", "a refusal is a result, not a failure"


def test_it_is_told_by_mail(hotel, retrained):
    (row,) = [row for row in hotel.timeline("gate_failed")[0]["detail"]["rows"] if row["gate"] == "auc_improvement"]
    (mail,) = [mail for mail in hotel.mails()[retrained["mails"] :] if row["reason"][:40] in mail.body]
    assert mail.subject.startswith(f"[Kedge] {hotel.model}: ")


def test_the_demo_gathers_these_days_from_the_account_and_its_figures_are_those_of_the_answers(
    hotel, retrained, tmp_path
):
    frame, replay = hotel.frame, retrained["replay"]
    days = frame[(frame["time"] >= MID_NOVEMBER) & (frame["time"] < DECEMBER)]
    outcome = results.gather(hotel.account, hotel.config, days, replay, hotel.bucket, tmp_path)
    assert len(outcome.predictions) == len(days) == len(replay.answers)
    # One package served throughout: scored once more by itself, it answers the same.
    assert np.allclose(outcome.predictions["score"], outcome.predictions["static_score"], rtol=1e-6)
    assert outcome.predictions["label"].notna().all()

    results.write(outcome, tmp_path)
    results.write_summary(outcome, tmp_path, loop_seconds=1.0, timing=[("everything", 1.0)])
    write_page(outcome, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["promotions"], summary["refusals"], summary["unanswered"]) == (0, 1, 0)
    assert summary["managed_auc"] == pytest.approx(summary["static_auc"], rel=1e-6)
    assert not [sentence for sentence in story.differences(tmp_path) if sentence.startswith("the summary says")]
    page = (tmp_path / "index.html").read_text()
    linked = set(re.findall(r"reports/[^\"#]+\.html", page))
    assert linked
    assert {f"reports/{path.name}" for path in (tmp_path / "reports").iterdir()} == linked
