"""The deployed function joins on the offline Athena what lies in the deployed bucket, and agrees with the plain join."""

import io
import json
from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters import athena_joins
from lambdas.adapters.models import load_model
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from offline.account import Account
from offline.functions.runtime import FunctionError
from tests.label_joins import answered, as_set, labelled, reference_join
from tests.synthesised import assembly

MODEL = "hotel-cancellations"
START = datetime(2016, 1, 4, 6, tzinfo=UTC)
END = datetime(2016, 1, 6, 18, tzinfo=UTC)
DAYS = [date(2016, 1, 4), date(2016, 1, 5), date(2016, 1, 6)]
COLUMNS = ("prediction", "lead_time", "market_segment")
COLLECTED = datetime(2016, 1, 20, tzinfo=UTC)
CONFIG = load_model(MODEL)


class Deployed:
    """The account with the templates deployed, a champion, and what was answered and labelled."""

    def __init__(self, account):
        self.account, self.s3 = account, account.client("s3")
        self.bucket = self.physical("KedgeStorage", "Data")
        self.table = self.physical("KedgeStorage", "State")
        self.vouched = []

    def physical(self, stack, start):
        found = self.account.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Lambda::Function")
        named = {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if each["ResourceType"] in kinds
        }
        return min((name, value) for name, value in named.items() if name.startswith(start))[1]

    def promote(self):
        arn = f"arn:aws:sagemaker:eu-west-1:{self.account.account_id}:model-package/{MODEL}/3"
        champion = Champion(arn, "3", "3", datetime(2016, 1, 1, tzinfo=UTC), None, "v3", "v3")
        champions.save(self.account.client("dynamodb"), self.table, MODEL, champion)

    def put(self, key, table):
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=sink.getvalue())
        return key

    def part(self, day, name, rows, *, package="3"):
        table = answered(rows, CONFIG)
        return self.put(f"predictions/{MODEL}/package={package}/date={day}/{name}.parquet", table), table

    def vouch(self, day, *parts):
        """Let the day's object name these parts, and no other."""
        body = encode_day(DayProfile({}, {}, tuple(key for key, _ in parts)))
        self.s3.put_object(Bucket=self.bucket, Key=f"profiles/{MODEL}/3/3/{day}.npz", Body=body)
        self.vouched += [table for _, table in parts]

    def label(self, by_day):
        for day, rows in by_day.items():
            self.put(f"labelled/{MODEL}/date={day}/labels.parquet", labelled(rows, CONFIG))

    def join(self, *, start=START, end=END):
        window = {"start": "2016-01-04T00:00:00Z", "end": end.isoformat()}
        time = datetime(2016, 2, 1, 2, tzinfo=UTC).isoformat()
        body = {"model": MODEL, "time": time, "window": window, "start": start.isoformat()}
        event = {"Records": [{"body": json.dumps(body)}]}
        return self.account.invoke_function(self.physical("KedgeMonitoring", "JoinLabels"), event)

    def joined(self, answer):
        found = athena_joins.load_joined(self.s3, self.bucket, answer["joined_prefix"])
        return found.select(["kedge_row_id", "kedge_time", *COLUMNS, "label", "kedge_collected"])

    def sent_back(self):
        url = self.physical("KedgeMonitoring", "Performances")
        found = self.account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture
def world(tmp_path):
    templates = assembly()  # before the account's clock starts
    with Account(start=datetime(2016, 2, 1, tzinfo=UTC), directory=tmp_path) as account:
        account.deploy(templates)
        deployed = Deployed(account)
        deployed.promote()
        yield deployed


def answer(row_id, time, **columns):
    return {"kedge_row_id": row_id, "kedge_time": time, "prediction": 0.25, "market_segment": "Groups", **columns}


