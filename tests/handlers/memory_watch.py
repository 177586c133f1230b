"""Run a real handler in a process of its own, against S3 and the rest in another, and read how much memory it took.

The peak of the resident set is measured (VmHWM in /proc/self/status), because that is what Lambda counts and kills for. RLIMIT_AS would
count addresses: Arrow's allocator and the threads' stacks reserve far more of them than they ever use. `ru_maxrss` would not do either:
a process inherits it from the one that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.s3.models import FakeKey
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]
LARGE_BYTES = 64 << 20
_RUN = """
import importlib, json, sys, time
from collections import Counter
from types import SimpleNamespace
from botocore.client import BaseClient
calls, read, written, make = Counter(), [], [], BaseClient._make_api_call
def counting(client, operation, params):
    call = f"{client.meta.service_model.service_name} {operation}"
    calls[call] += 1
    if operation == "GetMetricData":
        calls[f"{call} metric"] += len(params["MetricDataQueries"])
    if operation == "BatchGetItem":
        calls[f"{call} item"] += sum(len(of_table["Keys"]) for of_table in params["RequestItems"].values())
    if operation == "PutObject" and isinstance(params.get("Body"), bytes):  # botocore makes a file of it
        written.append((params["Key"].partition("/")[0], len(params["Body"])))
    answer = make(client, operation, params)
    if operation == "GetObject":
        read.append((params["Key"].partition("/")[0], answer["ContentLength"]))
    return answer
BaseClient._make_api_call = counting
def by_folder(sizes):
    return {top: sum(size for name, size in sizes if name == top) for top, _ in sizes}
name, event, seconds = sys.argv[1], json.load(sys.stdin), float(sys.argv[2])
handler, ends = importlib.import_module(f"lambdas.handlers.{name}").handler, time.monotonic() + seconds
class NoPandas:  # pyarrow would import it with the first list
    def find_spec(name, path=None, target=None):
        # What stands in the layer with it may have it.
        if name == "pandas" and "awswrangler" not in sys.modules:
            raise ModuleNotFoundError(name)
if "pandas" not in sys.modules:
    sys.meta_path.insert(0, NoPandas)
context = SimpleNamespace(function_name=name, memory_limit_in_mb=2048, aws_request_id="1",
    invoked_function_arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
    get_remaining_time_in_millis=lambda: int((ends - time.monotonic()) * 1000))
started, error, answer = time.process_time(), None, None
try:
    answer = handler(event, context)
except Exception as failed:
    error = f"{type(failed).__name__}: {failed}"
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"mib": int(peak.split()[1]) / 1024, "start_cpu_s": started, "cpu_s": time.process_time() - started,
    "calls": calls, "read_bytes": by_folder(read), "written_bytes": by_folder(written),
    "answer": answer, "error": error}))
"""


@contextmanager
def endpoint(monkeypatch: Any) -> Iterator[None]:
    """Serve the account that a test has arranged, so that what it holds is not in the handler's memory."""
    monkeypatch.setattr(FakeKey, "value", property(_content, _keep))
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        monkeypatch.setenv("KEDGE_TEST_ENDPOINT", f"http://127.0.0.1:{port}")
        yield
    finally:
        server.stop()


def _content(key: FakeKey) -> bytes:
    # moto reads the whole object from its file for each range of it: 500 MB for each 8 MiB.
    if key.contentsize < LARGE_BYTES:
        return _value.fget(key)
    if "kept" not in vars(key):
        key.kept = _value.fget(key)
    return key.kept


def _keep(key: FakeKey, content: bytes) -> None:
    vars(key).pop("kept", None)
    _value.fset(key, content)


_value = FakeKey.value


def run_apart(handler: str, event: dict[str, Any], *, seconds: float = 600, code: Path = ROOT) -> dict[str, Any]:
    """Run a handler as Lambda would, from the repository or a function's own code; return its peak in MiB, its answer or error, and its work.

    The CPU seconds are those of the start (Python and the imports) and of the handler; the calls are counted by service and operation.
    Of a call that AWS bills by its parts these are counted besides: "dynamodb BatchGetItem item", "cloudwatch GetMetricData metric".
    As on Lambda, pandas is there only for a handler that imports it, or awswrangler when it needs that, and byte-code is there for all.
    """
    done = subprocess.run(
        [sys.executable, "-c", _RUN, handler, str(seconds)],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
        cwd=code,
        env=os.environ
        | {
            "PYTHONPATH": str(code),
            "PYTHONDONTWRITEBYTECODE": "",
            "AWS_ENDPOINT_URL": os.environ["KEDGE_TEST_ENDPOINT"],
            # Nobody asks it: that it is there is what makes the process a function's.
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        },
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
