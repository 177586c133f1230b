"""Objects of JSON Lines of any size as blocks of whole lines, in bounded memory; what is too long or cannot be read is kept aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kedge.errors import UnreadableRecordError

# A request carries 6 MB at most, and its quotes are written with a backslash each; a longer line is nobody's record.
LINE_BYTES_MAX = 8 * 1024 * 1024
# This much of such a line is kept, to tell what it was.
EXCERPT_BYTES = 1024


@dataclass(frozen=True)
class Piece:
    """Whole lines of one object.

    Attributes
    ----------
    before : int
        Lines of the object that stand before these.
    end : int
        Bytes of the object up to where these lines end.
    """

    key: str
    content: bytes
    before: int = 0
    end: int = 0


@dataclass(frozen=True)
class LongLine:
    """A line beyond the longest that is read, or the rest of an object that cannot be read: its number, its size, how it begins, and up
    to where it stands.
    """

    key: str
    number: int
    size: int
    excerpt: bytes
    end: int = 0
    fault: str = ""

    @property
    def reason(self) -> str:
        """Why it was not read."""
        return self.fault or f"a line of {self.size:,} bytes: {LINE_BYTES_MAX:,} are read at most"


@dataclass
class Block:
    """Lines of one or several objects that are read in one go."""

    pieces: list[Piece] = field(default_factory=list)
    long: list[LongLine] = field(default_factory=list)
    size: int = 0

    def add(self, piece: Piece) -> None:
        """Take more lines; those that follow the last ones of the same object are one piece with them."""
        self.size += len(piece.content)
        if self.pieces and self.pieces[-1].key == piece.key:
            last = self.pieces.pop()
            piece = Piece(piece.key, last.content + piece.content, last.before, piece.end)
        self.pieces.append(piece)


def blocks(files: Iterable[tuple[str, Iterable[bytes]]], size: int) -> Iterator[Block]:
    r"""Put the lines of objects together in blocks of about `size` bytes, one piece of an object in each.

    Parameters
    ----------
    files : iterable of (key, stretches)
        An object's content in the order of its bytes, in stretches no longer than the longest line that is read. Where an
        `UnreadableRecordError` comes instead of a stretch, the object's rest is kept aside with its reason.

    >>> found = blocks([("a", [b"12", b"3\n45\n", b"6"]), ("b", [b"7"])], 4)
    >>> [[(piece.key, piece.before, piece.content) for piece in block.pieces] for block in found]
    [[('a', 0, b'123\n45\n')], [('a', 2, b'6'), ('b', 0, b'7')]]
    """
    block = Block()
    for key, stretches in files:
        for found in _up_to_a_fault(key, _whole_lines(key, stretches)):
            if isinstance(found, LongLine):
                block.long.append(found)
            else:
                block.add(found)
            # Behind a line that was left out the object's lines do not go on without a gap: they are another block's.
            if block.size >= size or block.long:
                yield block
                block = Block()
    if block.pieces:
        yield block


def _whole_lines(key: str, stretches: Iterable[bytes]) -> Iterator[Piece | LongLine]:
    rest, before, read = b"", 0, 0
    # Of a line that is too long and has not ended yet: how it begins, and its bytes so far.
    excerpt, skipped = b"", 0
    for stretch in stretches:
        read += len(stretch)
        ends = stretch.find(b"\n") + 1
        if len(rest) + skipped + (ends - 1 if ends else len(stretch)) > LINE_BYTES_MAX:
            excerpt = excerpt or (rest + stretch)[:EXCERPT_BYTES]
            skipped += len(rest) + (ends or len(stretch))
            rest = b""
            if not ends:
                continue
            before += 1
            stretch = stretch[ends:]
            yield LongLine(key, before, skipped - 1, excerpt, read - len(stretch))
            excerpt, skipped = b"", 0
        whole = stretch.rfind(b"\n") + 1
        content, rest = (rest + stretch[:whole], stretch[whole:]) if whole else (b"", rest + stretch)
        if content:
            yield Piece(key, content, before, read - len(rest))
            before += content.count(b"\n")
    if skipped:
        yield LongLine(key, before + 1, skipped, excerpt, read)
    elif rest:
        yield Piece(key, rest, before, read)


def _up_to_a_fault(key: str, parts: Iterable[Piece | LongLine]) -> Iterator[Piece | LongLine]:
    """What is read of an object, and behind it its rest where that cannot be read."""
    lines = end = 0
    try:
        for part in parts:
            lines = part.number if isinstance(part, LongLine) else part.before + part.content.count(b"\n")
            end = part.end
            yield part
    except UnreadableRecordError as error:
        yield LongLine(key, lines + 1, 0, b"", end, error.reason)
