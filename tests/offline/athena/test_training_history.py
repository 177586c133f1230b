"""What Athena selects for a retraining is what the function would have selected itself, however awkward the rows are."""

import base64
import io
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.config.reading import parse_model_config
from kedge.errors import JoinCancelledError
from kedge.labels.fold import label_schema
from kedge.labels.join_sql import answers_schema
from kedge.package_schema import encode_schema
from kedge.profile.day import DayProfile, encode_day
from lambdas.handlers.snapshot_data import split_rows
from lambdas.steps.point_in_time import Athena
from lambdas.steps.retraining_run import RetrainingRun
from lambdas.steps.training_rows.training_history import UNKNOWN, Workplace, gather
from offline.account import Account
from tests.adapters.aws import forget_clients
from tests.adapters.state_table import make_state_table

DATA, TABLE = "data", "state"
NOW = datetime(2016, 2, 1, 5, 17, tzinfo=UTC)
FIRST, DAYS = date(2016, 1, 1), 28
ALWAYS, NEVER = 0, 2**40
YAML = """
model: payers
problem: {problem}
endpoint: {{name: payers}}
features:
  - {{name: amount, kind: numeric}}
  - {{name: Their Plan, kind: categorical}}
labels: {{athena_from_bytes: {athena}, {labels}}}
training: {{minimum_rows: 1, window_days: 25, {training}}}
gate: {{minimum_holdout_rows: 1}}
"""
CLASSES = 'label_horizon_days: 3.3, classes: ["0", "1", "it\'s"]'


def config(athena, *, training="", labels=CLASSES, problem="multiclass_classification"):
    yaml = YAML.format(athena=athena, training=training, labels=labels, problem=problem)
    return parse_model_config(yaml, source="m.yaml")


class World:
    """An account in which two packages have answered, the older one in another schema."""

    def __init__(self, account):
        self.account, self.s3 = account, account.client("s3")
        self.s3.create_bucket(Bucket=DATA, CreateBucketConfiguration={"LocationConstraint": account.region})
        result = {"ResultConfiguration": {"OutputLocation": f"s3://{DATA}/athena/queries/"}}
        account.client("athena").create_work_group(Name="kedge", Configuration=result)
        account.client("glue").create_database(DatabaseInput={"Name": "kedge"})
        make_state_table(account.client("dynamodb"), TABLE)
        self.attempts = 0

    def put(self, key, table):
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.s3.put_object(Bucket=DATA, Key=key, Body=sink.getvalue())

    def released(self, version, schema):
        self.s3.put_object(Bucket=DATA, Key=f"baselines/payers/{version}/schema.json", Body=encode_schema(schema))

    def answer(self, schema, version, day, rows):
        part = f"predictions/payers/package={version}/date={day}/p.parquet"
        self.put(part, pa.Table.from_pylist(rows, answers_schema(schema)))
        body = encode_day(DayProfile(parts=(part,)))
        self.s3.put_object(Bucket=DATA, Key=f"profiles/payers/{version}/{version}/{day}.npz", Body=body)

    def label(self, day, labels):
        self.put(f"labelled/payers/date={day}/labels.parquet", pa.Table.from_pylist(labels, label_schema(())))

    def snapshot(self, wanted, *, learnt_until=None, workgroup="kedge"):
        """The split of a retraining: both sides' rows, and what is said of them."""
        self.attempts += 1
        run = RetrainingRun(wanted, "run-1", NOW, DATA, None)
        place = Workplace(TABLE, Athena("kedge", workgroup, lambda: 600.0), f"run-1-{self.attempts}")
        history, origin = gather(run, place, learnt_until)
        split, notes, reasons = split_rows(run, history, learnt_until=learnt_until)
        return split, notes, reasons, origin

    def queries(self):
        return len(self.account.client("athena").list_query_executions(WorkGroup="kedge")["QueryExecutionIds"])


@pytest.fixture
def world(tmp_path):
    forget_clients()
    with Account(start=NOW, directory=tmp_path) as account:
        yield World(account)
    forget_clients()


def arrange(world, wanted, *, rows=60):
    older = config(NEVER, labels='label_horizon_days: 3.3, classes: ["0", "1", "once"]')
    older = older.model_copy(
        update={"features": (older.features[0].model_copy(update={"kind": "categorical", "dtype": None}),)}
    )
    world.released("1", older)
    world.released("2", wanted)
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        answers, labels = [], []
        for n in range(rows):
            identity = f"naïve'{number}-{n}"
            time = noon + timedelta(minutes=7 * n - 300, milliseconds=n)
            values = {"amount": n / 7, "Their Plan": f"p{n % 3}"} if number > 9 else {"amount": "1.5" if n % 9 else "?"}
            answers.append({"kedge_row_id": identity, "kedge_time": time, "prediction": "0", **values})
            label = ("once" if number <= 9 else "it's") if n % 17 == 0 else str(int(n % 5 == 0))
            at = NOW + timedelta(hours=1) if n % 13 == 0 else time + timedelta(days=2)
            if n % 11:
                labels.append({"kedge_row_id": identity, "label": label, "kedge_collected": at})
        # An id that was answered again, by whichever package, counts as it was answered first.
        again = noon + timedelta(hours=9)
        answers.append({**answers[0], "kedge_row_id": f"naïve'{max(number - 1, 0)}-{rows // 2}", "kedge_time": again})
        schema, version = (wanted, "2") if number > 9 else (older, "1")
        world.answer(schema, version, day, answers)
        world.label(day, labels)


