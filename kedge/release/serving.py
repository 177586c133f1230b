"""Whether the endpoint serves what the champion item says, and what to do if it does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kedge.config.capture_place import is_adopted, package_words
from kedge.config.sections import Mode

# The endpoint does not show its package's state in the registry, nor alarms without a note: Kedge looks at these this often.
COMPARE_AGAIN = timedelta(hours=24)
AGREED = "agreed"

Action = Literal["NONE", "WAIT", "TELL", "FOLLOW", "PUT_BACK", "GO_BACK"]
OnChange = Literal["adopt", "put_back"]


@dataclass(frozen=True)
class Served:
    """An endpoint as it is now; the package fields are None if the registry has no package of ours that it was made from."""

    status: str
    settled: bool
    endpoint_config: str
    failure_reason: str = ""
    package_arn: str | None = None
    approval_status: str | None = None
    baseline_kept: bool = False
    is_tried_on: bool = False


@dataclass(frozen=True)
class ServingVerdict:
    """What to do: NONE, WAIT (it is being changed), TELL a person, or FOLLOW (the champion item follows the endpoint).

    PUT_BACK and GO_BACK tell a person too: the champion's config serves again, or the package before it.
    `state` names the situation: people are told once while it stays the same. `since` is when the endpoint was changed.
    """

    action: Action
    state: str
    reasons: tuple[str, ...] = ()
    since: str = ""


def judge_serving(
    *,
    model: str,
    endpoint: str,
    champion_config: str,
    champion_version: str,
    served: Served | None,
    on_change: OnChange = "adopt",
) -> ServingVerdict:
    """Compare the champion item with the endpoint. The endpoint is the truth: Kedge must judge what serves.

    Parameters
    ----------
    champion_config, champion_version : str
        Endpoint config and package version of the champion item.
    served : Served or None
        The endpoint as SageMaker describes it; None where there is none.
    on_change : OnChange
        `release.changed_by_hand`.

    >>> judge_serving(model="m", endpoint="e", champion_config="m-v1", champion_version="1", served=None).action
    'TELL'
    """
    if served is None:
        return ServingVerdict(
            "TELL",
            "absent",
            (
                f"endpoint {endpoint} does not exist any more; version {champion_version} of {model} answers nothing",
                f"to bring it back: kedge rollback {model} --to {champion_version} --reason why; "
                "to stop watching: remove the model's YAML and deploy",
            ),
        )
    if not served.settled:
        return ServingVerdict("WAIT", "changing")
    if served.status != "InService":
        why = served.failure_reason or "SageMaker gives no reason"
        return ServingVerdict(
            "TELL",
            f"broken {served.status}",
            (
                f"endpoint {endpoint} is {served.status}: {why}",
                f"look at it in the SageMaker console; if it cannot be repaired, delete it, then: "
                f"kedge rollback {model} --to {champion_version} --reason why",
            ),
        )
    if served.is_tried_on:
        return ServingVerdict(
            "PUT_BACK",
            f"left behind {served.endpoint_config}",
            (
                f"endpoint {endpoint} serves {served.endpoint_config}, in which Kedge tried a version beside the champion, and no release "
                "works on it any more",
                f"Kedge puts {champion_config} back: the version that was tried goes, and the champion serves on",
            ),
        )
    if served.endpoint_config != champion_config:
        return _changed(model, endpoint, champion_config, served, on_change)
    # What was adopted never had a package.
    if served.package_arn is None and not is_adopted(champion_version):
        return _unregistered(model, champion_version, served)
    if served.approval_status in ("Rejected", "PendingManualApproval"):
        rejected = served.approval_status == "Rejected"
        remedy = (
            f"Kedge goes back to the newest version before it that is kept; if none is: kedge rollback {model} --to VERSION --reason why"
            if rejected
            else f"to go back to the version before it at once: kedge rollback {model} --now --reason why; to let it serve on, "
            "approve it again"
        )
        return ServingVerdict(
            "GO_BACK" if rejected else "TELL",
            f"{served.approval_status.lower()} {served.endpoint_config}",
            (
                f"version {champion_version} of {model} is {served.approval_status} in the registry, and it serves",
                remedy,
            ),
        )
    return ServingVerdict("NONE", AGREED)


def judge_watched(
    *, model: str, endpoint: str, known_config: str, known_version: str, served: Served | None
) -> ServingVerdict:
    """Compare the champion item of a watched model with its endpoint, whose config its owners may change at any time.

    A change is told and followed; nothing is ever put back.

    Parameters
    ----------
    known_config, known_version : str
        Endpoint config and version of the champion item.
    served : Served or None
        The endpoint as SageMaker describes it; None where there is none.

    >>> now = Served("InService", True, "theirs-2")
    >>> judge_watched(model="m", endpoint="e", known_config="theirs-1", known_version="adopted-20260301-0000", served=now).action
    'FOLLOW'
    """
    if served is None:
        gone = f"endpoint {endpoint} does not exist any more: nothing of {model} is left to watch"
        return ServingVerdict(
            "TELL", "absent", (gone, "to stop watching: remove the model's YAML and deploy; its past stays")
        )
    if not served.settled:
        return ServingVerdict("WAIT", "changing")
    if served.status != "InService":
        why = served.failure_reason or "SageMaker gives no reason"
        broken = f"endpoint {endpoint} is {served.status}: {why}"
        return ServingVerdict(
            "TELL", f"broken {served.status}", (broken, "its owners must look: Kedge changes nothing there")
        )
    if served.endpoint_config == known_config:
        return ServingVerdict("NONE", AGREED)
    reasons = (
        f"endpoint {endpoint} serves {served.endpoint_config} now; before it was {known_config}",
        f"Kedge changes nothing there, and goes on judging by the baseline of {package_words(known_version)}",
        f"where another model serves now, take a new baseline: kedge adopt {endpoint} --model {model} --apply",
    )
    return ServingVerdict("FOLLOW", f"changed {served.endpoint_config}", reasons)


def several_variants(
    found: str, *, endpoint: str, champion_config: str, mode: Mode, on_change: OnChange = "adopt"
) -> ServingVerdict:
    """Report an endpoint that serves several variants, and none is Kedge's own; `found` names them."""
    remedies = [
        put_back(endpoint, champion_config)
        if mode == "manage"
        else "name them all in endpoint.variants of the model's YAML: Kedge changes nothing at the endpoint"
    ]
    if mode == "manage" and on_change == "put_back":
        # A second variant costs its owner more to make again than a config: a person decides.
        remedies.insert(0, "release.changed_by_hand puts nothing back here: several variants may be somebody's trial")
    return ServingVerdict("TELL", "several variants", (f"{found}: its answers are not judged", *remedies))


