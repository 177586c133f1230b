"""DataProcessing of transform jobs: which part of a record the model sees, and which part of the join is kept.

SageMaker's filters are a small JSONPath: over the columns of a CSV line (`$`, `$[0]`, `$[1:]`, `$[0,5]`, `$[:-1]`) or
over the fields of a JSON record (`$.features`, `$['id','SageMakerOutput']`, `$.rows[0:2]`). Imitated: those.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from offline.sagemaker.api import ValidationError

STEP = re.compile(r"\.(\w+)|\[([^\]]+)\]")
OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"
Step = Callable[[Any], Any]


class Joiner:
    """The filters and the join of one job."""

    def __init__(self, processing: Mapping[str, str], content_type: str, accept: str) -> None:
        self.joins = processing.get("JoinSource", "None") == "Input"
        self.is_csv, self.answers_csv = _is_csv(content_type), _is_csv(accept or content_type)
        self.input_steps = parse(processing.get("InputFilter", "$"))
        self.output_steps = parse(processing.get("OutputFilter", "$"))
        if self.joins and self.is_csv != self.answers_csv:
            raise ValidationError("JoinSource Input needs the same format for ContentType and Accept.")

    @property
    def needed(self) -> bool:
        """Tell whether answers have to be looked at line by line."""
        return self.joins or bool(self.output_steps)

    def filtered_input(self, record: bytes) -> bytes:
        """Return what the model sees of a record."""
        if not self.input_steps:
            return record
        if self.is_csv:
            return _line(_apply(self.input_steps, _cells(record)))
        return json.dumps(_apply(self.input_steps, json.loads(record))).encode()

    def joined(self, record: bytes, answer: bytes) -> bytes:
        """Return the line of the output: the record and its answer if they are joined, cut by the output filter."""
        if self.answers_csv:
            if self.joins and not self.output_steps:
                return record + b"," + answer
            cells = (_cells(record) if self.joins else []) + _cells(answer)
            return _line(_apply(self.output_steps, cells))
        document: Any = json.loads(answer)
        if self.joins:
            source = json.loads(record)
            source = source if isinstance(source, dict) else {INPUT: source}
            document = {**source, OUTPUT: document}
        return json.dumps(_apply(self.output_steps, document)).encode()


def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; `$` has none."""
    if not path.startswith("$"):
        raise ValidationError(f"The filter {path} must begin with $.")
    steps, position = [], 1
    while position < len(path):
        found = STEP.match(path, position)
        if found is None:
            raise ValidationError(f"The filter {path} is not a valid JSONPath expression.")
        steps.append(_field(found[1]) if found[1] else _bracket(found[2], path))
        position = found.end()
    return tuple(steps)


def _field(name: str) -> Step:
    return lambda value: value[name]


def _bracket(text: str, path: str) -> Step:
    parts = [part.strip() for part in text.split(",")]
    if all(part[0] in "'\"" and part[-1] == part[0] and len(part) > 1 for part in parts):
        names = [part[1:-1] for part in parts]
        if len(names) == 1:
            return _field(names[0])
        return lambda value: {name: value[name] for name in names}
    try:
        if len(parts) == 1 and ":" in parts[0]:
            bounds = slice(*(int(part) if part else None for part in parts[0].split(":")))
            return lambda value: value[bounds]
        numbers = [int(part) for part in parts]
    except ValueError:
        raise ValidationError(f"The filter {path} is not a valid JSONPath expression.") from None
    if len(numbers) == 1:
        return lambda value: value[numbers[0]]
    return lambda value: [value[number] for number in numbers]


def _apply(steps: tuple[Step, ...], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()]), [])


def _line(cells: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([cells] if isinstance(cells, str) else cells)
    return written.getvalue().encode()


def _is_csv(content_type: str) -> bool:
    return content_type.split(";")[0].strip().lower() == "text/csv"
