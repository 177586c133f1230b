"""A pending package whose artefact is swapped after its gate is refused, told, and touches nothing."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from demo.bookings import REPLAY_FROM
from tests.end_to_end.hotel import DAY, MINUTE, Hotel, with_tail
from tests.end_to_end.test_release_faults import SHIFTED, state_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def champion(hotel: Hotel) -> dict[str, Any]:
    """The package that the retrain machine registered, and that serves."""
    return dict(hotel.registry.describe_model_package(ModelPackageName=hotel.item("champion")["package_arn"]))


def artefact_of(package: dict[str, Any]) -> str:
    """The key of a package's artefact."""
    uri: str = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    return uri.removeprefix("s3://").partition("/")[2]


def execution_roles(hotel: Hotel) -> list[str]:
    roles = hotel.account.client("iam").list_roles()["Roles"]
    return [role["Arn"] for role in roles if "ExecutionRole" in role["RoleName"]]


def swap(hotel: Hotel, key: str, **more: str) -> None:
    """Put a model with a backdoor in an artefact's place, as whoever calls."""
    honest = hotel.objects(key)[key]
    boto3.client("s3").put_object(Bucket=hotel.bucket, Key=key, Body=with_tail(honest, SHIFTED), **more)


def test_what_serves_was_pinned_with_the_digest_of_what_is_there(hotel: Hotel, champion: dict[str, Any]) -> None:
    key, pinned = artefact_of(champion), champion["CustomerMetadataProperties"]["kedge:artefact_sha256"]
    assert key.startswith(f"artefacts/{hotel.model}/")
    head = hotel.s3.head_object(Bucket=hotel.bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == pinned
    (completed,) = hotel.timeline("training_completed")
    assert completed["detail"]["artefact"]["sha256"] == pinned


def test_no_script_can_swap_it_and_what_its_job_wrote_counts_no_more(hotel: Hotel, champion: dict[str, Any]) -> None:
    key = artefact_of(champion)
    (trained,) = (name for name in hotel.objects(f"trained/{hotel.model}/") if name.endswith("/model.tar.gz"))
    honest = hotel.objects(key)[key]
    roles = execution_roles(hotel)
    assert len(roles) == 3
    for role in roles:
        with hotel.account.as_role(role), pytest.raises(ClientError, match="not authorized"):
            boto3.client("s3").put_object(Bucket=hotel.bucket, Key=key, Body=b"")
    with hotel.account.as_role(next(role for role in roles if "Training" in role)):
        boto3.client("s3").put_object(Bucket=hotel.bucket, Key=trained, Body=with_tail(honest, SHIFTED))
    assert hotel.objects(key)[key] == honest


@pytest.mark.parametrize("more", [{"ChecksumAlgorithm": "SHA256"}, {}], ids=["with its digest", "without one"])
def test_a_swapped_artefact_is_refused_with_a_mail_and_touches_nothing(
    hotel: Hotel, champion: dict[str, Any], more: dict[str, str]
) -> None:
    bookings = hotel.bookings(REPLAY_FROM, REPLAY_FROM + DAY)
    pending = hotel.register(champion["ModelPackageArn"], "")
    version = pending.rpartition("/")[2]
    # Somebody with more rights than any role of Kedge's.
    swap(hotel, artefact_of(hotel.registry.describe_model_package(ModelPackageName=pending)), **more)
    before = state_of(hotel, bookings)
    hotel.approve(pending)
    hotel.wait(10 * MINUTE)
    told = [entry for entry in hotel.timeline("release_refused") if entry["detail"]["package_version"] == version]
    assert len(told) == 1
    assert "is not the one that passed the gate" in told[0]["detail"]["reasons"][0]
    (mail,) = hotel.mails_saying(f"package version {version} is not released: it was changed after its gate")
    assert "access logs" in mail.body
    assert state_of(hotel, bookings) == before
    assert hotel.item("lease") is None
    assert hotel.item("release") is None
    assert hotel.objects(f"baselines/{hotel.model}/{version}") == {}
    models = [model["ModelName"] for model in hotel.registry.list_models()["Models"]]
    assert [name for name in models if name.startswith(f"{hotel.model}-v{version}-")] == []


def test_a_swapped_baseline_is_refused_as_well(hotel: Hotel, champion: dict[str, Any]) -> None:
    pending = hotel.register(champion["ModelPackageArn"], "")
    version, staged = pending.rpartition("/")[2], champion["CustomerMetadataProperties"]["kedge:staged"]
    hotel.put(f"{staged}/reference.json", b"{}")
    hotel.approve(pending)
    hotel.wait(10 * MINUTE)
    (told,) = (e["detail"] for e in hotel.timeline("release_refused") if e["detail"]["package_version"] == version)
    assert "the baseline at" in told["reasons"][0]
