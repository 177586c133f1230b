"""What `kedge cost` counts of alarms, queues, keys and ticks is what the templates have."""

import pytest

from benchmarks.cost.templates import counted_in_templates, memory_and_timeout
from cli.cost.coefficients import read_coefficients
from cli.models import read_model
from kedge.cost.estimate import alarms_of_model, deployment_lines
from stacks.parts.endpoint_alarms import alarms_of
from tests.builders import make_config
from tests.synthesised import EXAMPLE, example_models, resources

REMEDY = "python -m benchmarks.cost templates"


def test_the_alarms_of_a_model_are_those_of_its_stack():
    config = read_model(example_models() / EXAMPLE)
    assert alarms_of_model(config) == len(resources("AWS::CloudWatch::Alarm", "KedgeModels-1"))


@pytest.mark.parametrize(
    "health",
    [
        "{enabled: false}",
        "{p95_milliseconds: 50, p99_milliseconds: 90, client_error_fraction: 0.1}",
        "{server_error_fraction: null, disk_fraction: 0.9, no_invocations_hours: 6, variants: [other]}",
    ],
)
def test_each_limit_of_the_health_is_an_alarm_a_variant(health):
    config, silent = (make_config(f"health: {each}") for each in (health, "{enabled: false}"))
    assert alarms_of_model(config) - alarms_of_model(silent) == len(alarms_of(config))


def test_the_coefficients_know_the_templates():
    measured = read_coefficients()
    assert measured.templates == counted_in_templates(), REMEDY
    for name, function in measured.functions.items():
        assert (function.memory_mib, function.timeout_seconds) == memory_and_timeout(name.split()[0]), REMEDY


def test_every_scheduled_tick_is_the_run_of_a_function():
    measured = read_coefficients()
    (runs,) = [each.quantity for each in deployment_lines(measured, is_hourly=False) if each.what == "Lambda requests"]
    assert runs == pytest.approx(measured.templates["ticks"], rel=0.001)
