"""CloudWatch metrics: what is put can be read back, by name, dimensions, period and statistic.

The real service takes PutMetricData and answers GetMetricStatistics, GetMetricData (with metric math) and
ListMetrics; the AWS services put metrics of their own. Imitated with an index by metric (moto reads through all
values ever put) and minutes as the finest resolution. What SageMaker publishes of an endpoint can be read, and reaches
alarms, about a minute after the minute that it tells of, as in AWS; other values are in the read-out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from offline.metrics.math import MetricMathError, Points, evaluate_all
from offline.metrics.store import MINUTE, PERCENTILE, STATISTICS, Bucket, Key, Series, key_of
from offline.region import Region

OLDEST_SECONDS = 14 * 86_400  # PutMetricData takes nothing older
LATE = ("AWS/SageMaker",)  # namespaces whose values come about a minute late
LATE_SECONDS = 2 * MINUTE - 1  # after a minute's begin its values come; an alarm evaluates on the full minute
ACTIVE_SECONDS = 14 * 86_400  # ListMetrics leaves out what had no data for two weeks


def install(region: Region, metrics: Metrics) -> None:
    """Have CloudWatch's operations use the account's metrics."""

    def put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for number, datum in enumerate(metric_data, 1):
            backend._validate_parameters_put_metric_data(datum, number)
            metrics.refuse_late(datum, number)
        for datum in metric_data:
            metrics.put_datum(namespace, datum)

    def get_metric_data(_: Any, queries: Any, start_time: datetime, end_time: datetime, scan_by: str = "") -> Any:
        return metrics.read(queries, _second(start_time), _second(end_time), scan_by)

    def list_metrics(backend: Any, next_token: Any, namespace: Any, metric_name: Any, dimensions: Any) -> Any:
        if next_token:
            return backend._get_paginated(backend.paged_metric_data.pop(next_token))
        return backend._get_paginated(metrics.list(namespace, metric_name, dimensions))

    region.patch(CloudWatchBackend, "put_metric_data", put_metric_data)
    region.patch(CloudWatchBackend, "get_metric_data", get_metric_data)
    region.patch(CloudWatchBackend, "list_metrics", list_metrics)
    region.patch(
        CloudWatchResponse, "get_metric_statistics", lambda response: ActionResult(metrics.statistics(response))
    )


class Metrics:
    """Every metric of the account, and who wants to know of new values."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._series: dict[Key, Series] = {}
        self._listeners: dict[Key, list[Callable[[Key, float, float], None]]] = {}
        self._late: dict[int, list[tuple[Key, float, float, str | None]]] = {}  # by the minute they tell of

    def put(
        self, namespace: str, name: str, value: float, dimensions: Mapping[str, str], unit: str | None = None
    ) -> None:
        """Put one value, as of now."""
        key, second = key_of(namespace, name, dimensions), self.region.clock.now.timestamp()
        if namespace in LATE:
            self._put_late(key, second, float(value), unit)
        else:
            self._put(key, second, float(value), unit, 1.0)

    def _put_late(self, key: Key, second: float, value: float, unit: str | None) -> None:
        minute = int(second) // MINUTE * MINUTE
        waiting = self._late.setdefault(minute, [])
        if not waiting:
            when = datetime.fromtimestamp(minute + LATE_SECONDS, UTC)
            self.region.clock.call_at(when, lambda: self._deliver(minute), "metrics of a minute")
        waiting.append((key, second, value, unit))

    def _deliver(self, minute: int) -> None:
        for key, second, value, unit in self._late.pop(minute):
            self._put(key, second, value, unit, 1.0)

    def hold(
        self, namespace: str, name: str, value: float, dimensions: Mapping[str, str], unit: str | None = None
    ) -> None:
        """Put a gauge's new value, which stands in every minute until the next."""
        key = key_of(namespace, name, dimensions)
        self._series.setdefault(key, Series(held=True))
        self._put(key, self.region.clock.now.timestamp(), float(value), unit, 1.0)

    def refuse_late(self, datum: dict[str, Any], number: int) -> None:
        """Refuse a value that is older than two weeks, as CloudWatch does."""
        stamp = datum.get("Timestamp")
        if stamp and self.region.clock.now.timestamp() - _second(stamp) > OLDEST_SECONDS:
            raise InvalidParameterValue(
                f"The parameter MetricData.member.{number}.Timestamp must specify a time within the past two weeks."
            )

    def put_datum(self, namespace: str, datum: dict[str, Any]) -> None:
        """Put what one entry of PutMetricData holds."""
        dimensions = {item["Name"]: item["Value"] for item in datum.get("Dimensions") or ()}
        key, unit = key_of(namespace, datum["MetricName"], dimensions), datum.get("Unit")
        stamp = datum.get("Timestamp")
        second = _second(stamp) if stamp else self.region.clock.now.timestamp()
        if statistics := datum.get("StatisticValues"):
            self._put_statistics(key, second, statistics, unit)
        elif values := datum.get("Values"):
            counts = datum.get("Counts") or [1.0] * len(values)
            for value, count in zip(values, counts, strict=True):
                self._put(key, second, float(value), unit, float(count))
        else:
            self._put(key, second, float(datum.get("Value", 0.0)), unit, 1.0)

    def _put(self, key: Key, second: float, value: float, unit: str | None, times: float) -> None:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        series.put(second, value, unit, times)
        for listener in self._listeners.get(key, ()):
            listener(key, second, value)

    def _put_statistics(self, key: Key, second: float, statistics: dict[str, Any], unit: str | None) -> None:
        bucket = self._series.setdefault(key, Series()).at(int(second) // MINUTE * MINUTE)
        low, high = float(statistics["Minimum"]), float(statistics["Maximum"])
        bucket.merge(Bucket(float(statistics["SampleCount"]), float(statistics["Sum"]), low, high, unit=unit))
        for listener in self._listeners.get(key, ()):
            listener(key, second, low)
            listener(key, second, high)

    def listen(self, key: Key, listener: Callable[[Key, float, float], None]) -> None:
        """Have `listener` called with (metric, second, value) for each new value of a metric."""
        self._listeners.setdefault(key, []).append(listener)

    def unlisten(self, key: Key, listener: Callable[[Key, float, float], None]) -> None:
        """Call a listener no more."""
        self._listeners[key].remove(listener)

    def series(self, key: Key) -> Series:
        """Return a metric's series, empty if nothing was put."""
        return self._series.get(key) or Series()

    def points(self, key: Key, statistic: str, start: int, end: int, period: int) -> Points:
        """Return a statistic's value by the start of each period in [start, end) that has data."""
        series, found = self.series(key), {}
        for at in series.starts(start, end, period):
            bucket = series.period(at, at + period)
            if bucket is not None:
                found[at] = bucket.statistic(statistic)
        return found

    def statistics(self, response: Any) -> dict[str, Any]:
        """Answer GetMetricStatistics."""
        name, period = response._get_param("MetricName"), int(response._get_param("Period"))
        plain = list(response._get_param("Statistics", []) or [])
        extended = list(response._get_param("ExtendedStatistics", []) or [])
        if not plain and not extended:
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        dimensions = {item["Name"]: item["Value"] for item in response._get_param("Dimensions", []) or []}
        start, end = _second(response._get_param("StartTime")), _second(response._get_param("EndTime"))
        if start >= end:
            raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
        series = self.series(key_of(response._get_param("Namespace"), name, dimensions))
        answer = []
        for at in series.starts(start // MINUTE * MINUTE, end, period):
            bucket = series.period(at, min(at + period, end))
            if bucket is not None:
                answer.append(_datapoint(at, bucket, plain, extended))
        return {"Label": name, "Datapoints": answer}

    def read(self, queries: list[dict[str, Any]], start: int, end: int, scan_by: str) -> list[dict[str, Any]]:
        """Answer GetMetricData."""
        if start >= end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        found: dict[str, Points] = {}
        for query in (query for query in queries if query.get("MetricStat")):
            stat = query["MetricStat"]
            found[query["Id"]] = self.points(
                metric_key(stat["Metric"]), stat["Stat"], start // MINUTE * MINUTE, end, int(stat["Period"])
            )
        periods = [int(q["MetricStat"]["Period"]) if q.get("MetricStat") else q.get("Period") for q in queries]
        times = range(start // MINUTE * MINUTE, end, int(max((p for p in periods if p), default=MINUTE)))
        try:
            found |= evaluate_all({q["Id"]: q["Expression"] for q in queries if q.get("Expression")}, found, times)
        except MetricMathError as error:
            raise ValidationError(str(error)) from error
        return [_result(query, found[query["Id"]], scan_by) for query in queries if query.get("ReturnData", True)]

    def list(self, namespace: str | None, name: str | None, dimensions: Any) -> list[dict[str, Any]]:
        """Answer ListMetrics."""
        recent = int(self.region.clock.now.timestamp()) - ACTIVE_SECONDS
        wanted = [(item["Name"], item.get("Value")) for item in dimensions or []]
        answer = []
        for (space, metric, pairs), series in self._series.items():
            has = dict(pairs)
            matches = all(key in has and value in (None, has[key]) for key, value in wanted)
            if matches and namespace in (None, space) and name in (None, metric) and series.active_since(recent):
                listed = [{"Name": key, "Value": value} for key, value in pairs]
                answer.append({"Namespace": space, "MetricName": metric, "Dimensions": listed})
        return answer


def metric_key(metric: dict[str, Any]) -> Key:
    """Return the key of a Metric structure."""
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions") or ()}
    return key_of(metric["Namespace"], metric["MetricName"], dimensions)


def known_statistic(name: str) -> bool:
    """Tell whether a statistic or percentile can be computed."""
    return name in STATISTICS or PERCENTILE.fullmatch(name) is not None


def _datapoint(at: int, bucket: Bucket, plain: list[str], extended: list[str]) -> dict[str, Any]:
    point: dict[str, Any] = {name: bucket.statistic(name) for name in plain}
    if extended:
        point["ExtendedStatistics"] = {name: bucket.statistic(name) for name in extended}
    return point | {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": bucket.unit or "None"}


def _result(query: dict[str, Any], points: Points, scan_by: str) -> dict[str, Any]:
    times = sorted(points, reverse=scan_by != "TimestampAscending")
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["Id"],
        "Values": [points[at] for at in times],
        "Timestamps": [datetime.fromtimestamp(at, UTC) for at in times],
        "StatusCode": "Complete",
    }


def _second(time: Any) -> int:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if isinstance(time, datetime):
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    return int(time)
