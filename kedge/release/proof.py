"""Whether a release is proved: the endpoint serves the new config, and enough requests tried it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from kedge.comparisons import counted
from kedge.release.look_table import LookRow
from kedge.release.rung_alarms import RungAlarm, rung_reasons
from kedge.release.shortage import is_shortage

ReleaseVerdict = Literal[
    "PROMOTED", "ROLLED_BACK", "UNPROVEN", "UNCHANGED", "OVERTAKEN", "BROKEN", "SHORT", "EXPERIMENT_PROVED", "WITHDRAWN"
]
CaptureVerdict = Literal["AS_PLANNED", "ASTRAY"]
# Verdicts of a look that are against the canary. A look that could not decide yet gives no reason to go back.
_AGAINST = ("MISBEHAVING", "UNPROVEN")


@dataclass(frozen=True)
class LastWatch:
    """What the last look at the canary said, how many captured answers the looks judged, and the look's table."""

    verdict: str
    reasons: tuple[str, ...]
    judged: int
    table: tuple[LookRow, ...] = ()


@dataclass(frozen=True)
class CaptureFound:
    """The place to which an endpoint, or its config, captures requests, whether it captures now, and which share, where that is known."""

    destination: str
    running: bool
    sampling_percentage: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CaptureProof:
    """Whether the endpoint captures to where its config says, with the reason where it does not."""

    verdict: CaptureVerdict
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReleaseProof:
    """The verdict on a finished deployment, with reasons; `serving` says whether the new config serves.

    UNCHANGED: the deployment never took effect. OVERTAKEN: somebody else put another config into service. BROKEN: the endpoint
    is in a status that it does not leave by itself.
    SHORT: the new fleet found no instances, or a quota allowed none. Nothing is known about the package, so it may be tried again.
    EXPERIMENT_PROVED, WITHDRAWN: how a version that was tried beside the champion ended; the champion serves on.
    """

    verdict: ReleaseVerdict
    reasons: tuple[str, ...]
    serving: bool
    table: tuple[LookRow, ...] = ()


@dataclass(frozen=True)
class Trial:
    """How the new fleet was tried before it served alone.

    Attributes
    ----------
    requests : int or None
        Requests that it answered; None if the endpoint was created: then there was no champion to compare it with.
    minimum_requests : int
        The requests that prove a canary.
    watch : LastWatch or None
        What the last look said, if there was one.
    returned : bool
        Whether it came back at once. Then it proved itself when it served before, and only a fault is a doubt.
    """

    requests: int | None
    minimum_requests: int
    watch: LastWatch | None
    returned: bool = False

    def doubts(self, serves: str) -> tuple[str, ...]:
        """Say why a fleet that serves all the same is not proved; nothing where it is.

        Parameters
        ----------
        serves : str
            That the endpoint serves it, in words.
        """
        if self.requests is None:
            return ()
        if self.returned:
            against = self.watch.reasons if self.watch is not None and self.watch.verdict in _AGAINST else ()
            return (*against, f"{serves} nevertheless") if against else ()
        if self.requests < self.minimum_requests:
            return (f"{serves}; {self.minimum_requests:,} are needed: go back, or try again",)
        if self.watch is None or not self.watch.judged:
            seen = self.watch.reasons if self.watch is not None else ("no look at the canary is on record",)
            return (*seen, f"{serves}, but none of its captured answers was judged: go back, or try again")
        if self.watch.verdict in _AGAINST:
            return (*self.watch.reasons, f"{serves} nevertheless")
        return ()


def judge_release(
    *,
    planned: str,
    before: str | None,
    found: str,
    failure_reason: str,
    trial: Trial,
    rung: Sequence[RungAlarm] | None = (),
) -> ReleaseProof:
    """Judge a settled endpoint by the config that it serves.

    After an automatic rollback SageMaker reports InService with the *old* config, sometimes without a
    reason: only the config's name shows it. A canary is UNPROVEN if too few requests tried it, if none of its answers was
    read and judged, or if the last look found it bad. That holds also if the deployment went through.

    Parameters
    ----------
    planned, found : str
        Names of the endpoint config that the release requested, and of the one that serves.
    before : str or None
        The config that served when the release began; None where no endpoint existed.
    rung : sequence of RungAlarm or None
        The rollback alarms that rang; None where that could not be read.

    >>> trial = Trial(requests=40, minimum_requests=30, watch=LastWatch("HEALTHY", (), 40))
    >>> judge_release(planned="m-v2", before="m-v1", found="m-v1", failure_reason="", trial=trial).verdict
    'ROLLED_BACK'
    """
    if found not in (planned, before):
        reason = f"the endpoint serves {found}: somebody else put it into service while this release of {planned} was under way"
        return ReleaseProof("OVERTAKEN", (reason,), False)
    if found != planned:
        if is_shortage(failure_reason) and not trial.requests and not rung:
            # A fleet that answered, or rang an alarm, had its instances: an old reason may still stand there.
            return ReleaseProof("SHORT", (_not_planned(planned, found, failure_reason),), False)
        return _not_serving(planned, found, failure_reason, trial.watch, rung)
    tried = "" if trial.requests is None else f", which answered {counted(trial.requests, 'request')}"
    serves = f"the endpoint serves {planned}{tried}"
    doubts = trial.doubts(serves)
    seen = trial.watch.reasons if trial.returned and trial.watch is not None else ()
    return ReleaseProof("UNPROVEN" if doubts else "PROMOTED", doubts or (serves, *seen), True)


