"""Whether a package is approved by as many people as its model wants: the registry has one status for all of them."""

from __future__ import annotations


def people_after(known: tuple[str, ...], *, person: str, is_new_word: bool) -> tuple[str, ...]:
    """Who has approved, once this word is heard.

    The same person twice is one person, and nobody is whoever SageMaker does not name. A second word is an approval that is given
    anew, with a comment of its own: a change of the package's metadata by another person is none.

    >>> people_after((), person="ann", is_new_word=True), people_after(("ann",), person="ben", is_new_word=True)
    (('ann',), ('ann', 'ben'))
    >>> people_after(("ann",), person="ann", is_new_word=True), people_after(("ann",), person="ben", is_new_word=False)
    (('ann',), ('ann',))
    >>> people_after((), person="", is_new_word=True)
    ()
    """
    return (*known, person) if person and is_new_word and person not in known else known


def what_is_missing(people: tuple[str, ...], wanted: int) -> str:
    """How many have approved, and who, in a sentence; empty if they are enough.

    >>> what_is_missing(("ann",), 2), what_is_missing(("ann", "ben"), 2)
    ('1 of 2 people has approved it: ann', '')
    >>> what_is_missing((), 2)
    '0 of 2 people have approved it: SageMaker does not say who changed its status'
    """
    if len(people) >= wanted:
        return ""
    if not people:
        return f"0 of {wanted} people have approved it: SageMaker does not say who changed its status"
    return f"{len(people)} of {wanted} people has approved it: {', '.join(people)}"
