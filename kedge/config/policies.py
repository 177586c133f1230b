"""The parts of a model's YAML that decide: what is drift, loss and harm, and what is done about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kedge.config.owners import Route
from kedge.config.sections import BaselineSource, Confidence, Fraction, Section


class DriftPolicy(Section):
    """When drift alarms: the rule and its limits; a column's own `effect_max` or `psi_max` overrides the critical one."""

    rule: Literal["effect", "sensitive", "psi"] = "effect"
    alert_budget_per_year: float = Field(default=1.0, gt=0)
    effect_warning: Fraction | None = None
    effect_max: Fraction | None = None
    psi_warning: float = Field(default=0.1, gt=0)
    psi_max: float = Field(default=0.25, gt=0)
    missing_fraction_increase_max: Fraction = 0.05
    unseen_fraction_max: Fraction = 0.01
    unparsable_fraction_max: Fraction = 0.001
    out_of_range_fraction_max: Fraction = 0.05
    minimum_rows: int = Field(default=200, ge=1)
    baseline: BaselineSource = "training"
    trailing_days: int = Field(default=28, ge=1, le=365)
    earlier_weeks: int = Field(default=4, ge=1, le=52)
    baseline_days_max: int = Field(default=365, ge=1)
    breaches: int = Field(default=1, ge=1)
    of_windows: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _breaches_fit_the_windows(self) -> DriftPolicy:
        if self.breaches > self.of_windows:
            raise ValueError(
                f"drift.breaches is {self.breaches} of drift.of_windows {self.of_windows}: more windows cannot breach than are "
                "looked at"
            )
        return self

    @property
    def effect_floors(self) -> tuple[float, float]:
        """Effect beyond chance from which on drift is a WARNING, and CRITICAL: the rule's own where the YAML gives none."""
        warning, critical = (0.02, 0.05) if self.rule == "sensitive" else (0.05, 0.10)
        critical = critical if self.effect_max is None else self.effect_max
        return min(warning if self.effect_warning is None else self.effect_warning, critical), critical


class QualityPolicy(Section):
    """What a window as a whole may look like: its volume, its age, and what became of its requests."""

    duplicate_fraction_max: Fraction = 0.01
    unreadable_fraction_max: Fraction = 0.01
    captured_fraction_min: Fraction = 0.9
    volume_ratio_max: float = Field(default=2.0, gt=1)
    volume_weeks: int = Field(default=8, ge=3, le=26)


class PerformanceLimit(Section):
    """What one metric must hold: a number of its own, or a distance from the champion's reference."""

    metric: str
    tolerance: float | None = Field(default=None, ge=0)
    ratio: float | None = Field(default=None, gt=0)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_of_four(self) -> PerformanceLimit:
        given = [name for name in ("tolerance", "ratio", "at_least", "at_most") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"performance.limits of {self.metric} has {' and '.join(given) or 'no limit'}: "
                "exactly one of tolerance, ratio, at_least, at_most is needed"
            )
        return self


class PerformancePolicy(Section):
    """When measured quality counts as lost against the champion's out-of-sample reference."""

    limits: tuple[PerformanceLimit, ...] = ()
    confidence: Confidence = 0.95
    coverage_min: Fraction = 0.5
    minimum_rows: int = Field(default=100, ge=1)
    minimum_per_class: int = Field(default=10, ge=1)
    breaches: int = Field(default=1, ge=1)
    of_windows: int = Field(default=1, ge=1)
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    cost_matrix: tuple[tuple[float, ...], ...] = ()
    cost_column: str | None = None

    @model_validator(mode="after")
    def _breaches_fit_the_windows(self) -> PerformancePolicy:
        if self.breaches > self.of_windows:
            raise ValueError(
                f"performance.breaches is {self.breaches} of performance.of_windows {self.of_windows}: "
                "more windows cannot breach than are looked at"
            )
        return self


