from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from kedge.config.reading import parse_model_config
from kedge.errors import ColumnsAlikeError
from kedge.labels.join import join_labels
from kedge.labels.join_sql import (
    CatalogueTable,
    answers_table,
    join_sql,
    joined_schema,
    labels_table,
    literal,
    quoted,
    unload_sql,
)
from kedge.own_columns import name_before
from tests.builders import make_config
from tests.label_joins import answered, as_set, labelled, reference_join

DAY = datetime(2016, 1, 4, tzinfo=UTC)
AWKWARD = """
model: Odd-Names
endpoint: {name: odd}
prediction: {name: 'the "answer"'}
features:
  - {name: "Lead Time", kind: numeric}
  - {name: "größe'; DROP TABLE x; --", kind: categorical}
  - {name: place, kind: boolean}
  - {name: seen, kind: timestamp}
  - {name: light, kind: numeric, dtype: float32}
labels: {fields: ["Why?", "it's"]}
"""
CONFIG = parse_model_config(AWKWARD, source="odd.yaml")
COLUMNS = (*CONFIG.answer_columns, *CONFIG.feature_names)


def run_by_duckdb(select, answers, labels):
    """Run an Athena query over these tables as DuckDB, each file's rows with the path that Athena would see."""
    parsed = sqlglot.parse_one(select, read="athena")
    tables = list(parsed.find_all(sqlglot.exp.Table))
    with duckdb.connect() as connection:
        for table in tables:
            # The answers are read by the outer SELECT, the labels by the one inside.
            rows = with_names_of_before(answers if table.alias == "a" else labels)
            connection.register(f"t{tables.index(table)}", without_zone(rows))
            table.set("this", sqlglot.exp.to_identifier(f"t{tables.index(table)}"))
            table.set("db", None)
        return connection.execute(parsed.sql("duckdb")).fetch_arrow_table()


def with_names_of_before(rows):
    """The rows of files of both versions: what a file calls otherwise is null in it, as in Athena."""
    for name in [name for name in rows.column_names if name_before(name)]:
        if name_before(name) not in rows.column_names:
            rows = rows.append_column(name_before(name), pa.nulls(rows.num_rows, rows.schema.field(name).type))
    return rows


def as_written_before(rows):
    """Files of before: our columns under the names that they had then."""
    stored = rows.rename_columns([name_before(name) or name for name in rows.column_names])
    for name in [name for name in rows.column_names if name_before(name)]:
        stored = stored.append_column(name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
    return stored


def without_zone(rows):
    kinds = [pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, kinds, strict=True))))


def with_run(table, run, path="p"):
    runs, paths = pa.array([run] * table.num_rows, pa.string()), pa.array([path] * table.num_rows, pa.string())
    return table.append_column("kedge_run", runs).append_column("$path", paths)


def joined(parts, labels_by_day, *, start, end, run="7-a", written=lambda rows: rows):
    answers, labels = answers_table(CONFIG, COLUMNS, location="s3://b/"), labels_table(CONFIG, location="s3://b/")
    select = join_sql(answers, labels, database="kedge", run=run, start=start, end=end)
    days = [with_run(labelled(rows, CONFIG), run, f"s3://b/{day}") for day, rows in labels_by_day.items()]
    found = run_by_duckdb(
        select,
        written(pa.concat_tables([with_run(part, run) for part in parts])),
        written(pa.concat_tables([with_run(labelled([], CONFIG), run), *days])),
    )
    schema = joined_schema(CONFIG, COLUMNS)
    return found.rename_columns(schema.names).cast(schema)


