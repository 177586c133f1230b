"""A person's call: the functions judge any window for whoever served it, and leave nothing behind but its report."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from cli.operator.past import Past, count
from cli.refusals import BadInputError
from kedge.errors import BaselineAbsentError, WindowRefusedError
from lambdas.handlers import detect_drift, measure_performance, profile_logs
from lambdas.steps.requests import CADENCES, JUDGED_AFTER
from stacks.monitoring import CADENCES as SCHEDULES
from tests.handlers.aws_world import CONTEXT, TABLE
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.monitor_world import MODEL, load_event, message, monitor_world, scored

START, END = datetime(2015, 12, 7, tzinfo=UTC), datetime(2016, 1, 4, tzinfo=UTC)
TIME = END + timedelta(hours=2)
WINDOW = {"start": "2015-12-07T00:00:00Z", "end": "2016-01-04T00:00:00Z"}
BODY = {"model": MODEL, "time": "2016-01-04T02:00:00Z", "window": WINDOW}
ASIDE = f"reports/{MODEL}/1/asked/2015-12-07T0000--2016-01-04T0000"


@pytest.fixture
def world(monkeypatch):
    bookings = load_bookings("2015-12-07", "2016-01-04")
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        world.answer(bookings, scored(bookings, skill=0.1, seed=1)[0])
        publish_labels(world, bookings, until=TIME)
        yield world


def judged(**changes):
    measured = measure_performance.handler(BODY | changes, CONTEXT)
    return detect_drift.handler(json.loads(json.dumps(measured)), CONTEXT)


def left_behind(world):
    items = sorted(json.dumps(item, sort_keys=True) for item in world.dynamodb.scan(TableName=TABLE)["Items"])
    queues = [world.waiting(queue) for queue in ("profile", "performance", "join", "drift", "decision", "people")]
    keys = [key for key in world.keys("") if "/asked/" not in key]
    return items, queues, keys, world.gauge("DriftSeverity")


def scheduled(world):
    """The window as its schedule judges it."""
    measure_performance.handler(load_event("message_judge"), CONTEXT)
    (body,) = world.received("drift")
    detect_drift.handler(message(body), CONTEXT)
    return json.loads(world.read(f"reports/{MODEL}/1/2016-01-04T00/drift-r1.json"))


def test_a_call_finds_what_the_schedule_found_and_writes_its_report_alone(world):
    found = scheduled(world)
    before = left_behind(world)
    answer = judged()
    assert answer["report_key"] == f"{ASIDE}/drift.json"
    assert left_behind(world) == before
    report = json.loads(world.read(answer["report_key"]))
    for part in ("columns", "reasons", "severity", "manifests_digest"):
        assert report[part] == found[part]
    assert report["performance"]["metrics"] == found["performance"]["metrics"]
    assert answer["severity"] == "CRITICAL"
    assert {key.rpartition("/")[2] for key in world.keys(ASIDE)} >= {"drift.json", "drift.html", "performance.json"}


def test_a_package_that_served_before_is_judged_by_its_own_baseline(world):
    scheduled(world)
    first = judged()
    world.promote(END + timedelta(days=1), version="2")
    with pytest.raises(WindowRefusedError, match=r"version 2 serves since .* name the package that served then"):
        judged()
    again = judged(package="1", promoted_at="2015-10-01T00:00:00Z")
    assert (again["package"], again["digest"]) == ("1", first["digest"])
    with pytest.raises(BaselineAbsentError, match=f"baselines/{MODEL}/9.npz"):
        judged(package="9")


def test_a_call_that_says_so_is_told_kept_and_decided_like_the_schedules(world):
    answer = judged(tell=True)
    assert answer["report_key"] == f"reports/{MODEL}/1/2016-01-04T00/drift-r1.json"
    assert world.item("window#2016-01-04T00:00:00Z")
    assert world.received("decision") == [{"model": MODEL, "time": "2016-01-04T02:00:00Z"}]
    lost, broken = (subject for subject, *_ in world.mails())
    assert "quality is lost" in lost
    assert broken.endswith("package version 1 does not keep what the gate promised")


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": WINDOW["end"], "end": WINDOW["start"]}, "is no window that has ended by"),
        ({"start": WINDOW["start"], "end": "2016-02-01T00:00:00Z"}, "is no window that has ended by"),
        ({"start": "2015-11-01T00:00:00Z", "end": "2015-11-08T00:00:00Z"}, "first captures .* are of 2015-12-07"),
    ],
)
def test_a_window_that_cannot_be_judged_is_refused_with_the_reason(world, window, words):
    with pytest.raises(WindowRefusedError, match=words):
        judged(window=window)


def test_old_days_are_counted_to_a_persons_order_once_and_told_nobody(world):
    old = load_bookings("2015-10-05", "2015-10-06")
    world.capture(old, scored(old, skill=0.8)[0])
    before = left_behind(world)[:2]
    event = {"model": MODEL, "time": BODY["time"], "since": "2015-10-05", "until": "2015-10-05"}
    answers = [profile_logs.handler(event, CONTEXT) for _ in range(2)]
    assert [answer["RowsCaptured"] for answer in answers] == [old.num_rows, 0]
    assert all(answer["is_whole"] and answer["packages"] == ["1"] for answer in answers)
    assert left_behind(world)[:2] == before
    with pytest.raises(BaselineAbsentError):
        profile_logs.handler(event | {"package": "9"}, CONTEXT)


class Counting:
    """What `kedge backfill` knows of the deployment where it counts: each answer has passed through JSON, and each run is short."""

    profile_function = "profile"
    caller = SimpleNamespace(time=TIME)

    def __init__(self, *looks):
        self.looks = looks

    def call(self, _function, event):
        left = itertools.chain(self.looks, itertools.repeat(0))
        context = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: next(left)})
        return json.loads(json.dumps(profile_logs.handler(event, context)))


def test_a_day_whose_listing_outlasts_each_run_is_backfilled_to_its_end(world, monkeypatch):
    old = load_bookings("2015-10-05", "2015-10-06")
    day = date(2015, 10, 5)

    def counted(*looks):
        return [answer for _, answer in count(Past(Counting(*looks), world.config, ()), day, day, package=None)]

    (*_, last) = world.capture(old, scored(old, skill=0.8)[0])
    counted(*[600_000] * 1000)
    late = b"\n".join(line.replace(b'"event-', b'"late-') for line in world.read(last).splitlines())
    world.put(last.replace("a.jsonl", "b.jsonl"), late.replace(b'"inferenceId": "', b'"inferenceId": "late-'))
    # The time is enough for one page of each listing, and to read what is new on it.
    answers = counted(600_000)
    assert len(answers) > 3
    assert [answer["is_whole"] for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert sum(answer["RowsCaptured"] for answer in answers) == len(late.splitlines())


def test_a_day_that_no_run_comes_further_with_is_not_said_to_be_counted(world):
    answer = {"is_whole": False, "has_progress": False, "stopped": {"day": "2015-10-05", "package": "1"}}
    deployment = SimpleNamespace(profile_function="profile", caller=Counting.caller, call=lambda *_: dict(answer))
    with pytest.raises(BadInputError, match=r"2015-10-05 is not counted to its end: .* profile came no further"):
        list(count(Past(deployment, world.config, ()), date(2015, 10, 5), date(2015, 10, 6), package=None))


def test_windows_are_taken_to_be_judged_when_their_schedule_judges_them():
    for step, cadence, cron in SCHEDULES:
        if step == "judge":
            minute, hour = cron.split()[:2]
            hours = timedelta(hours=int(hour)) if hour.isdigit() else timedelta()
            assert JUDGED_AFTER[cadence] == hours + timedelta(minutes=int(minute))
    assert JUDGED_AFTER.keys() == CADENCES.keys()
