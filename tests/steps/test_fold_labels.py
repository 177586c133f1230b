"""Labels are folded into the day of their answer: late, in any order, twice, corrected or never, whoever else folds too."""

import io
import itertools
from datetime import date, timedelta
from urllib.parse import unquote

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.errors import DayContendedError
from kedge.labels.fold import in_schema, label_schema
from lambdas.adapters.bucket import label_days, layout, row_objects
from lambdas.steps import fold_labels as label_folding
from lambdas.steps import label_batches
from tests.conditional_writes import CONFLICT, FINE, LOST, faults
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.handlers.interleaving import interleave
from tests.handlers.labels import NOW, answer_ids, days_back, fold, folded, reads, record, upload

TODAY = NOW.date()


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def day(back: int) -> date:
    return TODAY - timedelta(days=back)


def with_labels(world, **labels):
    return world.config.model_copy(update={"labels": world.config.labels.model_copy(update=labels)})


def opened(keys: list[str]) -> list[str]:
    """Days whose ids were looked through, each once, in the order of reading."""
    return list(dict.fromkeys(key.split("/ids/")[1][:10] for key in keys if "/ids/" in key))


def opened_ids(keys: list[str]) -> list[str]:
    """Objects of ids that were looked through, in the order of reading."""
    return [key for key in keys if "/ids/" in key]


