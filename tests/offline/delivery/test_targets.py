"""Which failures of a delivery end it, and which are tried again."""

import pytest

from offline.delivery.targets import TargetError


@pytest.mark.parametrize(
    "code", ["AuthorizationError", "AWS.SimpleQueueService.NonExistentQueue", "ResourceNotFoundException"]
)
def test_a_target_that_is_gone_or_says_no_ends_a_delivery(code):
    assert TargetError(code, "no").terminal


@pytest.mark.parametrize(
    "code", ["InvalidRuntimeStateForNow", "KMSInvalidStateException", "StateMachineDeleting", "NotFoundYet"]
)
def test_a_failure_with_another_name_is_tried_again_whatever_words_are_in_it(code):
    assert not TargetError(code, "not now").terminal
