"""Hold a judged window against what the gate promised of the package that serves, and tell of a promise that is broken."""

from __future__ import annotations

from kedge.config.metrics import gate_metrics
from kedge.instants import to_text
from kedge.release.promise import Promise, broken_promise
from lambdas.adapters import clients, telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import promises
from lambdas.adapters.state.champions import Champion
from lambdas.adapters.telling import Desk
from lambdas.steps.judge_window import Judged, JudgePlace
from lambdas.steps.requests import JudgeRequest


def hold_to_promise(judged: Judged, champion: Champion, place: JudgePlace, request: JudgeRequest, desk: Desk) -> None:
    """Do it for the first measured windows after a promotion; a window that is judged again counts once.

    `settle` finds the broken promise within the hour and goes back, where the YAML says so.
    """
    config = place.config
    if config.mode == "watch" or request.package is not None or judged.quality is None:
        return
    if judged.verdicts.loss is None:
        # Too few rows or labels: those that come first are of other cases than those that come late.
        return
    known = promises.load(clients.dynamodb(), place.table, config.model)
    fresh = known is None or known.endpoint_config != champion.endpoint_config
    promise = Promise(champion.endpoint_config) if fresh or known is None else known
    end = to_text(request.window.end)
    metric = config.gate.metric or gate_metrics(config.problem)[0]
    said = broken_promise(metric, judged.quality.document)
    if said is None or request.window.end <= champion.promoted_at or not promise.still_holds(end):
        return
    windows = tuple(dict.fromkeys((*promise.windows, end)))
    broken = promise.broken or ((said,) if said else ())
    promises.save(clients.dynamodb(), place.table, config.model, Promise(champion.endpoint_config, windows, broken))
    if said:
        detail = {
            "package_version": champion.package_version,
            "endpoint_config": champion.endpoint_config,
            "window": end,
            "reasons": [said],
            "answer": config.release.broken_promise,
        }
        entry = Entry(config.model, "promise_broken", request.time, detail)
        telling.tell_once(desk, f"promise#{champion.endpoint_config}", entry)
