"""A release plan has the running count, tells its fleet apart, and guards it within the bake."""

import pytest

from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.errors import EndpointVariantNameError, NoInstancesError
from kedge.release.plan import (
    ReleasePlan,
    ServingFleet,
    canary_alarms,
    endpoint_config_name,
    plan_release,
)

TWO = ServingFleet("AllTraffic", 2)


def make_config(**canary) -> ModelConfig:
    settings = ", ".join(f"{name}: {value}" for name, value in canary.items())
    yaml = "model: hotel\nendpoint: {name: hotel-live}\nfeatures: [{name: x, kind: numeric}]\n"
    return parse_model_config(f"{yaml}canary: {{{settings}}}\n", source="hotel.yaml")


def make_plan(
    config: ModelConfig | None = None, *, version: str = "2", run: str = "r1", serving: ServingFleet | None = TWO
) -> ReleasePlan:
    return plan_release(
        config or make_config(), package_version=version, package_arn=f"arn:{version}", run=run, serving=serving
    )


def test_a_variant_that_serves_under_another_name_is_refused_with_both_names_and_the_line_to_change():
    with pytest.raises(EndpointVariantNameError) as raised:
        make_plan(serving=ServingFleet("Live", 2))
    for word in ("'Live'", "'AllTraffic'", "variant: Live", "models/hotel.yaml", "hotel-live"):
        assert word in str(raised.value)


def test_an_update_has_the_running_count_and_a_creation_the_yamls():
    assert make_plan(serving=ServingFleet("AllTraffic", 5)).instance_count == 5
    assert make_plan(serving=None).instance_count == 2


def test_an_endpoint_without_instances_is_refused():
    with pytest.raises(NoInstancesError, match="hotel-live"):
        make_plan(serving=ServingFleet("AllTraffic", 0))


def test_without_an_endpoint_there_is_nothing_to_roll_back_to():
    plan = make_plan(serving=None)
    assert (plan.variant, plan.alarms, plan.rollout) == ("AllTraffic", (), None)


def test_the_config_is_named_after_package_and_run():
    assert make_plan().endpoint_config == make_plan().endpoint_config
    assert len({make_plan(version=v, run=r).endpoint_config for v in "23" for r in ("r1", "r2")}) == 4


def test_the_longest_names_fit():
    config = ModelConfig.model_validate(make_config().model_copy(update={"model": "m" * 40}))
    plan = plan_release(config, package_version="12345", package_arn="a", run="r", serving=TWO)
    assert len(plan.endpoint_config) <= 63
    assert all(len(alarm.name) <= 255 for alarm in plan.alarms)


def test_the_capture_destination_carries_the_package_version():
    assert make_plan(version="7").capture_prefix == "capture/hotel/7"


def test_every_alarm_sees_only_the_canarys_fleet_and_fits_inside_the_bake():
    plan = make_plan(make_config(bake_minutes=10))
    assert plan.rollout is not None
    for alarm in plan.alarms:
        assert alarm.dimensions["EndpointConfigName"] == plan.endpoint_config
        assert alarm.period_seconds * alarm.periods < plan.rollout.bake_seconds
        assert 1 <= alarm.breaching_periods <= alarm.periods


def test_the_alarm_of_a_canary_that_nobody_watches_outlasts_a_late_look_and_fires_within_the_shortest_bake():
    (alarm,) = [alarm for alarm in make_plan().alarms if alarm.missing_data == "breaching"]
    silence = alarm.period_seconds * alarm.breaching_periods
    bake_between_looks, timeout_of_a_look, pause_before_its_retry = 120, 120, 20
    assert silence > bake_between_looks + timeout_of_a_look + pause_before_its_retry
    # CloudWatch reads some datapoints more than it evaluates: two in the user guide's example.
    assert silence + 2 * alarm.period_seconds < 600
    assert alarm.breaching_periods == alarm.periods


def test_error_alarms_can_fire_on_a_fraction_and_latency_is_in_microseconds():
    alarms = {alarm.metric: alarm for alarm in make_plan(make_config(latency_max_ms=250)).alarms}
    assert alarms["Invocation5XXErrors"].statistic == "Average"
    assert alarms["Invocation5XXErrors"].threshold < 1
    assert alarms["ModelLatency"].threshold == 250_000
    assert alarms["CanaryMisbehaviour"].threshold == 1


def test_alarms_are_named_as_the_release_machine_may_name_them_however_long_the_model_is_called():
    text = "{model: %s, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"
    config = parse_model_config(text % ("m" * 40), source="m.yaml")
    name = endpoint_config_name(config.model, "123456", "run")
    for alarm in canary_alarms(config, endpoint_config=name, variant="v"):
        assert alarm.name.startswith("kedge-")
        assert len(alarm.name) <= 255
