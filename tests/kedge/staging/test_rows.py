"""The rows of a trial: what is clearly beyond its limit refuses, what may be chance warns, what was not measured says so."""

import numpy as np
import pytest
from scipy.stats import binom

from kedge.config.staging import Staging
from kedge.intervals import z_of
from kedge.staging.record import Sent, TrialRecord
from kedge.staging.rows import percentile, staging_rows

EVEN = tuple(float(n) for n in range(1, 1001))  # milliseconds: the 95th percentile is 950


def judge(policy=None, **found):
    given = {"done": True, "milliseconds": EVEN, "compared": 300, "load": "how it was loaded"} | found
    return {row.gate: row for row in staging_rows(TrialRecord(**given), Staging(**(policy or {})), confidence=0.95)}


def test_without_limits_the_latency_is_told_and_refuses_nothing():
    rows = judge()
    assert [*rows] == ["staging_p50_ms", "staging_p95_ms", "staging_p99_ms", "staging_errors", "staging_skew"]
    assert [rows[f"staging_p{part}_ms"].value for part in (50, 95, 99)] == [500, 950, 990]
    assert {row.verdict for row in rows.values()} == {"PASS"}
    assert ["how it was loaded" in row.reason for row in rows.values()] == [True, False, False, False, False]


@pytest.mark.parametrize(("limit", "verdict"), [(950, "PASS"), (949, "WARN"), (900, "REFUSE")])
def test_a_latency_is_refused_where_its_whole_interval_is_above_the_limit(limit, verdict):
    row = judge({"p95_milliseconds": limit})["staging_p95_ms"]
    assert row.verdict == verdict
    assert row.low < row.value < row.high
    assert row.reason.startswith("the 95th percentile of the latency on staging is 950 ms (")


def test_the_interval_of_a_percentile_covers_it_as_often_as_it_says():
    for part, size in ((50, 200), (95, 400)):
        # Ranks alone decide, so the law of the values does not matter: the true percentile is the quantile of uniform numbers.
        draw, covered = np.random.default_rng(part), 0
        for _ in range(400):
            found = percentile(draw.random(size).tolist(), part, z_of(0.95))
            covered += found.low <= part / 100 <= found.high
        assert covered >= binom.ppf(0.001, 400, 0.93)


@pytest.mark.parametrize(
    ("failed", "verdict"), [(0, "PASS"), (10, "PASS"), (15, "WARN"), (40, "REFUSE"), (1000, "REFUSE")]
)
def test_failed_requests_are_judged_by_their_share(failed, verdict):
    row = judge(milliseconds=EVEN[: 1000 - failed], failures={"HTTP 500": failed} if failed else {})["staging_errors"]
    assert (row.verdict, row.value) == (verdict, failed / 1000)
    assert row.reason.startswith(f"{failed:,} of 1,000 replayed requests failed on staging")
    assert ("most of them with HTTP 500" in row.reason) == (failed > 0)


@pytest.mark.parametrize(("different", "verdict"), [(0, "PASS"), (5, "WARN"), (30, "REFUSE")])
def test_answers_that_the_transform_job_gave_otherwise_are_judged_by_their_share(different, verdict):
    row = judge(different=different)["staging_skew"]
    assert (row.verdict, row.value) == (verdict, different / 300)


def test_a_model_that_fails_every_request_has_no_latency_and_is_refused():
    rows = judge(milliseconds=(), failures={"HTTP 500": 200}, compared=300, different=300)
    assert [*rows] == ["staging_errors", "staging_skew"]
    assert {row.verdict for row in rows.values()} == {"REFUSE"}


def test_a_container_that_cannot_serve_is_refused_with_what_sagemaker_says():
    rows = judge(done=False, refused="The primary container did not pass the ping health check.")
    (row,) = rows.values()
    assert (row.gate, row.verdict) == ("staging_endpoint", "REFUSE")
    assert "did not pass the ping health check" in row.reason


@pytest.mark.parametrize("wanted", ["WARN", "REFUSE"])
@pytest.mark.parametrize("found", [{"unfinished": "no instance was left"}, {"done": False}, {"milliseconds": ()}])
def test_what_was_not_measured_says_so_with_the_verdict_of_the_yaml(wanted, found):
    (row,) = judge({"not_measured": wanted}, **({"done": bool(found.get("milliseconds") == ())} | found)).values()
    assert (row.gate, row.verdict, row.value) == ("staging", wanted, None)
    assert row.reason.startswith("staging is not measured: ")
    assert found.get("unfinished", "the trial did not come to its end") in row.reason


def test_a_record_adds_stretch_by_stretch_and_is_stored_whole():
    first = TrialRecord(load="l", wanted=3).with_sent([Sent(1.0), Sent(0.0, "HTTP 500")])
    whole = first.with_sent([Sent(2.0), Sent(0.0, "ReadTimeoutError"), Sent(0.0, "HTTP 500")])
    assert (whole.sent, whole.failed) == (5, 3)
    assert whole.failures == {"HTTP 500": 2, "ReadTimeoutError": 1}
    assert TrialRecord.from_json(whole.to_json()) == whole
