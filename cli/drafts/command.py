"""`kedge init`: a model's YAML from its training data, or from the endpoint that serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.models import DIRECTORY
from cli.operator.commands import EndpointUrl, Region
from cli.refusals import BadInputError, in_a_sentence
from cli.written_files import write_all
from kedge.comparisons import counted


def init(  # noqa: PLR0913  # an option each
    data: Annotated[
        Path | None,
        typer.Option(help="The training rows, or captured requests: a Parquet, CSV or JSON lines file, or a folder."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="The SageMaker endpoint; without --data, what it captured is read.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The data's column with the truth.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="A column that is not in the payload, such as the answers; repeatable.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name.", show_default="that of --out, the endpoint's or the file's")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The CSV file has no header line: columns are _c0, _c1, ...")
    ] = False,
    columns: Annotated[
        str | None, typer.Option(help="Names for the columns of a CSV file without a header line: label,age,plan.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The YAML to write.", show_default="models/NAME.yaml")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a YAML that is there.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Write a model's YAML: its columns' names, kinds and types in the payload's order; thresholds are the defaults."""
    if name is None and endpoint is None and out is not None:
        # A YAML is named after its model.
        name = out.name.partition(".")[0]
    with in_a_sentence("init"):
        if data is not None:
            from cli.drafts.from_rows import draft_from_rows
            from cli.rows.sources import named_columns

            layout = {"header": not (no_header or columns), "names": named_columns(columns)}
            draft = draft_from_rows(
                data, label=label, apart={*(drop or ())}, endpoint=endpoint, name=name, layout=layout
            )
        elif endpoint is not None:
            from cli.drafts.from_endpoint import draft_from_endpoint
            from cli.operator.deployment import Deployment

            draft = draft_from_endpoint(Deployment(region=region, endpoint_url=endpoint_url), endpoint, name=name)
        else:
            raise BadInputError("name the training rows (--data FILE), or the endpoint (--endpoint NAME)")
        path = out or DIRECTORY / f"{draft.name}.yaml"
        if path.exists() and not force:
            raise BadInputError(f"{path} is there already; --force replaces it, --out writes another")
        write_all({path: draft.to_yaml(source=str(path))})
    typer.echo(
        f"{path}: {counted(len(draft.features), 'feature')}; read it through, then `kedge models validate {path.parent}`"
    )
    for note in draft.notes:
        typer.echo(f"- {note}")
