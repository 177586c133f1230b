"""The measured run counts what it is said to count."""

from benchmarks.cost import folding, shapes


def test_a_run_counts_the_new_rows_and_reads_the_known_ids(monkeypatch):
    monkeypatch.setattr(folding, "IDS_A_PART", 50)
    found = folding.measure(rows=100, objects=5, known=200)
    assert (found["error"], found["answer"]["RowsCaptured"]) == (None, 100)
    assert found["read_bytes"]["capture"] > 100 * 400
    assert found["calls"]["s3 GetObject"] >= 5 + 200 // 50


def test_rows_are_counted_whatever_the_shape_of_requests():
    taken = shapes.measure(100, rounds=1)
    assert taken.keys() == shapes.SHAPES.keys()
    assert all(0 < seconds < float("inf") for seconds in taken.values())
