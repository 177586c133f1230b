"""What goes wrong for a reason that a person can mend: one sentence on standard error, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kedge.errors import KedgeError, RefusedError

BAD_INPUT = 2


class BadInputError(RefusedError):
    """The command was asked for something that cannot be done."""


@contextmanager
def in_a_sentence(command: str) -> Iterator[None]:
    """End the command with the sentence of an error that is no bug: Kedge's own, the file system's, or AWS's."""
    try:
        yield
    except KedgeError as error:
        _end(command, str(error), error)
    except OSError as error:
        place = error.filename2 or error.filename
        _end(command, f"{place}: {error.strerror}" if place else str(error), error)
    except Exception as error:
        # Only a command that talked to AWS has loaded botocore, and it costs half a second.
        botocore = sys.modules.get("botocore.exceptions")
        if botocore is None or not isinstance(error, botocore.BotoCoreError | botocore.ClientError):
            raise
        _end(command, f"AWS answered: {error}", error)


def _end(command: str, sentence: str, error: Exception) -> None:
    typer.echo(f"kedge {command}: {sentence}", err=True)
    raise typer.Exit(BAD_INPUT) from error
