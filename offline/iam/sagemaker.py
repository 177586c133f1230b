"""What SageMaker's operations ask of IAM: names in lower case, tags, passed roles, and the alarms of a rollback."""

from __future__ import annotations

import re

from offline.iam.actions import Need, Needs, Params, anywhere, at, both, facts, needing, passing, when
from offline.region import Region


def _sagemaker(operation: str, kind: str, parameter: str | None = None) -> Needs:
    """Need the action of the operation's own name on the resource that a parameter names, in lower case."""

    @needing(f"sagemaker:{operation}")
    def needs(params: Params, region: Region) -> list[Need]:
        name = str(params[parameter]) if parameter else "*"
        arn = name if name.startswith("arn:") else region.arn("sagemaker", f"{kind}/{name.lower()}")
        return [Need(f"sagemaker:{operation}", arn, facts(_FACTS, params))]

    return needs


IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)")
_FACTS = {
    "sagemaker__ModelApprovalStatus": "ModelApprovalStatus",
    "sagemaker__ModelLifeCycle__stage": "ModelLifeCycle.Stage",
    "sagemaker__ModelLifeCycle__stageStatus": "ModelLifeCycle.StageStatus",
    "sagemaker__NetworkIsolation": "EnableNetworkIsolation",
}


def _tags(kind: str, parameter: str, operation: str) -> Needs:
    """Need to tag what is made, for this operation alone."""

    @needing()
    def needs(params: Params, region: Region) -> list[Need]:
        (tagging,) = _sagemaker("AddTags", kind, parameter).of(params, region)
        return [Need(tagging.action, tagging.resource, {"sagemaker:taggingaction": operation})]

    return when("Tags", needs)


def tags_of(region: Region, arn: str) -> dict[str, str]:
    """Return the condition keys that a resource's own tags give a value to."""
    backend = region.backend("sagemaker")
    kinds = (
        backend.training_jobs,
        backend.hyper_parameter_tuning_jobs,
        backend.transform_jobs,
        backend._models,
        backend.endpoints,
        backend.endpoint_configs,
    )
    found = next((each for known in kinds for each in known.values() if each.arn.lower() == arn.lower()), None)
    return {f"aws:resourcetag/{tag['Key']}".lower(): tag["Value"] for tag in (found.tags if found else [])}


@needing("sagemaker:CreateModelPackage")
def _new_package(params: Params, region: Region) -> list[Need]:
    """CreateModelPackage is judged on the group as well, and looks at artefacts and images as the caller."""
    name = str(params.get("ModelPackageGroupName", params.get("ModelPackageName"))).rsplit("/", 1)[-1].lower()
    in_group = "ModelPackageGroupName" in params
    resources = [f"model-package-group/{name}", f"model-package/{name}/*"] if in_group else [f"model-package/{name}"]
    known = facts(_FACTS, params)
    needs = [Need("sagemaker:CreateModelPackage", region.arn("sagemaker", resource), known) for resource in resources]
    for container in at(params, "InferenceSpecification.Containers") or []:
        if uri := container.get("ModelDataUrl"):
            needs.append(Need("s3:GetObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}"))
        if image := IMAGE.match(container.get("Image", "")):
            repository = f"arn:aws:ecr:{image['region']}:{image['account']}:repository/{image['name']}"
            needs += [Need(f"ecr:{action}", repository) for action in ("BatchGetImage", "DescribeImages")]
    return needs


def _lending(parameter: str) -> Needs:
    """Need to lend a key that a parameter names: SageMaker encrypts the instances' volumes by a grant of the caller's."""

    @needing()
    def needs(params: Params, region: Region) -> list[Need]:
        key = at(params, parameter)
        if not key:
            return []
        arn = key if key.startswith("arn:") else region.arn("kms", f"key/{key}")
        lent = {"kms:grantisforawsresource": "true"}
        return [Need("kms:DescribeKey", arn), Need("kms:CreateGrant", arn, lent)]

    return needs


@needing()
def _watched(params: Params, region: Region) -> list[Need]:
    """UpdateEndpoint looks at its rollback alarms as the caller."""
    alarms = at(params, "DeploymentConfig.AutoRollbackConfiguration.Alarms") or []
    return [
        Need("cloudwatch:DescribeAlarms", region.arn("cloudwatch", f"alarm:{item['AlarmName']}")) for item in alarms
    ]


@needing("sagemaker:ListModelPackages")
def _list_packages(params: Params, region: Region) -> list[Need]:
    group = "ModelPackageGroupName" if "ModelPackageGroupName" in params else None
    return _sagemaker("ListModelPackages", "model-package-group", group).of(params, region)


