"""An operator's commands against the deployed system, served by the offline account over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from cli.main import app
from kedge.retraining.state import WindowVerdict
from kedge.severity import Severity
from lambdas.adapters.bucket import layout, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import approvals, champions, windows
from lambdas.adapters.state.approvals import Approval
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.windows import StoredWindow
from offline.account import Account
from tests.synthesised import assembly

MODEL = "hotel-cancellations"
START = datetime(2016, 2, 1, 12, tzinfo=UTC)


class Operator:
    """A person with a terminal, and what they can see of the account."""

    def __init__(self, account, server):
        self.account, self.url = account, server.url
        self.s3, self.dynamodb = account.client("s3"), account.client("dynamodb")
        self.bucket = next(b["Name"] for b in self.s3.list_buckets()["Buckets"] if "-data" in b["Name"])
        self.table = next(name for name in self.dynamodb.list_tables()["TableNames"] if "State" in name)

    def types(self, *arguments):
        return CliRunner().invoke(app, [*arguments, "--endpoint-url", self.url])

    def settle(self):
        """Let everything end that has been started."""
        self.account.clock.advance_to(self.account.clock.now + timedelta(hours=8))

    def happened(self, kind, *, model=MODEL, **detail):
        now = self.account.clock.now
        timeline.record(self.s3, self.bucket, Entry(model, kind, now, detail))
        self.account.clock.advance_to(now + timedelta(minutes=1))

    def timeline(self, kind):
        result = self.types("history", MODEL, "--json")
        return [entry for entry in json.loads(result.stdout) if entry["kind"] == kind]

    def register(self, status="Approved"):
        self.s3.put_object(Bucket=self.bucket, Key="model.tar.gz", Body=b"")
        container = {"Image": "i", "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}
        answer = self.account.client("sagemaker").create_model_package(
            ModelPackageGroupName=MODEL,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return answer["ModelPackageArn"]

    def promote(self, arn, *, previous=None):
        version = arn.rpartition("/")[2]
        champion = Champion(arn, version, version, START, START, f"{MODEL}-v{version}", f"{MODEL}-v{version}", previous)
        champions.save(self.dynamodb, self.table, MODEL, champion)

    def runs(self, machine):
        stepfunctions = self.account.client("stepfunctions")
        arn = f"arn:aws:states:{self.account.region}:{self.account.account_id}:stateMachine:{machine}"
        return {run["name"]: run for run in stepfunctions.list_executions(stateMachineArn=arn)["executions"]}


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    templates = assembly()  # before the account's clock starts
    with Account(start=START, directory=tmp_path_factory.mktemp("account")) as account:
        account.deploy(templates)
        yield Operator(account, account.serve(0))


@pytest.fixture(scope="module")
def packages(operator):
    """Two approved packages, the newer one serving, and one that nobody has decided about."""
    operator.settle()
    first, second, pending = operator.register(), operator.register(), operator.register("PendingManualApproval")
    for version in ("1", "2"):  # released long ago
        approvals.save(operator.dynamodb, operator.table, MODEL, version, Approval("Approved", 1))
    operator.promote(second, previous=first)
    return first, second, pending


def test_the_history_is_told_in_words_oldest_first(operator):
    operator.happened("window_judged", severity="CRITICAL", reasons=["adr moved", "meal moved", "more"])
    operator.happened("gate_failed", verdict="REFUSE", reasons=["auc is 0.001 higher (0.735 -> 0.736, better)"])
    lines = operator.types("history", MODEL).output.splitlines()
    judged, failed = next(i for i, line in enumerate(lines) if "window_judged" in line), len(lines) - 1
    assert judged < failed
    assert "CRITICAL; adr moved; meal moved" in lines[judged]
    assert "gate_failed" in lines[failed]
    assert "auc is 0.001 higher (0.735 -> 0.736, better)" in lines[failed]


def test_the_history_says_where_and_why_an_execution_failed(operator):
    cause = json.dumps({"errorMessage": "the rows ended early", "errorType": "EarlyError", "stackTrace": ["File x.py"]})
    operator.happened("failed", run="run-1", state="SnapshotData", error="EarlyError", cause=cause)
    line = operator.types("history", MODEL).output.splitlines()[-1]
    assert "at SnapshotData: EarlyError: the rows ended early; run-1" in line
    assert "x.py" not in line


def test_of_an_alarm_the_history_says_what_rings_and_not_cloudwatchs_arithmetic(operator):
    rings = {
        "alarm": "KedgeModels-1-x",
        "says": "Kedge: x was not judged for 2 cadences",
        "reason": "Threshold Crossed",
    }
    operator.happened("alarm", **rings, state="ALARM")
    assert operator.types("history", MODEL).output.rstrip().endswith("x was not judged for 2 cadences")
    operator.happened("alarm", **rings, state="OK")
    assert operator.types("history", MODEL).output.rstrip().endswith("is over: x was not judged for 2 cadences")


def test_of_a_passed_gate_and_its_package_the_history_says_each_its_own(operator):
    rows = [
        {"verdict": "PASS", "reason": reason, "low": 0.1} for reason in ("auc 0.7 -> 0.8 (better)", "no slice lost")
    ]
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{MODEL}/4"
    operator.happened("gate_passed", rows=rows, run="run-4")
    operator.happened("package_registered", rows=rows, package_arn=arn, run="run-4")
    passed, registered = operator.types("history", MODEL).output.splitlines()[-2:]
    assert passed.rstrip().endswith("auc 0.7 -> 0.8 (better); run-4")
    assert "version 4 waits for a person's decision; run-4" in registered
    assert "auc" not in registered


def test_the_history_as_json_is_the_entries_themselves(operator):
    operator.happened("rejected", package_version="7", by="ann")
    (entry,) = operator.timeline("rejected")
    assert entry.keys() == {"time", "model", "kind", "detail"}
    assert entry["detail"] == {"package_version": "7", "by": "ann"}
    newest = operator.types("history", MODEL, "--json", "--last", "1", "--bucket", operator.bucket)
    assert json.loads(newest.stdout) == [entry]


def test_a_model_without_history_comes_with_those_that_have_one(operator):
    operator.happened("window_judged", model="parcels")
    result = operator.types("history", "hotels")
    assert result.exit_code == 2
    assert "nothing has happened to 'hotels'" in result.stderr
    assert "parcels" in result.stderr


@pytest.mark.parametrize("initial", [(), ("--initial",)])
def test_without_a_champion_a_training_needs_the_first_rows(operator, initial):
    before = operator.runs("kedge-retrain")
    refused = operator.types("retrain", MODEL, *initial, "--reason", "the first champion")
    assert refused.exit_code == 2
    assert f"s3://{operator.bucket}/initial/{MODEL}/training.parquet is not there" in refused.stderr
    assert "Upload the first rows to that place" in refused.stderr
    assert ("no package of it serves yet" in refused.stderr) == (not initial)
    assert operator.runs("kedge-retrain") == before


def test_a_retraining_starts_at_once_and_says_who_asked_and_why(operator):
    operator.s3.put_object(Bucket=operator.bucket, Key=f"initial/{MODEL}/training.parquet", Body=b"")
    result = operator.types("retrain", MODEL, "--reason", "prices were changed")
    assert result.exit_code == 0, result.output
    (entry,) = operator.timeline("retraining_started")
    assert entry["detail"]["run"] in result.output
    assert entry["detail"]["run"] in operator.runs("kedge-retrain")
    assert entry["detail"]["trigger"] == "manual"
    assert entry["detail"]["reasons"][0].startswith("prices were changed (requested by arn:aws:sts::")
    # The account's own time, not this machine's.
    assert entry["time"].startswith("2016-02-01T12")


def test_a_second_request_is_not_kept_and_says_so_with_the_whole_command(operator):
    second = operator.types("retrain", MODEL, "--reason", "I'm impatient")
    assert second.exit_code == 2
    assert (
        "not started: another execution works on hotel-cancellations: a retraining runs (hotel-cancellations-manual-1-"
        in second.stderr
    )
    assert "The request is not kept" in second.stderr
    assert f"kedge retrain {MODEL} --reason 'I'\"'\"'m impatient'" in second.stderr
    (held,) = operator.timeline("retraining_held")
    assert held["detail"]["reasons"][0].startswith("I'm impatient")


def test_entries_of_one_second_stand_in_the_order_of_what_happened(operator):
    now = operator.account.clock.now
    kinds = [
        "performance_measured",
        "window_judged",
        "alert_sent",
        "retraining_started",
        "retraining_held",
        "data_rejected",
    ]
    for kind in reversed(kinds):
        timeline.record(operator.s3, operator.bucket, Entry("parcels", kind, now, {}))
    found = json.loads(operator.types("history", "parcels", "--json", "--last", "6").stdout)
    assert [entry["kind"] for entry in found] == kinds


def test_the_history_says_what_serves_and_who_rejected(operator):
    operator.happened("baseline_switched", package_version="1", run="run-1")
    operator.happened("rejected", package_version="2", by="ann", reason="too small a holdout")
    serves, rejected = operator.types("history", MODEL).output.splitlines()[-2:]
    assert "version 1 serves; run-1" in serves
    assert "version 2; too small a holdout; by ann" in rejected


def test_an_unknown_model_is_not_retrained(operator):
    result = operator.types("retrain", "hotels", "--reason", "why not")
    assert result.exit_code == 2
    assert "is the model's name spelt as in models/?" in result.stderr


@pytest.mark.usefixtures("packages")
def test_a_pause_holds_what_a_decision_reads_until_it_is_taken_away(operator):
    def paused():
        return windows.pause_reason(operator.dynamodb, operator.table, MODEL)

    assert operator.types("pause", MODEL, "--reason", "the labels are being repaired").exit_code == 0
    assert paused().startswith("the labels are being repaired (arn:aws:sts::")
    resumed = operator.types("pause", MODEL, "--resume")
    assert "it was paused: the labels are being repaired" in resumed.output
    assert paused() is None
    (held,), (let_go,) = operator.timeline("paused"), operator.timeline("resumed")
    assert held["detail"]["reason"] == "the labels are being repaired"
    assert held["detail"]["by"].startswith("arn:aws:sts::")
    assert let_go["detail"]["reason"].startswith("it was paused: the labels are being repaired")
    assert "was not paused" in operator.types("pause", MODEL, "--resume").output


@pytest.mark.parametrize("options", [(), ("--resume", "--reason", "x")])
def test_a_pause_needs_either_a_reason_or_an_end(operator, options):
    result = operator.types("pause", MODEL, *options)
    assert result.exit_code == 2
    assert "either --reason WHY, or --resume" in result.stderr


def test_a_rollback_releases_the_predecessor_once_and_writes_it_down(operator, packages):
    first, _, _ = packages
    result = operator.types("rollback", MODEL, "--reason", "complaints")
    assert result.exit_code == 0, result.output
    (run,) = [name for name in operator.runs("kedge-release") if "-v1-rollback-" in name]
    assert f"{run} releases version 1 in place of version 2" in result.output
    execution = operator.account.client("stepfunctions").describe_execution(
        executionArn=operator.runs("kedge-release")[run]["executionArn"]
    )
    given = json.loads(execution["input"])
    assert given.keys() == {"model", "run", "time", "package_arn", "rollback"}
    assert given["rollback"] | {"by": ""} == {"from": "2", "to": "1", "by": "", "reason": "complaints"}
    assert json.loads(execution["input"])["package_arn"] == first
    (entry,) = operator.timeline("approved")
    assert entry["detail"] | {"by": ""} == {
        "package_arn": first,
        "package_version": "1",
        "by": "",
        "reason": "rollback: complaints",
        "run": run,
    }


def test_a_rollback_that_ended_without_success_may_be_tried_again(operator, packages):
    before = set(operator.runs("kedge-release"))
    operator.settle()  # nothing was staged for this package: its release fails
    assert "RUNNING" not in {run["status"] for run in operator.runs("kedge-release").values()}
    assert operator.types("rollback", MODEL, "--reason", "still complaints", "--to", "1").exit_code == 0
    (run,) = set(operator.runs("kedge-release")) - before
    assert "-v1-rollback-" in run


def test_a_rollback_does_not_push_in_while_the_model_is_worked_on(operator, packages):
    operator.settle()
    assert operator.types("retrain", MODEL, "--reason", "prices were changed again").exit_code == 0
    result = operator.types("rollback", MODEL, "--reason", "complaints")
    assert result.exit_code == 2
    assert f" works on {MODEL}; try again" in " ".join(result.stderr.split())
    assert "aws stepfunctions stop-execution" in result.stderr
    operator.settle()


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("3", "is PendingManualApproval in the registry"),
        ("9", f"{MODEL} has no version 9 in the registry; approved versions: "),
        ("newest", f"{MODEL} has no version newest in the registry; approved versions: "),
    ],
)  # fmt: skip
def test_only_another_approved_version_can_come_back(operator, packages, to, words):
    result = operator.types("rollback", MODEL, "--reason", "complaints", "--to", to)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert "approved versions: 2, 1" in " ".join(result.stderr.split())


def test_the_first_version_has_no_predecessor(operator, packages):
    operator.promote(packages[0])
    result = operator.types("rollback", MODEL, "--reason", "complaints")
    operator.promote(packages[1], previous=packages[0])
    assert result.exit_code == 2
    assert "version 1 is the first" in result.stderr


@pytest.mark.parametrize("command", ["pause", "rollback"])
def test_a_model_that_does_not_serve_is_named(operator, command):
    result = operator.types(command, "hotels", "--reason", "why not")
    assert result.exit_code == 2
    assert "no package of 'hotels' serves yet" in result.stderr


def test_where_nothing_is_deployed_the_command_says_where_it_looked(operator):
    result = operator.types("history", MODEL, "--region", "us-west-2")
    assert result.exit_code == 2
    assert "stack KedgeStorage is not in this account's us-west-2" in result.stderr


def test_where_the_stage_is_not_deployed_the_command_names_it(operator):
    result = operator.types("history", MODEL, "--stage", "dev")
    assert result.exit_code == 2
    assert "stack dev-KedgeStorage is not in this account's eu-west-1, where stage dev was looked for" in result.stderr
    assert "--region" in result.stderr


def test_where_nobody_answers_it_is_a_sentence():
    result = CliRunner().invoke(
        app, ["history", MODEL, "--endpoint-url", "http://127.0.0.1:9", "--region", "eu-west-1"]
    )
    assert result.exit_code == 2
    assert "Could not connect to the endpoint URL" in result.stderr


def test_a_model_is_brought_in_order_on_request(operator):
    result = operator.types("reconcile", MODEL)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{MODEL}: ")


def test_only_a_deployed_model_can_be_brought_in_order(operator):
    result = operator.types("reconcile", "hotl")
    assert result.exit_code == 2
    assert "'hotl'; is it spelt as in models/?" in result.stderr


def test_a_mute_ends_by_itself_or_by_hand_and_stands_in_the_history(operator):
    operator.promote(operator.register())
    until = f"{operator.account.clock.now + timedelta(days=3):%Y-%m-%dT%H:%M:%S}"
    told = operator.types("mute", MODEL, "--until", until, "--reason", "a campaign").stdout
    assert told.startswith(f"Kedge sends no message about {MODEL} until ")
    shown = operator.types("history", MODEL).stdout
    assert "a campaign" in shown
    assert "until 2016-" in shown
    assert "speaks again; it was muted: a campaign" in operator.types("mute", MODEL, "--off").stdout
    operator.settle()
    assert [entry["detail"]["reason"] for entry in operator.timeline("mute_ended")] == ["a campaign"]
    assert "was not muted" in operator.types("mute", MODEL, "--off").stdout


@pytest.mark.parametrize("until", ["2016-01-01", "2018-01-01"])
def test_a_mute_that_is_over_or_lasts_for_years_is_refused(operator, until):
    operator.promote(operator.register())
    refused = operator.types("mute", MODEL, "--until", until, "--reason", "why")
    assert (refused.exit_code, "within 90 days" in refused.output) == (2, True)


def test_the_newest_report_is_fetched_and_any_other_by_the_end_of_its_window(operator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    end = START - timedelta(days=1)
    for days, revision in ((7, 1), (0, 2)):
        verdict = WindowVerdict(end - timedelta(days=days + 7), end - timedelta(days=days), Severity.CRITICAL, None)
        window = StoredWindow(verdict, "1", "digest", revision, 0)
        windows.save_window(operator.dynamodb, operator.table, "reported", window)
        key = f"{layout.window_prefix('reported', '1', verdict.end)}/{layout.drift_name(revision)}"
        operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=b'{"days": %d}' % days)
        operator.s3.put_object(Bucket=operator.bucket, Key=key.replace(".json", ".html"), Body=b"<p>%d days" % days)
    name = f"kedge-report-reported-{end:%Y-%m-%dT%H}.html"
    assert operator.types("report", "reported").stdout == f"{name}\n"
    assert (tmp_path / name).read_text() == "<p>0 days"
    earlier = f"{end - timedelta(days=7):%Y-%m-%dT%H:%M}"
    assert json.loads(operator.types("report", "reported", "--window", earlier, "--json").stdout) == {"days": 7}
    refused = operator.types("report", "reported", "--window", "2015-01-01T00:00")
    assert refused.exit_code == 2
    assert f"the newest ended at {end:%Y-%m-%dT%H:%M}" in refused.output
    assert "no window of 'nobody' has been judged yet" in operator.types("report", "nobody").output


def test_a_page_is_fetched_for_a_model_or_for_all(operator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for key in ("reports/paged/index.html", "reports/index.html"):
        operator.s3.put_object(Bucket=operator.bucket, Key=key, Body=key.encode())
    for arguments, name, key in (
        (["paged"], "kedge-page-paged.html", "reports/paged/index.html"),
        ([], "kedge-page-all-models.html", "reports/index.html"),
    ):
        assert operator.types("report", *arguments, "--page").stdout == f"{name}\n"
        assert (tmp_path / name).read_text() == key
    assert "'nobody' has no page yet" in operator.types("report", "nobody", "--page").output
    assert "leave out --json and --window" in operator.types("report", "paged", "--page", "--json").output
    assert "name a model, or say --page" in operator.types("report").output
