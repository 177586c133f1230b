"""What people are told of a judged window: once as an episode of alarms begins, changes and ends, and of a blind monitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kedge.alerts.episode import AlertWindow, as_told, follow_episode
from kedge.alerts.verdicts import alert_window, is_blind, newly_blind
from kedge.comparisons import counted
from kedge.errors import EpisodeContendedError
from kedge.instants import to_text
from kedge.labels.losses import label_losses
from kedge.performance.verdicts import QualityVerdicts
from kedge.quality.chosen import chosen_parts
from kedge.retraining.sustained import sustained
from kedge.severity import Severity
from lambdas.adapters import clients, telling
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import alert_episodes, windows
from lambdas.steps.judge_window import Judged, JudgePlace
from report.alert_text import render_alert

ATTEMPTS = 5


@dataclass(frozen=True)
class WindowDesk:
    """Where a window's news goes, and when it was judged."""

    place: JudgePlace
    messages: telling.Desk
    time: datetime

    @property
    def model(self) -> str:
        """Whose windows these are."""
        return self.place.config.model


def tell(judged: Judged, key: str, desk: WindowDesk) -> None:
    """Write the timeline, and alert where the episode that the window stands in has news."""
    report = judged.report
    detail = timeline_detail(judged, key)
    if is_young(report.start, report.end, desk.place) and report.rows < report.minimum_rows:
        detail["reasons"] = [f"{counted(report.rows, 'row')} so far; {report.minimum_rows:,} are needed to judge drift"]
    # A window's message may come again, with other labels: it is one window, and one entry.
    timeline.record(
        clients.s3(),
        desk.place.bucket,
        Entry(desk.model, "window_judged", desk.time, detail),
        name=f"{to_text(report.end)}#{report.revision}",
    )
    tell_lost_labels(judged, desk)
    config = desk.place.config
    window = alert_window(
        report,
        lasting(judged, desk.place),
        drift_lasts=drift_lasts(judged, desk.place),
        chosen=chosen_parts(config),
    )
    detail |= {"on_drift": config.retraining.on_drift, "mode": config.mode, "captured": config.capture.mode}
    if config.owner.team or config.owner.runbook:
        detail["owner"] = {"team": config.owner.team, "runbook": config.owner.runbook}
    tell_episode(window, detail | {"severity": window.severity.value}, desk)
    if not window.alarms(desk.place.config.alerts) and goes_blind(judged, desk.place):
        tell_once(f"{to_text(report.end)}#blind", detail | {"severity": Severity.INSUFFICIENT_DATA.value}, desk)


def tell_episode(window: AlertWindow, detail: dict[str, Any], desk: WindowDesk) -> None:
    """Take the window into the episode, then tell what is untold: a crash in between tells it with the next attempt."""
    dynamodb, place = clients.dynamodb(), desk.place
    for _ in range(ATTEMPTS):
        before, revision = alert_episodes.load(dynamodb, place.table, desk.model)
        if before is None and judged_since(window.end, place):
            # Judged late: what it would begin is over.
            return
        episode = follow_episode(before, window, place.config.alerts)
        if episode is None:
            return
        if episode == before or alert_episodes.save(dynamodb, place.table, desk.model, episode, revision=revision):
            break
    else:
        raise EpisodeContendedError(model=desk.model, attempts=ATTEMPTS)
    if (news := episode.untold) is None:
        return
    fresh = {name: episode.alarms[name].severity.value for name in news.fresh}
    told = {"news": news.kind, "since": to_text(episode.since), "opened": to_text(episode.name), "new": fresh}

    def remember() -> None:
        # Whoever was faster has seen what was untold, and has told it with its own.
        alert_episodes.save(
            dynamodb, place.table, desk.model, as_told(episode), revision=revision + (episode != before)
        )

    alert(detail | {"alarm_episode": told | {"reminder_days": place.config.alerts.reminder_days}}, desk, remember)


def judged_since(end: datetime, place: JudgePlace) -> bool:
    """Whether a newer window was judged, and showed something: while no episode is known, it was in order."""
    found = windows.load_windows(clients.dynamodb(), place.table, place.config.model, since=end)
    return any(w.verdict.end > end and w.verdict.drift is not Severity.INSUFFICIENT_DATA for w in found)


def tell_once(what: str, detail: dict[str, Any], desk: WindowDesk) -> None:
    """Alert of something that is no episode, unless people have heard it."""
    dynamodb, table = clients.dynamodb(), desk.place.table
    if not windows.is_told(dynamodb, table, desk.model, what):
        alert(detail, desk, lambda: windows.remember_told(dynamodb, table, desk.model, what, now=desk.time))


