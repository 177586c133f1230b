"""What Kedge stores and reads again later, perhaps with another version of itself: the one reader of versions.

A field may be added to a form without a new version: who reads passes over what it does not know, and takes a default for what
is not there. A new version is for what code of before would misread, a new oldest one for what code of now cannot read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from kedge.errors import EncodingError

T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """A kind of stored thing.

    Attributes
    ----------
    name : str
        What people call it.
    remedy : str
        What a person does about one that cannot be read.
    version, oldest : int
        The version that is written, and the oldest that is read. What says no version is of version 1.
    """

    name: str
    remedy: str
    version: int = 1
    oldest: int = 1

    def marked(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The data with the version of now.

        >>> Form("note", "").marked({"a": 1})
        {'a': 1, 'version': 1}
        """
        return {**data, "version": self.version}

    def read(self, data: Mapping[str, Any], build: Callable[[Mapping[str, Any]], T]) -> T:
        """What `build` makes of the data; an `EncodingError` where its version, or its shape, is none that is read.

        >>> Form("note", "").read({"a": 1}, lambda data: data["a"])
        1
        >>> Form("note", "write it again", 2, 2).read({}, lambda data: data["a"])
        Traceback (most recent call last):
        kedge.errors.EncodingError: this is a note of version 1, not a note of version 2: the note must be rebuilt; write it again
        """
        version = data.get("version", 1)
        if not (isinstance(version, int) and self.oldest <= version <= self.version):
            newer = isinstance(version, int) and version > self.version
            found = f"a {self.name} of version {version}"
            raise self.unreadable(found, before="deploy the newer Kedge that wrote it, or " if newer else "")
        try:
            return build(data)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self.unreadable(f"a {self.name} that lacks something ({type(error).__name__}: {error})") from error

    def read_json(self, content: bytes, build: Callable[[Mapping[str, Any]], T]) -> T:
        """What `build` makes of a JSON object's text; raises as `read` does."""
        try:
            data = json.loads(content)
        except ValueError as error:
            raise self.incomplete() from error
        if not isinstance(data, dict):
            raise self.incomplete()
        return self.read(data, build)

    def incomplete(self) -> EncodingError:
        """The error of what cannot be taken apart at all."""
        return self.unreadable("no complete file of Kedge's")

    def unreadable(self, found: str, *, before: str = "") -> EncodingError:
        """The error of something else in its place; `before` is what may be done in place of the remedy."""
        versions = str(self.version) if self.oldest == self.version else f"{self.oldest} to {self.version}"
        expected = f"a {self.name} of version {versions}"
        return EncodingError(what=self.name, found=found, expected=expected, remedy=before + self.remedy)


def build(kind: type[T], data: Mapping[str, Any]) -> T:
    """A dataclass from the fields that it knows; the others are passed over, and absent ones have their default.

    >>> build(Form, {"name": "note", "remedy": "", "added_later": 1}).version
    1
    """
    return kind(**known(kind, data))


def known(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that the data holds."""
    return {field.name: data[field.name] for field in fields(kind) if field.name in data}


_RETRAIN = "retrain the model (kedge retrain) and release the new package"
# 2: sums per cell behind a number's counters, hashes of rare levels, importance and design effects.
BASELINE = Form("baseline", _RETRAIN, 2, 2)
# 3: each hour's counts by themselves. 4 of a day: the objects that are counted by their hashes.
PROFILE = Form("profile", "count its day again: delete the day's profile", 3, 2)
DAY = Form("day", "delete it: the next run counts the day's captures again", 4, 2)
SLICES = Form("slices", _RETRAIN, 2, 2)
REFERENCE = Form("reference", _RETRAIN)
SCHEMA = Form("schema", _RETRAIN)
LEDGER = Form("ledger of label files", "delete it: the next run reads the label files again")
LABEL_DAY = Form("label day", "delete it with the ledger of label files: the next run reads the label files again")
RINGING = Form("list of models that ring", "delete it: what rings is told again at the next look")
QUALITY = Form("performance report", "delete it: the next run measures the window again")
# Those of packed arrays, by the kind that stands in their header.
PACKED = {form.name: form for form in (BASELINE, PROFILE, DAY, SLICES)}
