"""How often each function runs for a model in a month, and what each run has to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kedge.config.gauges import HOURS_A_MONTH, RUNS_A_MONTH, WATCHES_A_MONTH
from kedge.config.model import ModelConfig
from kedge.cost.work import Coefficients

DAYS_A_MONTH = HOURS_A_MONTH / 24
DAYS_OF_A_RUN = {"hourly": 1 / 24, "daily": 1.0, "weekly": 7.0}
# An assumption: Data Capture writes a file of each instance about every two minutes in which it answered.
CAPTURE_OBJECTS_A_DAY = 720
# An assumption: labels come once an hour.
LABEL_FILES_A_DAY = 24
# A batch of `profile_logs`, which leaves a part.
BATCH_BYTES = 32_000_000
# It looks up the ids of half a million rows at once: for each such number it reads those of the day.
LOOKED_UP_ROWS = 500_000
# As many labels, and as many bytes of their files, are looked for at once by `measure_performance`, each time among all ids of the day.
LABEL_BATCH, LABEL_BATCH_BYTES = 2_000_000, 256 * 1024 * 1024
# A run of `profile_logs` lists the running day and the two before it.
LISTED_DAYS = 3
# `watch_captures` looks twice a day once captures can be read.
LOOKS_A_DAY = 2


@dataclass(frozen=True)
class Traffic:
    """What comes in a day: captured rows, those of them that are counted, each labelled later, and the objects of the captures."""

    rows_a_day: float
    counted_a_day: float
    objects_a_day: float
    bytes_a_row: float

    @classmethod
    def of(cls, config: ModelConfig, measured: Coefficients, *, rows_a_day: float) -> Traffic:
        """The traffic of a model by its rows a day, one in a request."""
        rows = rows_a_day * (config.capture.sampling_percentage if config.mode == "watch" else 100) / 100
        instances = config.endpoint.instance_count if config.has_endpoint else 1
        size = measured.sizes["capture_record"] + len(config.features) * measured.sizes["capture_column"]
        counted = rows * config.capture.counted_percentage / 100
        return cls(rows, counted, min(rows, CAPTURE_OBJECTS_A_DAY * instances), size)


@dataclass(frozen=True)
class Runs:
    """A function's runs in a month, each with the same to do."""

    function: str
    a_month: float
    drivers: Mapping[str, float]


def width_of(config: ModelConfig, measured: Coefficients) -> float:
    """How wide a row is beside one of the measured model: its features and its answer."""
    return (1 + len(config.features)) / (1 + measured.columns)


def window_bytes(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> float:
    """The Parquet of a window: its answers and their labels."""
    row = measured.sizes["part_row"] * width_of(config, measured) + measured.sizes["label_row"]
    return traffic.counted_a_day * config.cadence.window_days * row


def joins_on_athena(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> bool:
    """Whether Athena joins the windows."""
    return window_bytes(config, traffic, measured) >= config.labels.athena_from_bytes


def runs_of(config: ModelConfig, traffic: Traffic, measured: Coefficients) -> Iterator[Runs]:
    """The runs that a model causes, without those of a retraining or a release."""
    cadence, rows = config.cadence, traffic.rows_a_day
    profiles, judgements = RUNS_A_MONTH[cadence.profile], RUNS_A_MONTH[cadence.judge]
    profiling = _profiling(cadence.profile, traffic)
    if config.endpoint.content_type == "application/json":
        # JSON takes longer to be read than CSV.
        profiling["json_rows"] = profiling["rows"]
    yield Runs("profile_logs", profiles, profiling)
    days = DAYS_OF_A_RUN[cadence.judge]
    labels = {
        "labels": rows * days,
        "label_files": LABEL_FILES_A_DAY * days,
        "searched_rows": searches(rows * days, measured.sizes["label"]) * traffic.counted_a_day,
    }
    window = {"window_rows": traffic.counted_a_day * cadence.window_days, "window_days": cadence.window_days}
    if joins_on_athena(config, traffic, measured):
        # One run folds the labels and asks for the join, another judges what was counted, whatever the rows.
        yield Runs("measure_performance", judgements, labels)
        yield Runs("join_labels", judgements, window)
        yield Runs("measure_performance", judgements, {})
    else:
        yield Runs("measure_performance", judgements, labels | window)
    yield Runs("detect_drift", judgements, window)
    for function in ("decide_retraining", "write_pages"):
        yield Runs(function, judgements, {})
    yield Runs("settle", DAYS_A_MONTH, {})
    if config.source != "log":
        yield Runs("watch_captures", LOOKS_A_DAY * DAYS_A_MONTH, {})


def searches(labels: float, label_bytes: float) -> int:
    """How often a run reads the ids of its labels' days.

    >>> searches(1, 137.0), searches(5_000_000, 100.0), searches(5_000_000, 137.0)
    (1, 3, 3)
    """
    return math.ceil(max(labels / LABEL_BATCH, labels * label_bytes / LABEL_BATCH_BYTES))


def _profiling(cadence: str, traffic: Traffic) -> dict[str, float]:
    days = DAYS_OF_A_RUN[cadence]
    rows = traffic.rows_a_day * days
    found = {"rows": rows, "objects": traffic.objects_a_day * days, "listed": traffic.objects_a_day * (LISTED_DAYS - 1)}
    if days < 1:
        # On average half of the day is counted already, and each row's id is looked up among those.
        readings = math.ceil(traffic.counted_a_day * days / LOOKED_UP_ROWS)
        known_parts = readings * parts_a_day(cadence, traffic) / 2
        found |= {"known_rows": traffic.counted_a_day / 2, "known_parts": known_parts}
    return found


def parts_a_day(cadence: str, traffic: Traffic) -> float:
    """Into how many parts of the predictions table a day's rows go."""
    days = DAYS_OF_A_RUN[cadence]
    return max(1, math.ceil(traffic.rows_a_day * days * traffic.bytes_a_row / BATCH_BYTES)) / days


def watches_a_month(config: ModelConfig) -> float:
    """How often the monitor looks whether the model rings; as often as all others' if one of them is hourly, which is not known here."""
    return HOURS_A_MONTH if config.cadence.is_hourly else WATCHES_A_MONTH


def share_of_ticks(config: ModelConfig) -> Iterator[Runs]:
    """What a model adds to the runs that are for all models: the share that grows with each of them."""
    cadence = config.cadence
    yield Runs("fan_out hour", RUNS_A_MONTH["hourly"], {"models": 1})
    yield Runs("fan_out profile", RUNS_A_MONTH[cadence.profile], {"models": 1})
    yield Runs("fan_out judge", RUNS_A_MONTH[cadence.judge], {"models": 1})
    yield Runs("watch_monitor", watches_a_month(config), {"models": 1})
