"""The dashboards as CloudWatch takes them: its limits, its grid, and nothing drawn that nobody sends."""

import functools
import json
import re

import pytest

from stacks.dashboards import ALARMS_MAX, ENDPOINT, MODEL
from tests.synthesised import ROOT, resources

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
WIDGETS_MAX, METRICS_OF_A_WIDGET_MAX, METRICS_MAX, SEARCH_MAX, COLUMNS = 500, 500, 2500, 1024, 24
# The first three dashboards of an account cost nothing while each has no more metrics than this.
FREE_DASHBOARDS, FREE_METRICS = 3, 50
NAME = re.compile(r"^[A-Za-z0-9_-]{1,255}$")


@functools.cache
def dashboards():
    """Each dashboard's body by its name, with references to other resources as their logical ids."""
    return {
        resource["Properties"]["DashboardName"]: json.loads(flat(resource["Properties"]["DashboardBody"]))
        for resource in resources("AWS::CloudWatch::Dashboard").values()
    }


def flat(node):
    if isinstance(node, str):
        return node
    ((function, argument),) = node.items()
    if function == "Fn::Join":
        return argument[0].join(flat(part) for part in argument[1])
    return argument if function == "Ref" else argument[0] if function == "Fn::GetAtt" else str(argument)


def widgets(name, kind=None):
    return [widget for widget in dashboards()[name]["widgets"] if kind in (None, widget["type"])]


def metrics(widget):
    return widget["properties"].get("metrics", [])


def expressions(widget):
    return [row[0]["expression"] for row in metrics(widget) if isinstance(row[0], dict)]


@pytest.fixture(params=["Kedge-all-models-eu-west-1", "Kedge-one-model-eu-west-1"])
def name(request):
    return request.param


def test_there_are_two_whatever_the_number_of_models_so_none_costs_anything(name):
    assert len(dashboards()) == 2 < FREE_DASHBOARDS
    assert NAME.match(name)
    assert sum(len(metrics(widget)) for widget in widgets(name)) <= FREE_METRICS


def test_they_keep_the_limits_of_cloudwatch(name):
    assert len(widgets(name)) <= WIDGETS_MAX
    assert all(len(metrics(widget)) <= METRICS_OF_A_WIDGET_MAX for widget in widgets(name))
    assert sum(len(metrics(widget)) for widget in widgets(name)) <= METRICS_MAX
    searches = [text for widget in widgets(name) for text in expressions(widget)]
    assert all(len(text) <= SEARCH_MAX for text in searches)
    assert all(len(widget["properties"]["alarms"]) <= ALARMS_MAX for widget in widgets(name, "alarm"))


def test_the_widgets_stand_on_the_grid_and_not_on_each_other(name):
    taken = set()
    for widget in widgets(name):
        assert widget["x"] + widget["width"] <= COLUMNS
        place = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not place & taken
        taken |= place


def test_each_widget_has_a_title_and_each_graph_a_region(name):
    for widget in widgets(name):
        assert widget["properties"]["title"]
        assert widget["type"] != "metric" or widget["properties"]["region"]


def test_the_alarms_stand_first_then_the_models_by_urgency():
    first, second, *_ = widgets("Kedge-all-models-eu-west-1")
    assert first["type"] == "alarm"
    assert first["properties"]["alarms"]
    assert second["properties"]["params"] == {"view": "portfolio"}


def test_one_dashboard_shows_any_model_by_the_variables_at_its_top():
    body = dashboards()["Kedge-one-model-eu-west-1"]
    assert [variable["pattern"] for variable in body["variables"]] == [MODEL, ENDPOINT]
    shown = json.dumps(body["widgets"])
    assert MODEL in shown
    assert ENDPOINT in shown
    # The example's name stands in the defaults alone: no widget shows it whatever is chosen.
    assert "hotel" not in shown


def test_the_widget_that_is_drawn_is_our_function_with_parameters_that_it_takes(name):
    from lambdas.handlers.draw_widget import Request

    (function,) = [key for key in resources("AWS::Lambda::Function", "KedgeMonitoring") if "/DrawWidget" in key]
    found = widgets(name, "custom")
    assert found
    for widget in found:
        assert widget["properties"]["endpoint"] == function.split("/")[1]
        assert set(widget["properties"]["params"]) <= set(Request.model_fields)
        Request.model_validate(widget["properties"]["params"])


def test_endpoint_health_is_there():
    shown = json.dumps(dashboards()["Kedge-one-model-eu-west-1"])
    for wanted in ("p50", "p95", "p99", "Invocation4XXErrors", "Invocation5XXErrors", "Invocations", "RowsCaptured"):
        assert wanted in shown


def test_no_metric_of_kedge_is_drawn_that_no_function_sends(name):
    files = [*(ROOT / "lambdas").rglob("*.py"), ROOT / "kedge" / "config" / "gauges.py"]
    sent = "".join(path.read_text() for path in files)
    ours = {row[1] for widget in widgets(name) for row in metrics(widget) if row[0] == "Kedge"}
    ours |= {
        found
        for widget in widgets(name)
        for text in expressions(widget)
        if "{Kedge," in text
        for found in re.findall(r'MetricName="(\w+)"', text)
    }
    assert ours
    assert [metric for metric in ours if f'"{metric}"' not in sent] == []


def test_nobody_but_the_viewer_may_invoke_the_widget():
    permissions = [
        permission["Properties"]["FunctionName"]
        for permission in resources("AWS::Lambda::Permission", "KedgeMonitoring").values()
    ]
    assert "DrawWidget" not in json.dumps(permissions)