ids = st.sampled_from(["a", "b", "é", "'; --", '"', "", "a/0", "\u2028"])
seconds = st.integers(0, 3 * 86_400)
answers_drawn = st.lists(
    st.fixed_dictionaries(
        {
            "kedge_row_id": ids,
            "kedge_time": seconds.map(lambda s: DAY + timedelta(seconds=s)),
            'the "answer"': st.none() | st.floats(0, 1),
            "Lead Time": st.none() | st.floats(-1e300, 1e300),
            "größe'; DROP TABLE x; --": st.none() | st.text("äx\"'", max_size=3),
            "place": st.sampled_from([None, "true", "false"]),
        }
    ),
    max_size=12,
)
labels_drawn = st.dictionaries(
    st.integers(0, 2).map(lambda n: (DAY + timedelta(days=n)).date()),
    st.lists(
        st.fixed_dictionaries(
            {
                "kedge_row_id": ids,
                "label": st.sampled_from(["0", "1", "yes'"]),
                "kedge_collected": st.integers(0, 3).map(lambda n: DAY + timedelta(days=9, hours=n)),
                "kedge_source": st.sampled_from([None, "f", "g"]),
                "kedge_field_Why?": st.sampled_from([None, "so"]),
            }
        ),
        max_size=6,
        unique_by=lambda label: label["kedge_row_id"],
    ),
)


@settings(max_examples=60, deadline=None)
@given(answers_drawn, labels_drawn)
def test_the_sql_gives_the_rows_of_the_join_in_memory(rows, labels):
    part = answered(rows, CONFIG)
    found = joined([part], labels, start=DAY, end=DAY + timedelta(days=4))
    days = [labelled(labels[day], CONFIG) for day in sorted(labels)]
    in_memory = join_labels(part.select(["kedge_row_id", "kedge_time", *COLUMNS]), days, CONFIG.labels.fields)
    assert found.column_names == in_memory.column_names
    assert as_set(found) == as_set(in_memory)


@settings(max_examples=20, deadline=None)
@given(answers_drawn, labels_drawn)
def test_files_that_were_written_before_our_columns_had_their_names_are_read_as_well(rows, labels):
    part, end = answered(rows, CONFIG), DAY + timedelta(days=4)
    found = joined([part], labels, start=DAY, end=end, written=as_written_before)
    assert as_set(found) == as_set(joined([part], labels, start=DAY, end=end))


@settings(max_examples=60, deadline=None)
@given(answers_drawn, labels_drawn, seconds, seconds)
def test_the_sql_gives_the_rows_of_the_plain_join(rows, labels, one, other):
    start, end = (DAY + timedelta(seconds=s) for s in sorted((one, other)))
    part = answered(rows, CONFIG)
    found = joined([part], labels, start=start, end=end)
    assert as_set(found) == as_set(reference_join([part], labels, CONFIG, COLUMNS, start, end))


def test_the_start_is_inside_the_window_and_the_end_is_not():
    times = [DAY - timedelta(milliseconds=1), DAY, DAY + timedelta(hours=1)]
    part = answered([{"kedge_row_id": str(n), "kedge_time": time} for n, time in enumerate(times)], CONFIG)
    assert joined([part], {}, start=DAY, end=DAY + timedelta(hours=1)).column("kedge_row_id").to_pylist() == ["1"]


def test_of_two_labels_the_last_collected_wins_and_of_two_at_once_that_of_the_later_day():
    part = answered([{"kedge_row_id": each, "kedge_time": DAY} for each in ("late", "tie")], CONFIG)
    early, late = DAY + timedelta(days=1), DAY + timedelta(days=2)
    first = [
        {"kedge_row_id": "late", "label": "new", "kedge_collected": late},
        {"kedge_row_id": "tie", "label": "old", "kedge_collected": late},
    ]
    second = [
        {"kedge_row_id": "late", "label": "old", "kedge_collected": early},
        {"kedge_row_id": "tie", "label": "new", "kedge_collected": late},
    ]
    found = joined([part], {DAY.date(): first, late.date(): second}, start=DAY, end=late)
    assert set(found.column("label").to_pylist()) == {"new"}


def test_rows_of_another_join_are_not_looked_at():
    answers, labels = answers_table(CONFIG, (), location="s3://b/"), labels_table(CONFIG, location="s3://b/")
    select = join_sql(answers, labels, database="kedge", run="7-a", start=DAY, end=DAY + timedelta(days=1))
    part = answered([{"kedge_row_id": "a", "kedge_time": DAY}], CONFIG)
    label = labelled([{"kedge_row_id": "a", "label": "1", "kedge_collected": DAY}], CONFIG)
    other_answers = run_by_duckdb(select, with_run(part, "7-b"), with_run(label, "7-a"))
    other_labels = run_by_duckdb(select, with_run(part, "7-a"), with_run(label, "7-b"))
    assert other_answers.num_rows == 0
    assert other_labels.column("c2").to_pylist() == [None]


