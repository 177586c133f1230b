"""Decisions are cited by their numbers: each number is one decision's."""

from tests.architecture.source_imports import ROOT


def test_each_decision_has_a_number_of_its_own_which_its_title_says():
    files = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    assert [path.read_text().split(".")[0] for path in files] == [f"# {number}" for number in numbers]
