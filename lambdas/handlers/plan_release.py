"""Plan one release: what the release machine will ask SageMaker and CloudWatch for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, Json

from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.errors import ChangedSinceGateError, EndpointBusyError, UnknownPackageError
from kedge.instants import to_text
from kedge.release.plan import ReleasePlan, plan_release
from lambdas.adapters import clients
from lambdas.adapters.models import load_managed_model
from lambdas.adapters.release import endpoints, model_registry, releases, staged_baselines
from lambdas.adapters.release.endpoints import EndpointState
from lambdas.adapters.release.model_registry import Package
from lambdas.adapters.state import champions, served, under_way
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.state.under_way import ReleaseUnderWay
from lambdas.adapters.training import artefacts
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.release.planned_experiment import Wanted, begin, is_proved, next_step
from lambdas.steps.release.planned_way_back import Way, plan_way_back
from lambdas.steps.release.shown_stages import show_stages


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    serving_role_arn: str
    role_name: str
    # Of models whose containers reach a network.
    own_roles: Json[dict[str, str]] = Field(default_factory=dict)
    # Of the whole deployment.
    vpc: Json[Vpc | None] = None
    kms_key_id: str | None = None

    def role_of(self, model: str) -> str:
        """The role of a model's container."""
        return self.own_roles.get(model, self.serving_role_arn)


class ReleaseAsked(BaseModel, frozen=True):
    """The part of the execution's input that only a roll-back has."""

    rollback: dict[str, str] | None = None


class Request(BaseModel, frozen=True):
    """One approved package to release; `mark` tells a later try of the same run apart, which had waited for capacity."""

    model: str
    run: str
    time: AwareDatetime
    package_arn: str
    mark: str = ""
    execution: str = ""
    request: ReleaseAsked = ReleaseAsked()


@entry
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Turn an approved package into the requests of its release."""
    request, settings = Request.model_validate(event), Settings.from_environment()
    config = load_managed_model(request.model, settings.data_bucket)
    answer = plan(request, config, settings)
    # By what was noted last: the registry shows that it is on trial.
    show_stages(config, table=settings.state_table, role=settings.role_name)
    return answer


def plan(request: Request, config: ModelConfig, settings: Settings) -> dict[str, Any]:
    """Plan the release, and note it, unless there is nothing to do or it is refused."""
    sagemaker = clients.sagemaker()
    if (request.request.rollback or {}).get("now"):
        way = Way(config, request.run, request.mark, request.execution, request.time, request.request.rollback or {})
        return plan_way_back(way, request.package_arn, table=settings.state_table)
    package = load_package(sagemaker, config, request.package_arn)
    endpoint = endpoints.describe_endpoint(sagemaker, config.endpoint.name)
    champion = champions.load(clients.dynamodb(), settings.state_table, request.model)
    serving = endpoint.endpoint_config if endpoint else None
    if champion and (champion.package_arn, champion.endpoint_config) == (package.arn, serving):
        return {"verdict": "ALREADY_SERVING", "package_version": package.version, "previous_config": serving}
    if endpoint and endpoint.status != "InService":
        raise EndpointBusyError(endpoint=endpoint.name, status=endpoint.status)
    wanted = experiment_wanted(request, config, package, endpoint, champion)
    if wanted is not None and (left := next_step(wanted, settings.state_table)) is not None:
        return left
    if endpoint is not None and endpoint.is_tried_on:
        # Another run has left its version there: `settle` puts the champion's own config back.
        raise EndpointBusyError(endpoint=endpoint.name, status=f"{endpoint.status}, with another version behind it")
    planned = plan_release(
        config,
        package_version=package.version,
        package_arn=package.arn,
        run=request.run + request.mark,
        serving=endpoint.fleet if endpoint else None,
    )
    try:
        artefacts.require_unchanged(
            clients.s3(), package.artefact_uri, package.properties.get(model_registry.ARTEFACT_SHA256)
        )
        install_baseline(request, settings, package)
    except ChangedSinceGateError as error:
        # Nothing was touched: what serves goes on serving, and a person must hear of this.
        return {"verdict": "REFUSED", "package_version": package.version, "reasons": [str(error)]}
    if wanted is not None and not is_proved(wanted, settings.state_table):
        return begin(
            wanted,
            table=settings.state_table,
            bucket=settings.data_bucket,
            role_arn=settings.role_of(request.model),
            vpc=settings.vpc,
        )
    # Let the monitor count what the package answers, from its first request on.
    served.save(clients.dynamodb(), settings.state_table, request.model, package.version, since=request.time)
    note(request, settings, planned, serving, replaces=champion.package_version if champion else None)
    logger.info(
        "planned",
        model=request.model,
        endpoint_config=planned.endpoint_config,
        previous_config=serving,
        instances=planned.instance_count,
    )
    return requests_of(planned, settings, endpoint, request.time)


def load_package(sagemaker: Any, config: ModelConfig, arn: str) -> Package:
    """Read the package, which must be the model's own and still approved."""
    package = model_registry.describe_package(sagemaker, arn)
    if package.group != config.package_group:
        raise UnknownPackageError(package_arn=arn, reason=f"it is not a version of {config.package_group}")
    if model_registry.STAGED not in package.properties:
        raise UnknownPackageError(package_arn=arn, reason="Kedge has staged no baseline for it")
    if package.approval_status != "Approved":
        raise UnknownPackageError(package_arn=arn, reason=f"it is {package.approval_status}, not Approved")
    return package


