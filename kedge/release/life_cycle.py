"""Where a package stands in its life, as the registry's ModelLifeCycle shows it: SageMaker leaves the names of stages to us."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class LifeCycle:
    """A stage and its status; SageMaker takes letters, digits and hyphens, at most 63 of them."""

    stage: str
    status: str


WAITING = LifeCycle("Staging", "Waiting")
DECLINED = LifeCycle("Staging", "Declined")
RELEASING = LifeCycle("Staging", "Releasing")
CANARY = LifeCycle("Staging", "Canary")
TRIAL = LifeCycle("Staging", "Trial")
WITHDRAWN = LifeCycle("Staging", "Withdrawn")
SERVING = LifeCycle("Production", "Serving")
REPLACED = LifeCycle("Retired", "Replaced")
REJECTED = LifeCycle("Retired", "Rejected")

DESCRIPTIONS = {
    WAITING: "Kedge has registered it, and a person decides about it",
    DECLINED: "it was rejected before it served",
    RELEASING: "Kedge makes the endpoint with it",
    CANARY: "Kedge releases it; until that has ended, the version before serves too",
    TRIAL: "it is tried beside the version that serves",
    WITHDRAWN: "it was on trial and did not come into service",
    SERVING: "the endpoint serves it",
    REPLACED: "it served before; another version serves now",
    REJECTED: "it served before and was rejected",
}


def life_cycle_of(
    arn: str,
    *,
    status: str,
    shown: LifeCycle | None,
    champion: str | None,
    on_trial: tuple[str, LifeCycle] | None,
    served: Collection[str],
) -> LifeCycle | None:
    """Say what the registry ought to show of a package; None where nothing is known of it that it does not show.

    Parameters
    ----------
    arn, status : str
        The package, and its approval status.
    shown : LifeCycle or None
        What the registry shows of it now, which a person may have written.
    champion : str or None
        The package that serves.
    on_trial : tuple or None
        The package of the release that is under way, and how it is tried.
    served : collection of str
        Packages that served before, as far as they are remembered; what the registry shows in production has served too.

    >>> facts = {"status": "Approved", "champion": "v2", "on_trial": ("v3", CANARY), "served": ()}
    >>> life_cycle_of("v1", shown=SERVING, **facts), life_cycle_of("v3", shown=WAITING, **facts)
    (LifeCycle(stage='Retired', status='Replaced'), LifeCycle(stage='Staging', status='Canary'))
    >>> life_cycle_of("v4", shown=CANARY, **facts).status, life_cycle_of("v5", shown=WAITING, **{**facts, "status": "Rejected"}).status
    ('Withdrawn', 'Declined')
    """
    if arn == champion:
        return SERVING
    if on_trial is not None and arn == on_trial[0]:
        return on_trial[1]
    if arn in served or (shown is not None and shown.stage in (SERVING.stage, REPLACED.stage)):
        return REJECTED if status == "Rejected" else REPLACED
    if shown in (WAITING, DECLINED):
        return DECLINED if status == "Rejected" else WAITING
    return WITHDRAWN if shown in (RELEASING, CANARY, TRIAL) else shown


def request_of(life_cycle: LifeCycle = WAITING) -> dict[str, str]:
    """Write a stage as the registry takes it; by default that of a package that is registered.

    >>> request_of(SERVING)
    {'Stage': 'Production', 'StageStatus': 'Serving', 'StageDescription': 'the endpoint serves it'}
    """
    return {
        "Stage": life_cycle.stage,
        "StageStatus": life_cycle.status,
        "StageDescription": DESCRIPTIONS[life_cycle],
    }
