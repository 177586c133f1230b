"""Alerts about what slowly goes wrong: packages that wait, labels that stay away, old baselines, retrainings that fail."""

from __future__ import annotations

from kedge.comparisons import counted
from kedge.config.capture_place import package_words
from report.alert_words import Detail, Message, bullets, section


def approval_waits(model: str, detail: Detail) -> Message:
    """A package that nobody has decided about."""
    version, days = detail["package_version"], counted(detail["waiting_days"], "day")
    return Message(
        f"package version {version} has waited {days} for a decision",
        (
            f"It passed the gate and was registered on {str(detail['since'])[:10]}. The earlier mail about it has its figures; "
            f"`kedge history {model}` shows them again.",
            section(
                "WHAT TO DO",
                "Approve or reject it in the SageMaker Model Registry, or approve it from a shell:\n"
                f'kedge approve {model} {version} --comment "why"\n'
                "An approval releases it as a canary. The longer it waits, the older are the rows that it has learnt from.",
            ),
            section("WHAT HAPPENS NEXT", "Nothing until then. The next mail about it comes after twice as long."),
        ),
    )


def approval_expired(model: str, detail: Detail) -> Message:
    """A package that has waited too long."""
    version, days = detail["package_version"], counted(detail["waiting_days"], "day")
    return Message(
        f"package version {version} has waited {days}, and nobody is reminded any more",
        (
            "Its gate compared it with rows that are old by now (gate.approval_expires_days). It stays as it is in the registry, and "
            f"{'a second approval' if 'reasons' in detail else 'an approval'} would still release it.",
            section(
                "WHAT TO DO",
                "Reject it in the SageMaker Model Registry. To train a newer one:\n"
                f'kedge retrain {model} --reason "version {version} is too old"',
            ),
        ),
    )


def labels_silent(_model: str, detail: Detail) -> Message:
    """Labels that have stopped."""
    return Message(
        f"no labels have come for {counted(detail['silent_days'], 'day')}",
        (
            f"The newest file is of {str(detail['newest']).replace('T', ' ')[:16]} UTC. In the weeks before, the longest pause was "
            f"{counted(detail['longest_pause_hours'], 'hour')}.",
            section(
                "WHAT IT MEANS",
                "Quality is soon estimated only, and a loss is seen late or never. Drift is judged as before.",
            ),
            section(
                "WHAT TO DO",
                "Look at the job that sends the labels: does it run, and may it still write below labels/ in the data bucket? "
                "Labels that come late are counted for their own days.",
            ),
            section("WHAT HAPPENS NEXT", "You get this mail once for each time that they stop."),
        ),
    )


def baseline_stale(model: str, detail: Detail) -> Message:
    """A baseline of old rows."""
    watched = detail.get("mode") == "watch"
    renew = (
        f"Take a new baseline from newer rows:\nkedge adopt ENDPOINT --model {model} --baseline FILE --apply"
        if watched
        else f'Retrain it:\nkedge retrain {model} --reason "the baseline is old"'
    )
    return Message(
        f"the baseline of {package_words(str(detail['package_version']))} is {counted(detail['age_days'], 'day')} old",
        (
            f"Its rows end on {str(detail['rows_until'])[:10]}; drift.baseline_days_max is {detail['limit_days']}.",
            section(
                "WHAT IT MEANS",
                "Windows are compared with a time that may be long over: what drifts from it need not matter to the model.",
            ),
            section(
                "WHAT TO DO", f"{renew}\nIf the old rows are still a fair comparison, raise drift.baseline_days_max."
            ),
            section("WHAT HAPPENS NEXT", "You get this mail once, until another package version serves."),
        ),
    )


def retrainings_failing(model: str, detail: Detail) -> Message:
    """Retrainings that fail whatever starts them."""
    runs = [f"{run}: {status}" for run, status in zip(detail["runs"], detail["statuses"], strict=True)]
    return Message(
        f"the last {len(runs)} retrainings all failed",
        (
            section("WHICH", bullets(runs)),
            section(
                "WHAT IT MEANS",
                "The model cannot be renewed: if it loses quality now, only an earlier package can take its place.",
            ),
            section(
                "WHAT TO DO",
                f"Read why; this names the state and the error of each:\nkedge history {model} --last 20\n"
                f'Correct it, then try again:\nkedge retrain {model} --reason "corrected"\n'
                f'Until then you may hold further tries:\nkedge pause {model} --reason "why"',
            ),
        ),
    )
