"""Mails say what happened, by how much, whether it matters, what follows, and where to look."""

import json
import re
from datetime import UTC, datetime

import pytest

from kedge.alerts.ringing import CAUSES, Bundle
from kedge.comparisons import Difference
from kedge.errors import ChangedSinceGateError, WatchedModelError
from report.alert_text import MESSAGES, SUBJECT_CHARACTERS, render_alert
from tests.builders import judged_auc

NOW = datetime(2016, 2, 15, 2, tzinfo=UTC)
MODEL = "hotel-cancellations"
ARN = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{MODEL}/2"
RUN = f"{MODEL}-performance-1-f2a44be8"
ADR = "adr: KS 0.43 (0.02 without drift; limit 0.1), PSI 1.2; the median moved from 80 to 110"
WINDOW = {
    "window": {"start": "2016-01-18T00:00:00Z", "end": "2016-02-15T00:00:00Z", "rows": 3102},
    "severity": "CRITICAL",
    "package_version": "1",
    "revision": 1,
    "reasons": [ADR, *(f"column {n} moved" for n in range(6))],
    "columns": [{"name": "adr", "severity": "CRITICAL"}, {"name": "lead_time", "severity": "WARNING"}],
    "report_key": "reports/m/1/2016-02-15T00/drift-r1.json",
    "report": "s3://bucket/reports/m/1/2016-02-15T00/drift-r1.html",
    "on_drift": "when_labels_lag",
}
LOST = judged_auc(0.69, 0.66, 0.72) | {"ripe_rows": 1500}
HOLDS = judged_auc(0.84, 0.81, 0.87) | {"ripe_rows": 1500}
BETTER = Difference("auc", "higher", 0.69, 0.77, 0.08, 0.06, 0.1, 3131).words
CLOSE = Difference("auc", "higher", 0.735, 0.736, 0.001, -0.01, 0.012, 3131).words
VALID = "all 1,654 answers of the challenger are valid (between 0 and 1)"
SINCE = "quality has been lost since the window to 2016-02-15"
ASTRAY = "the endpoint captures to s3://b/capture/m/1, where m-v2 says s3://b/capture/m/2: the monitor is blind to its answers"
OVERTAKEN = "the event said Approved; when it was read, the registry said PendingManualApproval: nothing was changed"
CHANGED = str(ChangedSinceGateError(what="artefact", place="s3://bucket/m.tar.gz", expected="ab12", found="cd34"))
RINGING = Bundle.began("ServerErrors", NOW, [MODEL, "churn"])
DETAILS = {
    "window_judged": WINDOW,
    "captures_unreadable": {
        "package_version": "2",
        "records": 40,
        "unread": 40,
        "fault": "answer",
        "came": {"answer": {"content_type": "text/html", "encoding": "BASE64", "shape": "<a>"}},
        "expected": "an answer a row",
        "remedy": "Let output_fn return (body, accept).",
    },
    "digest": {
        "team": "risk",
        "week": {"start": "2016-01-04T06:00:00Z", "end": "2016-01-11T06:00:00Z"},
        "models": 4,
        "alarming": [{"model": MODEL, "reason": "auc 0.70, limit 0.72"}],
        "warning": ["slow-one"],
        "healthy": ["a", "b"],
        "not_judged": [],
        "waiting": [{"model": MODEL, "package_version": "2", "waiting_days": 5}],
        "costs": [
            {"model": MODEL, "metric": "lost_nights", "value": 1.0, "reference": None, "unit": "EUR", "total": 1200.0}
        ],
        "counts": {"alarming": 1, "warning": 1, "healthy": 2, "not_judged": 0, "waiting": 1, "costs": 1, "needing": 1},
        "training": {"usd": 1.25, "retrainings": 2, "unknown": 1},
        "happened": {"windows judged": 12, "alerts": 1},
        "response": {
            "days": 28,
            "measured": 2,
            "losses": 1,
            "untold": 0,
            "lasting": 1,
            "detect_hours": 5.0,
            "repair_hours": None,
        },
    },
    "paused": {"by": "arn:aws:iam::123456789012:user/ann", "reason": "the feed is being mended"},
    "muted": {
        "by": "arn:aws:iam::123456789012:user/ann",
        "reason": "known",
        "until": "2016-01-11T00:00:00Z",
    },
    "test_alert": {"severity": "CRITICAL", "by": "arn:aws:iam::123456789012:user/ann", "channel": None},
    "mute_ended": {
        "severity": "CRITICAL",
        "until": "2016-02-15T00:00:00Z",
        "by": "arn:aws:iam::123456789012:user/ann",
        "reason": "a campaign",
        "messages": ["2016-02-10 02:00: 2 columns drifted, quality holds"],
        "standing": ["column adr (CRITICAL)"],
    },
    "alarm": RINGING.detail("ALARM", name=MODEL, value=0.4, managed=True),
    "approval_waits": {"package_version": "2", "since": "2016-02-01T00:00:00Z", "waiting_days": 5},
    "approval_expired": {"package_version": "2", "since": "2016-02-01T00:00:00Z", "waiting_days": 90},
    "labels_silent": {"newest": "2016-02-01T04:00:00Z", "silent_days": 3, "longest_pause_hours": 24},
    "baseline_stale": {
        "package_version": "2",
        "rows_until": "2015-01-01T00:00:00Z",
        "age_days": 400,
        "limit_days": 365,
        "mode": "manage",
    },
    "retrainings_failing": {"runs": ["m-drift-1-aa", "m-drift-2-bb", "m-drift-3-cc"], "statuses": ["FAILED"] * 3},
    "labels_lost": {
        "package_version": "1",
        "reasons": ["1,200 labels that came lately match no request; 40 rows of the window have a label"],
    },
    "retraining_started": {"run": RUN, "trigger": "performance", "reasons": [SINCE]},
    "retraining_held": {
        "trigger": "performance",
        "hold": "cooldown",
        "reasons": ["the last retraining started on 2016-02-08; the cooldown is 14 days"],
        "lifts": ["the cooldown ends at 2016-02-22 02:00 UTC"],
    },
    "retrain_event_refused": {
        "source": "pricing",
        "requested": "a new catalogue",
        "reasons": ["retraining is paused: the hotels are closed. End the pause, then send the event again"],
    },
    "rows_uncounted": {"days": {"2016-01-03": 24}, "since": "2016-01-03"},
    "data_rejected": {"run": RUN, "reasons": ["400 labelled training rows; 1,000 are needed"]},
    "mlflow_failed": {"run": RUN, "reasons": ["the server did not take the run: status 503"]},
    "gate_passed": {"run": RUN, "reasons": [BETTER]},
    "gate_failed": {"run": RUN, "reasons": [CLOSE]},
    "package_registered": {"run": RUN, "package_arn": ARN, "reasons": [BETTER]},
    "approved_automatically": {"run": RUN, "package_arn": ARN, "reasons": [BETTER]},
    "second_approval_awaited": {
        "package_arn": ARN,
        "package_version": "2",
        "by": "ann",
        "reasons": ["1 of 2 people has approved it: ann"],
    },
    "approved": {"run": RUN, "package_arn": ARN, "reasons": ["version 2 serves already: nothing was changed"]},
    "rejected": {"package_version": "2", "serving": True},
    "approval_taken_back": {"package_version": "2", "serving": True, "previous_version": "1"},
    "package_found": {
        "run": RUN,
        "package_arn": ARN,
        "status": "Approved",
        "reasons": ["version 3 is none of Kedge's"],
    },
    "approved_absent": {"package_version": "2", "endpoint": MODEL},
    "decision_overtaken": {"package_version": "2", "reasons": [OVERTAKEN]},
    "capture_astray": {"run": RUN, "package_version": "2", "endpoint_config": "m-v2", "reasons": [ASTRAY]},
    "experiment_started": {"run": RUN, "package_version": "2", "traffic": "shadow of 1 instance for 7 days"},
    "experiment_proved": {"run": RUN, "package_version": "2", "reasons": ["1,200 rows compared, 300 with a label"]},
    "experiment_withdrawn": {
        "run": RUN,
        "package_version": "2",
        "reasons": ["server errors: 12 % (champion 0 %); at most 1 %"],
        "table": [
            {
                "what": "server errors",
                "canary": "12 %",
                "champion": "0 %",
                "limit": "at most 1 %",
                "verdict": "ABOVE",
            }
        ],
    },
    "canary_started": {
        "run": RUN,
        "package_version": "2",
        "traffic": "canary of 1 of 3 instances: about 33 % of the traffic",
    },
    "canary_promoted": {"run": RUN, "package_version": "2"},
    "canary_rolled_back": {
        "run": RUN,
        "package_arn": ARN,
        "reasons": [
            "the canary's answers differ from the champion's over the same minutes: KS 0.4 (limit 0.1), p 1e-09"
        ],
    },
    "release_unproven": {
        "run": RUN,
        "package_version": "2",
        "reasons": ["the canary answered 1 request; 100 are needed"],
    },
    "promise_broken": {
        "package_version": "2",
        "endpoint_config": "m-v2",
        "reasons": ["auc is 0.7 (0.65 to 0.75) in the window; the gate saw 0.9 (0.88 to 0.92) on the holdout"],
        "answer": "alert",
    },
    "release_superseded": {
        "package_version": "2",
        "newer_version": "3",
        "reasons": ["version 3 was approved after version 2, and only the newest approval is released"],
    },
    "release_withheld": {"package_version": "2", "by": "ann", "reasons": [str(WatchedModelError(model=MODEL))]},
    "release_refused": {"run": RUN, "package_version": "2", "reasons": [CHANGED]},
    "endpoint_changed": {
        "reasons": ["endpoint e serves m-v9; Kedge's last release was m-v2"],
        "state": "foreign m-v9",
        "followed": False,
    },
    "baseline_switched": {"run": RUN, "package_version": "1", "endpoint": MODEL},
    "capacity_awaited": {
        "machine": "kedge-retrain",
        "run": RUN,
        "execution": f"arn:aws:states:eu-west-1:123456789012:execution:kedge-retrain:{RUN}",
        "state": "TrainChallenger",
        "error": "SageMaker.ResourceLimitExceededException",
        "cause": "The account-level service limit 'ml.m5.large for training job usage' is 0 Instances",
    },
    "failed": {
        "machine": "kedge-retrain",
        "run": RUN,
        "execution": f"arn:aws:states:eu-west-1:123456789012:execution:kedge-retrain:{RUN}",
        "state": "TrainChallenger",
        "error": "States.TaskFailed",
        "cause": "AlgorithmError " * 100,
    },
}


