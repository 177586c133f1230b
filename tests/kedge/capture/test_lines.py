"""Objects of any size are read in blocks of whole lines: no line is lost, split or renumbered, wherever a stretch ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.capture import lines as capture_lines
from kedge.capture.lines import blocks

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"x")), max_size=12)


@pytest.fixture(autouse=True)
def _short_lines(monkeypatch):
    monkeypatch.setattr(capture_lines, "LINE_BYTES_MAX", 8)
    monkeypatch.setattr(capture_lines, "EXCERPT_BYTES", 3)


def stretches(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def numbered(objects: dict[str, list[bytes]], *, size: int, stretch: int) -> tuple[dict, dict]:
    """Every line that is read and every one that is left out, by object and number."""
    read, left = {}, {}
    for block in blocks(((key, stretches(b"\n".join(lines), stretch)) for key, lines in objects.items()), size):
        for piece in block.pieces:
            lines = piece.content.removesuffix(b"\n").split(b"\n")
            read |= {(piece.key, piece.before + place): line for place, line in enumerate(lines, 1)}
        left |= {(line.key, line.number): (line.size, line.excerpt) for line in block.long}
    return read, left


@given(objects=st.lists(LINES, max_size=4), size=st.integers(1, 40), stretch=st.integers(1, 8))
def test_each_line_is_read_once_under_its_number_and_a_long_one_is_left_out(objects, size, stretch):
    named = {str(place): lines for place, lines in enumerate(objects)}
    every = {(key, number): line for key, lines in named.items() for number, line in enumerate(lines, 1)}
    read, left = numbered(named, size=size, stretch=stretch)
    # The last line of an object may be empty: then it is none.
    assert {place: line for place, line in read.items() if line} == {
        place: line for place, line in every.items() if 0 < len(line) <= 8
    }
    assert left == {place: (len(line), line[:3]) for place, line in every.items() if len(line) > 8}


def test_no_block_is_much_larger_than_asked_for():
    content = b"\n".join([b"1234567"] * 100)
    found = list(blocks([("a", stretches(content, 8)), ("b", stretches(content, 8))], 40))
    assert max(len(piece.content) for block in found for piece in block.pieces) < 40 + 2 * 8
    assert found[0].pieces[0].end == len(found[0].pieces[0].content)
