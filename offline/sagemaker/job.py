"""One SageMaker job on the account's clock: from its instances' start to Completed, Failed or Stopped.

In AWS a job waits for instances, downloads, works and uploads. Here its times are drawn from its name; the work begins
when the instances would be ready, and is waited for, in real time, when it should be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from offline.delivery.events import EventBus
from offline.region import Region
from offline.sagemaker.api import Described, arn, tell
from offline.sagemaker.capacity import SHORT_OF_JOBS, Capacity, CapacityError

START_SECONDS = (45, 120)  # until the instances are up and the image is pulled
WORK_SECONDS = (180, 390)
STOP_SECONDS = 30
SPOT_SECONDS = 600  # until other spot instances are found
FAILURE_LENGTH_MAX = 1024


class Run(Protocol):
    """The work of a job: started at one time, collected at a later one, or given up."""

    def start(self) -> None:
        """Begin; an error with `fails_job` fails the job."""

    def collect(self) -> dict[str, Any]:
        """Wait for the end and return the fields that it adds to the job's document."""

    def abort(self) -> None:
        """Give up."""

    def interrupt(self) -> None:
        """Lose the instances; what was saved as a checkpoint stays."""


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


@dataclass(frozen=True)
class Life:
    """What every job lives by: the clock, the instances that there are, and the bus that hears of it."""

    region: Region
    capacity: Capacity
    bus: EventBus


class Job(Described):
    """One job and what happens to it."""

    def __init__(self, life: Life, kind: Kind, request: dict[str, Any], run: Run, limit_seconds: int) -> None:
        region, name = life.region, request[kind.name_field]
        job_arn = arn(region, kind.arn, name)
        document = {key: value for key, value in request.items() if key != "Tags"} | {
            f"{kind.word}JobArn": job_arn,
            "CreationTime": region.clock.now,
            "LastModifiedTime": region.clock.now,
        }
        super().__init__(job_arn, document, request.get("Tags"))
        self.region, self.capacity, self.bus, self.kind, self.run = region, life.capacity, life.bus, kind, run
        draw = region.seeded(kind.arn, name)
        self._start_seconds = draw.uniform(*START_SECONDS)
        self._work_seconds = draw.uniform(*WORK_SECONDS)
        self._limit_seconds = limit_seconds
        self._is_spot = bool(request.get("EnableManagedSpotTraining"))
        self._wait_seconds = request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
        self._timer: Any = None

    def begin(self) -> None:
        """Be in progress, with instances on their way."""
        self._to("InProgress", "Starting", "Preparing the instances")
        self._later(self._start_seconds, self._start)

    def _start(self) -> None:
        self.document[f"{self.kind.word}StartTime"] = self.region.clock.now
        self._to("InProgress", self.kind.word, f"{self.kind.word} image download completed. In progress.")
        try:
            if not self.capacity.found(self.arn):
                raise CapacityError(SHORT_OF_JOBS)
            self.run.start()
        except Exception as error:
            self._fail(error)
            return
        if self._is_spot and self.capacity.takes_back():
            self._later(self._work_seconds / 2, self._interrupt)
        elif self._limit_seconds < self._work_seconds:
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

    def _interrupt(self) -> None:
        """Lose the spot instances, and wait for others as long as the request says."""
        self.run.interrupt()
        self._to("InProgress", "Interrupted", "The spot instances were taken away; waiting for others")
        waited = (self.region.clock.now - self.document["CreationTime"]).total_seconds()
        left = float(self._wait_seconds) - waited
        if left < SPOT_SECONDS:
            self._later(max(left, 0), self._out_of_wait)
        else:
            self._later(SPOT_SECONDS, self._start)

    def _out_of_wait(self) -> None:
        self.run.abort()
        self._end("Stopped", "MaxWaitTimeExceeded", "The job waited longer than MaxWaitTimeInSeconds and was stopped")

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
        self.region.clock.cancel(self._timer)
        self.run.abort()
        self._to("Stopping", "Stopping", "Stopping the job")
        self._later(STOP_SECONDS, lambda: self._end("Stopped", "Stopped", "The job was stopped by request"))

    def _end(self, status: str, secondary: str, message: str) -> None:
        now = self.region.clock.now
        self.document[f"{self.kind.word}EndTime"] = now
        if self.kind is TRAINING and (started := self.document.get("TrainingStartTime")):
            seconds = int((now - started).total_seconds())
            self.document |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        self._to(status, secondary, message)

    def _to(self, status: str, secondary: str, message: str) -> None:
        now: datetime = self.region.clock.now
        self.document |= {self.kind.status_field: status, "LastModifiedTime": now}
        if self.kind.has_secondary_status:
            self.document["SecondaryStatus"] = secondary
            transitions = self.document.setdefault("SecondaryStatusTransitions", [])
            if transitions:
                transitions[-1]["EndTime"] = now
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        tell(self.region, self.bus, self.kind.event, self, self.response_object)

    def _later(self, seconds: float, action: Any) -> None:
        when = self.region.clock.now + timedelta(seconds=round(seconds))
        self._timer = self.region.clock.call_at(when, action, self.arn)
