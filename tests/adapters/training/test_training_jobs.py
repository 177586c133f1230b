"""Job requests are complete but for their names, and SageMaker's own model accepts them."""

import json
import re
from dataclasses import replace

import boto3
import pytest
from botocore.validate import ParamValidator

from kedge.config.reading import parse_model_config
from kedge.config.sections import Vpc
from lambdas.adapters.training.training_jobs import (
    TrainingWorkshop,
    challenger_model_request,
    image_of,
    inputs_digest,
    serving_environment,
    training_job_request,
    transform_request,
    tuning_job_request,
)

YAML = """
model: m
endpoint: {name: e, content_type: %s}
features: [{name: x, kind: numeric}, {name: y, kind: categorical}]
training: {hyperparameters: {max_depth: 4, flavour: mild}}
"""
CONFIG = parse_model_config(YAML % "text/csv", source="m.yaml")
SHOP = TrainingWorkshop(
    "image:1",
    "s3://b/source.tar.gz",
    "arn:aws:iam::123456789012:role/training",
    "arn:aws:iam::123456789012:role/scoring",
    "key",
    (("kedge:model", "m"),),
)


def problems(action: str, request: dict) -> str:
    """What botocore's service model says against a request."""
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model.operation_model(action)
    return ParamValidator().validate(request, model.input_shape).generate_report()


def make_transform(config=CONFIG) -> dict:
    return transform_request(config, SHOP, model_name="m-1", input_uri="s3://b/i", output_uri="s3://b/o")


def test_sagemaker_accepts_the_requests():
    training = training_job_request(CONFIG, SHOP, train_uri="s3://b/t/", output_uri="s3://b/o")
    assert problems("CreateTrainingJob", training | {"TrainingJobName": "t"}) == ""
    assert problems("CreateTransformJob", make_transform() | {"TransformJobName": "t"}) == ""
    assert problems("CreateModel", challenger_model_request(CONFIG, SHOP) | {"ModelName": "t"}) == ""


def test_hyperparameters_are_json_as_script_mode_reads_them():
    found = training_job_request(CONFIG, SHOP, train_uri="s3://b/t/", output_uri="s3://b/o")["HyperParameters"]
    assert {name: json.loads(value) for name, value in found.items()} == {
        "max_depth": 4,
        "flavour": "mild",
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code/source.tar.gz",
    }


def test_a_job_without_a_network_finds_its_source_among_its_channels():
    request = training_job_request(CONFIG, SHOP, train_uri="s3://b/t/", output_uri="s3://b/o")
    channels = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    assert channels == {"train": "s3://b/t/", "code": "s3://b/source.tar.gz"}
    assert request["EnableNetworkIsolation"] is challenger_model_request(CONFIG, SHOP)["EnableNetworkIsolation"] is True
    # pip reads the variable the other way round: 0 switches the isolated build off, 1 leaves it on.
    for environment in (request["Environment"], serving_environment(CONFIG)):
        assert environment["PIP_NO_BUILD_ISOLATION"] == "0"


@pytest.mark.parametrize(
    ("image", "is_defined"),
    [
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0", False),
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost@sha256:" + 64 * "a", False),
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3", True),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/sagemaker-xgboost:3.2-0", True),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine", True),
    ],
)
def test_metrics_are_defined_where_sagemaker_does_not_define_them_itself(image, is_defined):
    request = training_job_request(CONFIG, replace(SHOP, image=image), train_uri="s3://b/t/", output_uri="s3://b/o")
    assert ("MetricDefinitions" in request["AlgorithmSpecification"]) is is_defined


def test_the_container_answers_in_the_endpoints_content_type_unless_a_request_says_more():
    assert serving_environment(CONFIG)["SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"] == "text/csv"


def test_a_models_own_image_goes_before_its_frameworks():
    own = CONFIG.model_copy(update={"training": CONFIG.training.model_copy(update={"image": "mine:1"})})
    assert [image_of(config, {"xgboost 3.2-0": "aws:1"}) for config in (CONFIG, own)] == ["aws:1", "mine:1"]


def test_the_container_sees_no_id_and_the_id_stays_beside_the_answer():
    assert make_transform()["DataProcessing"] == {
        "InputFilter": "$[1:]",
        "JoinSource": "Input",
        "OutputFilter": "$[0,3]",
    }
    assert make_transform()["TransformInput"]["ContentType"] == "text/csv"


def test_json_rows_go_out_one_a_request_in_the_endpoints_content_type():
    request = make_transform(parse_model_config(YAML % "application/json", source="m.yaml"))
    assert request["BatchStrategy"] == "SingleRecord"
    assert request["TransformInput"]["ContentType"] == "application/json"
    assert request["DataProcessing"]["InputFilter"] == "$.payload"


