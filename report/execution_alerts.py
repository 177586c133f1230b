"""Alerts about an execution of either machine: it waits for capacity, or it failed."""

from __future__ import annotations

from kedge.release.shortage import is_shortage, quota_in
from report.alert_words import Detail, Message, execution_link, requested, retrain_command, run, section
from report.failures import log_link, plain_failure
from report.release_words import going_back, release_name

MACHINES = {"kedge-retrain": "the retraining", "kedge-release": "the release"}

ENDED = {"ABORTED": "was stopped", "TIMED_OUT": "took too long and was ended"}

RELEASE_NEXT = (
    "Nothing by itself. The endpoint is as the release left it. To start the release again, reject and then approve the package. "
    "This shows what serves:\nkedge status {model}"
)


def capacity_awaited(_model: str, detail: Detail) -> Message:
    """SageMaker has no instance for a step, or a quota allows none."""
    machine, cause = str(detail.get("machine", "")), str(detail.get("cause", ""))
    return Message(
        f"{what_runs(machine, detail)} waits for {'a quota' if quota_in(cause) else 'capacity'} "
        f"at {detail.get('state', 'a step')}",
        (
            section("WHY", plain_failure(str(detail.get("error", "unknown")), cause)),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                "Kedge tries again for a day, first after 5 minutes, later every hour. You get another mail if it gives up. "
                "The endpoint serves as before. Until then nothing else works on the model; to end the wait, stop the execution.",
            ),
            section("WHAT YOU CAN DO", shortage_remedy(cause)),
            section("WHERE TO LOOK", execution_link(str(detail.get("execution", "")))),
            run(detail),
        ),
    )


def failed(model: str, detail: Detail) -> Message:
    """An execution broke."""
    machine, error = str(detail.get("machine", "")), str(detail.get("error", "unknown"))
    cause = str(detail.get("cause", ""))
    ended = ENDED.get(error) or f"failed at {detail.get('state', 'a step')}"
    links = [log_link(cause), execution_link(str(detail.get("execution", "")))]
    return Message(
        f"{what_runs(machine, detail)} {ended}",
        (
            section("WHY", plain_failure(error, cause)),
            going_back(detail),
            section(
                "WHAT HAPPENS NEXT",
                RELEASE_NEXT.format(model=model) if "release" in machine else retraining_next(model, detail),
            ),
            section("WHAT YOU CAN DO", shortage_remedy(cause)),
            section("WHAT THE RETRAINING COST", str(detail.get("cost", ""))),
            section("WHERE TO LOOK", "\n".join(link for link in links if link)),
            run(detail),
        ),
    )


def what_runs(machine: str, detail: Detail) -> str:
    """The machine in a word; for a rollback the two versions."""
    return release_name(detail) if detail.get("rollback") else MACHINES.get(machine, "a run")


def shortage_remedy(cause: str) -> str:
    """What a person can do about a quota, or about missing instances; empty if the cause is another."""
    if quota := quota_in(cause):
        return (
            f"Ask for more of the quota '{quota}' at https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas "
            "(in the model's region), or stop something that uses it."
        )
    if is_shortage(cause):
        return "Choose another instance type in the model's YAML and deploy, or wait until AWS has instances again."
    return ""


def retraining_next(model: str, detail: Detail) -> str:
    """Whether Kedge tries a failed retraining again."""
    if requested(detail):
        return (
            "Nothing was released, and Kedge does not try again by itself. Correct the cause, then request it again:\n"
            f"{retrain_command(model, detail)}"
        )
    return "Nothing was released. Kedge tries again with the next window that still needs it, at most retraining.attempts_maximum times."
