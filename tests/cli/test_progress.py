"""A long reading of files is shown where a person looks, and nowhere else."""

import io
import sys

import pytest

from cli.progress import QUIET_SECONDS, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "waited", "shown"), [
    (Terminal, QUIET_SECONDS + 1, True), (Terminal, 0.0, False), (io.StringIO, QUIET_SECONDS + 1, False),
])  # fmt: skip
def test_a_long_reading_is_shown_on_a_terminal_only(monkeypatch, stream, waited, shown):
    errors = stream()
    monkeypatch.setattr(sys, "stderr", errors)
    progress = Progress()
    progress.started -= waited
    progress("bookings.parquet", 1_234_567)
    progress("bookings.parquet", 1)
    progress.close()
    assert ("bookings.parquet" in errors.getvalue()) == shown
    assert ("1,234,568 values read" in errors.getvalue()) == shown
