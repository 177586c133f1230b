"""Whether all stacks are there, in a good state, and of one version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cli.doctor.checks.installation import FIXED_STACKS, FUNCTION, MODELS, Installation
from cli.doctor.findings import Finding, failed, ok, unknown, warning
from lambdas.stage import current

DEPLOY = "make deploy"


def check(installation: Installation) -> Iterator[Finding]:
    """Look at each stack's state, then at what code the functions of all stacks run."""
    stacks = installation.stacks
    if not stacks:
        place = f"account {installation.deployment.caller.account}, region {installation.region}"
        yield unknown(
            "Kedge",
            f"no stack of Kedge is in {place}, where {current().words} was looked for",
            f"{DEPLOY}, or name the right --region, --stage and AWS_PROFILE",
        )
        return
    yield from missing(list(stacks))
    for name, stack in stacks.items():
        yield state(name, stack, region=installation.region)
    yield from _versions(installation)


def missing(found: list[str]) -> Iterator[Finding]:
    """The kinds of stacks that are not there."""
    within = current()
    has_models = any(MODELS.fullmatch(within.plain(name)) for name in found)
    wanted = [*FIXED_STACKS, *(() if has_models else ("KedgeModels-1",))]
    for name in map(within.named, wanted):
        if name not in found:
            yield failed(name, "this stack is not deployed", DEPLOY)


def state(name: str, stack: Mapping[str, Any], *, region: str) -> Finding:
    """The meaning of the stack's status."""
    status, told = stack["StackStatus"], stack.get("StackStatusReason")
    why = f": {told}" if told else ""
    console = (
        f"CloudFormation console > {name} > Events says why: https://{region}.console.aws.amazon.com/cloudformation"
    )
    if status.endswith("_COMPLETE") and "ROLLBACK" not in status and "DELETE" not in status:
        return ok(name, status)
    if status.endswith("_IN_PROGRESS"):
        return warning(
            name, f"the stack is being changed: {status}", "wait until the deployment has ended, and look again"
        )
    if status == "UPDATE_ROLLBACK_COMPLETE":
        reason = f"the last deployment was rolled back, and the version before it runs{why}"
        return failed(name, reason, f"{console}; correct it, then {DEPLOY}")
    if status == "UPDATE_ROLLBACK_FAILED":
        remedy = f"{console}; then aws cloudformation continue-update-rollback --stack-name {name}"
        return failed(name, f"the stack is stuck between two versions{why}", remedy)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        remedy = f"{console}; then aws cloudformation delete-stack --stack-name {name}, then {DEPLOY}"
        return failed(name, f"the first deployment failed, and the stack cannot be updated: {status}{why}", remedy)
    return failed(name, f"the stack is {status}{why}", console)


def _versions(installation: Installation) -> Iterator[Finding]:
    stack_of = {function.physical_id: function.stack for function in installation.resources(FUNCTION)}
    by_code = defaultdict(set)
    for name, function in installation.functions.items():
        by_code[function["CodeSha256"]].add(stack_of[name])
    yield from versions(list(by_code.values()))


def versions(stacks_by_code: list[set[str]]) -> Iterator[Finding]:
    """All functions of Kedge share one package: two packages are two versions."""
    if len(stacks_by_code) > 1:
        told = "; ".join(", ".join(sorted(stacks)) for stacks in stacks_by_code)
        yield failed("the functions' code", f"the stacks run {len(stacks_by_code)} versions of Kedge: {told}", DEPLOY)
    elif stacks_by_code:
        yield ok("the functions' code", "all stacks run one version")
