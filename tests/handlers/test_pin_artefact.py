"""pin_artefact keeps what a training job wrote where no job can write, with the digest that S3 computed."""

import base64
import hashlib

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from kedge.errors import UnfinishedTrainingError, UnreadableArtefactError
from lambdas.adapters.training import artefacts
from lambdas.handlers.pin_artefact import handler
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, aws_world

TRAINED = f"trained/{MODEL}/run-1/run-1-0/output/model.tar.gz"
PINNED = f"artefacts/{MODEL}/run-1-0/model.tar.gz"
EVENT = {"model": MODEL, "run": "run-1", "job": "run-1-0", "artefact_uri": f"s3://{BUCKET}/{TRAINED}"}
MIB = 1 << 20


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_the_artefact_is_copied_and_its_digest_is_that_of_its_content(world):
    world.put(TRAINED, b"weights")
    assert handler(EVENT, CONTEXT) == {"uri": f"s3://{BUCKET}/{PINNED}", "sha256": sha256(b"weights"), "bytes": 7}
    assert world.read(PINNED) == b"weights"


def test_a_second_attempt_keeps_the_first_copy_whatever_the_job_wrote_since(world):
    world.put(TRAINED, b"weights")
    first = handler(EVENT, CONTEXT)
    world.put(TRAINED, b"a backdoor")
    assert handler(EVENT, CONTEXT) == first
    assert world.read(PINNED) == b"weights"


def test_a_job_that_wrote_nothing_is_an_error(world):
    with pytest.raises(ClientError):
        handler(EVENT, CONTEXT)
    assert world.keys("artefacts/") == []


def test_somebody_elses_artefact_that_is_out_of_reach_is_refused_with_the_remedy(world):
    with pytest.raises(UnreadableArtefactError, match=r"s3://theirs/model\.tar\.gz.*package_buckets"):
        handler(EVENT | {"artefact_uri": "s3://theirs/model.tar.gz"}, CONTEXT)


def test_what_kedge_did_not_train_is_not_noted_for_another_run(world):
    world.put(TRAINED, b"weights")
    uses = {"inputs": "", "trained_by": "run-1", "execution": "arn"}
    handler(EVENT | {"uses": uses}, CONTEXT)
    assert world.keys("artefacts/") == [PINNED]


def test_a_job_whose_time_was_over_is_refused_whatever_it_left(world):
    world.put(TRAINED, b"half of the weights")
    with pytest.raises(UnfinishedTrainingError, match=r"run-1-0 ended as Stopped.*max_wait_seconds"):
        handler(EVENT | {"status": "Stopped"}, CONTEXT)
    assert world.keys("artefacts/") == []


def test_a_large_artefact_is_copied_in_parts_and_its_digest_is_that_of_the_parts(world):
    content = bytes(range(256)) * (11 * MIB // 256)
    world.put(TRAINED, content)
    small = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    found = artefacts.pin(world.s3, BUCKET, source_uri=EVENT["artefact_uri"], key=PINNED, copying=small)
    parts = [content[start : start + 5 * MIB] for start in range(0, len(content), 5 * MIB)]
    joined = b"".join(hashlib.sha256(part).digest() for part in parts)
    # S3 appends the number of parts, which moto leaves out.
    assert found.partition("-")[0] == sha256(joined)
    assert world.read(PINNED) == content
    artefacts.require_unchanged(world.s3, f"s3://{BUCKET}/{PINNED}", found)
