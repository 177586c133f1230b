"""A label's row is looked for among hashes of eight bytes an id, of all the days that may have it."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from lambdas.adapters.bucket import counted_ids
from tests.handlers.aws_world import BUCKET, aws_world
from tests.handlers.labels import NOW, answer_ids, days_back, fold, folded, reads, record, upload

DAYS, PARTS = 30, 4


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def day(back: int) -> date:
    return NOW.date() - timedelta(days=back)


@pytest.mark.parametrize("hashed", [lambda back: True, lambda back: False, lambda back: back % 2 == 0])
def test_with_hashes_or_without_the_same_labels_are_folded_into_the_same_days(world, hashed):
    for back in range(10):
        for part in range(2):
            answer_ids(world, day(back), [f"a{back}-{part}", f"b{back}-{part}"], hashed=hashed(back))
    upload(world, days_back(1), *(record(f"a{back}-1", "1") for back in range(10)), record("nobody", "1"))
    report = fold(world)
    assert folded(world) == {(str(day(back)), f"a{back}-1"): "1" for back in range(10)}
    assert (report.matched, report.waiting) == (10, 1)


def test_a_label_without_a_row_reads_no_rows(world):
    for back in range(DAYS):
        for part in range(PARTS):
            answer_ids(world, day(back), [f"a{back}-{part}"])
    upload(world, NOW - timedelta(hours=1), record("nobody", "1"))
    keys = reads(world)
    report = fold(world)
    assert [key for key in keys if "predictions/" in key] == []
    assert sum("/ids/" in key for key in keys) == DAYS * PARTS
    assert (report.waiting, report.objects_opened) == (1, DAYS * (1 + PARTS))


@pytest.mark.parametrize(("hint", "back"), [({}, 2), ({"inference_time": f"{day(5)}T01:00:00Z"}, 5)])
def test_a_label_goes_to_the_day_that_it_says_or_to_the_newest_that_has_its_hash(world, hint, back):
    answer_ids(world, day(2), ["other"])
    part = world.keys("predictions/")[0]
    counted_ids.save_hashes(world.s3, BUCKET, part, counted_ids.hash_ids(pa.array(["a"])))
    answer_ids(world, day(5), ["a"])
    upload(world, days_back(1), record("a", "1", **hint))
    fold(world)
    assert folded(world) == {(str(day(back)), "a"): "1"}


def fold_cut(world, days: int = 1, **more):
    """Fold in runs whose time is over after some days, until one is whole."""
    for runs in range(1, 100):
        left = iter([True] * (days - 1))
        report = fold(world, has_time=lambda left=left: next(left, False), **more)
        if report.is_whole:
            return report, runs
    raise AssertionError("no run was whole")


@pytest.mark.parametrize("days", [1, 2, 7])
def test_a_search_that_is_cut_goes_on_and_ends_as_if_it_had_not_been(world, days):
    for back in range(12):
        answer_ids(world, day(back), [f"a{back}", f"b{back}"])
    hints = {3: f"{day(3)}T05:00:00Z", 5: f"{day(9)}T05:00:00Z", 8: f"{day(8)}T05:00:00Z"}
    labels = [record(f"a{n}", "1", **({"inference_time": hints[n]} if n in hints else {})) for n in range(12)]
    upload(world, days_back(0.1), *labels)
    upload(world, days_back(6), record("b11", "1"), record("old", "1"))
    _, runs = fold_cut(world, days)
    assert folded(world) == {(str(day(n)), f"a{n}"): "1" for n in range(12)} | {(str(day(11)), "b11"): "1"}
    # What every label had its first search for is whole; to give one up, the days that can still gain rows are looked at again.
    report = fold(world)
    assert (report.waiting, report.unknown_lately) == (0, 1)
    assert runs > 12 // days


def test_no_day_that_was_searched_is_searched_again_for_the_same_labels(world):
    for back in range(10):
        answer_ids(world, day(back), [f"a{back}"])
    upload(world, days_back(5), record("nobody", "1"))
    keys = reads(world)
    _, runs = fold_cut(world)
    searched = [key.split("/ids/")[1][:10] for key in keys if "/ids/" in key]
    assert searched == [str(day(back)) for back in range(4, 10)]
    assert runs == len(searched)
    keys.clear()
    # When the search has come to its end, the days that can still gain rows are looked at.
    assert fold(world).unknown_lately == 1
    assert [key.split("/ids/")[1][:10] for key in keys if "/ids/" in key] == [str(day(back)) for back in (0, 1, 2)]