def experiment_wanted(
    request: Request,
    config: ModelConfig,
    package: Package,
    endpoint: EndpointState | None,
    champion: Champion | None,
) -> Wanted | None:
    """The package as one to be tried beside the champion for days; None where the YAML wants no such thing, or a person goes back."""
    if (
        config.release.strategy not in ("shadow", "ab")
        or endpoint is None
        or champion is None
        or request.request.rollback
    ):
        return None
    return Wanted(config, request.run, request.mark, request.time, package, endpoint, champion)


def install_baseline(request: Request, settings: Settings, package: Package) -> None:
    """Put the package's baseline and schema where they are looked for: its answers are counted and read by them."""
    staged_baselines.install(
        clients.s3(),
        settings.data_bucket,
        staged=package.properties[model_registry.STAGED],
        sha256=package.properties.get(model_registry.BASELINE_SHA256),
        model=request.model,
        package_version=package.version,
    )


def note(request: Request, settings: Settings, plan: ReleasePlan, serving: str | None, *, replaces: str | None) -> None:
    """Note what is about to be changed before it is changed: whoever finds the note can bring the release to an end."""
    release = ReleaseUnderWay(
        run=request.run,
        package_arn=plan.package_arn,
        package_version=plan.package_version,
        endpoint_config=plan.endpoint_config,
        previous_config=serving,
        alarm_names=tuple(alarm.name for alarm in plan.alarms),
        planned_at=request.time,
        rollback=request.request.rollback,
        replaces=replaces,
    )
    under_way.save(clients.dynamodb(), settings.state_table, request.model, release)


def requests_of(
    plan: ReleasePlan, settings: Settings, endpoint: EndpointState | None, planned_at: datetime
) -> dict[str, Any]:
    """Write the plan as the requests that the machine sends."""
    answer: dict[str, Any] = {
        "package_version": plan.package_version,
        "planned_at": to_text(planned_at),
        "endpoint_config_name": plan.endpoint_config,
        "model_name": plan.model_name,
        "create_model": releases.create_model_request(plan, role_arn=settings.role_of(plan.model), vpc=settings.vpc),
        "endpoint_config": releases.endpoint_config_request(
            plan, bucket=settings.data_bucket, kms_key_id=settings.kms_key_id
        ),
        "alarms": [releases.alarm_request(alarm) for alarm in plan.alarms],
        "alarm_names": [alarm.name for alarm in plan.alarms],
        "previous_config": endpoint.endpoint_config if endpoint else None,
    }
    if plan.rollout is None:
        return {"verdict": "CREATE", "create": releases.create_endpoint_request(plan)} | answer
    update = releases.update_endpoint_request(plan, plan.rollout)
    return {"verdict": "UPDATE", "update": update, "traffic": plan.rollout.routing.words} | answer
