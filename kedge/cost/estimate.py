"""A model's estimate: what watching it costs, what its captures do, what changing it does, and what it shares with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kedge.config.gauges import GAUGES, HOURS_A_MONTH, WATCHES_A_MONTH, Gauge, Metrics
from kedge.config.metrics import ONE_VALUE, metrics_of
from kedge.config.model import ModelConfig
from kedge.config.policies import HealthPolicy
from kedge.config.prices import PAST_VERSION_DAYS, SOURCE, TIERED_AFTER_DAYS, TIERED_BYTES_MIN
from kedge.cost.changes import change_lines
from kedge.cost.lines import Line, Part, total
from kedge.cost.runs import (
    CAPTURE_OBJECTS_A_DAY,
    DAYS_A_MONTH,
    DAYS_OF_A_RUN,
    LABEL_FILES_A_DAY,
    Runs,
    Traffic,
    joins_on_athena,
    runs_of,
    share_of_ticks,
    watches_a_month,
    width_of,
)
from kedge.cost.storage import DAYS_KEPT, GB, captures_of, kept_of_model, storage_lines
from kedge.cost.work import QUERY_SECONDS, READS_AT_ONCE, Coefficients, Function, Work

TB = 1e12
_HEALTH_LIMITS = tuple(
    name for name in HealthPolicy.model_fields if name.endswith(("_milliseconds", "_fraction", "_hours"))
)
DISPARITIES = 3
# Assumptions, each said with the estimate.
LOG_BYTES_A_RUN, ROWS_A_DAY = 3000, 10_000
# One each for the bucket's key, the table's key and the log's: all of them are kept for a while. A message is encrypted by SQS's own key,
# and a function's environment by one of AWS's, which is free.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
KMS_REQUESTS_A_RUN = 3
# Lambda asks a queue by five connections, and an answer without messages takes 20 seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLS_A_MONTH = 5 * 3 * 60 * HOURS_A_MONTH
# What becomes of a run that is longer than it may be.
_GOES_ON = {
    "profile_logs": "it goes on in further runs",
    "measure_performance": "its next attempts fold what is left of the labels, three in all; of more labels judge more often, or sample",
}


@dataclass(frozen=True)
class ModelCost:
    """What a model costs a month.

    Attributes
    ----------
    lines : tuple of Line
    share_usd : float
        Its part of what the deployment costs anyway.
    assumptions : tuple of str
        What was not measured, a sentence each.
    """

    model: str
    lines: tuple[Line, ...]
    share_usd: float
    assumptions: tuple[str, ...]

    @property
    def usd(self) -> float:
        """All of it, with its share of the deployment."""
        return total(self.lines) + self.share_usd

    def to_json(self) -> dict[str, Any]:
        """For programs; nothing is rounded."""
        return {
            "model": self.model,
            "usd_a_month": self.usd,
            "parts": {part: total(self.lines, part) for part in dict.fromkeys(line.part for line in self.lines)},
            "share_of_the_deployment_usd": self.share_usd,
            "lines": [line.to_json() for line in self.lines],
            "assumptions": list(self.assumptions),
        }


def alarms_of_model(config: ModelConfig) -> int:
    """How many CloudWatch alarms a deployed model has for itself: those that `health:` wants of each variant."""
    health, endpoint = config.health, config.endpoint
    if not (health.enabled and endpoint.name):
        return 0
    limits = sum(getattr(health, name) is not None for name in _HEALTH_LIMITS)
    return limits * len({*endpoint.served_variants, *health.variants})


def looks_at_errors(config: ModelConfig) -> bool:
    """Whether `watch_monitor` looks at the 5xx of its endpoint, which has no alarm on them."""
    return bool(config.endpoint.name) and config.health.enabled and config.health.server_error_fraction is None


def metrics_of_model(config: ModelConfig, gauge: Gauge) -> int:
    """How many CloudWatch metrics a line of the table of gauges is for this model."""
    if config.metrics == "none" or (config.metrics == "few" and not gauge.few):
        return 0
    if gauge.name == "InvocationsWithoutCapture":
        return int(config.has_endpoint)
    if gauge.name == "ServerErrors":
        return int(looks_at_errors(config))
    known = metrics_of(config.problem)
    limited = len(config.performance.limits) or sum(bool(metric.limit) for metric in known)
    everything = sum(metric.name in ONE_VALUE for metric in known)
    return {
        "Performance/*": limited if config.metrics == "few" else everything,
        "Estimate/*": limited,
        "Business/*": len(config.business),
        "Fairness/*": DISPARITIES * len(config.fairness.columns),
    }.get(gauge.name, 1)


def estimate(
    config: ModelConfig,
    measured: Coefficients,
    *,
    rows_a_day: float = ROWS_A_DAY,
    changes_a_month: float = 1.0,
    share_usd: float = 0.0,
) -> ModelCost:
    """What a model costs a month.

    Parameters
    ----------
    rows_a_day : float
        Rows that it answers a day, one in a request.
    changes_a_month : float
        Retrainings that end in a release; none of a model that is only watched.
    share_usd : float
        Its part of `deployment_lines`.
    """
    traffic = Traffic.of(config, measured, rows_a_day=rows_a_day)
    changes, unknown = change_lines(config, changes_a_month)
    kept = storage_lines("watching", kept_of_model(config, traffic, measured, changes_a_month=changes_a_month))
    lines = (*_watching(config, traffic, measured), *kept, *_captures(config, traffic), *changes)
    said = (
        *_assumptions(config, traffic, measured),
        *_beyond_time(config, traffic, measured),
        *unknown,
    )
    return ModelCost(config.model, lines, share_usd, said)


def deployment_lines(measured: Coefficients, *, is_hourly: bool, lists: int = 0) -> list[Line]:
    """What a deployment costs, whatever its models are.

    Parameters
    ----------
    is_hourly : bool
        Whether one of its models is counted or judged each hour.
    lists : int
        How many lists of addresses they have besides the deployment's own: each has an alarm with its metric.
    """
    templates, functions = measured.templates, measured.functions
    lines = [
        Line("deployment", "CloudWatch alarms", templates["alarms"] + lists, "CloudWatch alarm"),
        Line("deployment", "KMS key", templates["keys"], "KMS key"),
        Line("deployment", "EventBridge Scheduler", templates["ticks"], "Scheduler invocation"),
        Line("deployment", "SQS, idle polling of the queues", templates["queues"] * POLLS_A_MONTH, "SQS request"),
    ]
    watches = HOURS_A_MONTH if is_hourly else WATCHES_A_MONTH
    months = (1 + lists) * watches / HOURS_A_MONTH
    lines.append(Line("deployment", "metric ModelsInAlarm", months, "CloudWatch metric"))
    ticks = {
        "fan_out hour": HOURS_A_MONTH,
        "fan_out profile": HOURS_A_MONTH + DAYS_A_MONTH,
        "fan_out judge": HOURS_A_MONTH + DAYS_A_MONTH + DAYS_A_MONTH / 7,
        "watch_monitor": watches,
        "keep_history": DAYS_A_MONTH,
        "expire_captures": DAYS_A_MONTH,
        "write_pages": DAYS_A_MONTH,
        "send_digest": DAYS_A_MONTH / 7,
    }
    spent = [(functions[name], functions[name].run(), count) for name, count in ticks.items()]
    return lines + _of_work("deployment", spent)


def _watching(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> Iterator[Line]:
    for gauge in GAUGES:
        if count := metrics_of_model(config, gauge):
            months = count * gauge.months(config.cadence)
            yield Line("watching", f"metric {gauge.name}", months, "CloudWatch metric")
    if alarms := alarms_of_model(config):
        yield Line("watching", "CloudWatch alarms", alarms, "CloudWatch alarm")
    if looks_at_errors(config):
        asked = len(config.endpoint.served_variants) * watches_a_month(config)
        yield Line("watching", "CloudWatch, looks at the endpoint's 5xx", asked, "CloudWatch read")
    runs = [*runs_of(config, traffic, measured)]
    width = width_of(config, measured)
    spent = [
        (measured.functions[run.function], _work(measured, run, width, config.metrics), run.a_month) for run in runs
    ]
    seconds = Counter[str]()
    for (function, work, runs_a_month), run in zip(spent, runs, strict=True):
        seconds[run.function] += runs_a_month * function.gb_seconds(work)  # type: ignore[assignment]  # a fraction
    for name, taken in seconds.items():
        yield Line("watching", f"Lambda {name}, GB-seconds", taken, "Lambda GB-second")
    ticks = [(measured.functions[run.function], _added(measured, run), run.a_month) for run in share_of_ticks(config)]
    yield from _of_work("watching", ticks, what="Lambda, its part of the ticks, GB-seconds", requests=False)
    yield from _calls("watching", [*spent, *ticks])
    yield from _of_runs("watching", sum(count for _, _, count in spent))
    if joins_on_athena(config, traffic, measured):
        judgements = DAYS_A_MONTH / DAYS_OF_A_RUN[config.cadence.judge]
        # A wider row is taken for wider in each query.
        rows = traffic.rows_a_day * config.cadence.window_days * width
        scanned = judgements * sum(query.billed_bytes(rows) for query in measured.queries)
        yield Line("watching", "Athena, TB that joins and counts read", scanned / TB, "Athena TB")


def _work(measured: Coefficients, run: Runs, width: float, metrics: Metrics = "all") -> Work:
    """Rows of more columns than the measured model's take longer; the calls are the same, but for those that put metrics."""
    function = measured.functions[run.function]
    rows = {name: count * width for name, count in run.drivers.items() if name in ("rows", "json_rows", "window_rows")}
    wide, work = function.run(**{**run.drivers, **rows}), function.run(**run.drivers)
    calls = {
        call: count for call, count in work.calls.items() if metrics != "none" or call != "cloudwatch PutMetricData"
    }
    return Work(wide.cpu_seconds, calls)


