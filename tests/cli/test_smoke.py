"""How `kedge smoke` takes its steps, waits and listens; what the steps find is proved end to end."""

import numpy as np
import pytest

from cli.refusals import BadInputError
from cli.smoke.every_step import STEPS, Step
from cli.smoke.model import DEFINITION, MODEL, Row, draw_rows, load_definition
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.run import chosen_steps, take
from cli.smoke.steps.alert_path import prove as prove_alert_path
from cli.smoke.waiting import SmokeWaiting


class Instant(SmokeWaiting):
    """Time that passes when it is waited for."""

    def pause(self, seconds: float) -> None:
        self._moved += seconds


class World:
    """As much of a smoke as taking steps needs."""

    def __init__(self) -> None:
        self.waiting = Instant()


def good(world) -> Proof:
    """Do what works."""
    world.waiting.pause(90)
    return Proof("arn:good", "it works")


def bad(_world) -> Proof:
    """Do what does not."""
    raise NotProvedError("it does not", arn="arn:bad", remedy="mend it")


def stopped(_world) -> Proof:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def taken(*steps: Step) -> dict:
    return {result.step: result for result in take(World(), steps, lambda _step: None)}


def test_a_step_that_fails_names_resource_cause_and_remedy():
    found = taken(Step("bad", bad))["bad"]
    assert (found.verdict, found.arn, found.cause, found.remedy) == ("FAIL", "arn:bad", "it does not", "mend it")
    assert found.tried == "Do what does not."


def test_steps_that_need_a_failed_one_are_skipped_and_others_go_on():
    found = taken(
        Step("bad", bad), Step("next", good, needs=("bad",)), Step("later", good, needs=("next",)), Step("other", good)
    )
    assert {name: result.verdict for name, result in found.items()} == {
        "bad": "FAIL",
        "next": "SKIPPED",
        "later": "SKIPPED",
        "other": "PASS",
    }
    assert (found["next"].cause, found["later"].cause) == ("bad did not pass", "next did not pass")
    assert found["other"].seconds == 90


def test_after_ctrl_c_the_rest_is_skipped_so_that_the_clean_up_begins():
    found = taken(Step("first", good), Step("stopped", stopped), Step("other", good))
    assert [result.verdict for result in found.values()] == ["PASS", "FAIL", "SKIPPED"]
    assert found["other"].cause == "the run was interrupted"
    assert found["stopped"].remedy == "take the step again with --from stopped"


def test_the_steps_are_chosen_by_name():
    assert [step.name for step in chosen_steps(only="capture", since=None)] == ["capture"]
    assert [step.name for step in chosen_steps(only=None, since="bad-canary")] == ["bad-canary", "athena"]
    assert chosen_steps(only=None, since=None) == STEPS
    with pytest.raises(BadInputError, match="--only is 'captures'; the steps are preflight, functions"):
        chosen_steps(only="captures", since=None)
    with pytest.raises(BadInputError, match="either --only or --from"):
        chosen_steps(only="capture", since="capture")


def test_each_step_needs_only_earlier_ones_and_says_what_it_tries():
    names = [step.name for step in STEPS]
    for place, step in enumerate(STEPS):
        assert set(step.needs) <= set(names[:place])
        assert step.tries.endswith(".")


def test_waiting_ends_with_the_first_true_answer_or_with_its_time():
    waiting, answers = Instant(), iter(["", "", "there", "too late"])
    assert waiting.until(lambda: next(answers), minutes=5, pause_seconds=20) == "there"
    assert 40 <= waiting.elapsed_seconds < 60
    assert waiting.until(lambda: "", minutes=1, pause_seconds=20) == ""
    with pytest.raises(BadInputError, match="prints the address of its clock"):
        SmokeWaiting("file:///etc/passwd")


def test_the_bundled_model_can_be_followed_and_its_rows_are_in_the_order_of_its_payload():
    config = load_definition()
    assert (config.model, config.endpoint.name, DEFINITION.name) == (MODEL, MODEL, f"{MODEL}.yaml")
    row = Row(61.5, 8.0, 30, "east", 1)
    assert row.payload == "61.5,8.0,30,east"
    assert row.payload.split(",") == [str(getattr(row, name)) for name in config.feature_names]


def test_the_rows_hold_a_signal():
    rows = draw_rows(2000, np.random.default_rng(0))
    hot, cold = ([r.label for r in rows if (r.temperature > 60) == side] for side in (True, False))
    assert sum(hot) / len(hot) > sum(cold) / len(cold) + 0.2


class Subscribed:
    """Topics with one subscription each, as far as the alert path looks before it publishes."""

    def __init__(self, arn: str) -> None:
        self.arn, self.listener, self.deployment = arn, self, self

    def find(self, _stack: str, _kind: str, name: str) -> str:
        return f"arn:aws:sns:eu-west-1:1:{name}"

    def is_own(self, _endpoint: str) -> bool:
        return False

    def client(self, _service: str):
        return self

    def get_paginator(self, _operation: str):
        return self

    def paginate(self, **_request: str) -> list:
        return [{"Subscriptions": [{"SubscriptionArn": self.arn, "Endpoint": "you@example.com"}]}]


def test_a_subscription_that_nobody_confirmed_is_no_alert_path():
    with pytest.raises(NotProvedError, match=r"you@example.com is not confirmed") as caught:
        prove_alert_path(Subscribed("PendingConfirmation"))
    assert caught.value.arn.endswith(":Alerts")
    assert "click the link" in caught.value.remedy