@needing("sagemaker:CreateHyperParameterTuningJob")
def _new_tuning(params: Params, region: Region) -> list[Need]:
    """What a tuning's training jobs would be is judged with the tuning."""
    name = str(params["HyperParameterTuningJobName"]).lower()
    found = facts(_FACTS, params.get("TrainingJobDefinition", {}))
    return [
        Need(
            "sagemaker:CreateHyperParameterTuningJob",
            region.arn("sagemaker", f"hyper-parameter-tuning-job/{name}"),
            found,
        )
    ]


def _make(kind: str, parameter: str, operation: str, *more: Needs) -> Needs:
    return both(_sagemaker(operation, kind, parameter), _tags(kind, parameter, operation), *more)


SAGEMAKER: dict[str, Needs] = {
    "CreateTrainingJob": _make(
        "training-job",
        "TrainingJobName",
        "CreateTrainingJob",
        passing("RoleArn", "sagemaker.amazonaws.com"),
        _lending("ResourceConfig.VolumeKmsKeyId"),
    ),
    "CreateProcessingJob": _make(
        "processing-job", "ProcessingJobName", "CreateProcessingJob", passing("RoleArn", "sagemaker.amazonaws.com")
    ),
    "CreateHyperParameterTuningJob": both(
        _new_tuning,
        _tags("hyper-parameter-tuning-job", "HyperParameterTuningJobName", "CreateHyperParameterTuningJob"),
        passing("TrainingJobDefinition.RoleArn", "sagemaker.amazonaws.com"),
        _lending("TrainingJobDefinition.ResourceConfig.VolumeKmsKeyId"),
    ),
    "CreateTransformJob": _make(
        "transform-job", "TransformJobName", "CreateTransformJob", _lending("TransformResources.VolumeKmsKeyId")
    ),
    "CreateModel": _make("model", "ModelName", "CreateModel", passing("ExecutionRoleArn", "sagemaker.amazonaws.com")),
    "CreateEndpointConfig": _make(
        "endpoint-config", "EndpointConfigName", "CreateEndpointConfig", _lending("KmsKeyId")
    ),
    "CreateEndpoint": _make(
        "endpoint",
        "EndpointName",
        "CreateEndpoint",
        _sagemaker("CreateEndpoint", "endpoint-config", "EndpointConfigName"),
    ),
    "UpdateEndpoint": both(
        _sagemaker("UpdateEndpoint", "endpoint", "EndpointName"),
        _sagemaker("UpdateEndpoint", "endpoint-config", "EndpointConfigName"),
        _watched,
    ),
    "CreatePipeline": both(
        _sagemaker("CreatePipeline", "pipeline", "PipelineName"), passing("RoleArn", "sagemaker.amazonaws.com")
    ),
    "StartPipelineExecution": _sagemaker("StartPipelineExecution", "pipeline", "PipelineName"),
    "ListPipelineExecutions": _sagemaker("ListPipelineExecutions", "pipeline", "PipelineName"),
    **{
        name: _sagemaker(name, "pipeline", "PipelineExecutionArn")
        for name in ("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution")
    },
    "CreateModelPackage": _new_package,
    "UpdateModelPackage": _sagemaker("UpdateModelPackage", "model-package", "ModelPackageArn"),
    "DescribeModelPackage": _sagemaker("DescribeModelPackage", "model-package", "ModelPackageName"),
    "ListModelPackages": _list_packages,
    "AddTags": _sagemaker("AddTags", "", "ResourceArn"),
    "DeleteTags": _sagemaker("DeleteTags", "", "ResourceArn"),
    "ListTags": _sagemaker("ListTags", "", "ResourceArn"),
    **{
        f"{verb}{kind}": _sagemaker(f"{verb}{kind}", resource, f"{kind}Name")
        for kind, resource, verbs in (
            ("TrainingJob", "training-job", "Describe Stop"),
            ("ProcessingJob", "processing-job", "Describe Stop"),
            ("TransformJob", "transform-job", "Describe Stop"),
            ("HyperParameterTuningJob", "hyper-parameter-tuning-job", "Describe Stop"),
            ("Model", "model", "Describe Delete"),
            ("EndpointConfig", "endpoint-config", "Describe Delete"),
            ("Endpoint", "endpoint", "Describe Delete"),
            ("ModelPackageGroup", "model-package-group", "Create Describe Delete"),
            ("FeatureGroup", "feature-group", "Describe Delete"),
        )
        for verb in verbs.split()
    },
    **{
        name: anywhere(f"sagemaker:{name}")
        for name in (
            "ListEndpoints",
            "ListEndpointConfigs",
            "ListModels",
            "ListModelPackageGroups",
            "ListHyperParameterTuningJobs",
            "ListTrainingJobs",
            "ListTransformJobs",
        )
    },
}
RUNTIME = {"InvokeEndpoint": _sagemaker("InvokeEndpoint", "endpoint", "EndpointName")}
