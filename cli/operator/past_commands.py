"""`kedge judge` and `kedge backfill`: past windows, judged by the package and the baseline that served then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.operator.commands import EndpointUrl, Model, Region
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.operator.past import PastWindow

Start = Annotated[str, typer.Option("--from", help="Its beginning: a date or a full hour, UTC.")]
End = Annotated[str, typer.Option("--to", help="Its end, which it does not hold.")]
Package = Annotated[
    str | None, typer.Option(help="The package version to judge.", show_default="the one that served then")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def judge(  # noqa: PLR0913  # each is an option of the command
    model: Model,
    start: Start,
    end: End,
    package: Package = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="With the labels that had come by then.", show_default="when its schedule judges such a window"
        ),
    ] = None,
    tell: Annotated[
        bool,
        typer.Option(
            "--tell", help="As its schedule would: keep the verdict, alert people, and decide about retraining."
        ),
    ] = False,
    as_json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Judge a past window of a model again: the report is written, nobody is alerted, and no retraining is decided."""
    with in_a_sentence("judge"):
        from cli.operator import past as acts
        from cli.operator.deployment import Deployment

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        first, last = acts.instant(start, "--from"), acts.instant(end, "--to")
        acts.check_span(deployment, first, last)
        moment = acts.instant(as_of, "--as-of") if as_of else None
        if moment is not None and moment < last:
            raise BadInputError(f"--as-of {as_of} is before the window's end")
        past = acts.Past.of(deployment, model)
        window = past.window(first, last, package=package, as_of=moment)
        answer = acts.judge(past, window, tell=tell)
        report = acts.load_report(past, answer)
        place = f"s3://{deployment.bucket}/{answer['report_key']}"
    if as_json:
        typer.echo(json.dumps({"report_key": answer["report_key"], "verdict": answer["severity"], **report}, indent=2))
        return
    if window.start > first:
        typer.echo(
            f"judged from {window.start:%Y-%m-%d %H:%M} on: package version {answer['package']} was promoted then"
        )
    typer.echo(line_of(window, answer["severity"], report))
    for reason in (*report.get("reasons", []), *(report.get("performance") or {}).get("reasons", [])):
        typer.echo(f"- {reason}")
    typer.echo(f"report: {place.replace('.json', '.html')}")


def backfill(  # noqa: PLR0913  # each is an option of the command
    model: Model,
    start: Start,
    end: End,
    package: Package = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Judge every window, also those that an earlier run judged over the same captures."
        ),
    ] = False,
    as_json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Count a past stretch's captures, however old, and judge its windows again one by one; type it again to go on."""
    with in_a_sentence("backfill"):
        from cli.operator import past as acts
        from cli.operator.deployment import Deployment

        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        first, last = acts.instant(start, "--from"), acts.instant(end, "--to")
        acts.check_span(deployment, first, last)
        past = acts.Past.of(deployment, model)
        windows = past.windows(first, last, package=package)
        oldest = min(window.start for window in windows)
        for day, counted in acts.count(past, oldest.date(), last.date(), package=package):
            if counted["RowsCaptured"] or counted["RecordsQuarantined"]:
                typer.echo(f"{day}: {counted['RowsCaptured']:,} rows counted that were not", err=True)
        lines, judged = list[dict[str, Any]](), 0
        for number, window in enumerate(windows, 1):
            report = None if again else acts.judged_already(past, window)
            if report is None:
                try:
                    report = acts.load_report(past, acts.judge(past, window, tell=False))
                    judged += 1
                except BadInputError as error:
                    typer.echo(f"{number}/{len(windows)} to {window.end:%Y-%m-%dT%H}: {error}", err=True)
                    continue
            lines.append(report)
            typer.echo(f"{number}/{len(windows)} {line_of(window, report['severity'], report)}", err=as_json)
    if as_json:
        typer.echo(json.dumps(lines, indent=2))
    if not lines:
        raise typer.Exit(2)
    others = f", {left} could not be judged" if (left := len(windows) - len(lines)) else ""
    typer.echo(f"{judged} of {len(windows)} windows judged, {len(lines) - judged} were judged before{others}", err=True)


def line_of(window: PastWindow, severity: str, report: dict[str, Any]) -> str:
    """A window in a line."""
    performance = report.get("performance") or {}
    quality = f", quality {performance['severity']}" if performance else ""
    return (
        f"{window.start:%Y-%m-%dT%H} to {window.end:%Y-%m-%dT%H}: {severity}, {report['window']['rows']:,} rows to package "
        f"version {window.served.package}{quality}"
    )
