"""A package that one stage has approved is taken by the next: the same artefact and baseline, decided on and released there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from kedge.config.stage import Stage
from kedge.release.last_decision import NOTES
from lambdas.adapters.release import staged_baselines
from tests.end_to_end.hotel import HOUR
from tests.end_to_end.two_stages import DEV, PRODUCTION, StagedWorld, open_stages

pytestmark = pytest.mark.slow
Stages = dict[Stage, StagedWorld]
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    settings: dict[str, Any] = {
        "dev": {"package_takers": f"{ACCOUNT}/production"},
        "production": {"package_source": f"{ACCOUNT}/dev"},
    }
    with open_stages(tmp_path_factory.mktemp("promotion"), **settings) as found:
        found[DEV].train()
        found[DEV].wait(3 * HOUR)
        yield found


def promote(world: StagedWorld, version: str = "1") -> Any:
    url = world.account.serve(0).url
    words = ["promote", "tiny", version, "--reason", "good in dev", "--stage", "production", "--endpoint-url", url]
    return CliRunner().invoke(app, [*words, "--region", world.account.region])


def package_of(world: StagedWorld) -> dict[str, Any]:
    (arn,) = world.packages()
    described: dict[str, Any] = world.registry.describe_model_package(ModelPackageName=arn)
    return described


def test_a_package_that_is_not_approved_is_not_taken(stages: Stages) -> None:
    refused = promote(stages[PRODUCTION])
    assert refused.exit_code == 2
    assert "it is PendingManualApproval there, not Approved" in refused.stderr
    assert stages[PRODUCTION].packages() == {}
    assert stages[PRODUCTION].objects("artefacts/") == {}


def test_an_approved_one_waits_in_the_next_stage_with_all_that_belongs_to_it(stages: Stages) -> None:
    dev, production = stages[DEV], stages[PRODUCTION]
    dev.approve(*dev.packages())
    dev.wait(2 * HOUR)
    told = promote(production)
    assert told.exit_code == 0, told.output
    assert "version 1 is version 1 here, and waits for approval" in told.stdout

    before, after = package_of(dev), package_of(production)
    assert after["ModelApprovalStatus"] == "PendingManualApproval"
    # What was noted there of who approved it is there alone; the approver here reads of that person, not of who showed a stage since.
    lineage = {name: said for name, said in before["CustomerMetadataProperties"].items() if name not in NOTES}
    assert after["CustomerMetadataProperties"] == {**lineage, "kedge:taken_from": before["ModelPackageArn"]}
    stage_of = [one["ModelLifeCycle"]["StageStatus"] for one in (before, after)]
    assert (stage_of, "Settle" in str(before["LastModifiedBy"])) == (["Serving", "Waiting"], True)
    (mail,) = production.mails_saying("Taken from", before["ModelPackageArn"])
    assert "assumed-role/Administrator/Administrator approved there" in mail.body
    there, here = (one["InferenceSpecification"]["Containers"][0] for one in (before, after))
    assert here["ModelDataUrl"] == there["ModelDataUrl"].replace(dev.bucket, production.bucket)
    assert here["Environment"] == there["Environment"]
    assert dev.bucket not in json.dumps([after["ModelMetrics"], after["DriftCheckBaselines"]])
    assert json.loads(after["ModelCard"]["ModelCardContent"]) == json.loads(before["ModelCard"]["ModelCardContent"])
    assert after["ModelMetrics"]["ModelQuality"] != {}


def test_artefact_baseline_and_gate_table_are_the_same_bytes_and_no_row_was_copied(stages: Stages) -> None:
    dev, production = stages[DEV], stages[PRODUCTION]
    properties = package_of(production)["CustomerMetadataProperties"]
    assert list(production.objects("artefacts/").values()) == [
        body for key, body in dev.objects("artefacts/").items() if key.endswith("model.tar.gz")
    ]
    copied, original = production.objects("retraining/"), dev.objects("retraining/")
    names = {key.rpartition("/")[2] for key in copied}
    assert {"gate.json", "lineage.json", "manifest.json", "baseline.npz", "schema.json"} <= names
    assert not any("/train/" in key or "/holdout/" in key for key in copied)
    assert {key: body for key, body in copied.items() if "approval_request" not in key} == {
        key: original[key] for key in copied if "approval_request" not in key
    }
    staged = {key.rpartition("/")[2]: body for key, body in copied.items() if "/baseline/" in key}
    assert staged_baselines.digest(staged) == properties["kedge:baseline_sha256"]


def test_the_approver_is_asked_and_told_where_it_is_from(stages: Stages) -> None:
    production = stages[PRODUCTION]
    (asked,) = production.timeline("package_registered")
    (source,) = stages[DEV].packages()
    assert asked["detail"]["taken"].startswith(f"Taken from {source}, which ")
    assert asked["detail"]["taken"].endswith("wants it here: good in dev")
    assert production.mails_saying("[Kedge production] tiny: please decide", "WHERE IT IS FROM", "good in dev")


def test_taking_it_once_more_makes_no_second_package_and_no_second_mail(stages: Stages) -> None:
    production = stages[PRODUCTION]
    mails = len(production.mails())
    assert promote(production).exit_code == 0
    assert len(production.packages()) == 1
    assert len(production.mails()) == mails


def test_once_approved_it_is_released_and_watched_by_the_baseline_that_came_with_it(stages: Stages) -> None:
    production = stages[PRODUCTION]
    production.approve(*production.packages())
    production.wait(2 * HOUR)
    champion = production.item("champion")
    assert champion is not None
    assert champion["package_arn"] == package_of(production)["ModelPackageArn"]
    assert production.objects("baselines/tiny/1.npz").keys() == {"baselines/tiny/1.npz"}
    assert production.ask(production._bodies()[0].splitlines()[0], "first") is not None


def test_what_was_changed_after_the_gate_is_not_taken(stages: Stages) -> None:
    dev, production = stages[DEV], stages[PRODUCTION]
    changed = dev.register(like=next(iter(dev.packages())), inference_tail="\n# another line\n")
    dev.approve(changed)
    (key,) = (key for key in dev.objects("retraining/") if key.endswith("/baseline/reference.json"))
    kept = dev.objects(key)[key]
    dev.put(key, kept + b" ")
    refused = promote(production, changed.rpartition("/")[2])
    dev.put(key, kept)
    assert refused.exit_code == 2
    assert "baseline" in refused.stderr
    assert len(production.packages()) == 1


def test_nobody_was_refused_what_the_next_stage_may_do(stages: Stages) -> None:
    account = stages[DEV].account
    assert [call for call in account.calls if not call.allowed] == []
    taking = {call.action for call in account.calls if "role/production-kedge-take-package-" in call.role_arn}
    assert {"s3:GetObject", "s3:ListBucket", "sagemaker:DescribeModelPackage", "sagemaker:CreateModelPackage"} <= taking
