"""One line of an estimate: a quantity, its unit, and what AWS takes for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from kedge.config.prices import USD

# What a line belongs to: watching itself, the captures that any monitor needs, changing the model, or what a deployment has anyway.
Part = Literal["watching", "captures", "changes", "deployment"]


@dataclass(frozen=True)
class Line:
    """A quantity a month; `unit` is one of the table of prices, or says its own price.

    >>> Line("watching", "alarms", 3, "CloudWatch alarm").usd
    0.30000000000000004
    """

    part: Part
    what: str
    quantity: float
    unit: str
    usd_a_unit: float | None = None

    @property
    def price(self) -> float:
        """USD for one."""
        return USD[self.unit] if self.usd_a_unit is None else self.usd_a_unit

    @property
    def usd(self) -> float:
        """USD a month."""
        return self.quantity * self.price

    def to_json(self) -> dict[str, Any]:
        """For programs; no price is rounded."""
        return {
            "part": self.part,
            "what": self.what,
            "quantity": self.quantity,
            "unit": self.unit,
            "usd_a_unit": self.price,
            "usd_a_month": self.usd,
        }


def total(lines: Iterable[Line], part: Part | None = None) -> float:
    """USD a month of these lines, or of those of one part."""
    return sum(line.usd for line in lines if part in (None, line.part))
