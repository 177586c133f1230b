"""The transform jobs that began on one day: which of their files are there to be counted, and each file as captured records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from kedge.capture.records import Quarantined
from kedge.capture.source import source_of
from kedge.capture.transform_jobs import Manifest, TransformJob, input_of
from kedge.capture.transform_records import transform_records
from kedge.config.capture_place import CapturePlace
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableTransformError
from kedge.profile.counted_objects import KnownObjects
from lambdas.adapters.captures import transform_captures
from lambdas.adapters.captures.inference_logs import Captured
from lambdas.adapters.captures.transform_captures import StoredFile
from lambdas.adapters.transform_jobs import TransformJobs

# A job's files are uploaded before it says that it has ended; SageMaker's clock is not S3's.
_CLOCKS_DIFFER = timedelta(minutes=5)
# How large a file is taken to be before it is read: some are counted and saved together.
_ASSUMED_BYTES = 4 * 2**20
# Records are handed on in stretches of about this size.
_STRETCH_BYTES = 2**20
# What stands between a manifest's key and the number of one of its files.
_FILE = "#"


@dataclass(frozen=True)
class TransformDay:
    """One day below one destination.

    A file is counted under its manifest's key and its number there. A manifest is never replaced, while the files that it names
    often are: by tomorrow's job of the same output path.
    """

    s3: Any
    jobs: TransformJobs
    place: CapturePlace
    config: ModelConfig
    day: date
    manifests: dict[str, Manifest] = field(default_factory=dict)
    _inputs: dict[datetime, list[Manifest]] = field(default_factory=dict)

    def listing(self) -> dict[str, Captured]:
        """Each file of each output manifest, in the order in which the jobs ended; a job that has not ended has no manifest.

        A file is known by its manifest's ETag, and not looked at before it is read.
        """
        (folder,) = source_of(self.config).folders(self.config, self.day)
        found = transform_captures.list_manifests(self.s3, self.place, folder)
        self._inputs.clear()
        self.manifests.clear()
        self.manifests.update((manifest.key, manifest) for manifest in found)
        return {key: Captured(m.etag, _ASSUMED_BYTES) for m in self.manifests.values() for key in files_of(m)}

    def job_of(self, manifest: Manifest) -> TransformJob:
        """The job that wrote a manifest.

        Raises
        ------
        UnreadableTransformError
            SageMaker knows no such job, or it did not complete.
        """
        job = self.jobs.of_manifest(manifest, self.place.uri)
        if job is None:
            raise UnreadableTransformError(
                reason="no transform job of this account wrote this manifest, as far as SageMaker lists them"
            )
        if job.status != "Completed":
            raise UnreadableTransformError(
                reason=f"the transform job {job.name} is {job.status}: only completed jobs count"
            )
        return job

    def open(self, key: str, aside: list[Quarantined]) -> Iterator[bytes] | None:
        """The records of one file, a line each; None while its job has not ended."""
        job = self.jobs.of_manifest(self._named(key)[0], self.place.uri)
        return None if job is not None and job.ended is None else self._records(key, aside)

    def _records(self, key: str, aside: list[Quarantined]) -> Iterator[bytes]:
        """Yield what can be read; what cannot goes aside with its reason, and the rest of the file with it."""
        done, held = 0, bytearray()
        try:
            manifest, name = self._named(key)
            job = self.job_of(manifest)
            asked = self._input(manifest, name, job)
            if self._read_before(manifest, name, asked):
                return
            answered = self._output(manifest, name, job)
            place = f"{manifest.key.rpartition('/')[2]}{_FILE}{key.rpartition(_FILE)[2]}"
            sides = transform_captures.side_of(self.s3, asked), transform_captures.side_of(self.s3, answered)
            for number, record in transform_records(job, place, *sides, self.config):
                held += record + b"\n"
                done = number
                if len(held) > _STRETCH_BYTES:
                    yield bytes(held)
                    held.clear()
        except UnreadableTransformError as error:
            aside.append(Quarantined(key, done + 1, error.reason, ""))
        yield bytes(held)

    def repeats(self, manifest: Manifest) -> TransformJob | None:
        """The earlier job whose input a job has read once more; its answers are not counted a second time."""
        job = self.job_of(manifest)
        for name in manifest.names:
            if earlier := self._read_before(manifest, name, self._input(manifest, name, job)):
                return earlier
        return None

    def _named(self, key: str) -> tuple[Manifest, str]:
        where, _, number = key.rpartition(_FILE)
        return self.manifests[where], self.manifests[where].names[int(number)]

    def _input(self, manifest: Manifest, name: str, job: TransformJob) -> StoredFile:
        hour = manifest.hour
        if hour not in self._inputs:
            self._inputs[hour] = transform_captures.list_manifests(self.s3, self.place, f"input/{hour:%Y/%m/%d/%H}/")
        uri = input_of(name, self._inputs[hour], job)
        if uri is None:
            raise UnreadableTransformError(reason=f"no manifest of {job.name} names the input of this file")
        found = transform_captures.find_file(self.s3, uri)
        if found is None:
            raise UnreadableTransformError(reason=f"the input of {job.name} is gone: keep it until it was counted")
        if job.began is not None and found.modified > job.began:
            raise UnreadableTransformError(
                reason=f"the input was replaced after {job.name} began: give each job's input a name of its own"
            )
        return found

    def _output(self, manifest: Manifest, name: str, job: TransformJob) -> StoredFile:
        found = transform_captures.find_file(self.s3, f"{manifest.prefix.rstrip('/')}/{name}")
        if found is None:
            raise UnreadableTransformError(reason=f"the output of {job.name} is gone: keep it until it was counted")
        if job.ended is not None and found.modified > job.ended + _CLOCKS_DIFFER:
            raise UnreadableTransformError(
                reason=f"the output was replaced after {job.name} ended: give each job an output path of its own"
            )
        return found

    def _read_before(self, manifest: Manifest, name: str, asked: StoredFile) -> TransformJob | None:
        """The job of the same day that ended earlier and read the same content."""
        for other in self.manifests.values():
            if other.key == manifest.key:
                return None
            if name not in other.names:
                continue
            try:
                job = self.job_of(other)
                if self._input(other, name, job) == asked:
                    return job
            except UnreadableTransformError:
                continue
        return None


def files_of(manifest: Manifest) -> list[str]:
    """Under which keys the files of a manifest are counted."""
    return [f"{manifest.key}{_FILE}{number}" for number in range(len(manifest.names))]


def is_counted(manifest: Manifest, counted: KnownObjects) -> bool:
    """Whether each file of a manifest was read."""
    return all(counted.has_counted(key, manifest.etag) for key in files_of(manifest))
