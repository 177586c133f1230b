"""The places of a deployment that lets only some retrainings run at once: each is a lease, which ends with its execution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kedge.errors import LeaseHeldError
from kedge.retraining.line import LINE, held_in_line
from kedge.retraining.state import Held
from lambdas.adapters import clients
from lambdas.adapters.models import names
from lambdas.adapters.state import leases, state_items, wishes
from lambdas.adapters.state.leases import Lease
from lambdas.adapters.times import wall_clock


@dataclass(frozen=True)
class StartPlaces:
    """Where a limited number of retrainings run at once, whichever models they are of."""

    table: str
    bucket: str
    at_once: int

    def take(self, model: str, losing: float, holder: str) -> Held | None:
        """Take a place for an execution that is about to start, unless models that lose more wait for it; None once it is taken."""
        waiting = self._waiting()
        held = held_in_line(model, losing, waiting, free=len([*self._free()]), at_once=self.at_once)
        if held is not None:
            return held
        for place in self._names():
            try:
                leases.take(
                    clients.dynamodb(),
                    clients.stepfunctions(),
                    self.table,
                    place,
                    Lease(holder, wall_clock(), "retraining"),
                )
            except LeaseHeldError:
                continue
            return None
        # Others have taken them since.
        return held_in_line(model, losing, waiting, free=0, at_once=self.at_once)

    def give_back(self, holder: str) -> None:
        """Give back the place of an execution that was not started."""
        for place in self._names():
            leases.release(clients.dynamodb(), self.table, model=place, holder=holder)

    def _waiting(self) -> dict[str, float]:
        waiting = state_items.load_waiting(clients.dynamodb(), self.table, state_items.DECIDE)
        # What waits of a model that was taken away stands before nobody.
        held = wishes.load_held(clients.dynamodb(), self.table, sorted(waiting.keys() & names(self.bucket)))
        return {name: one.loss_a_day for name, one in held.items() if one.hold == LINE}

    def _free(self) -> Iterable[str]:
        dynamodb, stepfunctions, now = clients.dynamodb(), clients.stepfunctions(), wall_clock()
        items = state_items.load_items(dynamodb, self.table, [(place, state_items.LEASE) for place in self._names()])
        for place in self._names():
            lease = leases.read(items.get((place, state_items.LEASE)))
            if leases.holder_at_work(dynamodb, stepfunctions, self.table, place, lease, now=now) is None:
                yield place

    def _names(self) -> list[str]:
        # No model can be called so: a name has no blank.
        return [f"retraining place {number}" for number in range(1, self.at_once + 1)]
