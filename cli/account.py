"""`kedge account`: the offline account with everything deployed, served to the AWS CLI and boto3, and deployed anew."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.models import DIRECTORY as MODELS
from cli.refusals import BadInputError, in_a_sentence

if TYPE_CHECKING:
    from offline.account import Account

DIRECTORY = Path(__file__).resolve().parents[1] / "build" / "account"


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 5000,
    models: Annotated[Path, typer.Option(help="Folder with a YAML per model.", show_default="models")] = MODELS,
    start: Annotated[
        str | None, typer.Option(help="The account's time at the start, ISO 8601.", show_default="now")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="The clock's speed; with 60 an hour passes in a minute, 0 stops it.")
    ] = 1,
    directory: Annotated[
        Path | None, typer.Option(help="Empty folder for mails and jobs.", show_default="build/account")
    ] = None,
) -> None:
    """Deploy everything into an AWS account inside this process and serve it on this machine until Ctrl-C."""
    with in_a_sentence("account serve"):
        began = _start(start)
        place = _emptied(directory)
        assembly = _synthesised(models, place / "cdk.out")
        from offline.account import Account

        with Account(start=began, directory=place) as account:
            account.deploy(assembly)
            _serve(account, port, speed, models)


def deploy(
    endpoint_url: Annotated[
        str | None, typer.Option(envvar="AWS_ENDPOINT_URL", help="Where the account is served, as it printed it.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Folder with a YAML per model.", show_default="the one that is served")
    ] = None,
) -> None:
    """Deploy changes (a YAML, a script, code, a stack) into the account that `serve` runs; nothing is lost."""
    with in_a_sentence("account deploy"):
        place = f"{_offline_account(endpoint_url)}/_kedge/account"
        served = _asked(place)
        assembly = _free(Path(served["directory"]) / "cdk.out")
        _synthesised(models or Path(served["models"]), assembly)
        changed = _asked(place, json.dumps({"assembly": str(assembly)}).encode())["changed"]
        typer.echo(f"changed: {', '.join(changed)}" if changed else "nothing has changed")


def _offline_account(url: str | None) -> str:
    if url is None or not url.startswith("http://"):
        raise BadInputError(
            f"{'no account is named' if url is None else url + ' is no offline account'}: run the export line that "
            "`kedge account serve` prints, or name its address by --endpoint-url http://127.0.0.1:5000"
        )
    return url.rstrip("/")


def _asked(place: str, order: bytes | None = None) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(place, order) as answer:  # noqa: S310  # http, or the address was refused
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        reason = json.loads(error.read())["message"] if error.code == 400 and order else error
        raise BadInputError(f"the account did not deploy it: {reason}") from error
    except (urllib.error.URLError, ValueError) as error:
        raise BadInputError(f"{place}: no account answers there; `kedge account serve` prints its address") from error


def _free(folder: Path) -> Path:
    """The next folder of that name: functions that have not changed go on running from an earlier one."""
    numbers = range(2, 1_000_000)
    return next(each for number in numbers if not (each := folder.with_name(f"{folder.name}-{number}")).exists())


def _serve(account: Account, port: int, speed: float, models: Path) -> None:
    server = account.serve(port, {"models": str(models.resolve())})
    if speed:
        server.keep_pace(speed)
    typer.echo(
        f"# the account is at {account.clock.now:%Y-%m-%dT%H:%M:%SZ}; its mails are in {account.mail_directory}\n"
        f"# its time:  curl {server.url}/_kedge/clock\n"
        f"# a day on:  curl {server.url}/_kedge/clock -d '{{\"advance_seconds\": 86400}}'\n"
        "# for another terminal:\n"
        f"export AWS_ENDPOINT_URL={server.url} AWS_REGION={account.region} AWS_DEFAULT_REGION={account.region} AWS_ACCESS_KEY_ID=offline "
        f"AWS_SECRET_ACCESS_KEY=offline KEDGE_CLOCK={server.url}/_kedge/clock"
    )
    # A script that starts this in the background makes it ignore Ctrl-C, and ends it by `kill`.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        server.wait()
    except KeyboardInterrupt:
        typer.echo("closed")


def _start(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"--start is {text!r}, and a time looks like 2016-01-04T02:00:00Z") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _emptied(directory: Path | None) -> Path:
    """Kedge empties its default folder; a folder that a person names must be empty already."""
    if directory is None:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        return DIRECTORY
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BadInputError(f"{directory}: must be an empty folder, or not there yet")
    return directory


def _synthesised(models: Path, assembly: Path) -> Path:
    from cli.models import read_model_files

    if not models.is_dir():
        raise BadInputError(f"{models}: there is no such folder")
    for file in read_model_files(models):
        if file.problem:
            raise BadInputError(file.problem)
    typer.echo("# synthesising and deploying, half a minute or so ...")
    from app import OF_AN_ACCOUNT, build_app
    from lambdas.stage import current

    # An account of its own: what yours has already, and the accounts of its stages, are not in it.
    build_app(
        assembly,
        models,
        layers="found",
        stage=current().name or None,
        **dict.fromkeys(OF_AN_ACCOUNT, ""),  # type: ignore[arg-type]  # each of these takes an empty text
    ).synth()
    return assembly