def mail(kind, **changes):
    return render_alert(kind, MODEL, NOW, DETAILS[kind] | changes)


def test_every_kind_with_words_of_its_own_is_tried_here():
    assert DETAILS.keys() == MESSAGES.keys()


@pytest.mark.parametrize("kind", DETAILS)
def test_a_subject_fits_sns(kind):
    subject = mail(kind).subject
    # A digest is about a team's models.
    assert subject.startswith("[Kedge] risk: " if kind == "digest" else f"[Kedge] {MODEL}: ")
    assert len(subject) < SUBJECT_CHARACTERS
    assert subject.isascii()
    assert subject.isprintable()


@pytest.mark.parametrize("kind", DETAILS)
def test_a_mail_fits_one_screen_and_holds_no_code(kind):
    body = mail(kind).body
    assert len(body.splitlines()) <= 40
    assert not set("{}") & set(body)
    assert "None" not in body
    assert "\n\n\n" not in body
    assert "Monday, 15 February 2016, 02:00 UTC" in body


def test_a_long_or_foreign_name_is_cut_to_ascii():
    subject = render_alert("failed", "müller-" * 20, NOW, DETAILS["failed"]).subject
    assert subject.endswith("...")
    assert subject.isascii()
    assert len(subject) < SUBJECT_CHARACTERS


