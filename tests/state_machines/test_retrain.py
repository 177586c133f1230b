from datetime import timedelta

import pytest

from kedge.errors import LabelsUnfoldedError, UnfinishedPipelineError
from kedge.instants import from_text
from kedge.retraining.decision import tuning_name
from lambdas.adapters.bucket import layout
from lambdas.adapters.training import artefacts, finished_trainings
from lambdas.adapters.training.finished_trainings import FinishedTraining
from offline.sagemaker.capacity import SHORT_OF_JOBS
from tests.state_machines.function_answers import (
    PACKAGE,
    ROLE,
    RUN,
    by_pipeline,
    earlier_training,
    gate,
    in_vpc,
    pinned,
    ready,
    registration,
    rejected,
    taken,
)
from tests.state_machines.machine_world import (
    MODEL,
    PIPELINE_EXECUTION,
    FakeFunctions,
    FakeSageMaker,
    Machine,
    throttled,
)
from tests.synthesised import ROOT

TRIGGER = {"kind": "performance", "episode": "e1", "reasons": ["quality has been lost since the window to 2016-02-15"]}


class UnreadableAnswerError(Exception):
    """Named like the one that compare_models raises."""


@pytest.fixture
def functions(account):
    return FakeFunctions(
        account,
        SnapshotData=ready(),
        PinArtefact=pinned(),
        CompareModels=gate("PASS"),
        BuildBaseline=registration(),
        Tell={"kind": "told"},
    )


@pytest.fixture
def sagemaker(account):
    return FakeSageMaker(account)


@pytest.fixture
def machine(account, functions, sagemaker):
    return Machine(account, "retrain", functions)


def deleted(sagemaker):
    """Names of the models that were asked to be deleted, each once, in order."""
    return list(dict.fromkeys(request["ModelName"] for request in sagemaker.named("DeleteModel")))


def run(machine, **more):
    return machine.run(trigger=TRIGGER, **more)


def test_the_readme_counts_the_transitions_of_a_retraining(machine, functions, sagemaker):
    run(machine)
    said = f"| each retraining: Step Functions | about {len(machine.visited())} transitions |"
    assert said in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_better_challenger_is_registered_and_the_approver_told(machine, functions, sagemaker):
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told() == ["training_completed", "package_registered"]
    (package,) = sagemaker.named("CreateModelPackage")
    assert package == registration()["package"]
    assert functions.named("Tell")[1]["detail"]["package_arn"].endswith("model-package/hotel/3")
    assert machine.lease() is None


def test_the_training_job_is_the_one_the_snapshot_asked_for(machine, sagemaker):
    run(machine)
    (job,) = sagemaker.named("CreateTrainingJob")
    assert job == ready()["training_job"] | {"TrainingJobName": f"{RUN}-0"}


def test_a_job_on_spot_instances_is_asked_for_with_its_wait_and_its_checkpoints(machine, functions, sagemaker):
    functions.set(SnapshotData=ready(training_section={"spot": True}))
    assert run(machine)["status"] == "SUCCEEDED"
    (job,) = sagemaker.named("CreateTrainingJob")
    assert job["CheckpointConfig"]["S3Uri"] == "s3://b/o/checkpoints"
    assert job == ready(training_section={"spot": True})["training_job"] | {"TrainingJobName": f"{RUN}-0"}
    assert functions.named("PinArtefact")[0]["status"] == "Completed"


def test_jobs_and_models_in_a_vpc_are_those_that_the_snapshot_asked_for(machine, functions, sagemaker):
    answer = in_vpc(ready())
    functions.set(SnapshotData=answer)
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.named("CreateTrainingJob") == [answer["training_job"] | {"TrainingJobName": f"{RUN}-0"}]
    challenger, champion = sagemaker.named("CreateModel")
    assert challenger["VpcConfig"] == answer["challenger_model"]["VpcConfig"]
    assert champion == answer["champion_model"] | {"ModelName": f"{RUN}-champion-0"}


TUNED = {
    "validation_fraction": 0.1,
    "tuning": {"metric": "auc", "jobs": 4, "ranges": {"eta": {"continuous": [0.05, 0.5]}}},
}


def taken_from_tuning(event):
    training = {
        "job": "best",
        "artefact_uri": "s3://bucket/best/model.tar.gz",
        "status": "Completed",
        "run": event["run"],
    }
    return {"training": training | {"reason": "tuned", "tuned": "tuned"}, "challenger_model": event["challenger_model"]}


