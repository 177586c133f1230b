"""Labels on their way to the day on which their row was answered, and the result and cost of a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.arrays import Hashes
from kedge.capture.id_hashes import hash_ids, stand_in
from kedge.columns.ages import as_timestamps
from kedge.comparisons import counted
from kedge.config.id_times import id_time_pattern
from kedge.labels.records import INFERENCE_TIME
from kedge.own_columns import COLLECTED, FIELD, LABEL, ROW_ID, SOURCE

# For a label that has not found its row yet: its day hint, whether all days have been searched, and if not, the day down to which
# the search came before its time was over.
HINT, SEARCHED, REACHED = "hint", "searched", "reached"
_ISO_DATE = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}($|[T ])"
UNREADABLE_KEPT = 20
_REASONS_SHOWN = 3


def label_schema(fields: Sequence[str]) -> pa.Schema:
    """Columns of a label day: one label for each id."""
    extra = [(f"{FIELD}{name}", pa.string()) for name in fields]
    return pa.schema(
        [
            (ROW_ID, pa.string()),
            (LABEL, pa.string()),
            (COLLECTED, pa.timestamp("us", "UTC")),
            (SOURCE, pa.string()),
            *extra,
        ]
    )


def waiting_schema(fields: Sequence[str]) -> pa.Schema:
    """Columns of labels whose row has not been found."""
    return pa.schema([*label_schema(fields), (HINT, pa.date32()), (SEARCHED, pa.bool_()), (REACHED, pa.date32())])


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table's columns in this order; null for a column that it lacks.

    >>> in_schema(pa.table({"label": ["1"]}), pa.schema([("kedge_row_id", pa.string()), ("label", pa.string())])).to_pylist()
    [{'kedge_row_id': None, 'label': '1'}]
    """
    there = set(table.column_names)
    columns = [
        table.column(field.name) if field.name in there else pa.nulls(table.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def waiting_labels(
    records: pa.Table, *, collected: datetime, source: str, fields: Sequence[str], id_time_format: str | None
) -> pa.Table:
    """A file's labels before the search for their rows.

    Parameters
    ----------
    records : Table
        `LabelRecords.table`.
    collected : datetime
        When the file's labels were collected.
    source : str
        The file's key.

    >>> records = pa.table({"kedge_row_id": ["20160104-7"], "label": ["1"], "inference_time": pa.nulls(1, pa.string())})
    >>> found = waiting_labels(records, collected=datetime(2016, 1, 5), source="k", fields=[], id_time_format="%Y%m%d")
    >>> found.column("hint").to_pylist()
    [datetime.date(2016, 1, 4)]
    """
    rows = records.num_rows
    columns = {
        COLLECTED: pa.repeat(pa.scalar(collected, pa.timestamp("us", "UTC")), rows),
        SOURCE: pa.repeat(pa.scalar(source, pa.string()), rows),
        HINT: hinted_days(records.column(ROW_ID), records.column(INFERENCE_TIME), id_time_format),
        SEARCHED: pa.repeat(pa.scalar(False), rows),
    }
    for name, column in columns.items():
        records = records.append_column(name, column)
    return in_schema(records, waiting_schema(fields))


def hinted_days(row_ids: Any, inference_times: Any, id_time_format: str | None) -> Any:
    """The UTC day of each label's row from the label itself, else from the beginning of its id; null if neither can be read.

    >>> said = pa.array(["2016-01-04T23:30:00-02:00", "soon", None])
    >>> hinted_days(pa.array(["a", "x20160106", "x20169906"]), said, "x%Y%m%d").to_pylist()
    [datetime.date(2016, 1, 5), datetime.date(2016, 1, 6), None]
    """
    nothing = pa.scalar(None, pa.string())
    iso = pc.if_else(pc.match_substring_regex(inference_times, _ISO_DATE), inference_times, nothing)
    days = as_timestamps(iso).cast(pa.date32()) if iso.null_count < len(iso) else pa.nulls(len(iso), pa.date32())
    if id_time_format is None or not days.null_count:
        return days
    said = pc.extract_regex(row_ids, id_time_pattern(id_time_format))
    said = said.combine_chunks() if isinstance(said, pa.ChunkedArray) else said
    parts = [pc.struct_field(said, name) for name in ("year", "month", "day")]
    return pc.coalesce(days, _dates(pc.binary_join_element_wise(*parts, "-")))


def last_collected(labels: pa.Table) -> pa.Table:
    """Each id once, in the order of first appearance: its last collected label; among several, the one with the greater source, then the last.

    >>> labels = pa.table({"kedge_row_id": ["a", "b", "a"], "label": ["1", "0", "0"],
    ...                    "kedge_collected": [2, 1, 1], "kedge_source": ["k"] * 3})
    >>> last_collected(labels).column("label").to_pylist()
    ['1', '0']
    """
    ids = pc.dictionary_encode(labels.column(ROW_ID).combine_chunks())
    if len(ids.dictionary) == labels.num_rows:
        return labels
    sources = pc.dictionary_encode(labels.column(SOURCE).combine_chunks())
    # One without a source, whose index is -1, comes before all others.
    places = np.append(pc.rank(sources.dictionary), 0)[pc.fill_null(sources.indices, -1).to_numpy()]
    codes, collected = ids.indices.to_numpy(), labels.column(COLLECTED).cast(pa.int64()).to_numpy()
    order = np.lexsort((places, collected, codes))
    last = np.append(codes[order][1:] != codes[order][:-1], True)
    return labels.take(pa.array(order[last]))


def each_once(labels: pa.Table, hashes: Hashes) -> tuple[pa.Table, Hashes]:
    """Each id's last collected label, with the hash of its id; those of ids that come once stand first.

    Millions of ids are put in order by their hashes, and only those of one hash are compared as texts.

    >>> labels = pa.table({"kedge_row_id": ["a", "b", "a"], "label": ["1", "0", "0"],
    ...                    "kedge_collected": [2, 1, 1], "kedge_source": ["k"] * 3})
    >>> each_once(labels, hash_ids(labels.column("kedge_row_id")))[0].column("label").to_pylist()
    ['0', '1']
    """
    ordered = np.sort(hashes)
    again = stand_in(hashes, np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    if not again.any():
        return labels, hashes
    last = last_collected(labels.filter(pa.array(again)))
    once = labels.filter(pa.array(~again))
    return pa.concat_tables([once, last]), np.concatenate([hashes[~again], hash_ids(last.column(ROW_ID))])


def merge_labels(known: pa.Table, new: pa.Table) -> pa.Table:
    """A label day with more labels. Merging commutes, and merging again changes nothing; a file that was read again replaces itself.

    Parameters
    ----------
    known, new : Table
        Of one schema, with each id once in `known`.
    """
    return last_collected(pa.concat_tables([known, new]))


def _dates(texts: Any) -> Any:
    words = pc.dictionary_encode(texts)
    days = pa.array([_date(word) for word in words.dictionary.to_pylist()], pa.date32())
    return days.take(words.indices)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class FoldReport:
    """Labels on their way to the rows that they belong to.

    Attributes
    ----------
    files, labels, broken : int
        Label files that were read, labels in them, and records that could not be read.
    days_opened, objects_opened : int
        Days whose ids were looked through, and the objects that were read for it.
    left_out : int
        Labels of rows that are not counted, because a sample is.
    matched, waiting, unknown : int
        Labels that found their row | labels whose row may still be counted | labels that were given up.
    unknown_lately : int
    broken_lately : mapping of str to int
        The same for every file that the ledger still knows: labels given up, and broken records by reason.
    is_whole : bool
        Whether every file was read and each label has had its first search: a run's time may be over before.
    """

    files: int = 0
    labels: int = 0
    broken: int = 0
    left_out: int = 0
    days_opened: int = 0
    objects_opened: int = 0
    matched: int = 0
    waiting: int = 0
    unknown: int = 0
    unknown_lately: int = 0
    broken_lately: Mapping[str, int] = field(default_factory=dict)
    is_whole: bool = True

    def then(self, later: FoldReport) -> FoldReport:
        """Both steps of one run: their work is added, and the later one gives the state.

        >>> both = FoldReport(labels=3, waiting=2).then(FoldReport(labels=4, waiting=1))
        >>> both.labels, both.waiting
        (7, 1)
        """
        work = ("files", "labels", "broken", "left_out", "days_opened", "objects_opened", "matched", "unknown")
        return FoldReport(
            **{name: getattr(self, name) + getattr(later, name) for name in work},
            waiting=later.waiting,
            unknown_lately=later.unknown_lately,
            broken_lately=later.broken_lately,
        )

    def gauges(self) -> dict[str, float]:
        """The values for CloudWatch."""
        return {"LabelsFolded": self.matched, "LabelsUnknown": self.unknown, "LabelRecordsBroken": self.broken}

    def to_json(self) -> dict[str, Any]:
        """As the performance report holds it under "join"."""
        return {
            "label_files": self.files,
            "labels_new": self.labels,
            "labels_left_out": self.left_out,
            "labels_matched": self.matched,
            "labels_waiting": self.waiting,
            "labels_unknown": self.unknown,
            "records_broken": self.broken,
            "days_opened": self.days_opened,
            "objects_opened": self.objects_opened,
            "labels_unreadable": dict(self.most_broken[:UNREADABLE_KEPT]),
        }

    @property
    def most_broken(self) -> list[tuple[str, int]]:
        """The reasons of `broken_lately`, the most frequent first."""
        return sorted(self.broken_lately.items(), key=lambda item: (-item[1], item[0]))

    def sentences(self, *, days: int) -> tuple[str, ...]:
        """What a reader should know about the labels of the last `days` days.

        >>> FoldReport(broken_lately={"KeyError in a label record": 2}).sentences(days=30)
        ('2 label records of the last 30 days cannot be read (2 KeyError in a label record)',)
        """
        if not self.broken_lately:
            return ()
        some = ", ".join(f"{count} {reason}" for reason, count in self.most_broken[:_REASONS_SHOWN])
        return (
            f"{counted(sum(self.broken_lately.values()), 'label record')} of the last {days} days cannot be read ({some})",
        )
