"""watch_experiment pairs what both models answered, hour by hour, and says whether the version goes on, is proved or goes."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from kedge.config.policies import BusinessFigure
from kedge.instants import from_text, to_text
from kedge.labels.fold import in_schema, label_schema
from kedge.own_columns import COLLECTED, FIELD, LABEL, ROW_ID
from lambdas.adapters.bucket import label_days, layout
from lambdas.adapters.release import experiments
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.experiments import Experiment
from lambdas.adapters.state import approvals
from lambdas.adapters.state.approvals import Waiting
from lambdas.handlers import watch_experiment
from lambdas.steps.release import trial_look
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, TABLE, aws_world

BEGAN = from_text("2016-02-11T12:00:00Z")
TRIED, OWN, RUN = f"{MODEL}-v2-bbbb", f"{MODEL}-v1-aaaa", "release-1"
DAY = timedelta(days=1)


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        shadowed = world.config.model_copy(update={"release": policy(days=1, minimum_rows=50)})
        monkeypatch.setattr(watch_experiment, "load_model", lambda *_: shadowed)
        yield world


def policy(**shadow):
    config = deployed_models.config_of(MODEL)
    return config.release.model_validate({"strategy": "shadow", "shadow": shadow})


@pytest.fixture(autouse=True)
def tried(world):
    """A version that is tried since noon."""
    arn = world.register()
    experiment = Experiment(RUN, arn, "2", "1", TRIED, OWN, BEGAN - timedelta(minutes=20))
    experiments.save(world.dynamodb, TABLE, MODEL, experiment)
    return experiment


@pytest.fixture(autouse=True)
def serving(monkeypatch):
    """Have the endpoint stand as a test wants."""

    def stands(config: str | None = TRIED, status: str = "InService"):
        found = EndpointState(MODEL, status, config or "", "AllTraffic", 2, "", (), None, BEGAN, is_tried_on=True)
        monkeypatch.setattr(watch_experiment.endpoints, "describe_endpoint", lambda *_: found if config else None)

    stands()
    return stands


def capture(world, variant: str, scores, *, start: datetime = BEGAN, named: str = "r") -> None:
    """An answer every ten seconds, with the caller's id."""
    payload = ",".join("1" for _ in world.config.features)
    by_hour: dict[datetime, list[str]] = {}
    for number, score in enumerate(scores):
        time = start + timedelta(seconds=10 * number)
        sides = {"endpointInput": payload, "endpointOutput": str(score)}
        data = {
            side: {"observedContentType": "text/csv", "mode": "X", "data": text, "encoding": "CSV"}
            for side, text in sides.items()
        }
        meta = {"eventId": f"{variant}-{number}", "inferenceId": f"{named}{number}", "inferenceTime": to_text(time)}
        line = json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})
        by_hour.setdefault(time.replace(minute=0, second=0), []).append(line)
    for hour, lines in by_hour.items():
        key = f"capture/{MODEL}/1/{MODEL}/{variant}/{hour:%Y/%m/%d/%H}/{named}.jsonl"
        world.put(key, "\n".join(lines).encode())


def look(after: timedelta, context=CONTEXT) -> str:
    event = {"model": MODEL, "run": RUN, "time": to_text(BEGAN + after)}
    return watch_experiment.handler(event, context)["verdict"]


def seen(world):
    return experiments.load(world.dynamodb, TABLE, MODEL, RUN)


def rows(world):
    return {row.what: row for row in seen(world).table}


def both(world, count: int = 400, **more):
    scores = np.random.default_rng(1).uniform(0.1, 0.9, count)
    for variant in ("AllTraffic", "kedge-challenger"):
        capture(world, variant, scores, **more)


def test_answers_to_the_same_requests_are_paired_once_their_hour_is_captured_whole(world):
    both(world)
    assert look(timedelta(minutes=70)) == "GOING_ON"
    assert (seen(world).began, rows(world)["rows compared"].canary) == (BEGAN, "0")
    assert look(timedelta(minutes=81)) == "GOING_ON"
    assert rows(world)["rows compared"].canary == "360"
    assert look(timedelta(minutes=82)) == "GOING_ON"
    assert rows(world)["rows compared"].canary == "360"
    assert look(timedelta(hours=3)) == "GOING_ON"
    assert rows(world)["rows compared"].canary == "400"


def test_what_only_one_of_them_answered_is_no_pair(world):
    capture(world, "AllTraffic", [0.5] * 30, named="champion")
    capture(world, "kedge-challenger", [0.5] * 30, named="shadow")
    look(timedelta(hours=2))
    assert rows(world)["rows compared"].canary == "0"


