"""The weekly digest: what needs you, what happened, what it cost, who is healthy, in about ten lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kedge.comparisons import counted, figures
from report.alert_words import Detail, Message, cut_at_word, section

NAMES_SHOWN, LINES_SHOWN, REASON_MAX = 5, 4, 120
DAYS_FROM_HOURS = 72


def digest(_model: str, detail: Detail) -> Message:
    """Write what a team reads on Monday."""
    team, week = detail.get("team"), detail["week"]
    needs, counts = [*needing(detail["alarming"]), *waiting(detail["waiting"])], detail["counts"]
    hidden = counts["alarming"] + counts["waiting"] - len(needs)
    return Message(
        f"{team + ': ' if team else ''}{headline(detail)}",
        (
            f"Week from {week['start'][:10]} to {week['end'][:10]}, {counted(detail['models'], 'model')}.",
            section("WHAT NEEDS YOU", listed(needs, hidden) or "Nothing."),
            section("WHAT HAPPENED", happened(detail["happened"])),
            section(
                "WHAT IT COSTS",
                listed(
                    [*training(detail["training"]), *(cost(each) for each in detail["costs"])],
                    counts["costs"] - len(detail["costs"]),
                ),
            ),
            section("HOW FAST", how_fast(detail["response"], detail["models"])),
            section("THE OTHERS", others(detail)),
        ),
    )


def headline(detail: Detail) -> str:
    """Whether anything needs a person, in a line."""
    number = detail["counts"]["needing"]
    if not number:
        return f"weekly digest, nothing needs you ({counted(detail['models'], 'model')})"
    return f"weekly digest, {number} of {counted(detail['models'], 'model')} need{'s' * (number == 1)} you"


def needing(alarming: Sequence[Mapping[str, Any]]) -> list[str]:
    """The models whose newest window is CRITICAL, each with why."""
    return [
        f"{each['model']} is CRITICAL: {cut_at_word(str(each['reason'] or 'see its page'), REASON_MAX)}"
        for each in alarming
    ]


def waiting(packages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The packages that wait for a decision."""
    return [
        f"{each['model']}: version {each['package_version']} has waited {counted(each['waiting_days'], 'day')} for a decision"
        for each in packages
    ]


def happened(counts: Mapping[str, int]) -> str:
    """How often what happened, in one line."""
    said = ", ".join(f"{words}: {count:,}" for words, count in counts.items())
    return f"{said[0].upper()}{said[1:]}." if said else "Nothing."


def training(paid: Mapping[str, Any]) -> list[str]:
    """What the week's retrainings cost, in a line; none where there were none."""
    if not paid["retrainings"]:
        return []
    if paid["unknown"] == paid["retrainings"]:
        return [f"{counted(paid['retrainings'], 'retraining')}: the cost is not known"]
    unknown = f", without {paid['unknown']} whose cost is not known" if paid["unknown"] else ""
    return [
        f"{counted(paid['retrainings'], 'retraining')}: {paid['usd']:,.2f} USD of instances by list prices{unknown}"
    ]


def cost(found: Mapping[str, Any]) -> str:
    """A figure of the newest window beside its reference."""
    unit = f" {found['unit']}" if found.get("unit") else ""
    name = f"{found['model']}: {str(found['metric']).replace('_', ' ')}"
    if found.get("total") is not None:
        return f"{name} {found['total']:,.0f}{unit} in the newest window"
    if found.get("reference") is None:
        return f"{name} {found['value']:,.2f}{unit}"
    before, now = figures(found["reference"], found["value"])
    return f"{name} {now}{unit} ({before} on the holdout)"


def how_fast(response: Mapping[str, Any], models: int) -> str:
    """MTTD and MTTR over the last weeks, in words; where no labels measure quality, that no loss would be seen."""
    where, measured = f"in {response['days']} days", response["measured"]
    if not response["losses"]:
        if not measured:
            return "No quality was measured in this week, so a loss would not be seen here."
        of_all = "" if measured == models else f" (quality was measured for {measured:,} of {counted(models, 'model')})"
        return f"No loss of quality {where}{of_all}."
    told = span(response["detect_hours"])
    repaired = span(response["repair_hours"])
    losses = response["losses"]
    said = f"{losses} loss{'es' * (losses != 1)} of quality {where}"
    one, lasts = losses == 1, response["lasting"]
    none = "it was not" if one else "none was"
    told = f"told after {told}{'' if one else ' on average'}" if told else f"{none} told"
    repaired = f"a better model served after {repaired}" if repaired else f"{none} repaired by a better model"
    over = "it is not over yet" if one else f"{lasts} {'is' if lasts == 1 else 'are'} not over yet"
    lasting = f"; {over}" if lasts else ""
    return f"{said}: {told} (MTTD), {repaired} (MTTR){lasting}."


def span(hours: float | None) -> str:
    """A time in the unit that a person would use.

    >>> span(5.0), span(1.0), span(120.0)
    ('5 hours', '1 hour', '5.0 days')
    """
    if hours is None:
        return ""
    if hours >= DAYS_FROM_HOURS:
        return f"{hours / 24:.1f} days"
    return counted(round(hours), "hour") if hours >= 1 else "less than an hour"


def others(detail: Detail) -> str:
    """The models that need nobody, by name as far as they fit."""
    groups = (("Healthy", "healthy"), ("With warnings", "warning"), ("Not judged", "not_judged"))
    counts = detail["counts"]
    return "\n".join(
        f"{words} ({counts[name]:,}): {named(detail[name], counts[name])}." for words, name in groups if counts[name]
    )


def named(names: Sequence[str], number: int) -> str:
    """The first few names, and how many more."""
    more = number - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def listed(lines: Sequence[str], hidden: int = 0) -> str:
    """The first few lines, and how many more; `hidden` are those that the digest only counts."""
    more = len(lines) + hidden - LINES_SHOWN
    return "\n".join([f"- {line}" for line in lines[:LINES_SHOWN]] + ([f"- and {more} more"] if more > 0 else []))
