"""Training and transform jobs in SageMaker's own words: requests that only lack their names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedge.config.instance_types import has_local_storage
from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.config.trainers.algorithm import algorithm_parameters
from kedge.config.training import is_read_by_sagemaker
from kedge.retraining.decision import tuning_name

# Script mode runs `pip install .`. Without a network pip must build with what the image holds; 0 is how it is told to.
# https://pip.pypa.io/en/stable/cli/pip_install/ (boolean options that begin with "no" are set the other way round)
_NO_NETWORK = {"PIP_NO_BUILD_ISOLATION": "0"}
SOURCE_CHANNEL, _CHECKPOINTS = "code", "checkpoints"
_FIGURES = ("auc", "logloss", "rmse", "mlogloss")
_METRICS = (*(f"{channel}-{figure}" for channel in ("train", "validation") for figure in _FIGURES), "trees", "rows")


@dataclass(frozen=True)
class TrainingWorkshop:
    """What jobs are made with: image, source, roles, the key that encrypts what they write, and the deployment's own VPC."""

    image: str
    source_uri: str
    training_role_arn: str
    scoring_role_arn: str
    kms_key_id: str | None
    tags: tuple[tuple[str, str], ...]
    vpc: Vpc | None = None


def training_job_request(
    config: ModelConfig, workshop: TrainingWorkshop, *, train_uri: str, output_uri: str, validation_uri: str = ""
) -> dict[str, Any]:
    """Ask for a training job, all but its name.

    Parameters
    ----------
    validation_uri
        The folder of the rows that `training.validation_fraction` keeps apart.
    """
    training = config.training
    stop = {"MaxRuntimeInSeconds": training.max_runtime_seconds}
    return {
        "AlgorithmSpecification": {
            "TrainingImage": workshop.image,
            "TrainingInputMode": "File",
        }
        | _metric_definitions(workshop.image),
        "RoleArn": workshop.training_role_arn,
        "HyperParameters": _hyperparameters(config, workshop),
        "Environment": {**training.environment, **_NO_NETWORK},
        "InputDataConfig": _channels(config, workshop, train_uri, validation_uri),
        "OutputDataConfig": _encrypted({"S3OutputPath": output_uri}, "KmsKeyId", workshop),
        "ResourceConfig": _instances(config, workshop, training.instance_count) | _volume(config),
        "EnableManagedSpotTraining": training.spot,
        # A place of the run: its attempts learn from the same rows and go on from each other's checkpoints, another run never does.
        "CheckpointConfig": {"S3Uri": f"{output_uri}/{_CHECKPOINTS}"},
        "StoppingCondition": stop | ({"MaxWaitTimeInSeconds": training.waits_seconds} if training.spot else {}),
        # Rows and source come in as channels, which SageMaker downloads: Kedge's scripts need no network.
        "EnableNetworkIsolation": training.network_isolation,
        # What several instances tell each other holds rows and weights.
        "EnableInterContainerTrafficEncryption": training.instance_count > 1,
        "Tags": tags_of(workshop),
    } | vpc_config(training.vpc or workshop.vpc)


def tuning_job_request(config: ModelConfig, training_job: Mapping[str, Any], *, run: str) -> dict[str, Any]:
    """Ask for a tuning job that makes such training jobs, all but the number of its attempt; nothing where the YAML wants none."""
    tuning = config.training.tuning
    if tuning is None:
        return {}
    specification, definition = dict(training_job["AlgorithmSpecification"]), dict(training_job)
    metric = _validated(tuning.metric, specification)
    if "MetricDefinitions" in specification:
        named = _read_from_the_log(metric)
        others = [each for each in specification["MetricDefinitions"] if each["Name"] != metric]
        specification["MetricDefinitions"] = [*others, named]
    # What is tuned is not fixed too, also where Kedge would have chosen it.
    fixed = {name: value for name, value in definition.pop("HyperParameters").items() if name not in tuning.ranges}
    # Its jobs would share one place, and each go on from another's.
    del definition["CheckpointConfig"], definition["AlgorithmSpecification"]
    limits = {
        "MaxNumberOfTrainingJobs": tuning.jobs,
        "MaxParallelTrainingJobs": tuning.parallel_jobs,
        "MaxRuntimeInSeconds": tuning.max_runtime_seconds,
    }
    return {
        "name": tuning_name(run),
        "HyperParameterTuningJobConfig": {
            "Strategy": tuning.strategy.capitalize(),
            "HyperParameterTuningJobObjective": {"Type": tuning.aim.capitalize(), "MetricName": metric},
            "ResourceLimits": limits,
            "ParameterRanges": _ranges(config),
            "TrainingJobEarlyStoppingType": "Auto" if tuning.stops_early else "Off",
        }
        | ({} if tuning.seed is None else {"RandomSeed": tuning.seed}),
        "Tags": definition.pop("Tags"),
        "TrainingJobDefinition": definition | {"AlgorithmSpecification": specification, "StaticHyperParameters": fixed},
    }


