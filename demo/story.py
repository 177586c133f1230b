"""Hold what the demo wrote against what the data is known to tell; `python -m demo.story` exits with 1 where it differs.

How good the models were is known of the whole two years alone.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from demo.bookings import REPLAY_UNTIL

PROMOTION_STEPS = ("package_registered", "approved", "canary_started", "canary_promoted", "baseline_switched")


def recomputed_auc(predictions: pd.DataFrame) -> float:
    """Row-weighted monthly AUC of what the endpoint really answered."""
    months = predictions.groupby(predictions["time"].dt.strftime("%Y-%m"))
    values = [(roc_auc_score(rows["label"], rows["score"]), len(rows)) for _, rows in months]
    return float(np.average([value for value, _ in values], weights=[rows for _, rows in values]))


def differences(out: Path) -> list[str]:
    """Sentences for everything that is not as it should be."""
    timeline: list[dict[str, Any]] = json.loads((out / "timeline.json").read_text(encoding="utf-8"))
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(out / "predictions.parquet")
    managed, static = recomputed_auc(predictions), summary["static_auc"]
    whole = pd.Timestamp(predictions["time"].max()) >= pd.Timestamp(REPLAY_UNTIL - timedelta(days=2))
    starts = [e["time"] for e in timeline if e["kind"] == "retraining_started" and e["detail"]["trigger"] != "initial"]
    claims = {
        f"the first retraining started at {starts[:1]}, not in January or February 2016": bool(starts)
        and "2016-01-01" <= starts[0] < "2016-03-01",
        f"the managed AUC is {managed:.4f}, not above the never-retrained {static:.4f}": managed > static,
        f"the managed AUC is {managed:.4f}, below 0.77": managed >= 0.77 or not whole,
        f"the summary says {summary['managed_auc']:.4f}, the answers {managed:.4f}": abs(
            summary["managed_auc"] - managed
        )
        < 1e-9,
        f"the never-retrained AUC is {static:.4f}, above 0.70": static <= 0.70 or not whole,
        "no challenger was promoted": summary["promotions"] > 0,
        f"{summary['unanswered']} bookings were not answered": summary["unanswered"] == 0,
    }
    wrong = [sentence for sentence, holds in claims.items() if not holds]
    return wrong + incomplete_promotions(timeline)


def incomplete_promotions(timeline: list[dict[str, Any]]) -> list[str]:
    """Promoted packages that lack a step of the way."""
    found = []
    for promoted in (e for e in timeline if e["kind"] == "canary_promoted"):
        version = str(promoted["detail"]["package_version"])
        steps = {e["kind"] for e in timeline if str(version_of(e)) == version}
        found += [f"package {version} was promoted without {step}" for step in PROMOTION_STEPS if step not in steps]
    return found


def version_of(entry: dict[str, Any]) -> str | None:
    """The package version that an entry is about."""
    detail = entry["detail"]
    if "package_version" in detail:
        return str(detail["package_version"])
    arn = str(detail.get("package_arn", ""))
    return arn.rpartition("/")[2] or None


if __name__ == "__main__":
    wrong = differences(Path("build/demo"))
    print("\n".join(wrong) or "the data gave the expected story")
    sys.exit(bool(wrong))
