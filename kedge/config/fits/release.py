"""Whether a release fits the rest of its model: its steps, its shadow, its A/B test."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.config.fits.meant import meant
from kedge.config.gate import GatePolicy
from kedge.config.metrics import find, gate_metrics
from kedge.config.policies import (
    LONGEST_DEPLOYMENT_SECONDS,
    PROVISIONING_SECONDS,
    BusinessFigure,
    CanaryPolicy,
    PerformancePolicy,
    ReleasePolicy,
)
from kedge.config.sections import Problem


def require_deployment(release: ReleasePolicy, canary: CanaryPolicy, instances: int) -> None:
    """Refuse what SageMaker would refuse of an update, or end before its time."""
    strategy = release.strategy
    if strategy in ("linear", "rolling") and instances < 2:
        raise ValueError(
            f"release.strategy is {strategy}, and endpoint.instance_count is {instances}: a step is at most half of the "
            "instances, so 2 are the least; raise the count, or take canary or all_at_once"
        )
    longest = release.longest_seconds(canary)
    if longest > LONGEST_DEPLOYMENT_SECONDS - PROVISIONING_SECONDS:
        raise ValueError(
            f"release.strategy {strategy} would wait {longest / 3600:.1f} hours in all: SageMaker ends a deployment after "
            f"{LONGEST_DEPLOYMENT_SECONDS // 3600}, and new instances need one of them; raise release.step_fraction or lower "
            "canary.bake_minutes"
        )


def require_shadow(release: ReleasePolicy, instance_type: str, problem: Problem) -> None:
    """Refuse what SageMaker refuses beside a shadow variant: https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-exclusions.html."""
    if release.strategy != "shadow":
        return
    if instance_type.split(".")[1] == "inf1":
        raise ValueError(
            f"release.strategy is shadow, and endpoint.instance_type is {instance_type}: SageMaker takes no shadow "
            "variant beside Inf1 instances; take another type, or the strategy canary"
        )
    if release.shadowed.agreement_min is not None and problem == "regression":
        raise ValueError(
            "release.shadow.agreement_min is a share of equal decisions, and a regression has none: remove it"
        )


def require_ab_test(
    release: ReleasePolicy,
    gate: GatePolicy,
    business: Sequence[BusinessFigure],
    performance: PerformancePolicy,
    problem: Problem,
) -> None:
    """Refuse an A/B test that could not decide by what it is to decide by."""
    if release.strategy != "ab":
        return
    name, metric = release.divided.decides, gate.metric or gate_metrics(problem)[0]
    figures = {figure.name: figure for figure in business}
    if name is not None and name not in figures:
        known = ", ".join(figures) or "none: business is empty"
        raise ValueError(
            f"release.ab.decides is {name!r}, which is no business figure ({known}){meant(name, tuple(figures))}; without the field "
            f"the gate's metric decides, {metric}"
        )
    if name is not None and not figures[name].depends_on_answers:
        raise ValueError(
            f"release.ab.decides is {name}: it counts {figures[name].column} of every request, which says nothing of what came of the "
            "answers; take a figure with label_field, or with over"
        )
    known_metric = find(metric)
    reads_column = known_metric is not None and known_metric.unit == "cost" and performance.cost_column
    if name is None and reads_column:
        raise ValueError(
            f"release.strategy is ab, and gate.metric is {metric}, which reads performance.cost_column: an A/B test cannot; give "
            "performance.cost_matrix, or name a business figure in release.ab.decides"
        )