def test_a_tuning_searches_in_the_place_of_a_job_and_its_best_job_is_scored(machine, functions, sagemaker):
    answer = ready(training_section=TUNED)
    functions.set(SnapshotData=answer, TakeTrained=taken_from_tuning)
    assert run(machine)["status"] == "SUCCEEDED"
    (asked,) = sagemaker.named("CreateHyperParameterTuningJob")
    name = asked.pop("HyperParameterTuningJobName")
    assert (name, len(name) <= 32) == (f"{tuning_name(RUN)}-0", True)
    assert asked == {key: value for key, value in answer["tuning_job"].items() if key != "name"}
    assert sagemaker.named("CreateTrainingJob") == []
    assert functions.named("TakeTrained")[0]["tuning_job"] == name
    assert functions.named("PinArtefact")[0]["artefact_uri"] == "s3://bucket/best/model.tar.gz"
    assert functions.named("BuildBaseline")[0]["training"]["tuned"] == "tuned"


def test_a_tuning_that_finds_no_instances_waits_and_is_asked_for_anew(machine, functions, sagemaker):
    functions.set(SnapshotData=ready(training_section=TUNED), TakeTrained=taken_from_tuning)
    sagemaker.fail("CreateHyperParameterTuningJob", "ResourceLimitExceeded")
    assert run(machine)["status"] == "SUCCEEDED"
    names = [each["HyperParameterTuningJobName"] for each in sagemaker.named("CreateHyperParameterTuningJob")]
    assert names == [f"{tuning_name(RUN)}-0", f"{tuning_name(RUN)}-10"]
    assert functions.told()[0] == "capacity_awaited"


def test_a_tuning_that_fails_twice_ends_the_run_with_its_reason(machine, functions, sagemaker):
    functions.set(SnapshotData=ready(training_section=TUNED))
    sagemaker.job_endings = ["Failed", "Failed"]
    sagemaker.failure_reason = "No objective metrics found"
    ending = run(machine)
    assert (ending["status"], "No objective metrics found" in ending["cause"]) == ("FAILED", True)
    assert functions.named("Tell")[-1]["detail"]["state"] == "TuneChallenger"
    assert machine.lease() is None


def test_a_pipeline_trains_in_the_place_of_a_job_and_its_package_is_scored_and_registered(
    machine, functions, sagemaker
):
    functions.set(SnapshotData=by_pipeline(), TakeTrained=taken())
    assert run(machine)["status"] == "SUCCEEDED"
    (started,) = sagemaker.named("StartPipelineExecution")
    token = started.pop("ClientRequestToken")
    assert 32 <= len(token) <= 128
    assert started == {key: value for key, value in by_pipeline()["pipeline"].items() if key != "deadline"}
    assert len(sagemaker.named("DescribePipelineExecution")) == 5
    assert sagemaker.named("CreateTrainingJob") == []
    (asked,) = functions.named("TakeTrained")
    assert asked["execution_arn"] == PIPELINE_EXECUTION
    assert functions.named("PinArtefact")[0]["artefact_uri"] == "s3://theirs/model.tar.gz"
    assert sagemaker.named("CreateModel")[0]["PrimaryContainer"]["Image"] == "theirs:1"
    (built,) = functions.named("BuildBaseline")
    assert (built["training"]["package_arn"], built["container"]["Image"]) == (PACKAGE, "theirs:1")


def test_a_pipeline_that_takes_too_long_is_stopped_and_its_end_told(machine, functions, sagemaker):
    sagemaker.job_minutes = 600
    late = UnfinishedPipelineError(pipeline=PIPELINE_EXECUTION, status="Stopped")
    functions.set(SnapshotData=by_pipeline(deadline="2016-01-01T01:00:00Z"), TakeTrained=late)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "UnfinishedPipelineError")
    assert len(sagemaker.named("StopPipelineExecution")) == 1
    assert functions.named("Tell")[-1]["detail"]["state"] == "TakeTrained"
    assert machine.lease() is None


