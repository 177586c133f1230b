"""The parts of a model's YAML that say what a challenger must show, and who lets it into service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kedge.config.policies import PerformanceLimit
from kedge.config.sections import Confidence, Fraction, Section

# A person wants better quality, or a loss must be mended: there an equal model is of no use.
Refresh = Literal["schedule", "new_rows", "manual", "event", "drift", "confidence", "package"]
LambdaName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$", examples=["credit-model-rule"])]


class NonInferior(Section):
    """How much worse than the champion a newer model may be at most, and for which triggers this is enough."""

    margin: float = Field(ge=0)
    triggers: tuple[Refresh, ...] = Field(default=("schedule",), min_length=1)

    def holds_for(self, triggers: Iterable[str]) -> bool:
        """Whether it is enough for a model that these triggers asked for; of an unknown cause it is not.

        >>> rule = NonInferior(margin=0.01)
        >>> rule.holds_for(["schedule"]), rule.holds_for(["schedule", "drift"]), rule.holds_for([])
        (True, False, False)
        """
        asked = {*triggers}
        return bool(asked) and asked <= {*self.triggers}


class GatePolicy(Section):
    """What a challenger must show on the holdout."""

    metric: str | None = None
    precision_min: Fraction | None = None
    minimum_effect: float = Field(default=0.01, ge=0)
    non_inferior: NonInferior | None = None
    limits: tuple[PerformanceLimit, ...] = ()
    calibration_max: Fraction = 0.10
    confidence: Confidence = 0.95
    minimum_holdout_rows: int = Field(default=200, ge=1)
    artefact_mib_max: float | None = Field(default=None, gt=0)
    importance_change_max: Fraction | None = None
    skew_fraction_max: Fraction | None = None
    rule_function: LambdaName | None = None
    rule_timeout_seconds: int = Field(default=60, ge=1, le=120)
    approval_expires_days: int = Field(default=90, ge=3)

    @model_validator(mode="after")
    def _limits_are_absolute(self) -> GatePolicy:
        for limit in self.limits:
            if limit.at_least is None and limit.at_most is None:
                raise ValueError(
                    f"gate.limits of {limit.metric}: the gate's limits are numbers of their own, at_least or at_most; against "
                    "the champion there are minimum_effect and non_inferior"
                )
        if (self.metric == "recall_at_precision") != (self.precision_min is not None) and not any(
            limit.metric == "recall_at_precision" for limit in self.limits
        ):
            raise ValueError(
                "gate.precision_min and the metric recall_at_precision belong together: give both, for example "
                "{metric: recall_at_precision, precision_min: 0.8}"
            )
        return self


class ApprovalPolicy(Section):
    """Who approves a package that the gate passed: people, one or two of them, or Kedge itself.

    `approval: automatic` is short for `approval: {mode: automatic}`.
    """

    mode: Literal["manual", "automatic"] = "manual"
    approvers: int = Field(default=1, ge=1, le=2)

    @model_validator(mode="before")
    @classmethod
    def _from_one_word(cls, given: Any) -> Any:
        return {"mode": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _people_approve_for_themselves(self) -> ApprovalPolicy:
        if self.mode == "automatic" and self.approvers > 1:
            raise ValueError(
                "approval: approvers are people: a model with mode automatic has none; remove one of the two"
            )
        return self
