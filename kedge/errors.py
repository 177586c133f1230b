"""Every error that Kedge raises on purpose: those that may pass by themselves, and those that need a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class KedgeError(Exception):
    """Root of Kedge's own errors."""

    def __reduce__(self) -> tuple[Callable[..., KedgeError], tuple[Any, ...], dict[str, Any]]:
        # An error of another process comes back with its message and its facts. Python would call the class with the message
        # instead, which takes facts by keyword.
        return _as_raised, (type(self), *self.args), self.__dict__


def _as_raised(kind: type[KedgeError], *said: Any) -> KedgeError:
    return kind.__new__(kind, *said)


class RetryableError(KedgeError):
    """The world may change: trying again is right."""


class RefusedError(KedgeError):
    """Trying again is pointless: a person must act."""


class ModelConfigError(RefusedError):
    """A model's YAML holds something that Kedge cannot use."""

    def __init__(self, *, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source, self.problems = source, problems


class StageNameError(RefusedError):
    """A stage has a name that names of AWS cannot begin with."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"the stage is {name!r}: it must be at most 12 characters, small letters and digits, the first a letter, such as dev, "
            "staging or production (--stage, KEDGE_STAGE, or stage in the context of cdk.json)"
        )


class UnknownModelError(RefusedError):
    """A request names a model that has no YAML."""

    def __init__(self, *, model: str, known: list[str]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"no model is called {model!r}; the models are: {names}")
        self.model = model


class NothingDeployedError(RetryableError):
    """No deployment has written any model's definition yet: it goes on, or it has failed."""

    def __init__(self, *, bucket: str) -> None:
        super().__init__(
            f"no deployment has written s3://{bucket}/deployed/ to its end yet, so no model is known: wait for it, or, where it failed, "
            "deploy again"
        )


class AssetAbsentError(RefusedError):
    """A deployment names a file of definitions that cannot be read among its assets."""

    def __init__(self, *, bucket: str, key: str, code: str) -> None:
        super().__init__(
            f"s3://{bucket}/{key} cannot be read ({code}): deploy again, which puts it back. The bootstrap must be of this account "
            "and region; where it has a key of its own, the key's policy must leave it to IAM who may decrypt"
        )


class BucketTakenError(RefusedError):
    """The definitions of another deployment lie in the data bucket."""

    def __init__(self, *, bucket: str, owner: str, mine: str) -> None:
        super().__init__(
            f"s3://{bucket}/deployed/ holds the definitions of the stack {owner}, and {mine} would delete them: give each deployment a "
            f"bucket of its own; where {owner} is gone for good, delete s3://{bucket}/deployed/parsed.json and deploy again"
        )


class WatchedModelError(RefusedError):
    """Something would retrain, release or update a model that is only watched."""

    def __init__(self, *, model: str) -> None:
        remedy = f"to let Kedge retrain and release it, say `mode: manage` in {model}.yaml and deploy"
        super().__init__(f"{model} is watched, not managed: {remedy}")
        self.model = model


class CapturesDeniedError(RefusedError):
    """Kedge may not read the captures of an adopted endpoint."""

    def __init__(self, *, uri: str, said: str) -> None:
        bucket = uri.removeprefix("s3://").partition("/")[0]
        super().__init__(
            f"Kedge may not read the captures below {uri} ({said}): add {bucket} to capture_buckets in the context of cdk.json "
            "and deploy; if it stands there already, the bucket's policy or its key (capture_keys) refuses"
        )
        self.uri, self.bucket = uri, bucket


class ObjectsRefusedError(RefusedError):
    """S3 refuses some capture objects, while it gives the others."""

    def __init__(self, *, bucket: str, reasons: Mapping[str, str]) -> None:
        first = min(reasons)
        count = "a capture object" if len(reasons) == 1 else f"{len(reasons)} capture objects"
        super().__init__(
            f"{count} could not be read: s3://{bucket}/{first} ({reasons[first]}){' and others' if len(reasons) > 1 else ''}. All others "
            "are counted, and each run tries again. Restore what is archived; where access is denied, look at who owns the object and at "
            "its key (capture_keys in the context of cdk.json); delete what is not to be counted"
        )
        self.bucket, self.reasons = bucket, reasons


class EmptySampleError(RefusedError):
    """A statistic needs a sample with rows, and this one has none."""

    def __init__(self, *, sample: str) -> None:
        super().__init__(f"the {sample} has no rows, so no statistic is defined on it")
        self.sample = sample


class UnreadableImportanceError(RefusedError):
    """A file of feature importances holds something else."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"the file of feature importances cannot be read: {reason}")
        self.reason = reason


class BaselineMismatchError(RefusedError):
    """Two profiles were cut at the edges of different baselines."""

    def __init__(self, *, expected: str, found: str) -> None:
        super().__init__(f"a profile of baseline {found!r} cannot be combined with one of {expected!r}")
        self.expected, self.found = expected, found


class OutcomeMismatchError(RefusedError):
    """Counted outcomes are of different problems, or of different classes."""

    def __init__(self, *, expected: str, found: str) -> None:
        super().__init__(f"outcomes of {found} cannot be combined with those of {expected}")
        self.expected, self.found = expected, found


class TrainingColumnMissingError(RefusedError):
    """Rows to train on lack a column that the model's YAML names."""

    def __init__(self, *, columns: list[str]) -> None:
        super().__init__(f"the rows have no column {', '.join(columns)}")
        self.columns = columns


class InitialRowsError(RefusedError):
    """The first rows that a user handed over cannot be read as training rows."""

    def __init__(self, *, place: str, fault: str) -> None:
        super().__init__(
            f"{place} {fault}. It must be a Parquet file with the columns id, timestamp (UTC), every feature of the YAML, "
            "and label"
        )
        self.place, self.fault = place, fault


class FeatureGroupError(RefusedError):
    """A feature group cannot give a model's training rows."""

    def __init__(self, *, group: str, fault: str) -> None:
        super().__init__(f"the feature group {group} {fault}")
        self.group, self.fault = group, fault


class HoldoutCountMismatchError(RefusedError):
    """A model did not answer each holdout row exactly once."""

    def __init__(self, *, scored_by: str, expected: int, found: int, absent: int, repeated: int, unknown: int) -> None:
        super().__init__(
            f"the {scored_by} gave {found} answers to {expected} holdout rows: {absent} rows have none, {repeated} have several, and "
            f"{unknown} answers belong to no row of the holdout"
        )
        self.scored_by, self.expected, self.found = scored_by, expected, found


class UnreadableAnswerError(RefusedError):
    """A batch transform's output holds a line that is not an id and an answer."""

    def __init__(self, *, key: str, line: int) -> None:
        super().__init__(f"line {line} of {key} is not an id and an answer")
        self.key, self.line = key, line


class EndpointBusyError(RetryableError):
    """The endpoint is being changed by someone else, or has not settled yet."""

    def __init__(self, *, endpoint: str, status: str) -> None:
        super().__init__(f"endpoint {endpoint} is {status}")
        self.endpoint, self.status = endpoint, status


class EndpointFailedError(RefusedError):
    """The endpoint is in a status that it does not leave by itself."""

    def __init__(self, *, endpoint: str, status: str, reason: str) -> None:
        super().__init__(f"endpoint {endpoint} is {status}: {reason or 'no reason was given'}")
        self.endpoint, self.status = endpoint, status


class EndpointVariantsError(RefusedError):
    """The endpoint has several production variants, so none is clearly the champion."""

    def __init__(self, *, endpoint: str, variants: list[str]) -> None:
        super().__init__(
            f"endpoint {endpoint} has the variants {', '.join(variants)}; Kedge releases to endpoints with one, and watches several "
            "where the YAML names each (endpoint.variants)"
        )
        self.endpoint, self.variants = endpoint, variants


class EndpointVariantNameError(RefusedError):
    """The production variant that serves has another name than the YAML's, and the monitor looks under the YAML's."""

    def __init__(self, *, model: str, endpoint: str, serving: str, configured: str) -> None:
        super().__init__(
            f"endpoint {endpoint} serves the production variant {serving!r}, and models/{model}.yaml has endpoint.variant "
            f"{configured!r}: captures and metrics would be looked for under {configured!r}; write `variant: {serving}` "
            f"under `endpoint:` in models/{model}.yaml, deploy, and release the package again"
        )
        self.endpoint, self.serving, self.configured = endpoint, serving, configured


class NoInstancesError(RefusedError):
    """The endpoint runs on no instances of its own."""

    def __init__(self, *, endpoint: str) -> None:
        super().__init__(
            f"endpoint {endpoint} runs on no instances (serverless, or scaled to zero), so none can be a "
            "canary; Kedge releases to endpoints with at least one instance"
        )
        self.endpoint = endpoint


class RegistryBehindError(RetryableError):
    """The registry answered with a state of the package from before the event about it."""

    def __init__(self, *, package_arn: str, told: str, found: str) -> None:
        super().__init__(f"model package {package_arn}: the event says {told}, the registry still answers {found}")
        self.package_arn, self.told, self.found = package_arn, told, found


class UnknownPackageError(RefusedError):
    """A model package does not exist, or was not registered by Kedge."""

    def __init__(self, *, package_arn: str, reason: str) -> None:
        super().__init__(f"model package {package_arn}: {reason}")
        self.package_arn = package_arn


class ApprovalRefusedError(RefusedError):
    """A package must not be approved automatically."""

    def __init__(self, *, package_arn: str, reasons: list[str]) -> None:
        super().__init__(
            f"package {package_arn} is not approved automatically: {'; '.join(reasons)}. Decide about it in the registry"
        )
        self.package_arn = package_arn


class ChangedSinceGateError(RefusedError):
    """The artefact or baseline of a package is not the one that passed the gate."""

    def __init__(self, *, what: str, place: str, expected: str | None, found: str | None) -> None:
        super().__init__(
            f"the {what} at {place} is not the one that passed the gate: its SHA-256 is {found or 'not there'}, and "
            f"{expected or 'none'} was pinned when the package was registered"
        )
        self.what, self.place = what, place


class UnscorablePackageError(RefusedError):
    """A package that Kedge did not make is none that Kedge can score, judge and serve."""

    def __init__(self, *, package_arn: str, reason: str) -> None:
        version = package_arn.rpartition("/")[2]
        super().__init__(f"package version {version} cannot be judged: {reason}")
        self.package_arn = package_arn


class UnreadableArtefactError(RefusedError):
    """A model that somebody else trained lies where Kedge may not read."""

    def __init__(self, *, uri: str, reason: str) -> None:
        super().__init__(
            f"the artefact {uri} cannot be copied ({reason}): add its bucket to package_buckets in the context of cdk.json, and the key "
            "that encrypts it to package_keys, then deploy"
        )


class UnfinishedPipelineError(RefusedError):
    """A SageMaker pipeline that should have trained a model did not succeed, or made none."""

    def __init__(self, *, pipeline: str, status: str, reasons: list[str] | None = None) -> None:
        why = f": {'; '.join(reasons)}" if reasons else ""
        super().__init__(
            f"the pipeline execution {pipeline} ended as {status}{why}. Look at its steps in SageMaker Studio, mend the pipeline, and start "
            "the retraining again"
        )
        self.pipeline, self.status = pipeline, status


class UnfinishedTuningError(RefusedError):
    """A tuning job ended without a best training job."""

    def __init__(self, *, job: str, status: str, reason: str = "") -> None:
        why = f": {reason}" if reason else ""
        super().__init__(
            f"the tuning job {job} ended as {status} without a best training job{why}. Look at its training jobs in SageMaker: they must "
            "complete and write training.tuning.metric into their logs"
        )
        self.job, self.status = job, status


class UnfinishedTrainingError(RefusedError):
    """A training job ended without having finished."""

    def __init__(self, *, job: str, status: str) -> None:
        super().__init__(
            f"the training job {job} ended as {status}, so its model may be half of one: raise training.max_runtime_seconds, or with "
            "spot instances training.max_wait_seconds"
        )


class ColumnAbsentError(RefusedError):
    """A table lacks a column that the baseline watches."""

    def __init__(self, *, column: str, found: list[str]) -> None:
        super().__init__(f"column {column!r} is not there; the columns are: {', '.join(found)}")
        self.column = column


class UncountableColumnError(RefusedError):
    """A column's values are neither numbers nor text."""

    def __init__(self, *, kind: str, column: str = "") -> None:
        name = f"column {column!r}" if column else "a column"
        super().__init__(
            f"{name} is of Arrow's type {kind} with values that cannot be written as UTF-8 text; convert it, or leave it out"
        )
        self.kind, self.column = kind, column


class UnreadableRecordError(RefusedError):
    """A captured or logged record cannot be read. `capture_batches` catches this error and keeps the record aside with the reason."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnreadableTransformError(RefusedError):
    """A file of a transform job cannot be read; it is kept aside with the reason, whose subject is the file's job."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EncodingError(RefusedError):
    """Something that is stored does not have the form that this version reads; `place` is where it is stored."""

    def __init__(self, *, what: str, found: str, expected: str, remedy: str = "", place: str = "") -> None:
        advice = f"; {remedy}" if remedy else ""
        super().__init__(f"{place or 'this'} is {found}, not {expected}: the {what} must be rebuilt{advice}")
        self.what, self.found, self.expected, self.remedy = what, found, expected, remedy

    def at(self, place: str) -> EncodingError:
        """The error with the place that it speaks of."""
        return EncodingError(what=self.what, found=self.found, expected=self.expected, remedy=self.remedy, place=place)


class LeaseHeldError(RetryableError):
    """Another execution works on this model."""

    def __init__(self, *, model: str, holder: str, purpose: str) -> None:
        super().__init__(f"another execution works on {model}: a {purpose} runs ({holder.rpartition(':')[2]})")
        self.model, self.holder = model, holder


class DayContendedError(RetryableError):
    """A day's profile was replaced by others at every attempt."""

    def __init__(self, *, key: str, attempts: int) -> None:
        super().__init__(f"{key} was replaced by another run at each of {attempts} attempts")
        self.key = key


class ObjectsNotDeletedError(RetryableError):
    """S3 did not delete some objects, though nobody has changed them."""

    def __init__(self, *, bucket: str, codes: Mapping[str, str]) -> None:
        key, code = next(iter(codes.items()))
        super().__init__(f"{len(codes)} objects of {bucket} were not deleted, such as {key}: {code}")
        self.codes = codes


class LabelsUnfoldedError(RetryableError):
    """Label files, or days to look for their rows, are left when a run's time is over; the next run goes on with them."""

    def __init__(self, *, model: str, files: int, days: int) -> None:
        super().__init__(
            f"the labels of {model} are more than one run can fold: {files} files are read and {days} days looked through, "
            "the next run goes on"
        )
        self.model, self.files, self.days = model, files, days


class EpisodeContendedError(RetryableError):
    """A model's episode of alarms was replaced by others at every attempt."""

    def __init__(self, *, model: str, attempts: int) -> None:
        super().__init__(f"the alarms of {model} were followed by another run at each of {attempts} attempts")
        self.model = model


class PageContendedError(RetryableError):
    """The page of all models was replaced by others at every attempt."""

    def __init__(self, *, key: str, attempts: int) -> None:
        super().__init__(f"{key} was written by another run at each of {attempts} attempts")


class UnscorableChampionError(RefusedError):
    """The model that serves cannot be scored in a batch, so Kedge can compare no challenger with it."""

    def __init__(self, *, model_name: str, reason: str) -> None:
        super().__init__(f"the champion's model {model_name} cannot be scored on the holdout: {reason}")
        self.model_name = model_name


class BaselineAbsentError(RefusedError):
    """A deployed package has no baseline."""

    def __init__(self, *, model: str, key: str) -> None:
        super().__init__(f"{model} has no baseline at {key}: release a package that Kedge registered, or rebuild it")
        self.model, self.key = model, key


class WindowRefusedError(RefusedError):
    """A person wants a window judged that cannot be."""

    def __init__(self, *, model: str, reason: str) -> None:
        super().__init__(f"{model} cannot be judged there: {reason}")
        self.model = model


class MessagesUntoldError(RetryableError):
    """SNS has refused messages to people and programs for longer than a moment."""

    def __init__(self, *, model: str, messages: int) -> None:
        super().__init__(
            f"{messages} messages about {model} could not be sent to the topics Alerts and Events; they are kept, and "
            "Kedge tries again every hour: check whether the function may publish to the topics and use their key (kedge doctor)"
        )
        self.model, self.messages = model, messages


class MessagesUndeliveredError(RetryableError):
    """SQS did not take some messages, twice."""

    def __init__(self, *, queue_url: str, messages: int) -> None:
        super().__init__(f"{messages} messages were not taken by {queue_url}")
        self.messages = messages


class ColumnsAlikeError(RefusedError):
    """Athena would treat two columns of a model as one."""

    def __init__(self, *, model: str, columns: list[str]) -> None:
        super().__init__(
            f"{model} has columns that differ from another column, or from a name of Kedge's, only in upper and lower "
            f"case, and Athena cannot tell them apart: {', '.join(columns)}; rename them, or raise labels.athena_from_bytes"
        )
        self.model, self.columns = model, columns


class JoinFailedError(RetryableError):
    """Athena gave up joining labels with answers."""

    def __init__(self, *, query: str, state: str, reason: str) -> None:
        super().__init__(f"the query {query} of Athena ended as {state}: {reason}")
        self.query, self.state, self.reason = query, state, reason


class JoinCancelledError(RefusedError):
    """Athena stopped a query at the workgroup's limit of bytes, or somebody did; another attempt would read as many."""

    def __init__(self, *, query: str) -> None:
        super().__init__(
            f"the query {query} of Athena was cancelled: it would have read more bytes than the workgroup lets a query read, or "
            "somebody stopped it; shorten the window (training.window_days of a retraining), or raise SCANNED_BYTES_MAX in "
            "stacks/joining.py and deploy"
        )
        self.query = query


class QueryTooLongError(RefusedError):
    """A query names too many columns: Athena does not take it."""

    def __init__(self, *, found_bytes: int, bytes_max: int) -> None:
        super().__init__(
            f"a query of Athena would have {found_bytes:,} bytes, and Athena takes {bytes_max:,}: each schema that answered in the window "
            "names all its columns; shorten the window (training.window_days of a retraining) or the columns' names, or raise "
            "labels.athena_from_bytes above the window's Parquet, so that Kedge reads it without Athena"
        )
        self.found_bytes, self.bytes_max = found_bytes, bytes_max


class CountTooLongError(RefusedError):
    """A query that counts a window names too much: Athena does not take it."""

    def __init__(self, *, found_bytes: int, bytes_max: int) -> None:
        super().__init__(
            f"a query that counts the window would have {found_bytes:,} bytes, and Athena takes {bytes_max:,}: it names the "
            "columns that quality is cut by (segments.columns, fairness.columns) with their bands, and each class; name fewer columns or "
            "fewer labels.classes, or raise labels.athena_from_bytes above the window's Parquet, so that Kedge reads it "
            "without Athena"
        )
        self.found_bytes, self.bytes_max = found_bytes, bytes_max


class JoinUnfinishedError(RetryableError):
    """Athena had not joined labels with answers when the function's time was nearly over."""

    def __init__(self, *, query: str) -> None:
        super().__init__(f"the query {query} of Athena was stopped: it did not end within the function's time")
        self.query = query


class RetrainEventError(RefusedError):
    """An event that should start a retraining does not say which, or why."""

    def __init__(self, *, event: str, problems: list[str]) -> None:
        super().__init__(
            f"the event kedge.retrain {event} cannot be read: {'; '.join(problems)}. Its detail must be "
            '{"model": NAME, "reason": TEXT} and nothing else'
        )
        self.problems = problems


class MlflowError(RetryableError):
    """MLflow did not take what it was told of a retraining."""

    def __init__(self, *, arn: str, reason: str) -> None:
        super().__init__(f"{arn} did not take the run: {reason}")
        self.arn, self.reason = arn, reason


class SecretMissingError(RefusedError):
    """A channel's secret is not there, or may not be read."""

    def __init__(self, *, name: str, code: str) -> None:
        super().__init__(f"the secret {name} cannot be read ({code}): see docs/operations.md, Pagers and webhooks")
        self.name, self.code = name, code