@pytest.mark.parametrize(
    ("operation", "state"),
    [("StartPipelineExecution", "StartPipeline"), ("DescribePipelineExecution", "LookAtPipeline")],
)
def test_a_pipeline_that_cannot_be_started_or_seen_is_told(machine, functions, sagemaker, operation, state):
    functions.set(SnapshotData=by_pipeline(), TakeTrained=taken())
    sagemaker.fail(operation, "ValidationException", times=9)
    assert run(machine)["status"] == "FAILED"
    assert functions.named("Tell")[-1]["detail"]["state"] == state
    assert machine.lease() is None


def test_champion_and_challenger_score_the_same_holdout_at_the_same_time(machine, sagemaker):
    run(machine)
    challenger, champion = sagemaker.named("CreateTransformJob")
    assert (challenger["ModelName"], champion["ModelName"]) == (f"{RUN}-0", f"{RUN}-champion-0")
    assert challenger["TransformInput"] == champion["TransformInput"]
    begun = [called for called, _ in sagemaker.calls if called == "CreateTransformJob" or "DescribeTr" in called]
    assert begun[-1] != "CreateTransformJob"
    first_look = begun.index("DescribeTransformJob")
    assert "CreateTransformJob" in begun[:first_look]


def test_the_champion_is_scored_through_a_copy_that_the_snapshot_asked_for(machine, sagemaker):
    run(machine)
    assert sagemaker.named("CreateModel")[1] == ready()["champion_model"] | {"ModelName": f"{RUN}-champion-0"}


def test_a_copy_that_is_refused_is_told_with_the_remedy_and_leaves_no_model(machine, functions, sagemaker):
    sagemaker.fail("CreateModel", "ValidationException", times=99, about="-champion")
    assert run(machine)["error"] == "SageMaker.SageMakerException"
    told = functions.named("Tell")[-1]["detail"]
    assert told["state"] == "CreateChampionCopy"
    begins = f"Let the role {ROLE} read the image and the artefact of the champion hotel-v2"
    assert told["cause"].startswith(begins)
    assert "CreateModel was refused" in told["cause"]
    assert deleted(sagemaker) == [f"{RUN}-0"]
    assert machine.lease() is None


def test_a_copy_whose_first_answer_was_lost_is_made_under_another_name(machine, sagemaker):
    sagemaker.fail("CreateModel", "ThrottlingException", about="-champion")
    assert run(machine)["status"] == "SUCCEEDED"
    assert sagemaker.named("CreateTransformJob")[1]["ModelName"] == f"{RUN}-champion-1"
    assert deleted(sagemaker) == [f"{RUN}-0", f"{RUN}-champion-1"]


def test_what_the_job_wrote_is_pinned_and_the_pinned_copy_is_what_is_scored_and_registered(
    machine, sagemaker, functions
):
    run(machine)
    (asked,) = functions.named("PinArtefact")
    assert (asked["job"], asked["artefact_uri"]) == (f"{RUN}-0", f"s3://bucket/{RUN}-0/model.tar.gz")
    model, _ = sagemaker.named("CreateModel")
    assert model["PrimaryContainer"]["ModelDataUrl"] == pinned()["uri"]
    (asked,) = functions.named("BuildBaseline")
    assert (asked["artefact"], asked["trained_uri"]) == (pinned(), f"s3://bucket/{RUN}-0/model.tar.gz")
    assert asked["trigger"] == TRIGGER


def test_the_one_that_pins_is_told_what_the_job_was_given_and_by_whom_it_was_trained(machine, functions):
    run(machine)
    (asked,) = functions.named("PinArtefact")
    arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{RUN}"
    assert asked["uses"] == {"inputs": ready()["training_inputs"], "trained_by": RUN, "execution": arn}
    assert functions.named("Tell")[0]["detail"]["reason"] == ""


def test_a_training_that_an_earlier_run_has_paid_is_scored_and_registered_without_a_job(machine, functions, sagemaker):
    earlier = earlier_training()
    functions.set(SnapshotData=ready(training=earlier))
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert sagemaker.named("CreateTrainingJob") == []
    (asked,) = functions.named("PinArtefact")
    assert (asked["job"], asked["artefact_uri"]) == (earlier["job"], earlier["artefact_uri"])
    assert asked["uses"]["trained_by"] == earlier["run"]
    assert asked["uses"]["execution"].endswith(f":{RUN}")
    assert sagemaker.named("CreateModel")[0]["PrimaryContainer"]["ModelDataUrl"] == pinned()["uri"]
    assert len(sagemaker.named("CreateTransformJob")) == 2
    told = functions.named("Tell")[0]
    assert (told["kind"], told["detail"]["job"], told["detail"]["reason"]) == (
        "training_completed",
        earlier["job"],
        earlier["reason"],
    )
    (asked,) = functions.named("BuildBaseline")
    assert asked["trained_uri"] == earlier["artefact_uri"]


