"""Serve a booster: CSV (no header) or JSON rows in, an answer a row out; runs in SageMaker's XGBoost container.

The encoding of a row lives here and `train.py` imports it, so that training and serving cannot disagree.
"""

import csv
import io
import json
import math
import os
from datetime import datetime, timezone

import numpy as np
import xgboost

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
BOOLEANS = {"true": 1.0, "false": 0.0}
SECONDS_PER_DAY = 86400


class UnsupportedContentError(ValueError):
    """A payload, or the answer asked for, is neither CSV nor JSON."""


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
    def learn(cls, columns, features, classes=None):
        """Freeze the levels that the training rows hold, in sorted order."""
        learnt = []
        for values, feature in zip(columns, features, strict=True):
            learnt.append({"name": feature["name"], "kind": feature["kind"]})
            if feature["kind"] == "categorical":
                learnt[-1]["levels"] = sorted({text for text in map(_text, values) if text})
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
        """Rows of values, in the features' order, as a matrix with NaN for the missing."""
        width = len(self.names)
        for row in rows:
            if len(row) != width:
                raise RowShapeError(f"a row has {len(row)} values; the model takes {width}: {', '.join(self.names)}")
        matrix = np.empty((len(rows), width), dtype=np.float32)
        for index, codes in enumerate(self._codes):
            if codes is None:
                read = _days if self.features[index]["kind"] == "timestamp" else _number
                matrix[:, index] = [read(row[index]) for row in rows]
            else:
                matrix[:, index] = [codes.get(_text(row[index]), math.nan) for row in rows]
        return matrix


def model_fn(model_dir):
    """Load the booster and its encoder."""
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "model.json"))
    # One row a request is the usual case: a thread pool would cost more than the trees.
    booster.set_param({"nthread": 1})
    return booster, Encoder.load(os.path.join(model_dir, "encoder.json"))


def input_fn(body, content_type):
    """Parse a payload into rows: lists in the features' order, or mappings by name."""
    text = body.decode("utf-8") if isinstance(body, bytes | bytearray) else body
    kind = content_type.split(";")[0].strip().lower()
    if kind == CSV:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    if kind == JSON:
        return _json_rows(json.loads(text))
    if kind == JSON_LINES:
        return [row for line in text.splitlines() if line.strip() for row in _json_rows(json.loads(line))]
    raise UnsupportedContentError(f"content type {content_type!r} is neither {CSV} nor {JSON}")


def predict_fn(rows, model):
    """An answer a row: a probability, a number, or of several classes the likeliest with every class's probability."""
    booster, encoder = model
    ordered = [[row.get(name) for name in encoder.names] if isinstance(row, dict) else row for row in rows]
    if not ordered:
        return []
    found = booster.inplace_predict(encoder.encode(ordered), validate_features=False)
    if found.ndim == 1:
        return found.tolist()
    return [[encoder.classes[row.argmax()], *row.tolist()] for row in found]


def output_fn(prediction, accept):
    """Write the answers, with their content type: a line a row in CSV, `{"predictions": [...]}` in JSON."""
    kind = (accept or CSV).split(";")[0].strip().lower()
    if kind == JSON:
        body = json.dumps({"predictions": prediction})
    elif kind == JSON_LINES:
        body = "\n".join(json.dumps({"predictions": [answer]}) for answer in prediction)
    elif kind in (CSV, "*/*"):
        kind, body = CSV, "\n".join(_csv_line(answer) for answer in prediction)
    else:
        raise UnsupportedContentError(f"answer type {accept!r} is neither {CSV} nor {JSON}")
    # Without the type the serving toolkit answers text/html, whatever the client accepts.
    return body, kind


def _json_rows(document):
    if isinstance(document, dict):
        document = document.get("instances", [document])
    rows = document if document and isinstance(document[0], dict | list) else [document]
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
    try:
        moment = datetime.fromisoformat(_text(value).strip().replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment.timestamp() / SECONDS_PER_DAY


def _text(value):
    """A level as Kedge's predictions table writes it: what was no text is written as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
