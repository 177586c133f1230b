"""An operator's commands: what happened to a model, and a person's decisions (retrain, pause, go back)."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment

Model = Annotated[str, typer.Argument(help="The model's name, as its YAML has it.")]
EndpointUrl = Annotated[
    str | None, typer.Option(help="Where AWS answers, such as `kedge account serve`.", show_default="AWS itself")
]
Region = Annotated[str | None, typer.Option(help="AWS region of the deployment.", show_default="AWS_REGION")]
Reason = Annotated[str, typer.Option(help="Why; the timeline and the mails repeat it.")]


def history(  # noqa: PLR0913  # an option each
    model: Annotated[str | None, typer.Argument(help="The model's name, as its YAML has it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the entries as a JSON list.")] = False,
    last: Annotated[int | None, typer.Option(min=1, help="Only the newest entries.", show_default="all")] = None,
    bucket: Annotated[str | None, typer.Option(help="The data bucket.", show_default="the deployment's")] = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Write what the tables for BI lack, of this model or of all, from the reports."),
    ] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Show what happened to a model and why, oldest first."""
    with in_a_sentence("history"):
        from cli.operator.timeline import print_timeline
        from lambdas.adapters.bucket.timeline import load_timeline, models_with_timeline

        deployment = deployment_of(region, endpoint_url)
        s3, place = deployment.client("s3"), bucket or deployment.bucket
        if rebuild:
            from cli.operator.rebuilding import rebuild_history

            typer.echo(rebuild_history(s3, place, model))
            return
        if model is None:
            raise BadInputError("name a model: kedge history MODEL")
        entries = load_timeline(s3, place, model, last=last)
        if not entries:
            known = ", ".join(models_with_timeline(s3, place)) or "none"
            raise BadInputError(f"nothing has happened to {model!r}; models with a timeline: {known}")
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
    else:
        print_timeline(entries)


