"""The tables of the history: the one list of their columns, read by the writer, the Glue catalogue and the documentation.

The files of past years stay as they are. So a column is only ever added, at the end of its table, and never changes its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "count", "time", "flag"]

# When a row was written: of two rows of the same identity the later one counts.
WRITTEN_AT = "written_at"
# The partition: year and month of the table's `time`.
MONTH = "month"


@dataclass(frozen=True)
class HistoryColumn:
    """A column, its kind, and what it says."""

    name: str
    kind: Kind
    says: str


@dataclass(frozen=True)
class HistoryTable:
    """A table of the history.

    Attributes
    ----------
    identity : tuple of str
        The columns that name one object: a window, an entry. What is written of it later replaces all its rows.
    row : tuple of str
        The columns that tell the rows of one object apart.
    time : str
        The column that gives the month.
    """

    name: str
    says: str
    identity: tuple[str, ...]
    row: tuple[str, ...]
    time: str
    columns: tuple[HistoryColumn, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name one row.

        >>> TABLES["metrics"].key
        ('model', 'package', 'window_end', 'kind', 'metric', 'subject')
        """
        return (*self.identity, *self.row)


_MODEL = HistoryColumn("model", "text", "the model")
_PACKAGE = HistoryColumn("package", "text", "version of the model package that answered")
_WINDOW = (
    _MODEL,
    _PACKAGE,
    HistoryColumn("window_start", "time", "start of the window, UTC"),
    HistoryColumn("window_end", "time", "end of the window, UTC; it is not in the window"),
)
_OF_WINDOW = ("model", "package", "window_end")
_SEVERITY = HistoryColumn("severity", "text", "`INSUFFICIENT_DATA`, `OK`, `WARNING` or `CRITICAL`; empty: not judged")
_LAST = HistoryColumn(WRITTEN_AT, "time", "when the row was written; the views show the newest rows alone")

WINDOWS = HistoryTable(
    "windows",
    "one row for each judged window",
    _OF_WINDOW,
    (),
    "window_end",
    (
        *_WINDOW,
        HistoryColumn("revision", "count", "how often the window was judged on other rows"),
        HistoryColumn("rows", "count", "rows in the window"),
        _SEVERITY,
        HistoryColumn("drift", "text", "severity of the worst column"),
        HistoryColumn("performance", "text", "severity of the measured quality"),
        HistoryColumn("estimate", "text", "severity of the estimated quality, while labels are out"),
        HistoryColumn("fairness", "text", "severity of the worst difference between groups"),
        HistoryColumn("confidence", "text", "severity of the answers' lower confidence"),
        HistoryColumn("columns_drifted", "count", "columns whose severity is WARNING or CRITICAL"),
        HistoryColumn("checks_failed", "count", "checks of the data's quality that failed"),
        HistoryColumn("coverage_fraction", "number", "share of the ripe rows that have a label"),
        HistoryColumn("ripe_rows", "count", "labelled rows that were measured"),
        HistoryColumn("sampled_fraction", "number", "share of the requests that is captured and counted"),
        HistoryColumn("reason", "text", "the first reason of the verdict"),
        HistoryColumn("report_key", "text", "the report in the data bucket"),
        _LAST,
    ),
)
METRICS = HistoryTable(
    "metrics",
    "one row for each metric of a window",
    _OF_WINDOW,
    ("kind", "metric", "subject"),
    "window_end",
    (
        *_WINDOW,
        HistoryColumn("kind", "text", "`measured`, `estimated`, `business`, `fairness` or `segment`"),
        HistoryColumn("metric", "text", "name of the metric, or of the business figure"),
        HistoryColumn("subject", "text", "the sensitive column, or the segment; empty: all rows"),
        HistoryColumn("value", "number", "its value"),
        HistoryColumn("low", "number", "lower end of the interval"),
        HistoryColumn("high", "number", "upper end of the interval"),
        HistoryColumn("reference", "number", "the value on the champion's holdout; of a segment, the same segment's"),
        HistoryColumn("limit", "number", "the limit that it must meet"),
        _SEVERITY,
        HistoryColumn("unit", "text", "unit of a business figure"),
        HistoryColumn("total", "number", "sum of a business figure over the window"),
        HistoryColumn("rows", "count", "rows behind a business figure or a segment"),
        _LAST,
    ),
)
COLUMNS = HistoryTable(
    "columns",
    "one row for each column of a window: its drift",
    _OF_WINDOW,
    ("name",),
    "window_end",
    (
        *_WINDOW,
        HistoryColumn("name", "text", "name of the column"),
        HistoryColumn("role", "text", "`feature` or `prediction`"),
        HistoryColumn("counted_as", "text", "`numeric` or `categorical`"),
        _SEVERITY,
        HistoryColumn("effect", "number", "Kolmogorov-Smirnov distance of a number, total variation of a category"),
        HistoryColumn("effect_without_drift", "number", "the effect that chance alone gives on average"),
        HistoryColumn("p_value", "number", "p-value, corrected over all tests of the window"),
        HistoryColumn("psi", "number", "population stability index"),
        HistoryColumn("missing_fraction", "number", "share of rows without a value"),
        HistoryColumn("unseen_fraction", "number", "share of rows with a level that the baseline lacks"),
        HistoryColumn("out_of_range_fraction", "number", "share of rows outside of the baseline's range"),
        HistoryColumn("unparsable_fraction", "number", "share of rows whose value is no number"),
        HistoryColumn("importance", "number", "share of the feature in the model, 0 to 1"),
        HistoryColumn("rows", "count", "rows in the window"),
        _LAST,
    ),
)
DECISIONS = HistoryTable(
    "decisions",
    "one row for each entry of the timeline",
    ("model", "entry"),
    (),
    "time",
    (
        _MODEL,
        HistoryColumn("entry", "text", "the entry's object below `audit/<model>/`"),
        HistoryColumn("time", "time", "when it happened, UTC"),
        HistoryColumn("kind", "text", "what happened, such as `canary_promoted`"),
        _SEVERITY,
        _PACKAGE,
        HistoryColumn("run", "text", "the retraining or release that it belongs to"),
        HistoryColumn("reason", "text", "why, in words"),
        HistoryColumn("detail", "text", "the whole entry as JSON"),
        _LAST,
    ),
)
DELIVERIES = HistoryTable(
    "deliveries",
    "one row for each message and channel",
    ("model", "delivery"),
    (),
    "time",
    (
        _MODEL,
        HistoryColumn("delivery", "text", "names the message and the channel; a repeated attempt has the same name"),
        HistoryColumn("time", "time", "when the message was made, UTC"),
        HistoryColumn("kind", "text", "kind of the timeline's entry"),
        _SEVERITY,
        HistoryColumn("team", "text", "the team that it went to"),
        HistoryColumn("channel", "text", "the channel, by its name in `alerts.routes`"),
        HistoryColumn("episode", "text", "the alarm episode, release or run that it is about"),
        HistoryColumn("resolved", "flag", "whether it ends the episode"),
        HistoryColumn("status", "text", "`delivered`, `refused`, or `failed`: it is tried again"),
        HistoryColumn("answer", "text", "what the channel answered: its code, never a text with a secret"),
        HistoryColumn("attempts", "count", "how often it was tried"),
        _LAST,
        HistoryColumn("answer_seconds", "number", "how long the last attempt took"),
    ),
)
TABLES = {table.name: table for table in (WINDOWS, METRICS, COLUMNS, DECISIONS, DELIVERIES)}