def same(one, other):
    for side in ("training", "holdout"):
        mine, theirs = getattr(one, side), getattr(other, side)
        assert mine.num_rows
        assert mine.equals(theirs), side


@pytest.mark.parametrize(
    "training",
    [
        "",
        "class_ratio_max: 2",
        "maximum_rows: 100",
        "class_ratio_max: 1.5, maximum_rows: 90",
        "maximum_holdout_rows: 20",
    ],
)
def test_both_ways_give_the_same_rows_and_say_the_same(world, training):
    arrange(world, config(ALWAYS, training=training))
    selected = world.snapshot(config(ALWAYS, training=training))
    assert world.queries() == 3
    read = world.snapshot(config(NEVER, training=training))
    assert world.queries() == 3
    same(selected[0], read[0])
    assert selected[1:] == read[1:]


def test_what_a_model_has_learnt_moves_the_split_on_both_ways(world):
    arrange(world, config(ALWAYS))
    until = datetime(2016, 1, 26, 14, 21, tzinfo=UTC)
    selected, read = (world.snapshot(config(athena), learnt_until=until) for athena in (ALWAYS, NEVER))
    assert selected[0].training_end <= until
    same(selected[0], read[0])


def test_the_users_first_rows_count_where_nothing_was_answered_yet(world):
    wanted = config(ALWAYS, training="maximum_rows: 700")
    arrange(world, wanted)
    start = datetime(2016, 1, 7, 6, tzinfo=UTC)
    for number in range(10):
        world.s3.delete_object(Bucket=DATA, Key=f"profiles/payers/1/1/{FIRST + timedelta(days=number)}.npz")
    first = [
        {"id": f"u{n}", "timestamp": start + timedelta(hours=n), "amount": 1.0, "Their Plan": "p1", "label": str(n % 2)}
        for n in range(200)
    ]
    world.put("initial/payers/training.parquet", pa.Table.from_pylist(first))
    selected, read = (world.snapshot(config(athena, training="maximum_rows: 700")) for athena in (ALWAYS, NEVER))
    same(selected[0], read[0])
    ids = selected[0].training.column("kedge_row_id").to_pylist()
    assert 0 < sum(name.startswith("u") for name in ids) < 200


def test_numbers_are_selected_too(world):
    how = {"training": "maximum_rows: 150", "labels": "label_horizon_days: 2"}
    how["problem"] = "regression\nprediction: {name: y}"
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        ids = [f"{number}-{n}" for n in range(20)]
        answers = [{"kedge_row_id": i, "kedge_time": noon, "amount": 1.0} for i in ids]
        world.answer(config(ALWAYS, **how), "2", day, answers)
        world.label(day, [{"kedge_row_id": i, "label": str(len(i)), "kedge_collected": noon} for i in ids])
    selected, read = (world.snapshot(config(athena, **how)) for athena in (ALWAYS, NEVER))
    same(selected[0], read[0])


def test_without_answers_the_first_rows_alone_are_read_here(world):
    assert world.snapshot(config(ALWAYS))[2] == world.snapshot(config(NEVER))[2]
    assert world.queries() == 0


def test_a_label_horizon_that_nothing_has_shown_yet_is_a_reason_with_its_remedy(world):
    unknown = 'classes: ["0", "1", "once"]'
    arrange(world, config(ALWAYS, labels=unknown))
    _, _, reasons, _ = world.snapshot(config(ALWAYS, labels=unknown))
    assert reasons[0] == f"the label horizon is not known: {UNKNOWN}"


def test_a_year_that_the_workgroup_does_not_let_athena_read_is_an_error_with_its_remedy(world):
    arrange(world, config(ALWAYS), rows=10)
    place = {"OutputLocation": f"s3://{DATA}/athena/queries/"}
    limited = {"ResultConfiguration": place, "BytesScannedCutoffPerQuery": 10**7}
    world.account.client("athena").create_work_group(Name="limited", Configuration=limited)
    packed = base64.b64encode(
        np.random.default_rng(1).bytes(9 * 10**6)
    ).decode()  # 12 MB that no compression makes smaller
    long = {"kedge_row_id": packed, "kedge_time": NOW - timedelta(days=10), "amount": 1.0, "prediction": "0"}
    world.answer(config(ALWAYS), "3", date(2016, 1, 22), [long])
    with pytest.raises(JoinCancelledError, match=r"training\.window_days .* raise SCANNED_BYTES_MAX"):
        world.snapshot(config(ALWAYS), workgroup="limited")
