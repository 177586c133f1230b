"""A canary's answers against the champion's over the same minutes."""

import numpy as np

from kedge.release.canary import FleetAnswers, Unread, judge_canary
from kedge.release.canary_reading import NOTHING_READ, AnswersRead
from tests.builders import make_config


def answers(seed, rows, shift=0.0):
    return 1 / (1 + np.exp(-(np.random.default_rng(seed).normal(size=rows) + shift)))


def verdict(canary, champion, *, requests=None, ending=True):
    requests = len(canary) if requests is None else requests
    fleets = FleetAnswers(canary), FleetAnswers(champion)
    return judge_canary(*fleets, make_config(), requests=requests, bake_is_ending=ending)


def test_the_same_distribution_is_healthy():
    found = [verdict(answers(seed, 150), answers(seed + 1_000, 900)).verdict for seed in range(200)]
    assert found.count("MISBEHAVING") == 0


def test_a_small_intended_change_is_healthy_and_a_large_one_is_not():
    champion = answers(1, 2_000)
    assert verdict(answers(2, 400, shift=0.3), champion).verdict == "HEALTHY"
    found = verdict(answers(2, 400, shift=2.0), champion)
    assert (found.verdict, found.gauge) == ("MISBEHAVING", 1)


def test_an_answer_that_is_no_number_sends_the_canary_back():
    assert verdict(np.array([0.2, np.nan]), answers(1, 50)).verdict == "MISBEHAVING"


def test_too_few_requests_are_unproven_only_when_the_bake_ends():
    few, champion = answers(1, 5), answers(2, 500)
    assert verdict(few, champion, ending=False).verdict == "HEALTHY"
    found = verdict(few, champion)
    assert (found.verdict, found.gauge) == ("UNPROVEN", 1)


def test_a_canary_without_any_answer_is_unproven():
    assert verdict(np.empty(0), np.empty(0), requests=0).verdict == "UNPROVEN"


ALL_READ = Unread()


def judged(canary, champion, *, ending, unread=(ALL_READ, ALL_READ), read=NOTHING_READ):
    fleets = FleetAnswers(canary, unread[0]), FleetAnswers(champion, unread[1])
    return judge_canary(*fleets, make_config(), requests=200, bake_is_ending=ending, read=read)


def test_a_canary_of_which_no_answer_was_read_is_never_healthy_and_unproven_when_the_bake_ends():
    none, some, lost = np.empty(0), answers(1, 200), Unread(9, "no endpointOutput in the record")
    for canary, champion, unread in (
        (none, some, ALL_READ),
        (none, none, ALL_READ),
        (some, none, ALL_READ),
        (some, none, lost),
    ):
        early, last = (judged(canary, champion, ending=end, unread=(ALL_READ, unread)) for end in (False, True))
        assert (early.verdict, early.gauge, early.judged) == ("UNDECIDED", 0, 0)
        assert (last.verdict, last.gauge, last.judged) == ("UNPROVEN", 1, 0)
    assert judged(some, some, ending=True).judged == 200


def test_where_all_traffic_moves_at_once_the_canary_is_compared_with_what_came_before_and_that_is_said():
    before = AnswersRead(when="in the hour before")
    found = judged(answers(1, 200), answers(2, 200), ending=True, read=before)
    assert (found.verdict, found.judged) == ("HEALTHY", 200)
    assert found.reasons[0].endswith("200 captured answers compared with the champion's in the hour before")
    found = judged(answers(1, 200, shift=2.0), answers(2, 200), ending=True, read=before)
    assert "differ from the champion's in the hour before" in found.reasons[0]


def test_an_unproven_canary_says_how_many_were_captured_and_what_came():
    lost = Unread(180, "endpointOutput is a page of HTML or XML, neither CSV nor JSON")
    (reason,) = judged(np.empty(0), answers(1, 200), ending=True, unread=(lost, ALL_READ)).reasons
    assert reason == (
        "the canary answered 200 requests, but no answer was compared: none of the 180 captured requests of the canary could be "
        "read (endpointOutput is a page of HTML or XML, neither CSV nor JSON)"
    )
    (reason,) = judged(answers(1, 200), np.empty(0), ending=True, unread=(ALL_READ, lost)).reasons
    assert "of the champion could be read" in reason
    (reason,) = judged(np.empty(0), np.empty(0), ending=True).reasons
    assert reason.endswith("no request to the canary was captured; no request to the champion was captured")


def test_a_handful_of_answers_proves_no_misbehaviour():
    for rows in (1, 2, 4):
        assert verdict(np.full(rows, 0.9), np.full(rows, 0.1), ending=False).verdict == "HEALTHY"


CLASSES = make_config().model_copy(update={"problem": "multiclass_classification"})


def classes(seed, rows, shares):
    return np.random.default_rng(seed).choice(len(shares), rows, p=shares).astype(float)


def of_classes(canary, champion):
    fleets = FleetAnswers(canary), FleetAnswers(champion)
    return judge_canary(*fleets, CLASSES, requests=len(canary), bake_is_ending=True)


def test_classes_are_compared_without_an_order():
    champion = classes(1, 900, [0.5, 0.3, 0.2])
    assert of_classes(classes(2, 150, [0.5, 0.3, 0.2]), champion).verdict == "HEALTHY"
    # The middle class lost to both ends: a KS statistic of 0.25 would pass, half of the answers moved.
    found = of_classes(np.repeat([0.0, 2.0], 75), np.repeat([0.0, 1.0, 2.0], [253, 490, 257]))
    assert found.verdict == "MISBEHAVING"
    assert "total variation 0.49 (limit 0.3)" in found.reasons[0]


def test_a_canary_of_classes_like_the_champion_is_healthy_however_few_its_answers():
    for seed in range(200):
        canary = classes(seed, 1 + seed // 4, [0.7, 0.2, 0.05, 0.05])
        assert of_classes(canary, classes(1_000 + seed, 200, [0.7, 0.2, 0.05, 0.05])).verdict != "MISBEHAVING"


def test_an_answer_that_is_no_class_sends_the_canary_back():
    assert "not a class" in of_classes(np.array([0.0, np.nan]), np.zeros(50)).reasons[0]