@pytest.mark.parametrize("late", [0, 1, 29, 200, 364])
def test_a_label_finds_its_row_from_hours_to_a_year_later(world, late):
    answer_ids(world, day(late), ["a", "b"])
    upload(world, NOW - timedelta(hours=1), record("a", "1"))
    report = fold(world)
    assert folded(world) == {(str(day(late)), "a"): "1"}
    assert (report.matched, report.waiting, report.unknown) == (1, 0, 0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_several_labels_the_last_collected_counts_in_whatever_order_they_are_folded(world, order):
    answer_ids(world, day(20), ["a"])
    files = [(days_back(9), "0"), (days_back(5), "1"), (days_back(7), "2")]
    for place in order:
        collected, label = files[place]
        upload(world, collected, record("a", label))
        fold(world)
    assert folded(world) == {(str(day(20)), "a"): "1"}


def test_of_one_hours_files_the_last_by_name_counts_and_within_a_file_the_last_line(world):
    answer_ids(world, day(3), ["a", "b"])
    upload(world, days_back(1), record("a", "1"), record("b", "0"), record("b", "1"), name="z")
    upload(world, days_back(1), record("a", "0"), record("b", "0"), name="y")
    fold(world)
    assert folded(world) == {(str(day(3)), "a"): "1", (str(day(3)), "b"): "1"}


def test_a_file_that_is_uploaded_again_replaces_what_it_said(world):
    answer_ids(world, day(3), ["a", "b"])
    upload(world, days_back(1), record("a", "0"))
    fold(world)
    upload(world, days_back(1), record("a", "1"), record("b", "1"))
    assert fold(world).files == 1
    assert folded(world) == {(str(day(3)), "a"): "1", (str(day(3)), "b"): "1"}


def test_a_label_is_taken_back_by_a_later_null(world):
    answer_ids(world, day(3), ["a"])
    upload(world, days_back(2), record("a", "0"))
    upload(world, days_back(1), record("a", None))
    fold(world)
    assert folded(world) == {(str(day(3)), "a"): None}


def test_a_run_with_nothing_new_reads_and_writes_nothing_but_what_it_must_know(world):
    answer_ids(world, day(3), ["a"])
    upload(world, days_back(1), record("a", "0"))
    fold(world)
    calls = []
    world.s3.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    assert fold(world).files == 0
    # The ledger, the labels that wait, one listing of label files, and one of what lies beside the years.
    assert sorted(calls) == ["GetObject", "GetObject", "ListObjectsV2", "ListObjectsV2"]


def test_labels_of_the_running_hour_are_left_for_the_next_run(world):
    answer_ids(world, day(1), ["a"])
    upload(world, NOW, record("a", "1"))
    assert fold(world).labels == 0
    assert fold(world, now=NOW + timedelta(hours=1)).matched == 1


def test_days_are_searched_newest_first_and_no_longer_than_needed(world):
    for back in range(10):
        answer_ids(world, day(back), [f"a{back}"])
    upload(world, days_back(4), record("a7", "1"), record("a6", "0"))
    keys = reads(world)
    report = fold(world)
    # A clock or a time zone may be wrong by a day.
    assert opened(keys) == [str(day(back)) for back in (3, 4, 5, 6, 7)]
    assert (report.days_opened, report.objects_opened, report.matched) == (5, 10, 2)


@pytest.mark.parametrize(
    ("horizon", "back", "found"), [(None, 390, True), (60.0, 119, True), (60.0, 130, False), (2.0, 90, True)]
)
def test_the_search_ends_at_twice_the_label_horizon_and_not_within_a_quarter(world, horizon, back, found):
    answer_ids(world, day(back), ["a"])
    upload(world, NOW - timedelta(hours=3), record("a", "1"))
    assert fold(world, horizon=horizon).matched == found


def test_with_hints_only_their_own_days_are_opened(world):
    for back in range(40):
        answer_ids(world, day(back), [f"{day(back):%Y%m%d}-a", f"b{back}"])
    config = with_labels(world, id_time_format="%Y%m%d")
    upload(
        world,
        days_back(1),
        record("b33", "1", inference_time=f"{day(33)}T05:00:00Z"),
        record(f"{day(20):%Y%m%d}-a", "0"),
        {**record("b25", "1"), "inferenceTime": f"{day(24)}T01:00:00+05:00"},
    )
    keys = reads(world)
    report = fold(world, config=config)
    assert (opened(keys), report.matched) == ([str(day(20)), str(day(25)), str(day(33))], 3)


def test_a_hint_finds_a_row_that_lies_behind_the_search(world):
    answer_ids(world, day(364), ["a"])
    upload(world, days_back(1), record("a", "1", inference_time=f"{day(364)}T05:00:00Z"))
    report = fold(world, horizon=2.0)
    assert (report.matched, report.days_opened) == (1, 1)


def test_a_hint_that_is_no_time_or_names_the_wrong_day_costs_a_search_and_no_label(world):
    for back in range(20):
        answer_ids(world, day(back), [f"a{back}"])
    upload(
        world,
        days_back(1),
        record("a9", "1", inference_time="soon"),
        record("a12", "0", inference_time=f"{day(15)}T00:00:00Z"),
        record("a5", "0", inference_time="9999-01-01T00:00:00Z"),
        record("a6", "0", inference_time="0001-01-01T00:00:00Z"),
    )
    report = fold(world)
    assert {key for _, key in folded(world)} == {"a9", "a12", "a5", "a6"}
    assert (report.matched, report.waiting) == (4, 0)


def test_a_hint_of_a_day_that_may_still_gain_rows_is_waited_for_and_then_searched_for(world):
    answer_ids(world, day(8), ["a"])
    answer_ids(world, TODAY, ["z"])
    upload(world, NOW - timedelta(hours=1), record("a", "1", inference_time=f"{TODAY}T00:30:00Z"))
    report = fold(world)
    assert (report.waiting, report.days_opened) == (1, 1)
    assert fold(world, now=NOW + timedelta(days=2)).waiting == 1
    last = fold(world, now=NOW + timedelta(days=4))
    assert (last.waiting, last.unknown, last.matched) == (0, 0, 1)
    assert folded(world) == {(str(day(8)), "a"): "1"}


@pytest.mark.parametrize("hint", [{}, {"inference_time": f"{TODAY}T01:30:00Z"}])
def test_a_label_that_comes_before_its_row_is_counted_waits_for_it(world, hint):
    answer_ids(world, day(1), ["z"])
    upload(world, NOW - timedelta(hours=1), record("a", "1", **hint))
    assert fold(world).waiting == 1
    assert world.keys(f"labelled/{MODEL}/date=") == []
    answer_ids(world, TODAY, ["a"])
    report = fold(world, now=NOW + timedelta(hours=5))
    assert (report.matched, report.waiting, report.files) == (1, 0, 0)
    assert folded(world) == {(str(TODAY), "a"): "1"}


def test_a_correction_wins_over_the_label_that_still_waits(world):
    upload(world, days_back(1), record("a", "0"))
    fold(world)
    upload(world, NOW - timedelta(hours=1), record("a", "1"))
    fold(world)
    answer_ids(world, TODAY, ["a"])
    fold(world, now=NOW + timedelta(hours=1))
    assert folded(world) == {(str(TODAY), "a"): "1"}


def test_while_a_label_waits_only_the_days_that_can_gain_rows_are_looked_at_again(world):
    for back in range(10):
        answer_ids(world, day(back), [f"a{back}"])
    upload(world, NOW - timedelta(hours=1), record("nobody", "1"))
    fold(world)
    keys = reads(world)
    fold(world, now=NOW + timedelta(hours=1))
    assert opened(keys) == [str(day(back)) for back in (0, 1, 2)]


def test_labels_of_ids_that_nobody_answered_are_given_up_and_said(world):
    answer_ids(world, day(1), ["a"])
    upload(world, NOW - timedelta(hours=1), record("a", "1"), record("nobody", "1"), record("no one", "0"))
    assert (fold(world).waiting, fold(world).unknown_lately) == (2, 0)
    later = NOW + timedelta(days=3)
    report = fold(world, now=later)
    assert (report.waiting, report.unknown, report.unknown_lately) == (0, 2, 2)
    assert report.gauges() == {"LabelsFolded": 0, "LabelsUnknown": 2, "LabelRecordsBroken": 0}
    again = fold(world, now=later + timedelta(hours=1))
    assert (again.unknown, again.unknown_lately) == (0, 2)


def test_old_labels_of_unknown_ids_do_not_wait_at_all(world):
    upload(world, days_back(10), record("nobody", "1"))
    report = fold(world)
    assert (report.waiting, report.unknown) == (0, 1)


def test_broken_records_and_keys_are_counted_and_cost_nothing_else(world):
    answer_ids(world, day(2), ["r", "s"])
    lines = [record("r", " 1 "), "not json", '{"eventMetadata": {}}', "", "[]", record("s", 0)]
    upload(world, days_back(1), *lines)
    world.put(f"labels/{MODEL}/notadate.jsonl", b"{}")
    world.put(f"labels/{MODEL}/2016/02/30/05/x.jsonl", b"{}")
    world.put(f"labels/{MODEL}/2016/02/", b"")
    report = fold(world)
    assert folded(world) == {(str(day(2)), "r"): "1", (str(day(2)), "s"): "0"}
    assert (report.broken, sum(report.broken_lately.values())) == (3, 5)
    assert f"labels/{MODEL}/notadate.jsonl is not below yyyy/mm/dd/hh" in report.broken_lately
    assert (fold(world).broken, sum(fold(world).broken_lately.values())) == (0, 5)


@pytest.mark.parametrize(
    "key", ["2016-01-31.parquet", "2016-01-31/05/a.jsonl", "a.jsonl", "1/a.jsonl", "2016/1/31/5/a.jsonl"]
)
def test_files_outside_of_the_hours_are_told_as_long_as_they_lie_there_whatever_they_are_called(world, key):
    answer_ids(world, day(2), ["r"])
    upload(world, days_back(1), record("r", "1"))
    fold(world)
    world.put(f"labels/{MODEL}/{key}", b"{}")
    told = {f"labels/{MODEL}/{key} is not below yyyy/mm/dd/hh": 1}
    for later in (0, 1, 8):
        report = fold(world, now=NOW + timedelta(days=later))
        assert report.broken_lately == report.to_json()["labels_unreadable"] == told
    world.s3.delete_object(Bucket=BUCKET, Key=f"labels/{MODEL}/{key}")
    assert fold(world, now=NOW + timedelta(days=9)).broken_lately == {}


def test_what_a_later_run_for_an_earlier_time_folds_changes_nothing(world):
    answer_ids(world, day(5), ["a"])
    upload(world, days_back(3), record("a", "0"))
    upload(world, days_back(1), record("a", "1"))
    fold(world)
    fold(world, now=days_back(2))
    assert folded(world) == {(str(day(5)), "a"): "1"}
    assert fold(world).files == 0


def test_files_below_earlier_hours_are_found_within_a_week_and_those_of_more_than_thirty_days_never(world):
    answer_ids(world, day(50), ["a", "b", "c", "d"])
    upload(world, days_back(45), record("a", "1"))
    assert fold(world).matched == 1
    for back, row_id in ((5, "b"), (20, "c"), (31, "d")):
        upload(world, days_back(back), record(row_id, "1"))
    assert [fold(world, now=NOW + timedelta(days=later)).matched for later in (0, 6, 7)] == [1, 0, 1]
    assert fold(world, now=NOW + timedelta(days=14)).files == 0
    ledger, _ = label_days.load_ledger(world.s3, BUCKET, MODEL, fields=())
    assert [key.split(f"{MODEL}/")[1][:10] for key in ledger.files] == [f"{days_back(5):%Y/%m/%d}"]


def test_other_fields_in_the_yaml_have_everything_folded_again(world):
    answer_ids(world, day(50), ["a", "b"])
    upload(world, days_back(45), record("a", "1", refund=3), record("b", "1"))
    fold(world)
    assert fold(world, config=with_labels(world, fields=("refund",))).matched == 2
    assert folded(world, ("refund",)) == {(str(day(50)), "a"): ("1", "3"), (str(day(50)), "b"): ("1", None)}
    assert fold(world, config=with_labels(world, fields=("refund",))).files == 0


def test_a_backlog_is_noted_in_batches_so_that_a_run_that_dies_has_made_progress(world, monkeypatch):
    answer_ids(world, day(300), [f"a{n}" for n in range(6)])
    for n in range(6):
        upload(world, days_back(200 - n), record(f"a{n}", "1"))
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 1)

    class DiedError(Exception):
        pass

    def die(params, **_):
        if f"{days_back(197):%Y/%m/%d}" in params["url_path"]:
            raise DiedError

    world.s3.meta.events.register("before-call.s3.GetObject", die, unique_id="die")
    with pytest.raises(DiedError):
        fold(world)
    world.s3.meta.events.unregister("before-call.s3.GetObject", die, unique_id="die")
    assert len(folded(world)) == 3
    report = fold(world)
    assert (report.files, report.matched) == (3, 3)
    assert len(folded(world)) == 6


