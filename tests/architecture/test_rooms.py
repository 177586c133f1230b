"""The rooms of the house: who may import whom, no circle, few storeys, faces that are light."""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from itertools import chain

import pytest

from tests.architecture.source_imports import ROOMS, ROOT, imports, module_file, sources

# Which rooms of `kedge/` a room may import, beside the ground floor. A room stands above each that it names.
GROUND = {"errors", "severity", "intervals", "instants", "arrays", "own_columns", "stored"}
MAY_IMPORT = {
    "config": set(),
    "statistics": set(),
    "columns": {"config"},
    "comparisons": {"config"},
    # A stored thing: it stands above the reader of versions, which config does not need.
    "package_schema": {"config"},
    "profile": {"columns", "statistics"},
    "outcomes": {"columns", "comparisons", "config"},
    "capture": {"columns", "config", "outcomes", "profile"},
    "drift": {"columns", "comparisons", "config", "profile", "statistics"},
    "performance": {"columns", "comparisons", "config", "outcomes", "statistics"},
    "slices": {"columns", "comparisons", "config", "outcomes", "profile", "statistics"},
    "labels": {"capture", "columns", "comparisons", "config", "outcomes"},
    # Of performance only the verdicts, so that it stands below the room that judges them.
    "alerts": {"config", "drift", "performance"},
    "estimation": {"comparisons", "config", "outcomes", "performance"},
    # All that is known of a window's answers: what performance, estimation and slices find, put together and judged once.
    "quality": {"config", "estimation", "outcomes", "performance", "slices"},
    # The same counted by Athena: SQL that reads what those rooms read, and its answers as their counts.
    "window_sql": {
        "columns", "comparisons", "config", "estimation", "labels", "outcomes", "performance", "quality", "slices",
    },
    "gate": {"columns", "comparisons", "config", "performance", "slices"},
    "staging": {"comparisons", "config", "gate"},
    "model_monitor": {"columns", "config", "drift", "performance", "profile"},
    "release": {"columns", "comparisons", "config", "performance", "statistics"},
    "retraining": {
        "capture", "columns", "comparisons", "config", "drift", "labels", "outcomes", "package_schema", "performance", "profile",
        "statistics",
    },
    "history": {"alerts", "columns", "config"},
    "cost": {"config"},
    "backtest": {"alerts", "columns", "config", "drift", "performance", "profile", "quality", "retraining"},
}  # fmt: skip
STOREYS_MAX = 8
FILES_MAX = 20
# What a face may import: it says what its room knows, and a registry of small things may stand in it.
LIGHT = {"__future__", "collections", "typing", "numpy", "kedge"}


def room_of(module):
    return module.split(".")[1]


def kedge_rooms():
    """Each room of `kedge/` with the rooms that its files import."""
    found = {room: set() for room in (*GROUND, *MAY_IMPORT)}
    for path in sources("kedge"):
        here = path.relative_to(ROOT / "kedge").parts[0].removesuffix(".py")
        there = {room_of(name) for name in imports(path) if name.startswith("kedge.")}
        if here != "__init__":
            found.setdefault(here, set()).update(there - {here})
    return found


def test_each_room_of_kedge_imports_the_rooms_that_the_table_lets_it_import_and_no_others():
    for room, imported in kedge_rooms().items():
        assert imported - GROUND == MAY_IMPORT.get(room, set()), room


def test_kedge_has_few_storeys():
    rooms, storey = kedge_rooms(), {}
    for room in TopologicalSorter(rooms).static_order():
        storey[room] = 1 + max((storey[below] for below in rooms[room]), default=0)
    assert max(storey.values()) <= STOREYS_MAX


@pytest.mark.parametrize("room", ROOMS)
def test_no_files_import_each_other_in_a_circle(room):
    graph = {path: {file for name in imports(path) if (file := module_file(name))} - {path} for path in sources(room)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(str(path.relative_to(ROOT)) for path in circle.args[1]))


def test_no_folder_holds_more_files_than_a_person_takes_in_at_once():
    counted = Counter(path.parent for room in ROOMS for path in sources(room))
    # A list and not a room: one file for each deployed function, called like it.
    del counted[ROOT / "lambdas" / "handlers"]
    assert {str(folder): files for folder, files in counted.items() if files > FILES_MAX} == {}


def test_every_file_in_handlers_is_a_handler():
    for path in (ROOT / "lambdas" / "handlers").glob("*.py"):
        assert path.name == "__init__.py" or "\ndef handler(" in path.read_text(), path


def test_each_rooms_face_says_what_the_room_knows_and_imports_nothing_heavy():
    for face in chain.from_iterable((ROOT / room).rglob("__init__.py") for room in ROOMS):
        tree = ast.parse(face.read_text())
        assert ast.get_docstring(tree), face
        if face.is_relative_to(ROOT / "kedge") or face.is_relative_to(ROOT / "lambdas"):
            assert {name.split(".")[0] for name in imports(face)} <= LIGHT, face


@pytest.mark.parametrize("house", ["kedge", "lambdas", "lambdas/adapters", "lambdas/steps", "cli"])
def test_the_architecture_names_each_room(house):
    drawn = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    rooms = {path.parent.name for path in (ROOT / house).glob("*/__init__.py")}
    assert {room for room in rooms if f"{room}/" not in drawn} == set()
