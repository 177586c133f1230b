"""The rows of all packages, read together where their schema is one."""

from datetime import UTC, datetime

import pytest

from kedge.package_schema import encode_schema
from lambdas.adapters.bucket.answered_rows import load_answered_rows
from tests.handlers.aws_world import BUCKET, MODEL, aws_world
from tests.handlers.bookings import answer, load_bookings


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def test_a_package_with_another_schema_is_one_group_and_its_schema_one_read_however_many_its_days(world):
    other = world.config.model_copy(update={"features": world.config.features[1:]})
    for version, first, last in (("1", "2015-10-01", "2015-10-08"), ("2", "2015-10-08", "2015-10-15")):
        answer(world, load_bookings(first, last), package_version=version)
    world.put(f"baselines/{MODEL}/1/schema.json", encode_schema(other))
    read = []

    def note(params, **_):
        read.append(params["Key"])

    world.s3.meta.events.register("provide-client-params.s3.GetObject", note)
    span = {"since": datetime(2015, 10, 1, tzinfo=UTC), "until": datetime(2015, 10, 15, tzinfo=UTC)}
    found = load_answered_rows(world.s3, BUCKET, world.config, **span)
    features = [None if group.answered is None else group.answered.feature_names for group in found.rows]
    assert features == [other.feature_names, world.config.feature_names]
    assert all(group.rows.num_rows for group in found.rows)
    assert sorted(key for key in read if key.endswith("schema.json")) == [
        f"baselines/{MODEL}/{version}/schema.json" for version in "12"
    ]
