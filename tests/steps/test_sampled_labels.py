"""Where a sample of the rows is counted, a label of another row is neither looked for nor missed."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import days, label_days, layout
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.handlers.labels import NOW, answer_ids, fold, folded, reads, record, upload

IDS = [f"row-{number}" for number in range(40)]
INSIDE = {row for row, inside in zip(IDS, in_sample(hash_ids(pa.array(IDS)), 25), strict=True) if inside}
SAMPLED, WHOLE = 25, 100


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def counting(world, percentage: int):
    """The model as its YAML says it."""
    capture = world.config.capture.model_copy(update={"counted_percentage": percentage})
    return world.config.model_copy(update={"capture": capture})


def answered(world, back: int, ids, *, left_out: int = 0) -> None:
    """Rows of a day that were counted, and how many were not."""
    day = (NOW - timedelta(days=back)).date()
    answer_ids(world, day, sorted(ids))
    key = layout.profile_day_key(MODEL, "1", "1", day)
    known, _ = days.load_day(world.s3, BUCKET, key)
    world.put(key, encode_day(known.folded(DayProfile(left_out={12: left_out} if left_out else {}))))


def labelled(world, back: float, ids, **more) -> None:
    upload(world, NOW - timedelta(days=back), *(record(row, "1", **more) for row in sorted(ids)))


def rows_of(world) -> set[str]:
    return {row for _, row in folded(world)}


def test_labels_of_other_rows_are_left_out_at_once_and_never_unknown(world):
    answered(world, 2, INSIDE, left_out=len(IDS) - len(INSIDE))
    labelled(world, 1, IDS)
    report = fold(world, config=counting(world, SAMPLED))
    assert rows_of(world) == INSIDE
    assert (report.labels, report.left_out, report.waiting) == (len(IDS), len(IDS) - len(INSIDE), 0)
    later = fold(world, now=NOW + timedelta(days=9), config=counting(world, SAMPLED))
    assert (later.unknown, later.unknown_lately) == (0, 0)


def test_a_label_of_a_row_that_would_be_counted_is_missed_as_ever(world):
    answered(world, 2, INSIDE - {min(INSIDE)}, left_out=9)
    labelled(world, 1, IDS)
    assert fold(world, config=counting(world, SAMPLED)).waiting == 1
    assert fold(world, now=NOW + timedelta(days=9), config=counting(world, SAMPLED)).unknown_lately == 1


def test_for_a_while_after_all_rows_were_counted_their_labels_are_found(world):
    fold(world, now=NOW - timedelta(days=30), config=counting(world, WHOLE))
    answered(world, 20, IDS[:20])
    fold(world, now=NOW - timedelta(days=10), config=counting(world, SAMPLED))
    answered(world, 5, INSIDE & {*IDS[20:]}, left_out=9)
    labelled(world, 1, IDS)
    report = fold(world, config=counting(world, SAMPLED))
    assert rows_of(world) == {*IDS[:20]} | INSIDE
    # Those may have been counted before: they are looked for, and nobody is told that they are not there.
    assert (report.left_out, report.waiting) == (0, len(IDS) - len(rows_of(world)))
    later = fold(world, now=NOW + timedelta(days=9), config=counting(world, SAMPLED))
    assert (later.waiting, later.unknown, later.unknown_lately) == (0, 0, 0)


def test_labels_that_say_their_day_are_left_out_by_what_was_counted_on_it(world):
    fold(world, now=NOW - timedelta(days=30), config=counting(world, WHOLE))
    answered(world, 20, IDS[:20])
    fold(world, now=NOW - timedelta(days=10), config=counting(world, SAMPLED))
    answered(world, 5, INSIDE & {*IDS[20:]}, left_out=9)
    for back, ids in ((20, IDS[:20]), (5, IDS[20:])):
        labelled(
            world,
            1 - back / 100,
            ids,
            inference_time=f"{date.isoformat((NOW - timedelta(days=back)).date())}T12:00:00Z",
        )
    report = fold(world, config=counting(world, SAMPLED))
    assert rows_of(world) == {*IDS[:20]} | INSIDE
    assert (report.left_out, report.waiting) == (len({*IDS[20:]} - INSIDE), 0)


def test_once_all_rows_are_counted_again_labels_of_those_that_were_not_are_not_missed(world):
    answered(world, 20, INSIDE, left_out=9)
    fold(world, now=NOW - timedelta(days=10), config=counting(world, SAMPLED))
    labelled(world, 1, IDS)
    report = fold(world, config=counting(world, WHOLE))
    assert (rows_of(world), report.left_out) == (INSIDE, 0)
    assert fold(world, now=NOW + timedelta(days=9), config=counting(world, WHOLE)).unknown_lately == 0


def test_what_was_counted_is_remembered_with_the_files_and_only_where_it_was_a_sample(world):
    fold(world, config=counting(world, WHOLE))
    assert label_days.load_ledger(world.s3, BUCKET, MODEL, fields=())[0].counted == {}
    fold(world, config=counting(world, SAMPLED))
    ledger, _ = label_days.load_ledger(world.s3, BUCKET, MODEL, fields=())
    assert [*ledger.counted.values()] == [SAMPLED]
    keys = reads(world)
    fold(world, config=counting(world, SAMPLED))
    assert not any(key.endswith(".npz") for key in keys)
