"""The documents hold the tables, the queries and the costs as the code has them, and Grafana's queries run."""

import json
import re
from datetime import UTC, datetime

import pytest

from kedge.config.gauges import GAUGES
from kedge.config.sections import Cadence
from kedge.history.queries import QUERIES
from kedge.history.tables import TABLES
from tests.history_files import Warehouse
from tests.kedge.history.test_queries import MODELS, objects  # noqa: F401  # a fixture
from tests.synthesised import ROOT

HISTORY = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
GRAFANA = json.loads((ROOT / "docs" / "grafana" / "kedge.json").read_text(encoding="utf-8"))
TODAY = datetime(2016, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_document_lists_each_column_as_the_table_has_it(table):
    section = HISTORY.split(f"### {table.name}\n")[1].split("\n### ")[0]
    lines = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", section, re.MULTILINE)
    assert lines == [(column.name, column.kind, column.says) for column in table.columns]


def test_the_document_shows_each_query_as_athena_keeps_it():
    assert re.findall(r"```sql\n(.*?)\n```", HISTORY, re.DOTALL) == [query.sql for query in QUERIES]


def test_operations_say_which_metrics_are_sent_and_what_each_costs():
    cadences = Cadence(profile="daily", judge="weekly"), Cadence(), Cadence(profile="hourly", judge="hourly")
    line = r"^\| `([\w/*]+)` \| (\w+) \| (few|all) \| \$([\d.]+) \| \$([\d.]+) \| \$([\d.]+) \| (.*) \|$"
    assert re.findall(line, OPERATIONS, re.MULTILINE) == [
        (g.name, g.step, "few" if g.few else "all", *(f"{g.usd_a_month(each):.4f}" for each in cadences), g.says)
        for g in GAUGES
    ]


def grafana_queries():
    panels = [target["rawSQL"] for panel in GRAFANA["panels"] for target in panel["targets"]]
    variables = [each["query"]["rawSQL"] for each in GRAFANA["templating"]["list"] if each["type"] == "query"]
    return panels + variables + [each["target"]["rawSQL"] for each in GRAFANA["annotations"]["list"]]


def test_every_query_of_the_grafana_dashboard_answers(objects):  # noqa: F811
    warehouse = Warehouse(objects, MODELS, today=TODAY)
    for sql in grafana_queries():
        filled = re.sub(
            r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN TIMESTAMP '2015-01-01' AND TIMESTAMP '2017-01-01'", sql
        )
        filled = filled.replace("$__timeFrom()", "TIMESTAMP '2015-01-01'").replace("$model", "prices")
        assert warehouse.ask(filled), sql


def test_the_annotations_have_the_columns_that_grafana_reads(objects):  # noqa: F811
    (annotation,) = GRAFANA["annotations"]["list"]
    assert re.findall(r"AS (\w+)", annotation["target"]["rawSQL"]) == ["timeend", "text", "tags"]
