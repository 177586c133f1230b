"""build_baseline freezes what a challenger is monitored against, and writes its registration."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kedge.outcomes.counts import decode_counts
from kedge.profile.encoding import decode_baseline
from kedge.slices.encoding import decode_slices
from lambdas.adapters.release import approval_requests
from lambdas.handlers.build_baseline import handler
from offline.sagemaker.registry_rules import check_card
from tests.handlers.aws_world import BUCKET, CONTEXT, IMAGES, MODEL, ROLE, aws_world
from tests.handlers.holdouts import HOLDOUT_ROWS, PREFIX, RUN, SCORED, write_holdout

TRAINED = f"trained/{MODEL}/{RUN}/job/output"
EVENT = {
    "model": MODEL, "run": RUN, "time": "2016-02-11T02:00:00Z", "trained_uri": f"s3://{BUCKET}/{TRAINED}/model.tar.gz",
    "artefact": {"uri": f"s3://{BUCKET}/artefacts/{MODEL}/job/model.tar.gz", "sha256": "c2hhMjU2+/c="},
    "snapshot": {"prefix": PREFIX, "training_end": "2016-02-07T11:00:00Z", "train_rows": 900,
                 "holdout_rows": HOLDOUT_ROWS},
    "gate": {"verdict": "PASS", "reasons": ["auc is 0.07 higher (0.69 -> 0.76, better)"], "rows": []},
    "trigger": {"kind": "performance", "reasons": ["quality is lost: auc 0.69 {0.66, 0.72}"]},
    "champion": {"present": True, "package_version": "1"},
}  # fmt: skip


def create_trained_job(world):
    """The training job that EVENT names."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://code/5ea1.gz"}}
    world.sagemaker.create_training_job(
        TrainingJobName="job",
        AlgorithmSpecification={"TrainingImage": "image:1", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        HyperParameters={"max_depth": "4", "flavour": '"mild"', "sagemaker_program": '"train.py"'},
        InputDataConfig=[{"ChannelName": "code", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/trained"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch, TRAINING_IMAGES=IMAGES, SOURCE_COMMIT="c0ffee") as world:
        create_trained_job(world)
        yield world


def run(**more) -> dict:
    return json.loads(json.dumps(handler(EVENT | more, CONTEXT)))


def test_what_is_registered_is_the_container_that_was_scored(world):
    write_holdout(world)
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{MODEL}/5"
    package = run(
        trained_uri="s3://theirs/model.tar.gz",
        training={"job": f"{RUN}-v5", "artefact_uri": "s3://theirs/model.tar.gz", "package_arn": arn},
        container={"Image": "theirs:1", "Environment": {"A": "1"}},
    )["package"]
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container == {"Image": "theirs:1", "Environment": {"A": "1"}, "ModelDataUrl": EVENT["artefact"]["uri"]}
    properties = package["CustomerMetadataProperties"]
    assert properties["kedge:source_package"] == arn
    assert "kedge:training_job" not in properties
    assert "is package version 5, which Kedge did not train" in package["ModelPackageDescription"]
    check_card(package["ModelCard"])


def test_features_come_from_training_and_the_prediction_from_the_holdout(world):
    scores = write_holdout(world)
    answered = run()
    baseline = decode_baseline(world.read(f"{answered['staged_prefix']}/baseline.npz"))
    assert baseline.column(baseline.profile, "adr").rows == 900
    prediction = baseline.column(baseline.profile, "prediction")
    assert prediction.rows == HOLDOUT_ROWS
    edges = baseline.bins["prediction"].edges
    assert edges.min() == np.nextafter(scores.min(), -np.inf)


def test_the_reference_is_the_challengers_holdout(world):
    scores = write_holdout(world)
    answered = run()
    found = json.loads(world.read(f"{answered['staged_prefix']}/reference.json"))
    assert decode_counts(found["counts"]).rows == len(scores)
    assert 0.5 < found["metrics"]["auc"] <= 1


def test_the_holdout_is_counted_by_slice_with_every_pair(world):
    write_holdout(world)
    counted = decode_slices(world.read(f"{run()['staged_prefix']}/slices.npz"))
    names = world.config.feature_names
    assert [grouping.column for grouping in counted.ruler.groupings] == [*names, "prediction"]
    assert sum(len(name) == 2 for name in counted.tables) == len(names) * (len(names) - 1) // 2
    assert {table.rows.sum() for table in counted.tables.values()} == {HOLDOUT_ROWS}


def test_the_registry_points_at_files_whose_digests_match(world):
    write_holdout(world)
    package = run()["package"]
    for files in [*package["ModelMetrics"].values(), *package["DriftCheckBaselines"].values()]:
        for source in files.values():
            key = source["S3Uri"].removeprefix(f"s3://{BUCKET}/")
            assert source["ContentDigest"] == "sha256:" + hashlib.sha256(world.read(key)).hexdigest()


def test_what_the_approver_is_told_is_kept_before_the_package_is_registered(world):
    write_holdout(world)
    run()
    kept = approval_requests.load(world.s3, BUCKET, MODEL, RUN)
    assert (kept["run"], kept["reasons"], kept["trigger"]) == (RUN, EVENT["gate"]["reasons"], EVENT["trigger"])
    assert (kept["champion"]["package_version"], kept["snapshot"]["holdout_rows"]) == ("1", HOLDOUT_ROWS)
    # With the package's ARN it is what the machine tells.
    asl = json.loads(Path("state_machines/retrain.asl.json").read_text())
    told = asl["States"]["TellPackageRegistered"]["Parameters"]["Payload"]["detail"]
    # What is told without the machine is never approved by it.
    assert {name.removesuffix(".$") for name in told} == kept.keys() | {"package_arn", "approval"}


def test_the_package_carries_its_reason_and_its_lineage(world):
    write_holdout(world)
    package = run()["package"]
    properties = package["CustomerMetadataProperties"]
    assert properties["kedge:reason"] == "quality is lost: auc 0.69  0.66  0.72 "
    assert properties["kedge:training_end"] == "2016-02-07T11:00:00Z"
    assert properties["kedge:snapshot"] == "d" * 64
    assert (properties["kedge:champion"], properties["kedge:trigger"]) == ("1", "performance")
    assert (properties["kedge:training_job"], properties["kedge:instance_type"]) == ("job", "ml.m5.xlarge")
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == EVENT["artefact"]["uri"]
    assert properties["kedge:artefact_sha256"] == EVENT["artefact"]["sha256"]


def test_the_lineage_is_what_sagemaker_says_of_the_job(world):
    write_holdout(world)
    properties = run()["package"]["CustomerMetadataProperties"]
    assert properties["kedge:training_job_arn"].endswith(":training-job/job")
    assert (properties["kedge:instance_count"], properties["kedge:source_commit"]) == ("2", "c0ffee")
    assert (properties["kedge:hyperparameters"], properties["kedge:source"]) == (
        "flavour=mild max_depth=4",
        "s3://code/5ea1.gz",
    )
    kept = json.loads(world.read(f"{PREFIX}/lineage.json"))
    assert kept["trained_by"]["hyperparameters"] == {"flavour": "mild", "max_depth": "4"}
    assert kept["trigger"] == EVENT["trigger"]
    assert (kept["champion"], kept["data_digest"]) == ("1", "d" * 64)


def test_the_model_card_fits_the_schema_of_a_package_and_holds_what_the_gate_measured(world):
    write_holdout(world)
    package = run()["package"]
    check_card(package["ModelCard"])
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    (evaluation,) = card["evaluation_details"]
    assert evaluation["evaluation_observation"] == EVENT["gate"]["reasons"][0]
    measured = {each["name"]: each["value"] for each in evaluation["metric_groups"][0]["metric_data"]}
    assert f"{measured['auc']:.4f}" == package["CustomerMetadataProperties"]["kedge:auc"]
    assert card["additional_information"]["custom_details"]["instances"] == "2 x ml.m5.xlarge"
    assert card["training_details"]["training_job_details"]["training_arn"].endswith(":training-job/job")


def test_model_monitors_files_describe_every_feature(world):
    write_holdout(world)
    staged = run()["staged_prefix"]
    statistics = json.loads(world.read(f"{staged}/statistics.json"))
    constraints = json.loads(world.read(f"{staged}/constraints.json"))
    assert [f["name"] for f in statistics["features"]] == list(world.config.feature_names)
    assert statistics["dataset"]["item_count"] == 900
    assert constraints["features"][0]["string_constraints"]["domains"] == ["a", "b"]


def test_a_rerun_asks_for_the_same_package(world):
    write_holdout(world)
    assert run() == run()


def output_archive(world, content: bytes) -> None:
    """What the training job left beside its model."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        entry = tarfile.TarInfo("importance.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    world.put(f"{TRAINED}/output.tar.gz", sink.getvalue())


def importance_of(world) -> dict[str, float]:
    return dict(decode_baseline(world.read(f"{run()['staged_prefix']}/baseline.npz")).importance)


def test_the_baseline_carries_what_training_says_of_its_features(world):
    write_holdout(world)
    output_archive(world, b'{"adr": 30, "lead_time": 10, "adr_squared": 5}')
    assert importance_of(world) == {"adr": 0.75, "lead_time": 0.25}


@pytest.mark.parametrize("content", [None, b"{", b'{"adr": "much"}'])
def test_without_a_readable_importance_nothing_is_invented_and_nothing_lost(world, content):
    write_holdout(world)
    if content is not None:
        output_archive(world, content)
    assert importance_of(world) == {}


def shuffled_answers(world, scores: np.ndarray, name: str) -> None:
    """The challenger's answers to shuffled rows: only where this feature's values were do they differ from what they were."""
    place = world.config.feature_names.index(name)
    lines = [f"{p}~r{row},{scores[row] if p != place else 0.5}\n" for p in range(place + 1) for row in range(50)]
    world.put(f"{SCORED}/challenger/permuted.csv.out", "".join(lines).encode())


def test_where_training_says_nothing_shuffled_rows_do(world):
    shuffled_answers(world, write_holdout(world), "adr")
    assert {name: share for name, share in importance_of(world).items() if share} == {"adr": 1.0}


def test_what_training_says_goes_before_shuffled_rows(world):
    shuffled_answers(world, write_holdout(world), "adr")
    output_archive(world, b'{"lead_time": 10}')
    assert importance_of(world) == {"lead_time": 1.0}


def test_answers_to_rows_that_nobody_asked_for_lose_only_the_importance(world):
    write_holdout(world)
    world.put(f"{SCORED}/challenger/permuted.csv.out", b"0~stranger,0.5\n")
    assert importance_of(world) == {}