# How traffic moves to a new version: `kedge.release.traffic` has a function for each.
Strategy = Literal["canary", "linear", "rolling", "all_at_once", "shadow", "ab"]
# The variant of a new version that is tried for days beside the champion's. Nobody else names a variant so. One that answers requests
# has its version behind it: its captures are the version's own, whichever versions were tried beside the same champion.
CHALLENGER = "kedge-challenger"
# SageMaker ends a deployment after eight hours. New instances may need one of them.
LONGEST_DEPLOYMENT_SECONDS, PROVISIONING_SECONDS = 28_800, 3600
# A batch of a rolling update makes its instances when the one before has baked.
BATCH_SECONDS = 600
# SageMaker's least share of a step.
_LEAST_STEP = {"linear": 0.1, "rolling": 0.05}


def challenger_variant(package_version: str) -> str:
    """Name the variant in which a version answers its share of the requests.

    >>> challenger_variant("3")
    'kedge-challenger-v3'
    """
    return f"{CHALLENGER}-v{package_version}"


def is_challenger(variant: str) -> bool:
    """Whether Kedge has made a variant, to try a version in it.

    >>> [is_challenger(name) for name in ("kedge-challenger", "kedge-challenger-v3", "AllTraffic")]
    [True, True, False]
    """
    return variant == CHALLENGER or variant.startswith(f"{CHALLENGER}-v")


class ShadowPolicy(Section):
    """For how long, and on which share of the requests, a new version answers beside the champion before it is released.

    Nobody gets the shadow's answers. Both models' answers to the same requests are compared.
    """

    days: int = Field(default=7, ge=1, le=30)
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    instance_count: int | None = Field(default=None, ge=1)
    minimum_rows: int = Field(default=1000, ge=1)
    minimum_labelled: int = Field(default=0, ge=0)
    agreement_min: Fraction | None = None


class AbDays(Section):
    """How many days a new version answers requests: what is better is proved after the fewest, what is undecided goes after the most."""

    minimum: int = Field(default=7, ge=1, le=30)
    maximum: int = Field(default=28, ge=1, le=30)

    @model_validator(mode="after")
    def _are_in_order(self) -> AbDays:
        if self.minimum > self.maximum:
            raise ValueError(
                f"release.ab.days has a minimum of {self.minimum} and a maximum of {self.maximum}: lower the minimum, or raise the maximum"
            )
        return self


class AbPolicy(Section):
    """For how long a new version answers a share of the requests before it is released, and what decides.

    Each request is answered by one of both models. `decides` is a business figure's name; by default the gate's metric decides.
    """

    share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    days: AbDays = AbDays()
    instance_count: int | None = Field(default=None, ge=1)
    minimum_rows: int = Field(default=1000, ge=1)
    decides: str | None = None