def test_drift_without_labels_says_that_quality_is_not_known():
    found = mail("window_judged")
    assert found.subject == f"[Kedge] {MODEL}: 2 columns drifted, quality is not known yet"
    assert "Not known: no labels" in found.body


def test_drift_with_good_quality_says_so_first_and_starts_nothing():
    found = mail("window_judged", performance=HOLDS)
    assert "2 columns drifted, quality holds" in found.subject
    assert "No: quality holds: auc" in found.body
    assert "drift alone is no loss" in found.body


def test_lost_quality_leads_with_both_numbers():
    found = mail("window_judged", performance=LOST)
    assert found.subject == f"[Kedge] {MODEL}: quality is lost (auc 0.69, limit 0.81); 2 columns drifted"
    assert "Kedge decides now whether to retrain" in found.body


def test_mails_of_an_ab_test_say_that_clients_got_its_answers():
    ab = {"run": RUN, "package_version": "2", "strategy": "ab"}
    started = mail("experiment_started", traffic="A/B test on 1 instance for 7 to 28 days", **ab)
    assert "how the requests are divided are watched" in words_of(started)
    assert "what is worse or stays undecided is withdrawn" in words_of(started)
    gone = mail("experiment_withdrawn", reasons=["undecided after 28 days"], **ab)
    assert "clients get the champion's answers alone again" in words_of(gone)
    assert "InferenceId" not in gone.body


def words_of(found) -> str:
    return " ".join(found.body.split())


RECALL = "recall 0.57 -> 0.26 (worse), interval 0.22 to 0.3, a loss of 54.4% beyond chance; reference 0.55 to 0.59"
WORSE = {
    "severity": "WARNING",
    "reasons": [RECALL],
    "reference": {"recall": {"value": 0.57}},
    "metrics": [{"name": "recall", "value": 0.26, "loss": {"fraction": 0.544, "p_value_adjusted": 1e-9}}],
    "ripe_rows": 1500,
}
SHIFT = {"group": "segment=Groups", "severity": "CRITICAL", "since": "2016-02-01T00:00:00Z"}
MOVED = {"severity": "CRITICAL", "reason": "P(y given x) moved on segment=Groups (900 rows)", "shifts": [SHIFT]}


@pytest.mark.parametrize(("columns", "drifted"), [(WINDOW["columns"], "2 columns drifted"), ([], "no column drifted")])
def test_a_metric_that_is_worse_beside_its_limits_is_named_with_both_values(columns, drifted):
    found = mail("window_judged", performance=WORSE, columns=columns)
    assert found.subject == f"[Kedge] {MODEL}: {drifted}, recall is worse (0.57 -> 0.26)"
    assert f"In part: {RECALL}" in found.body


def test_clear_concept_drift_leads_although_quality_holds_and_is_the_first_that_moved():
    found = mail("window_judged", performance=HOLDS | {"concept_drift": MOVED}, columns=[])
    assert found.subject == f"[Kedge] {MODEL}: P(y given x) moved on segment=Groups; no column drifted"
    assert "WHAT MOVED\n- P(y given x) moved on segment=Groups (900 rows), since 2016-02-01" in found.body
    weak = mail("window_judged", performance=HOLDS | {"concept_drift": MOVED | {"severity": "WARNING"}})
    assert "P(y given x)" not in weak.subject


