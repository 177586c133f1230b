"""Two stages in one account train, release, count and listen side by side, and nothing crosses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kedge.config.stage import Stage
from tests.end_to_end.hotel import HOUR, MINUTE
from tests.end_to_end.two_stages import DEV, PRODUCTION, STAGES, StagedWorld, open_stages

pytestmark = pytest.mark.slow
Stages = dict[Stage, StagedWorld]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    with open_stages(tmp_path_factory.mktemp("stages")) as found:
        # Both begin in the same second, for the same cause: without a stage their names would be one.
        for world in found.values():
            world.train()
        found[DEV].wait(3 * HOUR)
        yield found


def release(world: StagedWorld) -> None:
    (package,) = world.packages()
    world.approve(package)
    world.wait(2 * HOUR)


def test_both_train_at_once_and_each_registers_in_its_own_group(stages: Stages) -> None:
    for stage, world in stages.items():
        assert world.timeline("failed", "data_rejected", "retraining_held") == []
        (arn,) = world.packages()
        assert f":model-package/{stage.name}-tiny/" in arn
        (asked,) = world.timeline("package_registered")
        assert asked["detail"]["package_arn"] == arn


def test_an_approval_releases_in_its_own_stage_and_the_other_does_not_hear_of_it(stages: Stages) -> None:
    dev, production = stages[DEV], stages[PRODUCTION]
    release(dev)
    assert dev.item("champion") is not None
    assert production.item("champion") is None
    assert production.executions("production-kedge-release") == []
    assert production.timeline("approved", "release_withheld") == []
    release(production)
    served = {each["EndpointName"] for each in dev.registry.list_endpoints()["Endpoints"]}
    assert served == {"dev-tiny", "production-tiny"}


def test_requests_of_one_stage_are_counted_by_it_alone(stages: Stages) -> None:
    dev, production = stages[DEV], stages[PRODUCTION]
    dev.traffic(30 * MINUTE)
    dev.wait(26 * HOUR)
    assert max(dev.metric("dev/Kedge", "RowsCaptured", "Maximum", Model="tiny")) > 0
    assert sum(dev.metric("production/Kedge", "RowsCaptured", "Maximum", Model="tiny")) == 0
    assert dev.objects("predictions/tiny/")
    assert production.objects("predictions/tiny/") == {}


@pytest.mark.parametrize("stage", STAGES)
def test_a_wish_for_a_retraining_reaches_the_stage_that_it_names(stages: Stages, stage: Stage) -> None:
    (other,) = {*STAGES} - {stage}
    before = {each: world.item("requested") for each, world in stages.items()}
    stages[stage].wish("kedge.retrain")
    assert {each: world.item("requested") for each, world in stages.items()} == before
    stages[stage].wish(f"{stage.name}-kedge.retrain")
    assert stages[stage].item("requested") != before[stage]
    assert stages[other].item("requested") == before[other]


def test_a_mail_says_which_stage_it_is_from(stages: Stages) -> None:
    assert stages[DEV].mails_saying("[Kedge dev] tiny", "--stage dev", "dev-Kedge-one-model")
    assert stages[DEV].mails_saying("[Kedge production] tiny", "--stage production")
    assert stages[DEV].mails_saying("[Kedge] tiny") == []


def test_no_role_of_a_stage_was_refused_anything_or_touched_what_is_called_after_another(stages: Stages) -> None:
    account = stages[DEV].account
    assert [call for call in account.calls if not call.allowed] == []
    for stage in STAGES:
        (other,) = {*STAGES} - {stage}
        ours = [call for call in account.calls if f"role/{stage.name}-" in call.role_arn]
        assert len(ours) > 100
        crossing = [
            (call.action, resource)
            for call in ours
            for resource in call.resources
            if f"/{other.name}-" in resource or f":{other.name}-" in resource
        ]
        assert crossing == []
