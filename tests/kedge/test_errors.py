import copy
import pickle
from collections.abc import Iterator

import pytest

from kedge import errors
from kedge.errors import KedgeError, ModelConfigError


def kinds(root: type[KedgeError]) -> Iterator[type[KedgeError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", [kind for kind in kinds(KedgeError) if kind.__module__ == errors.__name__])
def test_every_error_comes_back_from_another_process(kind: type[KedgeError]) -> None:
    raised = kind.__new__(kind, "what happened")
    raised.fact = 3  # type: ignore[attr-defined]  # each has facts of its own
    found = pickle.loads(pickle.dumps(raised))  # noqa: S301  # made on the line itself
    assert (type(found), str(found), found.__dict__) == (kind, "what happened", {"fact": 3})


def test_a_copy_of_an_error_says_the_same_and_holds_its_facts() -> None:
    raised = ModelConfigError(source="a.yaml", problems=["one", "two"])
    found = copy.copy(raised)
    assert (str(found), found.source, found.problems) == ("a.yaml: one; two", "a.yaml", ["one", "two"])
