"""Train a linear model on rows ordered in time; runs in SageMaker's scikit-learn container in script mode.

Reads and writes what `train.py` does; `model.json` holds the fitted numbers. The same rows give the same model.
"""

import argparse
import json

import numpy as np
from inference_sklearn import Columns, fitted, probabilities
from job import add_places, encode_labels, read_channel, read_rows, report, save_importance, save_serving
from rows import Encoder
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score


def parse_arguments(arguments=None):
    """Hyperparameters arrive as arguments, places as SM_* variables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=1.0, help="strength of the penalty on the weights")
    parser.add_argument("--max_iter", type=int, default=1000)
    parser.add_argument(
        "--level_rows", type=int, default=10, help="rows that a level needs to have a weight of its own"
    )
    add_places(parser)
    return parser.parse_args(arguments)


def train(options):
    """Fit, then write everything that serving needs into the model directory."""
    description, rows, texts = read_channel(options.train)
    encoder = Encoder.learn(rows, description["features"], description.get("classes"))
    matrix, labels = encoder.encode(rows), encode_labels(texts, description)
    columns = Columns.learn(matrix, encoder, options.level_rows)
    design = columns.design(matrix)
    if description["problem"] == "regression":
        estimator = Ridge(alpha=options.alpha).fit(design, labels)
    else:
        estimator = LogisticRegression(C=1 / options.alpha, max_iter=options.max_iter).fit(design, labels)
    save_serving(encoder, options.model_dir, "inference_sklearn.py")
    document = {"problem": description["problem"], "columns": columns.columns, **fitted(estimator)}
    (options.model_dir / "model.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    save_importance(importance(columns.blocks(matrix), estimator, encoder), options.output_data_dir)
    figures = {f"train-{name}": value for name, value in metrics(estimator, design, labels, description).items()}
    if options.validation:
        rows, texts = read_rows(options.validation / "validation.csv", description)
        kept = columns.design(encoder.encode(rows))
        found = metrics(estimator, kept, encode_labels(texts, description), description)
        figures.update({f"validation-{name}": value for name, value in found.items()})
    report({"rows": len(labels), **figures})


def metrics(estimator, design, labels, description):
    """How well the model answers rows whose labels are known."""
    problem, classes = description["problem"], description.get("classes") or []
    if problem == "regression":
        return {"rmse": round(float(mean_squared_error(labels, estimator.predict(design)) ** 0.5), 6)}
    found = probabilities(estimator, design, classes)
    loss = round(float(log_loss(labels, found, labels=list(range(len(classes))))), 6)
    if problem == "multiclass_classification":
        return {"mlogloss": loss}
    return {"logloss": loss, "auc": round(float(roc_auc_score(labels, found[:, 1])), 6)}


def importance(blocks, estimator, encoder):
    """How far each feature moves the answers: its part's standard deviation, summed over the classes."""
    ends = np.cumsum([block.shape[1] for block in blocks])
    weights = np.split(np.atleast_2d(estimator.coef_), ends[:-1], axis=1)
    parts = [block @ weights[index].T for index, block in enumerate(blocks)]
    return {name: float(parts[index].std(axis=0).sum()) for index, name in enumerate(encoder.names)}


if __name__ == "__main__":
    train(parse_arguments())