def arrange(world):
    for prefix in ("labelled/", "labels/"):
        for key in world.keys(prefix):
            world.s3.delete_object(Bucket=BUCKET, Key=key)
    upload(world, days_back(2), record("a", "0"), record("b", "0"), record("nobody", "1"))


def truth(world):
    waiting, _ = label_days.load_waiting(world.s3, BUCKET, MODEL, fields=())
    return folded(world), waiting.column("kedge_row_id").to_pylist()


# S3 calls of a fold of one file: ledger, listing, file, waiting, packages, days; profiles of two of them and a part; label day, waiting and
# ledger written. The hashes of ids are read beside them.
STEPS = 13


def run_fold(world):
    def run():
        fold(world)

    return run


def test_a_fold_of_one_file_makes_few_calls(world):
    answer_ids(world, day(4), ["a", "b"])
    answer_ids(world, day(3), ["c"])
    arrange(world)
    assert interleave(world.s3, run_fold(world), run_fold(world), 1000, 0) == STEPS


@pytest.mark.parametrize("first", range(STEPS + 1))
def test_two_folds_interleaved_at_every_step_lose_and_double_nothing(world, first):
    answer_ids(world, day(4), ["a", "b"])
    answer_ids(world, day(3), ["c"])

    def late():
        # Another file, and another content of the first, while the first run is under way.
        upload(world, days_back(1), record("b", "1"), record("c", "1"), record("no one", "0"))
        upload(world, days_back(2), record("a", "1"), record("b", "0"), record("nobody", "1"))

    expected = {(str(day(4)), "a"): "1", (str(day(4)), "b"): "1", (str(day(3)), "c"): "1"}
    # Every third step of the other run, from step to step of this one a different third.
    for second in range(first % 3, STEPS + 2, 3):
        arrange(world)
        interleave(world.s3, run_fold(world), run_fold(world), first, second, between=late)
        fold(world)
        labels, waiting = truth(world)
        assert (labels, sorted(waiting)) == (expected, ["no one", "nobody"]), second
        gone = fold(world, now=NOW + timedelta(days=3))
        assert (gone.files, gone.unknown_lately, truth(world)) == (0, 2, (expected, [])), second


