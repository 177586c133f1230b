"""The models' YAML files travel with the code; an unknown model is named with those that are known."""

import pytest

from kedge.errors import ModelConfigError, UnknownModelError
from lambdas.adapters.models import load_model, load_models

YAML = "{model: %s, endpoint: {name: e}, features: [{name: x, kind: numeric}]}"


def test_every_file_is_a_model(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(YAML % name)
    assert list(load_models(tmp_path)) == ["a", "b"]


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(UnknownModelError, match="hotel-cancellations"):
        load_model("nobody")


def test_a_bad_file_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("{model: m}")
    with pytest.raises(ModelConfigError, match=r"bad\.yaml"):
        load_models(tmp_path)