def put_back(endpoint: str, config: str) -> str:
    """Say how to let the config that Kedge released last serve again, at once and without a canary.

    >>> put_back("e", "m-v1")[-27:]
    '--endpoint-config-name m-v1'
    """
    return (
        "to put Kedge's last release back at once, without a canary: aws sagemaker update-endpoint "
        f"--endpoint-name {endpoint} --endpoint-config-name {config}"
    )


def _unregistered(model: str, version: str, served: Served) -> ServingVerdict:
    return ServingVerdict(
        "TELL",
        f"unregistered {served.endpoint_config}",
        (
            f"version {version} of {model} serves, and the registry has no such version any more: its package was deleted",
            "what still works: it answers requests, its windows are judged, and another version can be released",
            f"what does not: once it no longer serves, version {version} cannot be brought back, by kedge rollback or otherwise; "
            "a retraining fails, because it compares with a copy of what serves, which is made from the package",
            f"what to do: release another version. Approve one in the registry, or: kedge rollback {model} --to VERSION --reason why",
        ),
    )


def _changed(model: str, endpoint: str, expected: str, served: Served, on_change: OnChange) -> ServingVerdict:
    found = f"endpoint {endpoint} serves {served.endpoint_config}; Kedge's last release was {expected}"
    if on_change == "put_back":
        back = f"Kedge puts {expected} back at once, as release.changed_by_hand of {model}.yaml says"
        return ServingVerdict("PUT_BACK", f"put back {served.endpoint_config}", (found, back))
    if served.package_arn is not None and served.baseline_kept:
        reasons = (
            found,
            f"Kedge judges {served.package_arn.rpartition('/')[2]} from now on: it is a version of {model}",
        )
        return ServingVerdict("FOLLOW", f"changed {served.endpoint_config}", reasons)
    return ServingVerdict(
        "TELL",
        f"foreign {served.endpoint_config}",
        (
            found,
            f"its model was not made from a version of {model} that Kedge has a baseline for: its answers are not judged",
            put_back(endpoint, expected),
            f"to release a version with a canary: kedge rollback {model} --to VERSION --reason why",
        ),
    )


