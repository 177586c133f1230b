"""The parts that all alert texts share: a headline, paragraphs, lists, and links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kedge.comparisons import figures_of
from kedge.config.stage import NO_STAGE, Stage

Detail = Mapping[str, Any]  # of a timeline entry

REASONS_SHOWN = 5
WIDTH = 600  # an error's cause may be a page of JSON


@dataclass(frozen=True)
class Message:
    """An alert without its envelope: one line, then paragraphs."""

    headline: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a deployment keeps its pages, for the links in its messages; its stage stands in them too."""

    bucket: str
    region: str
    stage: Stage = NO_STAGE

    def model_links(self, model: str) -> str:
        """How to open a model's page, from a shell and in the console, and the dashboard of one model."""
        found = self.addresses(model)
        return f"kedge report {model} --page --open\n{found['Model page']}\nDashboard: {found['Dashboard']}"

    def addresses(self, model: str) -> dict[str, str]:
        """The model's page and the dashboard of one model, by what a link says."""
        page = console_link(f"s3://{self.bucket}/reports/{model}/index.html")
        return {"Model page": page, "Dashboard": self._dashboard("one-model")}

    def all_links(self) -> str:
        """The same for the page of all models, and their dashboard."""
        page = console_link(f"s3://{self.bucket}/reports/index.html")
        return f"kedge report --page --open\n{page}\nDashboard: {self._dashboard('all-models')}"

    @property
    def stage_note(self) -> str:
        """Which of several deployments speaks, and how commands reach it; empty where there is no stage."""
        name = self.stage.name
        return (
            f"This is stage {name}. Its commands need --stage {name}, or KEDGE_STAGE={name} in the shell."
            if name
            else ""
        )

    def _dashboard(self, which: str) -> str:
        region = self.region
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        return f"{console}#dashboards/dashboard/{self.stage.named(f'Kedge-{which}-{region}')}"


def section(title: str, text: str) -> str:
    """A paragraph under its title; empty without a text."""
    return f"{title}\n{text}" if text else ""


def bullets(lines: Iterable[str], *, rest: str = "more") -> str:
    """The first few lines as a list, and the number of the others."""
    listed = list(lines)
    shown = [f"- {shortened(line)}" for line in listed[:REASONS_SHOWN]]
    hidden = len(listed) - REASONS_SHOWN
    return "\n".join(shown + ([f"- and {hidden} {rest}"] if hidden > 0 else []))


def gate_reasons(detail: Detail, verdict: str) -> list[str]:
    """The reasons of the gate's rows with one verdict: first measured values with their uncertainty, then the formal ones."""
    rows = sorted(detail.get("rows", []), key=lambda row: "low" not in row)
    return [row["reason"] for row in rows if row["verdict"] == verdict]


def gate_table(detail: Detail) -> list[str]:
    """The gate's rows as lines: what refuses first, then the warnings; verdict, name, value with its interval, limit.

    >>> gate_table({"rows": [{"gate": "auc_improvement", "verdict": "PASS", "value": 0.03, "low": 0.01, "high": 0.05, "limit": 0.01}]})
    ['PASS auc_improvement: 0.03 (0.01 to 0.05), limit 0.01']
    """
    order = ("REFUSE", "WARN", "PASS")
    rows = sorted(detail.get("rows", []), key=lambda row: order.index(row["verdict"]) if row["verdict"] in order else 0)
    return [f"{row['verdict']} {row['gate']}: {figures_of(row)}" for row in rows]


def deciding_reasons(detail: Detail) -> list[str]:
    """What decided the gate: the reasons to refuse, else the measured ones; for an entry without rows its own reasons."""
    reasons = gate_reasons(detail, "REFUSE") or gate_reasons(detail, "PASS")
    return reasons or [str(reason) for reason in detail.get("reasons", [])]


def alarm_words(detail: Detail) -> str:
    """A CloudWatch alarm of a model in words, or that it is over.

    >>> alarm_words({"says": "Kedge: churn was not judged for 2 cadences", "alarm": "A", "state": "OK"})
    'is over: churn was not judged for 2 cadences'
    """
    says = str(detail["says"] or detail["alarm"]).removeprefix("Kedge: ")
    return f"is over: {says}" if detail["state"] == "OK" else says


def shortened(text: str, width: int = WIDTH) -> str:
    """Text of at most a few lines."""
    return text if len(text) <= width else f"{text[:width]}..."


def cut_at_word(text: str, limit: int) -> str:
    """Text of at most `limit` characters, cut between words where it can be.

    >>> cut_at_word("quality fell by a tenth", 16), cut_at_word("short", 16)
    ('quality fell by…', 'short')
    """
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    if not text[limit - 1].isspace():
        words = kept.rsplit(maxsplit=1)
        # One word longer than the limit has no better place.
        kept = words[0] if len(words) > 1 else kept
    return kept.rstrip() + "…"


def requested(detail: Detail) -> str:
    """The kind of a person's own request, `manual` or `initial`; empty if Kedge decided, or if it is not known."""
    trigger = detail.get("trigger")
    kind = trigger.get("kind") if isinstance(trigger, Mapping) else trigger
    # A run's name ends with its kind, its attempt and its digest: kedge.retraining.decision.run_name.
    kind = kind or (str(detail.get("run", "")).rsplit("-", 3)[-3:] or [""])[0]
    return str(kind) if kind in ("manual", "initial") else ""


def retrain_command(model: str, detail: Detail) -> str:
    """The complete command that makes the same request again."""
    initial = " --initial" if requested(detail) == "initial" else ""
    return f'kedge retrain {model}{initial} --reason "why"'


def console_link(uri: str) -> str:
    """The link to an object of S3 in the console."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}"


def execution_link(arn: str) -> str:
    """The link to an execution of a state machine; empty if it is not an ARN."""
    parts = arn.split(":")
    if len(parts) < 8:
        return ""
    region = parts[3]
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"


def package_link(arn: str) -> str:
    """The link to the registry in a package's region; empty if it is not an ARN."""
    parts = arn.split(":")
    return f"https://{parts[3]}.console.aws.amazon.com/sagemaker/home?region={parts[3]}" if len(parts) >= 6 else ""


def version(detail: Detail) -> str:
    """The package's version, given or taken from its ARN."""
    return str(detail.get("package_version") or str(detail.get("package_arn", "")).rpartition("/")[2])


def run(detail: Detail) -> str:
    """The execution's name, if there is one."""
    return f"Execution: {detail['run']}" if "run" in detail else ""
