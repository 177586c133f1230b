from dataclasses import dataclass

import pytest

from kedge.errors import EncodingError
from kedge.stored import Form, build

NOTE = Form("note", "write it again", version=3, oldest=2)


@dataclass(frozen=True)
class Note:
    text: str
    urgent: bool = False


def read(data):
    return NOTE.read(data, lambda found: build(Note, found))


def test_what_is_marked_is_read_with_fields_that_are_unknown_passed_over_and_absent_ones_at_their_default():
    assert read(NOTE.marked({"text": "a", "added_later": 1})) == Note("a")
    assert read({"text": "a", "urgent": True, "version": 2}) == Note("a", True)


@pytest.mark.parametrize("version", [1, 4, "3", None])
def test_another_version_is_refused_and_what_says_none_is_of_version_1(version):
    data = {"text": "a"} | ({} if version is None else {"version": version})
    with pytest.raises(
        EncodingError, match=r"not a note of version 2 to 3: the note must be rebuilt; .*write it again"
    ):
        read(data)


def test_a_newer_version_may_be_read_by_the_kedge_that_wrote_it():
    with pytest.raises(EncodingError, match="deploy the newer Kedge that wrote it, or write it again"):
        read({"text": "a", "version": 4})


@pytest.mark.parametrize(
    "error", [KeyError("a"), IndexError("a"), TypeError("a"), ValueError("a"), AttributeError("a")]
)
def test_what_cannot_be_built_is_refused_by_name_and_never_a_bare_error(error):
    def fails(_):
        raise error

    with pytest.raises(EncodingError, match=r"lacks something .* the note must be rebuilt") as refused:
        NOTE.read({"version": 3}, fails)
    assert str(refused.value.at("s3://b/k")).startswith("s3://b/k is a note that lacks something")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff"])
def test_what_is_no_object_of_json_is_refused(content):
    with pytest.raises(EncodingError, match="no complete file of Kedge's"):
        NOTE.read_json(content, dict)
