"""What a message belongs to, so that a pager opens one incident for it, and closes it when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.instants import to_text

# A release ended well: an incident that its run opened before is over.
_GOOD_ENDS = frozenset({"canary_promoted", "baseline_switched"})
# A person has acted on the model: the person on call need not be woken again.
_BY_PEOPLE = frozenset({"approved", "rejected", "paused", "muted"})


@dataclass(frozen=True)
class Incident:
    """What a message belongs to.

    Attributes
    ----------
    name : str
        The same for all messages of one episode, one run or one package.
    resolved : bool
        Whether this message says that it is over.
    """

    name: str
    resolved: bool = False


def incident_of(model: str, kind: str, time: datetime, detail: Mapping[str, Any]) -> Incident:
    """The episode of alarms of a window, else the run, else the package; what belongs to none of them stands alone.

    >>> from datetime import UTC
    >>> ends = {"alarm_episode": {"news": "ends", "opened": "2016-01-04T00:00:00Z"}}
    >>> incident_of("m", "window_judged", datetime(2016, 2, 1, tzinfo=UTC), ends)
    Incident(name='m/episode/2016-01-04T00:00:00Z', resolved=True)
    >>> incident_of("m", "failed", datetime(2016, 2, 1, tzinfo=UTC), {"run": "m-r1"}).name
    'm/run/m-r1'
    """
    if kind == "alarm":
        # Of models that ring together one is the first, and the same cause may begin again while another one's lasts.
        began = f"/{detail['since']}" if "since" in detail else ""
        return Incident(f"{detail.get('first', model)}/alarm/{detail['alarm']}{began}", detail["state"] == "OK")
    episode = detail.get("alarm_episode")
    if isinstance(episode, Mapping):
        return Incident(episode_name(model, str(episode.get("opened") or episode["since"])), episode["news"] == "ends")
    if run := detail.get("run"):
        return Incident(f"{model}/run/{run}", kind in _GOOD_ENDS)
    if package := detail.get("package_arn"):
        return Incident(f"{model}/package/{package}", kind in _GOOD_ENDS)
    return Incident(f"{model}/{kind}/{to_text(time)}")


def episode_name(model: str, opened: str) -> str:
    """The name of an episode of alarms that began with the window that ended then."""
    return f"{model}/episode/{opened}"


def acknowledges(kind: str) -> bool:
    """Whether a person did something, so that the model's open episode is taken care of."""
    return kind in _BY_PEOPLE