def test_a_fold_that_dies_at_any_step_is_made_good_by_the_next(world):
    answer_ids(world, day(4), ["a", "b"])

    class DiedError(Exception):
        pass

    arrange(world)
    for step in itertools.count():
        arrange(world)
        left = [step]

        def die(_left=left, **_):
            _left[0] -= 1
            if _left[0] < 0:
                raise DiedError

        world.s3.meta.events.register("before-call.s3", die, unique_id="die")
        try:
            fold(world)
            died = False
        except DiedError:
            died = True
        world.s3.meta.events.unregister("before-call.s3", die, unique_id="die")
        fold(world)
        assert truth(world) == ({(str(day(4)), "a"): "0", (str(day(4)), "b"): "0"}, ["nobody"]), step
        if not died:
            break
    assert step > 8


@pytest.mark.parametrize("kind", [CONFLICT, LOST])
def test_a_fold_whose_writes_are_refused_without_a_race_loses_and_doubles_nothing(world, kind):
    answer_ids(world, day(4), ["a", "b"])
    for place in itertools.count():
        arrange(world)
        with faults(world.s3, *[FINE] * place, kind) as left:
            report = fold(world)
        assert (report.labels, report.matched, report.waiting) == (3, 2, 1), place
        assert truth(world) == ({(str(day(4)), "a"): "0", (str(day(4)), "b"): "0"}, ["nobody"]), place
        assert fold(world).files == 0
        if left:
            break
    assert place > 2


