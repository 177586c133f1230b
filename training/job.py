"""What every training script of this folder does alike: read the channel, name the labels, write what Kedge reads."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def add_places(parser):
    """Where rows are and results go: SageMaker says so in SM_* variables."""
    parser.add_argument("--train", type=Path, default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", type=Path, default=os.environ.get("SM_CHANNEL_VALIDATION"))
    parser.add_argument("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR"))


def read_channel(channel):
    """The columns' description, and the rows, oldest first, as their features' values and their labels."""
    description = json.loads((channel / "columns.json").read_text(encoding="utf-8"))
    return (description, *read_rows(channel / "train.csv", description))


def read_rows(path, description):
    """The rows of a file, oldest first, as their features' values and their labels."""
    with open(str(path), newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row[description["time"]])
    names = [feature["name"] for feature in description["features"]]
    return [[row[name] for name in names] for row in rows], [row[description["label"]] for row in rows]


def encode_labels(labels, description):
    """Classes become their index; a regression's label is itself."""
    if description["problem"] == "regression":
        return np.array(labels, dtype=np.float32)
    codes = {label: code for code, label in enumerate(description["classes"])}
    return np.array([codes[label] for label in labels], dtype=np.float32)


def save_serving(encoder, model_dir, script):
    """Write what serving needs beside the model: the encoder, and the code that answers."""
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    encoder.save(model_dir / "encoder.json")
    # Kedge's endpoints run code/inference.py, whatever it is called here.
    shutil.copyfile(HERE / script, code / "inference.py")
    shutil.copyfile(HERE / "rows.py", code / "rows.py")


def save_importance(weights, directory):
    """What each feature weighs, by name: the monitor tells first what drifts and matters."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "importance.json").write_text(json.dumps(weights, indent=1), encoding="utf-8")


def report(figures):
    """Print `name=value;` pairs: SageMaker's metric definitions read them from the log."""
    print(" ".join(f"{name}={value};" for name, value in figures.items()), flush=True)
