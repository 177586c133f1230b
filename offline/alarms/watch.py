"""One alarm's reading of its metrics: the last datapoints, what they mean, and when that could change by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from offline.alarms.rules import COMPARISONS, EXTRA_DATAPOINTS, TREATMENTS, judged_state, quiet_test
from offline.metrics.cloudwatch import Metrics, known_statistic
from offline.metrics.math import MetricMathError, Points, evaluate_all
from offline.metrics.store import MINUTE, Key, key_of


class Reading:
    """What an alarm saw at an evaluation."""

    def __init__(self, starts: Sequence[int], points: Sequence[float | None]) -> None:
        self.starts, self.points = starts, points

    def real(self) -> list[tuple[int, float]]:
        """Return the datapoints that exist, oldest first."""
        return [(at, point) for at, point in zip(self.starts, self.points, strict=True) if point is not None]


class Watch:
    """An alarm's definition, checked and made ready to evaluate."""

    def __init__(self, alarm: Any, metrics: Metrics) -> None:
        self.alarm, self.metrics = alarm, metrics
        self.treatment = alarm.treat_missing_data or "missing"
        self.periods = int(alarm.evaluation_periods)
        self.needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
        self.stats: dict[str, tuple[Key, str]] = {}
        self.expressions: dict[str, str] = {}
        self.returned = "m1"
        self._check_rule()
        self.threshold = float(alarm.threshold)
        self.compare, self.words = COMPARISONS[alarm.comparison_operator]
        self.period = self._read_queries() if alarm.metric_data_queries else self._read_metric()
        if self.period < MINUTE or self.period % MINUTE:
            raise ValidationError(f"alarms on periods of {self.period} seconds are not imitated: whole minutes are")
        simple = not alarm.metric_data_queries
        self.quiet = (
            quiet_test(self.stats["m1"][1], alarm.comparison_operator, self.threshold)
            if simple
            else lambda _value: False
        )

    @property
    def keys(self) -> set[Key]:
        """The metrics that the alarm reads."""
        return {key for key, _ in self.stats.values()}

    def _check_rule(self) -> None:
        alarm = self.alarm
        if alarm.rule:
            raise ValidationError("composite alarms are not imitated")
        if alarm.comparison_operator not in COMPARISONS or alarm.threshold is None:
            raise ValidationError(f"alarms that compare by {alarm.comparison_operator} are not imitated")
        if self.treatment not in TREATMENTS:
            raise ValidationError(f"TreatMissingData must be one of {', '.join(TREATMENTS)}, not {self.treatment}")
        if not 1 <= self.needed <= self.periods:
            raise ValidationError("DatapointsToAlarm must lie between 1 and EvaluationPeriods")
        if alarm.evaluate_low_sample_count_percentile == "ignore":
            raise ValidationError("EvaluateLowSampleCountPercentile ignore is not imitated")

    def _read_metric(self) -> int:
        alarm = self.alarm
        statistic = alarm.statistic or alarm.extended_statistic
        if not statistic or not known_statistic(statistic):
            raise ValidationError(f"the statistic {statistic} is not imitated")
        dimensions = {item.name: item.value for item in alarm.dimensions}
        self.stats["m1"] = (key_of(alarm.namespace, alarm.metric_name, dimensions), statistic)
        return int(alarm.period)

    def _read_queries(self) -> int:
        periods = [MINUTE]
        for query in self.alarm.metric_data_queries:
            if query.expression:
                self.expressions[query.id] = query.expression
                periods.append(int(query.period or MINUTE))
            else:
                stat = query.metric_stat
                if not known_statistic(stat.stat):
                    raise ValidationError(f"the statistic {stat.stat} is not imitated")
                dimensions = {item.name: item.value for item in stat.metric.dimensions}
                self.stats[query.id] = (key_of(stat.metric.namespace, stat.metric.metric_name, dimensions), stat.stat)
                periods.append(int(stat.period))
        returned = [query.id for query in self.alarm.metric_data_queries if _true(query.return_data)]
        if len(returned) != 1:
            raise ValidationError("exactly one element of the metrics list should return data")
        self.returned = returned[0]
        try:
            evaluate_all(self.expressions, {name: {} for name in self.stats}, [0])
        except MetricMathError as error:
            raise ValidationError(str(error)) from error
        return max(periods)

    def read(self, now: int) -> Reading:
        """Return the datapoints of the whole periods before a time."""
        end = now // self.period * self.period
        count = self.periods + EXTRA_DATAPOINTS
        return self._read(range(end - count * self.period, end, self.period))

    def _read(self, starts: Sequence[int]) -> Reading:
        series: dict[str, Points] = {}
        for name, (key, statistic) in self.stats.items():
            stored = self.metrics.series(key)
            buckets = ((at, stored.period(at, at + self.period)) for at in starts)
            series[name] = {at: bucket.statistic(statistic) for at, bucket in buckets if bucket is not None}
        if self.expressions:
            series |= evaluate_all(self.expressions, series, starts)
        points = series[self.returned]
        return Reading(starts, [points.get(at) for at in starts])

    def breaches(self, value: float) -> bool:
        """Tell whether a datapoint breaches the threshold."""
        return self.compare(value, self.threshold)

    def state(self, points: Sequence[float | None], current: str) -> str:
        """Return the state that datapoints put the alarm in."""
        return judged_state(
            points,
            self.breaches,
            periods=self.periods,
            needed=self.needed,
            treatment=self.treatment,
            current=current,
        )

    def next_change(self, reading: Reading, current: str) -> int | None:
        """Return after how many more periods the state changes if nothing new comes, or None if never."""
        count, end = len(reading.starts), reading.starts[-1] + self.period
        # A gauge that stands has values there already; so has the period that is not over yet.
        points = [*reading.points, *self._read(range(end, end + count * self.period, self.period)).points]
        for step in range(1, count + 1):
            if self.state(points[step : step + count], current) != current:
                return step
        return None

    def reason(self, reading: Reading, state: str) -> tuple[str, str]:
        """Return the reason and its data in CloudWatch's words."""
        real = reading.real()[-self.periods :]
        data = {
            "version": "1.0",
            "queryDate": _iso(datetime.now(UTC)),
            "statistic": self.stats[self.returned][1] if self.returned in self.stats else None,
            "period": self.period,
            "recentDatapoints": [value for _, value in real],
            "threshold": self.threshold,
            "evaluatedDatapoints": [
                {"timestamp": _iso(datetime.fromtimestamp(at, UTC)), "value": value} for at, value in reversed(real)
            ],
        }
        return self._words(real, state), json.dumps({key: value for key, value in data.items() if value is not None})

    def _words(self, real: list[tuple[int, float]], state: str) -> str:
        missing = max(self.periods - len(real), 0)
        if not real:
            if state == "INSUFFICIENT_DATA":
                return f"Insufficient Data: {missing} datapoint{_s(missing)} {_were(missing)} unknown."
            treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(self.treatment, "Ignored")
            return (
                f"Threshold Crossed: no datapoints were received for {self.periods} period{_s(self.periods)} and "
                f"{missing} missing datapoint{_s(missing)} {_were(missing)} treated as [{treated}]."
            )
        shown = [item for item in real if self.breaches(item[1]) == (state == "ALARM")] or real
        values = ", ".join(f"{value} ({datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S})" for at, value in shown)
        negation = "" if state == "ALARM" else "not "
        sentence = f"{_were(len(shown))} {negation}{self.words} the threshold ({self.threshold})"
        if state == "ALARM":
            counted = f"{len(shown)} out of the last {self.periods} datapoint{_s(self.periods)}"
            return (
                f"Threshold Crossed: {counted} [{values}] {sentence} (minimum {self.needed} "
                f"datapoint{_s(self.needed)} for OK -> ALARM transition)."
            )
        return f"Threshold Crossed: {len(shown)} datapoint{_s(len(shown))} [{values}] {sentence}."


def _true(return_data: Any) -> bool:
    return return_data is None or str(return_data).lower() == "true"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000+0000"
