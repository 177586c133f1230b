"""One line a model: an estimate says that it is one, what is held says why, and the first model says why it is the first."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.operator.standing import work_of
from cli.operator.status_table import head_lines, holds, quality, steps, to_json
from kedge.alerts.urgency import ModelStatus, QualityNow, by_urgency
from kedge.severity import Severity
from tests.stored_samples import ITEMS

NOW = datetime(2026, 1, 5, tzinfo=UTC)
GUESS = QualityNow("auc", 0.61, 0.78, Severity.CRITICAL)


def status(name="churn", **facts):
    return ModelStatus(name, None, "manage", "1", **facts)


def test_without_labels_the_estimated_metric_stands_there_and_says_so():
    one = status(severity=Severity.CRITICAL, estimated=Severity.CRITICAL, estimate=GUESS, rows_per_day=900.0)
    assert quality(one) == "auc 0.61 < 0.78 (estimated)"
    assert [*head_lines([one])][1] == (
        "first: churn: quality is estimated as lost: auc is about 0.61, its limit is 0.78; labels are still out, 900 rows a day"
    )
    assert json.loads(json.dumps(to_json(one, {})))["estimate"]["loss"] == GUESS.loss
    measured = status(quality=QualityNow("auc", 0.8, 0.78, Severity.OK))
    assert quality(measured) == "auc 0.8 > 0.78"


def test_of_a_sample_the_traffic_is_whole_and_how_much_of_it_is_counted_stands_beside():
    one = status(severity=Severity.CRITICAL, estimated=Severity.CRITICAL, rows_per_day=9000.0, counted_percentage=10)
    assert [*head_lines([one])][1].endswith("labels are still out, 9,000 rows a day, 10 % of them counted")


def test_an_estimated_loss_with_traffic_stands_before_drift_alone():
    drifts = status("a", severity=Severity.CRITICAL, drift=Severity.CRITICAL, rows_per_day=9e6)
    guessed = status("b", severity=Severity.CRITICAL, estimated=Severity.CRITICAL, estimate=GUESS, rows_per_day=10.0)
    assert [one.model for one in by_urgency([drifts, guessed])] == ["b", "a"]


def test_a_mute_and_quiet_hours_are_shown_and_need_nobody_by_themselves():
    held = {"muted": "no message before 2026-01-09 00:00 UTC: a campaign", "quiet": "quiet hours (20:00 to 06:00 UTC)"}
    one = status(severity=Severity.OK, holds=held)
    assert holds(one, NOW) == "muted, quiet"
    assert not one.needs_a_person
    assert [*steps(one, NOW)] == [f"{name}: {why}" for name, why in held.items()]


def test_what_alarms_and_is_neither_rows_nor_a_metric_is_named():
    one = status(severity=Severity.CRITICAL, alarming_since=NOW, alarming=("segments",))
    assert [*head_lines([one])][1] == "first: churn: what alarms: segments, since 2026-01-05"
    assert [*head_lines([status(severity=Severity.OK)])] == ["1 model: 1 OK"]


@pytest.mark.parametrize(
    ("verdict", "strategy", "said"),
    [
        ("GOING_ON", "ab", "release: v3 answers 10 %"),
        ("GOING_ON", "shadow", "release: v3 is a shadow"),
        ("PROVED", "ab", "release"),
    ],
)
def test_a_version_that_is_tried_stands_beside_what_works_on_the_model(verdict, strategy, said):
    sample = replace(ITEMS["experiment"].means, verdict=verdict, strategy=strategy, share=0.1)
    experiment = replace(ITEMS["experiment"], means=sample).written()
    assert work_of(ITEMS["lease"].written(), experiment) == said
    assert work_of(None, experiment) is None


def test_what_rings_needs_a_person_and_is_named_with_its_remedy():
    since = "invoked, but nothing is captured, since 2026-01-04 02:00 UTC"
    one = status(severity=Severity.OK, rings=(f"{since}. Look at Data Capture.",))
    assert one.needs_a_person
    assert [*head_lines([one, status("b", severity=Severity.OK)])] == [
        "2 models: 2 OK, 1 rings",
        f"first: churn: {since}",
    ]
    assert (holds(one, NOW), [*steps(one, NOW)]) == ("rings", [*one.rings])
    assert [each.model for each in by_urgency([status("a", severity=Severity.OK, rows_per_day=9.0), one])] == [
        "churn",
        "a",
    ]
