"""`kedge report`: the report on a judged window, or a page, as a file that a browser opens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from cli.operator.deployment import Deployment


def report(  # noqa: PLR0913  # options of a command
    model: Annotated[
        str | None, typer.Argument(help="The model's name, as its YAML has it.", show_default="with --page: all")
    ] = None,
    window: Annotated[
        datetime | None,
        typer.Option(help="The window's end (UTC), as mails and `kedge history` name it.", show_default="newest"),
    ] = None,
    page: Annotated[
        bool, typer.Option("--page", help="The model's page, or without a model that of all models.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and write no file.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Write the report on a model's newest window, or on the one that ended then, into kedge-report-MODEL-END.html.

    With --page it is the model's page, which follows its quality over time, or the page of all models.
    """
    with in_a_sentence("report"):
        from cli.operator.deployment import Deployment
        from cli.written_files import write_all

        if as_json and show:
            raise BadInputError("--json prints the report: leave out --open")
        if page and (as_json or window is not None):
            raise BadInputError("--page is no report on a window: leave out --json and --window")
        deployment = Deployment(region=region, endpoint_url=endpoint_url)
        if page:
            text, path = _page(deployment, model), Path(f"kedge-page-{model or 'all-models'}.html")
        elif model is None:
            raise BadInputError("name a model, or say --page for the page of all models")
        else:
            key, end = _report_key(deployment, model, window)
            text = _text(deployment, key if as_json else key.replace(".json", ".html"))
            path = Path(f"kedge-report-{model}-{end:%Y-%m-%dT%H}.html")
        if as_json:
            typer.echo(text)
            return
        write_all({path: text})
    typer.echo(str(path))
    if show:
        typer.launch(str(path.resolve()))


def _page(deployment: Deployment, model: str | None) -> str:
    from lambdas.adapters.bucket import layout, objects

    found = objects.read(deployment.client("s3"), deployment.bucket, layout.page_key(model))
    if found is None:
        if model is None:
            raise BadInputError(
                "there is no page of all models yet: Kedge writes it after the first judgement, and each day at 04:40 UTC"
            )
        raise BadInputError(
            f"{model!r} has no page yet: Kedge writes it after each judgement; is the name spelt as in models/?"
        )
    return found[0].decode("utf-8")


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
