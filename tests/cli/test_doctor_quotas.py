"""What the models need of the account's quotas: as they are trained and served, and nothing for what is only watched."""

from cli.doctor.checks.quotas import needed
from kedge.config.reading import parse_model_config

YAML = "model: {name}\nendpoint: {{name: {name}}}\nfeatures: [{{name: x, kind: numeric}}]\n"


def model(name, extra=""):
    return parse_model_config(YAML.format(name=name) + extra, source=f"{name}.yaml")


def wanted(*models):
    return {need.quota: (need.least, need.best) for need in needed(models)}


def test_a_model_that_is_only_watched_needs_no_instance():
    log = "model: b\nmode: watch\nsource: log\nfeatures: [{name: x, kind: numeric}]\n"
    watched = [model("a", "mode: watch\n"), parse_model_config(log, source="b.yaml")]
    assert wanted(*watched) == {"Concurrent executions": (1, 40)}
    assert wanted(model("c"), *watched)["ml.m5.large for endpoint usage"] == (4, 4)


def test_a_fleet_is_there_twice_during_a_release_and_only_one_model_is_released_at_once():
    assert wanted(model("a"), model("b"))["ml.m5.large for endpoint usage"] == (6, 6)


def test_several_instances_and_spot_have_their_own_quotas():
    several = "training: {spot: true, instance_count: 3, source_dir: mine, entry_point: fit.py}\n"
    found = wanted(model("a", several))
    assert found["ml.m5.xlarge for spot training job usage"] == (3, 3)
    assert "ml.m5.xlarge for training job usage" not in found


def test_a_shadow_needs_instances_beside_both_fleets():
    shadowed = model("a", "release: {strategy: shadow, shadow: {instance_count: 3}}\n")
    assert wanted(shadowed, model("b"))["ml.m5.large for endpoint usage"] == (9, 9)


def test_a_version_in_an_ab_test_needs_its_share_of_the_instances_beside_both_fleets():
    divided = model("a", "release: {strategy: ab, ab: {share: 0.5}}\n")
    assert wanted(divided, model("b"))["ml.m5.large for endpoint usage"] == (7, 7)
