"""Who decided last is known although Kedge has changed the package since; who is not known for certain is not named."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedge.release.last_decision import LastDecision, last_decision, notes_of

AT = datetime(2016, 2, 11, 12, 0, 0, 250_000, tzinfo=UTC)
KEDGE = LastDecision(AT + timedelta(hours=1), "arn:aws:sts::1:assumed-role/Settle/kedge-settle", "kedge-settle")
ANN = LastDecision(AT, "arn:aws:sts::1:assumed-role/Approver/ann", "ann")
SAID = {"status": "Approved", "comment": "good"}
NAMES = st.sampled_from(["", "ann", "arn:aws:sts::1:assumed-role/Approver/ann", "arn:aws:iam::1:user/ann"])


@given(st.none() | st.datetimes(timezones=st.just(UTC)), NAMES, NAMES, st.integers(1, 3))
def test_what_was_decided_outlives_any_number_of_stages(at, by, person, times):
    decided = LastDecision(at, by, person)
    for _ in range(times):
        decided = last_decision(KEDGE, notes_of(decided, **SAID, role="Settle"), **SAID)
    assert decided == LastDecision(at, by, person)


@pytest.mark.parametrize("by", [ANN.by, "ann", "arn:aws:iam::1:user/ann", "arn:aws:sts::1:assumed-role/Other/settle"])
def test_a_change_of_anybody_else_is_the_last_word(by):
    changed = LastDecision(AT + timedelta(hours=2), by, "somebody")
    notes = notes_of(ANN, **SAID, role="Settle")
    assert last_decision(changed, notes, **SAID) == changed
    assert last_decision(changed, {}, **SAID) == changed


@pytest.mark.parametrize(
    "now", [{"status": "Rejected", "comment": "good"}, {"status": "Approved", "comment": "ben: too"}]
)
def test_of_a_word_between_reading_and_writing_nobody_is_named(now):
    notes = notes_of(ANN, **SAID, role="Settle")
    assert last_decision(KEDGE, notes, **now) == LastDecision(KEDGE.at, "", "")


def test_a_registry_that_names_nobody_is_read_by_what_was_noted():
    unnamed = LastDecision(KEDGE.at, "", "")
    notes = notes_of(ANN, **SAID, role="Settle")
    assert last_decision(unnamed, notes, **SAID) == ANN
    assert last_decision(unnamed, notes, status="Rejected", comment="") == unnamed