def test_a_run_that_fails_after_its_training_leaves_it_to_the_next(account, machine, functions, sagemaker):
    s3, states, bucket, inputs = (
        account.client("s3"),
        account.client("stepfunctions"),
        "bucket",
        ready()["training_inputs"],
    )
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": account.region})

    def snapshot(_event):
        found = finished_trainings.find(s3, states, bucket, model=MODEL, inputs=inputs)
        if found is None:
            return ready()
        return ready(
            training=earlier_training() | {"job": found.job, "artefact_uri": found.artefact_uri, "run": found.run}
        )

    def pin(event):
        key = layout.artefact_key(MODEL, event["job"])
        s3.put_object(Bucket=bucket, Key=key, Body=b"weights", ChecksumAlgorithm="SHA256")
        sha256, uses = artefacts.digest(s3, bucket, key), event["uses"]
        training = FinishedTraining(
            inputs, uses["trained_by"], event["job"], event["artefact_uri"], sha256, uses["execution"]
        )
        finished_trainings.save(s3, bucket, MODEL, training)
        return pinned(f"s3://{bucket}/{key}")

    functions.set(SnapshotData=snapshot, PinArtefact=pin)
    sagemaker.fail("CreateModel", "ValidationException", times=6, about="hotel-1-")
    assert run(machine, run="hotel-1")["status"] == "FAILED"
    assert run(machine, run="hotel-2")["status"] == "SUCCEEDED"
    assert [job["TrainingJobName"] for job in sagemaker.named("CreateTrainingJob")] == ["hotel-1-0"]
    scored = sagemaker.named("CreateModel")[-2]
    assert (scored["ModelName"], scored["PrimaryContainer"]["ModelDataUrl"]) == (
        "hotel-2-0",
        f"s3://{bucket}/artefacts/hotel/hotel-1-0/model.tar.gz",
    )
    assert run(machine, run="hotel-3")["status"] == "SUCCEEDED"
    assert [job["TrainingJobName"] for job in sagemaker.named("CreateTrainingJob")] == ["hotel-1-0", "hotel-3-0"]


def test_without_a_champion_the_challenger_is_scored_alone(machine, functions, sagemaker):
    functions.set(SnapshotData=ready(champion=False))
    assert run(machine)["status"] == "SUCCEEDED"
    assert len(sagemaker.named("CreateTransformJob")) == len(sagemaker.named("CreateModel")) == 1
    assert deleted(sagemaker) == [f"{RUN}-0"]


def test_rejected_data_train_nothing_and_are_told(machine, functions, sagemaker):
    functions.set(SnapshotData=rejected())
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["data_rejected"]
    assert functions.named("Tell")[0]["detail"]["reasons"] == ["12 rows; 1,000 are needed"]
    assert sagemaker.calls == []
    assert machine.lease() is None


@pytest.mark.parametrize("champion", [True, False])
def test_a_refused_challenger_is_deleted_and_never_registered(machine, functions, sagemaker, champion):
    functions.set(SnapshotData=ready(champion=champion), CompareModels=gate("REFUSE"))
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told() == ["training_completed", "gate_failed"]
    assert deleted(sagemaker) == [f"{RUN}-0", *([f"{RUN}-champion-0"] if champion else [])]
    assert sagemaker.named("CreateModelPackage") == []
    assert machine.lease() is None


def test_a_refusal_is_told_with_the_time_and_words_of_the_entry_in_the_timeline(machine, functions):
    functions.set(CompareModels=gate("REFUSE"))
    run(machine)
    (compared,), told = functions.named("CompareModels"), functions.named("Tell")[-1]
    assert told["time"] == compared["time"]
    # compare_models.py: detail = {"run", "champion", "report_key", **answer}
    assert told["detail"] == {"run": RUN, "champion": "2", **gate("REFUSE")}


