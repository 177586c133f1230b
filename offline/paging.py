"""Small pages: with `Account(page_items=2)` no list, query or scan answers more than two items at once.

AWS may end a page wherever it likes: ListObjectsV2 after 1,000 keys, DynamoDB after a megabyte, CloudWatch after some
hundred alarms, and no caller may count on the number. A test's data are small and fit into every first page, so that
code which reads only that one passes. Imitated for every operation that botocore can paginate: S3 and DynamoDB page
themselves, by a lower limit; of the others the answer is cut and the rest kept for whoever comes with the token.
BatchGetItem has no pages: it leaves keys unprocessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.session
from botocore.client import BaseClient
from botocore.exceptions import DataNotFoundError

BY_LIMIT = ("s3", "dynamodb")  # their tokens say where to go on, or are the last item's key
ASKED, UNPROCESSED = "kedge_page", "kedge_unprocessed"


class Paging:
    """Cuts the answers of one account's services into pages."""

    def __init__(self, items: int) -> None:
        self.items = items
        self._kept: dict[str, dict[str, Any]] = {}

    def ask(self, params: dict[str, Any], model: Any, context: dict[str, Any]) -> dict[str, Any]:
        """Lower a request's limit, or note that it goes on with an answer that was cut."""
        if (model.service_model.service_name, model.name) == ("dynamodb", "BatchGetItem"):
            return self._first_keys(params, context)
        rule = _rule(model.service_model.service_name, model.name)
        if rule is None:
            return params
        if model.service_model.service_name in BY_LIMIT:
            limit = rule.get("limit_key")
            return params | {limit: min(params.get(limit, self.items), self.items)} if limit else params
        token = params.get(_first(rule["input_token"]))
        if token in self._kept:
            context[ASKED] = token
        return params

    def go_on(self, context: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        """Return what was kept of an answer, if that is what the request is for."""
        if ASKED not in context:
            return None
        return SimpleNamespace(status_code=200, headers={}), self._kept.pop(context[ASKED])

    def cut(self, parsed: dict[str, Any], model: Any, context: dict[str, Any]) -> None:
        """Shorten an answer in place, and keep the rest."""
        if UNPROCESSED in context and "Error" not in parsed:
            parsed["UnprocessedKeys"] = context[UNPROCESSED]
        service = model.service_model.service_name
        rule = _rule(service, model.name)
        if rule is None or service in BY_LIMIT or "Error" in parsed:
            return
        names = [key for key in _all(rule["result_key"]) if isinstance(parsed.get(key), list)]
        room, rest = self.items, dict(parsed)
        for name in names:
            parsed[name], rest[name] = parsed[name][:room], parsed[name][room:]
            room -= len(parsed[name])
        if any(rest[name] for name in names):
            token = f"offline-page-{len(self._kept)}-{id(rest):x}"
            self._kept[token] = rest
            parsed[_first(rule["output_token"])] = token
            if more := rule.get("more_results"):
                parsed[more] = True

    def _first_keys(self, params: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """Shorten a batch of keys, and note what is left."""
        asked = params["RequestItems"]
        first = {table: {**batch, "Keys": batch["Keys"][: self.items]} for table, batch in asked.items()}
        rest = {table: {**batch, "Keys": batch["Keys"][self.items :]} for table, batch in asked.items()}
        context[UNPROCESSED] = {table: batch for table, batch in rest.items() if batch["Keys"]}
        return params | {"RequestItems": first}


@cache
def _rule(service: str, operation: str) -> dict[str, Any] | None:
    """Return how botocore paginates an operation, if it does and the answer's lists are plain fields."""
    if (service, operation) == ("s3", "ListBuckets"):  # whole, unless the caller gives MaxBuckets
        return None
    try:
        rule: dict[str, Any] = _session().get_paginator_model(service).get_paginator(operation)
    except (DataNotFoundError, ValueError):
        return None
    return rule if all(key.isidentifier() for key in _all(rule["result_key"])) else None


@cache
def _session() -> Any:
    return botocore.session.get_session()


def _all(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _first(value: Any) -> str:
    return _all(value)[0]


@contextmanager
def in_pages(items: int) -> Iterator[None]:
    """Answer every client of this process in pages of this number of items."""
    paging, emit, request = Paging(items), BaseClient._emit_api_params, BaseClient._make_request

    def asked(client: Any, api_params: Any, operation_model: Any, context: Any) -> Any:
        return emit(client, paging.ask(api_params, operation_model, context), operation_model, context)

    def cut(client: Any, operation_model: Any, request_dict: Any, request_context: Any) -> Any:
        kept = paging.go_on(request_context)
        http, parsed = kept or request(client, operation_model, request_dict, request_context)
        paging.cut(parsed, operation_model, request_context)
        return http, parsed

    with patch.object(BaseClient, "_emit_api_params", asked), patch.object(BaseClient, "_make_request", cut):
        yield
