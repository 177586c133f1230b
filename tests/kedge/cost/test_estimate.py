"""An estimate from coefficients that fit on a page, recomputed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.config.prices import USD
from kedge.config.reading import parse_model_config
from kedge.cost.estimate import alarms_of_model, deployment_lines, estimate
from kedge.cost.lines import total
from kedge.cost.work import Coefficients, Function, JoinQuery, Work
from tests.builders import YAML, make_config

NAMES = (
    "profile_logs", "measure_performance", "detect_drift", "decide_retraining", "write_pages", "settle", "watch_captures",
    "keep_history", "send_digest", "expire_captures", "join_labels",
)  # fmt: skip
TICKS = ("fan_out hour", "fan_out profile", "fan_out judge", "watch_monitor")
# A gigabyte is a second and a core: 2,048 MiB have one core, and are two gigabytes.
PER_ROW = {"rows": Work(1e-6), "objects": Work(0, {"s3 GetObject": 1}), "window_rows": Work(1e-7)}
DAILY = "cadence: {profile: daily, judge: daily, window_days: 7}\n"
WEEKLY = "cadence: {profile: daily, judge: weekly, window_days: 28}\n"
DAYS = 730 / 24


def measured(**changes):
    functions = {name: Function(2048, 600, 0.0, Work(1.0), PER_ROW) for name in NAMES}
    functions |= {name: Function(2048, 600, 0.0, Work(1.0), {"models": Work(0.001)}) for name in TICKS}
    sizes = {
        "capture_record": 397,
        "capture_column": 1,
        "part_row": 30,
        "label": 100,
        "label_row": 10,
        "day_object": 1e4,
        "judgement": 1e5,
    }
    templates = {"alarms": 46, "keys": 1, "queues": 9, "ticks": 2381}
    found = {"functions": functions, "sizes": sizes, "templates": templates, "machine": "a core", "columns": 3}
    return Coefficients(**found | {"queries": (JoinQuery(1e6, 50.0), JoinQuery(0.0, 1.0))} | changes)


def line(found, what):
    (one,) = [each for each in found.lines if each.what == what]
    return one


def test_rows_are_paid_by_the_seconds_that_they_take():
    found = estimate(make_config(DAILY), measured(), rows_a_day=1_000_000)
    # A second fixed and one for a million rows, at two gigabytes, each day; and its waits for 1,440 objects, ten at once.
    seconds = 2 + 1440 * 0.02 / 10
    assert line(found, "Lambda profile_logs, GB-seconds").quantity == pytest.approx(DAYS * seconds * 2)
    assert line(found, "S3 read requests").quantity == pytest.approx(DAYS * 1440)


def test_rows_of_json_take_seconds_of_their_own():
    reads = Function(2048, 600, 0.0, Work(), {"rows": Work(1e-6), "json_rows": Work(9e-6)})
    functions = measured().functions | {"profile_logs": reads}
    csv, json = (
        estimate(
            with_endpoint(f"endpoint: {{name: parcels, content_type: {kind}}}\n{DAILY}"),
            measured(functions=functions),
            rows_a_day=10**6,
        )
        for kind in ("text/csv", "application/json")
    )
    what = "Lambda profile_logs, GB-seconds"
    assert line(json, what).quantity == pytest.approx(10 * line(csv, what).quantity)
    assert any("JSON" in said for said in csv.assumptions)
    assert not any("JSON" in said for said in json.assumptions)


def test_a_sample_keeps_and_judges_less_and_reads_as_much():
    whole, sampled = (
        estimate(make_config(DAILY + more), measured(), rows_a_day=1_000_000)
        for more in ("", "capture: {counted_percentage: 10}\n")
    )
    for what in ("Lambda profile_logs, GB-seconds", "S3 read requests", "S3 GB after a year: captures"):
        assert line(sampled, what).quantity == line(whole, what).quantity
    kept = "S3 GB after a year: predictions"
    assert line(sampled, kept).quantity == pytest.approx(line(whole, kept).quantity / 10)
    judged = "Lambda detect_drift, GB-seconds"
    assert line(sampled, judged).quantity < line(whole, judged).quantity
    assert any("100,000 of them are counted and kept" in said for said in sampled.assumptions)


def test_captures_are_counted_apart_from_watching_for_any_monitor_needs_them():
    found = estimate(make_config(DAILY), measured(), rows_a_day=1000)
    assert line(found, "S3 requests that write them").quantity == pytest.approx(DAYS * 1000)
    # 400 bytes a record, a year of them.
    assert line(found, "S3 GB after a year: captures").quantity == pytest.approx(1000 * 400 * 365 / 1e9)
    assert total(found.lines, "captures") == pytest.approx(
        DAYS * 1000 * USD["S3 write"] + 1000 * 400 * 365 / 1e9 * USD["S3 GB"]
    )


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("", "Data Capture writes 1,440 objects a day: 720 an instance,"),
        ("mode: watch\nsource: log\n", "the log comes in 720 objects a day: 720 were assumed,"),
        (
            "mode: watch\nsource: batch_transform\ncapture: {uri: s3://theirs/captures}\n",
            "transform jobs capture 720 objects a day: 720 were assumed,",
        ),
    ],
)
def test_who_writes_the_captures_is_said_by_the_source(yaml, said):
    config = with_endpoint(yaml) if yaml else make_config()
    assert any(each.startswith(said) for each in estimate(config, measured()).assumptions)


def stored(found, part="watching"):
    return {each.what: each for each in found.lines if each.part == part and each.unit.startswith("S3 ")}


def test_large_captures_that_nobody_reads_again_move_to_cheaper_tiers():
    found = stored(estimate(make_config(DAILY), measured(), rows_a_day=10**9), "captures")
    # 400 GB a day in 1,440 objects: in the dear tier until they are moved after 7 days and unread for 30, then 60 days in the next.
    gigabytes = found["S3 GB after a year: captures"]
    mean = (37 * 0.023 + 60 * 0.0125 + (365 - 97) * 0.004) / 365
    assert gigabytes.quantity == pytest.approx(400 * 365)
    assert gigabytes.usd == pytest.approx(400 * 365 * mean, rel=1e-3)
    assert found["S3 Intelligent-Tiering, objects moved there"].usd == pytest.approx(1440 * DAYS * 1e-5, rel=1e-2)
    assert found["S3 Intelligent-Tiering, objects watched"].usd == pytest.approx(1440 * 358 * 2.5e-6, rel=1e-2)


def test_captures_that_expire_are_paid_for_until_their_past_version_goes():
    found = stored(
        estimate(make_config(DAILY + "capture: {expire_days: 40}\n"), measured(), rows_a_day=1000), "captures"
    )
    assert found["S3 GB after a year: captures"].quantity == pytest.approx(1000 * 400 * 70 / 1e9)


def test_small_objects_are_not_moved():
    # Captures of 0.4 KB and a part of 30 KB a day, where 256 KiB are worth watching.
    found = estimate(make_config(DAILY), measured(), rows_a_day=1000)
    assert not [each for each in found.lines if each.unit in ("S3 object moved", "S3 object watched")]
    prices = [each.price for each in stored(found).values() if each.unit == "S3 GB"]
    assert prices == pytest.approx([USD["S3 GB"]] * len(prices), rel=0.01)


@pytest.mark.parametrize(
    ("yaml", "changes", "days"),
    [
        ("", 0, 7),  # the judged window
        ("", 1, 365),
        ("training: {window_days: 90}\n", 1, 90),
        ("training: {window: expanding, window_days: 90}\n", 1, 365),
        ("mode: watch\n", 1, 7),
    ],
)
def test_rows_stay_in_the_dear_tier_for_as_long_as_a_retraining_reads_them(yaml, changes, days):
    found = estimate(make_config(DAILY + yaml), measured(), rows_a_day=10**9, changes_a_month=changes)
    frequent = min(365, days + 30)
    infrequent = min(365, days + 90) - frequent
    mean = (frequent * 0.023 + infrequent * 0.0125 + (365 - frequent - infrequent) * 0.004) / 365
    # A few of the parts, of 2.4 MB each, are too small.
    assert stored(found)["S3 GB after a year: predictions"].price == pytest.approx(mean, rel=0.02)


def test_metrics_are_those_of_the_table_by_the_hours_in_which_they_are_sent():
    none, few, every = (
        [
            each
            for each in estimate(make_config(WEEKLY + f"metrics: {wanted}\n"), measured()).lines
            if each.unit == "CloudWatch metric"
        ]
        for wanted in ("none", "few", "all")
    )
    assert none == []
    by_name = {each.what.removeprefix("metric "): each.quantity for each in every}
    assert by_name["RowsCaptured"] == pytest.approx(1 / 24)
    # The metrics with a limit, which are two of a binary classification.
    (measured_quality,) = [each.quantity for each in few if each.what == "metric Performance/*"]
    assert measured_quality == pytest.approx(2 / 24 / 7)
    assert by_name["JudgementAgeCadences"] == pytest.approx(1 / 12)
    assert total(every) > total(few)


@pytest.mark.parametrize(
    ("yaml", "alarms"),
    [
        ("", 0),
        ("health: {server_error_fraction: 0.05}", 1),
        ("health: {p95_milliseconds: 50, no_invocations_hours: 6}", 2),
        ("health: {p95_milliseconds: 50, enabled: false}", 0),
        ("mode: watch\nendpoint: {name: parcels, variants: [a, b]}\nhealth: {disk_fraction: 0.9}", 2),
    ],
)
def test_the_alarms_of_a_model_are_those_of_each_variant(yaml, alarms):
    config = make_config(yaml) if "endpoint" not in yaml else with_endpoint(yaml)
    assert alarms_of_model(config) == alarms


def with_endpoint(yaml):
    return parse_model_config(YAML.replace("endpoint: {name: parcels}\n", "") + yaml, source="parcels.yaml")


def test_a_large_window_is_joined_on_athena_and_paid_by_what_its_queries_scan():
    found = estimate(make_config(DAILY), measured(), rows_a_day=1_000_000)
    # 7 days of 40 bytes a row and label are 280 MB, above the 256 MiB of the YAML's default. One query scans a megabyte and
    # 50 bytes of each of 7 million rows; the other seven megabytes, and ten are billed.
    assert line(found, "Athena, TB that joins and counts read").quantity == pytest.approx(DAYS * (351e6 + 10e6) / 1e12)
    wide = estimate(make_config(DAILY), measured(columns=1), rows_a_day=1_000_000)
    assert line(wide, "Athena, TB that joins and counts read").quantity == pytest.approx(DAYS * (701e6 + 14e6) / 1e12)
    few = estimate(make_config(DAILY), measured(), rows_a_day=900_000)
    assert not [each for each in few.lines if each.unit == "Athena TB"]


def test_who_joins_on_athena_waits_for_each_query():
    asks = Function(1024, 900, 0.0, Work(0.0, {"athena StartQueryExecution": 4, "athena GetQueryExecution": 8}), {})
    found = estimate(
        make_config(DAILY), measured(functions=measured().functions | {"join_labels": asks}), rows_a_day=1_000_000
    )
    # Ten seconds a query, and twelve calls of 30 ms, at one gigabyte.
    assert line(found, "Lambda join_labels, GB-seconds").quantity == pytest.approx(DAYS * (40 + 12 * 0.03))


def test_the_endpoints_errors_are_looked_at_twice_a_day_unless_they_have_an_alarm():
    looks = line(estimate(make_config(DAILY), measured()), "CloudWatch, looks at the endpoint's 5xx")
    assert looks.quantity == pytest.approx(2 * DAYS)
    alarmed = estimate(make_config(DAILY + "health: {server_error_fraction: 0.1}\n"), measured())
    assert [each.quantity for each in alarmed.lines if each.unit == "CloudWatch alarm"] == [1]
    assert not [each for each in alarmed.lines if each.unit == "CloudWatch read"]


def test_a_function_that_runs_for_two_reasons_is_one_line():
    found = estimate(make_config(DAILY), measured(), rows_a_day=1_000_000)
    # A second for each of the two runs: Athena counts the window's rows.
    seconds = line(found, "Lambda measure_performance, GB-seconds").quantity
    assert seconds == pytest.approx(DAYS * 2 * (1 + 1))


def test_a_model_that_sends_no_metrics_makes_no_call_for_them():
    put = {name: Function(2048, 600, 0.0, Work(1.0, {"cloudwatch PutMetricData": 1}), PER_ROW) for name in NAMES}
    functions = measured().functions | put
    lines = {
        wanted: {
            each.unit for each in estimate(make_config(f"metrics: {wanted}\n"), measured(functions=functions)).lines
        }
        for wanted in ("none", "few")
    }
    assert "CloudWatch write" in lines["few"]
    assert "CloudWatch write" not in lines["none"]


def test_wider_rows_take_longer_and_are_as_many_calls():
    narrow, wide = (estimate(make_config(DAILY), measured(columns=columns), rows_a_day=10**6) for columns in (3, 1))
    # Four columns with the answer, of three and of one measured feature: twice as wide.
    fixed, waits = 1, 1440 * 0.02 / 10
    assert line(wide, "Lambda profile_logs, GB-seconds").quantity == pytest.approx(DAYS * (fixed + 2 + waits) * 2)
    assert line(wide, "S3 read requests").quantity == line(narrow, "S3 read requests").quantity


def test_a_run_that_would_not_end_is_said():
    slow = {**PER_ROW, "window_rows": Work(1e-4)}
    functions = measured().functions | {"measure_performance": Function(2048, 600, 0.0, Work(), slow)}
    found = estimate(make_config(DAILY), measured(functions=functions), rows_a_day=900_000)
    assert "a run of measure_performance would last 630 s, and may last 600" in "; ".join(found.assumptions)


def test_labels_in_no_order_are_looked_for_among_all_ids_of_the_day_once_for_each_batch_of_their_files():
    searching = Function(2048, 600, 0.0, Work(), {"searched_rows": Work(1e-6)})
    functions = measured().functions | {"measure_performance": searching}
    few, many = (
        estimate(make_config(DAILY), measured(functions=functions), rows_a_day=rows) for rows in (300_000, 3_000_000)
    )
    # Two million labels at a time: once 300,000 ids, and twice 3 million.
    assert line(few, "Lambda measure_performance, GB-seconds").quantity == pytest.approx(DAYS * 0.3 * 2)
    assert line(many, "Lambda measure_performance, GB-seconds").quantity == pytest.approx(DAYS * 2 * 3 * 2)


def test_a_change_is_paid_by_its_instances_and_a_watched_model_has_none():
    found = estimate(make_config(DAILY), measured(), changes_a_month=2)
    # An hour of training at most, for each of the two.
    assert line(found, "SageMaker hours: training, at most").usd == pytest.approx(2 * 0.23)
    # Two instances for a start of 10 minutes, a bake of 45 and a wait of 10.
    assert line(found, "SageMaker hours: second fleet of a release").quantity == pytest.approx(2 * 2 * 65 / 60)
    assert line(found, "Step Functions transitions").quantity == 2 * 226
    watched = estimate(make_config(DAILY + "mode: watch\n"), measured(), changes_a_month=2)
    assert total(watched.lines, "changes") == 0


@pytest.mark.parametrize(
    ("release", "hours"),
    [
        # Half of the instances are one; each of two batches bakes 45 minutes and takes 10.
        ("{strategy: rolling, step_fraction: 0.5}", (10 + 2 * 55) / 60),
        ("{strategy: all_at_once}", 2 * 65 / 60),
        ("{strategy: shadow, shadow: {days: 3, share: 0.5}}", 3 * 24 + 2 * 65 / 60),
        ("{strategy: ab, ab: {days: {minimum: 7, maximum: 10}}}", 10 * 24 + 2 * 65 / 60),
    ],
)
def test_a_release_pays_for_the_instances_of_its_strategy(release, hours):
    config = make_config(f"release: {release}\n")
    assert line(estimate(config, measured()), "SageMaker hours: second fleet of a release").quantity == pytest.approx(
        hours
    )


def test_an_instance_without_a_price_is_left_out_and_said():
    found = estimate(make_config(DAILY + "training: {instance_type: ml.x9.large}\n"), measured())
    assert "the price of ml.x9.large is not known" in "; ".join(found.assumptions)
    own = "training: {instance_type: ml.x9.large}\nretraining: {usd_per_instance_hour: 2.0}\n"
    assert line(estimate(make_config(DAILY + own), measured()), "SageMaker hours: training, at most").usd == 2.0


def test_a_deployment_pays_for_alarms_its_key_its_ticks_and_for_asking_empty_queues():
    found = deployment_lines(measured(), is_hourly=False)
    polls = 9 * 5 * 3 * 60 * 730
    assert sum(each.usd for each in found if each.unit == "CloudWatch alarm") == pytest.approx(4.60)
    assert [each.quantity for each in found if each.what == "SQS, idle polling of the queues"] == [polls]
    assert total(deployment_lines(measured(), is_hourly=True)) > total(found)


@pytest.mark.parametrize(("is_hourly", "usd"), [(False, 0.125), (True, 0.40)])
def test_each_list_of_addresses_has_an_alarm_and_its_metric(is_hourly, usd):
    without, with_two = (total(deployment_lines(measured(), is_hourly=is_hourly, lists=lists)) for lists in (0, 2))
    assert with_two - without == pytest.approx(2 * usd)


def test_the_share_of_the_deployment_is_part_of_the_sum_and_of_the_document():
    found = estimate(make_config(DAILY), measured(), share_usd=3.0)
    document = found.to_json()
    assert found.usd == pytest.approx(total(found.lines) + 3.0)
    assert document["usd_a_month"] == pytest.approx(sum(document["parts"].values()) + 3.0)
    assert sum(each["usd_a_month"] for each in document["lines"]) == pytest.approx(total(found.lines))


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_more_rows_never_cost_less(one, other):
    fewer, more = sorted((one, other))
    config = make_config(DAILY)
    assert (
        estimate(config, measured(), rows_a_day=fewer).usd <= estimate(config, measured(), rows_a_day=more).usd + 1e-9
    )