def test_a_day_that_is_always_replaced_by_others_is_tried_again_later(world):
    answer_ids(world, day(4), ["a", "b"])
    upload(world, days_back(2), record("a", "0"))
    key, count = layout.label_day_key(MODEL, day(4)), itertools.count()
    other = boto3.client("s3")

    def meddle(params, **_):
        if "date=" in unquote(params["url_path"]) and {"If-Match", "If-None-Match"} & set(params["headers"]):
            labels = pa.table({"kedge_row_id": ["b"], "label": [str(next(count))]})
            sink = io.BytesIO()
            pq.write_table(in_schema(labels, label_schema(())), sink)
            other.put_object(Bucket=BUCKET, Key=key, Body=sink.getvalue())

    world.s3.meta.events.register("before-call.s3.PutObject", meddle, unique_id="meddle")
    with pytest.raises(DayContendedError):
        fold(world)


@pytest.mark.parametrize("size", [1, 300, 1_000, 100_000])
def test_whatever_the_batches_the_same_labels_are_folded_and_given_up(world, monkeypatch, size):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", size)
    monkeypatch.setattr(label_folding, "SLOT_LABELS", 4)
    monkeypatch.setattr(row_objects, "READ_AHEAD_BYTES", 250)
    answer_ids(world, day(5), [f"a{n}" for n in range(20)])
    upload(
        world,
        days_back(2),
        *(record(f"a{n}", n % 2) for n in range(20)),
        "broken",
        *(record(f"x{n}", 1) for n in range(20)),
    )
    upload(world, days_back(1), record("a3", "7"), record("late", "1"), name="b")
    report = fold(world)
    assert folded(world) == {(str(day(5)), f"a{n}"): "7" if n == 3 else str(n % 2) for n in range(20)}
    assert (report.waiting, report.broken, report.is_whole) == (21, 1, True)
    assert fold(world).files == 0
    answer_ids(world, TODAY, ["late"])
    assert fold(world, now=NOW + timedelta(days=1)).matched == 1
    assert fold(world, now=NOW + timedelta(days=4)).unknown_lately == 20
    assert fold(world, now=NOW + timedelta(days=4)).waiting == 0


