"""What people are told of a window whose message fails: why, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.adapters import clients, queues
from lambdas.adapters.state import windows
from lambdas.adapters.state.champions import Champion
from lambdas.settings import Settings
from lambdas.steps.requests import JudgeRequest, receives


class RetriedSettings(Settings):
    """The facts about the function's queue in its environment.

    Attributes
    ----------
    attempts : int
        How often a message is handed over.
    dead_letters_url : str
        Where it lies after that.
    """

    attempts: int
    dead_letters_url: str

    @property
    def dead_letters(self) -> str:
        """The queue of the dead letters, by name."""
        return f"the dead-letter queue {self.dead_letters_url.rpartition('/')[2]}"

    @property
    def again(self) -> str:
        """What becomes of a message that has failed; it stays true where the next attempts are killed, and can say nothing."""
        return f"Kedge tries again, and after attempt {self.attempts} its message lies in {self.dead_letters}"

    def next_step(self, event: Mapping[str, Any]) -> str:
        """The same of an attempt that may be the last."""
        last = f"that was the last of {self.attempts} attempts: its message lies in {self.dead_letters}"
        return self.again if receives(event) < self.attempts else last

    def bury(self, event: Mapping[str, Any], why: str) -> None:
        """Put a message that another attempt would not help among the dead letters; their alarm rings."""
        (record,) = event["Records"]
        queues.bury(clients.sqs(), self.dead_letters_url, record["body"], why=why)


def ended_in_silence(event: Mapping[str, Any], request: JudgeRequest, champion: Champion, table: str) -> bool:
    """Whether an earlier attempt was killed: one that fails has its window judged, with its reason, and one that is killed cannot."""
    if receives(event) == 1:
        return False
    judged = windows.load_window(clients.dynamodb(), table, request.model, request.window.end)
    return judged is None or judged.package_version != champion.package_version
