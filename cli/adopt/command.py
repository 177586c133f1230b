"""`kedge adopt`: watch what others made: an endpoint, transform jobs, or the log of a model that is served elsewhere."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models import DIRECTORY, SUFFIX
from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.adopt.adoption import Adoption
    from cli.adopt.monitor_schedule import MonitorSchedule
    from cli.operator.deployment import Deployment
    from kedge.config.sections import Source


class AdoptedSource(Enum):
    """What can be adopted by its name alone, as it is typed."""

    ENDPOINT = "endpoint"
    LOG = "log"


def adopt(  # noqa: PLR0913  # an option each
    endpoint: Annotated[
        str | None,
        typer.Argument(
            help="The SageMaker endpoint that is to be watched; with --source log the model.",
            show_default="--from-monitor's",
        ),
    ] = None,
    constraints: Annotated[
        str | None, typer.Argument(help="With --baseline-from: Model Monitor's constraints.json.", show_default=False)
    ] = None,
    source: Annotated[
        AdoptedSource,
        typer.Option(help="What is watched: an endpoint's captures, or the log below logs/MODEL/ in the data bucket."),
    ] = AdoptedSource.ENDPOINT,
    transform_job: Annotated[
        str | None,
        typer.Option(
            help="Instead of an endpoint: a completed transform job with DataCaptureConfig; all that capture there are watched."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name.", show_default="the endpoint's")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The training rows: a file, a folder or s3://; with a column `prediction` the model's answers to rows that it "
            "has not learnt from."
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The baseline's column with the truth.")] = None,
    baseline_from: Annotated[
        str | None,
        typer.Option(help="Model Monitor's statistics.json, a file or s3://: the baseline is rebuilt from it."),
    ] = None,
    from_monitor: Annotated[
        list[str] | None,
        typer.Option(
            help="A Model Monitor schedule that is taken over; name the one for model quality too, if there is one."
        ),
    ] = None,
    baseline_days: Annotated[
        int,
        typer.Option(min=1, max=90, help="Without --baseline: how many of the first captured days are the baseline."),
    ] = 14,
    features_attribute: Annotated[
        str | None,
        typer.Option(
            help="Where a request's features stand in JSON, as a JMESPath; like the next three only for a YAML that is new."
        ),
    ] = None,
    inference_attribute: Annotated[
        str | None,
        typer.Option(help="Where the answer stands: a JMESPath such as result.label, or a place in a line of CSV."),
    ] = None,
    probability_attribute: Annotated[
        str | None, typer.Option(help="Where the probability or the probabilities stand, likewise.")
    ] = None,
    exclude_features_attribute: Annotated[
        str | None,
        typer.Option(help="Columns of a request that are no features: their places from 0, or names; comma between."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The YAML.", show_default="models/NAME.yaml")] = None,
    enable_capture: Annotated[
        bool,
        typer.Option(
            "--enable-capture", help="Switch Data Capture on, and adopt later; with --apply, else it is shown."
        ),
    ] = False,
    to_bucket: Annotated[
        bool,
        typer.Option("--to-bucket", help="Write the YAML into the data bucket too, where it needs no deployment."),
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write it; without this, it is only shown.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Watch an endpoint that others made, or a model's log: drift is judged and told, and nothing is ever changed."""
    with in_a_sentence("adopt"):
        from cli.adopt.adoption import Wish, default_name, plan_adoption
        from cli.adopt.monitor_schedule import take_schedules
        from cli.adopt.writing import write_adoption
        from cli.operator.deployment import Deployment

        if baseline is not None and baseline_from is not None:
            raise BadInputError("--baseline and --baseline-from both say what the baseline is: keep one of them")
        if constraints is not None and baseline_from is None:
            raise BadInputError(
                f"{constraints} needs --baseline-from statistics.json; only one endpoint is adopted at a time"
            )
        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        schedule = take_schedules(deployment.client("sagemaker"), from_monitor) if from_monitor else None
        kind, what = _the_one(deployment, endpoint, schedule, transform_job, source)
        if enable_capture:
            if kind != "endpoint":
                raise BadInputError(
                    "--enable-capture is for endpoints: a transform job has its own DataCaptureConfig, and a log is written by whoever "
                    "serves the model"
                )
            _enable_capture(deployment, what, apply=apply)
            return
        files = tuple(place for place in (baseline_from, constraints) if place is not None)
        if not files and baseline is None and schedule is not None:
            files = schedule.files
        name = default_name(what, model)
        path = out or DIRECTORY / f"{name}{SUFFIX}"
        said = {
            "features_attribute": features_attribute,
            "inference_attribute": inference_attribute,
            "probability_attribute": probability_attribute,
            "exclude_features_attribute": exclude_features_attribute,
        }
        attributes = {name: value for name, value in said.items() if value is not None}
        if attributes and (kind == "log" or path.exists()):
            options = ", ".join(f"--{name.replace('_', '-')}" for name in attributes)
            why = (
                f"{path} is there, and is taken as it is: write them into its endpoint section"
                if kind != "log"
                else "a log has its own fields"
            )
            raise BadInputError(f"{options}: {why}")
        wish = Wish(kind, what, name, baseline, label, baseline_days, path, files, schedule, to_bucket, attributes)
        found = plan_adoption(deployment, wish)
        _show(found, path, applied=apply)
        if apply:
            write_adoption(deployment, found, path)
    _say_what_next(found, path, applied=apply)