def judge_capture(*, config: str, planned: CaptureFound | None, found: CaptureFound | None) -> CaptureProof:
    """Judge whether an endpoint captures to the destination in the config that it serves.

    Kedge looks for the package's answers at the planned destination only. If the endpoint captures to another one, nothing
    watches the package, and its answers are mixed with those of another.

    Parameters
    ----------
    config : str
        Name of the endpoint config that serves.
    planned, found : CaptureFound or None
        The destination in the config, and that of the endpoint; None without any capture.

    >>> there, here = CaptureFound("s3://b/capture/m/2", True), CaptureFound("s3://b/capture/m/1", True)
    >>> judge_capture(config="m-v2", planned=there, found=here).verdict
    'ASTRAY'
    """
    wanted = planned.destination.rstrip("/") if planned and planned.running else ""
    if (found.destination.rstrip("/") if found and found.running else "") == wanted:
        return CaptureProof("AS_PLANNED")
    if found is None:
        does = "captures nothing"
    elif found.destination.rstrip("/") == wanted:
        does = f"has stopped capturing to {found.destination}"
    else:
        does = f"captures to {found.destination}{'' if found.running else ' (stopped)'}"
    return CaptureProof(
        "ASTRAY",
        (f"the endpoint {does}, where {config} says {wanted or 'nothing'}: the monitor is blind to its answers",),
    )


def judge_watched_capture(*, model: str, planned: CaptureFound, found: CaptureFound | None) -> CaptureProof:
    """Judge whether an endpoint that others own captures where, and as much as, the YAML says.

    >>> there, half = CaptureFound("s3://b/c", True, 20), CaptureFound("s3://b/c/", True, 50)
    >>> judge_watched_capture(model="m", planned=there, found=half).reasons[0][:42]
    'the endpoint captures 50 % of the requests'
    """
    if found is None or not found.running:
        off = "the endpoint captures nothing (any more): nothing of it can be judged"
        return CaptureProof("ASTRAY", (off, "let its owners switch Data Capture on: docs/adopt.md says how"))
    if found.destination.rstrip("/") != planned.destination.rstrip("/"):
        there = f"the endpoint captures to {found.destination}, and Kedge looks below {planned.destination}"
        return CaptureProof("ASTRAY", (there, f"set capture.uri in {model}.yaml and deploy"))
    if found.sampling_percentage not in (None, planned.sampling_percentage):
        share = (
            f"the endpoint captures {found.sampling_percentage} % of the requests, and {model}.yaml says "
            f"{planned.sampling_percentage} %"
        )
        return CaptureProof("ASTRAY", (share, f"set capture.sampling_percentage in {model}.yaml and deploy"))
    return CaptureProof("AS_PLANNED")


def _not_serving(
    planned: str, found: str, failure_reason: str, watch: LastWatch | None, rung: Sequence[RungAlarm] | None
) -> ReleaseProof:
    verdict: ReleaseVerdict = "UNPROVEN" if watch is not None and watch.verdict == "UNPROVEN" else "ROLLED_BACK"
    seen = watch.reasons if watch is not None and watch.verdict in _AGAINST else ()
    alarms = rung_reasons(rung, otherwise=failure_reason)
    said = failure_reason or ("" if seen or rung else "SageMaker gave no reason")
    return ReleaseProof(verdict, (*seen, *alarms, _not_planned(planned, found, said)), False)


def _not_planned(planned: str, found: str, said: str) -> str:
    return f"the endpoint serves {found}, not {planned}{f': {said}' if said else ''}"