@pytest.mark.parametrize(
    ("objects", "days_a_run", "hint"), [(1, 1, False), (4, 4, False), (3, 1, True), (6, 5, True), (3, 100, False)]
)
def test_in_however_many_objects_labels_wait_and_however_little_time_there_is_each_gets_its_turn(
    world, monkeypatch, objects, days_a_run, hint
):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 1)
    monkeypatch.setattr(label_folding, "SLOT_LABELS", 2)
    for back in range(6):
        answer_ids(world, day(back), [f"a{back}"])
    waiting = [f"x{n}" for n in range(2 * objects)]
    said = {"inference_time": f"{TODAY}T01:30:00Z"} if hint else {}
    for n in range(objects):
        upload(world, NOW - timedelta(hours=1), *(record(f"x{2 * n + k}", 1, **said) for k in (0, 1)), name=f"{n}")
    keys = reads(world)

    def run(now):
        before = len(opened_ids(keys))
        return fold(world, now=now, has_time=lambda: len(opened_ids(keys)) - before < days_a_run)

    # Each object of labels opens six days at most for the first search, and three once more where its search was cut.
    attempts = list(itertools.takewhile(lambda report: not report.is_whole, (run(NOW) for _ in range(100))))
    assert len(attempts) <= objects * (2 + 9 // days_a_run)
    assert run(NOW).waiting == len(waiting)
    answer_ids(world, TODAY, ["x0", waiting[-1]])
    hours = (run(NOW + timedelta(hours=hour)) for hour in itertools.count(1))
    found = list(itertools.takewhile(lambda report: report.waiting > len(waiting) - 2, hours))
    assert all(report.is_whole for report in found)
    # It may have been looked for that day a moment before.
    assert len(found) <= 2 * objects * (2 + 3 // days_a_run)
    later = (run(NOW + timedelta(days=4, hours=hour)) for hour in itertools.count())
    gone = list(itertools.takewhile(lambda report: report.waiting, later))
    assert len(gone) <= objects * (2 + 9 // days_a_run)
    assert run(NOW + timedelta(days=9)).unknown_lately == len(waiting) - 2


def rows_of_objects(world) -> list[int]:
    """How many labels each object of the label days holds."""
    keys = world.keys(f"labelled/{MODEL}/date=")
    return [label_days.load_object(world.s3, BUCKET, key, fields=())[0].num_rows for key in keys]


def test_a_day_of_many_labels_is_kept_in_several_objects_and_of_a_rows_labels_the_last_collected_counts(
    world, monkeypatch
):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 1)
    monkeypatch.setattr(label_folding, "DAY_LABELS", 4)
    answer_ids(world, day(5), [f"a{n}" for n in range(20)])
    for n in range(0, 20, 2):
        upload(world, days_back(3), *(record(f"a{k}", "0") for k in (n, n + 1)), name=f"{n:02}")
    fold(world)
    before = {key: world.read(key) for key in world.keys(f"labelled/{MODEL}/date=")}
    assert (len(before), max(rows_of_objects(world)), sum(rows_of_objects(world))) == (5, 4, 20)
    upload(world, days_back(2), record("a0", "1"), record("a19", "1"))
    upload(world, days_back(4), record("a1", "7"), record("a19", "7"))
    fold(world)
    assert folded(world) == {(str(day(5)), f"a{n}"): "1" if n in (0, 19) else "0" for n in range(20)}
    # Full ones stay as they are: what a day's labels cost to write grows with them alone.
    assert {key: world.read(key) for key in before} == before


@pytest.mark.parametrize(
    ("limits", "searches"), [({}, 1), ({"BATCH_LABELS": 7}, 3), ({"BATCH_BYTES": 700, "BLOCK_BYTES": 100}, 3)]
)
def test_labels_of_many_files_are_looked_for_at_once_up_to_a_number_and_a_size(world, monkeypatch, limits, searches):
    answer_ids(world, day(5), [f"a{n}" for n in range(20)])
    for n in range(0, 20, 2):
        upload(world, days_back(3), *(record(f"a{k}", "0") for k in (n, n + 1)), "broken", name=f"{n:02}")
    monkeypatch.setattr(label_folding, "DAY_LABELS", 3)
    for name, limit in ({"BLOCK_BYTES": 1} | limits).items():
        monkeypatch.setattr(label_batches, name, limit)
    keys = reads(world)
    report = fold(world)
    assert (report.files, report.labels, report.matched, report.broken) == (10, 20, 20, 10)
    assert sum(report.broken_lately.values()) == 10
    assert (folded(world), rows_of_objects(world)) == ({(str(day(5)), f"a{n}"): "0" for n in range(20)}, [3] * 6 + [2])
    assert len(opened_ids(keys)) == searches
    assert fold(world).labels == 0


def test_a_day_that_an_earlier_version_kept_in_one_large_object_stays_and_gets_another(world, monkeypatch):
    answer_ids(world, day(5), [f"a{n}" for n in range(6)])
    upload(world, days_back(3), *(record(f"a{n}", "0") for n in range(6)))
    fold(world)
    monkeypatch.setattr(label_folding, "DAY_LABELS", 4)
    upload(world, days_back(2), record("a0", "1"))
    fold(world)
    assert folded(world) == {(str(day(5)), f"a{n}"): "0" if n else "1" for n in range(6)}
    assert rows_of_objects(world) == [6, 1]


@pytest.mark.parametrize(("batch_bytes", "writes_in_all"), [(1, 8), (10_000, 3)])
def test_wherever_a_fold_died_each_label_stands_in_one_object_of_its_day(
    world, monkeypatch, batch_bytes, writes_in_all
):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", batch_bytes)
    monkeypatch.setattr(label_folding, "DAY_LABELS", 2)
    answer_ids(world, day(4), ["a", "b", "c", "d"])

    class DiedError(Exception):
        pass

    for writes in itertools.count():
        for key in world.keys("labelled/"):
            world.s3.delete_object(Bucket=BUCKET, Key=key)
        for name in "abcd":
            upload(world, days_back(2), record(name, "0"), name=name)
        left = iter([True] * writes)

        def die(_left=left, **_):
            if not next(_left, False):
                raise DiedError

        world.s3.meta.events.register("before-call.s3.PutObject", die, unique_id="die")
        try:
            fold(world)
            died = False
        except DiedError:
            died = True
        world.s3.meta.events.unregister("before-call.s3.PutObject", die, unique_id="die")
        fold(world)
        assert folded(world) == {(str(day(4)), name): "0" for name in "abcd"}, writes
        assert rows_of_objects(world) == [2, 2], writes
        if not died:
            break
    assert writes == writes_in_all


def test_labels_that_wait_in_many_objects_are_looked_for_once_a_day(world, monkeypatch):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 1)
    monkeypatch.setattr(label_folding, "SLOT_LABELS", 1)
    answer_ids(world, TODAY, ["a"])
    for n in range(26):
        upload(world, NOW - timedelta(hours=1), record(f"x{n}", 1), name=f"{n}")
    fold(world)
    keys = reads(world)
    for hour in (0, 1, 23, 24):
        assert fold(world, now=NOW + timedelta(hours=hour)).waiting == 26
    assert len(opened_ids(keys)) == 26


@pytest.mark.parametrize("block_bytes", [100, 300])
def test_a_large_file_is_gone_on_with_where_the_run_before_stopped(world, monkeypatch, block_bytes):
    monkeypatch.setattr(label_batches, "BATCH_BYTES", 300)
    monkeypatch.setattr(label_batches, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(row_objects, "READ_AHEAD_BYTES", 250)
    answer_ids(world, day(5), [f"a{n}" for n in range(20)])
    key = upload(world, days_back(2), "broken", *(record(f"a{n}", 1) for n in range(20)), "broken")
    reports = [
        label_folding.fold_labels(BUCKET, world.config, now=NOW, horizon_days=None, has_time=lambda: False)
        for _ in range(3)
    ]
    assert [report.is_whole for report in reports] == [False] * 3
    ledger, _ = label_days.load_ledger(world.s3, BUCKET, MODEL, fields=())
    assert (ledger.files, list(ledger.partial)) == ({}, [key])
    last = fold(world)
    assert (last.is_whole, last.files, sum(last.broken_lately.values())) == (True, 1, 2)
    assert sum(report.labels for report in (*reports, last)) == 20
    assert len(folded(world)) == 20
    ledger, _ = label_days.load_ledger(world.s3, BUCKET, MODEL, fields=())
    assert (list(ledger.files), ledger.partial) == ([key], {})
