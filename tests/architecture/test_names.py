"""A name says whose a thing is: no two classes of the product share one."""

import ast
from collections import defaultdict
from itertools import chain

from tests.architecture.source_imports import ROOT, sources

PRODUCT = ("kedge", "lambdas", "cli", "report", "stacks")
# Each function has its own environment and event, and no file imports those of another.
ONE_A_HANDLER = {"Settings", "Request"}


def places_of_classes():
    found = defaultdict(list)
    for path in chain.from_iterable(map(sources, PRODUCT)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_no_two_classes_have_one_name():
    doubled = {name: places for name, places in places_of_classes().items() if len(places) > 1}
    assert {name: places for name, places in doubled.items() if name not in ONE_A_HANDLER} == {}


def test_what_each_handler_has_of_its_own_stays_in_handlers():
    found = places_of_classes()
    for name in ONE_A_HANDLER:
        elsewhere = [place for place in found[name] if not place.startswith("lambdas/handlers/")]
        assert elsewhere == (["lambdas/settings.py"] if name == "Settings" else [])
