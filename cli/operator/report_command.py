"""`kedge report`: the report on a judged window, as a file that a browser opens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.operator.commands import EndpointUrl, Model, Region
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment


def report(
    model: Model,
    window: Annotated[
        datetime | None,
        typer.Option(help="The window's end (UTC), as mails and `kedge history` name it.", show_default="newest"),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and write no file.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Write the report on a model's newest window, or on the one that ended then, into kedge-report-MODEL-END.html."""
    with in_a_sentence("report"):
        from cli.operator.deployment import Deployment
        from cli.written_files import write_all

        if as_json and show:
            raise BadInputError("--json prints the report: leave out --open")
        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        key, end = _report_key(deployment, model, window)
        text = _text(deployment, key if as_json else key.replace(".json", ".html"))
        if as_json:
            typer.echo(text)
            return
        path = Path(f"kedge-report-{model}-{end:%Y-%m-%dT%H}.html")
        write_all({path: text})
    typer.echo(str(path))
    if show:
        typer.launch(str(path.resolve()))


def _report_key(deployment: Deployment, model: str, window: datetime | None) -> tuple[str, datetime]:
    """The key of the report's JSON, and the end of its window."""
    from lambdas.adapters.bucket import layout
    from lambdas.adapters.state import windows

    dynamodb, table = deployment.client("dynamodb"), deployment.table
    newest = windows.newest_end(dynamodb, table, model)
    if newest is None:
        raise BadInputError(f"no window of {model!r} has been judged yet; is the name spelt as in models/?")
    end = newest if window is None else window.replace(tzinfo=window.tzinfo or UTC)
    found = windows.load_window(dynamodb, table, model, end)
    if found is None:
        raise BadInputError(
            f"no window of {model} that ended at {end:%Y-%m-%dT%H:%M} was judged; the newest ended at {newest:%Y-%m-%dT%H:%M}"
        )
    return f"{layout.window_prefix(model, found.package_version, end)}/{layout.drift_name(found.revision)}", end


def _text(deployment: Deployment, key: str) -> str:
    from lambdas.adapters.bucket import objects

    found = objects.read(deployment.client("s3"), deployment.bucket, key)
    if found is None:
        raise BadInputError(f"s3://{deployment.bucket}/{key} is not there any more: it was deleted by hand")
    return found[0].decode("utf-8")
