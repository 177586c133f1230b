"""`python -m benchmarks.cost.objects OBJECTS`: a look through a day with that number of capture objects, all of them counted.

S3's listings are made up, so that no other process has to hold the objects; botocore reads them as it reads S3's. What making them
up costs is not counted.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from time import process_time, thread_time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSResponse

from kedge.config.capture_place import CapturePlace
from kedge.profile.counted_objects import KnownObjects, decode_objects, hash_objects
from lambdas.adapters import clients
from lambdas.steps.counting.day_look import DayLook, Folder

DAY = "capture/hotel-cancellations/1/hotel-cancellations/AllTraffic/2016/01/03/"
PAGE = 1_000


class MadeUp:
    """A bucket with these objects, spread over the hours of a day."""

    def __init__(self, objects: int) -> None:
        self.objects, self.cpu_seconds = objects, list[float]()

    def item(self, number: int) -> tuple[str, str]:
        """Key and ETag of an object; keys are in the order of their numbers."""
        hour = number * 24 // self.objects
        return f"{DAY}{hour:02}/{number:012}-5a0e7b4e-1f2c-4c55-9f7e.jsonl", f'"{number:032x}"'

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        """A page, as S3 writes it."""
        begun = thread_time()
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        after = asked.get("start-after", "")
        first = int(asked.get("continuation-token") or self._behind(after))
        last = min(first + PAGE, self.objects)
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2016-01-03T00:00:00.000Z</LastModified><ETag>&quot;{etag[1:-1]}&quot;</ETag>"
            "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
            "<Size>3000</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, etag in map(self.item, range(first, last))
        )
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < self.objects else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}<EncodingType>url</EncodingType>"
            f"<KeyCount>{last - first}</KeyCount>{items}</ListBucketResult>"
        )
        self.cpu_seconds.append(thread_time() - begun)
        return AWSResponse(request.url, 200, {}, _Raw(text.encode()))

    def _behind(self, key: str) -> int:
        name = key.removeprefix(DAY)
        if "-" in name:
            return int(name[3:15]) + 1
        return -(-int(name[:2]) * self.objects // 24) if name else 0


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        """The content, as urllib3 hands it on."""
        yield self.read()


def look(objects: int, hashes: Path) -> dict[str, Any]:
    """Look through them in this process: peak of its memory, CPU seconds and listings."""
    bucket, s3 = MadeUp(objects), clients.s3()
    s3.meta.events.register("before-send.s3.ListObjectsV2", bucket.answer)
    # The function that looks: what it imports is there too.
    import_module("lambdas.handlers.profile_logs")
    before, begun = _peak_mib(), process_time()
    known = KnownObjects([decode_objects(hashes.read_bytes())])
    found = DayLook(
        [Folder(CapturePlace("data", ""), DAY, ".jsonl")], known, lambda _: True, only_gains=False, after=""
    )
    new = sum(1 for _ in found.new())
    return {
        "objects": objects,
        "new": new,
        "is_stale": found.is_stale,
        "listings": len(bucket.cpu_seconds),
        "cpu_s": round(process_time() - begun - sum(bucket.cpu_seconds), 1),
        "mib": round(_peak_mib()),
        "mib_before": round(before),
    }


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(objects: int) -> dict[str, Any]:
    """The same in a process of its own."""
    bucket = MadeUp(objects)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hashes"
        path.write_bytes(hash_objects(map(bucket.item, range(objects))).tobytes())
        done = subprocess.run(  # noqa: S603  # this module
            [sys.executable, "-m", "benchmarks.cost.objects", str(objects), str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_DEFAULT_REGION": "eu-west-1"}
    os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:9001"
    given = int(sys.argv[1])
    print(json.dumps(look(given, Path(sys.argv[2])) if len(sys.argv) == 3 else measure(given)))
