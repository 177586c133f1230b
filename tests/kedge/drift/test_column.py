import pytest

from kedge.config.policies import DriftPolicy
from kedge.config.sections import Feature
from kedge.drift.column import DriftRule
from kedge.drift.evidence import Measured
from kedge.severity import Severity


def measured(effect=0.2, chance=0.05, psi=0.0):
    return Measured({"psi": psi}, 1e-9, effect, chance, 0.1, 1.0)


@pytest.mark.parametrize(
    ("rule", "beyond", "severity"),
    [
        ("effect", 0.049, "OK"), ("effect", 0.051, "WARNING"), ("effect", 0.099, "WARNING"), ("effect", 0.101, "CRITICAL"),
        ("sensitive", 0.019, "OK"), ("sensitive", 0.021, "WARNING"), ("sensitive", 0.051, "CRITICAL"),
    ],
)  # fmt: skip
def test_the_effect_beyond_chance_meets_the_presets_floors(rule, beyond, severity):
    found = DriftRule.of(DriftPolicy(rule=rule)).severity(measured(0.05 + beyond), 0.001, level=0.01)
    assert found is Severity(severity)


def test_what_may_be_chance_is_no_drift_however_large():
    assert DriftRule.of(DriftPolicy()).severity(measured(0.9), 0.01, level=0.01) is Severity.OK


@pytest.mark.parametrize(("psi", "severity"), [(0.1, "OK"), (0.11, "WARNING"), (0.25, "WARNING"), (0.26, "CRITICAL")])
def test_the_classic_rule_asks_for_no_p_value(psi, severity):
    assert DriftRule.of(DriftPolicy(rule="psi")).severity(measured(psi=psi), 1.0, level=0.01) is Severity(severity)


def test_limits_of_the_yaml_stand_before_the_presets_and_a_features_own_before_both():
    policy = DriftPolicy(rule="sensitive", effect_warning=0.03, effect_max=0.2)
    assert DriftRule.of(policy) == DriftRule(False, 0.03, 0.2)
    assert DriftRule.of(policy, Feature(name="x", kind="numeric", effect_max=0.5)) == DriftRule(False, 0.03, 0.5)
    own = Feature(name="x", kind="numeric", effect_warning=0.15)
    assert DriftRule.of(policy, own) == DriftRule(False, 0.15, 0.2)
    assert DriftRule.of(DriftPolicy(effect_max=0.01)) == DriftRule(False, 0.01, 0.01)
    classic = DriftPolicy(rule="psi", psi_max=0.4)
    assert DriftRule.of(classic, Feature(name="x", kind="numeric", psi_max=0.05)) == DriftRule(True, 0.05, 0.05)
