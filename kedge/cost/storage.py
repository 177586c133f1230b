"""What is kept costs a month once a year of it lies there, in the tiers that S3 moves it to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kedge.config.model import ModelConfig
from kedge.config.prices import (
    INFREQUENT_AFTER_DAYS,
    INSTANT_AFTER_DAYS,
    PAST_VERSION_DAYS,
    TIERED_AFTER_DAYS,
    TIERED_BYTES_MIN,
    USD,
)
from kedge.cost.lines import Line, Part
from kedge.cost.runs import DAYS_A_MONTH, DAYS_OF_A_RUN, LABEL_FILES_A_DAY, Traffic, parts_a_day, width_of
from kedge.cost.work import Coefficients

GB = 1e9
DAYS_KEPT = 365
ID_BYTES = 8
# An assumption: a label's row is looked for in the last 30 days.
SEARCHED_DAYS = 30
# The report in its two forms, what was measured, three rows of the history, and the page.
JUDGEMENT_OBJECTS = 7


@dataclass(frozen=True)
class Stored:
    """What comes in a day and stays; `read_days` is the age up to which it is read at least once a month."""

    what: str
    bytes_a_day: float
    objects_a_day: float
    read_days: float = 0.0
    days: float = DAYS_KEPT


def storage_lines(part: Part, kept: Iterable[Stored]) -> Iterator[Line]:
    """A line for each thing that is kept, at the mean price of its tiers, and two for what moving and watching it costs."""
    moved = watched = 0.0
    for each in kept:
        yield Line(part, f"S3 GB after a year: {each.what}", each.bytes_a_day * each.days / GB, "S3 GB", gb_usd(each))
        large = each.objects_a_day * _large(each)[0]
        moved += large * DAYS_A_MONTH
        watched += large * max(0.0, each.days - TIERED_AFTER_DAYS)
    # Less than one object is none.
    if watched >= 1:
        yield Line(part, "S3 Intelligent-Tiering, objects moved there", moved, "S3 object moved")
        yield Line(part, "S3 Intelligent-Tiering, objects watched", watched, "S3 object watched")


def gb_usd(kept: Stored) -> float:
    """USD a month for a gigabyte of it, of all ages together.

    >>> [round(gb_usd(kept), 4) for kept in (Stored("a", 1e9, 10), Stored("b", 1e9, 1e6), Stored("c", 1e9, 10, read_days=365))]
    [0.0073, 0.023, 0.023]
    """
    last_read = max(TIERED_AFTER_DAYS, kept.read_days)
    frequent = min(kept.days, last_read + INFREQUENT_AFTER_DAYS)
    infrequent = min(kept.days, last_read + INSTANT_AFTER_DAYS) - frequent
    instant = kept.days - frequent - infrequent
    usd = frequent * USD["S3 GB"] + infrequent * USD["S3 GB infrequent"] + instant * USD["S3 GB instant"]
    large = _large(kept)[1]
    return large * usd / kept.days + (1 - large) * USD["S3 GB"]


def _large(kept: Stored) -> tuple[float, float]:
    """The share of the objects that are large enough to be moved, and of the bytes in them.

    Sizes differ with the hour of the day: they are taken to be exponential around their mean.
    """
    ratio = TIERED_BYTES_MIN * kept.objects_a_day / kept.bytes_a_day
    return math.exp(-ratio), (1 + ratio) * math.exp(-ratio)


def kept_of_model(
    config: ModelConfig, traffic: Traffic, measured: Coefficients, *, changes_a_month: float
) -> list[Stored]:
    """What watching a model leaves, apart from its captures."""
    sizes, width, rows = measured.sizes, width_of(config, measured), traffic.counted_a_day
    window, counted, judged = config.cadence.window_days, *_runs_a_day(config)
    # A retraining reads all rows and labels of its window.
    learns = changes_a_month and config.mode == "manage"
    read = float(window)
    if learns:
        read = max(read, DAYS_KEPT if config.training.window == "expanding" else config.training.window_days)
    parts, replaced = parts_a_day(config.cadence.profile, traffic), PAST_VERSION_DAYS * (counted - 1)
    return [
        Stored("predictions", rows * sizes["part_row"] * width, parts, read),
        Stored("ids of the predictions", rows * ID_BYTES, parts, SEARCHED_DAYS),
        Stored("labels as they came", traffic.rows_a_day * sizes["label"], LABEL_FILES_A_DAY),
        Stored("labels by day", rows * sizes["label_row"], 1, read),
        Stored("profiles", sizes["day_object"] * width * (1 + replaced / DAYS_KEPT), 1, window),
        Stored("reports and history", sizes["judgement"] * width * judged, JUDGEMENT_OBJECTS * judged),
    ]


def captures_of(config: ModelConfig, traffic: Traffic) -> list[Stored]:
    """What an endpoint's captures leave; one that was deleted is a past version for a while."""
    expire_days = config.capture.expire_days
    days = DAYS_KEPT if expire_days is None else min(DAYS_KEPT, expire_days + PAST_VERSION_DAYS)
    return [Stored("captures", traffic.rows_a_day * traffic.bytes_a_row, traffic.objects_a_day, days=days)]


def _runs_a_day(config: ModelConfig) -> tuple[float, float]:
    return 1 / DAYS_OF_A_RUN[config.cadence.profile], 1 / DAYS_OF_A_RUN[config.cadence.judge]
