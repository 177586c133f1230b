"""The product and its documents keep to plain English: turns of phrase that a reader has to solve do not come back."""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.synthesised import ROOT

ROOMS = ("app.py", "benchmarks", "cli", "demo", "kedge", "lambdas", "report", "stacks", "training")
DOCUMENTS = (
    "*.md",
    "docs/**/*.md",
    "training/*.md",
    "state_machines/*.json",
    "report/templates/*.html",
    "models/*.yaml",
)
# The CHANGELOG keeps what it said of earlier versions.
EXCEPT = {ROOT / "CHANGELOG.md"}
RIDDLES = {
    "so many": r"\bso many\b",
    "nobody can": r"\bnobody can\b",
    "for certain": r"\bfor certain\b",
    "is asked for": r"\b(?:is|are|was|were|be|been) asked for\b",
    "comes out of": r"\b(?:come|comes|came|coming) out of\b",
    "all the same": r"\ball the same(?=[,.;:]|\s*$| to\b| because\b)",
    "of which": r"\bof which\b",
    "what X says of Y": r"\bwhat\b[^.;:]{0,60}\b(?:say|says|said) of\b",
    "lets expect": r"\blets?\b(?: \w+){0,3} expect\b",
    "not which": r"\bnot which\b",
}


@functools.cache
def written(place: Path) -> tuple[str, ...]:
    """What people read in a file: whole comments, strings and docstrings of Python, all of any other text."""
    return tuple(_written(place))


def _written(place: Path) -> Iterator[str]:
    text = place.read_text(encoding="utf-8")
    if place.suffix != ".py":
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    comments, last = "", 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield comments
                comments = ""
            comments, last = f"{comments} {token.string.lstrip('# ')}", token.start[0]
    yield comments


def riddles(text: str) -> list[str]:
    in_a_line = " ".join(text.split())
    return [name for name, turn in RIDDLES.items() if re.search(turn, in_a_line, flags=re.IGNORECASE)]


@pytest.mark.parametrize("room", [*ROOMS, *DOCUMENTS])
def test_nothing_that_people_read_is_a_riddle(room):
    inside = (
        [ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py") if room in ROOMS else ROOT.glob(room)
    )
    found = {
        str(path.relative_to(ROOT)): turns
        for path in inside
        if path not in EXCEPT and (turns := sorted({turn for text in written(path) for turn in riddles(text)}))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("sentence", "turn"),
    [
        ("At most so many\n    rows are read.", "so many"),
        ("records that nobody can read", "nobody can"),
        ("Quality is lost for certain.", "for certain"),
        ("a whole number is asked for", "is asked for"),
        ("The table that comes out of it.", "comes out of"),
        ("It serves all the same.", "all the same"),
        ("64 hours, a day of which waits", "of which"),
        ("What the labels say of it.", "what X says of Y"),
        ("what the answers alone let expect", "lets expect"),
        ("how many, not which", "not which"),
    ],
)
def test_each_turn_is_recognised(sentence, turn):
    assert riddles(sentence) == [turn]


def test_a_comment_is_read_over_its_lines(tmp_path):
    place = tmp_path / "a.py"
    place.write_text("# Rows are kept, so\n# many as fit.\nx = 1  # of\n", encoding="utf-8")
    assert [turn for text in written(place) for turn in riddles(text)] == ["so many"]


def test_plain_words_are_no_riddle():
    assert riddles("All the same rows; nobody asked for many; each of them, which is out of date, lets us wait.") == []


def test_a_document_that_code_names_is_in_the_repository():
    for place in (
        path for room in ROOMS for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
    ):
        named = {name for text in written(place) for name in re.findall(r"\b[A-Z]{3,}\.md\b", text)}
        assert not [name for name in named if not ((ROOT / name).exists() or (place.parent / name).exists())], place
