"""Which models ring together, and when what rings is over."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kedge.alerts.ringing import CAUSES, NAMED, Bundle, changes

NOW = datetime(2016, 1, 4, 0, 50, tzinfo=UTC)
AGE, BLIND = "JudgementAgeCadences", "InvocationsWithoutCapture"
looks = st.lists(
    st.dictionaries(st.sampled_from(sorted(CAUSES)), st.sets(st.sampled_from("abcd")), max_size=3),
    min_size=1,
    max_size=8,
)


def test_models_of_one_way_begin_together_and_causes_are_told_apart():
    found = changes([], {AGE: {"b", "a", "c"}, BLIND: {"a"}}, {"a": "risk", "b": "risk", "c": "fraud"}, NOW)
    told = [(each.cause, each.models) for each in found.began]
    assert told == [(AGE, ("a", "b")), (AGE, ("c",)), (BLIND, ("a",))]


def test_a_bundle_lasts_while_one_of_its_models_rings_and_one_that_comes_back_belongs_to_it():
    both = Bundle(AGE, NOW, ("a", "b"))
    for ringing in ({"a"}, {"b"}, {"a", "b"}):
        found = changes([both], {AGE: ringing}, {}, NOW + timedelta(hours=12))
        assert (found.began, found.over, found.lasts) == ((), (), (both,))
    assert changes([both], {AGE: set()}, {}, NOW).over == changes([both], {BLIND: {"a"}}, {}, NOW).over == (both,)


@given(looks)
def test_whoever_rings_is_in_one_bundle_that_stands_and_each_bundle_ends_once(each_look):
    standing, begun, over = (), 0, 0
    for number, ringing in enumerate(each_look):
        found = changes(standing, ringing, {"a": 1, "b": 1}, NOW + timedelta(hours=number))
        standing = (*found.lasts, *found.began)
        begun, over = begun + len(found.began), over + len(found.over)
        for cause, models in ringing.items():
            for model in models:
                assert sum(each.cause == cause and model in each.models for each in standing) == 1
    assert begun - over == len(standing)


def test_a_message_names_a_few_models_and_says_the_number_of_all():
    detail = Bundle(AGE, NOW, tuple(f"m-{n:03}" for n in range(100))).detail("ALARM", 3.0)
    assert len(detail["models"]) == NAMED
    assert detail["models_count"] == 100
    assert detail["says"] == "Kedge: not judged for 2 cadences, with 99 more models"
    assert Bundle(AGE, NOW, ("a", "b")).detail("ALARM")["says"] == "Kedge: not judged for 2 cadences, with b"


def test_what_is_kept_for_the_next_look_is_what_it_was():
    bundle = Bundle(AGE, NOW, ("a", "b"))
    assert Bundle.from_json(bundle.to_json()) == bundle
