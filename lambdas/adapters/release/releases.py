"""A release plan in SageMaker's and CloudWatch's own words: the requests that the release machine sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kedge.config.policies import CHALLENGER, ReleasePolicy, challenger_variant
from kedge.config.sections import Vpc
from kedge.config.stage import MODEL_TAG
from kedge.release.plan import CanaryAlarm, ReleasePlan
from kedge.release.traffic import Rollout
from lambdas import stage

# The release machine may delete an endpoint that carries this tag; `settle` takes it away once the endpoint serves.
NOT_SERVED = "kedge:not-served"
# What clients send and containers answer, ten at most of each; a type with parameters (`; charset=utf-8`) counts as its bare type.
# What is not listed arrives in BASE64, which loses nothing: so text/html, under which a toolkit answers any bytes, is not.
CAPTURED_TYPES = {
    "CsvContentTypes": ["text/csv", "application/csv", "text/plain"],
    "JsonContentTypes": [
        "application/json",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "application/x-json-lines",
        "application/ndjson",
        "application/x-ndjson",
        "text/json",
    ],
}


def create_model_request(plan: ReleasePlan, *, role_arn: str, vpc: Vpc | None = None) -> dict[str, Any]:
    """Ask for the model of an approved package; its container reaches no network, unless the YAML says otherwise."""
    vpc = plan.vpc or vpc
    return {
        "ModelName": plan.model_name,
        "ExecutionRoleArn": role_arn,
        "PrimaryContainer": {"ModelPackageName": plan.package_arn},
        "EnableNetworkIsolation": plan.network_isolation,
        "Tags": _tags(plan),
        **({"VpcConfig": vpc.request} if vpc else {}),
    }


def endpoint_config_request(plan: ReleasePlan, *, bucket: str, kms_key_id: str | None) -> dict[str, Any]:
    """Ask for the endpoint config, whose capture destination carries the package version."""
    capture: dict[str, Any] = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{bucket}/{plan.capture_prefix}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": CAPTURED_TYPES,
    }
    if kms_key_id:
        capture["KmsKeyId"] = kms_key_id
    variant = {
        "VariantName": plan.variant,
        "ModelName": plan.model_name,
        "InstanceType": plan.instance_type,
        "InitialInstanceCount": plan.instance_count,
        "InitialVariantWeight": 1.0,
    }
    request = {
        "EndpointConfigName": plan.endpoint_config,
        "ProductionVariants": [variant],
        "DataCaptureConfig": capture,
        "Tags": _tags(plan),
    }
    return request | ({"KmsKeyId": kms_key_id} if kms_key_id else {})


def alarm_request(alarm: CanaryAlarm) -> dict[str, Any]:
    """Ask for one rollback alarm."""
    statistic = "ExtendedStatistic" if alarm.statistic.startswith("p") else "Statistic"
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": f"Rolls a canary back: {alarm.reason}.",
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
        statistic: alarm.statistic,
        "Period": alarm.period_seconds,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.breaching_periods,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.missing_data,
    }


def update_endpoint_request(plan: ReleasePlan, how: Rollout) -> dict[str, Any]:
    """Ask for the update that its alarms roll back.

    Nothing is retained: the config names the instances that run, and a capture destination that was retained would be
    the old package's. ExcludeRetainedVariantProperties has DataCaptureConfig, "(Not currently supported.)".
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VariantProperty.html
    """
    names = tuple(alarm.name for alarm in plan.alarms)
    return update_request(plan.endpoint, plan.endpoint_config, deployment(how, alarms=names))


def update_request(endpoint: str, endpoint_config: str, how: dict[str, Any]) -> dict[str, Any]:
    """Ask for another config at an endpoint."""
    return {
        "EndpointName": endpoint,
        "EndpointConfigName": endpoint_config,
        "RetainAllVariantProperties": False,
        "DeploymentConfig": how,
    }


def deployment(how: Rollout, *, alarms: Sequence[str]) -> dict[str, Any]:
    """Say how traffic moves, and which alarms send it back; without alarms nothing does."""
    if how.routing.type == "ROLLING":
        found = {"RollingUpdatePolicy": _rolling(how)}
    else:
        policy = {
            "TrafficRoutingConfiguration": _traffic(how),
            "TerminationWaitInSeconds": how.termination_wait_seconds,
            "MaximumExecutionTimeoutInSeconds": how.maximum_seconds,
        }
        found = {"BlueGreenUpdatePolicy": policy}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}}
    return found | (rollback if alarms else {})


def config_copy(
    config: Mapping[str, Any], *, name: str, instances: int, tags: Mapping[str, str]
) -> dict[str, Any] | None:
    """Ask for a config like this one with another number of instances; None where it is not such as Kedge makes.

    A config that somebody else made may have parts that the release machine does not pass on.
    """
    if not {"DataCaptureConfig", "KmsKeyId"} <= config.keys():
        return None
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [config["ProductionVariants"][0] | {"InitialInstanceCount": instances}],
        "DataCaptureConfig": config["DataCaptureConfig"],
        "KmsKeyId": config["KmsKeyId"],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def trial_config_request(
    plan: ReleasePlan, serving: Mapping[str, Any], *, instances: int, release: ReleasePolicy, captures: str
) -> dict[str, Any] | None:
    """Ask for the config that serves with the package beside the champion; None where it is not such as Kedge makes.

    `captures` is the URI to where Kedge lets the champion capture. Both capture there, each below its variant's name. A
    shadow's weight by the champion's is the share of the requests that is copied to it; of two production variants each one's by
    the sum of both is the share that it answers.
    """
    copy = config_copy(
        serving, name=plan.endpoint_config, instances=instances, tags=tags_of(plan.model, plan.package_version)
    )
    if copy is None or len(serving["ProductionVariants"]) != 1 or serving.get("ShadowProductionVariants"):
        return None
    if serving["DataCaptureConfig"]["DestinationS3Uri"].rstrip("/") != captures:
        return None
    (champion,) = copy["ProductionVariants"]
    variant = {
        "ModelName": plan.model_name,
        "InstanceType": plan.instance_type,
        "InitialInstanceCount": release.tried_instances(champion=instances),
    }
    if release.strategy == "ab":
        share = release.divided.share
        champion |= {"InitialVariantWeight": round(1 - share, 6)}
        variant |= {"VariantName": challenger_variant(plan.package_version), "InitialVariantWeight": share}
        return copy | {"ProductionVariants": [champion, variant]}
    champion |= {"InitialVariantWeight": 1.0}
    variant |= {"VariantName": CHALLENGER, "InitialVariantWeight": release.shadowed.share}
    return copy | {"ProductionVariants": [champion], "ShadowProductionVariants": [variant]}


def plain_update_request(endpoint: str, endpoint_config: str, *, keep_instances: bool) -> dict[str, Any]:
    """Ask for another config without guardrails: nothing says whether SageMaker takes them where a variant comes or goes.

    The same variant keeps the instances that run where `keep_instances` says so: autoscaling may have changed them.
    """
    return {
        "EndpointName": endpoint,
        "EndpointConfigName": endpoint_config,
        "RetainAllVariantProperties": keep_instances,
    }


def create_endpoint_request(plan: ReleasePlan) -> dict[str, Any]:
    """Ask for the model's first endpoint, marked as one that has not served yet."""
    tags = [*_tags(plan), {"Key": NOT_SERVED, "Value": "true"}]
    return {"EndpointName": plan.endpoint, "EndpointConfigName": plan.endpoint_config, "Tags": tags}


def _traffic(how: Rollout) -> dict[str, Any]:
    traffic: dict[str, Any] = {"Type": how.routing.type, "WaitIntervalInSeconds": how.bake_seconds}
    if how.routing.size:
        field, instances = how.routing.size
        traffic[field] = {"Type": "INSTANCE_COUNT", "Value": instances}
    return traffic


def _rolling(how: Rollout) -> dict[str, Any]:
    """A rollback has no batch size of its own: SageMaker then replaces all instances at once."""
    _, instances = how.routing.size or ("", 1)
    return {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": instances},
        "WaitIntervalInSeconds": how.bake_seconds,
        "MaximumExecutionTimeoutInSeconds": how.maximum_seconds,
    }


def _tags(plan: ReleasePlan) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags_of(plan.model, plan.package_version).items()]


def tags_of(model: str, package_version: str) -> dict[str, str]:
    """The tags of what serves a version."""
    return dict([stage.current().tag, (MODEL_TAG, model), ("kedge:package-version", package_version)])
