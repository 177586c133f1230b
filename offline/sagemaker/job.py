"""One SageMaker job on the account's clock: from its instances' start to Completed, Failed or Stopped.

In AWS a job waits for instances, downloads, works and uploads. Here its times are drawn from its name; the work begins
when the instances would be ready, and is waited for, in real time, when it should be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from offline.sagemaker.api import Described, arn, seeded, tell
from offline.sagemaker.capacity import SHORT_OF_JOBS, CapacityError

START_SECONDS = (45, 120)  # until the instances are up and the image is pulled
WORK_SECONDS = (180, 390)
STOP_SECONDS = 30
FAILURE_LENGTH_MAX = 1024


class Run(Protocol):
    """The work of a job: started at one time, collected at a later one, or given up."""

    def start(self) -> None:
        """Begin; an error with `fails_job` fails the job."""

    def collect(self) -> dict[str, Any]:
        """Wait for the end and return the fields that it adds to the job's document."""

    def abort(self) -> None:
        """Give up."""


@dataclass(frozen=True)
class Kind:
    """How the API spells one kind of job."""

    word: str  # Training or Transform
    arn: str
    unknown: str
    has_secondary_status: bool

    @property
    def name_field(self) -> str:
        return f"{self.word}JobName"

    @property
    def status_field(self) -> str:
        return f"{self.word}JobStatus"

    @property
    def event(self) -> str:
        return f"SageMaker {self.word} Job State Change"


TRAINING = Kind("Training", "training-job", "Requested resource not found.", True)
TRANSFORM = Kind("Transform", "transform-job", "Could not find requested job with name: {name}", False)


class Job:
    """One job and what happens to it."""

    def __init__(self, account: Any, kind: Kind, request: dict[str, Any], run: Run, limit_seconds: int) -> None:
        self.account, self.kind, self.run = account, kind, run
        name = request[kind.name_field]
        self.document = {key: value for key, value in request.items() if key != "Tags"}
        self.document |= {
            f"{kind.word}JobArn": arn(account, kind.arn, name),
            "CreationTime": account.clock.now,
            "LastModifiedTime": account.clock.now,
        }
        self.described = Described(self.document[f"{kind.word}JobArn"], self.document, request.get("Tags"))
        self.described.job = self
        draw = seeded(account, kind.arn, name)
        self._start_seconds = draw.uniform(*START_SECONDS)
        self._work_seconds = draw.uniform(*WORK_SECONDS)
        self._limit_seconds = limit_seconds
        self._timer: Any = None

    def begin(self) -> None:
        """Be in progress, with instances on their way."""
        self._to("InProgress", "Starting", "Preparing the instances")
        self._later(self._start_seconds, self._start)

    def _start(self) -> None:
        self.document[f"{self.kind.word}StartTime"] = self.account.clock.now
        self._to("InProgress", self.kind.word, f"{self.kind.word} image download completed. In progress.")
        try:
            if not self.account.capacity.found(self.described.arn):
                raise CapacityError(SHORT_OF_JOBS)
            self.run.start()
        except Exception as error:
            self._fail(error)
            return
        if self._limit_seconds < self._work_seconds:
            self._later(self._limit_seconds, self._exceed)
        else:
            self._later(self._work_seconds, self._finish)

    def _finish(self) -> None:
        try:
            self.document.update(self.run.collect())
        except TimeoutError:
            self._exceed()
        except Exception as error:
            self._fail(error)
        else:
            self._end("Completed", "Completed", "Completed successfully")

    def _exceed(self) -> None:
        self.run.abort()
        self._end("Stopped", "MaxRuntimeExceeded", "The job ran longer than MaxRuntimeInSeconds and was stopped")

    def _fail(self, error: Exception) -> None:
        """Fail with what the work, or S3, raised; a defect of the account's own is raised on."""
        self.run.abort()
        if not getattr(error, "fails_job", False):
            raise error
        self.document["FailureReason"] = str(error)[:FAILURE_LENGTH_MAX]
        self._end("Failed", "Failed", str(error)[:FAILURE_LENGTH_MAX])

    def stop(self) -> None:
        """Stop by request."""
        self.account.clock.cancel(self._timer)
        self.run.abort()
        self._to("Stopping", "Stopping", "Stopping the job")
        self._later(STOP_SECONDS, lambda: self._end("Stopped", "Stopped", "The job was stopped by request"))

    def _end(self, status: str, secondary: str, message: str) -> None:
        now = self.account.clock.now
        self.document[f"{self.kind.word}EndTime"] = now
        if self.kind is TRAINING and (started := self.document.get("TrainingStartTime")):
            seconds = int((now - started).total_seconds())
            self.document |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        self._to(status, secondary, message)

    def _to(self, status: str, secondary: str, message: str) -> None:
        now: datetime = self.account.clock.now
        self.document |= {self.kind.status_field: status, "LastModifiedTime": now}
        if self.kind.has_secondary_status:
            self.document["SecondaryStatus"] = secondary
            transitions = self.document.setdefault("SecondaryStatusTransitions", [])
            if transitions:
                transitions[-1]["EndTime"] = now
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        tell(self.account, self.kind.event, self.described, self.described.response_object)

    def _later(self, seconds: float, action: Any) -> None:
        when = self.account.clock.now + timedelta(seconds=round(seconds))
        self._timer = self.account.clock.call_at(when, action, f"{self.described.arn}")
