"""`kedge adopt` says what it would write, writes it when told to, and refuses what it does not know."""

import json
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kedge.config.reading import parse_model_config
from lambdas.adapters.bucket import baselines, package_schemas
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion
from tests.cli.adopt.other_team import BEGUN, BOTH, ENDPOINT, URI, VARIANT, adopt, captured, deploy
from tests.handlers.aws_world import BUCKET, TABLE


def test_what_is_inferred_is_shown_and_nothing_is_written(world, tmp_path):
    deploy(world)
    captured(world)
    shown, out = adopt(tmp_path)
    assert shown.exit_code == 0, shown.output
    for said in (
        "mode: watch",
        f"uri: {URI}",
        "variant: main",
        "problem: binary_classification",
        "Nothing was written",
    ):
        assert said in shown.output
    assert not out.exists()
    assert world.keys("") == world.keys("deployed/")
    assert champions.load(world.dynamodb, TABLE, ENDPOINT) is None


def test_the_yaml_is_one_that_kedge_can_follow_with_the_place_and_the_share_of_the_captures(world, tmp_path):
    deploy(world)
    captured(world)
    done, out = adopt(tmp_path, "--apply")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert (config.mode, config.model, config.problem) == ("watch", ENDPOINT, "binary_classification")
    assert (config.capture.uri, config.capture.sampling_percentage) == (URI, 20)
    assert (config.endpoint.name, config.endpoint.variant, config.endpoint.content_type) == (
        ENDPOINT,
        VARIANT,
        "text/csv",
    )
    assert [(f.name, f.kind) for f in config.features] == [
        ("feature_0", "numeric"),
        ("feature_1", "numeric"),
        ("feature_2", "categorical"),
    ]


def test_the_first_captured_days_become_the_baseline_and_windows_begin_behind_them(world, tmp_path):
    deploy(world)
    captured(world)
    done, _ = adopt(tmp_path, "--apply", "--baseline-days", 10)
    assert done.exit_code == 0, done.output
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    assert champion.package_version == champion.baseline == "adopted-20260320-1230"
    assert champion.package_arn.endswith(f":endpoint/{ENDPOINT}/adopted-20260320-1230")
    assert (champion.endpoint_config, champion.model_name) == ("payments-config", "payments-7")
    assert champion.promoted_at == BEGUN + timedelta(days=10)
    baseline = baselines.load_baseline(world.s3, BUCKET, ENDPOINT, champion.baseline)
    assert (baseline.baseline, baseline.profile.rows) == (champion.baseline, 200)
    kept = package_schemas.load(
        world.s3,
        BUCKET,
        parse_model_config((tmp_path / "payments.yaml").read_text(), source="payments.yaml"),
        champion.baseline,
    )
    assert kept.mode == "watch"
    assert baselines.load_reference(world.s3, BUCKET, ENDPOINT, champion.baseline) is None
    (entry,) = [json.loads(world.read(key)) for key in world.keys(f"audit/{ENDPOINT}/")]
    assert entry["kind"] == "adopted"
    assert entry["detail"]["package_version"] == champion.package_version


def training_file(tmp_path, *, answers=True, truth=True, rows=400):
    random = np.random.default_rng(5)
    columns = {
        "amount": random.normal(50, 15, rows),
        "items": random.integers(1, 6, rows),
        "country": random.choice(["DE", "FR"], rows),
    }
    scores = random.uniform(size=rows)
    columns |= {"prediction": scores} if answers else {}
    columns |= {"fraud": (random.uniform(size=rows) < scores).astype(int)} if truth else {}
    pq.write_table(pa.table(columns), tmp_path / "training.parquet")
    return tmp_path / "training.parquet"


def test_training_rows_name_the_columns_and_with_answers_and_truth_say_how_good_the_model_is(world, tmp_path):
    deploy(world)
    captured(world)
    done, out = adopt(tmp_path, "--apply", "--baseline", training_file(tmp_path), "--label", "fraud")
    assert done.exit_code == 0, done.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert config.feature_names == ("amount", "items", "country")
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    assert champion.promoted_at == BEGUN
    reference = baselines.load_reference(world.s3, BUCKET, ENDPOINT, champion.baseline)
    assert reference.counts.rows == 400
    assert "measured quality is not" not in done.output


