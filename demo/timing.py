"""Where the loop's time went, by what was being done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import Any

from offline.account import Account
from offline.functions.runtime import Functions
from offline.sagemaker.training.run import TrainingRun
from offline.sagemaker.transform.run import TransformRun


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = perf_counter()

    def stop(self) -> float:
        """Seconds since it was made."""
        return perf_counter() - self._began


class Timing:
    """Wall seconds by kind of work; the account does one thing at a time, so they add up."""

    def __init__(self, account: Account) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.loop = Stopwatch()
        self._watch(account)

    def start_loop(self) -> Stopwatch:
        """Forget what came before the first replayed event."""
        self.seconds.clear()
        self.loop = Stopwatch()
        return self.loop

    def note(self, what: str, seconds: float) -> None:
        """Add what was measured elsewhere."""
        self.seconds[what] += seconds

    def table(self) -> list[tuple[str, float]]:
        """Rows for people, the largest first, with what is left as the account itself."""
        rows = sorted(self.seconds.items(), key=lambda row: -row[1])
        rest = self.loop.stop() - sum(self.seconds.values())
        return [*rows, ("the account's clock, events, alarms and the rest", rest)]

    def _watch(self, account: Account) -> None:
        self._wrap(account, Functions, "run", lambda _, function, *__: f"function {_short(function)}")
        for part in ("start", "collect"):
            self._wrap(account, TrainingRun, part, lambda *_: "training jobs (subprocess)")
            self._wrap(account, TransformRun, part, lambda *_: "transform jobs (container)")

    def _wrap(self, account: Account, owner: type, name: str, label: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                self.seconds[label(*arguments)] += perf_counter() - began

        account.patch(owner, name, timed)


def _short(function: Any) -> str:
    return str(function.handler).removeprefix("lambdas.handlers.").removesuffix(".handler")