def test_a_large_hour_is_sampled_by_the_ids_of_both_alike(world, monkeypatch):
    monkeypatch.setattr(trial_look, "HOUR_ROWS", 100)
    both(world, 360)
    look(timedelta(hours=2))
    assert rows(world)["rows compared"].canary == "100"
    assert rows(world)["the same decision"].canary == "100 % of the rows"


def test_after_its_days_it_is_proved_and_stays_so(world):
    both(world)
    assert look(DAY) == "GOING_ON"
    assert look(DAY + timedelta(minutes=30)) == "PROVED"
    capture(world, "kedge-challenger", ["no number"] * 30, start=BEGAN + 2 * DAY, named="late")
    assert look(3 * DAY) == "PROVED"


def test_answers_that_are_none_withdraw_it_at_once(world):
    capture(world, "AllTraffic", [0.5] * 30)
    capture(world, "kedge-challenger", [*[0.5] * 29, "nan"])
    assert look(timedelta(hours=2)) == "WITHDRAWN"
    assert rows(world)["answers that are none"].canary == "1"


def save_labels(world, table, *, number=0):
    key = layout.label_day_key(MODEL, BEGAN.date(), number)
    assert label_days.save_object(world.s3, BUCKET, key, table, etag=None)


def test_labels_that_come_in_are_joined_and_a_clear_loss_withdraws_it(world):
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 2, 400)
    capture(world, "AllTraffic", (0.3 + 0.4 * truth + draw.uniform(-0.2, 0.2, 400)).round(4))
    capture(world, "kedge-challenger", draw.uniform(0.1, 0.9, 400).round(4))
    assert look(timedelta(hours=3)) == "GOING_ON"
    assert rows(world)["quality"].canary.startswith("not measured: 0 rows with a label so far")
    labels = {ROW_ID: [f"r{n}" for n in range(400)], LABEL: [str(label) for label in truth], COLLECTED: [BEGAN] * 400}
    save_labels(world, in_schema(pa.table(labels), label_schema(())))
    # Folded later, but collected before.
    wrong = labels | {LABEL: [str(1 - label) for label in truth], COLLECTED: [BEGAN - timedelta(hours=1)] * 400}
    save_labels(world, in_schema(pa.table(wrong), label_schema(())), number=1)
    assert look(timedelta(hours=4)) == "WITHDRAWN"
    assert rows(world)["quality"].verdict == "WORSE"
    assert rows(world)["quality"].canary.startswith("auc 0.")


def test_what_the_time_does_not_allow_is_read_by_the_next_look(world):
    both(world)
    hurried = SimpleNamespace(**vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: 1_000})
    assert look(timedelta(hours=3), hurried) == "GOING_ON"
    assert rows(world)["rows compared"].canary == "0"
    look(timedelta(hours=3))
    assert rows(world)["rows compared"].canary == "400"


@pytest.mark.parametrize(
    ("config", "status", "verdict"),
    [
        (None, "InService", "GONE"),
        (OWN, "InService", "GONE"),
        (TRIED, "Failed", "GONE"),
        (OWN, "Updating", "GOING_ON"),
    ],
)
def test_an_endpoint_that_does_not_serve_both_is_no_place_to_look(serving, config, status, verdict):
    serving(config, status)
    assert look(timedelta(hours=2)) == verdict


def test_nothing_is_noted_of_a_run_that_another_has_replaced(world, tried):
    experiments.save(world.dynamodb, TABLE, MODEL, replace(tried, run="release-2"))
    assert look(timedelta(hours=2)) == "GONE"


def test_a_rejected_version_goes(world, tried):
    world.sagemaker.update_model_package(ModelPackageArn=tried.package_arn, ModelApprovalStatus="Rejected")
    assert look(timedelta(hours=2)) == "WITHDRAWN"
    assert "is Rejected in the registry" in seen(world).reasons[0]


def test_a_deleted_version_goes(world, tried):
    gone = tried.package_arn.rpartition("/")[0] + "/9"
    experiments.save(world.dynamodb, TABLE, MODEL, replace(tried, package_arn=gone))
    assert look(timedelta(hours=2)) == "WITHDRAWN"


def test_it_goes_when_another_version_was_approved_meanwhile(world):
    approvals.wait(world.dynamodb, TABLE, MODEL, Waiting("arn/3", "3", BEGAN))
    assert look(timedelta(hours=2)) == "WITHDRAWN"
    assert "version 3 was approved meanwhile" in seen(world).reasons[0]


