"""Whether each champion's endpoint is in service, serves that champion, and captures where Kedge looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.checks.installation import Installation
from cli.doctor.findings import Finding, failed, ok, warning
from kedge.config.capture_place import capture_place, sampled_percentage
from kedge.config.model import ModelConfig
from kedge.config.policies import is_challenger
from kedge.release.proof import CaptureFound, judge_watched_capture
from lambdas.adapters.release import endpoints
from lambdas.adapters.state import champions
from lambdas.adapters.state.champions import Champion


def check(installation: Installation) -> Iterator[Finding]:
    """Describe the endpoint of each model that has a champion."""
    if not installation.stacks:
        return
    dynamodb, sagemaker = installation.client("dynamodb"), installation.client("sagemaker")
    for name, config in installation.models.items():
        if not config.has_endpoint:
            continue
        champion = champions.load(dynamodb, installation.deployment.table, name)
        if champion is not None:
            yield from state(config, champion, _described(sagemaker, config), bucket=installation.deployment.bucket)


def state(
    config: ModelConfig, champion: Champion, endpoint: Mapping[str, Any] | None, *, bucket: str
) -> Iterator[Finding]:
    """The endpoint's faults, most urgent first."""
    name, bring_back = (
        config.endpoint.name,
        f"kedge rollback {config.model} --to {champion.package_version} --reason WHY",
    )
    watched = config.mode == "watch"
    if endpoint is None and watched:
        yield failed(
            name, "the endpoint is gone, and nothing is left to watch", f"remove {config.model}.yaml; make deploy"
        )
        return
    if endpoint is None:
        remedy = (
            f"aws sagemaker create-endpoint --endpoint-name {name} --endpoint-config-name {champion.endpoint_config}: "
            "the config of the champion is kept"
        )
        yield failed(name, f"the endpoint is gone, and version {champion.package_version} should serve there", remedy)
        return
    arn, status = endpoint["EndpointArn"], endpoint["EndpointStatus"]
    if status in ("Creating", "Updating", "SystemUpdating", "RollingBack"):
        yield warning(
            arn, f"the endpoint is being changed: {status}", f"wait; kedge history {config.model} shows the release"
        )
        return
    if status != "InService":
        again = "its owners must look" if watched else f"then release again: {bring_back}"
        remedy = f"SageMaker console > Inference > Endpoints > {name}; {again}"
        yield failed(arn, f"the endpoint is {status}: {endpoint.get('FailureReason', 'no reason was given')}", remedy)
        return
    yield from _serves(config, champion, endpoint)
    yield capture(config, champion, endpoint, bucket=bucket)


def _serves(config: ModelConfig, champion: Champion, endpoint: Mapping[str, Any]) -> Iterator[Finding]:
    arn, serving = endpoint["EndpointArn"], endpoint["EndpointConfigName"]
    present = [*endpoint["ProductionVariants"], *endpoint.get("ShadowProductionVariants", [])]
    is_tried_on = any(is_challenger(variant["VariantName"]) for variant in present)
    names = [variant["VariantName"] for variant in endpoint["ProductionVariants"]]
    variants = [name for name in names if not is_challenger(name)]
    named, field = config.endpoint.served_variants, "variants" if len(variants) > 1 else "variant"
    if {*variants} != {*named}:
        reason = f"it serves the variant {', '.join(variants)}, and {config.model}.yaml names {', '.join(named)}"
        yield failed(arn, reason, f"set endpoint.{field} in {config.model}.yaml, then make deploy")
    elif is_tried_on:
        yield ok(arn, f"in service with {serving}, in which Kedge tries a version beside the champion")
    elif serving != champion.endpoint_config and config.mode == "watch":
        reason = f"it serves the config {serving} now, and served {champion.endpoint_config} when Kedge last looked"
        yield ok(arn, f"{reason}: the next hour follows it")
    elif serving != champion.endpoint_config:
        yield warning(
            arn,
            f"it serves the config {serving}, and the champion is {champion.endpoint_config}: Kedge did not change it",
            f"aws sagemaker update-endpoint --endpoint-name {endpoint['EndpointName']} "
            f"--endpoint-config-name {champion.endpoint_config}",
        )
    else:
        yield ok(arn, f"in service with {serving}")


def capture(config: ModelConfig, champion: Champion, endpoint: Mapping[str, Any], *, bucket: str) -> Finding:
    """Whether the requests are captured, all of them, and below the prefix that profile_logs reads."""
    arn, found = endpoint["EndpointArn"], endpoint.get("DataCaptureConfig") or {}
    place = capture_place(config, champion.package_version, data_bucket=bucket)
    if config.mode == "watch":
        sampled = sampled_percentage(config, champion.package_version)
        return _watched_capture(config, endpoint, CaptureFound(place.uri, True, sampled))
    wanted = place.uri
    remedy = (
        f"aws sagemaker update-endpoint --endpoint-name {endpoint['EndpointName']} "
        f"--endpoint-config-name {champion.endpoint_config}: that config captures"
    )
    if not found.get("EnableCapture") or found.get("CaptureStatus", "Started") != "Started":
        return failed(arn, "Data Capture is off, so Kedge sees no request", remedy)
    if found["DestinationS3Uri"].rstrip("/") != wanted:
        return failed(arn, f"it captures into {found['DestinationS3Uri']}, and Kedge looks into {wanted}", remedy)
    if found.get("CurrentSamplingPercentage", 100) < 100:
        return warning(
            arn, f"it captures {found['CurrentSamplingPercentage']} % of the requests, and Kedge counts all", remedy
        )
    return ok(arn, f"captures into {wanted}")


def _watched_capture(config: ModelConfig, endpoint: Mapping[str, Any], planned: CaptureFound) -> Finding:
    """Whether an endpoint that others own captures where, and as much as, the YAML says."""
    arn = endpoint["EndpointArn"]
    proof = judge_watched_capture(model=config.model, planned=planned, found=endpoints.capture_of(endpoint))
    if proof.verdict == "ASTRAY":
        reason, remedy = proof.reasons
        return failed(arn, reason, remedy)
    return ok(arn, f"captures {planned.sampling_percentage} % of the requests into {planned.destination}")


def _described(sagemaker: Any, config: ModelConfig) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = sagemaker.describe_endpoint(EndpointName=config.endpoint.name)
    except ClientError as error:
        # SageMaker says "could not find" with this code; nothing else can be wrong with a valid name.
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    return found
