"""A training that an earlier run has paid is used again where its inputs are equal and that run came to nothing."""

import json
from dataclasses import replace

import boto3
import pytest

from kedge.config.model import ModelConfig
from lambdas.adapters import clients
from lambdas.adapters.training import finished_trainings, training_jobs
from lambdas.adapters.training.training_jobs import TrainingWorkshop
from lambdas.handlers import pin_artefact, snapshot_data
from tests.handlers.aws_world import (
    BUCKET,
    CONTEXT,
    MODEL,
    ROLE,
    SNAPSHOT_ENVIRONMENT,
    aws_world,
    moto_backend,
)
from tests.handlers.bookings import load_bookings
from tests.handlers.test_snapshot_data import parquet


class Attempts:
    """Runs of one model: each takes a snapshot, trains where it must, pins, and ends."""

    def __init__(self, world) -> None:
        self.world, self.states = world, boto3.client("stepfunctions")
        definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
        made = self.states.create_state_machine(name="kedge-retrain", definition=definition, roleArn=ROLE)
        self.machine = made["stateMachineArn"]
        self.first_rows("2015-10-01")

    def first_rows(self, until: str) -> None:
        """Give the model the user's rows until a day."""
        names = ["id", "timestamp", *self.world.config.feature_names, "label"]
        self.world.put(f"initial/{MODEL}/training.parquet", parquet(load_bookings("2015-07-01", until).select(names)))

    def snapshot(self, run: str) -> dict:
        """Take a run's snapshot."""
        event = {"model": MODEL, "run": run, "time": "2015-10-01T00:00:00Z"}
        return json.loads(json.dumps(snapshot_data.handler(event, CONTEXT)))

    def attempt(self, run: str, ending: str) -> dict:
        """Go through a run as the machine does, until its artefact is pinned; return what its snapshot said."""
        arn = self.states.start_execution(stateMachineArn=self.machine, name=run)["executionArn"]
        answered = self.snapshot(run)
        training = answered.get("training") or self._train(run)
        uses = {"inputs": answered["training_inputs"], "trained_by": training["run"], "execution": arn}
        asked = {"model": MODEL, "run": run, "job": training["job"], "artefact_uri": training["artefact_uri"]}
        pin_artefact.handler(asked | {"uses": uses}, CONTEXT)
        machine = moto_backend("stepfunctions").describe_state_machine(self.machine)
        (execution,) = (each for each in machine.executions if each.name == run)
        execution.status = ending
        return answered

    def _train(self, run: str) -> dict:
        key = f"trained/{MODEL}/{run}/{run}-0/output/model.tar.gz"
        self.world.put(key, f"weights of {run}".encode())
        return {"job": f"{run}-0", "artefact_uri": f"s3://{BUCKET}/{key}", "run": run}


@pytest.fixture
def attempts(monkeypatch):
    with aws_world(monkeypatch, **SNAPSHOT_ENVIRONMENT) as world:
        yield Attempts(world)


