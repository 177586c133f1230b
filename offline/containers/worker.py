"""What runs inside an inference container: loads a model's own script and answers requests over a pipe.

SageMaker's framework images serve HTTP on port 8080 and call the script's model_fn, input_fn, predict_fn and
output_fn (or transform_fn), with defaults where one is absent. Imitated: those functions and defaults, GET /ping
(the first frame), statuses 200, 406, 415 and 500, and the toolkit's content types: a script that returns bare text or
bytes answers text/html, one that returns (body, type) answers that type; Accept is application/json where the client
names none. NPY is not imitated. Instead of HTTP, frames on a pair of pipes; whatever the script prints
goes to the log. This file runs as a program of its own, under any image's Python, and imports nothing of the account's.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

REQUEST = struct.Struct("<III")  # lengths of content type, accept, body
ANSWER = struct.Struct("<HIII")  # status, microseconds spent, lengths of content type and body
CSV, JSON = "text/csv", "application/json"
HTML = "text/html"  # Flask's own, where nobody names a type
DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
GUIDE = "https://github.com/aws/sagemaker-python-sdk"


class UnsupportedFormatError(Exception):
    """The default functions know neither this content type nor this accept type."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(f"Content type {kind} is not supported by this framework.")
        self.status = status


def read_exactly(descriptor: int, length: int) -> bytes:
    """Read so many bytes, or raise EOFError where the other side is gone."""
    data = os.read(descriptor, length) if length else b""
    if len(data) == length:
        return data
    parts, missing = [data], length - len(data)
    while missing:
        if not data:
            raise EOFError
        data = os.read(descriptor, missing)
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def default_input(body: str | bytes, content_type: str) -> Any:
    """Decode as the toolkit does: CSV and JSON into numbers, and no type with parameters."""
    if content_type == JSON:
        return json.loads(body)
    if content_type == CSV:
        lines = body.splitlines() if isinstance(body, str) else body.decode().splitlines()
        return [[float(value) for value in line.split(",")] for line in lines if line.strip()]
    raise UnsupportedFormatError(content_type, 415)


def default_predict(data: Any, model: Any) -> Any:
    """Ask the model."""
    return model.predict(data)


def default_output(prediction: Any, accept: str) -> tuple[str, str]:
    """Encode as the toolkit does."""
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == JSON:
        return json.dumps(values), JSON
    if accept == CSV:
        rows = [row if isinstance(row, (list, tuple)) else [row] for row in values]
        return "".join(",".join(map(str, row)) + "\n" for row in rows), CSV
    raise UnsupportedFormatError(accept, 406)


def load(model_dir: str, code_dir: str, program: str) -> Callable[[str | bytes, str, str], Any]:
    """Import the script, load the model, and return what answers one request."""
    sys.path.insert(0, code_dir)
    script = importlib.import_module(os.path.splitext(program)[0].replace("/", "."))
    model_fn = getattr(script, "model_fn", None)
    if model_fn is None:
        raise NotImplementedError(
            f"Please provide a model_fn implementation. See documentation for model_fn at {GUIDE}"
        )
    model = model_fn(model_dir)
    if whole := getattr(script, "transform_fn", None):
        return lambda body, content_type, accept: whole(model, body, content_type, accept)
    decode = getattr(script, "input_fn", default_input)
    predict = getattr(script, "predict_fn", default_predict)
    encode = getattr(script, "output_fn", default_output)

    def answer(body: str | bytes, content_type: str, accept: str) -> Any:
        return encode(predict(decode(body, content_type), model), accept)

    return answer


def given_to_script(body: bytes, content_type: str) -> str | bytes:
    """Only these two types, written exactly so, reach a script as text."""
    return body.decode() if content_type in (CSV, JSON) else body


def named(kind: str) -> str:
    """A content type as Flask sends it: text goes with its charset."""
    return f"{kind}; charset=utf-8" if kind.startswith("text/") and "charset" not in kind else kind


def respond(answer: Callable[[str | bytes, str, str], Any], body: bytes, content_type: str, accept: str) -> bytes:
    """Answer one request as a frame; what the script raises becomes its status."""
    began = time.perf_counter()
    content_type = content_type or JSON
    if accept in ("", "*/*"):
        accept = os.environ.get(DEFAULT_ACCEPT, JSON)
    try:
        result = answer(given_to_script(body, content_type), content_type, accept)
        result, kind = result if isinstance(result, tuple) else (result, HTML)
        status, out = 200, result.encode() if isinstance(result, str) else bytes(result)
    except UnsupportedFormatError as error:
        status, kind, out = error.status, JSON, str(error).encode()
    except Exception as error:  # whatever the script raised: the image answers 500 and logs it
        traceback.print_exc()
        # An algorithm of SageMaker's says its status.
        status, kind, out = getattr(error, "status_of_image", 500), JSON, (str(error) or type(error).__name__).encode()
    spent = int((time.perf_counter() - began) * 1e6)
    header = named(kind).encode()
    return ANSWER.pack(status, spent, len(header), len(out)) + header + out


def serve(requests: int, answers: int, answer: Callable[[str | bytes, str, str], Any]) -> None:
    """Answer until the account hangs up."""
    while True:
        try:
            type_length, accept_length, body_length = REQUEST.unpack(read_exactly(requests, REQUEST.size))
            frame = read_exactly(requests, type_length + accept_length + body_length)
        except EOFError:
            return
        content_type = frame[:type_length].decode()
        accept = frame[type_length : type_length + accept_length].decode()
        write_all(answers, respond(answer, frame[type_length + accept_length :], content_type, accept))


def main() -> None:
    """Say whether the model loads, then serve it."""
    model_dir, code_dir, program = sys.argv[1:4]
    requests, answers = os.dup(0), os.dup(1)
    # The script's own prints must not get between the frames.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        answer = load(model_dir, code_dir, program)
    except BaseException as error:  # the ping fails, whatever it was
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}".encode()
        write_all(answers, ANSWER.pack(500, 0, 0, len(message)) + message)
        return
    write_all(answers, ANSWER.pack(200, 0, 0, 0))
    serve(requests, answers, answer)


if __name__ == "__main__":
    main()
