"""A model that wants two people is released once two of them have approved it."""

from datetime import UTC, datetime

import pytest

from kedge.config.gate import ApprovalPolicy
from kedge.release.last_decision import LastDecision, notes_of
from lambdas.adapters.release import model_registry
from lambdas.handlers import start_release
from tests.handlers.test_start_release import decide, executions, hear, world  # noqa: F401

ANN, BEN = "arn:aws:sts::1:assumed-role/Approver/ann", "arn:aws:sts::1:assumed-role/Approver/ben"


KEDGE = "arn:aws:sts::1:assumed-role/Settle/kedge-settle"


def at(minute):
    return datetime(2016, 2, 11, 12, minute, tzinfo=UTC)


@pytest.fixture
def registry(world, monkeypatch):  # noqa: F811
    """The model wants two; `says` lets the registry answer who changed the package last, and with which comment."""
    wanting = world.config.model_copy(update={"approval": ApprovalPolicy(approvers=2)})
    monkeypatch.setattr(start_release, "load_models", lambda _: {wanting.model: wanting})
    found, real = {}, world.sagemaker.describe_model_package

    def describe(**request):
        by = {"LastModifiedBy": {"IamIdentity": {"Arn": found["who"]}}} if found.get("who") else {}
        known = {**real(**request), **by, "ApprovalDescription": found["comment"], "LastModifiedTime": found["at"]}
        properties = {**known["CustomerMetadataProperties"], **found["notes"]}
        return {**known, "CustomerMetadataProperties": properties}

    monkeypatch.setattr(world.sagemaker, "describe_model_package", describe)

    def says(who, comment, minute, notes=()):
        found.update(who=who, comment=comment, at=at(minute), notes=dict(notes))

    return says


def test_two_people_release_it_and_one_does_not(world, registry):  # noqa: F811
    arn = world.register()
    registry(ANN, "ann: good", 0)
    assert hear(arn) == {"verdict": "AWAITS_SECOND", "people": ["ann"]}
    assert executions() == []
    (entry,) = world.timeline()
    assert entry["kind"] == "second_approval_awaited"
    assert entry["detail"]["reasons"] == ["1 of 2 people has approved it: ann"]
    registry(BEN, "ben: good too", 5)
    answered = hear(arn)
    assert answered["verdict"] == "STARTED"
    assert executions() == [answered["run"]]
    assert hear(arn)["verdict"] == "ALREADY_HEARD"


@pytest.mark.parametrize(
    ("who", "comment", "minute"),
    [
        (ANN, "ann: once more", 5),
        ("arn:aws:sts::1:assumed-role/Another/ANN", "in another role", 5),
        (BEN, "ann: good", 5),
        (None, "a new comment", 5),
        (ANN, "ann: good", 0),
    ],
    ids=["again", "in another role", "a metadata stamp by another person", "nobody", "told twice"],
)
def test_the_same_person_twice_a_stamp_or_nobody_is_no_second_person(world, registry, who, comment, minute):  # noqa: F811
    arn = world.register()
    registry(ANN, "ann: good", 0)
    hear(arn)
    registry(who, comment, minute)
    assert hear(arn)["verdict"] == "AWAITS_SECOND"
    assert executions() == []
    assert [entry["kind"] for entry in world.timeline()] == ["second_approval_awaited"]


def test_a_rejection_in_between_begins_the_count_again(world, registry):  # noqa: F811
    arn = world.register()
    registry(ANN, "ann: good", 0)
    hear(arn)
    decide(world, arn, "Rejected")
    registry(BEN, "ben: bad", 5)
    hear(arn)
    decide(world, arn, "Approved")
    registry(BEN, "ben: good after all", 9)
    assert hear(arn) == {"verdict": "AWAITS_SECOND", "people": ["ben"]}
    assert executions() == []


@pytest.mark.parametrize(
    ("user", "person"),
    [
        ({"IamIdentity": {"Arn": ANN}}, "ann"),
        ({"IamIdentity": {"Arn": "arn:aws:iam::1:user/team/Ben"}}, "ben"),
        ({"IamIdentity": {"Arn": ANN, "SourceIdentity": "carla"}}, "carla"),
        ({"UserProfileName": "dora"}, "dora"),
    ],
)
def test_the_person_behind_a_change(user, person):
    assert model_registry.person_of(user) == person


def noted(who, comment, minute):
    """What Kedge has noted of the decision when it showed a stage after it."""
    decided = LastDecision(at(minute), who, who.rpartition("/")[2])
    return notes_of(decided, status="Approved", comment=comment, role="Settle")


def test_a_stage_that_is_shown_before_an_approval_is_heard_makes_kedge_nobodys_second_person(world, registry):  # noqa: F811
    arn = world.register()
    registry(KEDGE, "ann: good", 1, noted(ANN, "ann: good", 0))
    assert hear(arn) == {"verdict": "AWAITS_SECOND", "people": ["ann"]}
    registry(KEDGE, "ann: good", 4, noted(ANN, "ann: good", 0))
    assert hear(arn) == {"verdict": "AWAITS_SECOND", "people": ["ann"]}
    registry(KEDGE, "ben: good too", 6, noted(BEN, "ben: good too", 5))
    assert hear(arn)["verdict"] == "STARTED"
    (approved,) = [entry for entry in world.timeline() if entry["kind"] == "approved"]
    assert approved["detail"]["by"] == BEN


def test_a_word_that_a_stage_was_written_over_counts_for_nobody(world, registry):  # noqa: F811
    arn = world.register()
    registry(ANN, "ann: good", 0)
    hear(arn)
    registry(KEDGE, "ben: good too", 6, noted(ANN, "ann: good", 0))
    assert hear(arn) == {"verdict": "AWAITS_SECOND", "people": ["ann"]}
    registry(BEN, "ben: once more", 9)
    assert hear(arn)["verdict"] == "STARTED"