@pytest.mark.parametrize("function", ["SnapshotData", "PinArtefact", "CompareModels", "BuildBaseline"])
def test_a_function_that_fails_is_told_by_its_state_and_the_lease_is_gone(machine, functions, function):
    functions.set(**{function: UnreadableAnswerError("line 7")})
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "UnreadableAnswerError")
    told = functions.named("Tell")[-1]
    assert told["kind"] == "failed"
    assert (told["detail"]["state"], told["detail"]["error"]) == (function, "UnreadableAnswerError")
    assert "line 7" in told["detail"]["cause"]
    assert machine.lease() is None


def test_labels_that_one_attempt_cannot_fold_are_gone_on_with_by_the_next_ones(machine, functions):
    functions.set(SnapshotData=[*[LabelsUnfoldedError(model=MODEL, files=9, days=3)] * 20, ready()])
    assert run(machine)["status"] == "SUCCEEDED"
    assert len(functions.named("SnapshotData")) == 21


def test_a_training_job_that_fails_is_tried_once_more_under_another_name(machine, sagemaker):
    sagemaker.job_endings = ["Failed"]
    assert run(machine)["status"] == "SUCCEEDED"
    assert [job["TrainingJobName"] for job in sagemaker.named("CreateTrainingJob")] == [f"{RUN}-0", f"{RUN}-1"]


def test_a_training_job_that_fails_again_is_told_with_its_description(machine, functions, sagemaker):
    sagemaker.job_endings = ["Failed", "Failed"]
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "States.TaskFailed")
    assert f"{RUN}-1" in functions.named("Tell")[-1]["detail"]["cause"]
    assert machine.lease() is None


def test_a_throttled_job_is_asked_for_again_under_another_name(machine, sagemaker):
    sagemaker.fail("CreateTrainingJob", "ThrottlingException", times=2)
    assert run(machine)["status"] == "SUCCEEDED"
    names = [job["TrainingJobName"] for job in sagemaker.named("CreateTrainingJob")]
    assert len(set(names)) == len(names) == 3


@pytest.mark.parametrize("ending", ["Failed", "Stopped"])
def test_transform_jobs_that_fail_end_the_run_and_delete_the_model(machine, functions, sagemaker, ending):
    sagemaker.job_endings = ["Completed", *[ending] * 4]
    assert run(machine)["error"] == "States.TaskFailed"
    assert functions.named("Tell")[-1]["detail"]["state"] == "ScoreHoldout"
    names = [job["TransformJobName"] for job in sagemaker.named("CreateTransformJob")]
    assert len(set(names)) == len(names)
    assert deleted(sagemaker) == [f"{RUN}-0", f"{RUN}-champion-0"]
    assert machine.lease() is None


def test_the_other_transform_job_is_stopped_when_one_has_failed_for_good(machine, sagemaker):
    sagemaker.fail("CreateTransformJob", "ValidationException", times=9, about="-challenger-")
    sagemaker.job_minutes = 60
    assert run(machine)["error"] == "SageMaker.AmazonSageMakerException"
    assert sagemaker.named("StopTransformJob") == [{"TransformJobName": f"{RUN}-champion-0"}]


@pytest.mark.parametrize("operation", ["CreateTrainingJob", "CreateTransformJob"])
def test_a_quota_is_waited_for_and_told_once(machine, functions, sagemaker, operation):
    sagemaker.fail(operation, "ResourceLimitExceeded", times=9, about=RUN)
    ending = run(machine)
    assert ending["status"] == "SUCCEEDED", ending.get("cause")
    assert functions.told().count("capacity_awaited") == 1
    told = next(event for event in functions.named("Tell") if event["kind"] == "capacity_awaited")["detail"]
    assert (told["machine"], told["error"]) == ("kedge-retrain", "SageMaker.ResourceLimitExceededException")
    names = [request.get("TrainingJobName", request.get("TransformJobName")) for request in sagemaker.named(operation)]
    assert len(set(names)) == len(names)
    assert machine.lease() is None


def test_a_lack_of_instances_is_waited_for_and_a_script_that_fails_is_not(machine, functions, sagemaker):
    sagemaker.job_endings, sagemaker.failure_reason = ["Failed"] * 4, SHORT_OF_JOBS
    assert run(machine)["status"] == "SUCCEEDED"
    assert functions.told().count("capacity_awaited") == 1