def test_what_moved_comes_with_its_limits_and_the_rest_is_counted():
    body = mail("window_judged").body
    assert f"- {ADR}" in body
    assert "- and 2 more in the report" in body


def test_the_report_can_be_opened():
    body = mail("window_judged").body
    assert "https://console.aws.amazon.com/s3/object/bucket?prefix=reports/m/1/2016-02-15T00/drift-r1.html" in body
    assert f"kedge report {MODEL} --window 2016-02-15T00:00 --open" in body


def test_a_loss_comes_with_its_cost_the_commands_the_team_and_the_runbook():
    costs = {"name": "cost_per_thousand", "value": 60.0, "severity": "OK"}
    lost = LOST | {"metrics": [*LOST["metrics"], costs]}
    lost["reference"] = LOST.get("reference", {}) | {"cost_per_thousand": {"value": 40.0}}
    owner = {"team": "risk", "runbook": "https://wiki.example.com/models"}
    body = mail("window_judged", performance=lost, owner=owner).body
    assert "Cost per thousand predictions: 40 on the holdout, 60 now; in this window about 62 more." in body
    for command in ("retrain", "rollback"):
        assert f'kedge {command} {MODEL} --reason "why"\n' in body
    assert f'kedge mute {MODEL} --until 2016-02-22 --reason "why"' in body
    assert "WHOSE MODEL\nTeam: risk\nRunbook: https://wiki.example.com/models" in body
    assert len(body.splitlines()) <= 40


def test_drift_alone_offers_no_retraining_and_what_is_over_offers_nothing():
    assert "kedge retrain" not in mail("window_judged", performance=HOLDS).body
    ended = mail("window_judged", alarm_episode=episode("ends")).body
    assert "WHAT YOU MAY DO NOW" not in ended


def test_a_quality_check_alone_is_not_called_drift():
    assert "data quality is out of bounds" in mail("window_judged", columns=[]).subject


@pytest.mark.parametrize(("policy", "words"), [("never", "not retrained on drift"), ("always", "decides now")])
def test_what_happens_next_follows_the_models_policy(policy, words):
    assert words in mail("window_judged", on_drift=policy).body


def test_the_approver_gets_the_consoles_path_and_the_command():
    found = mail("package_registered")
    assert found.subject == f"[Kedge] {MODEL}: please decide about package version 2"
    assert f"Registered models > {MODEL} > version 2 > Update status" in found.body
    assert f"--model-package-arn {ARN} --model-approval-status Approved" in found.body
    assert f"--model-package-arn {ARN} --model-approval-status Rejected" in found.body


def test_the_approver_reads_what_the_retraining_cost():
    assert (
        "WHAT THE RETRAINING COST\n30 instance minutes" in mail("package_registered", cost="30 instance minutes").body
    )
    assert "COST" not in mail("package_registered").body


def test_the_approver_reads_why_it_was_trained_and_the_measured_gain_first():
    rows = [
        {"gate": "answers", "verdict": "PASS", "reason": VALID},
        {"gate": "auc", "verdict": "PASS", "reason": BETTER, "low": 0.05, "high": 0.07},
    ]
    trigger = {"kind": "performance", "episode": "e", "reasons": [SINCE]}
    body = mail("package_registered", rows=rows, trigger=trigger).body
    assert "WHY IT WAS TRAINED\n- quality has been lost since" in body
    assert "WHAT THE GATE FOUND, ALL PASSED\n- auc is 0.08 higher" in body
    assert body.index(BETTER) < body.index(VALID)


def test_the_approver_sees_both_models_values_the_holdouts_days_and_the_live_value_with_its_limit():
    row = {"gate": "mae_improvement", "metric": "mae", "verdict": "PASS", "reason": "r", "low": 1.0, "high": 9.0}
    metric = {"name": "mae", "value": 67.54, "limit": 48.2, "severity": "CRITICAL"}
    live = {"package_version": "1", "metrics": [metric], "start": "2016-01-18T00:00:00Z", "end": "2016-02-15T00:00:00Z"}
    body = mail(
        "package_registered",
        rows=[row | {"champion": 67.5, "challenger": 43.8}],
        champion={"present": True, "package_version": "1"},
        snapshot={
            "holdout_rows": 1616,
            "holdout_start": "2016-01-08T10:00:00Z",
            "holdout_end": "2016-02-01T09:00:00Z",
        },
        trigger={"kind": "performance", "reasons": [SINCE], "live": live},
    ).body
    assert "THE FIGURES\n- mae: champion (version 1) 67.5, challenger 43.8\n" in body
    assert "- holdout: 1,616 rows from 2016-01-08 to 2016-02-01, newer than all training rows\n" in body
    assert "- live: mae 67.54, limit 48.2 (CRITICAL), version 1 in the window 2016-01-18 to 2016-02-15\n" in body


