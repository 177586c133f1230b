"""The benchmark of estimates, tiny: what it computes, and that it says why a peer is missing."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from benchmarks import estimation


@pytest.fixture
def folder(tmp_path):
    """One made-up data set, with a peer that is wrong by a tenth everywhere."""
    estimation.write_shifted(tmp_path, sets=1)
    (found,) = tmp_path.iterdir()
    rows = estimation.pq.read_table(found / "chunks.parquet").to_pydict()
    scores, labels, chunks = (np.array(rows[name]) for name in ("score", "label", "chunk"))
    truths = [accuracy_score(labels[chunks == c], scores[chunks == c] >= 0.5) for c in range(10)]
    estimates = [{name: truth + 0.1 for name in estimation.METRICS} for truth in truths]
    (found / "estimates.json").write_text(json.dumps(estimates))
    return found


def test_errors_are_means_over_the_chunks_of_what_each_side_missed_by(folder):
    found = estimation.errors_of(folder)
    assert found["nannyml"]["accuracy"] == pytest.approx(0.1)
    assert found["kedge"]["accuracy"] < 0.05


def test_a_peer_that_is_missing_is_skipped_with_its_reason(folder):
    (folder / "estimates.json").unlink()
    errors = {"made up": estimation.errors_of(folder)}
    assert "nannyml" not in errors["made up"]
    assert estimation._notes(errors, "no network").startswith("- nannyml was skipped: no network")
    assert [figure.kept for figure in estimation._figures(errors)] == [None, None, None]
