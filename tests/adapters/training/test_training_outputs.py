"""Single members of a training job's output archive."""

import gzip
import io
import tarfile
import tracemalloc
import zlib
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from kedge.drift.importance import LARGEST_BYTES
from kedge.errors import UnreadableImportanceError
from lambdas.adapters.training.training_outputs import load_importance

ARTEFACT = "s3://kedge/retraining/m/run/output/job/output/model.tar.gz"
KEY = "retraining/m/run/output/job/output/output.tar.gz"


@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="kedge")
        yield client


def archive(**members: bytes) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as made:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


def put(s3, body: bytes) -> None:
    s3.put_object(Bucket="kedge", Key=KEY, Body=body)


@pytest.mark.parametrize("name", ["importance.json", "./importance.json", "data/importance.json"])
def test_the_file_is_found_among_others_and_read_alone(s3, name):
    put(s3, archive(**{"plots/a.png": b"x" * 9999, name: b'{"adr": 1}', "z.bin": b"y"}))
    assert load_importance(s3, ARTEFACT) == b'{"adr": 1}'


def test_a_job_that_left_nothing_has_no_archive(s3):
    assert load_importance(s3, ARTEFACT) is None


def test_an_archive_without_the_file_has_none(s3):
    put(s3, archive(**{"notes.txt": b"hello"}))
    assert load_importance(s3, ARTEFACT) is None


def test_a_link_of_that_name_is_not_followed(s3):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as made:
        entry = tarfile.TarInfo("importance.json")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(entry)
    put(s3, sink.getvalue())
    assert load_importance(s3, ARTEFACT) is None


@pytest.mark.parametrize(
    "body",
    [b"no archive at all", archive(**{"importance.json": b"{}" * 5000})[:40], gzip.compress(b"text" * 200, mtime=0)],
    ids=["no archive", "cut short", "text"],
)
def test_a_broken_archive_is_named(s3, body):
    put(s3, body)
    with pytest.raises(UnreadableImportanceError, match="no complete archive"):
        load_importance(s3, ARTEFACT)


def test_a_file_too_large_is_read_no_further_than_needed_to_see_that(s3):
    put(s3, archive(**{"importance.json": b" " * (4 * LARGEST_BYTES)}))
    assert len(load_importance(s3, ARTEFACT)) == LARGEST_BYTES + 1


def test_what_lies_behind_too_much_is_not_looked_for(s3):
    put(s3, archive(**{"checkpoint.bin": b"0" * 50_000, "importance.json": b"{}"}))
    assert load_importance(s3, ARTEFACT, searched_bytes=20_000) is None
    assert load_importance(s3, ARTEFACT) == b"{}"


class Endless:
    """An archive that is made while it is read: its first member is a name of so many zeros."""

    def __init__(self, name_bytes: int) -> None:
        self.packer, self.left, self.packed = zlib.compressobj(1, wbits=31), name_bytes, 0
        header = tarfile.TarInfo("././@LongLink")
        header.type, header.size = tarfile.GNUTYPE_LONGNAME, name_bytes
        self.held = self.packer.compress(header.tobuf(tarfile.GNU_FORMAT))

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "read whole"
        while not self.held and self.left > 0:
            self.held = self.packer.compress(bytes(min(self.left, 1 << 20)))
            self.left -= 1 << 20
        given, self.held = self.held[:size], self.held[size:]
        return given


def test_a_name_of_gigabytes_is_not_read():
    body = Endless(2_500_000_000)
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": body})
    tracemalloc.start()
    try:
        assert load_importance(s3, ARTEFACT) is None
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert body.left > 2_000_000_000


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_file_behind_a_long_name_is_found(s3, form):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz", format=form) as made:
        for name in ("plots/" + "x" * 300, "importance.json"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = 2, 1.5
            made.addfile(entry, io.BytesIO(b"{}"))
    put(s3, sink.getvalue())
    assert load_importance(s3, ARTEFACT) == b"{}"