def test_a_refusal_leads_with_what_refused():
    rows = [
        {"gate": "answers", "verdict": "PASS", "reason": VALID},
        {"gate": "auc", "verdict": "REFUSE", "reason": CLOSE, "low": -0.01, "high": 0.01},
    ]
    body = mail("gate_failed", rows=rows).body
    assert f"WHAT FAILED\n- {CLOSE}\n\nWHAT PASSED\n- {VALID}" in body


def test_a_rollback_says_why_and_that_the_champion_serves():
    found = mail("canary_rolled_back")
    assert "package version 2 was rolled back" in found.subject
    assert "- the canary's answers differ" in found.body
    assert "the champion serves untouched" in found.body


def test_only_a_canary_that_differs_is_told_how_it_may():
    allowed = f"raise canary.behaviour_effect_max in {MODEL}.yaml"
    assert allowed in mail("canary_rolled_back").body
    assert allowed not in mail("canary_rolled_back", reasons=["alarm latency rang at 14:49 UTC"]).body


def test_where_no_answers_are_captured_labels_are_not_missed():
    body = mail("window_judged", captured="Input").body
    assert "captures only its requests" in body
    assert "no labels have been joined" not in body


def test_a_failure_says_where_and_cuts_a_long_cause():
    found = mail("failed")
    assert found.subject == f"[Kedge] {MODEL}: the retraining failed at TrainChallenger"
    assert (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:"
        in found.body
    )
    assert len(found.body) < 1500


def test_a_wait_for_capacity_names_the_quota_or_another_instance_type_and_so_does_its_end():
    found = mail("capacity_awaited")
    assert found.subject == f"[Kedge] {MODEL}: the retraining waits for a quota at TrainChallenger"
    quota = "the quota 'ml.m5.large for training job usage' at https://console.aws.amazon.com/servicequotas"
    assert quota in found.body
    assert quota in mail("failed", cause=DETAILS["capacity_awaited"]["cause"]).body
    found = mail("capacity_awaited", error="States.TaskFailed", cause="CapacityError: Unable to provision")
    assert "waits for capacity" in found.subject
    assert "another instance type" in found.body
    assert "WHAT YOU CAN DO" not in mail("failed").body


def test_a_held_retraining_says_when_it_goes_on_or_that_it_does_not():
    assert "decides again every hour and with every window" in mail("retraining_held").body
    assert "a person must find out why" in mail("retraining_held", hold="attempts").body


def test_a_held_retraining_says_what_would_lift_it_and_which_triggers_wanted_it():
    assert "the cooldown ends at 2016-02-22 02:00 UTC" in mail("retraining_held").body
    subject = mail("retraining_started", triggers=["performance", "schedule"]).subject
    assert subject.endswith("retraining started: quality is lost; it is due by the calendar")


def test_a_paused_retraining_is_told_with_the_command_that_ends_the_pause():
    command = f"kedge pause {MODEL} --resume"
    assert command in mail("retraining_held", hold="paused").body
    assert command not in mail("retraining_held").body


def test_labels_of_a_class_that_the_package_does_not_know_stand_beside_its_quality():
    told = mail("window_judged", performance=HOLDS | {"join": {"labels_newer": 668}}).body
    assert (
        "1,500 rows with a label. 668 labels of classes that this package does not know yet are not among them." in told
    )
    assert "not among them" not in mail("window_judged", performance=HOLDS).body


def test_a_refusal_says_of_no_champion_that_it_serves():
    # Its endpoint may have been deleted: it is compared all the same.
    body = mail("gate_failed", champion="1").body
    assert "Nothing was released" in body
    assert "serves" not in body


@pytest.mark.parametrize(("rows", "words"), [(0, "the monitor is blind"), (133, "too few requests")])
def test_a_window_with_few_rows_is_not_called_blind(rows, words):
    found = mail("window_judged", severity="INSUFFICIENT_DATA", window=WINDOW["window"] | {"rows": rows})
    assert words in found.subject
    assert ("Is the endpoint called" in found.body) == (rows == 0)


def test_an_unknown_kind_shows_its_facts():
    found = render_alert("something_new", MODEL, NOW, {"b": 2, "a": 1})
    assert found.subject == f"[Kedge] {MODEL}: something new"
    assert "a: 1\nb: 2" in found.body


def test_an_alert_leads_with_what_matters_where_that_is_known():
    ranked = [{"name": "lead_time", "severity": "CRITICAL", "importance": 0.4}, *WINDOW["columns"]]
    assert mail("window_judged", columns=ranked).subject == (
        f"[Kedge] {MODEL}: lead_time and 2 more drifted, quality is not known yet"
    )


def episode(news, since="2016-01-18T00:00:00Z", **new):
    return {"news": news, "since": since, "new": new, "reminder_days": 28}


