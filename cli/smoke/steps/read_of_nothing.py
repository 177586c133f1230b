"""Step 4: whether a model without data ends in an answer and not in an error."""

from __future__ import annotations

from datetime import timedelta

from cli.operator.deployment import MONITORING, RETRAINING
from cli.smoke.model import MODEL
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke
from kedge.instants import to_text

FUNCTION = "AWS::Lambda::Function"


def prove(smoke: Smoke) -> Proof:
    """Have the functions count, judge and decide about a model that nothing serves yet."""
    if smoke.champion is not None:
        raise NotProvedError(
            f"a package of {MODEL} serves already, so there is something to read",
            arn=MODEL,
            remedy="go on with `kedge smoke --from capture`, or remove it with `kedge smoke --clean`",
        )
    end = smoke.now
    message = {"model": MODEL, "time": to_text(end)}
    judged = {**message, "window": {"start": to_text(end - timedelta(days=1)), "end": to_text(end)}}
    asked = (
        (MONITORING, "ProfileLogs", message, {"RowsCaptured": 0, "RecordsQuarantined": 0, "RowsDuplicated": 0}),
        (MONITORING, "DetectDrift", judged, {"severity": None, "reason": f"{MODEL} is not deployed"}),
        (RETRAINING, "DecideRetraining", message, {"action": "NONE", "reasons": [f"{MODEL} is not deployed"]}),
    )
    name = ""
    for stack, function, body, expected in asked:
        name = smoke.deployment.find(stack, FUNCTION, function)
        answer = smoke.invoke_with(name, body)
        if answer != expected:
            raise NotProvedError(
                f"it answers {answer!r}, not {expected!r}",
                arn=name,
                remedy=f"look at its log: aws logs tail /aws/lambda/{name} --since 1h",
            )
    return Proof(name, f"0 rows are counted, and judging and deciding say: {MODEL} is not deployed")