@dataclass(frozen=True)
class Agreement:
    """A look that found endpoint, registry and champion item in agreement and no alarm left: what it saw, and when."""

    endpoint_config: str
    modified_at: datetime
    seen_at: datetime
    instances: int | None = None

    def touched(self, *, endpoint: str, endpoint_config: str, modified_at: datetime, instances: int) -> str:
        """Say what else changed at an endpoint that serves the config of the last look; empty where nothing did.

        Autoscaling and SageMaker's own patches change no config: they are no disagreement, and nobody must act.

        >>> noon, later = datetime(2026, 3, 1, 12), datetime(2026, 3, 1, 12, 20)
        >>> look = Agreement("m-v1", noon, noon, instances=2)
        >>> look.touched(endpoint="e", endpoint_config="m-v1", modified_at=later, instances=4)
        'endpoint e runs on 4 instances, before it was 2: autoscaling or a person changed it, and it serves m-v1 as before'
        >>> look.touched(endpoint="e", endpoint_config="m-v1", modified_at=later, instances=2)
        "endpoint e was updated to the config that it has, m-v1: by SageMaker's own patch, or by a person"
        >>> look.touched(endpoint="e", endpoint_config="m-v1", modified_at=noon, instances=2)
        ''
        """
        if endpoint_config != self.endpoint_config or modified_at == self.modified_at:
            return ""
        if self.instances not in (None, instances):
            now = f"{instances} instance{'s' * (instances != 1)}"
            return (
                f"endpoint {endpoint} runs on {now}, before it was {self.instances}: autoscaling or a person changed it, "
                f"and it serves {endpoint_config} as before"
            )
        return f"endpoint {endpoint} was updated to the config that it has, {endpoint_config}: by SageMaker's own patch, or by a person"

    def holds(self, *, champion_config: str, served: Served, modified_at: datetime, now: datetime) -> bool:
        """Whether the endpoint is as it was then, and the look was not long ago.

        Parameters
        ----------
        champion_config : str
            Endpoint config of the champion item as it is now.
        served : Served
            The endpoint as it is now; its package fields are not looked at.
        modified_at : datetime
            When SageMaker says that the endpoint was last changed.

        >>> noon, now = datetime(2026, 3, 1, 12), datetime(2026, 3, 1, 13)
        >>> look = Agreement("m-v1", modified_at=noon, seen_at=noon)
        >>> served = Served("InService", True, "m-v1")
        >>> look.holds(champion_config="m-v1", served=served, modified_at=noon, now=now)
        True
        >>> look.holds(champion_config="m-v1", served=served, modified_at=now, now=now)
        False
        """
        same = self.endpoint_config == champion_config == served.endpoint_config and self.modified_at == modified_at
        return same and served.status == "InService" and now - self.seen_at < COMPARE_AGAIN