def _the_one(
    deployment: Deployment,
    named: str | None,
    schedule: MonitorSchedule | None,
    transform_job: str | None,
    source: AdoptedSource,
) -> tuple[Source, str]:
    """What is to be watched, and its name; an endpoint, or the transform jobs, may be named by a schedule, too."""
    from cli.adopt.transform_jobs import newest_job

    if schedule is not None and schedule.source == "batch_transform" and source is not AdoptedSource.LOG:
        if named is not None:
            raise BadInputError(f"{', '.join(schedule.names)} watches {schedule.said}, not endpoint {named}")
        return "batch_transform", transform_job or newest_job(deployment.client("sagemaker"), schedule.watched)
    if named is not None and schedule is not None and named != schedule.watched:
        raise BadInputError(f"{', '.join(schedule.names)} watches {schedule.said}, not {named}")
    found = schedule.watched if schedule is not None else named
    beside_a_log = source is AdoptedSource.LOG and (schedule is not None or transform_job is not None)
    if beside_a_log or (found is None) == (transform_job is None):
        raise BadInputError(
            "name one of these: an endpoint, a Model Monitor schedule with --from-monitor, a transform job with --transform-job, a "
            "model with --source log"
        )
    return (source.value, found) if found is not None else ("batch_transform", str(transform_job))


def _enable_capture(deployment: Deployment, endpoint: str, *, apply: bool) -> None:
    from cli.adopt.capture_switch import plan_switch, switch_on
    from cli.smoke.waiting import SmokeWaiting

    sagemaker = deployment.client("sagemaker")
    switch = plan_switch(sagemaker, endpoint, account=deployment.caller.account)
    typer.echo(
        f"config     {switch.request['EndpointConfigName']}: a copy of {switch.before} with Data Capture of every request"
    )
    typer.echo(f"captures   below {switch.destination}; the model's execution role needs s3:PutObject there")
    if not apply:
        typer.echo(
            "\nNothing was changed. With --apply the config is made, and SageMaker starts a whole new fleet with it."
        )
        return
    switch_on(sagemaker, switch, pause=SmokeWaiting().pause)
    typer.echo(f"\n{endpoint} captures. To go back: {switch.way_back}")
    typer.echo(f"Adopt it once it has answered some requests: kedge adopt {endpoint}")


def _show(found: Adoption, path: Path, *, applied: bool) -> None:
    champion = found.champion
    if found.yaml_is_new:
        typer.echo(f"{path}:\n")
        typer.echo("".join(f"    {line}\n" for line in found.yaml.splitlines()))
    for line in found.running.told:
        typer.echo(line)
    typer.echo(f"baseline   {found.baseline_of}, as version {champion.package_version}")
    typer.echo(f"judged     from {champion.promoted_at:%Y-%m-%d %H:%M} UTC on")
    if found.before is not None:
        typer.echo(f"before     {found.before.package_version}, whose past stays")
    for note in dict.fromkeys(found.notes):
        typer.echo(f"- {note}")
    if applied:
        return
    typer.echo(
        "\nNothing was written. With --apply Kedge writes the YAML, the baseline and the champion; what is watched stays as it is."
    )


def _say_what_next(found: Adoption, path: Path, *, applied: bool) -> None:
    if not applied:
        return
    typer.echo(f"\n{found.config.model} is adopted; nothing of what is watched was changed. Next:")
    for number, step in enumerate(found.next_steps, start=1):
        typer.echo(f"{number}. {step}")