@pytest.mark.parametrize(
    ("news", "begins", "words"),
    [
        (
            "begins",
            "2 columns",
            "It has lasted since the window that ended on 2016-01-18, 28 days ago.\nNew: adr (CRITICAL).",
        ),
        (
            "worse",
            "worse: 2 columns",
            "It has lasted since the window that ended on 2016-01-18, 28 days ago.\nNew: adr (CRITICAL).",
        ),
        ("lasts", "still: 2 columns", "28 days ago.\nThere is nothing new: this is a reminder."),
        (
            "back",
            "again: 2 columns",
            "It seemed over, but rows that had alarmed before alarm again.\nNew: adr (CRITICAL).",
        ),
    ],
)
def test_a_mail_says_since_when_the_episode_lasts_and_what_is_new(news, begins, words):
    new = {} if news == "lasts" else {"adr": "CRITICAL"}
    found = mail("window_judged", alarm_episode=episode(news, **new))
    assert found.subject.startswith(f"[Kedge] {MODEL}: {begins} drifted")
    assert words in found.body
    assert "The next mail comes when it becomes worse or ends, and a reminder every 28 days." in found.body


def test_the_first_mail_of_an_episode_says_that_it_begins_and_names_three_parts():
    new = {name: "CRITICAL" for name in "abcde"}
    body = mail("window_judged", alarm_episode=episode("begins", since="2016-02-15T00:00:00Z", **new)).body
    assert (
        "SINCE WHEN\nIt begins with this window.\nNew: a (CRITICAL), b (CRITICAL), c (CRITICAL) and 2 more.\n" in body
    )


def test_an_hour_counts_where_windows_are_judged_hourly():
    body = mail("window_judged", alarm_episode=episode("worse", since="2016-02-14T21:00:00Z", x="CRITICAL")).body
    assert "It has lasted since the window that ended on 2016-02-14, 3 hours ago." in body


@pytest.mark.parametrize(
    ("severity", "words"), [("OK", "back to normal"), ("WARNING", "back to normal, except for warnings")]
)
def test_the_last_mail_says_that_it_is_over(severity, words):
    found = mail("window_judged", severity=severity, alarm_episode=episode("ends"))
    assert found.subject == f"[Kedge] {MODEL}: is {words}"
    assert (
        "It began with the window that ended on 2016-01-18, 28 days ago, and is over. No mail follows until the next alarm."
        in found.body
    )
    assert "The next mail" not in found.body


UNKNOWN = {"severity": "INSUFFICIENT_DATA", "reasons": ["no labels yet"], "ripe_rows": 0}


def test_an_estimated_loss_is_told_in_a_line_and_called_an_estimate():
    said = "estimated while labels are out: quality is lost: auc is 0.13 lower (0.83 -> 0.7), interval 0.68 to 0.72"
    text = mail("window_judged", performance=UNKNOWN | {"estimate": {"severity": "CRITICAL", "reasons": [said]}})
    assert "quality is estimated as lost" in text.subject
    assert (
        "Not known yet: no labels yet.\nEstimated while labels are out: quality is lost: auc is 0.13 lower" in text.body
    )


@pytest.mark.parametrize(
    "estimate",
    [{"reasons": ["auc was estimated as 0.8 (0.78 to 0.82)"]}, {"severity": "INSUFFICIENT_DATA", "reasons": ["few"]}],
)
def test_an_estimate_without_a_verdict_is_not_mailed(estimate):
    assert "stimated" not in mail("window_judged", performance=UNKNOWN | {"estimate": estimate}).body


def test_a_functions_error_is_told_without_its_stack():
    answer = {"errorMessage": "the rows ended early", "errorType": "EarlyError", "stackTrace": ["File x.py, line 1"]}
    body = mail("failed", cause=json.dumps(answer)).body
    assert "WHY\nEarlyError: the rows ended early\n" in body
    assert "x.py" not in body
    ours = {"errorMessage": "the rows have no column words", "errorType": "TrainingColumnMissingError"}
    assert "WHY\nthe rows have no column words\n" in mail("failed", cause=json.dumps(ours)).body


def test_a_scripts_error_is_its_last_line_and_the_log_is_a_link():
    script = 'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "Traceback:\n File x.py\nValueError: no number"'
    job = {
        "TrainingJobName": "run-0",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:1:training-job/run-0",
        "FailureReason": f'{script}\nCommand "python -m train", exit code: 1',
    }
    body = mail("failed", cause=json.dumps(job)).body
    assert "WHY\nValueError: no number\n" in body
    assert "x.py" not in body
    assert "log-group/$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3Drun-0$2F" in body


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            "initial",
            'Kedge does not try again by itself. Correct the cause, then request it again:\nkedge retrain {} --initial --reason "why"',
        ),
        ("manual", 'request it again:\nkedge retrain {} --reason "why"'),
        ("performance", "Kedge tries again with the next window that still needs it"),
    ],
)
def test_a_failed_retraining_says_whether_it_is_tried_again_and_nothing_of_a_champion(kind, words):
    body = mail("failed", run=f"{MODEL}-{kind}-1-f2a44be8").body
    assert words.format(MODEL) in body
    assert "champion" not in body
    assert "serves" not in body


def test_an_execution_that_a_person_stopped_is_told_as_stopped():
    found = mail("failed", error="ABORTED", cause="", state="its end")
    assert found.subject == f"[Kedge] {MODEL}: the retraining was stopped"
    assert "WHY\na person stopped the execution\n" in found.body


