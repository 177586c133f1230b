"""Forty models of several owners, and one person who asks which of them needs attention."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.text import Text
from typer.testing import CliRunner

from cli.main import app
from kedge.alerts.holding import Mute
from kedge.alerts.ringing import Bundle
from kedge.instants import from_text, to_text
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.layout import ringing_key
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import champions, mutes, windows
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.windows import StoredWindow
from lambdas.steps.health.ringing import keep_bundles
from offline.account import Account
from tests import deployed_models
from tests.synthesised import EXAMPLE, assembly, example_models

NOW = datetime(2016, 3, 1, 9, tzinfo=UTC)
END = datetime(2016, 3, 1, tzinfo=UTC)
TEAMS = ("risk", "pricing", "web", "logistics")
NAMES = [f"{team}-{number:02}" for team in TEAMS for number in range(10)]
OK, WARNING, CRITICAL = Severity.OK, Severity.WARNING, Severity.CRITICAL
# The one that matters: its loss is no larger than that of a small model, but a hundred times as many rows are answered.
DEPLOYED = "hotel-cancellations"
MATTERS, SMALL, DRIFTS, LATE, UNSERVED = "pricing-07", "web-03", "risk-01", "logistics-04", "web-09"
YAML = """
model: {name}
owner: {{team: {team}}}
endpoint: {{name: {name}}}
features: [{{name: weight, kind: numeric}}]
"""


def live(value, severity):
    return (
        {
            "name": "auc",
            "value": value,
            "low": value - 0.01,
            "high": value + 0.01,
            "limit": 0.78,
            "severity": severity.value,
        },
    )


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    place = tmp_path_factory.mktemp("checkout")
    (place / "models").mkdir()
    (place / "teams.yaml").write_text(
        "teams: {" + ", ".join(f"{team}: {{email: [{team}@example.com]}}" for team in TEAMS) + "}"
    )
    for name in NAMES:
        (place / "models" / f"{name}.yaml").write_text(YAML.format(name=name, team=name.partition("-")[0]))
    with (
        pytest.MonkeyPatch.context() as patch,
        Account(start=NOW, directory=tmp_path_factory.mktemp("account")) as account,
    ):
        account.deploy(assembly())
        deployed_models.choose(patch, place / "models")
        person = Person(account, account.serve(0).url)
        deployed_models.put_all(person.s3, person.bucket)
        yield person


class Person:
    """Someone with a terminal, and forty models behind it."""

    def __init__(self, account, url):
        self.account, self.url = account, url
        self.dynamodb, self.s3 = account.client("dynamodb"), account.client("s3")
        self.bucket = next(b["Name"] for b in self.s3.list_buckets()["Buckets"] if "-data" in b["Name"])
        self.table = next(name for name in self.dynamodb.list_tables()["TableNames"] if "State" in name)
        for name in NAMES:
            if name != UNSERVED:
                self.serve(name)
        self.judge(MATTERS, performance=CRITICAL, metrics=live(0.70, CRITICAL), rows=5000)
        self.judge(SMALL, performance=CRITICAL, metrics=live(0.70, CRITICAL), rows=50)
        self.judge(DRIFTS, drift=CRITICAL, rows=9000)

    def serve(self, name, *, version="3"):
        arn = f"arn:aws:sagemaker:eu-west-1:{self.account.account_id}:model-package/{name}/{version}"
        since = END - timedelta(days=60)
        champion = Champion(arn, version, version, since, since, f"{name}-v3", f"{name}-v3")
        champions.save(self.dynamodb, self.table, name, champion)
        self.judge(name, end=END - timedelta(days=5) if name == LATE else END)

    def judge(self, name, *, end=END, drift=OK, performance=OK, metrics=None, rows=100):
        verdict = WindowVerdict(end - timedelta(days=7), end, drift, performance)
        window = StoredWindow(verdict, "3", "d", 1, 5000, tuple([rows] * 24), metrics or live(0.82, OK))
        windows.save_window(self.dynamodb, self.table, name, window)

    def register(self, name):
        sagemaker = self.account.client("sagemaker")
        if name not in {
            g["ModelPackageGroupName"] for g in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        }:
            sagemaker.create_model_package_group(ModelPackageGroupName=name)
        self.s3.put_object(Bucket=self.bucket, Key="model.tar.gz", Body=b"")
        for _ in range(4):
            arn = sagemaker.create_model_package(
                ModelPackageGroupName=name,
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={
                    "Containers": [{"Image": "i", "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            )["ModelPackageArn"]
        return arn

    def types(self, *arguments):
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])

    def lines(self, *arguments):
        return self.types("status", *arguments).stdout.splitlines()


def test_the_model_that_matters_stands_first_and_the_exit_code_says_that_a_person_is_needed(person):
    result = person.types("status")
    assert result.exit_code == 1, result.output
    head, why, _, *table = result.stdout.splitlines()
    assert head == "40 models: 3 CRITICAL, 36 OK, 1 no data, 1 judged late"
    assert why == f"first: {MATTERS}: quality is lost: auc is 0.7, its limit is 0.78, 120,000 rows a day"
    first = table[0].split()
    assert first[:2] == ["CRITICAL", MATTERS]
    assert "auc 0.7 < 0.78" in table[0]
    # Of two equal losses the one with more traffic leads; drift without a loss comes after both, lateness after that.
    assert [line.split()[1] for line in table[:4]] == [MATTERS, SMALL, DRIFTS, LATE]
    assert next(line for line in table if line.startswith("- ")) == (
        f"- {MATTERS}: quality is lost: auc is 0.7, its limit is 0.78, 120,000 rows a day; read `kedge history {MATTERS} --last 20`"
    )


def test_every_model_has_one_line_that_fits_a_narrow_terminal(person, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    lines = [Text.from_ansi(line).plain for line in person.lines()]
    table = lines[3:43]
    assert sorted(next(name for name in NAMES if name in line) for line in table) == sorted(NAMES)
    assert all(len(line) <= 80 for line in table)
    assert "auc 0.7 < 0.78" in table[0]


def test_how_fast_losses_were_told_and_repaired_is_read_from_the_timelines(person):
    day = timedelta(days=1)
    for kind, ago, detail in (
        ("window_judged", 30, judged_detail(30, "OK", "2")),
        ("window_judged", 25, judged_detail(25, "CRITICAL", "2")),
        ("alert_sent", 24.5, {"severity": "CRITICAL", "window": judged_detail(25, "CRITICAL", "2")["window"]}),
        ("baseline_switched", 22, {"package_version": "3"}),
        ("window_judged", 15, judged_detail(15, "OK", "3")),
    ):
        timeline.record(person.s3, person.bucket, Entry(MATTERS, kind, END - ago * day, detail))
    lines = person.lines("--response-days", "90")
    times = "1 loss, told after 5.5 days on average (MTTD), a better model served after 8.0 days (MTTR)"
    assert lines[-2:] == [f"- all models: {times}", f"- {MATTERS}: {times}"]
    (status,) = json.loads(person.types("status", MATTERS, "--response-days", "90", "--json").stdout)
    assert (status["mttd_days"], status["mttr_days"]) == (5.5, 8.0)


def judged_detail(ago, severity, package):
    end = END - timedelta(days=ago)
    span = {"start": to_text(end - timedelta(days=7)), "end": to_text(end)}
    return {"window": span, "package_version": package, "performance": {"severity": severity}}


def test_a_team_sees_its_own_models(person):
    found = json.loads(person.types("status", "--team", "web", "--json").stdout)
    assert {status["team"] for status in found} == {"web"}
    assert len(found) == 10
    refused = person.types("status", "--team", "wbe")
    assert refused.exit_code == 2
    assert "teams with models are: logistics, pricing, risk, web" in refused.output


def test_all_models_are_paused_and_go_on_with_one_command_each(person):
    assert "pricing-07" in person.types("pause", "--all", "--reason", "stock-taking").output
    assert "paused" in "".join(person.lines(SMALL))
    assert (
        person.types("pause", "--all", "--reason", "again").output.strip()
        == "no model serves that is not paused already"
    )
    assert "goes on for 39 models" in person.types("pause", "--all", "--resume").output
    assert person.types("pause", "--reason", "x").exit_code == 2


def test_an_estimate_is_shown_where_labels_are_out_and_a_mute_with_its_reason(person):
    (before,) = windows.load_windows(person.dynamodb, person.table, "web-03", since=END)
    guess = {"name": "auc", "value": 0.81, "low": 0.79, "high": 0.83, "limit": 0.78, "severity": "OK"}
    verdict = replace(before.verdict, performance=None, estimate=Severity.OK)
    guessed = replace(before, verdict=verdict, live=(), estimates=(guess,))
    windows.save_window(person.dynamodb, person.table, "web-03", guessed)
    until = (NOW + timedelta(days=9)).strftime("%Y-%m-%d")
    mutes.save(person.dynamodb, person.table, "web-03", Mute(from_text(f"{until}T00:00:00Z"), "a campaign", "ann"))
    (status,) = json.loads(person.types("status", "web-03", "--json").stdout)
    line = next(line for line in person.lines("web-03") if "web-03" in line)
    windows.save_window(person.dynamodb, person.table, "web-03", before)
    mutes.remove(person.dynamodb, person.table, "web-03")
    assert "auc 0.81 > 0.78 (estimated)" in line
    assert line.rstrip().endswith("muted")
    assert status["holds"] == {"muted": f"no message before {until} 00:00 UTC: a campaign"}


def test_what_cannot_be_read_of_one_model_is_said_and_the_others_are_shown(person):
    item = {"model": {"S": "web-05"}, "item": {"S": "champion"}, "version": {"S": "99"}}
    before = person.dynamodb.get_item(TableName=person.table, Key={k: item[k] for k in ("model", "item")})["Item"]
    person.dynamodb.put_item(TableName=person.table, Item=item)
    result = person.types("status")
    person.dynamodb.put_item(TableName=person.table, Item=before)
    assert result.exit_code == 2
    assert sum(name in result.stdout for name in NAMES) == 40
    assert "- web-05: the item 'champion' of web-05" in result.stdout


def test_what_waits_is_listed_with_its_age_and_the_deployed_settle_reminds_people_once_a_day(person):
    arn = person.register("risk-05")
    # Three days of forty models' ticks would say no more than those of one: for as long the example is deployed alone.
    for name in NAMES:
        person.s3.delete_object(Bucket=person.bucket, Key=f"deployed/{name}.yaml")
    example = (example_models() / EXAMPLE).read_bytes()
    person.s3.put_object(Bucket=person.bucket, Key=f"deployed/{EXAMPLE}", Body=example)
    person.serve(DEPLOYED, version="1")
    person.register(DEPLOYED)
    for days in (5, 4, 3, 2, 1):
        hour = NOW - timedelta(days=days)
        key = f"labels/{DEPLOYED}/{hour:%Y/%m/%d/%H}/labels.jsonl"
        person.s3.put_object(Bucket=person.bucket, Key=key, Body=b"{}")
    person.account.clock.advance_to(person.account.clock.now + timedelta(days=3))
    deployed_models.put_all(person.s3, person.bucket)
    (status,) = json.loads(person.types("status", "risk-05", "--json").stdout)
    assert [each["version"] for each in status["pending"]] == [
        arn.rpartition("/")[2]
    ]  # older ones than v3 count no more
    line = next(line for line in person.lines("risk-05") if line.startswith(("OK", "CRITICAL", "no data")))
    assert "v4 waits 3d" in line
    told = [entry["kind"] for entry in timeline.load_timeline(person.s3, person.bucket, DEPLOYED)]
    # Four packages are pending, and three are newer than what serves.
    assert (told.count("approval_waits"), told.count("labels_silent")) == (3, 1)


def test_what_rang_at_the_monitors_last_look_needs_a_person_until_it_is_over(person):
    name = NAMES[7]
    bundle = Bundle.began("InvocationsWithoutCapture", END, [name, "one-that-is-gone"])
    late = Bundle.began("JudgementAgeCadences", END, [name])
    keep_bundles(person.s3, person.bucket, [bundle, late])
    result = person.types("status", name)
    assert result.exit_code == 1
    said = "invoked, but nothing is captured, since 2016-03-01 00:00 UTC. Look at Data Capture in the endpoint's config"
    rung = [line for line in result.stdout.splitlines() if line.startswith(f"- {name}: {said}")]
    assert len(rung) == 1
    keep_bundles(person.s3, person.bucket, [])
    assert "rings" not in person.types("status", name).stdout


def test_where_it_cannot_be_read_what_rings_nothing_passes_as_quiet(person):
    person.s3.put_object(Bucket=person.bucket, Key=ringing_key(), Body=b"broken")
    result = person.types("status")
    person.s3.delete_object(Bucket=person.bucket, Key=ringing_key())
    assert result.exit_code == 2
    assert "the list of models that ring must be rebuilt" in result.output