# An A/B test --------------------------------------------------------------------------------------------------------

CHALLENGER = "kedge-challenger-v2"


@pytest.fixture
def divided(world, monkeypatch, tried):
    """The same version answers a half of the requests; its refunds must not rise."""
    config = world.config
    ab = {"share": 0.5, "days": {"minimum": 1, "maximum": 2}, "minimum_rows": 100}
    sections = {
        "release": config.release.model_validate({"strategy": "ab", "ab": ab}),
        "labels": config.labels.model_copy(update={"fields": ("refund",)}),
        "business": (BusinessFigure(name="refunds", label_field="refund", better="lower"),),
    }
    monkeypatch.setattr(watch_experiment, "load_model", lambda *_: config.model_copy(update=sections))
    experiments.save(world.dynamodb, TABLE, MODEL, replace(tried, strategy="ab", share=0.5))


def answer(world, *, skill: float, refund: float = 1.0, labelled: bool = True) -> None:
    """300 requests to each of both, whose own ones the version answers with some skill, and what came of them."""
    draw = np.random.default_rng(1)
    ids, labels, refunds = [], [], []
    for variant, named, strength, paid in (("AllTraffic", "c", 0.3, 1.0), (CHALLENGER, "v", skill, refund)):
        truth = draw.integers(0, 2, 300)
        capture(world, variant, (strength * truth + (1 - strength) * draw.uniform(0, 1, 300)).round(4), named=named)
        ids += [f"{named}{number}" for number in range(300)]
        labels += truth.tolist()
        refunds += (paid * draw.uniform(0, 2, 300)).round(3).tolist()
    if labelled:
        columns = {ROW_ID: ids, LABEL: [*map(str, labels)], COLLECTED: [BEGAN] * 600}
        columns[f"{FIELD}refund"] = [*map(str, refunds)]
        table = in_schema(pa.table(columns), label_schema(("refund",)))
        save_labels(world, table)


def test_in_an_ab_test_what_came_of_each_ones_own_answers_is_compared(world, divided):
    answer(world, skill=0.45)
    assert look(timedelta(hours=3)) == "GOING_ON"
    found = rows(world)
    assert (found["rows compared"].canary, found["rows compared"].champion) == ("300", "300")
    assert (found["labels that are in"].canary, found["quality"].verdict) == ("100 %", "BETTER")
    assert "refunds per prediction" in found["refunds"].canary
    assert look(DAY + timedelta(minutes=30)) == "PROVED"


def test_in_an_ab_test_a_loss_withdraws_before_the_days_are_over(world, divided):
    answer(world, skill=0.0)
    assert look(timedelta(hours=3)) == "WITHDRAWN"
    assert rows(world)["quality"].verdict == "WORSE"


def test_in_an_ab_test_a_business_figure_that_rises_withdraws(world, divided):
    answer(world, skill=0.3, refund=2.0)
    assert look(timedelta(hours=3)) == "WITHDRAWN"
    assert rows(world)["refunds"].verdict == "WORSE"


def test_an_ab_test_that_is_undecided_after_its_most_days_is_withdrawn(world, divided):
    answer(world, skill=0.3, labelled=False)
    assert look(2 * DAY) == "GOING_ON"
    assert look(2 * DAY + timedelta(minutes=30)) == "WITHDRAWN"
    assert seen(world).reasons[0].startswith("undecided after 2 days: quality: not measured")


def test_a_request_that_both_answered_is_nobodys(world, divided):
    capture(world, "AllTraffic", [0.4] * 40)
    capture(world, CHALLENGER, [0.4] * 30)
    look(timedelta(hours=2))
    assert (rows(world)["rows compared"].canary, rows(world)["rows compared"].champion) == ("0", "10")


@pytest.mark.parametrize(("trigger", "verdict"), [("schedule", "PROVED"), ("drift", "GOING_ON")])
def test_an_equal_version_is_proved_if_the_gate_has_a_rule_for_what_asked_for_it(
    world, monkeypatch, divided, trigger, verdict
):
    found = watch_experiment.load_model(MODEL, BUCKET)
    rule = found.gate.model_validate({"non_inferior": {"margin": 0.3}})
    monkeypatch.setattr(watch_experiment, "load_model", lambda *_: found.model_copy(update={"gate": rule}))
    arn = world.register(properties={"kedge:triggers": trigger})
    experiments.save(world.dynamodb, TABLE, MODEL, replace(seen(world), package_arn=arn))
    answer(world, skill=0.3)
    assert look(DAY + timedelta(minutes=30)) == verdict
