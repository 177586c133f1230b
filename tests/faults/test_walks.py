"""A sample of the walks, by seed: nothing is lost, doubled, silent or apart. `make faults` walks all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.stories import STORIES
from tests.faults.walks import Table, Walker

pytestmark = pytest.mark.slow

SEED, CASES_PER_STORY = 12, 1
WALKS = {"states", "kills", "throttling", "memory", "clock"}


@pytest.fixture(scope="module")
def walker() -> Walker:
    walker = Walker(per_story=CASES_PER_STORY, seed=SEED)
    walker.walk()
    return walker


@pytest.fixture(scope="module")
def table(walker: Walker) -> Table:
    walker.table.write(Path("build/faults.json"))
    print(f"\n{walker.table.text()}")
    return walker.table


@pytest.mark.parametrize("kind", ["lost", "doubled", "silent", "apart"])
def test_of_a_sample_of_faults_nothing_is(kind, table):
    assert [what for found, what in table.findings() if found == kind] == []


def test_the_sample_came_to_its_faults(table):
    assert {walk for walk, row in table.rows.items() if row.tried} == WALKS
    # What leads to some faults is drawn as well, and they may not come to pass.
    assert sum(row.tried for row in table.rows.values()) >= 0.8 * len(STORIES)


def test_every_function_is_called_undisturbed(table):
    # A deployment calls the first (`tests/offline/test_deployed_system.py`), and no story has a pipeline
    # (`tests/end_to_end/test_pipeline_trainer.py` has).
    assert table.uncalled == ["define_models", "take_trained"]