def _validated(metric: str, specification: Mapping[str, Any]) -> str:
    """A figure of the channel `validation`, as SageMaker calls it where it reads the log itself, or as scripts print it."""
    return f"validation-{metric}" if "MetricDefinitions" in specification else f"validation:{metric}"


def _ranges(config: ModelConfig) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {"Continuous": [], "Integer": [], "Categorical": []}
    # Script mode reads every value as JSON; SageMaker writes numbers bare, which is JSON too.
    write = str if config.training.algorithm else json.dumps
    for name, tried in config.training.tuning.ranges.items() if config.training.tuning else ():
        if tried.categorical is not None:
            kinds["Categorical"].append({"Name": name, "Values": [write(value) for value in tried.categorical]})
            continue
        low, high = tried.continuous or tried.integer or (0, 0)
        scale = "".join(word.capitalize() for word in tried.scale.split("_"))
        bounds = {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scale}
        kinds["Continuous" if tried.continuous is not None else "Integer"].append(bounds)
    return {f"{kind}ParameterRanges": found for kind, found in kinds.items() if found}


def inputs_digest(request: Mapping[str, Any], rows: Mapping[str, str]) -> str:
    """One SHA-256 of what decides the model that a job makes: not where it reads and writes, for how long and on what machine.

    Parameters
    ----------
    request
        As `training_job_request` returns it, with what `tuning_job_request` adds; the source's name is the digest of what it holds.
    rows
        SHA-256 of each file that the job learns from, by name.
    """
    names = ("AlgorithmSpecification", "HyperParameters", "Environment", "HyperParameterTuningJobConfig")
    deciding = {name: request[name] for name in names if name in request}
    return hashlib.sha256(json.dumps([deciding, dict(rows)], sort_keys=True).encode()).hexdigest()


def image_of(config: ModelConfig, images: Mapping[str, str]) -> str:
    """The image that a model trains with: its own, or its framework's."""
    return config.training.image or images[config.training.framework_image]


def serving_image_of(config: ModelConfig, trained_with: str) -> str:
    """The image that answers: one of its own, or the one that trained."""
    return config.training.serving_image or trained_with


def serving_environment(config: ModelConfig) -> dict[str, str]:
    """Tell the container where its script is, and to answer in the endpoint's content type unless a request says more."""
    if config.training.algorithm:
        # It answers by itself, in CSV.
        return dict(config.training.serving_environment)
    return {
        **config.training.serving_environment,
        # Training put it beside the model.
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": config.endpoint.content_type,
        **_NO_NETWORK,
    }


def challenger_model_request(config: ModelConfig, workshop: TrainingWorkshop) -> dict[str, Any]:
    """Ask for the challenger's model, all but its name and its artefact."""
    return {
        "ExecutionRoleArn": workshop.scoring_role_arn,
        "PrimaryContainer": {
            "Image": serving_image_of(config, workshop.image),
            "Environment": serving_environment(config),
        },
    } | scoring_network(config, workshop)


def scoring_network(config: ModelConfig, workshop: TrainingWorkshop) -> dict[str, Any]:
    """What a model that scores the holdout reaches, as it will when it serves, and its tags."""
    return {
        "EnableNetworkIsolation": config.endpoint.network_isolation,
        "Tags": tags_of(workshop),
    } | vpc_config(config.endpoint.vpc or workshop.vpc)