@pytest.mark.parametrize("field", ["VolumeKmsKeyId"])
def test_without_a_key_none_is_asked_for(field):
    plain = TrainingWorkshop(
        SHOP.image, SHOP.source_uri, SHOP.training_role_arn, SHOP.scoring_role_arn, None, SHOP.tags
    )
    assert field in make_transform()["TransformResources"]
    training = training_job_request(CONFIG, plain, train_uri="s3://b/t/", output_uri="s3://b/o")
    assert field not in training["ResourceConfig"]


def test_no_key_is_asked_for_where_the_instances_have_disks_of_their_own():
    config = parse_model_config(
        YAML.replace("training: {", "training: {instance_type: ml.g5.xlarge, ") % "text/csv", source="m"
    )
    training = training_job_request(config, SHOP, train_uri="s3://b/t/", output_uri="s3://b/o")
    transform = make_transform(config)
    for instances in (training["ResourceConfig"], transform["TransformResources"]):
        assert (instances["InstanceType"], "VolumeKmsKeyId" in instances) == ("ml.g5.xlarge", False)
        assert "VolumeSizeInGB" not in instances
    assert training["OutputDataConfig"]["KmsKeyId"] == transform["TransformOutput"]["KmsKeyId"] == "key"


def request_with(training):
    config = parse_model_config(YAML.replace("training: {", f"training: {{{training}, ") % "text/csv", source="m")
    return config, training_job_request(config, SHOP, train_uri="s3://b/t/", output_uri="s3://b/o/m/run-1")


