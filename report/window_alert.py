"""The alert about a judged window: whether quality suffers, what moved, what happens next, where to look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kedge.comparisons import counted, figures
from kedge.config.capture_place import package_words
from kedge.instants import from_text
from report.alert_words import Message, bullets, console_link, section
from report.ranking import alarming_figures, alarming_segments, chosen_reasons, lost_metrics, moved_on

# The beginning of the headline for each news of an episode; when one begins, the verdict itself is the news.
NEWS = {"begins": "", "worse": "worse: ", "lasts": "still: ", "back": "again: "}
FRESH_SHOWN = 3
COST = "cost_per_thousand"

NEXT_ON_DRIFT = {
    "never": "Nothing by itself: this model is not retrained on drift.",
    "always": "Kedge decides now whether to retrain on this drift, and tells you.",
    "when_labels_lag": "Nothing by itself: drift alone is no loss. Kedge retrains when labels show a loss, or when "
    "no labels come for a long time.",
}


def window_message(model: str, detail: Mapping[str, Any]) -> Message:
    """Write what a window's verdict means."""
    window, performance = detail["window"], detail.get("performance") or {}
    sampled = f" (a sample of about {window['rows_estimated']:,})" if "rows_estimated" in window else ""
    where = (
        f"Window {window['start'][:10]} to {window['end'][:10]}: {counted(window['rows'], 'request')}{sampled} to "
        f"{package_words(str(detail['package_version']))}."
    )
    return Message(
        headline(detail, performance),
        (
            where,
            section("SINCE WHEN", since_when(detail)),
            section("VARIANTS", bullets(variants(detail, performance))),
            section("DOES QUALITY SUFFER?", quality(detail, performance) + estimated(performance)),
            section("WHAT IT COSTS", cost(detail, performance)),
            section("WHERE IT IS LOST", bullets(places(performance), rest="more in the report")),
            section("BUSINESS FIGURES", bullets([figure["reason"] for figure in alarming_figures(performance)])),
            section("GROUPS TREATED DIFFERENTLY", bullets(unlike(performance))),
            section(
                "WHY" if detail["severity"] == "INSUFFICIENT_DATA" else "WHAT MOVED",
                bullets([*shifted(performance), *detail.get("reasons", [])], rest="more in the report"),
            ),
            section("WHAT HAPPENS NEXT", what_next(detail, performance)),
            section("WHAT YOU MAY DO NOW", "\n".join(commands(model, detail, performance))),
            section("WHERE TO LOOK", links(model, detail)),
            section("WHOSE MODEL", owner(detail)),
        ),
    )


