"""compare_models joins both models' answers by id and lets the gate judge them."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from kedge.errors import HoldoutCountMismatchError
from lambdas.handlers.compare_models import handler
from tests.handlers.aws_world import CONTEXT, MODEL, aws_world
from tests.handlers.holdouts import PREFIX, RUN, SCORED, write_holdout

SERVING = {"present": True, "model_name": "m", "package_version": "1"}


@pytest.fixture
def world(monkeypatch):
    with aws_world(monkeypatch) as world:
        yield world


def run(champion: dict = SERVING) -> dict:
    event = {
        "model": MODEL,
        "run": RUN,
        "time": "2016-02-11T02:00:00Z",
        "champion": champion,
        "snapshot": {"prefix": PREFIX},
    }
    return handler(event, CONTEXT)


def test_a_better_challenger_passes_and_its_evidence_is_kept(world):
    write_holdout(world)
    answered = run()
    assert answered["verdict"] == "PASS", answered["reasons"]
    assert json.loads(world.read(answered["report_key"]))["rows"] == answered["rows"]
    (entry,) = world.timeline()
    assert (entry["kind"], entry["detail"]["run"]) == ("gate_passed", RUN)
    assert entry["detail"]["rows"] == answered["rows"]


def test_a_challenger_that_is_no_better_is_refused(world):
    write_holdout(world, champion_noise=1.0, challenger_noise=1.0)
    answered = run()
    assert answered["verdict"] == "REFUSE"
    assert world.timeline()[0]["kind"] == "gate_failed"


def test_a_first_model_is_compared_with_chance_alone(world):
    write_holdout(world)
    answered = run({"present": False})
    assert answered["verdict"] == "PASS"
    assert "auc_above_chance" in [row["gate"] for row in answered["rows"]]


def test_a_model_that_left_rows_out_is_not_judged(world):
    write_holdout(world)
    lines = world.read(f"{SCORED}/champion/input.csv.out").splitlines(keepends=True)
    world.put(f"{SCORED}/champion/input.csv.out", b"".join(lines[:-1]))
    with pytest.raises(
        HoldoutCountMismatchError, match="champion gave 599 answers to 600 holdout rows: 1 rows have none"
    ):
        run()


def test_a_challenger_that_is_worse_on_a_slice_is_refused_by_its_name(world):
    challenger = write_holdout(world)
    truth = pq.read_table(io.BytesIO(world.read(f"{PREFIX}/holdout/truth.parquet")))
    first = world.config.features[0].name
    chosen = np.array(truth.column(first).to_pylist()) == "a"
    turned = np.where(chosen, 1 - challenger, challenger)
    lines = [f"r{place},{answer}\n" for place, answer in enumerate(turned)]
    world.put(f"{SCORED}/challenger/input.csv.out", "".join(lines).encode())
    answered = run()
    assert answered["verdict"] == "REFUSE"
    assert f"slice {first}=a" in [row["gate"] for row in answered["rows"] if row["verdict"] == "REFUSE"]
