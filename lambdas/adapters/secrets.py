"""Secrets of the channels: read when they are needed, kept in memory for minutes, never written anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from kedge.errors import SecretMissingError
from lambdas.adapters.times import wall_clock

KEEP = timedelta(minutes=5)
_GONE = ("ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException", "DecryptionFailure")
_read: dict[str, tuple[str, datetime]] = {}


def read(secretsmanager: Any, name: str, *, anew: bool = False) -> str:
    """The secret's text, without the space around it that a person pastes; `anew` reads one that may have been rotated.

    Raises
    ------
    SecretMissingError
        There is none of this name, or it may not be read.
    """
    if not anew and name in _read and wall_clock() - _read[name][1] < KEEP:
        return _read[name][0]
    try:
        text = str(secretsmanager.get_secret_value(SecretId=name).get("SecretString", "")).strip()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _GONE:
            raise
        raise SecretMissingError(name=name, code=code) from error
    _read[name] = (text, wall_clock())
    return text


def forget() -> None:
    """Read each secret anew."""
    _read.clear()