def test_a_job_on_spot_waits_as_long_as_it_may_and_keeps_its_runs_checkpoints():
    _, request = request_with("spot: true, max_runtime_seconds: 600, max_wait_seconds: 900")
    assert problems("CreateTrainingJob", request | {"TrainingJobName": "t"}) == ""
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    assert request["CheckpointConfig"] == {"S3Uri": "s3://b/o/m/run-1/checkpoints"}
    _, on_demand = request_with("max_runtime_seconds: 600")
    assert problems("CreateTrainingJob", on_demand | {"TrainingJobName": "t"}) == ""
    assert on_demand["EnableManagedSpotTraining"] is False
    assert on_demand["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}


OWN = "vpc: {subnets: [subnet-0a0a0a0a, subnet-0b0b0b0b], security_groups: [sg-0a0a0a0a]}, network_isolation: false"
VPC = {"Subnets": ["subnet-0a0a0a0a", "subnet-0b0b0b0b"], "SecurityGroupIds": ["sg-0a0a0a0a"]}
EVERYBODYS = replace(SHOP, vpc=Vpc(subnets=("subnet-0c0c0c0c",), security_groups=("sg-0c0c0c0c",)))


def test_a_job_is_put_into_the_vpc_of_its_training_and_reaches_it_where_the_yaml_says_so():
    config, request = request_with(OWN)
    assert problems("CreateTrainingJob", request | {"TrainingJobName": "t"}) == ""
    assert (request["VpcConfig"], request["EnableNetworkIsolation"]) == (VPC, False)
    scored = challenger_model_request(config, SHOP)
    assert ("VpcConfig" in scored, scored["EnableNetworkIsolation"]) == (False, True)


def test_the_scoring_model_is_put_where_the_endpoint_will_be():
    text = YAML.replace("content_type: %s", f"content_type: text/csv, {OWN}")
    config = parse_model_config(text, source="m")
    scored, trained = (
        challenger_model_request(config, SHOP),
        training_job_request(config, SHOP, train_uri="s3://b/t", output_uri="s3://b/o"),
    )
    assert problems("CreateModel", scored | {"ModelName": "t"}) == ""
    assert (scored["VpcConfig"], scored["EnableNetworkIsolation"]) == (VPC, False)
    assert ("VpcConfig" in trained, trained["EnableNetworkIsolation"]) == (False, True)


def test_a_model_that_names_no_vpc_is_put_into_the_deployments():
    requests = (
        challenger_model_request(CONFIG, EVERYBODYS),
        training_job_request(CONFIG, EVERYBODYS, train_uri="s3://b/t", output_uri="s3://b/o"),
    )
    assert [each["VpcConfig"]["Subnets"] for each in requests] == [["subnet-0c0c0c0c"]] * 2
    own = parse_model_config(YAML.replace("training: {", f"training: {{{OWN}, ") % "text/csv", source="m")
    trained = training_job_request(own, EVERYBODYS, train_uri="s3://b/t", output_uri="s3://b/o")
    assert trained["VpcConfig"] == VPC


def test_several_instances_talk_in_secret_and_the_scoring_has_one():
    config, request = request_with("instance_count: 3, entry_point: mine.py, volume_gib: 200")
    assert (request["ResourceConfig"]["InstanceCount"], request["ResourceConfig"]["VolumeSizeInGB"]) == (3, 200)
    assert request["EnableInterContainerTrafficEncryption"] is True
    assert make_transform(config)["TransformResources"]["InstanceCount"] == 1


def test_variables_and_a_serving_image_of_the_yaml_stand_beside_kedges_own():
    config, request = request_with(
        "environment: {THREADS: '4'}, serving_environment: {WORKERS: '2'}, serving_image: 'serve:1'"
    )
    assert request["Environment"] == {"THREADS": "4", "PIP_NO_BUILD_ISOLATION": "0"}
    container = challenger_model_request(config, SHOP)["PrimaryContainer"]
    assert (container["Image"], container["Environment"]["WORKERS"]) == ("serve:1", "2")
    assert request["AlgorithmSpecification"]["TrainingImage"] == SHOP.image


TUNING = """
model: m
endpoint: {name: e}
features: [{name: x, kind: numeric}]
training:
  %s
  validation_fraction: 0.1
  tuning:
    metric: %s
    strategy: hyperband
    seed: 7
    ranges:
      eta: {continuous: [0.05, 0.5], scale: logarithmic}
      max_depth: {integer: [2, 8]}
      booster: {categorical: [gbtree, dart]}
"""


def tuning(training, metric, image):
    config = parse_model_config(TUNING % (training, metric), source="m.yaml")
    shop = replace(SHOP, image=image)
    uris = {"train_uri": "s3://b/t/", "validation_uri": "s3://b/v/", "output_uri": "s3://b/o"}
    job = training_job_request(config, shop, **uris)
    return tuning_job_request(config, job, run="m-manual-1-01234567"), job


def test_sagemaker_accepts_a_tuning_of_an_image_of_ones_own_by_the_metric_that_its_script_prints():
    found, job = tuning("image: mine:1", "auc", "mine:1")
    name = found.pop("name")
    assert problems("CreateHyperParameterTuningJob", found | {"HyperParameterTuningJobName": f"{name}-280"}) == ""
    config, definition = found["HyperParameterTuningJobConfig"], found["TrainingJobDefinition"]
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Maximize", "MetricName": "validation-auc"}
    assert "validation-auc" in [each["Name"] for each in definition["AlgorithmSpecification"]["MetricDefinitions"]]
    assert config["TrainingJobEarlyStoppingType"] == "Off", "Hyperband stops by itself"
    assert config["RandomSeed"] == 7
    # Script mode reads every value as JSON.
    (words,) = config["ParameterRanges"]["CategoricalParameterRanges"]
    assert words["Values"] == ['"gbtree"', '"dart"']
    assert definition["StaticHyperParameters"] == job["HyperParameters"]
    assert "CheckpointConfig" not in definition
    assert definition["EnableNetworkIsolation"] is True


def test_a_figure_of_ones_own_is_defined_for_the_tuning():
    found, _ = tuning("image: mine:1", "mine\n    direction: minimize", "mine:1")
    definitions = found["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    assert {"Name": "validation-mine", "Regex": r"validation\-mine=([-+0-9.eE]+);"} in definitions
    assert found["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"] == "Minimize"


@pytest.mark.parametrize("value", ["0.25", "-0.25", "1e-05"])
def test_a_figure_is_read_whatever_number_the_script_prints(value):
    found, _ = tuning("image: mine:1", "mine\n    direction: minimize", "mine:1")
    (defined,) = [
        each["Regex"]
        for each in found["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
        if each["Name"] == "validation-mine"
    ]
    assert re.search(defined, f"rows=10; validation-mine={value}; trees=3;")[1] == value


def test_what_is_tuned_is_not_fixed_too():
    config = parse_model_config(
        (TUNING % ("algorithm: xgboost", "auc")).replace(
            "booster: {categorical: [gbtree, dart]}", "num_round: {integer: [10, 90]}"
        ),
        source="m.yaml",
    )
    job = training_job_request(config, SHOP, train_uri="s3://b/t/", validation_uri="s3://b/v/", output_uri="s3://b/o")
    found = tuning_job_request(config, job, run="m-manual-1-01234567")
    fixed = found["TrainingJobDefinition"]["StaticHyperParameters"]
    assert fixed == {"objective": "binary:logistic", "eval_metric": "auc"}


def test_other_ranges_are_other_inputs():
    found, job = tuning("image: mine:1", "auc", "mine:1")
    other = json.loads(json.dumps(found).replace("0.05", "0.06"))
    assert inputs_digest({**job, **found}, {}) != inputs_digest({**job, **other}, {}) != inputs_digest(job, {})
