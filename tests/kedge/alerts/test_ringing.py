"""Which models ring together, and when what rings is over."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kedge.alerts.incident import incident_of
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


def test_a_bundle_lasts_while_one_of_its_models_rings_and_one_that_rings_again_is_told_of_anew():
    (both,) = changes([], {AGE: {"a", "b"}}, {}, NOW).began
    assert both.first == "a"
    (less,) = changes([both], {AGE: {"b"}}, {}, NOW).lasts
    assert (less.models, less.ringing) == (("a", "b"), ("b",))
    again = changes([less], {AGE: {"a", "b"}}, {}, NOW + timedelta(hours=12))
    assert [each.models for each in (*again.lasts, *again.began)] == [("b",), ("a",)]
    (over,) = changes([less], {AGE: set()}, {}, NOW).over
    assert (over.models, over.first) == (("a", "b"), "a")
    # The end closes what the beginning opened, and not what the same model began since.
    opened, ended = (
        incident_of(m, "alarm", NOW, each.detail(s, name=m)) for m, each, s in (("a", both, "ALARM"), ("b", over, "OK"))
    )
    assert (opened.name, opened.resolved, ended.resolved) == (ended.name, False, True)
    assert incident_of("a", "alarm", NOW, again.began[0].detail("ALARM", name="a")).name != opened.name


@given(looks)
def test_whoever_rings_is_in_one_bundle_that_stands_and_each_bundle_ends_once(each_look):
    standing, begun, over = (), 0, 0
    for number, ringing in enumerate(each_look):
        found = changes(standing, ringing, {"a": 1, "b": 1}, NOW + timedelta(hours=number))
        standing = (*found.lasts, *found.began)
        begun, over = begun + len(found.began), over + len(found.over)
        for cause, models in ringing.items():
            for model in models:
                assert sum(each.cause == cause and model in each.ringing for each in standing) == 1
    assert all(each.ringing for each in standing)
    assert begun - over == len(standing)


def test_a_message_names_a_few_models_and_says_the_number_of_all():
    detail = Bundle.began(AGE, NOW, [f"m-{n:03}" for n in range(100)]).detail("ALARM", name="m-000", value=3.0)
    assert len(detail["models"]) == NAMED
    assert detail["models_count"] == 100
    assert detail["says"] == "Kedge: not judged for 2 cadences, with 99 more models"
    assert (
        Bundle.began(AGE, NOW, ["a", "b"]).detail("ALARM", name="a")["says"]
        == "Kedge: not judged for 2 cadences, with b"
    )


def test_what_is_kept_for_the_next_look_is_what_it_was():
    bundle = Bundle(AGE, NOW, ("a", "b"), quiet=("b",), first="c")
    assert Bundle.from_json(bundle.to_json()) == bundle
