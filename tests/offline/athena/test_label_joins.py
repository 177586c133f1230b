"""The deployed function joins on the offline Athena what lies in the deployed bucket, and agrees with the plain join."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from kedge.window_sql.parts import COUNTED
from lambdas.adapters import athena_joins
from offline.functions.runtime import FunctionError
from tests.label_joins import as_set, reference_join
from tests.offline.athena.deployed import COLUMNS, CONFIG, END, MODEL, START

DAYS = [date(2016, 1, 4), date(2016, 1, 5), date(2016, 1, 6)]
COLLECTED = datetime(2016, 1, 20, tzinfo=UTC)


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


def test_a_message_that_comes_twice_is_paid_once_and_another_one_joins_anew(world):
    arrange(world)
    first, asked = world.join(message="one"), world.queries()
    assert world.join(message="one") == first
    assert world.queries() == asked == 3
    other = world.join(message="other")
    assert other["joined_prefix"] != first["joined_prefix"]
    assert as_set(world.joined(other)) == as_set(world.joined(first))


def test_an_attempt_goes_on_behind_what_is_whole_and_reads_nothing_that_is_not(world):
    arrange(world)
    first = world.join(message="one")
    prefix, asked, counts = first["joined_prefix"], world.queries(), counts_of(world, first)
    *_, last = athena_joins.written(world.s3, world.bucket, f"{prefix}counted/")
    world.s3.delete_object(Bucket=world.bucket, Key=last)
    # As an attempt that was killed leaves them.
    for below in (
        "joined/killed/",
        last.removeprefix(prefix).replace("counted/", "counts/").replace("objects.txt", "killed/"),
    ):
        world.s3.put_object(Bucket=world.bucket, Key=f"{prefix}{below}part", Body=b"half of a file")
    assert world.join(message="one") == first
    assert world.queries() == asked + 1
    assert counts_of(world, first) == counts


def counts_of(world, answer):
    keys = athena_joins.counted(world.s3, world.bucket, answer["joined_prefix"])
    return as_set(pa.concat_tables(athena_joins.load_counts(world.s3, world.bucket, keys, COUNTED)))


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
