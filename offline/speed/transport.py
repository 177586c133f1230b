"""The short way of a request from boto3 to moto and back: the same answers, without work that nobody looks at.

Real AWS verifies signatures and reads user agents; moto does neither, and finds the service of each request by trying
some 250 patterns and compiling its URLs anew; it lists its methods, and botocore asks its rules for an endpoint, with
every call. Here routes are remembered by host, endpoints by operation and bucket, names by what they were made of,
signatures are stated rather than computed, and a timestamp is parsed once: while the clock stands still, there are few
different ones. Besides, the status of an answer is what the answer says: moto makes a 200 of some.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from string import ascii_letters, digits
from typing import Any, Protocol

import botocore.auth
import botocore.hooks
import botocore.parsers
import botocore.useragent
import moto.core.responses
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.regions import EndpointRulesetResolver
from botocore.utils import parse_timestamp
from moto import backend_index
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import HTTPException
from moto.core.request import normalize_request
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.moto_api._internal.moto_random import MotoRandom

from offline.region import Region
from offline.speed.s3 import quick_get, quick_list

Route = tuple[re.Pattern[str], Callable[[Any, str, Any], Any]]
HOST = re.compile(r"https?://[^/]+\.amazonaws\.com(?=/|$)")


class SupportsNow(Protocol):
    """A clock, the account's or the machine's."""

    @property
    def now(self) -> datetime:
        """The time that a request is signed with."""


def install(region: Region) -> None:
    """Shorten the way for as long as the account is open."""
    shorten(region.patch, region.clock)


def shorten(patch: Callable[[Any, str, Any], None], clock: SupportsNow) -> None:
    """Shorten it by a way to replace an attribute."""
    patch(BaseBackend, "urls", property(_urls))
    patch(BotocoreStubber, "process_request", _process_request(BotocoreStubber.process_request))
    patch(botocore.auth.SigV4Auth, "add_auth", _add_auth(clock))
    patch(EndpointRulesetResolver, "construct_endpoint", _construct_endpoint)
    patch(botocore.parsers, "DEFAULT_TIMESTAMP_PARSER", lru_cache(maxsize=65_536)(parse_timestamp))
    patch(botocore.useragent.UserAgentString, "to_string", lambda _agent: "Boto3/offline")
    patch(MotoRandom, "get_random_hex", _random_hex)
    patch(MotoRandom, "get_random_string", _random_string)
    patch(BaseResponse, "_transform_response", staticmethod(_transform_response))
    patch(moto.core.responses, "method_names_from_class", Methods)
    patch(moto.core.responses, "camelcase_to_underscores", cache(camelcase_to_underscores))
    patch(botocore.hooks.EventAliaser, "_alias_event_name", _alias_event_name)


class Methods:
    """What moto looks an operation up in: the functions of a class."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self.kind, name, None))


def _alias_event_name(aliaser: Any, event_name: str) -> str:
    # The aliases are botocore's own, the same of every client.
    if event_name not in _aliased_names:
        _aliased_names[event_name] = _real_alias_event_name(aliaser, event_name)
    return _aliased_names[event_name]


_real_alias_event_name = botocore.hooks.EventAliaser._alias_event_name
_aliased_names: dict[str, str] = {}


def _add_auth(clock: SupportsNow) -> Callable[[Any, Any], None]:
    def add_auth(auth: Any, request: Any) -> None:
        if HOST.match(request.url) is None:
            # No service of moto's: who is asked may look at the signature.
            return _real_add_auth(auth, request)
        request.context["timestamp"] = f"{clock.now:{SIGV4_TIMESTAMP}}"
        if isinstance(auth, S3SigV4Auth):
            # It says in a header how a body is written, which moto reads.
            auth._modify_request_before_signing(request)
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders=host, Signature=stated"
        )

    return add_auth


_real_add_auth = botocore.auth.SigV4Auth.add_auth


def _transform_response(headers: dict[str, str], response: Any) -> tuple[int, dict[str, str], Any]:
    """Take an operation's answer apart: nothing, (body, headers), or (status, headers, body)."""
    status, more, body = response if response and len(response) == 3 else (200, *reversed(response or ("", {})))
    headers.update(more)
    return int(more.get("status", status)), headers, body


# Of these services a client's endpoint depends on the operation and the bucket, and on nothing else that we send.
SETTLED = ("s3", "dynamodb", "sagemaker", "sagemaker-runtime", "cloudwatch", "sqs")


def _construct_endpoint(resolver: Any, operation_model: Any, call_args: Any, request_context: Any) -> Any:
    if operation_model.service_model.service_name not in SETTLED:
        return _real_construct_endpoint(resolver, operation_model, call_args, request_context)
    known: dict[tuple[str, Any], Any] = vars(resolver).setdefault("known_endpoints", {})
    asked = (operation_model.name, (call_args or {}).get("Bucket"))
    if asked not in known:
        known[asked] = _real_construct_endpoint(resolver, operation_model, call_args, request_context)
    return known[asked]


_real_construct_endpoint = EndpointRulesetResolver.construct_endpoint


def _random_hex(random: MotoRandom, length: int = 8) -> str:
    return f"{random.getrandbits(4 * length):0{length}x}"


def _random_string(random: MotoRandom, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
    found = "".join(random.choices(ascii_letters + digits if include_digits else ascii_letters, k=length))
    return found.lower() if lower_case else found


_real_urls = BaseBackend.urls.fget  # type: ignore[attr-defined]  # mypy takes the property for its value
_urls_by_class: dict[type, Any] = {}


def _urls(backend: BaseBackend) -> Any:
    kind = type(backend)
    if kind not in _urls_by_class:
        _urls_by_class[kind] = _real_urls(backend)
    return _urls_by_class[kind]


@lru_cache(maxsize=4096)
def _routes(host: str) -> tuple[Route, ...] | None:
    """Return the URL patterns of the service behind a host, or None if that depends on more than the host."""
    for service, pattern in backend_index.backend_url_patterns:
        if pattern.match(host + "/"):
            if "/" in pattern.pattern.split("//", 1)[1]:
                return None
            backends: Any = get_backend(service)  # type: ignore[call-overload]  # its overloads list names one by one
            if not isinstance(backends, BackendDict):
                return None
            regions = backends[DEFAULT_ACCOUNT_ID]
            urls = regions["us-east-1" if "us-east-1" in regions else "aws"].urls
            return tuple((re.compile(url), method) for url, method in urls.items())
    return None


def _process_request(otherwise: Callable[..., Any]) -> Callable[..., Any]:
    def process_request(stubber: BotocoreStubber, request: Any) -> Any:
        url = request.url.split("?", 1)[0]
        if (found := quick_get(request) or quick_list(request)) is not None:
            return found
        host = HOST.match(url)
        for pattern, method in (_routes(host[0]) if host else None) or ():
            if pattern.match(url):
                normalized = normalize_request(request)
                try:
                    return method(normalized, normalized.raw_url, normalized.headers)
                except HTTPException as error:
                    return error.code, error.get_headers(), error.get_body()
        return otherwise(stubber, request)

    return process_request
