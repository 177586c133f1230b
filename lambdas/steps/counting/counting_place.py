"""One package's day: where its captures lie, and where its counts and rows go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa

from kedge.arrays import Hashes
from kedge.capture.records import Quarantined
from kedge.capture.source import day_folder, source_of
from kedge.capture.typed_rows import typed_predictions
from kedge.columns.margins import with_margins
from kedge.config.capture_place import CapturePlace, capture_place
from kedge.config.model import ModelConfig
from kedge.own_columns import HOUR, TIME
from kedge.profile.baseline import Baseline
from kedge.profile.counting import count_rows_by_hour
from kedge.profile.day import DayProfile
from lambdas.adapters import clients
from lambdas.adapters.bucket import counted_ids, days, layout, predictions
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.transform_jobs import TransformJobs
from lambdas.steps.counting.day_look import DayLook, Folder
from lambdas.steps.counting.transform_day import TransformDay


@dataclass(frozen=True)
class CountingPlace:
    """One package's day; of one that only gains, objects that changed or vanished stay counted as they were.

    `beside` are prefixes of the data bucket with what it answered beside a champion, below whose captures these lie. `after` is the
    key behind which an earlier run stopped.
    """

    bucket: str
    config: ModelConfig
    package_version: str
    baseline: Baseline
    day: date
    only_gains: bool = False
    beside: tuple[str, ...] = ()
    after: str = ""

    @property
    def key(self) -> str:
        """Where the day is kept."""
        return layout.profile_day_key(self.config.model, self.package_version, self.baseline.baseline, self.day)

    @property
    def captures(self) -> CapturePlace:
        """Where the package's captures lie."""
        return capture_place(self.config, self.package_version, data_bucket=self.bucket)

    @cached_property
    def transforms(self) -> TransformDay | None:
        """The day's transform jobs, where the model answers in these."""
        if not source_of(self.config).by_manifest:
            return None
        return TransformDay(clients.s3(), TransformJobs(clients.sagemaker()), self.captures, self.config, self.day)

    @property
    def folders(self) -> list[Folder]:
        """Where its capture objects lie."""
        source, captures, own = source_of(self.config), self.captures, CapturePlace(self.bucket, "")
        return [
            *(Folder(captures, captures.of(f), source.extension) for f in source.folders(self.config, self.day)),
            *(Folder(own, day_folder(f"{prefix}/", self.day), source.extension) for prefix in self.beside),
        ]

    def by_variant(self, keys: list[str]) -> dict[str | None, list[str]]:
        """The objects by the production variant that wrote them; under None where the model has only one."""
        if not self.config.endpoint.variants:
            return {None: keys}
        prefixes = inference_logs.day_prefixes(self.captures, self.config, self.day)
        found = {name: [key for key in keys if key.startswith(prefix)] for name, prefix in prefixes.items()}
        return {name: theirs for name, theirs in found.items() if theirs}

    def look(self, known: DayProfile, has_time: Callable[[float], bool], after: str = "") -> DayLook:
        """Begin to look through its objects, behind a key or from the first one."""
        counted = days.load_counted(clients.s3(), self.bucket, known.counted)
        listed = self.folders if self.transforms is None else self.transforms.listing
        return DayLook(listed, counted, has_time, only_gains=self.only_gains or known.expired, after=after)

    def keep_aside(self, records: Sequence[Quarantined]) -> None:
        """Keep what cannot be read beside the counts, with its reason."""
        predictions.quarantine(
            clients.s3(),
            self.bucket,
            model=self.config.model,
            package_version=self.package_version,
            day=self.day,
            records=records,
        )

    def save_rows(self, rows: pa.Table, hashes: Hashes, named: Iterable[str]) -> DayProfile:
        """Write a part of rows that stand in no other one, named after what it is made of, and count them."""
        s3, config = clients.s3(), self.config
        part = predictions.part_key(config.model, self.package_version, self.day, named)
        counted_ids.save_hashes(s3, self.bucket, part, hashes)
        predictions.save_part(s3, self.bucket, part, typed_predictions(rows, config, config.row_identifiers))
        hours = rows.column(HOUR).to_numpy()
        found = count_rows_by_hour(self.baseline, with_margins(rows, config), hours, times=TIME)
        return DayProfile(found, parts=(part,))
