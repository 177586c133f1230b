"""When a retraining starts, what holds it, and how often it may start: a part of a model's YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from kedge.config.cron import parse_cron
from kedge.config.policies import QuietHours
from kedge.config.sections import Confidence, Days, Section


class RetrainingPolicy(Section):
    """When a retraining starts, and how often at most."""

    on_performance: bool = True
    on_drift: Literal["when_labels_lag", "always", "never"] = "when_labels_lag"
    on_estimate: Literal["when_labels_lag", "always", "never"] = "when_labels_lag"
    on_confidence: Literal["when_labels_lag", "always", "never"] = "never"
    confidence_min: Confidence | None = None
    on_event: bool = True
    on_new_rows: int | None = Field(default=None, ge=1)
    every_days: Days | None = None
    schedule: str | None = Field(default=None, examples=["cron(0 4 1 * ? *)"])
    persistence_windows: int = Field(default=1, ge=1)
    cooldown_days: int = Field(default=14, ge=0, le=3650)
    maximum_per_month: int = Field(default=2, ge=1)
    budget_usd_per_month: float | None = Field(default=None, gt=0)
    usd_per_instance_hour: float | None = Field(default=None, gt=0)
    attempts_maximum: int = Field(default=3, ge=1)
    labels_lag_days: Days = 45
    min_new_labelled_rows: int = Field(default=500, ge=1)
    quiet_hours: QuietHours | None = None
    cost_per_row: float = Field(default=1.0, gt=0)
    paused: bool = False

    @field_validator("schedule")
    @classmethod
    def _schedule_can_be_read(cls, given: str | None) -> str | None:
        if given is not None:
            try:
                parse_cron(given)
            except ValueError as error:
                raise ValueError(f"retraining.schedule: {error}") from error
        return given

    @model_validator(mode="after")
    def _new_rows_are_enough_to_learn_from(self) -> RetrainingPolicy:
        if self.on_new_rows is not None and self.on_new_rows < self.min_new_labelled_rows:
            raise ValueError(
                f"retraining.on_new_rows is {self.on_new_rows} and retraining.min_new_labelled_rows {self.min_new_labelled_rows}: "
                "each retraining that the one starts would be held by the other; raise the first or lower the second"
            )
        return self

    @model_validator(mode="after")
    def _the_calendar_is_said_once(self) -> RetrainingPolicy:
        if self.every_days is not None and self.schedule is not None:
            raise ValueError("retraining.every_days and retraining.schedule are both there: keep one of them")
        return self
