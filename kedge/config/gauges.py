"""The CloudWatch metrics of a model: which are sent, how often, and what they cost. Each is paid for by the hours in which it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from kedge.config.prices import USD
from kedge.config.sections import Cadence

Metrics = Literal["none", "few", "all"]
Step = Literal["profile", "judge", "watch"]

HOURS_A_MONTH = 730
RUNS_A_MONTH = {"hourly": HOURS_A_MONTH, "daily": HOURS_A_MONTH / 24, "weekly": HOURS_A_MONTH / 24 / 7}
WATCHES_A_MONTH = HOURS_A_MONTH / 12


@dataclass(frozen=True)
class Gauge:
    """A metric, or with `*` the metrics of a section.

    Attributes
    ----------
    step : str
        What sends it.
    few : bool
        Whether it is sent also with `metrics: few`: the dashboards draw it. Of a section then only what a limit judges.
    """

    name: str
    step: Step
    few: bool
    says: str

    def usd_a_month(self, cadence: Cadence) -> float:
        """What one such metric costs with a model's cadence."""
        return USD["CloudWatch metric"] * self.months(cadence)

    def months(self, cadence: Cadence) -> float:
        """For how much of each month such a metric is paid: the share of the hours with a value."""
        runs = {
            "profile": RUNS_A_MONTH[cadence.profile],
            "judge": RUNS_A_MONTH[cadence.judge],
            "watch": HOURS_A_MONTH if cadence.is_hourly else WATCHES_A_MONTH,
        }
        return runs[self.step] / HOURS_A_MONTH


GAUGES = (
    Gauge("RowsCaptured", "profile", True, "rows that were read, also those that a sample leaves out"),
    Gauge("RecordsQuarantined", "profile", True, "records that could not be read"),
    Gauge("RowsDuplicated", "profile", False, "rows whose id was counted before"),
    Gauge("DriftSeverity", "judge", True, "0 INSUFFICIENT_DATA, 1 OK, 2 WARNING, 3 CRITICAL"),
    Gauge("ColumnsDrifted", "judge", False, "columns that moved"),
    Gauge("WindowRows", "judge", False, "rows of the window"),
    Gauge("QualityChecksFailed", "judge", True, "checks of the data's quality that failed"),
    Gauge("LabelsFolded", "judge", True, "labels that found their row"),
    Gauge("LabelsUnknown", "judge", True, "labels that were given up: no answered row has their id"),
    Gauge("LabelRecordsBroken", "judge", False, "labels that could not be read"),
    Gauge("Performance/*", "judge", True, "measured quality; few: the metrics that have a limit"),
    Gauge("Estimate/*", "judge", True, "estimated quality of the metrics that have a limit"),
    Gauge("Business/*", "judge", False, "the business figures"),
    Gauge("Fairness/*", "judge", False, "the widest differences between groups of each sensitive column"),
    Gauge("JudgementAgeCadences", "watch", False, "cadences since the last judged window"),
    Gauge("InvocationsWithoutCapture", "watch", False, "requests while nothing is captured"),
    Gauge("ServerErrors", "watch", False, "the share of the requests that ended in 5xx, without an alarm of their own"),
)
# How many models of a mail list ring (`kedge.alerts.ringing`): what its one alarm reads.
MODELS_IN_ALARM = "ModelsInAlarm"
_BY_NAME = {gauge.name: gauge for gauge in GAUGES}


def sent(values: Mapping[str, float], wanted: Metrics, judged: Collection[str] = ()) -> dict[str, float]:
    """The values that a model sends to CloudWatch.

    Parameters
    ----------
    wanted : str
        What the model's YAML says.
    judged : collection of str
        The performance metrics that have a limit.

    >>> sent({"RowsCaptured": 9, "RowsDuplicated": 1, "Performance/auc": 0.8, "Performance/recall": 0.5}, "few", ["auc"])
    {'RowsCaptured': 9, 'Performance/auc': 0.8}
    """
    if wanted == "none":
        return {}
    return {name: value for name, value in values.items() if wanted == "all" or _is_of_few(name, judged)}


def alarm_group(mail_list: str | None) -> str:
    """What stands for the models of a mail list in the dimension `Model`: no model's name has a slash.

    >>> alarm_group("team-risk"), alarm_group(None)
    ('models/team-risk', 'models/')
    """
    return f"models/{mail_list or ''}"


def gauge_of(name: str) -> Gauge:
    """The line of the table that describes a metric.

    >>> gauge_of("Business/saved").name
    'Business/*'
    """
    section, slash, _ = name.partition("/")
    return _BY_NAME[f"{section}/*" if slash else name]


def _is_of_few(name: str, judged: Collection[str]) -> bool:
    _, slash, metric = name.partition("/")
    return gauge_of(name).few and (not slash or metric in judged)
