"""Serve a linear model: CSV (no header) or JSON rows come in, one answer for each row goes out; runs in SageMaker's scikit-learn container.

The artefact is JSON: the numbers that scikit-learn fitted, put back into an estimator of the same class. A pickle would
run code when it is loaded, and need the very version that wrote it.
"""

import json
import os

import numpy as np
from rows import Encoder, class_answers, parse_rows, write_answers
from sklearn.linear_model import LogisticRegression, Ridge

ESTIMATORS = {"LogisticRegression": LogisticRegression, "Ridge": Ridge}


class Columns:
    """The encoder's matrix as a linear model needs it: numbers on one scale, a column for each level that is frequent."""

    def __init__(self, columns):
        self.columns = columns

    @classmethod
    def learn(cls, matrix, encoder, level_rows):
        """Take scales and frequent levels from the training rows; the model does not see a rarer level."""
        columns = []
        for index, kind in enumerate(encoder.feature_types):
            values = matrix[:, index].astype(np.float64)
            known = values[~np.isnan(values)]
            if kind == "c":
                levels, rows = np.unique(known, return_counts=True)
                columns.append({"levels": levels[rows >= level_rows].tolist()})
            else:
                mean, scale = (known.mean(), known.std()) if known.size else (0.0, 1.0)
                columns.append({"mean": float(mean), "scale": float(scale) or 1.0})
        return cls(columns)

    def blocks(self, matrix):
        """The columns that each feature becomes; a number becomes its value and whether it is missing."""
        found = []
        for index, column in enumerate(self.columns):
            values = matrix[:, index].astype(np.float64)
            if "levels" in column:
                found.append((values[:, None] == np.array(column["levels"])).astype(np.float64))
            else:
                missing = np.isnan(values)
                scaled = (np.where(missing, column["mean"], values) - column["mean"]) / column["scale"]
                found.append(np.column_stack([scaled, missing]))
        return found

    def design(self, matrix):
        """All features' columns side by side."""
        return np.hstack(self.blocks(matrix))


def fitted(estimator):
    """What scikit-learn learnt, as JSON."""
    values = {
        name: getattr(estimator, name) for name in ("coef_", "intercept_", "classes_") if hasattr(estimator, name)
    }
    numbers = {name: np.asarray(value).tolist() for name, value in values.items()}
    return {"estimator": type(estimator).__name__, "n_features_in_": estimator.n_features_in_, **numbers}


def restored(document):
    """An estimator that answers as the fitted one did."""
    estimator = ESTIMATORS[document["estimator"]]()
    for name in ("coef_", "intercept_", "classes_"):
        if name in document:
            setattr(estimator, name, np.array(document[name]))
    estimator.n_features_in_ = document["n_features_in_"]
    return estimator


def probabilities(estimator, design, classes):
    """A probability for each class; zero for a class that the training rows did not hold."""
    found = np.zeros((len(design), len(classes)))
    found[:, estimator.classes_.astype(int)] = estimator.predict_proba(design)
    return found


def model_fn(model_dir):
    """Load the estimator, the scales of its columns, and the encoder."""
    with open(os.path.join(model_dir, "model.json"), encoding="utf-8") as file:
        document = json.load(file)
    encoder = Encoder.load(os.path.join(model_dir, "encoder.json"))
    return document["problem"], restored(document), Columns(document["columns"]), encoder


def input_fn(body, content_type):
    """Parse a payload into rows."""
    return parse_rows(body, content_type)


def predict_fn(rows, model):
    """One answer for each row: a probability, a number, or the likeliest class and then each class's probability."""
    problem, estimator, columns, encoder = model
    if not rows:
        return []
    design = columns.design(encoder.encode(rows))
    if problem == "regression":
        return estimator.predict(design).tolist()
    found = probabilities(estimator, design, encoder.classes)
    return found[:, 1].tolist() if problem == "binary_classification" else class_answers(found, encoder.classes)


def output_fn(prediction, accept):
    """Write the answers, with their content type."""
    return write_answers(prediction, accept)
