"""When people hear of windows that alarm: an episode begins, becomes worse, lasts long, and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from kedge.config.policies import Alerts
from kedge.severity import Severity, worst

Kind = Literal["begins", "worse", "lasts", "back", "ends"]


@dataclass(frozen=True)
class AlertWindow:
    """The verdicts of one judged window, by part.

    Attributes
    ----------
    package : str
        The package version that answered it.
    verdicts : mapping of str to Severity
        By the name of each column and of quality; INSUFFICIENT_DATA for a part that could not be judged.
    """

    start: datetime
    end: datetime
    package: str
    verdicts: Mapping[str, Severity]

    @property
    def severity(self) -> Severity:
        """The worst of its parts; INSUFFICIENT_DATA only if none was judged."""
        return worst(self.verdicts.values())

    def alarms(self, policy: Alerts) -> dict[str, Severity]:
        """The parts that are at least as bad as `alerts.severity_from`."""
        return {name: found for name, found in self.verdicts.items() if found >= Severity(policy.severity_from)}


@dataclass(frozen=True)
class News:
    """What people hear about an episode after one window.

    Attributes
    ----------
    fresh : tuple of str
        The parts that were not yet in the episode at their severity.
    """

    kind: Kind
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """A part that alarms, or has alarmed in the episode.

    Attributes
    ----------
    severity : Severity
        As people last heard it; OK once it has been better in other rows.
    last : datetime
        End of the last window with this alarm.
    """

    severity: Severity
    last: datetime


@dataclass(frozen=True)
class AlertEpisode:
    """A model's latest episode of alarms; all times are those of windows, not of the clock.

    Attributes
    ----------
    first_start, since : datetime
        Start and end of its first window that alarmed.
    package : str
        The package version that answered the last of them.
    alarms : mapping of str to Alarm
        Every part that has alarmed in it.
    until : datetime
        End of the newest window in it.
    told : datetime
        End of the window after which people last heard of it.
    ended : datetime or None
        End of the window that was back to normal; None while the episode lasts.
    resumed : bool
        Whether it came back after its end, in rows that had alarmed before.
    untold : News or None
        News that may not have reached people yet.
    opened : datetime or None
        End of the window that began it: unlike `since` it stays when an older window is judged late. None in an episode
        that an earlier version began.
    """

    first_start: datetime
    since: datetime
    package: str
    alarms: Mapping[str, Alarm]
    until: datetime
    told: datetime
    ended: datetime | None = None
    resumed: bool = False
    untold: News | None = None
    opened: datetime | None = None

    @property
    def name(self) -> datetime:
        """What tells it from the model's other episodes, and never changes while it lasts."""
        return self.opened or self.since

    @property
    def last(self) -> datetime:
        """End of the last window that alarmed."""
        return max(alarm.last for alarm in self.alarms.values())


def follow_episode(episode: AlertEpisode | None, window: AlertWindow, policy: Alerts) -> AlertEpisode | None:
    """Add a judged window to the model's latest episode; `untold` is what people should hear.

    An episode begins with a window that alarms. It ends with one in which all parts that had alarmed are back to normal.
    A part that is still a WARNING keeps it open, or a value at its limit would begin and end an episode with each window. It
    becomes worse if a part alarms for the first time, or worse than before, or again after it was back to normal in a window of other rows.
    While it lasts people get a reminder every `alerts.reminder_days`. A window in which nothing could be judged changes
    nothing. A part that alarmed and cannot be judged any more also keeps its episode open.

    Alarms that come back within a window's length come from the same rows: the episode goes on as if it had not ended.
    From then on it ends only with a window that shares no row with the last alarm, or people would hear twice per window of a value
    at its limit. The same window again changes nothing. An older window, judged late, can add to an episode that lasts.

    >>> from datetime import UTC
    >>> week, first = timedelta(days=7), datetime(2016, 1, 4, tzinfo=UTC)
    >>> verdicts = ["CRITICAL", "CRITICAL", "INSUFFICIENT_DATA", "OK", "OK"]
    >>> episode, told = None, []
    >>> for number, verdict in enumerate(verdicts):
    ...     end = first + number * week
    ...     window = AlertWindow(end - week, end, "1", {"column adr": Severity(verdict)})
    ...     episode = follow_episode(episode, window, Alerts())
    ...     told.append(episode.untold and episode.untold.kind)
    ...     episode = as_told(episode)
    >>> told
    ['begins', None, None, 'ends', None]

    Parameters
    ----------
    episode : AlertEpisode, optional
        As it was after the window before; None if the model has never alarmed.
    """
    if window.severity is Severity.INSUFFICIENT_DATA:
        return episode
    alarms = window.alarms(policy)
    if episode is not None and window.end < episode.until:
        return _judged_late(episode, window, alarms)
    if not alarms:
        return None if episode is None else _quiet(episode, window)
    if episode is None or (episode.ended is not None and window.start >= episode.last):
        known = {name: Alarm(severity, window.end) for name, severity in alarms.items()}
        return AlertEpisode(
            window.start,
            window.end,
            window.package,
            known,
            window.end,
            window.end,
            untold=News("begins", tuple(alarms)),
            opened=window.end,
        )
    return _alarming(episode, window, alarms, timedelta(days=policy.reminder_days))


