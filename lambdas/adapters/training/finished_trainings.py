"""The training that finished last, per model: a run whose inputs are the same may use it where the run that paid it failed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from lambdas.adapters import executions
from lambdas.adapters.bucket import layout, objects
from lambdas.adapters.training import artefacts

# Of an execution that ended without a registered challenger or a refusal.
_CAME_TO_NOTHING = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class FinishedTraining:
    """A training job whose artefact is pinned: what it was given, the run that trained, and the execution that used it last."""

    inputs: str
    run: str
    job: str
    artefact_uri: str
    sha256: str
    execution: str

    @property
    def is_used_twice(self) -> bool:
        """Whether another run than the one that trained has used it."""
        return executions.machine_and_run(self.execution)[1] != self.run


def save(s3: Any, bucket: str, model: str, training: FinishedTraining) -> None:
    """Note what has finished, in the place of what finished before: a model has one retraining at a time."""
    s3.put_object(
        Bucket=bucket, Key=layout.finished_training_key(model), Body=json.dumps(asdict(training), indent=1).encode()
    )


def find(s3: Any, stepfunctions: Any, bucket: str, *, model: str, inputs: str) -> FinishedTraining | None:
    """The training with these inputs whose run came to nothing, its artefact unchanged; None where a job must train.

    It is used a second time once only: if the model itself is what makes runs fail, the third run trains anew. After a run that
    succeeded, equal inputs are trained anew too: whoever asks again wants another model.
    """
    read = objects.read(s3, bucket, layout.finished_training_key(model))
    if read is None:
        return None
    try:
        found = FinishedTraining(**json.loads(read[0]))
    except (ValueError, TypeError):
        # Another version of Kedge wrote it: a note that saves money must not end a retraining.
        return None
    if found.inputs != inputs or found.is_used_twice:
        return None
    if executions.status(stepfunctions, found.execution) not in _CAME_TO_NOTHING:
        return None
    kept = artefacts.digest(s3, bucket, layout.artefact_key(model, found.job))
    return found if kept == found.sha256 else None
