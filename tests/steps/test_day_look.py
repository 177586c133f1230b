"""A day's objects are looked through page by page and hour by hour: what is new, what has changed, what has vanished."""

import pytest

from kedge.config.capture_place import CapturePlace
from kedge.profile.counted_objects import KnownObjects, hash_objects
from lambdas.steps.counting import day_look
from lambdas.steps.counting.day_look import LARGE_BYTES, DayLook, Folder
from tests.handlers.aws_world import BUCKET, aws_world, moto_backend

DAY = "logs/m/2026/03/02/"
# In hours, beside them, and below them.
NAMES = [
    *(f"{hour:02}/{n:04}" for hour, objects in {0: 12, 5: 56, 6: 8, 23: 24}.items() for n in range(objects)),
    *(f"{name}.gz" for name in ("-1", "05", "05x/a", "07/08/deep", "2", "zz/a")),
]
KEYS = sorted(DAY + name for name in NAMES)
PLACE = CapturePlace(BUCKET, "logs/m")
FOLDERS = [Folder(PLACE, DAY, ""), Folder(PLACE, "logs/m/2026/03/03/", "")]
NEXT = [f"logs/m/2026/03/03/00/{n:02}" for n in range(90)]


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch, aws_world(patch, page_items=40) as world:
        for key in [*KEYS, *NEXT]:
            moto_backend("s3").put_object(BUCKET, key, b"x")
        yield world


@pytest.fixture(params=[0, 1, 20])
def lead(request, monkeypatch):
    """Pages that are listed one after the other."""
    monkeypatch.setattr(day_look, "LEAD_PAGES", request.param)
    monkeypatch.setattr(day_look, "WAITING_MAX", 15)


def etag(world):
    return world.s3.head_object(Bucket=BUCKET, Key=KEYS[0])["ETag"]


def look(known=(), *, has_time=lambda _: True, only_gains=False, after=""):
    objects = KnownObjects([hash_objects(known)])
    return DayLook(FOLDERS, objects, has_time, only_gains=only_gains, after=after)


def keys_of(found):
    return [each.key for each in found.new()]


def test_each_object_is_seen_once_in_the_order_of_keys(world, lead):
    found = look()
    assert keys_of(found) == [*KEYS, *NEXT]
    assert (found.is_stale, found.cut_after) == (False, None)


def test_only_what_is_new_is_handed_on(world, lead):
    found = look([(key, etag(world)) for key in [*KEYS[7:], *NEXT]])
    assert keys_of(found) == KEYS[:7]
    assert not found.is_stale


@pytest.mark.parametrize("only_gains", [False, True])
@pytest.mark.parametrize("gone", [(KEYS[80], "another"), (f"{DAY}05/gone", "1"), ("elsewhere", "1")])
def test_a_day_of_which_something_changed_or_vanished_is_stale_unless_it_only_gains(world, lead, gone, only_gains):
    found = look([(key, etag(world)) for key in [*KEYS, *NEXT] if key != gone[0]] + [gone], only_gains=only_gains)
    assert keys_of(found) == []
    assert found.is_stale != only_gains


def test_a_listing_that_the_time_cuts_is_gone_on_with_where_it_stopped(world, lead):
    seen, after, known = [], "", [(KEYS[9], etag(world))]
    rounds = 0
    while after is not None:
        found = look(known, has_time=lambda _: False, after=after)
        seen, rounds = seen + keys_of(found), rounds + 1
        assert not found.is_stale
        assert found.cut_after is None or found.cut_after > after
        after = found.cut_after
    assert 1 < rounds < 9
    assert seen == [key for key in [*KEYS, *NEXT] if key != KEYS[9]]


def test_large_objects_come_last(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_look, "LARGE_BYTES", 0)
        assert keys_of(look()) == [*KEYS, *NEXT]
    sizes = {"a": LARGE_BYTES + 1, "b": 1, "c": LARGE_BYTES + 2, "d": LARGE_BYTES}
    listed = {key: day_look.Captured("1", size) for key, size in sizes.items()}
    found = DayLook(lambda: listed, KnownObjects([]), lambda _: True, only_gains=False, after="")
    assert keys_of(found) == ["b", "d", "a", "c"]


def test_what_is_left_unread_is_listed_no_further(world, monkeypatch):
    monkeypatch.setattr(day_look, "LEAD_PAGES", 0)
    pages = []
    world.s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda **_: pages.append(1), unique_id="p")
    new = look().new()
    next(new)
    new.close()
    world.s3.meta.events.unregister("provide-client-params.s3.ListObjectsV2", unique_id="p")
    assert len(pages) <= day_look.row_objects.READERS + 1
