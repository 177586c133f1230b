"""The end of a mute: one message says what was held back, and what still stands."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from kedge.alerts.episode import AlertEpisode
from kedge.alerts.holding import is_muted
from kedge.instants import to_text
from kedge.severity import Severity, worst
from lambdas.adapters import telling
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.state import alert_episodes, mutes
from lambdas.adapters.state.standing import Standing
from lambdas.adapters.telling import Desk
from report.alert_text import render_alert


def end_mute(model: str, stands: Standing, desk: Desk, now: datetime) -> None:
    """Tell once that a mute has ended, whether by itself or by a person, then forget it and what it held."""
    mute, held = stands.mute, telling.held_by_mute(stands.untold)
    if is_muted(mute, now) or (mute is None and not held):
        return
    subjects = [
        f"{entry.time:%Y-%m-%d %H:%M}: {_headline(entry)}" for item, entry in held if item["audience"]["S"] == "people"
    ]
    episode, _ = alert_episodes.load(desk.dynamodb, desk.table, model)
    lasts = episode is not None and episode.ended is None
    alarms = _alarms(episode) if episode and lasts else {}
    severity = worst([Severity.OK, *alarms.values()])
    detail: dict[str, Any] = {
        "severity": severity.value,
        "messages": subjects,
        "standing": [f"{part} ({found.value})" for part, found in alarms.items()],
    }
    if episode and lasts:
        # A pager may hear of the episode only now: its end must find the same incident.
        told = {"news": "lasts", "since": to_text(episode.since), "opened": to_text(episode.name)}
        detail["alarm_episode"] = told
    if mute is not None:
        detail |= {"until": to_text(mute.until), "reason": mute.reason, "by": mute.by}
    names = [item["item"]["S"] for item, _ in held]
    what = hashlib.sha256("\n".join([str(detail.get("until", "")), *sorted(names)]).encode()).hexdigest()[:16]
    telling.tell_once(desk, f"mute_ended#{what}", Entry(model, "mute_ended", now, detail))
    telling.forget(desk, [item for item, _ in held])
    if mute is not None:
        mutes.remove(desk.dynamodb, desk.table, model)


def _alarms(episode: AlertEpisode) -> dict[str, Severity]:
    """The parts that alarm still."""
    return {part: alarm.severity for part, alarm in episode.alarms.items() if alarm.severity > Severity.OK}


def _headline(entry: Entry) -> str:
    subject = render_alert(entry.kind, entry.model, entry.time, entry.detail).subject
    return subject.removeprefix(f"[Kedge] {entry.model}: ")
