"""What runs inside an inference container: loads a model's own script and answers requests over a pipe.

SageMaker's framework images serve HTTP on port 8080 and call the script's model_fn, input_fn, predict_fn and
output_fn (or transform_fn), with defaults where one is absent. Imitated: those functions and defaults, GET /ping
(the first frame), statuses 200, 415 and 500. Instead of HTTP, frames on a pair of pipes; whatever the script prints
goes to the log. This file runs as a program of its own and imports nothing of the account's.
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
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
GUIDE = "https://github.com/aws/sagemaker-python-sdk"


class UnsupportedFormatError(Exception):
    """The default functions know neither this content type nor this accept type."""


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


def default_input(body: bytes, content_type: str) -> Any:
    """Decode as the images do: CSV and JSON into numbers."""
    kind, text = content_type.split(";")[0].strip().lower(), body.decode("utf-8")
    if kind == JSON:
        return json.loads(text)
    if kind == JSON_LINES:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if kind == CSV:
        return [[float(value) for value in line.split(",")] for line in text.splitlines() if line.strip()]
    raise UnsupportedFormatError(f"Content type {content_type} is not supported by this framework.")


def default_predict(data: Any, model: Any) -> Any:
    """Ask the model."""
    return model.predict(data)


def default_output(prediction: Any, accept: str) -> tuple[str, str]:
    """Encode as the images do."""
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    kind = (accept or JSON).split(";")[0].strip().lower()
    if kind in (JSON, "*/*"):
        return json.dumps(values), JSON
    rows = values if isinstance(values, list | tuple) else [values]
    if kind == JSON_LINES:
        return "\n".join(json.dumps(row) for row in rows), JSON_LINES
    if kind == CSV:
        return "\n".join(",".join(map(str, row)) if isinstance(row, list | tuple) else str(row) for row in rows), CSV
    raise UnsupportedFormatError(f"Accept type {accept} is not supported by this framework.")


def load(model_dir: str, code_dir: str, program: str) -> Callable[[bytes, str, str], Any]:
    """Import the script, load the model, and return what answers one request."""
    sys.path.insert(0, code_dir)
    script = importlib.import_module(program.removesuffix(".py").replace("/", "."))
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

    def answer(body: bytes, content_type: str, accept: str) -> Any:
        return encode(predict(decode(body, content_type), model), accept)

    return answer


def respond(answer: Callable[[bytes, str, str], Any], body: bytes, content_type: str, accept: str) -> bytes:
    """Answer one request as a frame; what the script raises becomes its status."""
    began = time.perf_counter()
    try:
        result = answer(body, content_type, accept)
        result, kind = result if isinstance(result, tuple) else (result, accept or content_type)
        status, out = 200, result.encode() if isinstance(result, str) else bytes(result)
    except UnsupportedFormatError as error:
        status, kind, out = 415, JSON, str(error).encode()
    except Exception as error:  # whatever the script raised: the image answers 500 and logs it
        traceback.print_exc()
        status, kind, out = 500, JSON, (str(error) or type(error).__name__).encode()
    spent = int((time.perf_counter() - began) * 1e6)
    named = kind.encode()
    return ANSWER.pack(status, spent, len(named), len(out)) + named + out


def serve(requests: int, answers: int, answer: Callable[[bytes, str, str], Any]) -> None:
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
