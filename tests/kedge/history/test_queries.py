"""The views and queries as Athena's SQL, on rows that the functions write."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
import time_machine

from kedge.config.model import Endpoint, Feature, ModelConfig
from kedge.config.sections import Labels
from kedge.history.predictions import COLUMNS, answers_tables
from kedge.history.queries import QUERIES
from kedge.history.tables import TABLES
from kedge.history.views import columns_of_view, newest_sql, presto_view
from lambdas.adapters.bucket import history
from tests.adapters.bucket.test_history import report
from tests.handlers.aws_world import BUCKET, aws_world
from tests.history_files import Warehouse, check_against_reports

TODAY = datetime(2016, 2, 1, tzinfo=UTC)
FEATURES = (Feature(name="x", kind="numeric"),)
MODELS = [
    ModelConfig(model="bookings", endpoint=Endpoint(name="bookings"), features=FEATURES),
    ModelConfig(model="prices", endpoint=Endpoint(name="prices"), features=FEATURES, problem="regression"),
    ModelConfig(
        model="rooms",
        endpoint=Endpoint(name="rooms"),
        features=FEATURES,
        problem="multiclass_classification",
        labels=Labels(classes=("a", "b", "c")),
    ),
]
QUALITY = {
    "severity": "CRITICAL",
    "coverage_fraction": 0.9,
    "ripe_rows": 700,
    "reference": {"mae": {"value": 10.0, "low": 9.0, "high": 11.0}},
    "metrics": [{"name": "mae", "value": 15.0, "low": 13.0, "high": 17.0, "limit": 11.0, "severity": "CRITICAL"}],
    "estimate": {"metrics": [{"name": "mae", "value": 12.0, "low": 8.0, "high": 16.0, "weight": 1.0}]},
    "business": [{"name": "saved", "value": 2.0, "low": 1.0, "high": 3.0, "total": 1400.0, "rows": 700, "unit": "EUR",
                  "severity": "OK", "reason": "", "reference": 2.5}],
    "fairness": {"severity": "WARNING", "columns": [{"column": "sex", "severity": "WARNING", "reason": "", "groups": [],
                 "metrics": [{"name": "disparate_impact", "value": 0.7, "low": 0.6, "high": 0.8, "groups": ["a", "b"]}]}]},
    "segments": [{"group": "country=PRT", "metric": "mae", "value": 30.0, "low": 20.0, "high": 40.0, "rows": 90,
                  "severity": "CRITICAL", "reference": 11.0}],
}  # fmt: skip


def parquet(**columns):
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def answer(world, model, name, rows, *, vouched):
    """Rows that a package answered, in a part that a day object names or not."""
    part = f"predictions/{model}/package=3/date=2016-01-20/{name}.parquet"
    ids, values = zip(*rows, strict=True)
    times = pa.array([datetime(2016, 1, 20, 5, tzinfo=UTC)] * len(rows), pa.timestamp("us", "UTC"))
    events = [f"event-{each}" for each in ids]
    body = parquet(kedge_row_id=ids, kedge_event_id=events, kedge_time=times, x=[1.0] * len(rows), prediction=values)
    world.put(part, body)
    if vouched:
        history.save_parts(world.s3, BUCKET, f"profiles/{model}/3/3/2016-01-20.npz", [part])


def label(world, model, day, rows):
    """Labels in the object of a day: id, label, and the day of January on which it was collected."""
    ids, labels, days = zip(*rows, strict=True)
    collected = pa.array([datetime(2016, 2, day, tzinfo=UTC) for day in days], pa.timestamp("us", "UTC"))
    body = parquet(kedge_row_id=ids, label=labels, kedge_collected=collected, kedge_source=["f"] * len(rows))
    world.put(f"labelled/{model}/date={day}/labels.parquet", body)


@pytest.fixture(scope="module")
def objects():
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(TODAY, tick=False), aws_world(patch) as world:
        for week in range(3):
            start, end = (datetime(2016, 1, 4, tzinfo=UTC) + timedelta(weeks=week + n) for n in (0, 1))
            window = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}", "rows": 900 + week}
            for document in (
                report(model="bookings", window=window),
                report(model="prices", window=window, severity="CRITICAL", performance=QUALITY),
            ):
                key = f"reports/{document['model']}/3/{end:%Y-%m-%dT%H}/drift-r1.json"
                world.put(key, json.dumps(document).encode())
                history.save_window(world.s3, BUCKET, document, key)
        for number, kind in enumerate(("retraining_started", "canary_promoted", "paused")):
            entry = {
                "model": "prices",
                "kind": kind,
                "time": f"2016-01-2{number}T02:00:00Z",
                "detail": {"reasons": ["why"]},
            }
            history.save_decision(world.s3, BUCKET, entry, f"audit/prices/2016/01/2{number}/020000-{kind}-abc.json")
        answer(world, "bookings", "counted", [("1", 0.25), ("2", 0.75)], vouched=True)
        answer(world, "bookings", "of-a-lost-race", [("1", 0.25)], vouched=False)
        answer(world, "rooms", "counted", [("1", "b")], vouched=True)
        label(world, "bookings", "2016-01-20", [("1", "0", 3), ("2", "0", 3)])
        label(world, "bookings", "2016-01-21", [("2", "1", 9)])
        yield {key: world.read(key) for key in world.keys("")}


@pytest.fixture(scope="module")
def warehouse(objects):
    return Warehouse(objects, MODELS, today=TODAY)


def test_every_row_says_what_the_reports_say(warehouse, objects):
    assert check_against_reports(warehouse, objects) == 6


def test_every_query_answers_from_what_was_written(warehouse):
    found = warehouse.answers()
    assert {name for name, rows in found.items() if not rows} == {"kedge-what-people-heard"}
    assert [row["model"] for row in found["kedge-models-by-urgency"]] == ["prices", "bookings"]
    assert [row["held"] for row in found["kedge-estimates-against-labels"]] == [True] * 3
    assert [row["kind"] for row in found["kedge-releases"]] == ["retraining_started", "canary_promoted"]
    assert {(r["kind"], r["subject"]) for r in found["kedge-groups-and-segments"]} == {
        ("fairness", "sex"),
        ("segment", "country=PRT"),
    }
    (day, *_) = found["kedge-answers-by-day"]
    assert (day["model"], day["answers"], day["labelled"], day["mean_prediction"]) == ("bookings", 2, 2, 0.5)


def test_predictions_are_the_vouched_rows_with_the_label_that_was_collected_last(warehouse):
    rows = warehouse.ask("SELECT * FROM predictions ORDER BY model, row_id")
    kept = ("model", "package", "row_id", "prediction", "predicted_class", "label")
    assert [tuple(row[name] for name in kept) for row in rows] == [
        ("bookings", "3", "1", 0.25, None, "0"),
        ("bookings", "3", "2", 0.75, None, "1"),
        ("rooms", "3", "1", None, "b", None),
    ]


def test_models_share_a_table_where_their_answers_have_one_name_and_type():
    assert [(table.kind, table.models) for table in answers_tables(MODELS)] == [
        ("double", ("bookings", "prices")),
        ("string", ("rooms",)),
    ]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_is_one_select_of_athenas_dialect_that_reads_only_some_months(query):
    (parsed,) = sqlglot.parse(query.sql, read="athena")
    assert isinstance(parsed, sqlglot.exp.Select)
    assert "month >=" in query.sql


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_view_says_its_columns_as_its_select_does(table):
    sql, columns = newest_sql(table), columns_of_view(table)
    (parsed,) = sqlglot.parse(sql, read="athena")
    assert parsed.named_selects == [name for name, _ in columns]
    kept = presto_view(sql, columns).removeprefix("/* Presto View: ").removesuffix(" */")
    described = json.loads(base64.b64decode(kept))
    assert described["originalSql"] == sql
    assert [(each["name"], each["type"]) for each in described["columns"]] == [*columns]


def test_the_view_of_predictions_has_the_columns_that_it_declares():
    from kedge.history.predictions import predictions_sql

    tables = answers_tables(MODELS)
    names = {name: f'"kedge_history"."{name}"' for name in (*(table.name for table in tables), "labels")}
    (parsed,) = sqlglot.parse(predictions_sql(tables, names), read="athena")
    assert parsed.named_selects == [name for name, _ in COLUMNS]


# As the first release wrote them. A column may be added behind them; none may be taken away, moved or change its kind.
FIRST = {
    "windows": "model package window_start window_end revision rows severity drift performance estimate fairness confidence "
    "columns_drifted checks_failed coverage_fraction ripe_rows sampled_fraction reason report_key written_at",
    "metrics": "model package window_start window_end kind metric subject value low high reference limit severity unit total rows "
    "written_at",
    "columns": "model package window_start window_end name role counted_as severity effect effect_without_drift p_value psi "
    "missing_fraction unseen_fraction out_of_range_fraction unparsable_fraction importance rows written_at",
    "decisions": "model entry time kind severity package run reason detail written_at",
    "deliveries": "model delivery time kind severity team channel episode resolved status answer attempts written_at",
}


@pytest.mark.parametrize("name", FIRST)
def test_columns_are_only_added_at_the_end(name):
    first = FIRST[name].split()
    assert [column.name for column in TABLES[name].columns][: len(first)] == first
