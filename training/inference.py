"""Serve a booster: CSV (no header) or JSON rows come in, one answer for each row goes out; runs in SageMaker's XGBoost container."""

import os

import xgboost
from rows import Encoder, class_answers, parse_rows, write_answers


def model_fn(model_dir):
    """Load the booster and its encoder."""
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "model.json"))
    # One row a request is the usual case: a thread pool would cost more than the trees.
    booster.set_param({"nthread": 1})
    return booster, Encoder.load(os.path.join(model_dir, "encoder.json"))


def input_fn(body, content_type):
    """Parse a payload into rows."""
    return parse_rows(body, content_type)


def predict_fn(rows, model):
    """One answer for each row: a probability, a number, or the likeliest class and then each class's probability."""
    booster, encoder = model
    if not rows:
        return []
    found = booster.inplace_predict(encoder.encode(rows), validate_features=False)
    return found.tolist() if found.ndim == 1 else class_answers(found, encoder.classes)


def output_fn(prediction, accept):
    """Write the answers, with their content type."""
    return write_answers(prediction, accept)