def alert(detail: dict[str, Any], desk: WindowDesk, remember: Callable[[], object]) -> None:
    """Note in the timeline what is sent, and send it; `remember` is called once it cannot be lost any more."""
    place, kind = desk.place, "window_judged"
    message = detail | {"report": f"s3://{place.bucket}/{detail['report_key'].replace('.json', '.html')}"}
    subject = render_alert(kind, desk.model, desk.time, message).subject
    kept = ("severity", "window", "report_key", "alarm_episode")
    sent = {"subject": subject} | {name: fact for name, fact in detail.items() if name in kept}
    timeline.record(clients.s3(), place.bucket, Entry(desk.model, "alert_sent", desk.time, sent))
    telling.record_and_tell(
        desk.messages, Entry(desk.model, kind, desk.time, message), entered=True, when_kept=remember
    )


def lasting(judged: Judged, place: JudgePlace) -> QualityVerdicts:
    """The verdicts on the answers; a measured loss that has not lasted as long as the YAML asks for is a warning."""
    policy, report, answers = place.config.performance, judged.report, judged.verdicts
    if answers.measured is not Severity.CRITICAL or policy.breaches == 1:
        return answers
    since = report.end - 2 * policy.of_windows * (report.end - report.start)
    found = windows.load_windows(clients.dynamodb(), place.table, report.model, since=since)
    known = [w.verdict for w in found if w.package_version == report.baseline and w.verdict.end <= report.end]
    measured = [w for w in known if w.performance not in (None, Severity.INSUFFICIENT_DATA)]
    lost = [w.performance is Severity.CRITICAL for w in measured]
    lasts = sustained(measured, lost, breaches=policy.breaches, of_windows=policy.of_windows)
    return answers if lasts[-1:] == [True] else replace(answers, measured=Severity.WARNING)


def drift_lasts(judged: Judged, place: JudgePlace) -> bool:
    """Whether the columns have drifted in as many of the last windows as the YAML asks for."""
    policy, report = place.config.drift, judged.report
    if report.columns_severity is not Severity.CRITICAL or policy.breaches == 1:
        return True
    since = report.end - 2 * policy.of_windows * (report.end - report.start)
    found = windows.load_windows(clients.dynamodb(), place.table, report.model, since=since)
    known = [w.verdict for w in found if w.package_version == report.baseline and w.verdict.end <= report.end]
    drifted = [w.drift is Severity.CRITICAL for w in known]
    return sustained(known, drifted, breaches=policy.breaches, of_windows=policy.of_windows)[-1:] == [True]


def timeline_detail(judged: Judged, key: str) -> dict[str, Any]:
    """The report without its statistics, as the timeline and the alert carry it."""
    report, document = judged.report, judged.to_json()
    wanted = ("window", "revision", "severity", "reasons", "performance", "confidence")
    detail = {name: document[name] for name in wanted if name in document}
    # The columns that moved and matter come first: a list that is cut keeps its beginning.
    ranked = sorted(report.columns, key=lambda c: (-c.severity.rank, -c.relevance))
    columns = [
        {"name": c.column.name, "severity": c.severity.value, "effect": c.effect, "psi": c.statistics.get("psi")}
        | ({} if c.importance is None else {"importance": c.importance})
        for c in ranked
    ]
    variants = {"variants": document["variants"]} if "variants" in document else {}
    return detail | variants | {"report_key": key, "package_version": report.baseline, "columns": columns}


def goes_blind(judged: Judged, place: JudgePlace) -> bool:
    """Whether this is the second whole window in a row in which nothing could be judged."""
    report = judged.report
    if not is_blind(report.columns_severity, judged.verdicts.measured):
        return False
    if is_young(report.start, report.end, place):
        return False
    ends = [report.end - n * place.cadence for n in (1, 2)]
    found = [windows.load_window(clients.dynamodb(), place.table, report.model, end) for end in ends]
    blind = [
        window is not None
        and window.verdict.drift is Severity.INSUFFICIENT_DATA
        and not is_young(window.verdict.start, window.verdict.end, place)
        for window in found
    ]
    return newly_blind([True, *blind])


def is_young(start: datetime, end: datetime, place: JudgePlace) -> bool:
    """Whether a window begins with the promotion and is still growing: that it holds little is no sign of blindness."""
    return end - start < timedelta(days=place.config.cadence.window_days)


def tell_lost_labels(judged: Judged, desk: WindowDesk) -> None:
    """Tell once for a package where many of the labels that arrive match no row, or are no class."""
    config, report = desk.place.config, judged.report
    for loss, reason in label_losses(judged.quality.join if judged.quality else {}, config.classes).items():
        what = f"labels#{report.baseline}#{loss}"
        detail = {"package_version": report.baseline, "reasons": [reason]}
        telling.tell_once(desk.messages, what, Entry(desk.model, "labels_lost", desk.time, detail))
