"""Step 5: a first training, from rows that a person hands over."""

from __future__ import annotations

from cli.operator.operations import ask_for_retraining
from cli.smoke.model import MODEL, TRAINING_ROWS, draw_rows, training_parquet
from cli.smoke.packages import pending_packages, why
from cli.smoke.proof import NotProvedError, Proof
from cli.smoke.world import Smoke
from lambdas.adapters.bucket import layout

TRAINING_MINUTES = 90
ENDS = ("gate_passed", "gate_failed", "data_rejected", "failed")


def prove(smoke: Smoke) -> Proof:
    """Upload rows with a signal, ask for the first training, and wait until the gate has passed a pending package."""
    body = training_parquet(draw_rows(TRAINING_ROWS, smoke.random), until=smoke.now)
    smoke.client("s3").put_object(Bucket=smoke.bucket, Key=layout.initial_key(MODEL), Body=body)
    answer = ask_for_retraining(smoke.deployment, MODEL, "kedge smoke", initial=True)
    if answer["action"] != "START":
        raise NotProvedError(
            "; ".join(answer["reasons"]),
            arn=smoke.deployment.decide_function,
            remedy="remove what an earlier smoke left with `kedge smoke --clean`",
        )
    arn = _passed_by_the_gate(smoke, answer["run"])
    pending = pending_packages(smoke)
    if len(pending) != 1:
        raise NotProvedError(
            f"1 package of {MODEL} should wait for approval, and there are {len(pending)}",
            arn=arn,
            remedy="look at the registry",
        )
    return Proof(
        pending[0],
        f"{TRAINING_ROWS:,} rows were handed over, the gate passed, and the package waits for approval: {arn}",
    )


def _passed_by_the_gate(smoke: Smoke, run: str) -> str:
    """Wait until a retraining has ended, and require that its gate has passed; the execution's ARN."""
    arn, _ = smoke.retraining(run)

    def ended() -> str | None:
        status = smoke.retraining(run)[1]
        return None if status == "RUNNING" else status

    status = smoke.waiting.until(ended, minutes=TRAINING_MINUTES)
    ends = [entry for entry in smoke.timeline(*ENDS) if entry["detail"].get("run") == run]
    if status != "SUCCEEDED" or [entry["kind"] for entry in ends] != ["gate_passed"]:
        said = "; ".join(f"{entry['kind']}: {why(entry['detail'])}" for entry in ends)
        raise NotProvedError(
            f"the retraining is {status or 'still running'}" + (f": {said}" if said else ""),
            arn=arn,
            remedy="open the execution in the Step Functions console: the first red state says why",
        )
    return arn