def test_training_rows_without_answers_are_judged_with_what_was_captured(world, tmp_path):
    deploy(world)
    captured(world)
    file = training_file(tmp_path, answers=False)
    done, _ = adopt(tmp_path, "--apply", "--baseline", file, "--label", "fraud")
    assert done.exit_code == 0, done.output
    assert "the rows hold no answers" in done.output
    champion = champions.load(world.dynamodb, TABLE, ENDPOINT)
    assert baselines.load_reference(world.s3, BUCKET, ENDPOINT, champion.baseline) is None


def test_training_rows_that_do_not_fit_the_requests_are_refused_with_both_numbers(world, tmp_path):
    deploy(world)
    captured(world)
    refused, out = adopt(tmp_path, "--apply", "--baseline", training_file(tmp_path))
    assert refused.exit_code == 2
    assert "a request has 3 values, and" in refused.stderr
    assert "has 4 columns that can be features" in refused.stderr
    assert not out.exists()


def test_an_endpoint_without_capture_is_told_the_exact_commands(world, tmp_path):
    deploy(world, capture=False)
    refused, _ = adopt(tmp_path)
    assert refused.exit_code == 2
    create, update = [line for line in refused.stderr.splitlines() if line.startswith("aws sagemaker ")]
    document = json.loads(create.partition("--cli-input-json ")[2].strip("'"))
    before = world.sagemaker.describe_endpoint_config(EndpointConfigName="payments-config")
    assert document["ProductionVariants"] == before["ProductionVariants"]
    assert document["DataCaptureConfig"]["CaptureOptions"] == BOTH
    world.sagemaker.create_endpoint_config(**document)
    assert update.endswith(f"--endpoint-name {ENDPOINT} --endpoint-config-name {document['EndpointConfigName']}")


MULTI_MODEL = {"model": {"Mode": "MultiModel"}}
ASYNCHRONOUS = {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://x/y"}}}
SERVERLESS = {
    "variants": [
        {
            "VariantName": VARIANT,
            "ModelName": "payments-7",
            "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
        }
    ]
}
# A variant without a model: its components are made apart.
COMPONENTS = {"variants": [{"VariantName": VARIANT, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}]}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (MULTI_MODEL, "is multi-model"),
        (ASYNCHRONOUS, "is asynchronous"),
        (SERVERLESS, "is serverless"),
        (COMPONENTS, "holds inference components"),
    ],
)
def test_capture_is_not_switched_on_where_its_records_are_not_known(world, tmp_path, made, said):
    deploy(world, capture=False, **made)
    refused, _ = adopt(tmp_path, "--enable-capture", "--apply")
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(world.sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (MULTI_MODEL, "is multi-model"),
        (ASYNCHRONOUS, "is asynchronous"),
        (SERVERLESS, "is serverless"),
        (COMPONENTS, "holds inference components"),
    ],
)
def test_what_nobody_has_seen_a_record_of_is_refused_in_a_sentence(world, tmp_path, made, said):
    deploy(world, **made)
    captured(world, days=1)
    refused, out = adopt(tmp_path, "--apply")
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not out.exists()


def test_an_endpoint_that_has_captured_nothing_yet_is_adopted_later(world, tmp_path):
    deploy(world)
    refused, _ = adopt(tmp_path)
    assert refused.exit_code == 2
    assert "nothing is there yet" in refused.stderr


