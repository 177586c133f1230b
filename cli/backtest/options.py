"""The options of `kedge backtest`, and the windows that they define."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.refusals import BadInputError
from kedge.backtest.grid import WindowGrid, window_length
from kedge.columns.times import moment
from kedge.config.sections import Problem

MICROSECOND = 1e-6


@dataclass(frozen=True)
class BacktestOptions:
    """The options of the command, as they were typed."""

    data: str
    time: str
    baseline_until: str
    window: str
    configs: tuple[Path, ...] = ()
    prediction: str | None = None
    label: str | None = None
    problem: Problem | None = None
    retraining_cost_usd: float = 1.0
    alerts_per_year: float | None = None

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns that are not features."""
        return tuple(name for name in (self.time, self.prediction, self.label) if name)


def grid_of(options: BacktestOptions) -> WindowGrid:
    """The windows that the options define."""
    if len(set(options.apart)) < len(options.apart):
        raise BadInputError("--time, --prediction and --label are three columns, and two of them have one name")
    start, length = moment(options.baseline_until), window_length(options.window)
    if start is None:
        raise BadInputError(
            f"--baseline-until {options.baseline_until!r} is not a time; write it as 2016-01-31, 2016-01-31T12:00:00Z, or as "
            "seconds since 1970"
        )
    if length is None:
        raise BadInputError(f"--window {options.window!r} is not a length; write it as 28d, 12h, 1w or 30min")
    if not 0 <= options.retraining_cost_usd < float("inf"):
        raise BadInputError(f"--retraining-cost-usd {options.retraining_cost_usd}: a cost is a number, not below 0")
    if options.alerts_per_year is not None and not 0 <= options.alerts_per_year < float("inf"):
        raise BadInputError(f"--alerts-per-year {options.alerts_per_year}: it must be a number, not below 0")
    return WindowGrid(round(start.timestamp() / MICROSECOND), round(length.total_seconds() / MICROSECOND))