@pytest.mark.parametrize("ending", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_run_that_came_to_nothing_leaves_its_training_to_the_next_which_says_so(attempts, ending):
    assert "training" not in attempts.attempt("run-1", ending)
    answered = attempts.snapshot("run-2")
    training = answered["training"]
    uri = f"s3://{BUCKET}/trained/{MODEL}/run-1/run-1-0/output/model.tar.gz"
    assert (training["job"], training["run"], training["artefact_uri"]) == ("run-1-0", "run-1", uri)
    assert "the training of run run-1 is reused" in training["reason"]
    assert answered["snapshot"]["notes"] == [training["reason"]]
    assert answered["training_job"]["OutputDataConfig"]["S3OutputPath"].endswith("/run-2")


@pytest.mark.parametrize("ending", ["SUCCEEDED", "RUNNING"])
def test_a_run_that_reached_its_end_or_still_runs_leaves_none(attempts, ending):
    attempts.attempt("run-1", ending)
    assert "training" not in attempts.snapshot("run-2")


def test_the_reused_artefact_is_the_pinned_one_also_after_the_jobs_own_is_gone(attempts):
    attempts.attempt("run-1", "FAILED")
    attempts.world.s3.delete_object(Bucket=BUCKET, Key=f"trained/{MODEL}/run-1/run-1-0/output/model.tar.gz")
    attempts.attempt("run-2", "SUCCEEDED")
    pinned = [key for key in attempts.world.keys(f"artefacts/{MODEL}/") if key.endswith("model.tar.gz")]
    assert pinned == [f"artefacts/{MODEL}/run-1-0/model.tar.gz"]
    assert attempts.world.read(pinned[0]) == b"weights of run-1"


def test_other_rows_are_trained_on(attempts):
    attempts.attempt("run-1", "FAILED")
    attempts.first_rows("2015-09-29")
    assert "training" not in attempts.snapshot("run-2")


def test_an_artefact_that_was_replaced_is_not_used(attempts):
    attempts.attempt("run-1", "FAILED")
    attempts.world.s3.put_object(
        Bucket=BUCKET, Key=f"artefacts/{MODEL}/run-1-0/model.tar.gz", Body=b"another", ChecksumAlgorithm="SHA256"
    )
    assert "training" not in attempts.snapshot("run-2")


def test_a_model_with_which_two_runs_have_failed_is_not_tried_a_third_time(attempts):
    attempts.attempt("run-1", "FAILED")
    assert "training" in attempts.attempt("run-2", "FAILED")
    assert "training" not in attempts.attempt("run-3", "FAILED")
    assert attempts.attempt("run-4", "FAILED")["training"]["run"] == "run-3"


def test_a_snapshot_that_is_taken_again_says_the_same(attempts):
    attempts.attempt("run-1", "FAILED")
    assert attempts.snapshot("run-2") == attempts.snapshot("run-2")


def test_a_machine_that_began_before_this_version_pins_and_notes_nothing(attempts):
    trained = attempts._train("run-1")
    pin_artefact.handler({"model": MODEL} | trained, CONTEXT)
    assert attempts.world.keys("artefacts/") == [f"artefacts/{MODEL}/run-1-0/model.tar.gz"]
    s3, states = clients.s3(), clients.stepfunctions()
    assert finished_trainings.find(s3, states, BUCKET, model=MODEL, inputs="ab") is None


SHOP = TrainingWorkshop("image:1", "s3://code/source-1.tar.gz", ROLE, ROLE, "key", (("kedge:run", "run-1"),))
ROWS = {"train/train.csv": "ab", "train/columns.json": "cd"}


def digest(
    config: ModelConfig, shop: TrainingWorkshop = SHOP, *, uri: str = "run-1", rows: dict[str, str] = ROWS
) -> str:
    asked = training_jobs.training_job_request(config, shop, train_uri=f"s3://b/{uri}/", output_uri=f"s3://b/out/{uri}")
    return training_jobs.inputs_digest(asked, rows)


def test_where_a_job_reads_and_writes_and_on_what_machine_is_no_input(attempts):
    config = attempts.world.config
    another = replace(SHOP, tags=(("kedge:run", "run-2"),), kms_key_id="other")
    training = config.training.model_copy(update={"instance_type": "ml.m5.24xlarge", "max_runtime_seconds": 7200})
    assert digest(config) == digest(config.model_copy(update={"training": training}), another, uri="run-2")


def test_rows_parameters_script_and_image_are_inputs(attempts):
    config = attempts.world.config
    training = config.training.model_copy(update={"hyperparameters": {"max_depth": 2}})
    script = config.training.model_copy(update={"entry_point": "other.py"})
    found = [
        digest(config),
        digest(config, rows=ROWS | {"train/train.csv": "ef"}),
        digest(config.model_copy(update={"training": training})),
        digest(config.model_copy(update={"training": script})),
        digest(config, replace(SHOP, image="image:2")),
        digest(config, replace(SHOP, source_uri="s3://code/source-2.tar.gz")),
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"inputs": "x", "of": "a later version"}'])
def test_a_note_that_cannot_be_read_is_no_note(attempts, note):
    attempts.attempt("run-1", "FAILED")
    attempts.world.put(f"artefacts/{MODEL}/finished_training.json", note)
    assert "training" not in attempts.snapshot("run-2")
