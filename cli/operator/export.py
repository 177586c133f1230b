"""`kedge export`: the history's tables as files on this machine, the same that Athena shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.operator.commands import EndpointUrl, Region, deployment_of
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    import pyarrow as pa

# Nothing that Kedge has written is older.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
# Spreadsheets run a cell that begins so. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def export(  # noqa: PLR0913  # an option each
    to: Annotated[Path, typer.Option(help="Folder for the files; it is made where there is none.")],
    model: Annotated[str | None, typer.Argument(help="The model's name, as its YAML has it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All models.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Only from this day on, UTC, such as 2026-01-31.", show_default="all")
    ] = None,
    file_format: Annotated[
        Literal["parquet", "csv"], typer.Option("--format", help="Format of the files.")
    ] = "parquet",
    bucket: Annotated[str | None, typer.Option(help="The data bucket.", show_default="the deployment's")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
) -> None:
    """Write the history of a model, or of all, into one file a table: windows, metrics, columns, decisions, deliveries."""
    with in_a_sentence("export"):
        from kedge.history.tables import TABLES
        from lambdas.adapters.bucket.history import load_history

        if (model is None) == (not every):
            raise BadInputError("name either a model or --all: kedge export MODEL --to DIR")
        first = _day(since)
        deployment = deployment_of(region, endpoint_url)
        s3, place = deployment.client("s3"), bucket or deployment.bucket
        found = {name: load_history(s3, place, model, name, since=first) for name in TABLES}
        if not any(rows.num_rows for rows in found.values()):
            raise BadInputError(
                f"there is no history of {model or 'any model'}{f' since {since}' if since else ''}; for what was judged before "
                "the history began, run `kedge history --rebuild` first"
            )
        to.mkdir(parents=True, exist_ok=True)
        for name, rows in found.items():
            path = to / f"{name}.{file_format}"
            write_table(rows, path)
            typer.echo(f"{path}: {rows.num_rows:,} rows")


def write_table(rows: pa.Table, path: Path) -> None:
    """Write a table as Parquet, or as CSV in which no cell is a formula."""
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix == ".csv":
        pyarrow.csv.write_csv(without_formulas(rows), path)
    else:
        pyarrow.parquet.write_table(rows, path, coerce_timestamps="ms")


def without_formulas(rows: pa.Table) -> pa.Table:
    """Put an apostrophe before each text that a spreadsheet would run; numbers are no texts, and stay as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            texts = rows.column(place)
            risky = pc.is_in(pc.utf8_slice_codeunits(texts, 0, 1), pa.array(_FORMULA))
            rows = rows.set_column(place, field, pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts))
    return rows


def _day(text: str | None) -> datetime:
    if text is None:
        return BEGINNING
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInputError(f"--since is {text!r}, and a day looks like 2026-01-31") from error
