"""The measured run counts what it is said to count."""

from benchmarks.cost import folding


def test_a_run_counts_the_new_rows_and_reads_the_known_ids(monkeypatch):
    monkeypatch.setattr(folding, "IDS_A_PART", 50)
    found = folding.measure(rows=100, objects=5, known=200)
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 100)
    assert found["read_bytes"]["capture"] > 100 * 400
    assert found["calls"]["s3 GetObject"] >= 5 + 200 // 50