def test_a_way_back_that_had_nothing_to_do_names_the_version_that_serves_and_who_wanted_it():
    back = {"from": "3", "to": "2", "by": "ann", "reason": "guests complain"}
    found = mail("approved", rollback=back)
    assert found.subject == f"[Kedge] {MODEL}: package version 2 serves already"
    assert "By ann: guests complain" in found.body


def test_a_request_that_is_held_says_that_it_is_not_kept_and_gives_the_whole_command():
    body = mail("retraining_held", trigger="initial", hold="lease", reasons=["the first", "a retraining runs"]).body
    assert "Nothing by itself: Kedge does not keep the request." in body
    assert f'kedge retrain {MODEL} --initial --reason "why"' in body
    assert "every window" not in body


def test_the_mails_of_a_first_training_speak_of_no_champion():
    assert "champion" not in mail("retraining_started", trigger="initial", reasons=["the first"]).body
    assert "on a new one" in mail("package_registered").body


BACK = {"from": "3", "to": "2", "by": "ann", "reason": "guests complain"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("canary_started", "the rollback from package version 3 to 2 started"),
        ("canary_promoted", "package version 2 serves again, in place of version 3"),
        ("canary_rolled_back", "the rollback from package version 3 to 2 failed: its canary went back"),
        ("release_unproven", "the rollback from package version 3 to 2 could not be proved"),
        ("failed", "the rollback from package version 3 to 2 failed at"),
        ("capacity_awaited", "the rollback from package version 3 to 2 waits for"),
    ],
)
def test_every_mail_of_a_rollback_says_from_where_to_where_who_and_why(kind, words):
    told = mail(kind, rollback=BACK, machine="kedge-release")
    assert words in told.subject
    body = " ".join(told.body.split())
    assert "Version 2 will serve instead of version 3. Started by ann: guests complain" in body


def test_a_version_that_is_brought_back_to_a_deleted_endpoint_goes_nowhere_else():
    told = mail("baseline_switched", rollback=BACK | {"from": "2"})
    assert "Version 2 will serve again. Started by ann" in " ".join(told.body.split())
    assert "It is the first" not in told.body


def test_a_wait_at_the_endpoint_says_what_to_do():
    cause = "the endpoint serves m-v1, not m-v2: Unable to provision (InsufficientInstanceCapacity)"
    changes = {"machine": "kedge-release", "state": "the endpoint", "error": "InsufficientCapacity", "cause": cause}
    told = mail("capacity_awaited", **changes)
    assert "the release waits for capacity at the endpoint" in told.subject
    assert "Choose another instance type" in told.body
    assert "tries again for a day" in " ".join(told.body.split())
    assert "Choose another instance type" in mail("failed", **changes).body


@pytest.mark.parametrize("kind", ["canary_promoted", "release_unproven"])
def test_the_headline_says_that_a_version_serves_although_it_was_rejected(kind):
    late = {"approval_status": "Rejected", "by": "ann", "previous_version": "1"}
    told = mail(kind, too_late=late, serving=True)
    assert told.subject.endswith("package version 2 serves, although it is Rejected")
    assert "Kedge goes back to the newest version before it, if one is kept" in " ".join(told.body.split())


def test_an_approval_that_was_taken_back_too_late_is_a_persons_to_act_on():
    late = {"approval_status": "PendingManualApproval", "by": "ann", "previous_version": "1"}
    told = mail("canary_promoted", too_late=late, serving=True)
    assert f'kedge rollback {MODEL} --to 1 --reason "why"' in told.body


def test_a_version_that_came_back_at_once_says_what_was_seen_and_by_whom():
    back = BACK | {"now": "true"}
    told = mail("canary_promoted", rollback=back, reasons=["40 requests, 0 of them failed"])
    body = " ".join(told.body.split())
    assert told.subject.endswith("package version 2 is back")
    assert "A ROLLBACK AT ONCE Version 2 serves instead of version 3. Started by ann" in body
    assert "40 requests, 0 of them failed" in body
    assert (
        "all traffic goes back at once"
        in mail("canary_started", rollback=back, traffic="all traffic goes back at once").body
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"way_back": "1", "run": RUN}, "version 1 comes back at once"),
        ({"no_way_back": ["no earlier package of m is kept"]}, "nothing can come back"),
    ],
)
def test_a_rejection_of_what_serves_says_what_comes_back_or_why_nothing_does(found, said):
    assert said in mail("rejected", serving=True, **found).subject


@pytest.mark.parametrize(
    ("answer", "said"), [("alert", "--now --reason"), ("rollback", "Within the hour Kedge goes back")]
)
def test_a_broken_promise_says_what_is_done_about_it(answer, said):
    assert said in mail("promise_broken", answer=answer).body


def test_a_version_that_serves_unapproved_is_not_called_another_than_was_released():
    told = mail("endpoint_changed", state="rejected m-v2")
    assert "the version that serves is no longer approved" in told.subject


