"""A Model Monitor schedule in Kedge's words: what of it is taken over, and what is not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from cli.drafts.draft import ModelDraft
from cli.refusals import BadInputError
from kedge.config.sections import Problem, Source

_OWN_IMAGE = "/sagemaker-model-monitor-analyzer"
_PROBLEMS: dict[str, Problem] = {
    "BinaryClassification": "binary_classification",
    "MulticlassClassification": "multiclass_classification",
    "Regression": "regression",
}
# The fields of an EndpointInput that the YAML has too, under the same names in snake case.
_ATTRIBUTES = {
    "FeaturesAttribute": "features_attribute",
    "InferenceAttribute": "inference_attribute",
    "ProbabilityAttribute": "probability_attribute",
    "ExcludeFeaturesAttribute": "exclude_features_attribute",
}
_OFFSET = re.compile(r"-?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_HOURS_OF_CRON = re.compile(r"cron\(\s*\S+\s+(\S+)\s+\S+\s+\S+\s+(\S+)")


@dataclass(frozen=True)
class MonitorSchedule:
    """What one schedule, or several of the same endpoint or transform jobs, say.

    `described` are fields of the YAML's `endpoint`, `files` statistics.json and constraints.json where the schedule names them.
    """

    names: tuple[str, ...]
    source: Source
    watched: str
    described: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    files: tuple[str, ...] = ()
    ground_truth: str | None = None
    problem: Problem | None = None
    cadence: Mapping[str, Any] = field(default_factory=dict)
    label_horizon_days: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """What it watches, in words."""
        return f"{'endpoint' if self.source == 'endpoint' else 'transform jobs below'} {self.watched}"

    def onto(self, draft: ModelDraft) -> ModelDraft:
        """The draft as the schedule says it; `described` must be in it already."""
        prediction = dict(draft.prediction)
        if any(name in self.described for name in ("inference_attribute", "probability_attribute")):
            # The attributes say where the answer stands.
            prediction.pop("field", None)
        if self.threshold is not None:
            prediction["threshold"] = self.threshold
        problem = self.problem or ("binary_classification" if self.threshold is not None else draft.problem)
        return replace(
            draft,
            problem=problem,
            prediction=prediction,
            cadence=self.cadence,
            label_horizon_days=self.label_horizon_days,
            notes=(*draft.notes, *self.notes),
        )


def take_schedules(sagemaker: Any, names: Sequence[str]) -> MonitorSchedule:
    """Describe schedules of one endpoint, or of one destination's transform jobs: a team has one for data quality, one for model quality.

    Raises
    ------
    BadInputError
        One does not exist, or watches what Kedge does not, or two do not agree.
    """
    first, *others = [_take(sagemaker, name) for name in names]
    for other in others:
        first = _joined(first, other)
    return first


def _joined(one: MonitorSchedule, other: MonitorSchedule) -> MonitorSchedule:
    both = f"{', '.join(one.names)} and {other.names[0]}"
    if (one.source, one.watched) != (other.source, other.watched):
        raise BadInputError(f"the schedules {both} do not watch the same: {one.said} and {other.said}")
    differ = [name for name, value in one.described.items() if other.described.get(name, value) != value]
    if differ:
        raise BadInputError(f"the schedules {both} differ in {', '.join(differ)}: adopt from one of them")
    return replace(
        one,
        names=(*one.names, *other.names),
        described={**one.described, **other.described},
        threshold=other.threshold if one.threshold is None else one.threshold,
        files=one.files or other.files,
        ground_truth=one.ground_truth or other.ground_truth,
        problem=one.problem or other.problem,
        label_horizon_days=other.label_horizon_days if one.label_horizon_days is None else one.label_horizon_days,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
    )


def _take(sagemaker: Any, name: str) -> MonitorSchedule:
    schedule = _described(sagemaker.describe_monitoring_schedule, "MonitoringScheduleName", name, "monitoring schedule")
    config = schedule.get("MonitoringScheduleConfig") or {}
    kind = config.get("MonitoringType") or schedule.get("MonitoringType") or "DataQuality"
    definition = config.get("MonitoringJobDefinitionName")
    if kind not in ("DataQuality", "ModelQuality"):
        raise BadInputError(
            f"schedule {name} is of type {kind}: DataQuality and ModelQuality are taken over; name the features to be fair about in "
            "fairness.columns of the YAML instead"
        )
    if definition is not None:
        job = _job_of(sagemaker, kind, definition)
    elif config.get("MonitoringJobDefinition"):
        job = _inline_job(config["MonitoringJobDefinition"], name)
    else:
        raise BadInputError(f"schedule {name} names no job definition, so it does not say what it watches")
    source, watched, given = _input_of(job, name)
    notes = [f"from schedule {name}: {said}" for said in (*_not_taken(schedule, job), *_cadence_notes(config, given))]
    described = {ours: given[theirs] for theirs, ours in _ATTRIBUTES.items() if given.get(theirs)}
    quality = kind == "ModelQuality"
    return MonitorSchedule(
        names=(name,),
        source=source,
        watched=watched,
        described=described,
        threshold=given.get("ProbabilityThresholdAttribute"),
        files=() if quality else _files(job.baseline),
        ground_truth=(job.inputs.get("GroundTruthS3Input") or {}).get("S3Uri"),
        problem=_PROBLEMS.get(str(job.application.get("ProblemType"))),
        cadence=_cadence(config, given),
        label_horizon_days=_days(given["EndTimeOffset"]) if quality and given.get("EndTimeOffset") else None,
        notes=tuple(notes),
    )


def _input_of(job: _Job, name: str) -> tuple[Source, str, Mapping[str, Any]]:
    """What a job watches: an endpoint, or what transform jobs capture; and its input, whose other fields are alike."""
    if given := job.inputs.get("EndpointInput"):
        return "endpoint", given["EndpointName"], given
    if given := job.inputs.get("BatchTransformInput"):
        return "batch_transform", given["DataCapturedDestinationS3Uri"].rstrip("/"), given
    raise BadInputError(f"schedule {name} has neither an EndpointInput nor a BatchTransformInput")


@dataclass(frozen=True)
class _Job:
    """The parts that both kinds of job definition, and the definition inside an old schedule, have under different names."""

    inputs: Mapping[str, Any]
    baseline: Mapping[str, Any]
    application: Mapping[str, Any]
    environment: Mapping[str, Any]


def _job_of(sagemaker: Any, kind: str, name: str) -> _Job:
    describe = getattr(
        sagemaker,
        "describe_data_quality_job_definition" if kind == "DataQuality" else "describe_model_quality_job_definition",
    )
    found = _described(describe, "JobDefinitionName", name, f"{kind} job definition")
    application = found.get(f"{kind}AppSpecification") or {}
    return _Job(
        found.get(f"{kind}JobInput") or {},
        found.get(f"{kind}BaselineConfig") or {},
        application,
        application.get("Environment") or {},
    )


def _inline_job(found: Mapping[str, Any], schedule: str) -> _Job:
    inputs = found.get("MonitoringInputs") or []
    if len(inputs) != 1:
        raise BadInputError(f"schedule {schedule} has {len(inputs)} inputs; a schedule with one can be taken over")
    application = found.get("MonitoringAppSpecification") or {}
    return _Job(inputs[0], found.get("BaselineConfig") or {}, application, found.get("Environment") or {})


def _described(describe: Any, key: str, name: str, what: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = describe(**{key: name})
    except ClientError as error:
        # SageMaker says ResourceNotFound, and ValidationException for some resources that do not exist.
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException"):
            raise BadInputError(f"no {what} is called {name!r} in this account and region") from error
        raise
    return answer


def _files(baseline: Mapping[str, Any]) -> tuple[str, ...]:
    statistics, constraints = (
        (baseline.get(resource) or {}).get("S3Uri") for resource in ("StatisticsResource", "ConstraintsResource")
    )
    return tuple(uri for uri in (statistics, constraints if statistics else None) if uri)


def _not_taken(schedule: Mapping[str, Any], job: _Job) -> list[str]:
    notes = []
    status = schedule.get("MonitoringScheduleStatus")
    if status in ("Failed", "Stopped"):
        notes.append(f"it is {status}")
    for key, what in (
        ("RecordPreprocessorSourceUri", "the script that changes records before they are counted"),
        ("PostAnalyticsProcessorSourceUri", "the script that runs behind the analysis"),
    ):
        if job.application.get(key):
            notes.append(
                f"{what} is not taken over ({job.application[key]}): Kedge reads records as they were captured"
            )
    image = str(job.application.get("ImageUri") or "")
    if image and _OWN_IMAGE not in image:
        notes.append(f"its own image is not taken over ({image})")
    if job.baseline.get("ConstraintsResource") and not (job.baseline.get("StatisticsResource") or {}).get("S3Uri"):
        notes.append(
            f"the constraints {job.baseline['ConstraintsResource'].get('S3Uri')} are not taken over: limits are in drift and "
            "performance.limits of the YAML"
        )
    if job.environment.get("publish_cloudwatch_metrics") == "Enabled":
        notes.append("its CloudWatch metrics are not taken over: alarms on them must move to Kedge's")
    return notes


def _cadence(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """How often windows are judged, and over how many days."""
    hour, weekday = _cron(config) or ("0", "?")
    often = "hourly" if hour == "*" else "daily" if weekday in ("*", "?") else "weekly"
    cadence: dict[str, Any] = {"judge": often}
    days = 7.0 if often == "weekly" else 1.0
    if given.get("StartTimeOffset"):
        days = _days(given["StartTimeOffset"]) - _days(given.get("EndTimeOffset") or "PT0H")
    cadence["window_days"] = min(90, max(1, round(days)))
    return cadence


def _cadence_notes(config: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    found, cadence = _cron(config), _cadence(config, given)
    expression = (config.get("ScheduleConfig") or {}).get("ScheduleExpression")
    if found is None:
        return [f"its schedule is {expression or 'absent'}, so windows are judged daily"]
    hour = found[0]
    if hour == "*":
        days = cadence["window_days"]
        return [f"each hour Kedge judges the last {days} day{'s' * (days > 1)}, not the last hour alone"]
    if not hour.isdecimal():
        return [f"{expression} is neither hourly nor daily: windows are judged daily"]
    return [f"{expression}: windows are judged at 02:00 UTC, whatever hour it names"]


def _cron(config: Mapping[str, Any]) -> tuple[str, str] | None:
    found = _HOURS_OF_CRON.match(str((config.get("ScheduleConfig") or {}).get("ScheduleExpression") or ""))
    return (found[1], found[2]) if found else None


def _days(offset: str) -> float:
    """Days of an ISO 8601 duration before the analysis, such as `-P8D` or `-PT6H`.

    >>> _days("-P1DT12H"), _days("-PT0H")
    (1.5, 0.0)
    """
    found = _OFFSET.fullmatch(offset)
    if found is None:
        raise BadInputError(f"the schedule's offset {offset!r} is no duration like -P8D or -PT6H")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    return weeks * 7 + days + hours / 24 + minutes / 1440
