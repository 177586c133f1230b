"""Train a booster on rows ordered in time; runs in SageMaker's XGBoost container in script mode.

Reads `train.csv` (header) and `columns.json` (what each column is) from the channel `train`; writes `model.json`,
`encoder.json` and the serving code into the model directory, and `importance.json` into the output directory. The same
rows and seed give the same model.
"""

import argparse
import os

import xgboost
from job import add_places, encode_labels, read_channel, read_rows, report, save_importance, save_serving
from rows import Encoder

OBJECTIVES = {
    "binary_classification": ("binary:logistic", ["logloss", "auc"]),
    "multiclass_classification": ("multi:softprob", ["mlogloss"]),
    "regression": ("reg:squarederror", ["rmse"]),
}
ROWS_A_THREAD = 100_000


def parse_arguments(arguments=None):
    """Hyperparameters arrive as arguments, places as SM_* variables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--eta", type=float, default=0.1)
    parser.add_argument("--subsample", type=float, default=0.8)
    parser.add_argument("--colsample_bytree", type=float, default=0.8)
    parser.add_argument("--min_child_weight", type=float, default=5)
    parser.add_argument("--reg_lambda", type=float, default=1)
    # Fixed: stopping early on the newest slice would let one odd month decide how much is learnt from the year.
    parser.add_argument("--trees", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    add_places(parser)
    return parser.parse_args(arguments)


def booster_parameters(options, description, rows):
    """XGBoost's own parameters; threads follow from the rows, because few rows only make them wait for each other."""
    objective, metrics = OBJECTIVES[description["problem"]]
    chosen = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda", "seed")
    parameters = {name: getattr(options, name) for name in chosen}
    parameters.update({"objective": objective, "eval_metric": metrics, "tree_method": "hist"})
    parameters["nthread"] = min(os.cpu_count() or 1, 1 + rows // ROWS_A_THREAD)
    if description["problem"] == "multiclass_classification":
        parameters["num_class"] = len(description["classes"])
    return parameters


def train(options):
    """Fit, then write everything that serving needs into the model directory."""
    description, rows, texts = read_channel(options.train)
    encoder = Encoder.learn(rows, description["features"], description.get("classes"))
    matrix, labels = encoder.encode(rows), encode_labels(texts, description)
    parameters = booster_parameters(options, description, len(rows))
    data = as_data(matrix, labels, encoder)
    watched = [(data, "train")]
    if options.validation:
        rows, texts = read_rows(options.validation / "validation.csv", description)
        watched.append((as_data(encoder.encode(rows), encode_labels(texts, description), encoder), "validation"))
    history = {}
    # The lines that it prints after each tree are what SageMaker reads this image's metrics from.
    booster = xgboost.train(parameters, data, options.trees, evals=watched, evals_result=history, verbose_eval=True)
    save_serving(encoder, options.model_dir, "inference.py")
    # JSON only: nothing in the artefact runs code when it is loaded, but the inference script itself.
    booster.save_model(str(options.model_dir / "model.json"))
    save_importance(importance(booster, encoder), options.output_data_dir)
    last = {
        f"{channel}-{name}": round(values[-1], 6) for channel in history for name, values in history[channel].items()
    }
    report({"trees": options.trees, "rows": len(labels), **last})


def as_data(matrix, labels, encoder):
    """Encoded rows as XGBoost takes them."""
    return xgboost.DMatrix(matrix, labels, feature_types=encoder.feature_types, enable_categorical=True)


def importance(booster, encoder):
    """The total gain of each feature's splits."""
    gains = booster.get_score(importance_type="total_gain")
    return {name: gains.get(f"f{index}", 0.0) for index, name in enumerate(encoder.names)}


if __name__ == "__main__":
    train(parse_arguments())
