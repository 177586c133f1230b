"""Which package comes back, and how its fleet is judged."""

import pytest

from kedge.config.policies import CanaryPolicy
from kedge.release.canary import Unread
from kedge.release.canary_reading import AnswersRead
from kedge.release.returned import judge_returned
from kedge.release.way_back import KEPT_MAX, Kept, choose, kept_after


def kept(version):
    return Kept(f"arn/{version}", str(version), str(version), f"m-v{version}", f"m-v{version}")


def test_going_back_twice_goes_further_and_never_to_what_was_left():
    stack = kept_after(kept(2), (kept(1),), package_arn="arn/3")
    back = kept_after(kept(3), stack, package_arn="arn/2")
    assert [each.package_version for each in back] == ["1"]
    assert kept_after(kept(2), back, package_arn="arn/1") == ()


def test_a_package_that_is_released_again_after_a_way_back_can_go_back_once_more():
    assert kept_after(kept(1), (), package_arn="arn/2") == (kept(1),)


def test_so_many_packages_are_kept_and_no_more():
    stack = ()
    for version in range(1, 30):
        stack = kept_after(kept(version), stack, package_arn=f"arn/{version + 1}")
    assert len(stack) == KEPT_MAX
    assert stack[0].package_version == "29"


def test_the_newest_package_that_can_serve_is_chosen_and_newer_ones_are_named():
    way = choose("m", (kept(3), kept(2), kept(1)), {"m-v3": "version 3 is Rejected in the registry"})
    assert (way.kept, way.reasons) == (kept(2), ("version 3 is Rejected in the registry",))


def test_without_any_package_the_reasons_say_why_and_what_to_do():
    way = choose("m", (kept(1),), {"m-v1": "version 1: its endpoint config m-v1 was deleted"})
    assert way.kept is None
    assert "was deleted" in way.reasons[1]
    assert "kedge rollback m --to VERSION" in way.reasons[2]


@pytest.mark.parametrize(
    ("requests", "errors", "read", "unread", "verdict", "said"),
    [
        (100, 0, AnswersRead(rows=90), Unread(), "HEALTHY", "90 captured answers read"),
        (100, 2, AnswersRead(rows=90), Unread(), "MISBEHAVING", "2 of the 100 requests failed"),
        (100, 1, AnswersRead(rows=90), Unread(), "HEALTHY", "1 of them failed"),
        (100, 0, AnswersRead(rows=90, wrong=1), Unread(), "MISBEHAVING", "1 of its 90 answers"),
        (100, 0, AnswersRead(), Unread(), "UNDECIDED", "captures come minutes late"),
        (100, 0, AnswersRead(), Unread(5, "no JSON"), "UNDECIDED", "(no JSON)"),
        (0, 0, AnswersRead(), Unread(), "UNDECIDED", "0 requests"),
    ],
)
def test_a_package_that_came_back_is_judged_by_its_own_answers(requests, errors, read, unread, verdict, said):
    judged = judge_returned(CanaryPolicy(), requests=requests, server_errors=errors, read=read, unread=unread)
    assert judged.verdict == verdict
    assert said in judged.reasons[0]
