"""What serves is compared with the champion item: told once, followed where that is safe, and never put back."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from moto.cloudtrail.responses import CloudTrailResponse

from kedge.instants import to_text
from lambdas.adapters import clients
from lambdas.adapters.release import staged_baselines
from lambdas.adapters.state import champions
from tests.handlers.aws_world import ACCOUNT, BUCKET, MODEL, REGION, TABLE, set_endpoint
from tests.handlers.settle_world import (
    NEW,
    NOON,
    NOW,
    OLD,
    PROPERTIES,
    alarms,
    at_the_end,
    by_hand,
    champion,
    hourly,
    leave_alarm,
    promote,
    released,
    settle_world,
)


@pytest.fixture
def world(monkeypatch):
    with settle_world(monkeypatch) as world:
        yield world


def test_a_deleted_endpoint_is_told_once(world):
    promote(world)
    for _ in range(3):
        assert hourly()["verdict"] == "absent"
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert "does not exist any more" in body


def test_an_endpoint_that_came_back_and_is_deleted_again_is_told_again(world):
    promote(world, package_arn=world.register(properties=PROPERTIES))
    for hour in range(2):
        at = to_text(NOW + timedelta(hours=hour))
        world.serve(OLD)
        # Moto dates both in the same second.
        set_endpoint(last_modified_time=at)
        assert hourly(time=at)["verdict"] == "agreed"
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
        world.sagemaker.delete_endpoint_config(EndpointConfigName=OLD)
        world.sagemaker.delete_model(ModelName=OLD)
        assert [hourly(time=at)["verdict"] for _ in range(2)] == ["absent", "absent"]
    assert len(world.mails()) == 2


def test_an_endpoint_with_several_variants_is_told_once_and_all_else_is_settled(world):
    promote(world)
    world.serve(OLD)
    (variant,) = set_endpoint().production_variants
    set_endpoint(production_variants=[{**variant, "VariantName": name} for name in ("A", "B")])
    assert [hourly()["verdict"] for _ in range(2)] == ["several variants", "several variants"]
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert f"--endpoint-config-name {OLD}" in " ".join(body.split())


@pytest.mark.parametrize(
    ("more", "said"),
    [(3, "instances, before it was "), (0, "by SageMaker's own patch, or by a person")],
)
def test_what_changes_no_config_is_written_down_once_and_nobody_is_told(world, more, said):
    promote(world)
    world.serve(OLD)
    assert hourly()["verdict"] == "agreed"
    (variant,) = set_endpoint().production_variants
    later = to_text(NOW + timedelta(hours=1))
    scaled = {**variant, "CurrentInstanceCount": variant["CurrentInstanceCount"] + more}
    set_endpoint(last_modified_time=later, production_variants=[scaled])
    assert [hourly(time=later)["verdict"] for _ in range(2)] == ["agreed", "agreed"]
    (entry,) = world.timeline()
    assert said in entry["detail"]["reasons"][0]
    assert world.kinds() == ["endpoint_touched"]
    assert world.mails() == []


def test_what_a_release_did_to_the_endpoint_is_not_taken_for_a_touch(world):
    promote(world)
    world.serve(OLD)
    assert hourly()["verdict"] == "agreed"
    released(world, previous=OLD)
    set_endpoint(last_modified_time=to_text(NOW + timedelta(minutes=30)))
    assert hourly(time=to_text(NOW + timedelta(hours=1)))["verdict"] == "agreed"
    assert "endpoint_touched" not in world.kinds()


def test_a_foreign_model_that_serves_is_told_and_not_followed(world):
    promote(world)
    by_hand(world, None)
    assert hourly()["verdict"].startswith("foreign")
    assert champion(world).endpoint_config == OLD
    assert "are not judged" in world.mails()[0][1]


def test_a_version_whose_artefact_is_not_the_one_that_was_judged_is_told_and_not_followed(world):
    promote(world)
    world.put("model.tar.gz", b"a backdoor")
    by_hand(world, world.register(properties=PROPERTIES | {"kedge:artefact_sha256": "c2hhMjU2"}))
    assert hourly()["verdict"].startswith("changed")
    assert champion(world).endpoint_config == OLD
    ((subject, body),) = world.mails()
    assert "does not serve what Kedge released" in subject
    assert "it is not followed: the artefact at" in body
    assert world.keys("baselines/") == []


def test_a_serving_package_that_is_rejected_is_told_within_a_day(world):
    arn = world.register(properties=PROPERTIES)
    promote(world, package_arn=arn)
    world.serve(OLD)
    hourly()
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    assert hourly(time=to_text(NOW + timedelta(hours=24)))["verdict"].startswith("rejected")
    assert len(world.mails()) == 1


@pytest.mark.parametrize("change", ["deleted", "broken", "touched", "another config", "champion"])
def test_whatever_an_endpoint_tells_is_looked_into_within_the_hour(world, change):
    promote(world)
    world.serve(OLD)
    hourly()
    endpoint = set_endpoint()
    if change == "deleted":
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
    elif change == "broken":
        endpoint.endpoint_status, endpoint.failure_reason = "Failed", "no capacity"
    elif change == "touched":
        endpoint.last_modified_time = NOW + timedelta(minutes=30)
    elif change == "another config":
        world.sagemaker.delete_endpoint(EndpointName=MODEL)
        by_hand(world, None)
    else:
        champions.save(world.dynamodb, TABLE, MODEL, replace(champion(world), endpoint_config="other"))
    leave_alarm(world)
    verdict = hourly(time=to_text(NOW + timedelta(hours=1)))["verdict"].split()[0]
    wanted = {"deleted": "absent", "broken": "broken", "touched": "agreed"}
    assert (verdict, alarms(world)) == (wanted.get(change, "foreign"), [])


def test_a_champion_whose_package_was_deleted_in_the_registry_is_told_once(world):
    promote(world, package_arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{MODEL}/9")
    world.serve(OLD)
    for hours in range(3):
        assert hourly(time=to_text(NOON + timedelta(hours=hours)))["verdict"] == f"unregistered {OLD}"
    ((subject, body),) = world.mails()
    assert subject.endswith("the version that serves was deleted in the registry")
    assert "what still works: it answers requests" in body
    assert "CloudTrail" not in body


def test_a_champion_that_comes_back_to_an_endpoint_of_its_own_is_not_its_own_predecessor(world):
    arn = released(world, previous=None)
    promote(world, package_arn=arn)
    world.serve(NEW)
    at_the_end()
    assert (champion(world).endpoint_config, champion(world).previous_package_arn) == (NEW, None)


def test_a_followed_config_that_captures_nothing_is_told_with_what_to_do(world):
    promote(world)
    world.freeze()
    beside = ("reference.json", "slices.npz", "statistics.json", "constraints.json")
    files = {"baseline.npz": world.read(f"baselines/{MODEL}/1.npz")} | dict.fromkeys(beside, b"{}")
    for name, content in files.items():
        world.put(f"retraining/r/baseline/{name}", content)
    wrote = world.s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"weights", ChecksumAlgorithm="SHA256")
    digests = {
        "kedge:artefact_sha256": wrote["ChecksumSHA256"],
        "kedge:baseline_sha256": staged_baselines.digest(files),
    }
    by_hand(world, world.register(properties=PROPERTIES | digests))
    hourly()
    ((_, body),) = [mail for mail in world.mails() if "is not captured where it should be" in mail[0]]
    assert "the endpoint captures nothing, where Kedge says" in body
    assert f"captures 100 % of input and output to s3://{BUCKET}/capture/{MODEL}/2" in " ".join(body.split())
    assert champion(world).endpoint_config.endswith("by-hand")


def trail_says(monkeypatch, *events: dict) -> None:
    """Let CloudTrail hold these events."""
    answer = json.dumps({"Events": list(events)})
    monkeypatch.setattr(CloudTrailResponse, "lookup_events", lambda _: answer)


def refuse_lookup(*_):
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")


def trail_event(call: str, by: str, *, endpoint: str = MODEL, **record) -> dict:
    found = {"requestParameters": {"endpointName": endpoint}, "userIdentity": {"arn": by}} | record
    return {"EventName": call, "EventTime": NOW.timestamp(), "CloudTrailEvent": json.dumps(found)}


def test_who_deleted_the_endpoint_is_told_where_cloudtrail_says_it(world, monkeypatch):
    promote(world)
    trail_says(
        monkeypatch,
        trail_event("DeleteEndpoint", "arn:refused", errorCode="AccessDenied"),
        trail_event("DeleteEndpoint", "arn:another", endpoint="another"),
        trail_event("DeleteEndpoint", "arn:aws:sts::1:assumed-role/ops/lisa", eventVersion="1"),
    )
    hourly()
    ((_, body),) = world.mails()
    assert f"Changed at {to_text(NOW)} by arn:aws:sts::1:assumed-role/ops/lisa (DeleteEndpoint)." in body


@pytest.mark.parametrize("call", ["UpdateEndpoint", "DeleteEndpoint"])
def test_a_call_that_did_not_make_the_change_is_not_blamed_for_it(world, monkeypatch, call):
    promote(world)
    config = by_hand(world, None) if call == "UpdateEndpoint" else None
    ours = {"endpointName": MODEL, "endpointConfigName": NEW}
    theirs = {"endpointName": MODEL} | ({"endpointConfigName": config} if config else {})
    trail_says(
        monkeypatch,
        trail_event("UpdateEndpoint", "arn:kedge", requestParameters=ours),
        trail_event(call, "arn:lisa", requestParameters=theirs),
    )
    hourly()
    ((_, body),) = world.mails()
    assert f"by arn:lisa ({call})" in body


@pytest.mark.parametrize("denied", [False, True])
def test_where_cloudtrail_answers_nothing_or_denies_the_change_is_told_all_the_same(world, monkeypatch, denied):
    promote(world)
    if denied:
        monkeypatch.setattr(clients.cloudtrail(), "get_paginator", refuse_lookup)
    hourly()
    ((_, body),) = world.mails()
    assert "does not exist any more" in body
    assert "CloudTrail did not show who did it" in body
