"""The steps in their order; each has a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli.smoke.proof import Proof
from cli.smoke.steps import (
    alert_path,
    approval,
    athena,
    bad_canary,
    capture,
    first_champion,
    functions,
    good_canary,
    preflight,
    read_of_nothing,
)
from cli.smoke.world import Smoke


@dataclass(frozen=True)
class Step:
    """One assertion; `needs` names the earlier steps that it depends on."""

    name: str
    prove: Callable[[Smoke], Proof]
    needs: tuple[str, ...] = ()

    @property
    def tries(self) -> str:
        """What the step tries, in a sentence."""
        return str(self.prove.__doc__)


STEPS = (
    Step("preflight", preflight.prove),
    Step("functions", functions.prove, needs=("preflight",)),
    Step("alert-path", alert_path.prove, needs=("preflight",)),
    Step("read-of-nothing", read_of_nothing.prove, needs=("functions",)),
    Step("first-champion", first_champion.prove, needs=("functions",)),
    Step("approval", approval.prove, needs=("first-champion",)),
    Step("capture", capture.prove, needs=("approval",)),
    Step("good-canary", good_canary.prove, needs=("approval",)),
    Step("bad-canary", bad_canary.prove, needs=("approval",)),
    Step("athena", athena.prove, needs=("capture",)),
)
