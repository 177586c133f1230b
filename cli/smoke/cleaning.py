"""Removes everything that the smoke made, and checks that it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from cli.smoke import leftovers
from cli.smoke.leftovers import Leftover
from cli.smoke.world import Smoke

# The endpoint's last captures come up to ten minutes late, and are written after it is gone.
LATE_CAPTURES_SECONDS = 600
SETTLE_MINUTES, ENDPOINT_MINUTES = 10, 180


@dataclass(frozen=True)
class Removed:
    """A thing that was made, whether it is gone, and why not."""

    kind: str
    name: str
    gone: bool
    reason: str = ""


def clean(smoke: Smoke) -> list[Removed]:
    """Remove what was made, in an order in which nothing comes back."""
    made: dict[tuple[str, str], str] = {}
    for kind in leftovers.RUNNING:
        _remove(smoke, kind, made)
    smoke.waiting.until(
        lambda: not [found for kind in leftovers.RUNNING for found in kind(smoke)], minutes=SETTLE_MINUTES
    )
    if smoke.endpoint() is not None:

        def gone() -> bool:
            _remove(smoke, leftovers.endpoints, made)
            return smoke.endpoint() is None

        smoke.waiting.until(gone, minutes=ENDPOINT_MINUTES)
        smoke.waiting.pause(LATE_CAPTURES_SECONDS)
    for _ in range(2):  # functions that had begun may write once more
        for kind in leftovers.RESTING:
            _remove(smoke, kind, made)
        smoke.waiting.pause(60)
    left = {(found.kind, found.name) for found in leftovers.find_all(smoke)}
    return [Removed(*thing, gone=thing not in left, reason=made[thing]) for thing in made] + [
        Removed(*thing, gone=False) for thing in left - made.keys()
    ]


def _remove(smoke: Smoke, kind: Callable[[Smoke], Iterable[Leftover]], made: dict[tuple[str, str], str]) -> None:
    for found in kind(smoke):
        try:
            found.remove()
            made[found.kind, found.name] = ""
        except ClientError as error:
            made[found.kind, found.name] = str(error)
