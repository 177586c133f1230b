"""Any past window, of any model: `kedge judge` finds what the schedule found, and `kedge backfill` what it never counted."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from app import build_app
from cli.main import app
from kedge.columns.casting import columns_of
from kedge.config.reading import parse_model_config
from kedge.estimation.estimators import fit_estimator
from kedge.outcomes.binary import count_binary
from kedge.outcomes.outcomes import Outcomes
from kedge.profile.encoding import encode_baseline
from kedge.profile.freezing import freeze_baseline
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from offline.account import Account
from tests.handlers.monitor_world import capture_line

pytestmark = pytest.mark.slow

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
# Of orders a second package serves from here on; returns keeps its first one, and was never profiled before this.
SWITCH, END = START + 6 * DAY + 9 * HOUR, START + 9 * DAY
YAML = """model: {model}
endpoint: {{name: {model}}}
features: [{{name: x, kind: numeric}}, {{name: c, kind: categorical}}]
cadence: {{profile: daily, judge: daily, window_days: 4}}
drift: {{minimum_rows: 50}}
labels: {{label_horizon_days: 1}}
"""


def rows(seed, count, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count) + shift
    scores = 1 / (1 + np.exp(-x))
    return x, rng.choice(["a", "b"], count), scores, (rng.random(count) < scores).astype(np.int64)


class Shop:
    """Two models in one account, whose requests, answers and labels are written as their endpoints and clients would."""

    def __init__(self, account, url):
        self.account, self.url = account, url
        self.s3, self.dynamodb = account.client("s3"), account.client("dynamodb")
        self.bucket = next(b["Name"] for b in self.s3.list_buckets()["Buckets"] if "-data" in b["Name"])
        self.table = next(name for name in self.dynamodb.list_tables()["TableNames"] if "State" in name)

    def put(self, key, body):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def freeze(self, config, version):
        x, c, scores, labels = rows(int(version), 3000)
        table = pa.table({"x": x, "c": c})
        answers = pa.table({config.prediction.name: scores})
        baseline = freeze_baseline(config.model, version, columns_of(config), table, answers)
        self.put(f"baselines/{config.model}/{version}.npz", encode_baseline(baseline))
        outcomes = Outcomes("binary_classification", scores, labels, ("0", "1"))
        reference = {
            "counts": count_binary(scores, labels, threshold=0.5).to_json(),
            "metrics": {},
            "estimator": fit_estimator(outcomes, threshold=0.5).to_json(),
        }
        self.put(f"baselines/{config.model}/{version}/reference.json", json.dumps(reference).encode())

    def promote(self, model, version, since):
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{model}/{version}"
        champion = Champion(arn, version, version, since, None, f"{model}-v{version}", f"{model}-v{version}")
        champions.save(self.dynamodb, self.table, model, champion)
        detail = {"package_version": version}
        timeline.record(self.s3, self.bucket, Entry(model, "baseline_switched", since, detail))

    def serve(self, model, version, hour, *, shift=0.0):
        """An hour's requests with their labels, which come a day later."""
        x, c, scores, labels = rows([hour.day, hour.hour], 40, shift)
        ids = [f"{model}-{hour:%d%H}-{number}" for number in range(len(x))]
        captured = [
            capture_line(*line) for line in zip(ids, [hour] * len(x), zip(x, c, strict=True), scores, strict=True)
        ]
        folder = f"capture/{model}/{version}/{model}/AllTraffic"
        self.put(f"{folder}/{hour:%Y/%m/%d/%H}/a.jsonl", "\n".join(captured).encode())
        truths = [
            json.dumps(
                {
                    "groundTruthData": {"data": str(label), "encoding": "CSV"},
                    "eventMetadata": {"eventId": row_id},
                    "eventVersion": "0",
                }
            )
            for row_id, label in zip(ids, labels, strict=True)
        ]
        self.put(f"labels/{model}/{hour + DAY:%Y/%m/%d/%H}/a.jsonl", "\n".join(truths).encode())

    def types(self, *arguments):
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])

    def keys(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"]: entry["ETag"] for page in pages for entry in page.get("Contents", [])}

    def read(self, key):
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def traces(self):
        """All that live judging leaves behind: the state, the timeline, and the reports of the schedule."""
        items = self.dynamodb.scan(TableName=self.table)["Items"]
        # The hourly watch goes on meanwhile.
        state = sorted(json.dumps(item, sort_keys=True, default=str) for item in items)
        reports = {key: tag for key, tag in self.keys("reports/").items() if "/asked/" not in key}
        return state, self.keys("audit/"), reports, sorted(self.account.mail_directory.glob("*.eml"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    directory = tmp_path_factory.mktemp("past")
    known = directory / "models"
    known.mkdir()
    configs = []
    for model in ("orders", "returns"):
        text = YAML.format(model=model)
        (known / f"{model}.yaml").write_text(text)
        configs.append(parse_model_config(text, source=f"{model}.yaml"))
    build_app(directory / "assembly", known).synth()
    with Account(start=START, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        shop = Shop(account, account.serve(0).url)
        for config in configs:
            for version in ("1", "2"):
                shop.freeze(config, version)
        shop.promote("orders", "1", START)
        hour = START
        while hour < END:
            new = hour >= SWITCH
            if new and hour - SWITCH < HOUR:
                shop.promote("orders", "2", SWITCH)
            if hour.hour % 3 == 0:
                shop.serve("orders", "2" if new else "1", hour, shift=1.5 * (hour >= START + 3 * DAY))
                shop.serve("returns", "1", hour)
            hour += HOUR
            account.clock.advance_to(hour)
        account.clock.advance_to(END + 3 * HOUR)
        shop.promote("returns", "1", START)
        yield shop


def day(number):
    return f"{START + number * DAY:%Y-%m-%d}"


def numbers_of(report):
    performance = report["performance"]
    return {
        "columns": report["columns"],
        "reasons": report["reasons"],
        "metrics": performance["metrics"],
        "judged": (performance["severity"], performance["reasons"], performance["ripe_rows"]),
        "window": report["window"],
        "digest": report["manifests_digest"],
    }


@pytest.mark.parametrize(("end", "package"), [(5, "1"), (6, "1"), (9, "2")])
def test_a_past_window_gets_the_numbers_that_its_schedule_found_and_leaves_no_trace(shop, end, package):
    before = shop.traces()
    result = shop.types("judge", "orders", "--from", day(end - 4), "--to", day(end), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    scheduled = shop.read(f"reports/orders/{package}/{day(end)}T00/drift-r1.json")
    assert numbers_of(found) == numbers_of(scheduled)
    assert (found["verdict"], found["baseline"]) == ("CRITICAL", package)
    assert found["report_key"].startswith(f"reports/orders/{package}/asked/")
    assert found["report_key"].replace(".json", ".html") in shop.keys("reports/orders/")
    assert shop.traces() == before


def test_a_window_begins_with_the_promotion_of_the_package_that_served_at_its_end(shop):
    result = shop.types("judge", "orders", "--from", day(5), "--to", day(9))
    assert f"judged from {SWITCH:%Y-%m-%d %H:%M} on: package version 2 was promoted then" in result.output
    other = shop.types("judge", "orders", "--from", day(1), "--to", day(8), "--package", "1", "--json")
    assert json.loads(other.stdout)["baseline"] == "1"


def test_a_window_as_of_a_later_day_is_measured_with_the_labels_that_came_since(shop):
    span = ("judge", "orders", "--from", day(2), "--to", day(6), "--json")
    first, later = (json.loads(shop.types(*span, *more).stdout) for more in ((), ("--as-of", day(8))))
    assert later["performance"]["ripe_rows"] > first["performance"]["ripe_rows"]
    assert later["columns"] == first["columns"]


def test_what_was_never_counted_is_counted_and_judged_once_and_what_runs_is_not_disturbed(shop):
    before = shop.traces()
    refused = shop.types("judge", "returns", "--from", day(1), "--to", day(4))
    assert refused.exit_code == 2
    assert "`kedge backfill returns` counts captures that are there" in refused.stderr
    span = ("backfill", "returns", "--from", day(3), "--to", day(6))
    first = shop.types(*span)
    assert first.exit_code == 0, first.output
    assert f"{day(4)}: 320 rows counted that were not" in first.stderr
    assert [line.partition(" ")[0] for line in first.stdout.splitlines()] == ["1/3", "2/3", "3/3"]
    kept = shop.keys("")
    second = shop.types(*span)
    assert second.stdout == first.stdout
    assert "0 of 3 windows judged, 3 were judged before" in second.stderr
    assert shop.keys("") == kept
    again = shop.types(*span, "--again", "--json")
    assert "3 of 3 windows judged" in again.stderr
    assert len(json.loads(again.stdout)) == 3
    assert shop.traces() == before


def test_a_stretch_that_was_cut_off_is_gone_on_with(shop):
    done = shop.types("backfill", "returns", "--from", day(6), "--to", day(7))
    assert "1 of 1 windows judged" in done.stderr
    rest = shop.types("backfill", "returns", "--from", day(6), "--to", day(8))
    assert "1 of 2 windows judged, 1 were judged before" in rest.stderr


def test_a_person_who_says_so_has_the_window_told_as_its_schedule_would(shop):
    end = START + 8 * DAY + 5 * HOUR
    result = shop.types("judge", "orders", "--from", day(7), "--to", f"{end:%Y-%m-%dT%H:%M:%SZ}", "--tell", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["report_key"] == f"reports/orders/2/{end:%Y-%m-%dT%H}/drift-r1.json"
    key = {"model": {"S": "orders"}, "item": {"S": f"window#{end:%Y-%m-%dT%H:%M:%SZ}"}}
    assert "Item" in shop.dynamodb.get_item(TableName=shop.table, Key=key)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("orders", "--from", day(2), "--to", day(30)), "is in the future: it is"),
        (("orders", "--from", day(5), "--to", day(4)), "is not before --to"),
        (("orders", "--from", day(5), "--to", day(5)), "is not before --to"),
        (("orders", "--from", day(-30), "--to", day(-20)), "no package of orders served before"),
        (("orders", "--from", day(-30), "--to", day(-20), "--package", "1"), "first captures that were counted are of"),
        (("orders", "--from", day(1), "--to", day(4), "--package", "9"), "has no baseline at baselines/orders/9.npz"),
        (
            ("parcels", "--from", day(1), "--to", day(4)),
            "no model is called 'parcels'; the models are: orders, returns",
        ),
        (("orders", "--from", "soon", "--to", day(4)), "--from 'soon' is no time"),
        (("orders", "--from", day(1) + "T00:30", "--to", day(4)), "full hours, UTC"),
        (("orders", "--from", day(1), "--to", day(4), "--as-of", day(3)), "is before the window's end"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(shop, arguments, words):
    result = shop.types("judge", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("kedge judge: ")
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_the_functions_payload_judges_the_same_window(shop):
    names = {f["FunctionName"] for page in [shop.account.client("lambda").list_functions()] for f in page["Functions"]}
    called = {part: next(name for name in names if part in name) for part in ("MeasurePerformance", "DetectDrift")}
    payload = {
        "model": "orders",
        "time": f"{day(9)}T02:00:00Z",
        "window": {"start": f"{SWITCH:%Y-%m-%dT%H:%M:%SZ}", "end": f"{day(9)}T00:00:00Z"},
    }
    for part in called:
        answer = shop.account.client("lambda").invoke(FunctionName=called[part], Payload=json.dumps(payload).encode())
        payload = json.loads(answer["Payload"].read())
    report = shop.read(payload["report_key"])
    assert numbers_of(report) == numbers_of(shop.read(f"reports/orders/2/{day(9)}T00/drift-r1.json"))