class ReleasePolicy(Section):
    """How traffic moves to a new version, and what happens where what serves is not what was released.

    `step_fraction` is a step's share of the instances, for `linear` and `rolling`.
    """

    strategy: Strategy = "canary"
    step_fraction: Annotated[float, Field(ge=0.05, le=0.5)] | None = None
    shadow: ShadowPolicy | None = None
    ab: AbPolicy | None = None
    broken_promise: Literal["alert", "rollback"] = "alert"
    changed_by_hand: Literal["adopt", "put_back"] = "adopt"

    @model_validator(mode="after")
    def _has_steps_that_sagemaker_takes(self) -> ReleasePolicy:
        if self.strategy in _LEAST_STEP:
            least = _LEAST_STEP[self.strategy]
            if self.step < least:
                raise ValueError(
                    f"release.step_fraction is {self.step:g}: SageMaker takes no {self.strategy} step below {least:g}"
                )
        elif self.step_fraction is not None:
            raise ValueError(
                f"release.step_fraction is there, and release.strategy is {self.strategy}, which has no steps; remove it"
            )
        return self

    @model_validator(mode="after")
    def _has_the_sections_of_its_strategy(self) -> ReleasePolicy:
        for name, section in (("shadow", self.shadow), ("ab", self.ab)):
            if section is not None and self.strategy != name:
                raise ValueError(
                    f"release.{name} is there, and release.strategy is {self.strategy}; remove one of them"
                )
        return self

    @property
    def shadowed(self) -> ShadowPolicy:
        """How a shadow is tried: the defaults where the YAML has no section."""
        return self.shadow or ShadowPolicy()

    @property
    def divided(self) -> AbPolicy:
        """How requests are divided between two versions: the defaults where the YAML has no section."""
        return self.ab or AbPolicy()

    def tried_instances(self, *, champion: int) -> int:
        """How many instances the version has that is tried for days; none with a strategy that tries none.

        Without a number in the YAML it is the share of the champion's.

        >>> policy = ReleasePolicy(strategy="shadow", shadow=ShadowPolicy(share=0.3))
        >>> policy.tried_instances(champion=4), ReleasePolicy().tried_instances(champion=4)
        (2, 0)
        """
        tried: ShadowPolicy | AbPolicy
        if self.strategy == "shadow":
            tried = self.shadowed
        elif self.strategy == "ab":
            tried = self.divided
        else:
            return 0
        return tried.instance_count or max(1, math.ceil(tried.share * champion - 1e-9))

    @property
    def step(self) -> float:
        """A step's share of the instances: a quarter where the YAML names none."""
        return 0.25 if self.step_fraction is None else self.step_fraction

    def longest_seconds(self, canary: CanaryPolicy) -> int:
        """How long a release takes at most, beside the time for its first new instances; a rolling one makes more with each batch.

        >>> ReleasePolicy(strategy="linear").longest_seconds(CanaryPolicy()) / 60
        190.0
        """
        steps = math.ceil(1 / self.step - 1e-9) if self.strategy in _LEAST_STEP else 1
        if self.strategy == "rolling":
            return steps * (canary.bake_minutes * 60 + BATCH_SECONDS)
        return (steps * canary.bake_minutes + canary.termination_wait_minutes) * 60


class CanaryPolicy(Section):
    """How a release is tried before it is believed."""

    traffic_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    bake_minutes: int = Field(default=45, ge=10, le=60)
    termination_wait_minutes: int = Field(default=10, ge=0, le=60)
    minimum_requests: int = Field(default=100, ge=1)
    server_error_fraction_max: Fraction = 0.01
    client_error_fraction_max: Fraction = 0.05
    latency_max_ms: float = Field(default=1000, gt=0)
    behaviour_p_value_min: Fraction = 0.0001
    behaviour_effect_max: Fraction = 0.3


SATURDAY = 5