def test_names_and_texts_stay_names_and_texts():
    select = f"SELECT {literal(chr(39) + '; DROP')} AS {quoted('a' + chr(34) + 'b')}"
    parsed = sqlglot.parse_one(select, read="athena")
    assert parsed.selects[0].alias == 'a"b'
    assert parsed.selects[0].this.this == "'; DROP"
    assert unload_sql("SELECT 1", "s3://b/it's/").endswith(
        "TO 's3://b/it''s/' WITH (format = 'PARQUET', compression = 'SNAPPY')"
    )


def test_a_statement_of_four_hundred_columns_is_far_below_athenas_limit():
    features = "".join(f"  - {{name: {'a_rather_long_name_' * 3}{n}, kind: numeric}}\n" for n in range(400))
    config = parse_model_config(f"model: wide\nendpoint: {{name: wide}}\nfeatures:\n{features}", source="wide.yaml")
    answers = answers_table(config, config.feature_names, location="s3://b/")
    labels = labels_table(config, location="s3://b/")
    assert len(join_sql(answers, labels, database="kedge", run="7-a", start=DAY, end=DAY)) < 262_144 / 4


def test_columns_are_declared_as_the_parts_hold_them():
    assert dict(answers_table(CONFIG, COLUMNS, location="s3://b/").columns) == {
        "kedge_row_id": "string",
        "kedge_time": "timestamp",
        "row_id": "string",
        "time": "timestamp",
        'the "answer"': "double",
        "Lead Time": "double",
        "größe'; DROP TABLE x; --": "string",
        "place": "string",
        "seen": "timestamp",
        "light": "float",
    }


def test_a_tables_name_tells_models_columns_and_places_apart():
    def name(config=CONFIG, columns=("place",), location="s3://b/"):
        return answers_table(config, columns, location=location).name

    names = {name(), name(columns=("seen",)), name(location="s3://c/"), labels_table(CONFIG, location="s3://b/").name}
    assert len(names) == 4
    assert name() == name()
    assert all(each.startswith("odd_names_") and each.replace("_", "").isalnum() for each in names)


def test_columns_that_athena_would_take_for_one_are_refused():
    lines = "".join(f"  - {{name: {name}, kind: numeric}}\n" for name in ("Age", "age"))
    config = parse_model_config(f"model: m\nendpoint: {{name: m}}\nfeatures:\n{lines}", source="m.yaml")
    with pytest.raises(ColumnsAlikeError, match=r"rename them, or raise labels\.athena_from_bytes"):
        answers_table(config, ("age",), location="s3://b/")


def test_features_may_be_called_as_our_columns_were_before():
    lines = "".join(f"  - {{name: {name}, kind: categorical}}\n" for name in ("Row_ID", "time", "hour"))
    config = parse_model_config(f"model: m\nendpoint: {{name: m}}\nfeatures:\n{lines}", source="m.yaml")
    table = answers_table(config, config.feature_names, location="s3://b/")
    assert table.before == {}
    assert table.read == ("kedge_row_id", "kedge_time", "Row_ID", "time", "hour")


def test_fields_of_labels_that_athena_would_take_for_one_are_refused():
    config = make_config("labels: {fields: [Refund, refund]}")
    with pytest.raises(ColumnsAlikeError, match="kedge_field_Refund, kedge_field_refund"):
        labels_table(config, location="s3://b/")


def test_columns_alike_that_are_not_asked_for_do_no_harm():
    config = parse_model_config(
        "model: m\nendpoint: {name: m}\nfeatures: [{name: A, kind: numeric}, {name: a, kind: numeric}]", source="m.yaml"
    )
    assert isinstance(answers_table(config, ("prediction",), location="s3://b/"), CatalogueTable)