SEGMENT = {
    "group": "market_segment=Groups",
    "metric": "auc",
    "value": 0.61,
    "reference": 0.84,
    "severity": "CRITICAL",
    "alert": "CRITICAL",
    "reason": "auc 0.84 -> 0.61 (worse) for market_segment=Groups, 12% of rows (interval 0.58 to 0.64)",
}
FIGURE = {
    "name": "revenue",
    "alert": "CRITICAL",
    "reason": "revenue is beyond its limit: 30 per prediction (29 to 31), limit at least 40",
}


def window_mail(**performance):
    calm = WINDOW | {"columns": [], "reasons": []}
    return render_alert("window_judged", MODEL, NOW, calm | {"performance": HOLDS | performance})


def test_a_segment_that_alarms_is_named_in_the_headline_and_says_what_follows():
    mail = window_mail(segments=[SEGMENT, SEGMENT | {"group": "meal=BB"}])
    assert "auc is worse for market_segment=Groups (0.84 -> 0.61)" in mail.subject
    assert "auc is worse for market_segment=Groups (0.84 -> 0.61) and 1 more segment; no column drifted" in mail.body
    assert "In part: " in mail.body
    assert "starts no retraining. A person may start one." in mail.body
    assert f"kedge retrain {MODEL}" in mail.body
    silent = {name: value for name, value in SEGMENT.items() if name != "alert"}
    assert "market_segment" not in window_mail(segments=[silent]).subject


def test_a_business_figure_that_alarms_is_named_with_its_limit():
    mail = window_mail(business=[FIGURE, FIGURE | {"name": "refunds"}])
    assert "revenue is beyond its limit, so is 1 more figure; no column drifted" in mail.subject
    assert "BUSINESS FIGURES" in mail.body
    assert FIGURE["reason"] in mail.body


ADOPTED = {"package_version": "adopted-20261020-0030", "mode": "watch"}


@pytest.mark.parametrize("kind", ["window_judged", "captures_unreadable", "baseline_stale"])
def test_an_adopted_version_is_named_by_when_it_was_adopted(kind):
    found = mail(kind, **ADOPTED)
    assert "the version adopted on 2026-10-20" in found.body
    assert "adopted-" not in found.subject + found.body


def test_the_way_back_names_no_version_that_the_registry_does_not_know():
    body = mail("rejected", serving=False, releasing=True, previous_version=ADOPTED["package_version"]).body
    assert f'kedge rollback {MODEL} --reason "why"' in body


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("others", [0, 29])
def test_a_mail_names_the_models_that_ring_and_a_command_only_where_kedge_may_act(cause, managed, others):
    bundle = Bundle.began(cause, NOW, [MODEL, *(f"churn-{number}" for number in range(others))])
    detail = bundle.detail("ALARM", name=MODEL, value=3.0, managed=managed)
    found = render_alert("alarm", MODEL, NOW, detail)
    check_commands(found.body)
    assert "{" not in found.body
    if others:
        assert "with 29 more" in found.subject
        assert "churn-0, churn-1" in found.body
        assert "and 10 more" in found.body
    may_act = detail["alarm"] == "ServerErrors" and managed
    assert (f'\nkedge rollback {MODEL} --reason "why"\n' in found.body) == may_act


@pytest.mark.parametrize("kind", DETAILS)
def test_a_command_can_be_copied_as_it_stands(kind):
    check_commands(mail(kind).body)


def check_commands(body: str) -> None:
    assert not [word for word in ("--reason TEXT", "--reason WHY", "--comment TEXT") if word in body]
    commands = [line for line in body.splitlines() if line.startswith("kedge ")]
    assert not [line for line in commands if line.endswith(".")]
    # Inside a sentence a command would end with the sentence's own mark.
    assert not re.search(r": kedge [^\n]*\.(\n|$)", body)


@pytest.mark.parametrize(
    ("records", "unread", "words"),
    [(1, 1, "1 captured record and cannot read it."), (9, 9, "read any of them."), (9, 8, "read 8 of them.")],
)
def test_how_many_captures_cannot_be_read_is_said_as_a_person_would(records, unread, words):
    assert words in mail("captures_unreadable", records=records, unread=unread).body


@pytest.mark.parametrize(
    ("losses", "lasting", "hours", "words"),
    [
        (1, 1, None, "1 loss of quality in 28 days: it was not told (MTTD), it was not repaired by a better model (MTTR); it is not"),
        (2, 1, None, "2 losses of quality in 28 days: none was told (MTTD), none was repaired by a better model (MTTR); 1 is not"),
        (3, 2, 1.0, "3 losses of quality in 28 days: told after 1 hour on average (MTTD), none was repaired by a better model (MTTR); 2 are"),
        (1, 0, 0.2, "1 loss of quality in 28 days: told after less than an hour (MTTD), it was not repaired by a better model (MTTR)."),
    ],
)  # fmt: skip
def test_a_digest_counts_losses_in_singular_and_plural(losses, lasting, hours, words):
    response = DETAILS["digest"]["response"] | {"losses": losses, "lasting": lasting, "detect_hours": hours}
    assert words in mail("digest", response=response).body
