"""The demo's page tells of the replay that was run."""

import pandas as pd

from demo.page import write_page
from demo.results import Outcome


def test_the_page_names_the_months_that_were_replayed(tmp_path):
    times = pd.to_datetime(["2015-10-01 09:00", "2015-12-19 20:00"], utc=True)
    months = pd.DataFrame(
        {"month": ["2015-10", "2015-12"], "managed": [0.8, 0.8], "static": [0.8, 0.7], "rows": [1, 1]}
    )
    history = {"decisions": [], "columns": []}
    write_page(Outcome("hotel", [], pd.DataFrame({"time": times}), months, history, 0), tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "Every booking from October 2015 to December 2015 was sent" in page
