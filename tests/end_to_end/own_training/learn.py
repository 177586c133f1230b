"""A team's own script: the share of cancellations of each deposit, counted in passes that survive the loss of an instance."""

import csv
import json
import os
import shutil
from pathlib import Path

from figures.shares import shares

PASSES = 3


def main():
    kept = Path(os.environ["CHECKPOINTS"]) / "passes"
    for done in range(int(kept.read_text()) if kept.exists() else 0, PASSES):
        kept.write_text(str(done + 1))
        print(f"passes={done + 1};", flush=True)

    with open(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", newline="", encoding="utf-8") as file:
        learnt = shares(csv.DictReader(file), "deposit_type")
    model = Path(os.environ["SM_MODEL_DIR"])
    (model / "code").mkdir(parents=True, exist_ok=True)
    (model / "model.json").write_text(json.dumps(learnt))
    shutil.copyfile(Path(__file__).with_name("answer.py"), model / "code" / "inference.py")


if __name__ == "__main__":
    main()
