"""Count a day of a model on Spark, for more rows than `profile_logs` carries: the same parts, the same day object, the same counts.

`spark-submit --py-files kedge.zip count_on_spark.py BUCKET MODEL PACKAGE DAY`, as a job of EMR Serverless after each hour, in an
image with requirements.lock. Kedge's own code reads, counts and saves. Spark does what one function cannot: it looks for an id among
all of a day by a shuffle. What follows the day object (windows, labels, pages) goes on as before. For a model with `source: endpoint`
and one production variant, whose package is not tried beside another, and with `cadence.profile: weekly`: see docs/scale.md. A task
reads an object whole.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kedge.capture.id_hashes import hash_ids, in_sample
from kedge.capture.records import parse_capture_files
from kedge.own_columns import EVENT_ID, HOUR, ROW_ID, TIME
from kedge.profile.counted_objects import CountedObjects
from kedge.profile.day import DayProfile, decode_day, encode_day
from lambdas.adapters import clients, models
from lambdas.adapters.bucket import baselines, days, package_schemas, predictions
from lambdas.adapters.bucket.history import save_parts
from lambdas.adapters.captures import inference_logs
from lambdas.steps.counting.counting_place import CountingPlace

# What an object held beside its rows, as JSON: stands in a row of its own.
OBJECT = "of_object"
# Rows of a part, which is counted at once.
PART_ROWS = 500_000


@dataclass(frozen=True)
class DayTasks:
    """What runs beside each other, on any machine: each takes Arrow batches and gives Arrow batches, as `mapInArrow` wants."""

    place: CountingPlace

    @property
    def row_schema(self) -> pa.Schema:
        """Of what is read."""
        return parse_capture_files([], self.place.config).table.schema.append(pa.field(OBJECT, pa.string()))

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Read the objects of the column `key`: their rows, and of each what else it held."""
        for key in (key for batch in batches for key in batch.column("key").to_pylist()):
            for _, found in inference_logs.open_lines(clients.s3(), self.place.captures.bucket, [key]):
                rows, said = self._rows(key, b"".join(found.content))
                yield from rows.append_column(OBJECT, pa.nulls(rows.num_rows, pa.string())).to_batches()
                yield self._alone(json.dumps({"key": key, "etag": found.etag, **said}))

    def ids(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Read the ids of the parts of the column `key`."""
        for key in (key for batch in batches for key in batch.column("key").to_pylist()):
            found = predictions.load_parts(clients.s3(), self.place.bucket, [key], [ROW_ID])
            yield from found.to_batches() if found is not None else ()

    def count(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Save rows that are counted nowhere as parts, and count each: the column `day` holds days that add."""
        held, rows = list[pa.RecordBatch](), 0
        for batch in batches:
            held, rows = [*held, batch], rows + batch.num_rows
            if rows >= PART_ROWS:
                yield self._counted(held)
                held, rows = [], 0
        if rows:
            yield self._counted(held)

    def day_of(self, objects: Iterable[str], counted: Iterable[bytes]) -> DayProfile:
        """What the objects held, together with the counts of their rows."""
        said = [json.loads(each) for each in objects]
        new = reduce(DayProfile.folded, map(decode_day, counted), DayProfile())
        read = sum(each["rows"] for each in said)
        return replace(
            new,
            counted=CountedObjects.of({each["key"]: each["etag"] for each in said}),
            quarantined=sum(each["quarantined"] for each in said),
            duplicates=read - sum(new.rows.values()),
            requests=_hours(each["requests"] for each in said),
            left_out=_hours(each["left_out"] for each in said),
            folders=tuple(folder.prefix for folder in self.place.folders if said),
        )

    def _rows(self, key: str, content: bytes) -> tuple[pa.Table, dict[str, Any]]:
        place = self.place
        batch = parse_capture_files([(key, content)], place.config)
        if batch.quarantined:
            place.keep_aside(batch.quarantined)
        chosen = pa.array(in_sample(hash_ids(batch.table.column(ROW_ID)), place.config.capture.counted_percentage))
        rows = batch.table.filter(chosen)
        left_out = Counter(batch.table.filter(pc.invert(chosen)).column(HOUR).to_pylist())
        said = {"rows": rows.num_rows, "quarantined": len(batch.quarantined), "left_out": left_out}
        return rows, said | {"requests": batch.requests_by_hour()}

    def _alone(self, said: str) -> pa.RecordBatch:
        columns = [pa.array([said]) if field.name == OBJECT else pa.nulls(1, field.type) for field in self.row_schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.row_schema)

    def _counted(self, held: list[pa.RecordBatch]) -> pa.RecordBatch:
        rows = pa.Table.from_batches(held).select(self.row_schema.names[:-1]).cast(pa.schema([*self.row_schema][:-1]))
        ids = rows.column(ROW_ID)
        # Named after its rows: a task that Spark runs twice writes the same part twice.
        found = self.place.save_rows(rows, hash_ids(ids), sorted(ids.to_pylist()))
        return pa.RecordBatch.from_pydict({"day": [encode_day(found)]})


def place_of(bucket: str, model: str, package: str, day: date) -> CountingPlace:
    """The package's day, with the baseline and the schema that it was released with."""
    s3 = clients.s3()
    config = package_schemas.load(s3, bucket, models.load_model(model, bucket), package)
    if config.source != "endpoint" or config.endpoint.variants:
        raise SystemExit(
            f"{model}: this job counts what one variant of an endpoint captured; profile_logs counts this model"
        )
    return CountingPlace(bucket, config, package, baselines.load_baseline(s3, bucket, model, package), day)


def count_day(spark: Any, place: CountingPlace) -> DayProfile:
    """Count what is new of a day, and replace its object; where another has replaced it meanwhile, nothing is lost: run it again."""
    from pyspark.sql import Window, functions
    from pyspark.sql.pandas.types import from_arrow_schema

    spark.conf.set("spark.sql.session.timeZone", "UTC")
    s3, tasks = clients.s3(), DayTasks(place)
    known, etag = days.load_day(s3, place.bucket, place.key)
    look = place.look(known, lambda _: True)
    new = [(each.key,) for each in look.new()]
    if look.is_stale:
        raise SystemExit("an object that is counted has changed or vanished: profile_logs counts the day again")
    if not new:
        return known
    read = _frame(spark, new).mapInArrow(tasks.read, from_arrow_schema(tasks.row_schema)).persist()
    ids = _frame(spark, [(part,) for part in known.parts]).mapInArrow(tasks.ids, f"{ROW_ID} string")
    rows = read.where(functions.col(OBJECT).isNull()).join(ids, ROW_ID, "left_anti")
    # Of rows with one id the earliest counts.
    nth = functions.row_number().over(Window.partitionBy(ROW_ID).orderBy(TIME, EVENT_ID))
    once = rows.withColumn("nth", nth).where("nth = 1").drop("nth")
    counted = [bytes(each.day) for each in once.mapInArrow(tasks.count, "day binary").collect()]
    objects = [each[0] for each in read.where(functions.col(OBJECT).isNotNull()).select(OBJECT).collect()]
    folded = known.folded(tasks.day_of(objects, counted))
    if not days.save_day(s3, place.bucket, place.key, folded, etag=etag):
        raise SystemExit(f"another run has counted {place.key} meanwhile: run the job again")
    save_parts(s3, place.bucket, place.key, folded.parts)
    return folded


def _frame(spark: Any, keys: list[tuple[str]]) -> Any:
    # A task for some keys: one for each would cost more than most objects.
    wide = max(1, min(len(keys), 8 * spark.sparkContext.defaultParallelism))
    return spark.createDataFrame(keys, "key string").repartition(wide)


def _hours(each: Iterable[dict[str, int]]) -> dict[int, int]:
    found = Counter[int]()
    for hours in each:
        found.update({int(hour): count for hour, count in hours.items()})
    return dict(found)


if __name__ == "__main__":
    from pyspark.sql import SparkSession

    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    bucket, model, package, day = sys.argv[1:]
    asked = place_of(bucket, model, package, date.fromisoformat(day))
    print(sum(count_day(SparkSession.builder.getOrCreate(), asked).rows.values()), "rows are counted")