def _added(measured: Coefficients, run: Runs) -> Work:
    work = measured.functions[run.function].per["models"].times(run.drivers["models"])
    # The measured models have endpoints; the metrics of this one have a line of their own.
    return Work(
        work.cpu_seconds, {call: n for call, n in work.calls.items() if call != "cloudwatch GetMetricData metric"}
    )


def _of_work(
    part: Part,
    spent: Sequence[tuple[Function, Work, float]],
    *,
    what: str = "Lambda, GB-seconds",
    requests: bool = True,
) -> list[Line]:
    seconds = sum(function.gb_seconds(work) * count for function, work, count in spent)
    lines = [Line(part, what, seconds, "Lambda GB-second")]
    if requests:
        lines += [*_calls(part, spent), *_of_runs(part, sum(count for _, _, count in spent))]
    return lines


def _calls(part: Part, spent: Sequence[tuple[Function, Work, float]]) -> Iterator[Line]:
    billed: Counter[str] = Counter()
    for _, work, count in spent:
        billed.update({unit: calls * count for unit, calls in work.billed().items()})
    for unit in sorted(billed):
        yield Line(part, f"{unit} requests" if unit.endswith(("read", "write")) else unit, billed[unit], unit)


def _of_runs(part: Part, runs: float) -> Iterator[Line]:
    yield Line(part, "Lambda requests", runs, "Lambda request")
    yield Line(part, "CloudWatch Logs, GB", runs * LOG_BYTES_A_RUN / GB, "CloudWatch log GB")
    yield Line(part, "X-Ray traces", runs, "X-Ray trace")
    yield Line(part, "KMS requests", runs * KMS_REQUESTS_A_RUN, "KMS request")


