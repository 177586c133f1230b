"""A payload's rows, and the numbers that they become: training and serving share this file, so they cannot disagree."""

import csv
import io
import json
import math
import re
from datetime import datetime

import numpy as np

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "off"), 0.0),
}
SECONDS_PER_DAY = 86400
# Pythons before 3.11 read ISO 8601 only as they write it: three or six digits of a second, a zone as +01:00.
ISO_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?(?:Z|z|([+-]\d\d)(?::?(\d\d))?)?)?"
)


class UnsupportedContentError(ValueError):
    """A payload, or the content type that an answer should have, is neither CSV nor JSON."""


class RowShapeError(ValueError):
    """A row does not have one value for each of the model's features."""


class Encoder:
    """Columns of text become columns of numbers: a number is itself, a level its frozen code, anything else missing."""

    def __init__(self, features, classes=None):
        self.features = features
        self.classes = classes
        self.names = [feature["name"] for feature in features]
        self.feature_types = ["c" if feature["kind"] == "categorical" else "q" for feature in features]
        self._codes = [_level_codes(feature) for feature in features]

    @classmethod
    def learn(cls, rows, features, classes=None):
        """Freeze the levels that the training rows hold, in sorted order."""
        learnt = []
        for index, feature in enumerate(features):
            learnt.append({"name": feature["name"], "kind": feature["kind"]})
            if feature["kind"] == "categorical":
                texts = {_text(row[index]) for row in rows}
                learnt[-1]["levels"] = sorted(text for text in texts if text)
        return cls(learnt, classes)

    @classmethod
    def load(cls, path):
        """Read the encoder that training wrote beside the model."""
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        return cls(document["features"], document["classes"])

    def save(self, path):
        """Write the encoder as JSON, levels and all."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"features": self.features, "classes": self.classes}, file, indent=1, sort_keys=True)

    def encode(self, rows):
        """Rows of values, by name or in the features' order, as a matrix with NaN for the missing."""
        width = len(self.names)
        ordered = [[row.get(name) for name in self.names] if isinstance(row, dict) else row for row in rows]
        for row in ordered:
            if len(row) != width:
                raise RowShapeError(f"a row has {len(row)} values; the model takes {width}: {', '.join(self.names)}")
        matrix = np.empty((len(ordered), width), dtype=np.float32)
        for index, codes in enumerate(self._codes):
            if codes is None:
                read = _days if self.features[index]["kind"] == "timestamp" else _number
                matrix[:, index] = [read(row[index]) for row in ordered]
            else:
                matrix[:, index] = [codes.get(_text(row[index]), math.nan) for row in ordered]
        return matrix


def parse_rows(body, content_type):
    """Parse a payload into rows: lists in the features' order, or mappings by name."""
    text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    kind = _media_type(content_type)
    if kind == CSV:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    if kind == JSON:
        return _json_rows(json.loads(text))
    if kind == JSON_LINES:
        return [row for line in text.splitlines() if line.strip() for row in _json_rows(json.loads(line))]
    raise UnsupportedContentError(f"content type {content_type!r} is none of {CSV}, {JSON}, {JSON_LINES}")


def write_answers(answers, accept):
    """Write one line for each row in CSV, or `{"predictions": [...]}` in JSON, and say which: the container calls bare text HTML."""
    kind = _media_type(accept)
    if kind == JSON:
        return json.dumps({"predictions": answers}), JSON
    if kind == JSON_LINES:
        return "\n".join(json.dumps({"predictions": [answer]}) for answer in answers), JSON_LINES
    if kind in ("", CSV, "text/*", "*/*"):
        return "\n".join(_csv_line(answer) for answer in answers), CSV
    raise UnsupportedContentError(f"answer type {accept!r} is none of {CSV}, {JSON}, {JSON_LINES}")


def class_answers(probabilities, classes):
    """Each row's likeliest class, then each class's probability."""
    return [[classes[row.argmax()], *row.tolist()] for row in probabilities]


def _media_type(header):
    """`text/csv` of `text/csv; charset=utf-8`, and of the first choice where there are several."""
    return (header or "").split(",")[0].split(";")[0].strip().lower()


def _json_rows(document):
    if isinstance(document, dict):
        document = document.get("instances", [document])
    rows = document if document and isinstance(document[0], (dict, list)) else [document]
    return [row["features"] if isinstance(row, dict) and isinstance(row.get("features"), list) else row for row in rows]


def _csv_line(answer):
    if not isinstance(answer, list):
        return repr(answer)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(answer)
    return line.getvalue()


def _level_codes(feature):
    if feature["kind"] != "categorical":
        return None
    return {level: float(code) for code, level in enumerate(feature["levels"])}


def _number(value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        return BOOLEANS.get(_text(value).strip().lower(), math.nan)
    # XGBoost refuses infinities outright; to the model they are as good as unknown.
    return number if math.isfinite(number) else math.nan


def _days(value):
    """Days since 1970 of an ISO 8601 time, UTC where it names no zone: finer than seconds would be in 32 bits."""
    found = ISO_TIME.fullmatch(_text(value).strip())
    if found is None:
        return math.nan
    year, month, day, hour, minute, second, fraction, zone_hours, zone_minutes = found.groups()
    text = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '').ljust(6, '0')[:6]}"
    try:
        moment = datetime.fromisoformat(f"{text}{zone_hours or '+00'}:{zone_minutes or '00'}")
    except ValueError:
        return math.nan
    return moment.timestamp() / SECONDS_PER_DAY


def _text(value):
    """A level as Kedge's predictions table writes it: what was no text is written as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
