"""NannyML's estimates of classification quality: for each folder's reference and chunks, as estimates.json beside them."""

import json
import sys
from pathlib import Path

import nannyml as nml
import pandas as pd

METRICS = {"auc": "roc_auc", "accuracy": "accuracy", "f1": "f1"}
CHUNK_ROWS = 5_000


def export(work: Path) -> None:
    """The package's own data sets, as the folders that everybody estimates."""
    reference, analysis, targets = nml.load_synthetic_car_loan_dataset()
    known = analysis.merge(targets, left_on="id", right_on="id") if "id" in targets else analysis.join(targets)
    _write(work / "nannyml car loan", reference, known, score="y_pred_proba", label="repaid")
    reference, analysis, targets = nml.load_us_census_ma_employment_data()
    _write(
        work / "nannyml census employment",
        reference,
        analysis.merge(targets, on="id"),
        score="predicted_probability",
        label="employed",
    )


def estimate(folder: Path) -> None:
    """CBPE with its defaults; the metrics of every chunk in turn."""
    reference, rows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "chunks"))
    for side in (reference, rows):
        side["decided"] = (side["score"] >= 0.5).astype(int)
    estimator = nml.CBPE(
        metrics=list(METRICS.values()),
        y_pred_proba="score",
        y_pred="decided",
        y_true="label",
        problem_type="classification_binary",
        chunk_number=1,
    )
    estimator.fit(reference)
    found = []
    for _, chunk in rows.groupby("chunk"):
        frame = estimator.estimate(chunk.reset_index(drop=True)).filter(period="analysis").to_df()
        found.append({ours: float(frame[(theirs, "value")].iloc[-1]) for ours, theirs in METRICS.items()})
    (folder / "estimates.json").write_text(json.dumps(found))


def _write(folder: Path, reference: pd.DataFrame, rows: pd.DataFrame, *, score: str, label: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows.iloc[: len(rows) // CHUNK_ROWS * CHUNK_ROWS]
    chunks = pd.DataFrame({"score": rows[score].to_numpy(), "label": rows[label].to_numpy()})
    chunks["chunk"] = range(len(chunks))
    chunks["chunk"] //= CHUNK_ROWS
    chunks.to_parquet(folder / "chunks.parquet")
    taught = pd.DataFrame({"score": reference[score].to_numpy(), "label": reference[label].to_numpy()})
    taught.to_parquet(folder / "reference.parquet")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    export(place)
    for one in sorted(place.iterdir()):
        estimate(one)
