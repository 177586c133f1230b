"""One request to a service outside AWS, and what came of it: HTTPS only, no redirect, bounded in time and size."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from threading import Timer
from typing import Literal
from urllib.parse import urlsplit

from lambdas.adapters.times import wall_clock

SECONDS_MAX = 10
ANSWER_BYTES_MAX = 1024 * 1024
# SQS hides a message for 12 hours at most, counted from when it was received.
RETRY_AFTER_MAX = 11 * 3600


@dataclass(frozen=True)
class Post:
    """What is posted; it may hold a secret in any part, so nothing of it is ever shown."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    """What a service answered; its body may repeat what was sent, so it is read and never shown."""

    status: int
    retry_after: str | None = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class SendResult:
    """What came of a message.

    Attributes
    ----------
    verdict : str
        `denied` is a refusal that another secret may change.
    why : str
        In words for the log: never part of what was sent or answered.
    seconds : int or None
        When the service wants the next try; None where it does not say.
    uncertain : bool
        Whether the service may have taken the message although it did not say so.
    thread : str
        Where the answers to this message go.
    thread_is_gone : bool
        Whether the thread that it was to answer in is not there any more.
    """

    verdict: Literal["accepted", "again", "denied", "refused"]
    why: str = ""
    seconds: int | None = None
    uncertain: bool = False
    thread: str = ""
    thread_is_gone: bool = False


def send(request: Post, read: Callable[[Reply], SendResult]) -> SendResult:
    """Post it once, and have the channel read the answer."""
    # Certificates by OpenSSL's own paths: SSL_CERT_FILE names others where a company signs its own.
    context = ssl.create_default_context()
    try:
        address = urlsplit(request.url)
        if address.scheme != "https" or not address.hostname:
            return SendResult("refused", "the address is not one of https")
        path = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
        path.encode("ascii")
        connection = HTTPSConnection(address.hostname, address.port or 443, timeout=SECONDS_MAX, context=context)
        connection.connect()
    except OSError as error:
        # The words of such an error name the host, which may be a secret.
        return SendResult("again", f"no connection ({type(error).__name__})")
    except (ValueError, InvalidURL):
        # A port that is no number, a name that no host has, letters that no address has. Another secret may be right.
        return SendResult("denied", "the address is malformed")
    # A limit for the whole: the connection's own begins anew with each byte of a slow answer.
    limit = Timer(SECONDS_MAX, _shut, [connection.sock])
    limit.start()
    try:
        connection.request(request.method, path, request.body, {"User-Agent": "Kedge", **request.headers})
        response = connection.getresponse()
        answer = Reply(response.status, response.getheader("Retry-After"), _body(response))
    except (OSError, HTTPException) as error:
        return SendResult("again", f"no answer ({type(error).__name__})", uncertain=True)
    finally:
        cut = limit.finished.is_set()
        limit.cancel()
        connection.close()
    return SendResult("again", "an answer too slow", uncertain=True) if cut else read(answer)


def by_status(answer: Reply) -> SendResult:
    """What a status code means for a message."""
    why = f"status {answer.status}"
    if 200 <= answer.status < 300:
        return SendResult("accepted", why)
    if answer.status in (408, 429) or answer.status >= 500:
        # A gateway's 5xx may stand before a service that has taken the message.
        return SendResult("again", why, seconds(answer.retry_after), uncertain=answer.status >= 500)
    if answer.status in (401, 403):
        return SendResult("denied", why)
    return SendResult("refused", f"{why}: redirects are not followed" if answer.status < 400 else why)


def by_json(answer: Reply) -> SendResult:
    """What the status means where a service answers with JSON or nothing: the page of a proxy in between is no acceptance."""
    found = by_status(answer)
    if found.verdict == "accepted" and answer.body.strip():
        try:
            json.loads(answer.body)
        except ValueError:
            return SendResult("again", f"{found.why}, and an answer that is not the service's", uncertain=True)
    return found


def seconds(retry_after: str | None) -> int | None:
    """How long a service wants to be left alone: a number, or the time of its own clock.

    >>> seconds("30"), seconds("soon"), seconds(None)
    (30, None, None)
    """
    if retry_after is None:
        return None
    with suppress(ValueError, TypeError, OverflowError):
        if retry_after.strip().isdecimal():
            return min(int(retry_after), RETRY_AFTER_MAX)
        wait = (parsedate_to_datetime(retry_after) - wall_clock()).total_seconds()
        return min(max(int(wait), 1), RETRY_AFTER_MAX)
    return None


def _body(response: HTTPResponse) -> bytes:
    return response.read(ANSWER_BYTES_MAX)


def _shut(open_socket: socket.socket) -> None:
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
