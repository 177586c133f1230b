import re

import pytest

from kedge import errors
from kedge.config.reading import parse_model_config
from kedge.config.training import TRAINING_SECONDS_MAX
from tests.architecture.state_machine_files import DEFINITIONS, STACK_OF, asked_names, load, named_errors, states
from tests.synthesised import resources

# It stands in a loop, which tries it again.
TRIED_ONCE = {"SettleUnwatched"}
# A run has one of these.
TRAININGS = ("TrainChallenger", "TrainInVpc", "TuneChallenger")
# What Step Functions, Lambda, SageMaker and DynamoDB call their own failures.
OF_AWS = re.compile(r"^(States|Lambda|SageMaker|DynamoDB|DynamoDb|CloudWatch|SdkClient|Sagemaker|Sandbox)\.")


def test_every_file_is_deployed():
    assert {path.name for path in DEFINITIONS.glob("*.json")} == set(STACK_OF)


@pytest.mark.parametrize("file", STACK_OF)
def test_every_outside_name_is_supplied_and_none_besides(file):
    (machine,) = resources("AWS::StepFunctions::StateMachine", STACK_OF[file]).values()
    assert set(machine["Properties"]["DefinitionSubstitutions"]) == asked_names(file)


@pytest.mark.parametrize("file", STACK_OF)
def test_the_file_deployed_is_the_file_tested(file):
    (machine,) = resources("AWS::StepFunctions::StateMachine", STACK_OF[file]).values()
    assert machine["Properties"]["DefinitionString"] == (DEFINITIONS / file).read_text()


@pytest.mark.parametrize("file", STACK_OF)
def test_every_error_that_is_named_exists(file):
    ours = {name for name in named_errors(load(file)) if not OF_AWS.match(name)}
    assert {name for name in ours if not hasattr(errors, name)} == set()


@pytest.mark.parametrize("file", STACK_OF)
def test_what_is_retried_of_ours_may_pass_by_itself(file):
    retried = {e for _, s in states(load(file)) for rule in s.get("Retry", []) for e in rule["ErrorEquals"]}
    for name in retried:
        if not OF_AWS.match(name):
            assert issubclass(getattr(errors, name), errors.RetryableError), name


@pytest.mark.parametrize("file", STACK_OF)
def test_every_task_has_a_timeout_and_is_tried_again_after_an_error_that_nobody_named(file):
    for name, state in states(load(file)):
        if state["Type"] == "Task":
            assert {"TimeoutSeconds", "TimeoutSecondsPath"} & set(state), name
        if state["Type"] == "Task" and name not in TRIED_ONCE and not state["Resource"].endswith(".sync"):
            assert state["Retry"][-1]["ErrorEquals"] == ["States.ALL"], name
        for rule in state.get("Retry", [])[:-1]:
            assert "States.ALL" not in rule["ErrorEquals"], name


@pytest.mark.parametrize("file", STACK_OF)
def test_everything_is_caught_only_in_a_last_catch(file):
    for name, state in states(load(file)):
        for rule in state.get("Catch", [])[:-1]:
            assert "States.ALL" not in rule["ErrorEquals"], name


@pytest.mark.parametrize("file", STACK_OF)
def test_choices_branch_on_verdicts_never_on_numbers(file):
    for name, state in states(load(file)):
        for choice in state.get("Choices", []):
            assert not [key for key in choice if key.startswith("Numeric")], name


def longest_seconds(state):
    """A state with each attempt that follows a failed job, its waits included."""
    if state["Type"] == "Parallel":
        return max(sum(map(longest_seconds, branch["States"].values())) for branch in state["Branches"])
    again = [rule for rule in state.get("Retry", []) if "States.TaskFailed" in rule["ErrorEquals"]]
    attempts = 1 + sum(rule["MaxAttempts"] for rule in again)
    waits = sum(rule["IntervalSeconds"] * rule["MaxAttempts"] for rule in again)
    return state.get("TimeoutSeconds", 0) * attempts + waits


def test_the_longest_training_that_a_yaml_may_ask_for_fits_its_state_with_an_hour_to_start_and_end():
    retrain = load("retrain.asl.json")
    for name in TRAININGS:
        assert retrain["States"][name]["TimeoutSeconds"] - 3600 == TRAINING_SECONDS_MAX


def test_the_retrain_machine_outlasts_all_its_states_each_at_its_longest():
    retrain = load("retrain.asl.json")
    longest = {name: longest_seconds(state) for name, state in retrain["States"].items()}
    trained = max(longest.pop(name) for name in TRAININGS)
    assert retrain["TimeoutSeconds"] >= sum(longest.values()) + trained + waited_seconds(retrain)


@pytest.mark.parametrize("file", STACK_OF)
def test_capacity_is_waited_for_a_day_in_growing_pauses_and_told_first(file):
    machine = load(file)
    verdicts, pauses = zip(*(pause.values() for pause in machine["States"]["Begin"]["Result"]["pauses"]), strict=True)
    assert (verdicts[0], set(verdicts[1:-1]), verdicts[-1]) == ("TELL", {"WAIT"}, "GIVE_UP")
    assert 86_400 <= sum(pauses) < machine["TimeoutSeconds"] - 12 * 3600
    assert list(pauses[:-1]) == sorted(pauses[:-1])


def waited_seconds(machine):
    """What the machine waits for capacity at most."""
    return sum(pause["seconds"] for pause in machine["States"]["Begin"]["Result"]["pauses"])


def test_a_longer_training_is_refused_with_its_place_and_range():
    text = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], training: {max_runtime_seconds: %d}}"
    assert (
        parse_model_config(text % TRAINING_SECONDS_MAX, source="m").training.max_runtime_seconds == TRAINING_SECONDS_MAX
    )
    with pytest.raises(errors.ModelConfigError, match=rf"training\.max_runtime_seconds.*{TRAINING_SECONDS_MAX}"):
        parse_model_config(text % (TRAINING_SECONDS_MAX + 1), source="m")
