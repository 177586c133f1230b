"""The pages and the widget in a real browser: wide, on a phone, light and dark; axe-core finds nothing serious.

`make browser` loads Chromium and axe-core (tests/browser.py); `make slow` and CI do so first. Where they cannot be had, these are skipped
with the reason.
"""

import pytest

from report.pages.model_page import render_model_page
from report.pages.portfolio_page import render_portfolio_page
from report.pages.widget import model_widget, portfolio_widget
from tests import browser, devtools
from tests.report.pages.histories import NOW, facts, metric, window

BROWSER = browser.command()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(isinstance(BROWSER, str), reason=str(BROWSER))]
# Of one widget in a page that is CloudWatch's.
OF_THE_PAGE = {"landmark-one-main", "page-has-heading-one", "region"}
AXE = "axe.run().then(found => found.violations.map(each => [each.id, each.impact, each.nodes[0].html]))"
OVER = "document.documentElement.scrollWidth - window.innerWidth"


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


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with devtools.Page(*BROWSER, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_serious_is_found_and_nothing_stands_outside(page, name, width, dark):
    page.show(PAGES[name](), width=width, dark=dark)
    page.run(f"{browser.AXE.read_text()}; 0")
    leave = OF_THE_PAGE if "widget" in name else set()
    found = [each for each in page.run(AXE) if each[1] in ("serious", "critical") and each[0] not in leave]
    assert found == []
    assert page.run(OVER) <= 0 or name == "widget of all"


def test_a_page_that_nobody_could_read_is_found(page):
    page.show('<html><body><p style="color:#eee">pale</p><div style="width:2000px">wide</div>', width=390, dark=False)
    page.run(f"{browser.AXE.read_text()}; 0")
    assert {"color-contrast", "html-has-lang"} <= {each[0] for each in page.run(AXE)}
    assert page.run(OVER) > 0
