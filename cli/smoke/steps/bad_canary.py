"""Step 9: a package that answers wrongly is sent back by itself, and told."""

from __future__ import annotations

from cli.smoke.model import MODEL
from cli.smoke.packages import REQUESTS_A_MINUTE, approve, reason_of, register_like, released
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.steps.alert_path import listen
from cli.smoke.steps.approval import serves
from cli.smoke.world import Smoke

# Every answer is moved towards 1, as after a mistake in the preparation of features: valid, quick, and wrong.
SHIFTED = """

kedge_smoke_predict_fn = predict_fn


def predict_fn(rows, model):
    return [answer**0.1 for answer in kedge_smoke_predict_fn(rows, model)]
"""


def prove(smoke: Smoke) -> Proof:
    """Approve a package whose answers are shifted, send requests while it bakes, and see it go back and be told."""
    before, topics = smoke.serving(), listen(smoke)
    package = register_like(smoke, before.package_arn, tail=SHIFTED)
    version = package.rpartition("/")[2]
    approve(smoke, package)
    execution = released(smoke, package, expected="canary_rolled_back", meanwhile=lambda: smoke.ask(REQUESTS_A_MINUTE))
    proof = serves(smoke, before.package_arn, f"version {version} went back by itself in {execution}")
    for name, words in (
        ("Alerts", f"the canary of package version {version} was rolled back"),
        ("Events", "canary_rolled_back"),
    ):
        if smoke.listener.hears(topics[name], words, MODEL, waiting=smoke.waiting) is None:
            raise NotProvedError(
                f"the rollback of version {version} was not told on {name}",
                arn=topics[name],
                remedy="look at the state TellRolledBack of the execution, and at the log of tell",
            )
    return Proof(proof.arn, f"{proof.cause}, and was told: {reason_of(smoke, 'canary_rolled_back', package)}")
