"""A challenger's trial, step by step: wait for the endpoint, compare its answers, replay requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa

from kedge.capture.answers import answer_rows
from kedge.capture.formats import Text, read_payload, said_by_header
from kedge.capture.texts import ANSWER
from kedge.config.model import ModelConfig
from kedge.config.staging import Staging
from kedge.errors import UnreadableRecordError
from kedge.gate.own_rows import answered_otherwise
from kedge.instants import from_text, to_text
from kedge.outcomes.columns import answer_column
from kedge.release.shortage import is_shortage
from kedge.staging.load import BusyHour, load_of
from kedge.staging.record import TrialRecord
from kedge.staging.requests import ReplayRequest
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout
from lambdas.adapters.times import wall_clock
from lambdas.adapters.training import staging_endpoints, transform_outputs
from lambdas.adapters.training.staging_endpoints import StagingAnswer, StagingClient
from lambdas.steps.staging import chosen_requests, sending

# Holdout rows whose answers are compared: one other answer in a hundred shows in 95 of 100 trials.
COMPARED_ROWS = 300
# As many answers are awaited at a time as 100 requests a second of more than half a second need.
SENDERS, COMPARING_SENDERS = 64, 4
# What one call sends: also with slow answers it ends within the function's time.
STRETCH_SECONDS = 240
CREATION_LONGEST = timedelta(minutes=45)


@dataclass(frozen=True)
class StagedTrial:
    """A challenger on trial.

    Attributes
    ----------
    began : datetime
        When its retraining did.
    champion : str or None
        The version whose captured requests are replayed.
    instances : int
        How many serve the champion.
    """

    config: ModelConfig
    bucket: str
    run: str
    began: datetime
    endpoint: str
    policy: Staging
    holdout_rows: int
    champion: str | None
    instances: int


def next_step(trial: StagedTrial, before: TrialRecord) -> TrialRecord | None:
    """What is known after the next step; None while SageMaker makes the endpoint."""
    if before.ended:
        return before
    state = staging_endpoints.state_of(clients.sagemaker(), trial.endpoint)
    if state is None:
        return replace(before, unfinished="the endpoint is not there any more")
    before = replace(before, since=to_text(state.made_at))
    if state.status == "Creating":
        if wall_clock() - state.made_at < CREATION_LONGEST:
            return None
        minutes = round(CREATION_LONGEST.total_seconds() / 60)
        return replace(before, unfinished=f"SageMaker had not made the endpoint after {minutes} minutes")
    if state.status != "InService":
        why = state.reason or f"the endpoint is {state.status}"
        # That there are no instances is no fault of the model's.
        return replace(before, unfinished=why) if is_shortage(why) else replace(before, refused=why)
    return replayed(trial, before) if before.load else compared(trial, before)


def compared(trial: StagedTrial, before: TrialRecord) -> TrialRecord:
    """Compare the endpoint's answers to rows of the holdout with those of the transform job, and plan the replay."""
    config, s3 = trial.config, clients.s3()
    rows = sample_of(trial)
    prefix = layout.scored_prefix(config.model, trial.run, "challenger")
    answers = transform_outputs.load_answers(s3, trial.bucket, prefix, config, rows=trial.holdout_rows)
    scored = {answer.row_id: str(answer.value) for answer in answers}
    served = sending.send_all(client_of(trial).send, [*rows.values()], senders=COMPARING_SENDERS)
    # Read together: what a column of answers means follows from all of it.
    both = [*(value_of(answer, config) for answer in served), *(scored.get(row_id) for row_id in rows)]
    values = answer_column(pa.array(both, pa.string()), config.problem, config.labels.classes).values
    classes = config.problem == "multiclass_classification"
    different = answered_otherwise(values[: len(rows)], values[len(rows) :], classes=classes)
    hour = chosen_requests.busiest_hour(s3, trial.bucket, config, trial.policy, version=trial.champion, now=trial.began)
    captured = chosen_requests.captured_in(s3, trial.bucket, config, hour) if hour else []
    load = load_of(trial.policy, hour if captured else None, captured, instances=trial.instances)
    return replace(
        before,
        compared=len(rows),
        different=int(different.sum()),
        load=load.sentence,
        wanted=load.requests,
        per_second=load.per_second,
        hour=to_text(hour.start) if hour and captured else "",
    )


def replayed(trial: StagedTrial, before: TrialRecord) -> TrialRecord:
    """Send the next stretch of requests at the pace that was planned."""
    requests = requests_of(trial, before)
    if not requests:
        return replace(before, unfinished="the captured requests are not there any more")
    number = min(before.wanted - before.sent, max(1, round(before.per_second * STRETCH_SECONDS)))
    stretch = [requests[(before.sent + place) % len(requests)] for place in range(number)]
    sent = sending.send_paced(client_of(trial).send, stretch, per_second=before.per_second, senders=SENDERS)
    found = before.with_sent(sent)
    return replace(found, done=found.sent >= found.wanted)


def requests_of(trial: StagedTrial, before: TrialRecord) -> list[ReplayRequest]:
    """What is replayed: what was captured in the planned hour, or else rows of the holdout."""
    if before.hour and trial.champion is not None:
        hour = BusyHour(from_text(before.hour), trial.champion, 0)
        return chosen_requests.captured_in(clients.s3(), trial.bucket, trial.config, hour)
    return [*sample_of(trial).values()]


def sample_of(trial: StagedTrial) -> dict[str, ReplayRequest]:
    """Rows of the holdout by their ids, each as a request."""
    return chosen_requests.holdout_sample(
        clients.s3(), trial.bucket, trial.config, trial.run, rows=trial.holdout_rows, wanted=COMPARED_ROWS
    )


def client_of(trial: StagedTrial) -> StagingClient:
    """A client of the endpoint on trial."""
    return StagingClient.of(trial.endpoint, accept=trial.config.endpoint.content_type, connections=SENDERS)


def value_of(answer: StagingAnswer, config: ModelConfig) -> str | None:
    """The prediction in an answer to one row; None where there is none."""
    if answer.failure:
        return None
    try:
        said = said_by_header(answer.content_type, "BASE64")
        return answer_rows(read_payload(Text(answer.body.decode(), said, ANSWER)), 1, config)[0][0]
    except (UnicodeDecodeError, UnreadableRecordError):
        return None
