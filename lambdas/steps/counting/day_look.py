"""A look through the capture objects of a day: which are new, and whether one that was counted has changed or vanished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, dropwhile, islice, pairwise
from typing import NamedTuple

from kedge.config.capture_place import CapturePlace
from kedge.profile.counted_objects import KnownObjects
from lambdas.adapters import clients
from lambdas.adapters.bucket import row_objects
from lambdas.adapters.captures import inference_logs
from lambdas.adapters.captures.inference_logs import Captured, Page

# Objects beyond this come last, whatever else is new: of two rows of one id the first read counts.
LARGE_BYTES = 32 * 1024 * 1024
# This much of a folder is listed by itself, page after page; what follows is listed hour by hour, several side by side.
LEAD_PAGES = 20
# Of each hour at most these new keys wait to be read.
WAITING_MAX = 5_000


class Folder(NamedTuple):
    """A prefix of capture objects of a day, whose names have this ending."""

    place: CapturePlace
    prefix: str
    extension: str

    def stretches(self, last: str) -> list[tuple[str, str]]:
        """Its keys behind one, by hour, each stretch as the keys between which it lies; the last one is open."""
        hours = [f"{self.prefix}{hour:02}/" for hour in range(24)]
        bounds = [last, *(hour for hour in hours if hour > last), ""]
        return [*pairwise(bounds)]


class New(NamedTuple):
    """An object that is not counted."""

    key: str
    size: int


class DayLook:
    """Lists a day's objects and hands on the new ones while it does: neither their names nor those of all others are ever held.

    Parameters
    ----------
    listed : list of Folder, or callable
        Where they lie; or what gives all at once.
    known : KnownObjects
        Those that are counted.
    only_gains : bool
        Whether objects that changed or vanished are left as they were counted: an old day's may have been archived.
    after : str
        The key behind which an earlier look stopped.
    """

    def __init__(
        self,
        listed: list[Folder] | Callable[[], dict[str, Captured]],
        known: KnownObjects,
        has_time: Callable[[float], bool],
        *,
        only_gains: bool,
        after: str,
    ) -> None:
        self._listed, self._known, self._has_time, self._only_gains = listed, known, has_time, only_gains
        self._after, self._is_left = after, False
        # Whether one that was counted has changed or vanished, and behind which key the time ended the listing.
        self.is_stale = False
        self.cut_after: str | None = None

    def new(self) -> Iterator[New]:
        """The new objects by their keys, the large ones at the end; it ends where the day is found stale, or the time is over."""
        large = list[New]()
        for each in self._new():
            if each.size > LARGE_BYTES:
                large.append(each)
            else:
                yield each
        yield from large

    def _new(self) -> Iterator[New]:
        if not isinstance(self._listed, list):
            yield from self._new_of(dict(sorted(self._listed().items())))
        else:
            left = [*dropwhile(lambda folder: not self._after.startswith(folder.prefix), self._listed)]
            is_resumed = bool(self._after and left)
            for number, folder in enumerate(left if is_resumed else self._listed):
                with inference_logs.readable(folder.place):
                    yield from self._below(folder, self._after if is_resumed and not number else "")
                if self._is_over:
                    return
            if is_resumed:
                # What has vanished shows only where all was listed.
                return
        self._note(has_gone=not self._known.are_all_seen)

    @property
    def _is_over(self) -> bool:
        return self.is_stale or self.cut_after is not None

    def _below(self, folder: Folder, last: str) -> Iterator[New]:
        has_more = True
        for page in islice(self._pages(folder, last), LEAD_PAGES):
            yield from self._new_of(page.found)
            last, has_more = page.last, page.has_more
            if self.is_stale or not has_more:
                return
            if not self._has_time(0):
                self.cut_after = last
                return
        yield from self._by_hour(folder, last)

    def _by_hour(self, folder: Folder, last: str) -> Iterator[New]:
        self._is_left = False
        try:
            for _, found in row_objects.ahead(folder.stretches(last), partial(self._begun, folder)):
                for new, cut_after in found:
                    yield from new
                    if self.is_stale or cut_after is not None:
                        self.cut_after = cut_after
                        return
        finally:
            # What is listed side by side ends with it.
            self._is_left = True

    def _begun(self, folder: Folder, bounds: tuple[str, str]) -> Iterator[tuple[list[New], str | None]]:
        found = self._stretch(folder, *bounds)
        return chain([next(found)], found)

    def _stretch(self, folder: Folder, last: str, end: str) -> Iterator[tuple[list[New], str | None]]:
        """The new objects of a stretch, some at a time, and behind which key the time ended it."""
        new = list[New]()
        for page in self._pages(folder, last, end):
            new += self._new_of(page.found)
            if page.has_more and (self._is_left or self.is_stale or not self._has_time(0)):
                yield new, page.last
                return
            if len(new) >= WAITING_MAX:
                yield new, None
                new = []
        yield new, None

    def _pages(self, folder: Folder, last: str, end: str = "") -> Iterator[Page]:
        bucket, extension = folder.place.bucket, folder.extension
        return inference_logs.list_pages(
            clients.s3(), bucket, folder.prefix, extension=extension, after=last, before=end
        )

    def _new_of(self, found: dict[str, Captured]) -> list[New]:
        is_there, is_same = self._known.look_up({key: each.etag for key, each in found.items()})
        self._note(has_gone=bool((is_there & ~is_same).any()))
        return [New(key, each.size) for (key, each), there in zip(found.items(), is_there, strict=True) if not there]

    def _note(self, *, has_gone: bool) -> None:
        self.is_stale = self.is_stale or (has_gone and not self._only_gains)
