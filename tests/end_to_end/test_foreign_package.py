"""A package that a team registers itself, already approved: gated, copied with a baseline, approved again, released."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import build_app
from kedge.config.reading import parse_model_config
from kedge.instants import from_text, to_text
from offline.account import Account
from tests.end_to_end.hotel import DAY, Hotel
from tests.end_to_end.test_rollback import until_served
from tests.synthesised import EXAMPLE, brisk_models

pytestmark = pytest.mark.slow

LEARNT_FROM, FROM = datetime(2015, 9, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)
YAML = brisk_models() / EXAMPLE
GATE = "\ngate: {non_inferior: {margin: 0.01, triggers: [package]}}\ntraining: {permuted_rows: 0}\n"
TEAMS, HIDDEN = "team-models", "other-models"


@pytest.fixture(scope="module")
def hotel(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotel]:
    directory = tmp_path_factory.mktemp("foreign")
    text = YAML.read_text() + GATE
    (directory / "models").mkdir()
    (directory / "models" / YAML.name).write_text(text)
    build_app(directory / "assembly", directory / "models", package_buckets=[TEAMS]).synth()
    with Account(start=FROM - DAY / 2, directory=directory / "account") as account:
        account.deploy(directory / "assembly")
        hotel = Hotel(account, parse_model_config(text, source=YAML.name), frame)
        for name in (TEAMS, HIDDEN):
            hotel.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": account.region})
        hotel.release_first_champion(since=LEARNT_FROM, until=FROM)
        yield hotel


def teams_package(hotel: Hotel, bucket: str) -> str:
    """Register the champion's model as a team would: in its own bucket, approved at once, a day's rows newer."""
    like = hotel.registry.describe_model_package(ModelPackageName=hotel.item("champion")["package_arn"])
    (container,) = like["InferenceSpecification"]["Containers"]
    source, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    hotel.s3.copy_object(Bucket=bucket, Key="mine/model.tar.gz", CopySource={"Bucket": source, "Key": key})
    learnt = from_text(like["CustomerMetadataProperties"]["kedge:training_end"]) + DAY
    own = {"Image": container["Image"], "Environment": container["Environment"]}
    answer = hotel.registry.create_model_package(
        ModelPackageGroupName=hotel.config.package_group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            **like["InferenceSpecification"],
            "Containers": [own | {"ModelDataUrl": f"s3://{bucket}/mine/model.tar.gz"}],
        },
        CustomerMetadataProperties={"kedge:training_end": to_text(learnt)},
    )
    return str(answer["ModelPackageArn"])


@pytest.fixture(scope="module")
def gated(hotel: Hotel) -> str:
    """The version of the team's package, after the gate has judged it."""
    arn = teams_package(hotel, TEAMS)
    hotel.wait(timedelta(hours=2))
    return arn


def test_its_approval_releases_nothing_and_says_what_happens(hotel, gated):
    assert hotel.item("champion")["package_version"] == "1"
    (mail,) = hotel.mails_saying("package version 2 is approved and not released: it must pass the gate first")
    assert "it is what is released" in mail.body


def test_its_copy_waits_for_approval_with_the_gates_table_a_baseline_and_a_pinned_artefact(hotel, gated):
    (mail,) = hotel.mails_saying("please decide about package version 3")
    assert "THE GATE'S TABLE" in mail.body
    copy = hotel.registry.describe_model_package(ModelPackageName=gated.rpartition("/")[0] + "/3")
    (container,) = copy["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"].startswith(f"s3://{hotel.bucket}/artefacts/{hotel.model}/")
    properties = copy["CustomerMetadataProperties"]
    assert properties["kedge:source_package"] == gated
    assert {"kedge:staged", "kedge:artefact_sha256", "kedge:baseline_sha256"} <= set(properties)
    assert copy["ModelApprovalStatus"] == "PendingManualApproval"


def test_an_artefact_out_of_reach_ends_in_a_mail_with_the_remedy(hotel, gated):
    teams_package(hotel, HIDDEN)
    hotel.wait(timedelta(hours=2))
    assert hotel.mails_saying(f"s3://{HIDDEN}/mine/model.tar.gz", "package_buckets"), hotel.mails()[-1]


def test_the_approved_copy_is_released_like_any_package(hotel, gated):
    bookings = hotel.bookings(FROM, FROM + 3 * DAY)
    copy = gated.rpartition("/")[0] + "/3"
    hotel.approve(copy)
    until_served(hotel, copy, bookings)