def retrain(
    model: Model,
    reason: Reason,
    initial: Annotated[
        bool, typer.Option("--initial", help="The first training, from the bucket's initial/MODEL/training.parquet.")
    ] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Start a retraining now; cooldown, budget and pause do not hold a person's request."""
    with in_a_sentence("retrain"):
        from cli.operator.operations import ask_for_retraining
        from kedge.retraining.holds import WATCHED

        answer = ask_for_retraining(deployment_of(region, endpoint_url), model, reason, initial=initial)
        if answer.get("hold") == WATCHED:
            raise BadInputError(f"not started: {answer['reasons'][-1]}")
        if answer["action"] != "START":
            again = f"kedge retrain {model}{' --initial' if initial else ''} --reason {shlex.quote(reason)}"
            raise BadInputError(
                f"not started: {'; '.join(answer['reasons'][1:]) or answer['reasons'][0]}. The request is not kept: when that "
                f"has ended (`kedge history {model}` shows it), type it again: {again}"
            )
    typer.echo(f"started {answer['run']}; `kedge history {model}` shows how it goes")


def pause(
    model: Annotated[
        str | None, typer.Argument(help="The model's name, as its YAML has it.", show_default="none: say --all")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model that serves.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; every retraining that is held repeats it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Let automatic retraining go on.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Hold a model's automatic retraining, or every model's, or let it go on; judging and alerts go on either way."""
    with in_a_sentence("pause"):
        from cli.operator.operations import pause_every, pause_retraining, resume_every, resume_retraining

        if (reason is None) == (not resume):
            raise BadInputError("say either --reason WHY, or --resume")
        if (model is None) == (not every):
            raise BadInputError("name a model, or say --all")
        deployment = deployment_of(region, endpoint_url)
        if model is None:
            held = resume_every(deployment) if reason is None else pause_every(deployment, reason)
            told = told_of_all(held, resumed=reason is None)
        elif reason is None:
            before = resume_retraining(deployment, model)
            told = f"{model} retrains again; it was paused: {before}" if before else f"{model} was not paused"
        else:
            pause_retraining(deployment, model, reason)
            told = f"Kedge starts no retraining of {model} until `kedge pause {model} --resume`"
    typer.echo(told)


def told_of_all(names: list[str], *, resumed: bool) -> str:
    """What was done to every model, in a sentence."""
    if not names:
        return "no model was paused" if resumed else "no model serves that is not paused already"
    listed = f"{len(names):,} model{'s' * (len(names) != 1)}: {', '.join(names)}"
    return (
        f"automatic retraining goes on for {listed}"
        if resumed
        else (f"Kedge starts no retraining until `kedge pause --all --resume` of {listed}")
    )


def mute(
    model: Model,
    until: Annotated[
        datetime | None, typer.Option(help="When it ends (UTC), such as 2026-01-31T18:00; at most 90 days from now.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; the timeline and the message at its end repeat it.")] = None,
    off: Annotated[bool, typer.Option("--off", help="End the mute now.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Hold a model's messages until a time; it is judged and recorded as ever, and at the end one message says what stands."""
    with in_a_sentence("mute"):
        from cli.operator.deployment import Deployment
        from cli.operator.operations import mute_messages, unmute_messages

        if off == (until is not None) or off == (reason is not None):
            raise BadInputError("say either --until TIME --reason WHY, or --off")
        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        if until is None or reason is None:
            before = unmute_messages(deployment, model)
            told = f"{model} speaks again; it was muted: {before.reason}" if before else f"{model} was not muted"
        else:
            end = until.replace(tzinfo=until.tzinfo or UTC)
            mute_messages(deployment, model, end, reason)
            told = f"Kedge sends no message about {model} until {end:%Y-%m-%d %H:%M} UTC, or `kedge mute {model} --off`"
    typer.echo(told)


def approve(
    model: Model,
    version: Annotated[str, typer.Argument(help="The package version.")],
    comment: Annotated[str, typer.Option(help="What you looked at; the registry and the timeline keep it.")],
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Approve a package in your own name; where a model wants two people, also as the second."""
    with in_a_sentence("approve"):
        from cli.operator import approving

        said = approving.approve(deployment_of(region, endpoint_url), model, version, comment)
    typer.echo(said)


def rollback(
    model: Model,
    reason: Annotated[str, typer.Option(help="Why; the timeline keeps it.")],
    to: Annotated[
        str | None, typer.Option(help="Package version to serve again.", show_default="the champion's predecessor")
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="At once, to the endpoint config that served before: all traffic in minutes.")
    ] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Release an earlier, still approved package again: as every release, or at once (--now)."""
    with in_a_sentence("rollback"):
        from cli.operator.operations import go_back
        from cli.operator.way_back import go_back_now

        deployment = deployment_of(region, endpoint_url)
        if now:
            back = go_back_now(deployment, model, reason, version=to)
            for passed in back.passed_over:
                typer.echo(f"passed over: {passed}")
            typer.echo(
                f"{back.run} brings version {back.version} back in place of version {back.left}, all traffic at once; a mail says "
                f"when it serves, and so does `kedge history {model}`"
            )
            return
        gone = go_back(deployment, model, reason, version=to)
    how = "again" if gone.version == gone.champion_version else f"in place of version {gone.champion_version}"
    typer.echo(f"{gone.run} releases version {gone.version} {how}; `kedge history {model}` shows how it goes")
    if gone.is_back:
        typer.echo(
            f"so that version {gone.champion_version} is not tried again, reject it in the registry once it no longer serves"
        )


# What `settle` found, in a sentence.
FOUND = {
    "agreed": "the endpoint serves the champion; nothing was left to do",
    "not deployed": "no package serves yet",
    "changing": "the endpoint is being changed; Kedge settles it after that",
    "CHANGING": "the endpoint is being changed; Kedge settles it after that",
    "UNKNOWN_MODEL": "no deployed YAML describes a model of this name",
}


def reconcile(model: Model, endpoint_url: EndpointUrl = None, region: Region = None) -> None:
    """Settle a model now: endpoint, champion, alarms, messages and waiting releases agree again."""
    with in_a_sentence("reconcile"):
        from cli.operator.operations import settle_now

        answer = settle_now(deployment_of(region, endpoint_url), model)
        if answer["verdict"] == "UNKNOWN_MODEL":
            raise BadInputError(f"{FOUND['UNKNOWN_MODEL']}: {model!r}; is it spelt as in models/?")
    found = f"{answer['holder']} works on it, and settles the model at its end" if "holder" in answer else ""
    said = found or FOUND.get(answer["verdict"]) or "; ".join(answer.get("reasons", [])) or answer["verdict"]
    typer.echo(f"{model}: {said}")


def deployment_of(region: str | None, endpoint_url: str | None) -> Deployment:
    """The deployment that a command's options name."""
    from cli.operator.deployment import Deployment

    return Deployment(region=region, endpoint_url=endpoint_url)
