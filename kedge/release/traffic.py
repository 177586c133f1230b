"""How traffic moves to a new fleet: one strategy a function, and adding one is its function and its line in `STRATEGIES`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kedge.config.policies import (
    BATCH_SECONDS,
    LONGEST_DEPLOYMENT_SECONDS,
    PROVISIONING_SECONDS,
    CanaryPolicy,
    ReleasePolicy,
    Strategy,
)

_SHORTEST_DEPLOYMENT_SECONDS = 600
# The strategies that move traffic in steps.
IN_STEPS = ("linear", "rolling")
# SageMaker's least share of a step, for each type that has steps.
_LEAST = {"LINEAR": 0.1, "ROLLING": 0.05}


@dataclass(frozen=True)
class Routing:
    """What a strategy decides, with the words of SageMaker's TrafficRoutingConfig.

    Attributes
    ----------
    type : str
        Its `Type`; ROLLING where a RollingUpdatePolicy takes its place.
    words : str
        What share of the traffic moves, as a sentence for people.
    size : tuple of str and int, or None
        The name of its field for each step, and the instances of that step; None where all traffic moves at once.
    bakes : int
        How often the fleet bakes before it has all traffic for good.
    """

    type: str
    words: str
    size: tuple[str, int] | None = None
    bakes: int = 1


@dataclass(frozen=True)
class Rollout:
    """How traffic moves to the new fleet, and how long each part of that may take."""

    routing: Routing
    bake_seconds: int
    termination_wait_seconds: int
    maximum_seconds: int


def rollout(policy: CanaryPolicy, release: ReleasePolicy | None = None, *, instances: int) -> Rollout:
    """Decide how traffic moves to a fleet of this many instances.

    One instance cannot be divided, so all traffic moves at once and is watched there, whatever the strategy is.

    >>> rollout(CanaryPolicy(), instances=3).routing.words
    'canary of 1 of 3 instances: about 33 % of the traffic; the YAML has 10 %'
    >>> rollout(CanaryPolicy(), instances=1).routing.type
    'ALL_AT_ONCE'
    """
    release = release or ReleasePolicy()
    routing = (STRATEGIES[release.strategy] if instances > 1 else all_at_once)(policy, release, instances)
    bake, termination = policy.bake_minutes * 60, policy.termination_wait_minutes * 60
    made = PROVISIONING_SECONDS + (routing.bakes * BATCH_SECONDS if routing.type == "ROLLING" else 0)
    longest = min(LONGEST_DEPLOYMENT_SECONDS, routing.bakes * bake + termination + made)
    return Rollout(routing, bake, termination, max(_SHORTEST_DEPLOYMENT_SECONDS, longest))


def canary(policy: CanaryPolicy, _release: ReleasePolicy, instances: int) -> Routing:
    """A part of the fleet answers its share of the traffic and bakes; then all traffic moves."""
    some = canary_instances(policy.traffic_fraction, instances)
    words = (
        f"canary of {some} of {instances} instances: about {100 * some / instances:.0f} % of the traffic; "
        f"the YAML has {100 * policy.traffic_fraction:g} %"
    )
    return Routing("CANARY", words, size=("CanarySize", some))


def linear(policy: CanaryPolicy, release: ReleasePolicy, instances: int) -> Routing:
    """A second fleet takes the traffic in equal steps, and bakes after each one."""
    return _in_steps("LINEAR", "linear", policy, release, instances)


def rolling(policy: CanaryPolicy, release: ReleasePolicy, instances: int) -> Routing:
    """The fleet's own instances are replaced in batches: there is never a whole second fleet."""
    return _in_steps("ROLLING", "rolling", policy, release, instances)


def _in_steps(kind: str, called: str, policy: CanaryPolicy, release: ReleasePolicy, instances: int) -> Routing:
    step = step_instances(release.step, instances, least=_LEAST[kind])
    steps = -(-instances // step)
    words = (
        f"{called}, {steps} steps of {step} of {instances} instances: about {100 * step / instances:.0f} % of the traffic more "
        f"with each; the YAML has {100 * release.step:g} %. It bakes for {policy.bake_minutes} minutes after each step"
    )
    return Routing(kind, words, size=("LinearStepSize", step), bakes=steps)


def all_at_once(policy: CanaryPolicy, _release: ReleasePolicy, instances: int) -> Routing:
    """All traffic moves, and bakes there."""
    bake = f"it is watched for {policy.bake_minutes} minutes"
    if instances > 1:
        return Routing("ALL_AT_ONCE", f"every request goes to this version at once, as the YAML says, and {bake}")
    alone = "the endpoint runs on 1 instance, so there is no canary beside it"
    return Routing("ALL_AT_ONCE", f"{alone}: every request goes to this version at once, and {bake}")


# By the name that the YAML has for it.
STRATEGIES: Mapping[Strategy, Callable[[CanaryPolicy, ReleasePolicy, int], Routing]] = {
    "canary": canary,
    "linear": linear,
    "rolling": rolling,
    "all_at_once": all_at_once,
    # Once it is proved.
    "shadow": canary,
    "ab": canary,
}


def canary_instances(fraction: float, instances: int) -> int:
    """Whole instances of a canary: the fraction of those that run, rounded down, and at least one.

    Rounding down keeps a canary from getting more traffic than the YAML allows, if it is more than one instance.
    With a fraction of at most 0.5 the canary is never more than half of two or more instances, which SageMaker would refuse.

    >>> [canary_instances(0.1, instances) for instances in (2, 10, 25)]
    [1, 1, 2]
    """
    # 0.29 * 100 is a little below 29.
    return max(1, math.floor(fraction * instances + 1e-9))


def step_instances(fraction: float, instances: int, *, least: float) -> int:
    """Whole instances of one step: as a canary's, and no fewer than the share below which SageMaker refuses it.

    >>> [step_instances(0.1, instances, least=0.1) for instances in (2, 10, 25)]
    [1, 1, 3]
    """
    return max(canary_instances(fraction, instances), math.ceil(least * instances - 1e-9))