def _captures(config: ModelConfig, traffic: Traffic) -> Iterator[Line]:
    objects = traffic.objects_a_day * DAYS_A_MONTH
    yield Line("captures", "S3 requests that write them", objects, "S3 write")
    yield from storage_lines("captures", captures_of(config, traffic))


def _assumptions(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> Iterator[str]:
    yield f"{SOURCE}, on demand, without free tiers; other regions differ"
    yield f"{traffic.rows_a_day:,.0f} rows a day, spread evenly, one in a request; each gets a label, in {LABEL_FILES_A_DAY} files a day"
    if traffic.counted_a_day < traffic.rows_a_day:
        yield (
            f"{traffic.counted_a_day:,.0f} of them are counted and kept (capture.counted_percentage); to read one of the others, or its "
            "label, is charged like counting it"
        )
    writer = {"log": "the log comes in", "batch_transform": "transform jobs capture"}.get(
        config.source, "Data Capture writes"
    )
    instances = "an instance" if config.has_endpoint else "were assumed"
    yield f"{writer} {traffic.objects_a_day:,.0f} objects a day: {CAPTURE_OBJECTS_A_DAY} {instances}, and no more than rows"
    yield f"Lambda's core is as fast as the one that measured: {measured.machine}; each run starts a fresh environment"
    yield (
        f"a call takes 5 to 30 ms, S3 answers {READS_AT_ONCE} reads at once, and Athena a query in {QUERY_SECONDS:.0f} s; "
        "what Athena itself asks of S3 is left out"
    )
    yield f"rows cost in proportion to their columns; {measured.columns} were measured"
    but = (
        ""
        if config.capture.expire_days is None
        else f", but captures, which expire after {config.capture.expire_days} and are paid for {PAST_VERSION_DAYS} more"
    )
    yield f"everything is kept for {DAYS_KEPT} days{but}: the first month's storage is a twelfth"
    yield (
        f"objects of {TIERED_BYTES_MIN // 1024} KiB and more are in Intelligent-Tiering after {TIERED_AFTER_DAYS} days; what a "
        "retraining reads each month stays in its dearest tier"
    )
    if config.source == "log":
        yield "records of a log take as long as captured rows of CSV: they were not measured"
    elif config.endpoint.content_type == "text/csv":
        yield "requests are CSV without quotes: JSON, and texts in quotes, are read in two to four times the seconds"
    yield "a label's row is looked for on its day alone (labels.id_time_format, inferenceTime); else on each day back to its own"
    yield f"a run logs {LOG_BYTES_A_RUN:,} bytes, leaves a trace and asks KMS {KMS_REQUESTS_A_RUN} times"
    yield "mails, dashboards, the endpoint itself and traffic out of the region are left out"


def _beyond_time(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> Iterator[str]:
    width = width_of(config, measured)
    for run in runs_of(config, traffic, measured):
        function = measured.functions[run.function]
        if (seconds := function.seconds(_work(measured, run, width))) > function.timeout_seconds:
            goes_on = _GOES_ON.get(run.function, "it would not end; sample, or judge shorter windows")
            yield f"a run of {run.function} would last {seconds:,.0f} s, and may last {function.timeout_seconds}: {goes_on}"
