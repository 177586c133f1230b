"""A version that is tried beside the champion for days: the state table's `experiment` item, and what both answered, in the bucket."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.instants import from_text, to_text
from kedge.own_columns import ROW_ID
from kedge.release.look_table import LookRow
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.state import state_items

ITEM = "experiment"
OF_CHAMPION, OF_CHALLENGER = "champion", "challenger"
# Of a shadow what both answered to a request; of an A/B test what one of them did, and the columns that business figures count.
PAIRS = pa.schema([(ROW_ID, pa.string()), (OF_CHAMPION, pa.float64()), (OF_CHALLENGER, pa.float64())])
ANSWER = "answer"


def divided_schema(columns: Sequence[str]) -> pa.Schema:
    """The rows of an A/B test: whose answer it is, and the columns of the requests that are kept."""
    kept = [(name, pa.float64()) for name in columns]
    return pa.schema([(ROW_ID, pa.string()), (OF_CHALLENGER, pa.bool_()), (ANSWER, pa.float64()), *kept])


@dataclass(frozen=True)
class Experiment:
    """One experiment, and what the last look at it said.

    Attributes
    ----------
    champion_version : str
        The version that serves meanwhile.
    endpoint_config, previous_config : str
        The config in which both are, and the champion's own, which serves again afterwards.
    strategy : str
        How it is tried: as a `shadow`, or as `ab`, which answers a share of the requests.
    share : float
        Which share of the requests it was given.
    began : datetime or None
        When both began to answer, as the first look saw it.
    read_until : datetime or None
        The hour up to which the captures have been read.
    verdict : str
        GOING_ON; then PROVED or WITHDRAWN, which does not change any more.
    """

    run: str
    package_arn: str
    package_version: str
    champion_version: str
    endpoint_config: str
    previous_config: str
    planned_at: datetime
    began: datetime | None = None
    read_until: datetime | None = None
    verdict: str = "GOING_ON"
    reasons: tuple[str, ...] = ()
    table: tuple[LookRow, ...] = ()
    strategy: str = "shadow"
    share: float = 1.0

    @property
    def is_decided(self) -> bool:
        """Whether the verdict is the last one."""
        return self.verdict != "GOING_ON"


def save(dynamodb: Any, table: str, model: str, experiment: Experiment) -> None:
    """Remember the latest look."""
    item: dict[str, Any] = {
        **state_items.key(model, ITEM),
        **{
            name: {"S": getattr(experiment, name)}
            for name in (
                *("run", "package_arn", "package_version", "champion_version"),
                *("endpoint_config", "previous_config", "verdict", "strategy"),
            )
        },
        "planned_at": {"S": to_text(experiment.planned_at)},
        "share": {"N": str(experiment.share)},
        "reasons": {"L": [{"S": reason} for reason in experiment.reasons]},
        "table": {
            "L": [{"M": {name: {"S": said} for name, said in row.to_json().items()}} for row in experiment.table]
        },
    }
    for name in ("began", "read_until"):
        if (moment := getattr(experiment, name)) is not None:
            item[name] = {"S": to_text(moment)}
    state_items.put(dynamodb, table, item)


def load(dynamodb: Any, table: str, model: str, run: str) -> Experiment | None:
    """Read the experiment of a run; None where there is none, or only another run's."""
    found = read(state_items.load(dynamodb, table, state_items.key(model, ITEM)))
    return found if found is not None and found.run == run else None


def read(item: Mapping[str, Any] | None) -> Experiment | None:
    """Read the item; None where there is none."""
    return state_items.read(item, _experiment) if item is not None else None


def forget(dynamodb: Any, table: str, model: str, run: str) -> None:
    """Remove the item of this run; another run's is left alone."""
    condition = "attribute_not_exists(#run) OR #run = :run"
    state_items.delete_if(dynamodb, table, state_items.key(model, ITEM), condition, run={"S": run})


def _experiment(item: Mapping[str, Any]) -> Experiment:
    return Experiment(
        run=item["run"]["S"],
        package_arn=item["package_arn"]["S"],
        package_version=item["package_version"]["S"],
        champion_version=item["champion_version"]["S"],
        endpoint_config=item["endpoint_config"]["S"],
        previous_config=item["previous_config"]["S"],
        planned_at=from_text(item["planned_at"]["S"]),
        began=from_text(item["began"]["S"]) if "began" in item else None,
        read_until=from_text(item["read_until"]["S"]) if "read_until" in item else None,
        verdict=item["verdict"]["S"],
        reasons=tuple(reason["S"] for reason in item["reasons"]["L"]),
        table=tuple(LookRow(**{name: said["S"] for name, said in row["M"].items()}) for row in item["table"]["L"]),
        # What an earlier version of Kedge began is a shadow, whose share nothing reads.
        strategy=item["strategy"]["S"] if "strategy" in item else "shadow",
        share=float(item["share"]["N"]) if "share" in item else 1.0,
    )


def save_hour(s3: Any, bucket: str, model: str, run: str, hour: datetime, rows: pa.Table) -> None:
    """Keep what was answered in an hour; a look that is repeated writes the same again."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="snappy", use_dictionary=False)
    s3.put_object(Bucket=bucket, Key=layout.experiment_hour_key(model, run, hour), Body=sink.getvalue())


def load_hours(s3: Any, bucket: str, model: str, run: str, schema: pa.Schema) -> pa.Table:
    """What was answered in all hours that were read; a column that an hour was kept without has no values."""
    import pyarrow.parquet as pq

    found = [schema.empty_table()]
    for key in sorted(objects.list_objects(s3, bucket, layout.experiment_prefix(model, run))):
        content = objects.read(s3, bucket, key)
        if content is not None:
            hour = pq.ParquetFile(pa.BufferReader(content[0])).read(use_threads=False)
            missing = [field for field in schema if field.name not in hour.column_names]
            for field in missing:
                hour = hour.append_column(field, pa.nulls(hour.num_rows, field.type))
            found.append(hour.select(schema.names).cast(schema))
    return pa.concat_tables(found)
