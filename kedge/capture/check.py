"""Whether a container's captures can be read, and if not: what came, what was expected, and how to mend it. Never a value."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kedge.capture.source import source_of
from kedge.capture.texts import ANSWER, INPUT, decoded_text
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

SHAPE_CHARACTERS, TYPE_CHARACTERS = 32, 60
# What stands for what in a shape; punctuation stays, for it tells the format.
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")
_SIDES = {INPUT: "input", ANSWER: "answer"}
DENIED = "denied"


@dataclass(frozen=True)
class CaptureCheck:
    """What a sample of captured records holds.

    Attributes
    ----------
    records, unread : int
        Looked at, and of those not readable.
    fault : str
        What hinders most of the unreadable: "no answer" or "no input" was captured, "answer" or "input" cannot be read, or
        "record".
    reason : str
        Why one of them cannot be read.
    came : dict of str to dict
        Of one of those records by side: content type, encoding, and the shape of the first characters.
    expected, remedy : str
        What Kedge reads, and how to mend it.
    """

    records: int
    unread: int
    fault: str = ""
    reason: str = ""
    came: dict[str, dict[str, str]] | None = None
    expected: str = ""
    remedy: str = ""

    @property
    def readable(self) -> bool:
        """Whether at least half of the records can be read."""
        return 2 * self.unread <= self.records and self.fault != DENIED

    def to_json(self) -> dict[str, Any]:
        """The facts, as the timeline and the mail carry them."""
        return {
            "records": self.records,
            "unread": self.unread,
            "fault": self.fault,
            "reason": self.reason,
            "came": self.came,
            "expected": self.expected,
            "remedy": self.remedy,
        }


def denied(sentence: str) -> CaptureCheck:
    """What is said if S3 refuses to show the captures; the sentence names the remedy."""
    return CaptureCheck(0, 0, DENIED, remedy=f"{sentence}.", expected="To read where the endpoint captures to.")


def unread_file(reason: str) -> CaptureCheck:
    """A transform job whose files cannot be read at all, as a check tells it."""
    return CaptureCheck(
        1,
        1,
        "file",
        reason,
        expected="input and output of a completed transform job, named by its manifests, with a line of output for each of the input",
        remedy="The reason says what the next job should do otherwise; docs/adopt.md, Transform jobs, says what Kedge reads.",
    )


def check_captures(lines: Iterable[bytes], config: ModelConfig) -> CaptureCheck:
    """Look at some captured records as `profile_logs` will read them."""
    records, faults = 0, Counter[str]()
    examples: dict[str, tuple[bytes, str]] = {}
    for line in lines:
        records += 1
        try:
            source_of(config).rows(line, config)
        except UnreadableRecordError as error:
            fault = _fault(line, error.reason, config)
            faults[fault] += 1
            examples.setdefault(fault, (line, error.reason))
    if not faults:
        return CaptureCheck(records, 0)
    fault = faults.most_common(1)[0][0]
    line, reason = examples[fault]
    came = _came(line)
    return CaptureCheck(records, faults.total(), fault, reason, came, _expected(config), _remedy(fault, came))


def shape_of(text: str) -> str:
    """The first characters with 9 for numbers and a for words: what a text looks like, and nothing of what it says.

    >>> shape_of('{"score": 0.75}')
    '{"a": 9.9}'
    """
    shape = _LETTERS.sub("a", _DIGITS.sub("9", text[: 4 * SHAPE_CHARACTERS]))
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in shape[:SHAPE_CHARACTERS])


def _fault(line: bytes, reason: str, config: ModelConfig) -> str:
    sides = _sides(line)
    if sides is None:
        return "record"
    captured = {INPUT: config.capture.has_requests, ANSWER: config.capture.has_answers}
    for side, name in _SIDES.items():
        if not isinstance(sides.get(side), dict) and captured[side]:
            return f"no {name}"
    # The reasons name the side that they speak of; those of ids and times name none.
    if reason.startswith(INPUT) or "the input" in reason or "came in" in reason:
        return "input"
    if reason.startswith(ANSWER) or "answer" in reason or "came out" in reason:
        return "answer"
    return "record"


def _sides(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    capture = record.get("captureData") if isinstance(record, dict) else None
    return capture if isinstance(capture, dict) else None


def _came(line: bytes) -> dict[str, dict[str, str]]:
    sides = _sides(line) or {}
    return {name: _described(sides[side], side) for side, name in _SIDES.items() if isinstance(sides.get(side), dict)}


def _described(block: dict[str, Any], side: str) -> dict[str, str]:
    data, encoding = block.get("data"), str(block.get("encoding", "BASE64"))
    try:
        text = decoded_text(data, side) if encoding == "BASE64" and isinstance(data, str) else data
        shape = shape_of(text) if isinstance(text, str) else "not text"
    except UnreadableRecordError as error:
        # Its reason names the format, and no value.
        shape = error.reason.removeprefix(f"{side} is ")
    kind = re.sub(r"[^\w/+.;= -]", "?", str(block.get("observedContentType") or "none"))
    return {"content_type": kind[:TYPE_CHARACTERS], "encoding": encoding[:TYPE_CHARACTERS], "shape": shape}


def _expected(config: ModelConfig) -> str:
    if not config.capture.has_answers:
        return (
            f"a request with {len(config.features)} values a row, in the order of the YAML's features, as CSV or JSON"
        )
    field = config.prediction.field
    if field is None and config.endpoint.answer_places == (None, None) and not config.endpoint.has_answer_path:
        where = "the prediction has a usual name (prediction, predicted_label, score, probabilities), or stands first"
    elif isinstance(field, str):
        where = f"its field {field!r} is the prediction"
    else:
        where = "the prediction stands where the YAML says"
    if not config.capture.has_requests:
        return f"an answer a row, as CSV or JSON; {where}"
    return (
        f"a request with {len(config.features)} values a row, in the order of the YAML's features, as CSV or JSON (by name also in "
        f"another order); an answer a row, as CSV or JSON; {where}"
    )


def _remedy(fault: str, came: dict[str, dict[str, str]]) -> str:
    if fault.startswith("no "):
        mode = "Output" if fault == "no answer" else "Input"
        return (
            f'The endpoint config captures one side only: add {{"CaptureMode": "{mode}"}} to its CaptureOptions. Configs that a '
            "release of Kedge makes capture both. To watch a model by one side alone, adopt its endpoint anew (capture.mode)."
        )
    if fault == "answer":
        kind = came.get("answer", {}).get("content_type", "")
        bare = (
            "The container answers text/html: output_fn returned text or bytes without a type. "
            if "html" in kind
            else ""
        )
        return (
            f"{bare}Let output_fn return (body, accept), with a body of CSV or JSON, one answer a row, or say where the answer stands "
            "(endpoint.inference_attribute, endpoint.probability_attribute) in the model's YAML; then release the package again."
        )
    if fault == "input":
        return (
            "Let clients send CSV or JSON, or correct the features in the model's YAML, or say there where they stand "
            "(endpoint.features_attribute, endpoint.header, endpoint.exclude_features_attribute), and deploy."
        )
    return "The records are not as Data Capture writes them: look at one below the capture prefix. Does something else write there?"