def headline(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """The episode's news and the verdict in a line: the loss first, then the drift."""
    if detail["severity"] == "INSUFFICIENT_DATA":
        if detail["window"]["rows"]:
            return "too few requests: two windows in a row held too little to judge"
        return "the monitor is blind: two windows in a row held no request"
    news = detail.get("alarm_episode", {}).get("news", "begins")
    if news == "ends":
        return "is back to normal" + (", except for warnings" if detail["severity"] == "WARNING" else "")
    return NEWS[news] + verdict(detail, performance)


def verdict(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """The loss, then what the same input means now, then the drift."""
    lost, meaning = performance.get("severity") == "CRITICAL", moved_on(performance)
    part = chosen_in_words(performance)
    moved = drift_in_words(detail, is_cause=not (lost or meaning or lost_metrics(performance) or part))
    if lost:
        return f"quality is lost{judged_metric(performance)}; {moved}"
    if meaning:
        return f"{', '.join(filter(None, (f'P(y given x) moved on {meaning}', part)))}; {moved}"
    if part:
        return f"{part}; {moved}"
    if performance.get("severity") == "WARNING" and (worse := lost_metrics(performance)):
        return f"{moved}, {worse_metric(worse[0], performance)}"
    if performance.get("severity") in ("OK", "WARNING"):
        return f"{moved}, {'quality holds' if performance['severity'] == 'OK' else 'quality may be lower'}"
    if performance.get("estimate", {}).get("severity") == "CRITICAL":
        return f"{moved}, quality is estimated as lost"
    return f"{moved}, quality is not known yet"


def chosen_in_words(performance: Mapping[str, Any]) -> str:
    """The gravest segment and business figure that alarm because the YAML says so, with the number of the others."""
    words, segments, out = [], alarming_segments(performance), alarming_figures(performance)
    if segments:
        first, more = segments[0], len(segments) - 1
        before, now = figures(first["reference"], first["value"])
        others = f" and {counted(more, 'more segment')}" if more else ""
        words.append(f"{first['metric']} is worse for {first['group']} ({before} -> {now}){others}")
    if out:
        more = len(out) - 1
        others = f", so {'is' if more == 1 else 'are'} {counted(more, 'more figure')}" if more else ""
        words.append(f"{out[0]['name']} is beyond its limit{others}")
    return ", ".join(words)


def worse_metric(metric: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """A metric that is worse than its reference, with both values."""
    before, now = figures(performance["reference"][metric["name"]]["value"], metric["value"])
    return f"{metric['name']} is worse ({before} -> {now})"


def drift_in_words(detail: Mapping[str, Any], *, is_cause: bool) -> str:
    """Which columns drifted; if none did and nothing else alarms, it is the data's quality."""
    drifted = [column["name"] for column in detail.get("columns", []) if column["severity"] in ("WARNING", "CRITICAL")]
    moved = f"{drifted[0]} drifted" if len(drifted) == 1 else f"{len(drifted)} columns drifted"
    if len(drifted) > 1 and any("importance" in column for column in detail["columns"]):
        # The columns are ranked by what matters: the first is named, the others are counted.
        moved = f"{drifted[0]} and {len(drifted) - 1} more drifted"
    at = {name: v["name"] for v in detail.get("variants", []) for name in v["drifted"]}
    if not drifted and at:
        name, variant = next(iter(at.items()))
        return f"{name} drifted at variant {variant}"
    if not drifted:
        moved = "data quality is out of bounds" if is_cause else "no column drifted"
    return moved


def variants(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> list[str]:
    """Each of several production variants in a line: its share of the requests, its rows and its verdicts."""
    lines = []
    for found in detail.get("variants", []):
        share = f"{found['traffic_fraction']:.0%} of the requests, " if "traffic_fraction" in found else ""
        measured = performance.get("variants", {}).get(found["name"])
        quality_of_it = f", measured quality {measured['severity']}" if measured else ""
        lines.append(f"{found['name']}: {share}{counted(found['rows'], 'row')}, {found['severity']}{quality_of_it}")
    return lines


def shifted(performance: Mapping[str, Any]) -> list[str]:
    """That P(y given x) has clearly moved, and since when."""
    if not moved_on(performance):
        return []
    found = performance["concept_drift"]
    since = next((shift.get("since") for shift in found["shifts"]), None)
    return [found["reason"] + (f", since {since[:10]}" if since else "")]


def since_when(detail: Mapping[str, Any]) -> str:
    """How long the episode has lasted, what is new with this window, and when the next mail comes."""
    if "alarm_episode" not in detail:
        return ""
    episode, end = detail["alarm_episode"], from_text(detail["window"]["end"])
    since = from_text(episode["since"])
    lasted = f"the window that ended on {since:%Y-%m-%d}{ago(end - since)}"
    if episode["news"] == "ends":
        return f"It began with {lasted}, and is over. No mail follows until the next alarm."
    began = "It begins with this window." if end == since else f"It has lasted since {lasted}."
    back = " It seemed over, but rows that had alarmed before alarm again." if episode["news"] == "back" else ""
    new = f"New: {fresh(episode['new'])}." if episode["new"] else "There is nothing new: this is a reminder."
    again = f"The next mail comes when it becomes worse or ends, and a reminder every {counted(episode['reminder_days'], 'day')}."
    return f"{began}{back}\n{new}\n{again}"


def fresh(parts: Mapping[str, str]) -> str:
    """The parts that alarm newly, the first few by name."""
    shown = ", ".join(f"{name} ({severity})" for name, severity in list(parts.items())[:FRESH_SHOWN])
    return shown + (f" and {len(parts) - FRESH_SHOWN} more" if len(parts) > FRESH_SHOWN else "")


def ago(time: timedelta) -> str:
    """How long ago, in days or hours; empty for now."""
    hours = round(time.total_seconds() / 3600)
    if not hours:
        return ""
    return f", {counted(hours // 24, 'day')} ago" if hours >= 24 else f", {counted(hours, 'hour')} ago"


def judged_metric(performance: Mapping[str, Any]) -> str:
    """The metric whose limit is broken: its value on the reference, its value now, and the limit; empty if none was judged."""
    judged = [metric for metric in performance.get("metrics", []) if "limit" in metric]
    for metric in sorted(judged, key=lambda m: m["severity"] != "CRITICAL"):
        before = performance.get("reference", {}).get(metric["name"])
        known = (before["value"],) if before else ()
        *found, limit = figures(*known, metric["value"], metric["limit"])
        return f" ({metric['name']} {' -> '.join(found)}, limit {limit})"
    return ""


def quality(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """Measured quality, in words."""
    if detail.get("captured") == "Input":
        return "Not known: the endpoint captures only its requests (CaptureMode Input), so there are no answers to compare with labels."
    if not performance:
        return "Not known: no labels have been joined to this window."
    reasons = "; ".join(performance["reasons"])
    if performance["severity"] == "INSUFFICIENT_DATA":
        return f"Not known yet: {reasons}."
    answer = {"CRITICAL": "Yes", "WARNING": "Perhaps", "OK": "No"}[performance["severity"]]
    if (answer == "Perhaps" and lost_metrics(performance)) or (answer != "Yes" and alarming_segments(performance)):
        answer = "In part"
    newer = performance.get("join", {}).get("labels_newer", 0)
    without = (
        f" {counted(newer, 'label')} of classes that this package does not know yet are not among them."
        if newer
        else ""
    )
    return f"{answer}: {reasons}; {counted(performance['ripe_rows'], 'row')} with a label.{without}"


def estimated(performance: Mapping[str, Any]) -> str:
    """Estimated quality if the labels judge nothing, in a line."""
    estimate = performance.get("estimate", {})
    if estimate.get("severity") not in ("OK", "WARNING", "CRITICAL") or not estimate["reasons"]:
        return ""
    said = estimate["reasons"][0]
    return f"\n{said[0].upper()}{said[1:]}."


def places(performance: Mapping[str, Any]) -> list[str]:
    """The segments that lost quality against their own reference."""
    return [s["reason"] for s in performance.get("segments", []) if s["severity"] == "CRITICAL"]


def unlike(performance: Mapping[str, Any]) -> list[str]:
    """The sensitive columns that break a limit."""
    columns = performance.get("fairness", {}).get("columns", [])
    return [column["reason"] for column in columns if column["severity"] in ("WARNING", "CRITICAL")]


def cost(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """What wrong answers cost, where the YAML gives their costs: then and now, and more in this window alone."""
    found = next((metric for metric in performance.get("metrics", []) if metric["name"] == COST), None)
    before = performance.get("reference", {}).get(COST)
    if found is None or before is None:
        return ""
    then, now = figures(before["value"], found["value"])
    more = (found["value"] - before["value"]) * detail["window"]["rows"] / 1000
    said = f"{COST.replace('_', ' ')} predictions: {then} on the holdout, {now} now"
    return f"{said[0].upper()}{said[1:]}" + (f"; in this window about {more:,.0f} more." if more > 0 else ".")


def commands(model: str, detail: Mapping[str, Any], performance: Mapping[str, Any]) -> list[str]:
    """The commands that a person may type now, whole; none where all is well again."""
    if detail.get("alarm_episode", {}).get("news") == "ends":
        return []
    if detail["severity"] == "INSUFFICIENT_DATA":
        return [f"kedge history {model} --last 20"]
    day = from_text(detail["window"]["end"]) + timedelta(days=7)
    mute = f'kedge mute {model} --until {day:%Y-%m-%d} --reason "why"'
    lost = performance.get("severity") == "CRITICAL"
    if detail.get("mode") == "watch" or not (lost or chosen_reasons(performance)):
        return [mute]
    return [f'kedge retrain {model} --reason "why"', f'kedge rollback {model} --reason "why"', mute]


def links(model: str, detail: Mapping[str, Any]) -> str:
    """How to open the report: from a shell, and in the console."""
    if "report" not in detail:
        return ""
    end = from_text(detail["window"]["end"])
    return f"kedge report {model} --window {end:%Y-%m-%dT%H:%M} --open\n{console_link(detail['report'])}"


def owner(detail: Mapping[str, Any]) -> str:
    """The team, and its runbook."""
    found = detail.get("owner", {})
    lines = [f"Team: {found['team']}"] if found.get("team") else []
    return "\n".join(lines + ([f"Runbook: {found['runbook']}"] if found.get("runbook") else []))


def what_next(detail: Mapping[str, Any], performance: Mapping[str, Any]) -> str:
    """What Kedge does next by itself."""
    if detail["severity"] == "INSUFFICIENT_DATA" and detail["window"]["rows"]:
        return (
            "Kedge goes on judging each window, and sends no more mails about this while it lasts. If the endpoint has little traffic, make "
            "cadence.window_days longer or drift.minimum_rows smaller in the model's YAML."
        )
    if detail["severity"] == "INSUFFICIENT_DATA":
        return (
            "Nothing can be judged until requests are captured again. Is the endpoint called, and is Data Capture on?"
        )
    if detail.get("alarm_episode", {}).get("news") == "ends":
        return "Kedge goes on judging each window."
    if detail.get("mode") == "watch":
        return "Kedge goes on judging each window. The model is watched only: what is done about it, its owners decide."
    if performance.get("severity") == "CRITICAL":
        return "Kedge decides now whether to retrain (that depends on cooldown, budget and new labels), and tells you."
    drifted = any(column["severity"] == "CRITICAL" for column in detail.get("columns", []))
    if chosen_reasons(performance) and not drifted:
        return "Nothing by itself: a loss in some segments, or a business figure, starts no retraining. A person may start one."
    return NEXT_ON_DRIFT[detail.get("on_drift", "when_labels_lag")]
