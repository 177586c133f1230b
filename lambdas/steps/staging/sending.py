"""Sends requests at a pace, as many at a time as the pace needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kedge.staging.record import Sent
from kedge.staging.requests import ReplayRequest
from lambdas.adapters.training.staging_endpoints import StagingAnswer

Send = Callable[[ReplayRequest], StagingAnswer]


def send_paced(send: Send, requests: Sequence[ReplayRequest], *, per_second: float, senders: int) -> list[Sent]:
    """Send each request when it is due, whether the one before was answered or not.

    An answer's time counts from then on: a request that waits for a free sender waits because the model is slow.
    """
    began = time.perf_counter()

    def timed(request: ReplayRequest, handed_over: float) -> Sent:
        answer = send(request)
        return Sent((time.perf_counter() - handed_over) * 1000, answer.failure)

    with ThreadPoolExecutor(senders) as pool:
        waiting = []
        for number, request in enumerate(requests):
            ahead = number / per_second - (time.perf_counter() - began)
            if ahead > 0:
                time.sleep(ahead)
            waiting.append(pool.submit(timed, request, time.perf_counter()))
        return [sent.result() for sent in waiting]


def send_all(send: Send, requests: Sequence[ReplayRequest], *, senders: int) -> list[StagingAnswer]:
    """Send requests one after another, a few at a time, and return the answers in their order."""
    with ThreadPoolExecutor(senders) as pool:
        return [*pool.map(send, requests)]
