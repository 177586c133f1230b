"""`kedge smoke`: says what it will make, takes the steps, and removes what it made."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.models import DIRECTORY as MODELS
from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BadInputError, in_a_sentence
from cli.written_files import write_all
from kedge.comparisons import counted

if TYPE_CHECKING:
    from cli.smoke.cleaning import Removed
    from cli.smoke.every_step import Step
    from cli.smoke.run import Result
    from cli.smoke.world import Smoke

PLAN = """\
kedge smoke tries the Kedge in {place} with the model kedge-smoke. No other model is touched. It will make there:
- a training job and a batch transform on ml.m5.xlarge
- the endpoint kedge-smoke with 2 instances of ml.m5.large, and 2 more during each of two canaries
- 3 package versions, their models, endpoint configs and alarms; objects and items below the model's name
- a queue, subscribed to the topics Alerts and Events; all subscribers get a test message and the smoke's mails
It takes about two hours, and costs below 2 US dollars. At the end everything is removed{keep}."""
WORDS = {"PASS": "passed", "FAIL": "failed", "SKIPPED": "skipped"}
KEPT = ", but for --keep: the endpoint then costs about 6 US dollars a day until `kedge smoke --clean`"


def smoke(  # noqa: PLR0913  # each is an option of the command line
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False,
    only: Annotated[str | None, typer.Option(metavar="STEP", help="Take one step, on what is there.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Take the steps from this one on, on what is there.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything that was made, to look at or go on.")] = False,
    clean: Annotated[bool, typer.Option("--clean", help="Only remove what an earlier run left.")] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only write models/kedge-smoke.yaml, which is deployed like any model.")
    ] = False,
    as_json: Annotated[Path | None, typer.Option("--json", help="File for the results.")] = None,
    clock: Annotated[
        str | None, typer.Option(envvar="KEDGE_CLOCK", help="For the offline account: the address of its clock.")
    ] = None,
    models: Annotated[
        Path, typer.Option(help="Folder with a YAML per model; --prepare writes there.", show_default="models")
    ] = MODELS,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Prove in ten steps that the deployed Kedge trains, releases, captures, judges and goes back; then remove it all.

    Exit code 0: every step passed and all is removed; 1: a step failed, or something is left; 2: nothing was tried.
    """
    with in_a_sentence("smoke"):
        if prepare:
            _prepare(models)
            return
        from cli.operator.deployment import Deployment
        from cli.smoke.run import chosen_steps
        from cli.smoke.waiting import SmokeWaiting
        from cli.smoke.world import Smoke

        steps = () if clean else chosen_steps(only=only, since=since)
        world = Smoke(Deployment(region=region, endpoint_url=endpoint_url), SmokeWaiting(clock), models=models)
        if steps:
            _ask(world, keep=keep, yes=yes, afresh=only is None and since is None)
        # A stop signal or Ctrl-C first removes what was made.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        results: list[Result] = []
        removed: list[Removed] = []
        try:
            _take(world, steps, results)
        finally:
            try:
                if not keep:
                    removed += _clean(world)
            finally:
                _write(as_json, results, removed)
        passed = all(result.verdict == "PASS" for result in results) and all(thing.gone for thing in removed)
    typer.echo(f"\n{_summary(results, removed)}")
    if not passed:
        raise typer.Exit(1)


def _prepare(models: Path) -> None:
    from cli.smoke.model import DEFINITION

    path = models / DEFINITION.name
    write_all({path: DEFINITION.read_text(encoding="utf-8")})
    typer.echo(f"{path}: written; deploy it like any model (`make deploy`), then `kedge smoke`")
    typer.echo("After the smoke you may delete the file and deploy again. While nothing serves it, it costs nothing.")


def _ask(world: Smoke, *, keep: bool, yes: bool, afresh: bool) -> None:
    """Say what will be made, refuse if it cannot work, and ask."""
    from cli.smoke.leftovers import find_all
    from cli.smoke.proof import NotProvedError
    from cli.smoke.steps.preflight import prove

    try:
        prove(world)
    except NotProvedError as error:
        raise BadInputError(f"{error.cause}; {error.remedy}") from error
    if afresh and (left := find_all(world)):
        raise BadInputError(
            f"an earlier smoke left {counted(len(left), 'thing')}, such as the {left[0].kind} {left[0].name}; remove them with "
            "`kedge smoke --clean`, or go on with `kedge smoke --from STEP`"
        )
    typer.echo(
        PLAN.format(place=f"{world.deployment.caller.name}'s {world.deployment.region}", keep=KEPT if keep else "")
    )
    if not yes and not _agreed():
        raise BadInputError("nothing was made; --yes starts without asking")


def _agreed() -> bool:
    try:
        return typer.confirm("Start?")
    except typer.Abort:
        # No person can answer.
        return False


def _take(world: Smoke, steps: tuple[Step, ...], results: list[Result]) -> None:
    from cli.smoke.run import take

    for result in take(world, steps, lambda step: typer.echo(f"\n{step.name}: {step.tries}")):
        results.append(result)
        _tell(result)


def _clean(world: Smoke) -> list[Removed]:
    from cli.smoke.cleaning import clean

    typer.echo("\nclean-up: Remove everything that was made, and check that it is gone. This takes up to half an hour.")
    try:
        removed = clean(world)
    except BaseException:
        typer.echo("The clean-up did not finish: `kedge smoke --clean` goes on with it.", err=True)
        raise
    for thing in removed:
        typer.echo(f"  {'gone' if thing.gone else 'LEFT'}  {thing.kind} {thing.name} {thing.reason}".rstrip())
    return removed


def _summary(results: list[Result], removed: list[Removed]) -> str:
    counted = [f"{sum(r.verdict == verdict for r in results)} {word}" for verdict, word in WORDS.items()]
    left = sum(not thing.gone for thing in removed)
    steps = f"Of {len(results)} steps: {', '.join(counted)}. " if results else ""
    return (
        f"{steps}{left} of {len(removed)} things that were made are left."
        if removed
        else f"{steps}Nothing was removed."
    )


def _tell(result: Result) -> None:
    # A skipped step has not begun, so nothing has named it yet.
    if result.verdict == "SKIPPED":
        typer.echo(f"\n{result.step}:")
    typer.echo(f"  {result.verdict}  {result.cause}")
    for name, value in (("on", result.arn), ("do", result.remedy)):
        if value:
            typer.echo(f"        {name}: {value}")
    typer.echo(f"        {result.seconds} second{'' if result.seconds == 1 else 's'}")


def _write(path: Path | None, results: list[Result], removed: list[Removed]) -> None:
    if path is None:
        return
    document: dict[str, Any] = {
        "steps": [asdict(result) for result in results],
        "removed": [asdict(thing) for thing in removed],
    }
    write_all({path: json.dumps(document, indent=2) + "\n"})