def test_a_quota_that_stays_is_given_up_after_a_day_and_told(machine, functions, sagemaker):
    sagemaker.fail("CreateTrainingJob", "ResourceLimitExceeded", times=99)
    ending = run(machine, hours=26)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.ResourceLimitExceededException")
    assert functions.told() == ["capacity_awaited", "failed"]
    first, last = (event["time"] for event in functions.named("Tell"))
    assert timedelta(hours=23) < from_text(last) - from_text(first) < timedelta(hours=25)
    assert (functions.named("Tell")[-1]["detail"]["state"], machine.lease()) == ("TrainChallenger", None)


@pytest.mark.parametrize("operation", ["CreateModel", "CreateModelPackage"])
def test_a_call_that_is_refused_for_good_ends_the_run_told(machine, functions, sagemaker, operation):
    sagemaker.fail(operation, "ValidationException", times=99)
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "SageMaker.SageMakerException")
    assert functions.told()[-1] == "failed"
    assert machine.lease() is None


def test_models_are_named_anew_with_each_attempt(machine, sagemaker):
    sagemaker.fail("CreateModel", "ThrottlingException")
    assert run(machine)["status"] == "SUCCEEDED"
    made = [model["ModelName"] for model in sagemaker.named("CreateModel")]
    assert made == [f"{RUN}-0", f"{RUN}-1", f"{RUN}-champion-0"]
    assert sagemaker.named("CreateTransformJob")[0]["ModelName"] == f"{RUN}-1"
    assert deleted(sagemaker) == [f"{RUN}-1", f"{RUN}-champion-0"]


def test_a_busy_lambda_is_asked_again(machine, functions):
    functions.set(SnapshotData=[throttled(), throttled(), ready()])
    assert run(machine)["status"] == "SUCCEEDED"


def test_a_job_that_outlives_its_state_is_stopped(machine, functions, sagemaker):
    sagemaker.job_minutes = 60 * 13
    ending = run(machine, hours=48)
    assert ending["status"] == "FAILED"
    assert sagemaker.named("StopTrainingJob") == [{"TrainingJobName": f"{RUN}-0"}]
    assert (functions.named("Tell")[-1]["detail"]["error"], machine.lease()) == ("States.Timeout", None)


def test_the_lease_is_given_back_even_if_nobody_can_be_told(machine, functions):
    functions.set(SnapshotData=ValueError("broken"), Tell=RuntimeError("no mail today"))
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "ValueError")
    assert machine.lease() is None


@pytest.mark.parametrize("told", [1, 2])
def test_a_teller_that_fails_on_the_way_is_tried_again_and_then_fails_the_run(machine, functions, told):
    functions.set(Tell=[{}] * (told - 1) + [RuntimeError("no mail today")] * 3 + [{}])
    ending = run(machine)
    assert (ending["status"], ending["error"]) == ("FAILED", "RuntimeError")
    assert machine.lease() is None


def test_an_unknown_verdict_is_told_rather_than_guessed(machine, functions):
    functions.set(SnapshotData={"verdict": "PERHAPS"})
    assert run(machine)["error"] == "UnknownVerdict"
    assert functions.told() == ["failed"]
    assert machine.lease() is None


def test_anothers_lease_is_left_alone(account, machine):
    machine.start(trigger=TRIGGER)
    machine.hold_lease("arn:someone-else")
    account.clock.advance_to(account.clock.now + timedelta(hours=5))
    assert machine.ending(f"{machine.arn.replace(':stateMachine:', ':execution:')}:{RUN}")["status"] == "SUCCEEDED"
    assert machine.lease() == "arn:someone-else"


def test_a_leftover_model_does_not_fail_a_good_run(machine, sagemaker):
    sagemaker.fail("DeleteModel", "ValidationException", times=99)
    assert run(machine)["status"] == "SUCCEEDED"
    assert machine.lease() is None


def test_names_fit_however_long_the_run_is_called(machine, sagemaker):
    longest = "a" * 50
    assert run(machine, run=longest)["status"] == "SUCCEEDED"
    names = [request[key] for _, request in sagemaker.calls for key in request if key.endswith("JobName")]
    assert max(map(len, names)) <= 63


def test_what_is_told_names_the_model_and_the_run(machine, functions):
    run(machine)
    assert {(event["model"], event["detail"]["run"]) for event in functions.named("Tell")} == {(MODEL, RUN)}
