"""The names of a model's tuning jobs are short enough for SageMaker, and such as its role may make."""

from fnmatch import fnmatchcase

import pytest

from kedge.config.training import tuning_pattern
from kedge.retraining.decision import run_name, tuning_name


@pytest.mark.parametrize("length", range(1, 30))
@pytest.mark.parametrize("kind", ["performance", "new_rows", "manual"])
def test_the_role_may_make_every_tuning_job_of_a_model(length, kind):
    resource_name = ("dev-my-hotel-cancellations-" + "x" * 9)[:length].rstrip("-")
    name = tuning_name(run_name(resource_name, kind, "episode", 2))
    # An attempt's number, and how often instances were lacking.
    assert len(f"{name}-111") <= 32
    assert fnmatchcase(name, tuning_pattern(resource_name))