class QuietHours(Section):
    """Hours of UTC, from `start` to before `end`, in which only what is CRITICAL is told, or no retraining starts by itself."""

    start: int = Field(ge=0, le=23)
    end: int = Field(ge=0, le=23)
    weekends: bool = False

    @model_validator(mode="after")
    def _last_some_hours(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError(
                f"quiet_hours begin and end at {self.start}: they need at least an hour, and end once a day"
            )
        return self

    def include(self, now: datetime) -> bool:
        """Whether it is quiet now; the hours may go over midnight.

        >>> night = QuietHours(start=20, end=6)
        >>> [night.include(datetime(2016, 1, 4, hour)) for hour in (5, 6, 19, 20)]
        [True, False, False, True]
        """
        if self.weekends and now.weekday() >= SATURDAY:
            return True
        since_start, lasts = (now.hour - self.start) % 24, (self.end - self.start) % 24
        return since_start < lasts

    def in_words(self) -> str:
        """When it is quiet.

        >>> QuietHours(start=20, end=6, weekends=True).in_words()
        '20:00 to 06:00 UTC and weekends'
        """
        return f"{self.start:02}:00 to {self.end:02}:00 UTC" + (" and weekends" if self.weekends else "")

    def end_after(self, now: datetime) -> datetime:
        """The first full hour from now on in which it is not quiet."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        while self.include(hour):
            hour += timedelta(hours=1)
        return hour


class Alerts(Section):
    """From which severity on a person hears of a window, how often while it stays so, when, and by which channels."""

    severity_from: Literal["WARNING", "CRITICAL"] = "CRITICAL"
    reminder_days: int = Field(default=28, ge=1, le=365)
    quiet_hours: QuietHours | None = None
    routes: tuple[Route, ...] | None = None
    # Whether the team's weekly digest tells of this model.
    digest: bool = True


class HealthPolicy(Section):
    """From when on people hear of the endpoint itself; each limit that is set is an alarm a variant, at $0.10 a month.

    None is set by default: `watch_monitor` looks at failing requests, and what latency, silence or refusals are usual differs.
    """

    enabled: bool = True
    p95_milliseconds: float | None = Field(default=None, gt=0)
    p99_milliseconds: float | None = Field(default=None, gt=0)
    server_error_fraction: Fraction | None = None
    client_error_fraction: Fraction | None = None
    no_invocations_hours: int | None = Field(default=None, ge=1, le=168)
    disk_fraction: Fraction | None = None
    variants: tuple[str, ...] = ()


class SegmentPolicy(Section):
    """Which slices are looked at for the worst, and when P(y given x) counts as moved on one."""

    columns: tuple[str, ...] | None = None
    minimum_rows: int = Field(default=200, ge=10)
    minimum_per_class: int = Field(default=30, ge=5)
    p_value_min: Fraction = 0.01
    effect_min: Fraction = 0.05
    gap_min: Fraction | None = None
    pair_columns: int = Field(default=5, ge=0, le=20)
    shown: int = Field(default=10, ge=1)
    alert: Literal["WARNING", "CRITICAL"] | None = None
    alert_effect_min: Fraction = 0.1


class FairnessPolicy(Section):
    """Groups that should be treated alike, and how unequal they may be."""

    columns: tuple[str, ...] = ()
    bands: Mapping[str, tuple[float, ...]] = Field(default_factory=dict)
    favourable: str | None = None
    threshold: float | None = None
    minimum_group_rows: int = Field(default=100, ge=10)
    confidence: Confidence = 0.95
    disparate_impact_min: Fraction | None = 0.8
    demographic_parity_difference_max: Fraction | None = None
    equal_opportunity_difference_max: Fraction | None = None


class BusinessFigure(Section):
    """A value per prediction or per label: what the model is worth in the business's own unit."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,39}$", examples=["revenue"])]
    column: str | None = None
    label_field: str | None = None
    over: Literal[
        "all",
        "decided_positive",
        "decided_negative",
        "true_positive",
        "false_positive",
        "true_negative",
        "false_negative",
    ] = "all"
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    alert: Literal["WARNING", "CRITICAL"] | None = None
    gate: bool = False
    canary: bool = False

    @property
    def needs_label(self) -> bool:
        """Whether a row's contribution is known only with its label."""
        return self.label_field is not None or self.over.startswith(("true", "false"))

    @property
    def depends_on_answers(self) -> bool:
        """Whether it says what came of the answers, and not only which requests there were."""
        return self.label_field is not None or self.over != "all"

    @property
    def sign(self) -> float:
        """What a difference is multiplied with so that more is better."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def limits(self) -> tuple[PerformanceLimit, ...]:
        """Its bounds, as a metric's are written."""
        bounds = ({"at_least": self.at_least}, {"at_most": self.at_most})
        return tuple(PerformanceLimit(metric=self.name, **b) for b in bounds if None not in b.values())

    @model_validator(mode="after")
    def _can_be_known(self) -> BusinessFigure:
        if (self.column is None) == (self.label_field is None):
            raise ValueError(f"business.{self.name} needs either column or label_field")
        if self.alert and not self.limits:
            raise ValueError(f"business.{self.name}.alert needs a limit: at_least or at_most")
        if self.gate and self.over == "all":
            raise ValueError(f"business.{self.name}.gate: over is all, and both models answer the same rows")
        if self.canary and self.needs_label:
            raise ValueError(f"business.{self.name}.canary: its value waits for labels, and a canary cannot")
        return self
