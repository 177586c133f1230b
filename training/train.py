"""Train a booster on rows ordered in time; runs in SageMaker's XGBoost container in script mode.

Reads `train.csv` (header) and `columns.json` (what each column is) from the channel `train`; writes `model.json`,
`encoder.json` and `code/inference.py` into the model directory, and `importance.json` into the output directory. The same
rows and seed give the same model.
"""

import argparse
import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import xgboost
from inference import Encoder

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
    parser.add_argument("--train", type=Path, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR"))
    return parser.parse_args(arguments)


def read_rows(channel, description):
    """The channel's rows, oldest first, as their features' values and their labels."""
    with open(channel / "train.csv", newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row[description["time"]])
    names = [feature["name"] for feature in description["features"]]
    return [[row[name] for name in names] for row in rows], [row[description["label"]] for row in rows]


def encode_labels(labels, description):
    """Classes become their index; a regression's label is itself."""
    if description["problem"] == "regression":
        return np.array(labels, dtype=np.float32)
    codes = {label: code for code, label in enumerate(description["classes"])}
    return np.array([codes[label] for label in labels], dtype=np.float32)


def booster_parameters(options, description, rows):
    """XGBoost's own parameters; threads follow from the rows, because few rows only make them wait for each other."""
    objective, metrics = OBJECTIVES[description["problem"]]
    chosen = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda", "seed")
    parameters = {name: getattr(options, name) for name in chosen}
    parameters |= {"objective": objective, "eval_metric": metrics, "tree_method": "hist"}
    parameters["nthread"] = min(os.cpu_count() or 1, 1 + rows // ROWS_A_THREAD)
    if description["problem"] == "multiclass_classification":
        parameters["num_class"] = len(description["classes"])
    return parameters


def train(options):
    """Fit, then write everything that serving needs into the model directory."""
    description = json.loads((options.train / "columns.json").read_text(encoding="utf-8"))
    rows, texts = read_rows(options.train, description)
    encoder = Encoder.learn(list(zip(*rows, strict=True)), description["features"], description.get("classes"))
    matrix, labels = encoder.encode(rows), encode_labels(texts, description)
    parameters = booster_parameters(options, description, len(rows))
    data, history = _data(matrix, labels, encoder), {}
    booster = xgboost.train(
        parameters, data, options.trees, evals=[(data, "train")], evals_result=history, verbose_eval=False
    )
    save(booster, encoder, options.model_dir)
    save_importance(booster, encoder, options.output_data_dir)
    report(options.trees, len(labels), history)


def save(booster, encoder, model_dir):
    """JSON only: nothing in the artefact runs code when it is loaded, but the inference script itself."""
    (model_dir / "code").mkdir(parents=True, exist_ok=True)
    booster.save_model(str(model_dir / "model.json"))
    encoder.save(model_dir / "encoder.json")
    shutil.copyfile(Path(__file__).with_name("inference.py"), model_dir / "code" / "inference.py")


def save_importance(booster, encoder, directory):
    """What each feature's splits have gained in all, by name: the monitor tells first what drifts and matters."""
    gains = booster.get_score(importance_type="total_gain")
    weights = {name: gains.get(f"f{index}", 0.0) for index, name in enumerate(encoder.names)}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "importance.json").write_text(json.dumps(weights, indent=1), encoding="utf-8")


def report(trees, rows, history):
    """Print `name=value;` pairs: SageMaker's metric definitions read them from the log."""
    figures = {"trees": trees, "rows": rows}
    for part, metrics in history.items():
        figures |= {f"{part}-{name}": round(values[-1], 6) for name, values in metrics.items()}
    print(" ".join(f"{name}={value};" for name, value in figures.items()), flush=True)


def _data(matrix, labels, encoder):
    return xgboost.DMatrix(matrix, labels, feature_types=encoder.feature_types, enable_categorical=True)


if __name__ == "__main__":
    train(parse_arguments())