def as_told(episode: AlertEpisode) -> AlertEpisode:
    """The episode after people have heard the untold news."""
    return replace(episode, untold=None)


def _alarming(
    episode: AlertEpisode, window: AlertWindow, alarms: Mapping[str, Severity], reminder: timedelta
) -> AlertEpisode:
    """The episode with one more window that alarms."""
    fresh, back = _fresh(episode, alarms), episode.ended is not None
    news = None
    if fresh or back:
        news = News("back" if back else "worse", fresh)
    elif window.end - episode.told >= reminder:
        news = News("lasts")
    found = replace(
        episode,
        package=window.package,
        alarms=_known(episode, window, alarms),
        ended=None,
        resumed=episode.resumed or back,
    )
    return _with_news(found, window, news)


def _quiet(episode: AlertEpisode, window: AlertWindow) -> AlertEpisode:
    """The episode with one more window that does not alarm."""
    lasting = [name for name, alarm in episode.alarms.items() if alarm.severity > Severity.OK]
    lingers = any(window.verdicts.get(name) is Severity.WARNING for name in lasting)
    episode = replace(episode, alarms=_known(episode, window, {}))
    unknown = [window.verdicts.get(name) is Severity.INSUFFICIENT_DATA for name in lasting]
    # A part that alarmed under another package need not be judged again, but at least one part must be.
    unsure = any(unknown) and (window.package == episode.package or all(unknown))
    if episode.ended is not None or lingers or unsure or (episode.resumed and window.start < episode.last):
        return _with_news(episode, window, None)
    return _with_news(replace(episode, ended=window.end), window, News("ends"))


def _judged_late(episode: AlertEpisode, window: AlertWindow, alarms: Mapping[str, Severity]) -> AlertEpisode:
    """The episode with an older window; it neither ends the episode nor reopens one that is over."""
    if not alarms or episode.ended is not None or window.end < episode.first_start:
        return episode
    known = episode.alarms
    fresh = tuple(name for name in _fresh(episode, alarms) if name not in known or window.end > known[name].last)
    since, first = min(episode.since, window.end), min(episode.first_start, window.start)
    added = {name: Alarm(alarms[name], window.end) for name in fresh}
    found = replace(episode, since=since, first_start=first, alarms={**known, **added})
    return replace(found, untold=_both(found.untold, News("worse", fresh))) if fresh else found


def _fresh(episode: AlertEpisode, alarms: Mapping[str, Severity]) -> tuple[str, ...]:
    known = episode.alarms
    return tuple(name for name, severity in alarms.items() if name not in known or severity > known[name].severity)


def _known(episode: AlertEpisode, window: AlertWindow, alarms: Mapping[str, Severity]) -> dict[str, Alarm]:
    """The parts after one more window. A part is better once no row is left in which it was worse."""
    found = dict(episode.alarms)
    for name, alarm in found.items():
        lasts = window.verdicts.get(name) in (Severity.INSUFFICIENT_DATA, Severity.WARNING)
        if not lasts and window.start >= alarm.last:
            found[name] = Alarm(Severity.OK, alarm.last)
    for name, severity in alarms.items():
        if name not in found or severity >= found[name].severity:
            found[name] = Alarm(severity, window.end)
    return found


def _with_news(episode: AlertEpisode, window: AlertWindow, news: News | None) -> AlertEpisode:
    """The episode with its newest window, and what people should hear about it."""
    told = episode.told if news is None else window.end
    return replace(episode, until=window.end, told=told, untold=_both(episode.untold, news))


def _both(untold: News | None, news: News | None) -> News | None:
    """All news that is left to tell: the beginning of an episode is not lost if it becomes worse meanwhile."""
    if untold is None or news is None:
        return untold or news
    if news.kind in ("worse", "lasts"):
        return News(untold.kind, tuple(dict.fromkeys((*untold.fresh, *news.fresh))))
    return news
