"""Errors that a person can correct: one sentence on standard error, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kedge.errors import KedgeError, RefusedError

BAD_INPUT = 2
SIGN_IN = "aws sso login, or name a valid AWS_PROFILE"
# By name: only a command that talks to AWS loads botocore.
_REMEDIES = (
    ({"NoRegionError"}, "name the deployment's region with --region, or set AWS_REGION"),
    (
        {"ConnectionError", "HTTPClientError"},
        "check the network, and whether --endpoint-url or AWS_ENDPOINT_URL is right",
    ),
    (
        {
            "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound", "SSOError",
            "TokenRetrievalError",
        },
        SIGN_IN,
    ),
)  # fmt: skip


class BadInputError(RefusedError):
    """The command cannot do what its options say."""


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
    except MemoryError as error:
        _end(
            command,
            "the rows do not fit into this machine's memory; name fewer columns (--config), or a part of the rows",
            error,
        )
    except Exception as error:
        # Only a command that talked to AWS has loaded botocore, and it costs half a second.
        botocore = sys.modules.get("botocore.exceptions")
        if botocore is None or not isinstance(error, botocore.BotoCoreError | botocore.ClientError):
            raise
        _end(command, "; ".join(filter(None, (why_unanswered(error), remedy_of(error)))), error)


def why_unanswered(error: Exception) -> str:
    """Whether AWS refused, or was never reached: botocore raises both."""
    heard = hasattr(error, "response")
    return f"AWS answered: {error}" if heard else f"AWS could not be reached: {error}".rstrip(".")


def remedy_of(error: Exception) -> str:
    """What a person can do about an error of botocore's that came before any answer; empty where that is not known."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return next((remedy for names, remedy in _REMEDIES if kinds & names), "")


def _end(command: str, sentence: str, error: Exception) -> None:
    typer.echo(f"kedge {command}: {sentence}", err=True)
    raise typer.Exit(BAD_INPUT) from error
