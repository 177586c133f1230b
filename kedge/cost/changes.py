"""What a retraining and the release after it cost: SageMaker's instances by the hour, and the states of the two machines."""

from __future__ import annotations

import math

from kedge.config.model import ModelConfig
from kedge.config.prices import cost_usd
from kedge.cost.lines import Line

# Assumptions: a batch transform, and how long instances need before they serve.
TRANSFORM_SECONDS, START_SECONDS = 600, 600
# Counted in the files of `state_machines/`, as the README says.
RETRAIN_TRANSITIONS, RELEASE_TRANSITIONS, STAGING_TRANSITIONS = 26, 200, 150


def change_lines(config: ModelConfig, changes_a_month: float) -> tuple[list[Line], list[str]]:
    """Lines of a model's retrainings that end in a release, and a sentence for each instance type without a price."""
    if config.mode == "watch" or not changes_a_month:
        return [], []
    training, endpoint, retraining = config.training, config.endpoint, config.retraining
    own, serving = retraining.usd_per_instance_hour, endpoint.instance_type
    second_fleet = fleet_seconds(config)
    trained = training.max_runtime_seconds * training.instance_count * (training.tuning.jobs if training.tuning else 1)
    transitions = RETRAIN_TRANSITIONS + RELEASE_TRANSITIONS
    # What, type, seconds of an instance, price of its own.
    asked = [
        ("training, at most", training.instance_type, trained, own),
        ("two batch transforms", training.instance_type, 2 * TRANSFORM_SECONDS, own),
        ("second fleet of a release", serving, second_fleet, None),
    ]
    if config.staging:
        asked.append(("a trial on staging", serving, config.staging.minutes * 60 + START_SECONDS, None))
        transitions += STAGING_TRANSITIONS
    lines = [Line("changes", "Step Functions transitions", transitions * changes_a_month, "Step Functions transition")]
    unknown = list[str]()
    for what, kind, seconds, price in asked:
        an_hour = cost_usd(kind, 3600.0, usd_an_hour=price)
        if an_hour is None:
            unknown.append(f"SageMaker hours: {what}: the price of {kind} is not known, so it is left out")
        else:
            hours = seconds / 3600 * changes_a_month
            lines.append(Line("changes", f"SageMaker hours: {what}", hours, f"hour of {kind}", an_hour))
    said = f"retrainings a month, each released: {changes_a_month:g}; their functions are left out, which take at most $0.15"
    return lines, [said, *unknown]


def fleet_seconds(config: ModelConfig) -> float:
    """Instance seconds that a release takes beside the fleet that serves, at most: a trial of days comes before it."""
    release, instances = config.release, config.endpoint.instance_count
    days = release.divided.days.maximum if release.strategy == "ab" else release.shadowed.days
    tried = release.tried_instances(champion=instances) * days * 86_400
    if release.strategy == "rolling":
        instances = math.ceil(instances * release.step)
    return tried + instances * (START_SECONDS + release.longest_seconds(config.canary))
