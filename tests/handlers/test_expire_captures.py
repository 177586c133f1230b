"""At night the captures go whose days were counted and are old enough, and nothing else does."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import boto3
import pytest
from moto.s3.responses import S3Response

from kedge.config.capture_place import adopted_version
from kedge.errors import ObjectsNotDeletedError
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.day import DayProfile, encode_day
from lambdas.adapters.bucket import baselines, days
from lambdas.adapters.release import trials
from lambdas.adapters.release.trials import AbTrial
from lambdas.handlers import expire_captures, profile_logs
from lambdas.steps.counting.counting_place import CountingPlace
from lambdas.steps.counting.day_folding import fold_day
from tests import deployed_models
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, REGION, TABLE
from tests.handlers.captured_rows import captured
from tests.handlers.interleaving import interleave
from tests.handlers.monitor_world import message, monitor_world
from tests.synthesised import ROOT

FIRST = date(2016, 1, 3)
DAY_KEY = f"profiles/{MODEL}/1/1/{{}}.npz"


@pytest.fixture
def deploy(monkeypatch, tmp_path):
    def written(extra, *others, world=None):
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        folder.mkdir()
        text = (ROOT / "models" / f"{MODEL}.yaml").read_text() + extra
        for model in (MODEL, *others):
            (folder / f"{model}.yaml").write_text(text.replace(MODEL, model))
        deployed_models.choose(monkeypatch, folder)
        if world is not None:
            deployed_models.put_all(world.s3, BUCKET)

    return written


@pytest.fixture
def world(monkeypatch, deploy):
    deploy("capture: {expire_days: 40}\n")
    with monitor_world(monkeypatch) as world:
        world.freeze()
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        for n in range(3):
            captured(world, FIRST + timedelta(days=n), 40, object_rows=10)
        count(FIRST + timedelta(days=3))
        yield world


def count(day):
    return profile_logs.handler(message({"model": MODEL, "time": f"{day}T00:30:00Z"}), CONTEXT)


def night(days_after, context=CONTEXT):
    """The night in which the first day has been over for so many days."""
    today = FIRST + timedelta(days=days_after + 1)
    return expire_captures.handler({"time": f"{today}T05:10:00Z"}, context)


def captures(world, day=None):
    return [key for key in world.keys(f"capture/{MODEL}/") if day is None or f"/{day:%Y/%m/%d}/" in key]


def rows(world, day):
    return sum(days.load_day(world.s3, BUCKET, DAY_KEY.format(day))[0].rows.values())


def test_a_day_goes_when_it_is_old_enough_and_its_counts_and_rows_stay(world):
    before = world.keys("predictions/")
    assert night(39) == {"deleted": 0, "behind": []}
    assert night(40) == {"deleted": 4, "behind": []}
    assert captures(world, FIRST) == []
    assert len(captures(world)) == 8
    assert rows(world, FIRST) == 40
    assert world.keys("predictions/") == before
    assert night(40) == {"deleted": 0, "behind": []}
    assert night(42) == {"deleted": 8, "behind": []}


def test_a_day_whose_captures_are_gone_is_not_counted_again_without_them(world):
    night(40)
    # A message of the day itself, out of the dead-letter queue: a day of then, whose objects have vanished.
    assert count(FIRST + timedelta(days=1))["RowsCaptured"] == 0
    assert rows(world, FIRST) == 40
    # What comes late all the same is added.
    captured(world, FIRST, 10, name="late", object_rows=10)
    count(FIRST + timedelta(days=1))
    assert rows(world, FIRST) == 50


@pytest.mark.parametrize("calls", [1, 3])
def test_a_run_that_counts_the_day_while_its_captures_expire_keeps_what_was_counted(world, calls):
    captured(world, FIRST, 10, name="late", object_rows=10)
    place = CountingPlace(BUCKET, world.config, "1", baselines.load_baseline(world.s3, BUCKET, MODEL, "1"), FIRST)
    interleave(world.s3, lambda: fold_day(place), lambda: night(40), calls, 1000)
    assert rows(world, FIRST) == 50
    night(40)
    assert captures(world, FIRST) == []


def test_what_was_not_counted_as_it_is_there_stays(world):
    captured(world, FIRST, 10, name="uncounted", object_rows=10)
    (replaced, *others) = [key for key in captures(world, FIRST) if "/uncounted" not in key]
    world.put(replaced, b"another content")
    assert night(40) == {"deleted": len(others), "behind": []}
    assert len(captures(world, FIRST)) == 2
    assert replaced in captures(world, FIRST)


def test_what_never_was_counted_stays_for_ever(world):
    captured(world, FIRST - timedelta(days=9), 10, object_rows=10)
    captured(world, FIRST, 10, version="2", object_rows=10)
    night(400)
    assert len(captures(world)) == 2


def test_what_is_counted_after_the_night_of_its_day_goes_in_the_next_one(world):
    night(42)
    # A late object of a counted day, and a day that nobody had counted.
    for day in (FIRST, FIRST - timedelta(days=9)):
        captured(world, day, 10, name="late", object_rows=10)
    assert night(43) == {"deleted": 0, "behind": []}
    for day in (FIRST, FIRST - timedelta(days=9)):
        count(day)
    assert night(43) == {"deleted": 2, "behind": []}
    assert (rows(world, FIRST), rows(world, FIRST - timedelta(days=9))) == (50, 10)


def test_what_a_tried_version_answered_goes_once_it_is_counted_or_nobody_ever_will(world):
    """A shadow's captures are no day's; an A/B test's are the version's own, as long as the test is known."""
    world.freeze("2")
    begin = datetime(2016, 1, 2, tzinfo=UTC)
    trials.begin(world.dynamodb, TABLE, MODEL, AbTrial("2", "1", begin, begin + timedelta(days=9)))
    (own,) = (key for key in captures(world, FIRST) if key.endswith("a000000000.jsonl"))
    variants = ("kedge-challenger", "kedge-challenger-v2", "kedge-challenger-v3", "renamed")
    keys = {name: own.replace("/AllTraffic/", f"/{name}/") for name in variants}
    for key in keys.values():
        world.put(key, world.read(own))
    night(39)
    assert {*keys.values()} <= {*captures(world)}
    night(40)
    # Nobody has counted the second version's yet.
    assert {name for name, key in keys.items() if key in captures(world)} == {"kedge-challenger-v2", "renamed"}
    count(FIRST)
    night(40)
    assert {name for name, key in keys.items() if key in captures(world)} == {"renamed"}


def test_a_night_that_fails_or_ends_early_is_made_up_for(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(S3Response, "_bucket_response_delete_keys", refusing)
        with pytest.raises(ObjectsNotDeletedError, match="SlowDown"):
            night(42)
    assert len(captures(world)) == 12
    # One page is done, and then the time is over.
    left = iter([600_000, 600_000, 0])
    context = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: next(left)})
    assert night(42, context) == {"deleted": 2, "behind": [MODEL]}
    assert night(42) == {"deleted": 10, "behind": []}
    assert captures(world) == []


def refusing(response, _bucket):
    key = captures_key(response.body.decode())
    return 200, {}, f"<DeleteResult><Error><Key>{key}</Key><Code>SlowDown</Code></Error></DeleteResult>"


def captures_key(body):
    return body.partition("<Key>")[2].partition("</Key>")[0]


def test_without_the_field_nothing_is_deleted(world, deploy):
    deploy("", world=world)
    assert night(4000) == {"deleted": 0, "behind": []}
    assert len(captures(world)) == 12


def test_a_bucket_of_others_is_left_alone(world, deploy):
    """Of a model that was adopted and is managed now, the days of before lie with its owners, maybe below the same keys."""
    deploy("capture: {uri: 's3://theirs', expire_days: 40}\n", world=world)
    version, key = adopted_version(datetime(2015, 9, 1)), captures(world, FIRST)[0]
    theirs = {"Bucket": "theirs", "Key": key}
    boto3.client("s3").create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": REGION})
    world.s3.put_object(**theirs, Body=b"theirs")
    other = key.replace("/1/", f"/{version}/", 1)
    world.put(other, b"ours")
    etags = {each: world.s3.head_object(Bucket=BUCKET, Key=other)["ETag"] for each in (key, other)}
    folders = tuple(each[: each.index("/2016/")] + f"/{FIRST:%Y/%m/%d}/" for each in etags)
    day = DayProfile(counted=CountedObjects.of(etags), folders=folders)
    world.put(f"profiles/{MODEL}/{version}/{version}/{FIRST}.npz", encode_day(day))
    assert night(40)["deleted"] == 4
    assert world.s3.get_object(**theirs)["Body"].read() == b"theirs"
    assert captures(world, FIRST) == [other]
    assert not days.load_day(world.s3, BUCKET, f"profiles/{MODEL}/{version}/{version}/{FIRST}.npz")[0].expired


def test_one_model_keeps_no_other_waiting(world, deploy):
    second = "second-model"
    deploy("capture: {expire_days: 40}\n", second, world=world)
    world.put(captures(world, FIRST)[0].replace(MODEL, second), b"")
    for model in (MODEL, second):
        world.put(f"profiles/{model}/7/7/{FIRST}.npz", b"broken")
    with pytest.raises(Exception, match=f"{FIRST}"):
        night(40)
    world.s3.delete_object(Bucket=BUCKET, Key=f"profiles/{MODEL}/7/7/{FIRST}.npz")
    with pytest.raises(Exception, match=rf"{second}/7/7/{FIRST}"):
        night(40)
    assert captures(world, FIRST) == []


def test_the_models_are_taken_in_another_order_each_night():
    names = [f"m{n}" for n in range(9)]
    expiring = [SimpleNamespace(model=name, capture=SimpleNamespace(expire_days=40)) for name in names]
    expiring.append(SimpleNamespace(model="kept", capture=SimpleNamespace(expire_days=None)))
    orders = {
        tuple(config.model for config, _ in expire_captures.in_turn(expiring, FIRST + timedelta(days=n)))
        for n in range(5)
    }
    assert len(orders) == 5
    assert all(sorted(order) == names for order in orders)
