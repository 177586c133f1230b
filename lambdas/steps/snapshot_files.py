"""The files of a snapshot: rows to learn from, rows to score, their truth, and the manifest that vouches for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import pyarrow as pa

from kedge.package_schema import encode_schema
from kedge.retraining.learning import learning_files
from kedge.retraining.permutation import permuted_rows
from kedge.retraining.rows import champion_rows, scoring_payload
from kedge.retraining.snapshot import Origin, Split, file_entry, snapshot_manifest, unscorable_sentence
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.bucket.uploads import Upload
from lambdas.adapters.training import training_data
from lambdas.adapters.training.transform_outputs import PERMUTED
from lambdas.steps.retraining_run import RetrainingRun, scored_file

PARQUET, JSON = "application/vnd.apache.parquet", "application/json"


@dataclass(frozen=True)
class SnapshotFile:
    """What writes a file's content, and its type; `rows` where the manifest tells of them."""

    write: Callable[[IO[bytes]], Any]
    content_type: str
    rows: pa.Table | None = None


def write_snapshot(
    run: RetrainingRun, split: Split, origin: Origin, notes: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Write the files, then the manifest; return the snapshot as the machine passes it on, and the digests of what the job learns from."""
    files = snapshot_files(run, split)
    entries = {name: save(run, name, file) for name, file in files.items()}
    manifest = snapshot_manifest(
        model=run.model,
        run=run.run,
        origin=origin,
        notes=[*notes, *unscorable_notes(split)],
        files=entries,
    )
    save(run, layout.MANIFEST, SnapshotFile(chunks([json.dumps(manifest, indent=1).encode()]), JSON))
    held_out = manifest["files"][layout.TRUTH]
    learnt = {
        name: entry["sha256"]
        for name, entry in manifest["files"].items()
        if name.startswith((layout.LEARNT, layout.VALIDATED))
    }
    snapshot = {
        "prefix": layout.retraining_prefix(run.model, run.run),
        "train_uri": run.uri(layout.LEARNT),
        "holdout_uri": run.uri(scored_file(run.config, "rows")),
        "manifest_uri": run.uri(layout.MANIFEST),
        "train_rows": split.training.num_rows,
        "holdout_rows": split.holdout.num_rows,
        "holdout_start": held_out["first"],
        "holdout_end": held_out["last"],
        "unscorable_rows": split.unscorable,
        "training_end": f"{split.training_end:%Y-%m-%dT%H:%M:%SZ}",
        "digest": manifest["digest"],
    }
    return snapshot, learnt


def snapshot_files(run: RetrainingRun, split: Split) -> dict[str, SnapshotFile]:
    """Everything that is kept of a retraining's rows, by name."""
    config, training, holdout = run.config, split.training, split.holdout
    kind = config.endpoint.content_type
    files = {
        **{
            name: SnapshotFile(chunks(content), "text/csv" if name.endswith(".csv") else JSON, rows)
            for name, (content, rows) in learning_files(training, config).items()
        },
        layout.TRAINING_ROWS: parquet(training),
        scored_file(config, "rows"): SnapshotFile(chunks(scoring_payload(holdout, config)), kind, holdout),
        layout.TRUTH: parquet(holdout),
        # A YAML that changes while this runs belongs to the next run.
        layout.SCHEMA: SnapshotFile(chunks([encode_schema(config)]), JSON),
    }
    if schema := run.champions_schema:
        rows = scoring_payload(champion_rows(holdout, schema), schema)
        files[run.champions_rows()] = SnapshotFile(chunks(rows), schema.endpoint.content_type, holdout)
    permuted = permuted_rows(holdout, config)
    if permuted.num_rows:
        files[scored_file(config, PERMUTED)] = SnapshotFile(chunks(scoring_payload(permuted, config)), kind)
    return files


def chunks(content: Iterable[bytes]) -> Callable[[IO[bytes]], Any]:
    """Write what is made a stretch after the other."""
    return lambda file: file.writelines(content)


def parquet(rows: pa.Table) -> SnapshotFile:
    """A file of rows that Kedge reads again."""
    return SnapshotFile(partial(training_data.write_table, rows), PARQUET, rows)


def save(run: RetrainingRun, name: str, file: SnapshotFile) -> dict[str, Any]:
    """Put one file in its place, and describe it; a rerun writes the same bytes to the same key."""
    key = layout.retraining_key(run.model, run.run, name)
    upload = Upload(clients.s3(), run.bucket, key, content_type=file.content_type)
    file.write(upload)  # type: ignore[arg-type]  # typeshed's IO has more than a raw file
    upload.finish()
    return file_entry(file.rows, sha256=upload.sha256, size=upload.tell())


def unscorable_notes(split: Split) -> list[str]:
    """What the manifest and the approver are told of rows that no batch transform can take."""
    return [unscorable_sentence(split.unscorable)] if split.unscorable else []
