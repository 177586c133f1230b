"""Traffic moves by the strategy that the YAML names, in whole instances, and within SageMaker's times."""

from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kedge.config.policies import (
    LONGEST_DEPLOYMENT_SECONDS,
    PROVISIONING_SECONDS,
    CanaryPolicy,
    ReleasePolicy,
    Strategy,
)
from kedge.release.traffic import STRATEGIES, canary_instances, rollout, step_instances


def test_each_strategy_that_the_yaml_may_name_is_there():
    assert set(STRATEGIES) == set(get_args(Strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(instances=st.integers(2, 100), bake=st.integers(10, 60), termination=st.integers(0, 60))
def test_each_strategy_bakes_says_what_moves_and_ends_in_time(strategy, instances, bake, termination):
    policy = CanaryPolicy(bake_minutes=bake, termination_wait_minutes=termination)
    release = ReleasePolicy(strategy=strategy)
    assume(release.longest_seconds(policy) <= LONGEST_DEPLOYMENT_SECONDS - PROVISIONING_SECONDS)
    how = rollout(policy, release, instances=instances)
    assert how.routing.bakes >= 1
    assert how.routing.words
    assert 600 <= how.maximum_seconds <= 28_800
    assert how.routing.bakes * how.bake_seconds + how.termination_wait_seconds < how.maximum_seconds
    if how.routing.size:
        assert 1 <= how.routing.size[1] <= instances / 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_instance_is_never_divided(strategy):
    assert rollout(CanaryPolicy(), ReleasePolicy(strategy=strategy), instances=1).routing.type == "ALL_AT_ONCE"


def test_several_instances_take_all_traffic_at_once_where_the_yaml_says_so():
    how = rollout(CanaryPolicy(), ReleasePolicy(strategy="all_at_once"), instances=4)
    assert (how.routing.type, how.routing.size) == ("ALL_AT_ONCE", None)
    assert "as the YAML says" in how.routing.words


def test_one_instance_has_no_canary_but_bakes_which_is_said():
    how = rollout(CanaryPolicy(), instances=1)
    assert (how.routing.type, how.routing.size) == ("ALL_AT_ONCE", None)
    assert how.bake_seconds == 2700
    assert (
        "1 instance, so there is no canary beside it: every request goes to this version at once" in how.routing.words
    )


@given(fraction=st.floats(0, 0.5, exclude_min=True), instances=st.integers(2, 10_000))
def test_a_canary_is_whole_instances_at_least_one_and_at_most_half(fraction, instances):
    canary = canary_instances(fraction, instances)
    assert isinstance(canary, int)
    assert 1 <= canary <= instances / 2
    # Never more than the YAML has, but where a part of an instance would be left.
    assert canary == 1 or canary <= fraction * instances + 1e-6


@pytest.mark.parametrize(
    ("fraction", "instances", "canary"), [(0.1, 3, 1), (0.5, 2, 1), (0.5, 5, 2), (0.3, 10, 3), (0.29, 100, 29)]
)
def test_the_share_that_it_really_is_stands_beside_the_yamls(fraction, instances, canary):
    how = rollout(CanaryPolicy(traffic_fraction=fraction), instances=instances)
    assert how.routing.size == ("CanarySize", canary)
    assert f"{canary} of {instances} instances: about {100 * canary / instances:.0f} %" in how.routing.words
    assert how.routing.words.endswith(f"the YAML has {100 * fraction:g} %")


@given(least=st.sampled_from([0.05, 0.1]), share=st.floats(0, 1), instances=st.integers(2, 10_000))
def test_a_step_is_whole_instances_that_sagemaker_takes(least, share, instances):
    fraction = least + share * (0.5 - least)
    step = step_instances(fraction, instances, least=least)
    assert least * instances - 1e-6 <= step <= max(1, instances / 2)


@pytest.mark.parametrize(("strategy", "kind"), [("linear", "LINEAR"), ("rolling", "ROLLING")])
def test_a_release_in_steps_says_the_share_that_each_step_really_is(strategy, kind):
    how = rollout(CanaryPolicy(), ReleasePolicy(strategy=strategy, step_fraction=0.3), instances=5)
    assert (how.routing.type, how.routing.size, how.routing.bakes) == (kind, ("LinearStepSize", 1), 5)
    assert how.routing.words.startswith(f"{strategy}, 5 steps of 1 of 5 instances: about 20 % of the traffic more")
    assert "the YAML has 30 %" in how.routing.words