def test_a_yaml_that_is_there_is_taken_as_it_is_and_must_speak_of_this_endpoint(world, tmp_path):
    deploy(world)
    captured(world)
    _, out = adopt(tmp_path, "--apply")
    mine = out.read_text().replace("feature_0", "amount")
    out.write_text(mine.replace(URI, "s3://elsewhere/x"))
    refused, _ = adopt(tmp_path, "--apply", "--model", "other")
    assert refused.exit_code == 2
    assert f"capture.uri is s3://elsewhere/x, not {URI}" in refused.stderr
    out.write_text(mine.replace("model: payments", "model: other"))
    done, _ = adopt(tmp_path, "--apply", "--model", "other")
    assert done.exit_code == 0, done.output
    assert "is there, and is taken as it is" in done.output
    assert champions.load(world.dynamodb, TABLE, "other") is not None


def test_a_model_that_kedge_released_is_not_adopted_over(world, tmp_path):
    deploy(world)
    captured(world)
    own = Champion("arn:1/3", "3", "3", BEGUN, None, "payments-v3", "payments-v3")
    champions.save(world.dynamodb, TABLE, ENDPOINT, own)
    refused, _ = adopt(tmp_path, "--apply")
    assert refused.exit_code == 2
    assert "version 3 of payments is a package that Kedge released" in refused.stderr
    assert champions.load(world.dynamodb, TABLE, ENDPOINT) == own


def test_captures_that_cannot_be_read_are_refused_with_the_reason(world, tmp_path):
    deploy(world)
    captured(world, answer="<html>busy</html>")
    refused, _ = adopt(tmp_path, "--apply")
    assert refused.exit_code == 2
    assert "can be read" in refused.stderr
    assert champions.load(world.dynamodb, TABLE, ENDPOINT) is None


def nested_answer(random):
    return json.dumps({"result": {"scores": [round(float(random.uniform()), 3)]}})


def answer_of_three_classes(random):
    shares = random.dirichlet([1, 1, 1]).round(3)
    names = ["cat", "dog", "owl"]
    return json.dumps(
        {"predicted_label": names[int(shares.argmax())], "probabilities": shares.tolist(), "labels": names}
    )


def test_an_answer_that_lies_deep_is_refused_with_the_draft_and_the_option_that_names_its_place(world, tmp_path):
    deploy(world)
    captured(world, answer=nested_answer)
    refused, out = adopt(tmp_path, "--apply")
    assert refused.exit_code == 2
    assert "--probability-attribute" in refused.stderr
    assert "model: payments" in refused.stderr
    assert not out.exists()


@pytest.mark.parametrize("option", ["--probability-attribute", "--inference-attribute"])
def test_an_answer_that_lies_deep_is_adopted_once_its_place_is_said(world, tmp_path, option):
    deploy(world)
    captured(world, answer=nested_answer)
    adopted, out = adopt(tmp_path, option, "result.scores", "--apply")
    assert adopted.exit_code == 0, adopted.output
    config = parse_model_config(out.read_text(), source=out.name)
    name = option.removeprefix("--").replace("-", "_")
    assert (getattr(config.endpoint, name), config.problem) == ("result.scores", "binary_classification")
    assert "could not be read" not in adopted.output
    again, _ = adopt(tmp_path, option, "result.scores")
    assert again.exit_code == 2
    assert f"{option}: {out} is there, and is taken as it is" in again.stderr


def test_labels_beside_their_probabilities_are_the_classes(world, tmp_path):
    deploy(world)
    captured(world, answer=answer_of_three_classes)
    adopted, out = adopt(tmp_path, "--apply")
    assert adopted.exit_code == 0, adopted.output
    config = parse_model_config(out.read_text(), source=out.name)
    assert config.problem == "multiclass_classification"
    assert {*config.labels.classes} == {"cat", "dog", "owl"}
    assert "could not be read" not in adopted.output


def test_the_yaml_may_go_into_the_data_bucket_and_needs_no_deployment(world, tmp_path):
    deploy(world)
    captured(world)
    done, out = adopt(tmp_path, "--apply", "--to-bucket")
    assert done.exit_code == 0, done.output
    assert world.read(f"models/{ENDPOINT}.yaml").decode() == out.read_text()
    assert "deploy the YAML" not in done.output
    assert load_model(ENDPOINT, BUCKET).capture.uri == URI