def vpc_config(vpc: Vpc | None) -> dict[str, Any]:
    """The part of a request that names the VPC, where there is one."""
    return {"VpcConfig": vpc.request} if vpc else {}


def transform_request(
    config: ModelConfig, workshop: TrainingWorkshop, *, model_name: str, input_uri: str, output_uri: str
) -> dict[str, Any]:
    """Ask one model to score the holdout, all but the job's name: the id stays beside each answer."""
    content_type = config.endpoint.content_type
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": input_uri}}
    output = {"S3OutputPath": output_uri, "Accept": content_type, "AssembleWith": "Line"}
    return {
        "ModelName": model_name,
        "BatchStrategy": "MultiRecord" if content_type == "text/csv" else "SingleRecord",
        "TransformInput": {"DataSource": source, "ContentType": content_type, "SplitType": "Line"},
        "TransformOutput": _encrypted(output, "KmsKeyId", workshop),
        "TransformResources": _instances(config, workshop, 1),
        "DataProcessing": _join(config),
        "Tags": tags_of(workshop),
    }


def _join(config: ModelConfig) -> dict[str, str]:
    if config.endpoint.content_type != "text/csv":
        return {"InputFilter": "$.payload", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    # The joined line is the id, the features, then the answer's own columns.
    answer = 1 + len(config.features) + config.answer_place
    kept = ",".join(str(answer + place) for place in range(len(config.answer_columns)))
    return {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": f"$[0,{kept}]"}


def _hyperparameters(config: ModelConfig, workshop: TrainingWorkshop) -> dict[str, str]:
    chosen = dict(config.training.hyperparameters)
    if config.training.algorithm:
        return algorithm_parameters(config.problem, config.labels.classes, chosen)
    source = f"/opt/ml/input/data/{SOURCE_CHANNEL}/{workshop.source_uri.rpartition('/')[2]}"
    script = {"sagemaker_program": config.training.entry_point, "sagemaker_submit_directory": source}
    # Script mode reads every value as JSON: a bare string would not parse.
    return {name: json.dumps(value) for name, value in {**chosen, **script}.items()}


def _metric_definitions(image: str) -> dict[str, Any]:
    """What SageMaker reads from the log, where it may be told."""
    if is_read_by_sagemaker(image):
        return {}
    return {"MetricDefinitions": [_read_from_the_log(name) for name in _METRICS]}


def _read_from_the_log(figure: str) -> dict[str, str]:
    # A figure may be below zero, and Python writes a small one with an exponent.
    return {"Name": figure, "Regex": f"{re.escape(figure)}=([-+0-9.eE]+);"}


def _channels(config: ModelConfig, workshop: TrainingWorkshop, train: str, validation: str) -> list[dict[str, Any]]:
    rows = {"train": train} | ({"validation": validation} if config.training.validation_fraction else {})
    channels = [_channel(name, uri, ContentType="text/csv") for name, uri in rows.items()]
    return channels if config.training.algorithm else [*channels, _channel(SOURCE_CHANNEL, workshop.source_uri)]


def _channel(name: str, uri: str, **more: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


def _instances(config: ModelConfig, workshop: TrainingWorkshop, count: int) -> dict[str, Any]:
    instances = {"InstanceType": config.training.instance_type, "InstanceCount": count}
    if has_local_storage(config.training.instance_type):
        return instances
    return _encrypted(instances, "VolumeKmsKeyId", workshop)


def _volume(config: ModelConfig) -> dict[str, int]:
    """The size of a volume of EBS: disks of the instances' own have a fixed one."""
    training = config.training
    return {} if has_local_storage(training.instance_type) else {"VolumeSizeInGB": training.volume_gib}


def _encrypted(request: dict[str, Any], field: str, workshop: TrainingWorkshop) -> dict[str, Any]:
    return request | ({field: workshop.kms_key_id} if workshop.kms_key_id else {})


def tags_of(workshop: TrainingWorkshop) -> list[dict[str, str]]:
    """The tags of all that a run makes."""
    return [{"Key": key, "Value": value} for key, value in workshop.tags]
