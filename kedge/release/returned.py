"""Whether a package that came back at once answers well: it is looked at like a canary, and compared with nothing."""

from __future__ import annotations

from kedge.comparisons import counted
from kedge.config.policies import CanaryPolicy
from kedge.release.canary import CanaryVerdict, Unread
from kedge.release.canary_reading import AnswersRead


def judge_returned(
    policy: CanaryPolicy, *, requests: int, server_errors: int, read: AnswersRead, unread: Unread
) -> CanaryVerdict:
    """Judge what a package answers that came back at once. It is not compared: whoever goes back fled from what it replaced.

    >>> judge_returned(CanaryPolicy(), requests=40, server_errors=0, read=AnswersRead(rows=40), unread=Unread()).verdict
    'HEALTHY'
    >>> judge_returned(CanaryPolicy(), requests=40, server_errors=20, read=AnswersRead(), unread=Unread()).reasons
    ('20 of the 40 requests failed since it came back (limit 1 %)',)
    """
    if requests and server_errors / requests > policy.server_error_fraction_max:
        failed = f"{server_errors:,} of the {counted(requests, 'request')} failed since it came back"
        return CanaryVerdict("MISBEHAVING", (f"{failed} (limit {100 * policy.server_error_fraction_max:g} %)",))
    if read.wrong:
        wrong = f"{read.wrong:,} of its {read.rows:,} answers are no answers that the model's YAML names"
        return CanaryVerdict("MISBEHAVING", (wrong,), read.rows)
    answered = f"{counted(requests, 'request')}, {server_errors:,} of them failed"
    if not read.rows:
        why = f" ({unread.reason})" if unread.records else ": captures come minutes late"
        return CanaryVerdict("UNDECIDED", (f"{answered}; none of its captured answers could be read yet{why}",))
    return CanaryVerdict("HEALTHY", (f"{answered}; {counted(read.rows, 'captured answer')} read",), read.rows)