def arrange(world):
    """Whatever can be awkward about answers and labels; returns the labels by day."""
    first, second, third = (datetime(2016, 1, d, 12, tzinfo=UTC) for d in (4, 5, 6))
    awkward = ["naïve/0", "it's", 'say "no"', "日本", "a,b;--"]
    world.vouch(
        DAYS[0],
        world.part(DAYS[0], "aa", [answer("too early", START - timedelta(seconds=1)), answer("first", START)]),
        world.part(DAYS[0], "bb", [answer(name, first, lead_time=float(n)) for n, name in enumerate(awkward)]),
    )
    world.vouch(
        DAYS[1],
        world.part(DAYS[1], "aa", [answer("again", second), answer("no answer", second, prediction=None)]),
        world.part(DAYS[1], "cc", [answer("again", second + timedelta(hours=1), prediction=0.75)]),
    )
    last = [answer("again", third), answer("last", END - timedelta(milliseconds=1)), answer("too late", END)]
    world.vouch(DAYS[2], world.part(DAYS[2], "aa", [*last, answer("unlabelled", third, market_segment=None)]))
    world.part(DAYS[0], "orphan", [answer(name, first) for name in awkward])
    world.part(DAYS[1], "aa", [answer("other package", second)], package="4")
    before = world.part(date(2016, 1, 3), "aa", [answer("day before", START - timedelta(days=1))])
    world.vouch(date(2016, 1, 3), before)
    labels = {
        DAYS[0]: [
            {"kedge_row_id": name, "label": "1", "kedge_collected": COLLECTED, "kedge_source": "f"}
            for name in [*awkward, "first"]
        ],
        DAYS[1]: [
            {"kedge_row_id": "again", "label": "0", "kedge_collected": COLLECTED},
            {"kedge_row_id": "no answer", "label": "1", "kedge_collected": COLLECTED},
        ],
        DAYS[2]: [
            {"kedge_row_id": "again", "label": "1", "kedge_collected": COLLECTED - timedelta(days=1)},
            {"kedge_row_id": "last", "label": "no class", "kedge_collected": COLLECTED},
            {"kedge_row_id": "never answered", "label": "1", "kedge_collected": COLLECTED},
        ],
    }
    world.label(labels)
    return labels


def test_athena_and_the_plain_join_give_equal_rows(world):
    labels = arrange(world)
    found = world.joined(world.join())
    expected = reference_join(world.vouched, labels, CONFIG, COLUMNS, START, END)
    assert found.schema == expected.schema
    assert as_set(found) == as_set(expected)
    said = dict(zip(found.column("kedge_row_id").to_pylist(), found.column("label").to_pylist(), strict=True))
    assert found.column("kedge_row_id").to_pylist().count("again") == 3
    assert (said["again"], said["日本"], said["unlabelled"], said["last"]) == ("0", "1", None, "no class")
    assert not {"too early", "too late", "day before", "other package", "never answered"} & set(said)


def test_the_request_goes_back_to_be_measured_with_the_place_of_the_rows(world):
    arrange(world)
    answer = world.join()
    assert world.sent_back() == [answer]
    assert set(answer) == {"model", "time", "window", "joined_prefix", "new_labelled_rows"}
    assert answer["joined_prefix"].startswith(f"athena/{MODEL}/3-")


def test_a_request_that_comes_twice_doubles_nothing(world):
    arrange(world)
    first, second = world.join(), world.join()
    assert first["joined_prefix"] != second["joined_prefix"]
    assert as_set(world.joined(first)) == as_set(world.joined(second))


def test_without_any_label_every_row_is_there_unlabelled(world):
    world.vouch(DAYS[1], world.part(DAYS[1], "aa", [answer("a", START + timedelta(days=1))]))
    (row,) = world.joined(world.join()).to_pylist()
    assert (row["kedge_row_id"], row["label"], row["kedge_collected"]) == ("a", None, None)


def test_a_window_in_which_nothing_was_answered_is_an_empty_table(world):
    world.vouch(DAYS[1], world.part(DAYS[1], "aa", [answer("a", START - timedelta(days=1))]))
    found = world.joined(world.join())
    assert (found.num_rows, found.column_names) == (
        0,
        ["kedge_row_id", "kedge_time", *COLUMNS, "label", "kedge_collected"],
    )


def test_where_no_day_was_counted_nothing_is_asked_of_athena(world):
    assert world.joined(world.join()).num_rows == 0
    assert not [call for call in world.account.calls if call.operation == "StartQueryExecution"]


def test_a_part_of_another_type_fails_with_athenas_reason_and_the_window_goes_on_unmeasured(world):
    key, table = world.part(DAYS[1], "aa", [answer("a", START + timedelta(days=1))])
    place = table.column_names.index("lead_time")
    world.put(key, table.set_column(place, "lead_time", table.column("lead_time").cast("string")))
    world.vouch(DAYS[1], (key, table))
    with pytest.raises(FunctionError, match="ended as FAILED: HIVE_BAD_DATA"):
        world.join()
    # Drift never waits for labels: the window goes on, and says that it is not measured.
    assert ["not_measured" in body for body in world.sent_back()] == [True]


def test_every_call_of_a_join_is_allowed(world):
    arrange(world)
    world.join()
    role = world.account.functions.find(world.physical("KedgeMonitoring", "JoinLabels")).role
    calls = [call for call in world.account.calls if call.role_arn == role]
    assert [call for call in calls if not call.allowed] == []
    assert {"StartQueryExecution", "GetQueryExecution", "GetWorkGroup", "CreateTable"} <= {c.operation for c in calls}
