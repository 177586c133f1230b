"""The pages and the widget in a real browser: wide, on a phone, light and dark; axe-core finds nothing serious.

`make browser` loads Chromium and axe-core (tests/browser.py); `make slow` and CI do so first. Where they cannot be had, these are skipped
with the reason.
"""

import html
import json
import re
import subprocess

import pytest

from report.pages.model_page import render_model_page
from report.pages.portfolio_page import render_portfolio_page
from report.pages.widget import model_widget, portfolio_widget
from tests import browser
from tests.report.pages.histories import NOW, facts, metric, window

BROWSER = browser.command()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(isinstance(BROWSER, str), reason=str(BROWSER))]
# Of one widget in a page that is CloudWatch's.
OF_THE_PAGE = {"landmark-one-main", "page-has-heading-one", "region"}
RUN = """<script>%s</script><script>axe.run().then(found => {
  const told = found.violations.map(v => [v.id, v.impact, v.nodes[0].html]);
  const over = document.documentElement.scrollWidth - window.innerWidth;
  document.body.innerHTML = '<pre id="told"></pre>';
  document.getElementById('told').textContent = JSON.stringify({told, over});
});</script>"""


def in_page(widget):
    return f'<!doctype html><html lang="en"><title>w</title><body style="margin:0">{widget}</body></html>'


def prices():
    known = [metric(n, 20.0 + n, metric="mae", limit=22.0, low=17.0, high=26.0 + n) for n in range(7)]
    return facts(problem="regression", metrics=known)


PAGES = {
    "model": lambda: render_model_page(facts()),
    "regression": lambda: render_model_page(prices()),
    "young": lambda: render_model_page(facts(windows=[window(0)], metrics=[], decisions=[])),
    "portfolio": lambda: render_portfolio_page([facts().summary(), prices().summary()], now=NOW),
    "widget": lambda: in_page(model_widget(facts(), "quality", theme="light", width=800)),
    "dark widget": lambda: in_page(model_widget(facts(), "drift", theme="dark", width=300)),
    "widget of all": lambda: in_page(portfolio_widget([facts().summary()], now=NOW, theme="dark")),
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_nothing_serious_is_found_and_nothing_stands_outside(tmp_path, name, width, dark):
    page = tmp_path / "page.html"
    page.write_text(PAGES[name]().replace("</body>", RUN % browser.AXE.read_text() + "</body>"))
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        f"--user-data-dir={tmp_path}",
    ]
    flags += [f"--window-size={width},900", *(["--blink-settings=preferredColorScheme=0"] if dark else [])]
    chromium, variables = BROWSER
    line = [*chromium, *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True, env=variables)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told, "the page's script ran to its end"
    found = json.loads(html.unescape(told[1]))
    leave = OF_THE_PAGE if "widget" in name else set()
    assert [each for each in found["told"] if each[1] in ("serious", "critical") and each[0] not in leave] == []
    assert found["over"] <= 0 or name == "widget of all"
