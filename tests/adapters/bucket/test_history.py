"""The history is written beside the work, read back whole, and never stands in its way."""

from datetime import UTC, datetime

import pytest

from lambdas.adapters.bucket import history
from lambdas.entry import entry
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, aws_world

T = datetime(2016, 1, 4, 2, tzinfo=UTC)


def report(**changes):
    return {
        "model": MODEL,
        "baseline": "3",
        "window": {"start": "2015-12-28T00:00:00Z", "end": "2016-01-04T00:00:00Z", "rows": 900},
        "revision": 1,
        "severity": "WARNING",
        "reasons": ["lead_time moved"],
        "columns": [
            {"name": "lead_time", "role": "feature", "kind": "numeric", "severity": "WARNING", "rows": 900, "effect": 0.2,
             "statistics": {"psi": 0.3}, "missing_fraction": 0.01, "p_value_adjusted": 1e-9},
        ],
        "quality": [],
        "performance": {
            "severity": "OK", "coverage_fraction": 0.9, "ripe_rows": 700,
            "reference": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}},
            "metrics": [{"name": "auc", "value": 0.79, "low": 0.7, "high": 0.85, "limit": 0.02, "severity": "OK"}],
        },
    } | changes  # fmt: skip


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def loaded(world, table, **since):
    return history.load_history(
        world.s3, BUCKET, MODEL, table, since=since.get("since", T.replace(year=2015))
    ).to_pylist()


def test_a_window_is_three_tables_and_a_rerun_replaces_it(world):
    history.save_window(world.s3, BUCKET, report(), "reports/k.json")
    history.save_window(world.s3, BUCKET, report(revision=2, reasons=["more"]), "reports/k2.json")
    (window,) = loaded(world, "windows")
    assert (window["package"], window["rows"], window["revision"], window["reason"]) == ("3", 900, 2, "more")
    assert (window["severity"], window["drift"], window["performance"]) == ("WARNING", "WARNING", "OK")
    (metric,) = loaded(world, "metrics")
    assert {name: metric[name] for name in ("kind", "metric", "value", "reference", "limit")} == {
        "kind": "measured", "metric": "auc", "value": 0.79, "reference": 0.8, "limit": 0.02,
    }  # fmt: skip
    (column,) = loaded(world, "columns")
    assert (column["name"], column["psi"], column["p_value"], column["effect"]) == ("lead_time", 0.3, 1e-9, 0.2)
    assert sorted(world.keys("history/")) == [
        f"history/{table}/month=2016-01/{MODEL}.3.2016-01-04T0000.parquet"
        for table in ("columns", "metrics", "windows")
    ]


def test_a_metric_that_is_no_longer_measured_is_gone(world):
    history.save_window(world.s3, BUCKET, report(), "k")
    history.save_window(world.s3, BUCKET, {**report(revision=2), "performance": {}}, "k")
    assert loaded(world, "metrics") == []


def test_what_ended_before_is_left_out(world):
    history.save_window(world.s3, BUCKET, report(), "k")
    assert loaded(world, "windows", since=T) == []


def test_a_model_whose_name_begins_like_another_is_not_mixed_with_it(world):
    history.save_window(world.s3, BUCKET, report(model=f"{MODEL}-2"), "k")
    assert loaded(world, "windows") == []


def test_times_are_milliseconds_and_columns_have_the_types_of_the_table(world):
    import io

    import pyarrow.parquet as pq

    history.save_window(world.s3, BUCKET, report(), "k")
    for table in ("windows", "metrics", "columns"):
        (key,) = world.keys(f"history/{table}/")
        assert pq.read_schema(io.BytesIO(world.read(key))).equals(history.schema_of(history.TABLES[table]))


def test_a_file_of_an_earlier_version_lacks_the_newest_columns_and_is_read(world):
    history.save_window(world.s3, BUCKET, report(), "k")
    (key,) = world.keys("history/windows/")
    rows = history.load_table(world.s3, BUCKET, key, history.TABLES["windows"])
    history.save_table(world.s3, BUCKET, key, rows.drop_columns(["report_key"]))
    (window,) = loaded(world, "windows")
    assert window["report_key"] is None
    assert window["rows"] == 900


def told(world, monkeypatch, fault):
    """What a function answers and logs whose history fails."""
    logged = []
    monkeypatch.setattr("lambdas.entry.logger.exception", lambda said, **facts: logged.append((said, facts["left"])))
    monkeypatch.setattr(history, "save_rows", fault)
    function = entry(lambda event, _: history.note_window(BUCKET, report(), "k") or {"done": True})
    return function({"a": 1}, CONTEXT), logged


def test_a_history_that_cannot_be_written_is_logged_and_fails_nothing(world, monkeypatch):
    def fault(*_):
        raise OSError("no")

    assert told(world, monkeypatch, fault) == ({"done": True}, [("failed afterwards", "the history of k")])


def test_the_history_waits_until_the_function_has_decided_and_told(world):
    seen = []

    def handler(_event, _context):
        history.note_window(BUCKET, report(), "k")
        seen.append(world.keys("history/"))
        return {}

    entry(handler)({"a": 1}, CONTEXT)
    assert seen == [[]]
    assert len(world.keys("history/")) == 3


def test_a_function_that_fails_later_has_still_written_what_it_kept(world):
    def handler(_event, _context):
        history.note_window(BUCKET, report(), "k")
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        entry(handler)({"a": 1}, CONTEXT)
    assert len(world.keys("history/")) == 3


def test_with_little_time_left_nothing_is_begun(world):
    hurried = type(CONTEXT)(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 5_000})
    entry(lambda *_: history.note_window(BUCKET, report(), "k") or {})({"a": 1}, hurried)
    assert world.keys("history/") == []
