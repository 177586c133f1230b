"""Takes the steps one after another, and says how each ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from cli.refusals import BadInputError
from cli.smoke.every_step import STEPS, Step
from cli.smoke.proof import NotProvedError, StepVerdict
from cli.smoke.world import Smoke
from kedge.errors import KedgeError

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Result:
    """How a step ended: on which resource, why, and what to do if it failed."""

    step: str
    tried: str
    verdict: StepVerdict
    arn: str
    cause: str
    remedy: str
    seconds: int


def chosen_steps(*, only: str | None, since: str | None) -> tuple[Step, ...]:
    """All steps, one of them, or those from one on."""
    names = [step.name for step in STEPS]
    for option, name in (("--only", only), ("--from", since)):
        if name is not None and name not in names:
            raise BadInputError(f"{option} is {name!r}; the steps are {', '.join(names)}")
    if only is not None and since is not None:
        raise BadInputError("say either --only or --from")
    if only is not None:
        return (STEPS[names.index(only)],)
    return STEPS[names.index(since) if since else 0 :]


def take(smoke: Smoke, steps: Sequence[Step], begun: Callable[[Step], object]) -> Iterator[Result]:
    """Take each step; one that needs a step that did not pass is skipped. After Ctrl-C all the others are."""
    failed: dict[str, StepVerdict] = {}
    for step in steps:
        because = next((f"{name} did not pass" for name in step.needs if name in failed), "")
        if INTERRUPTED in failed:
            because = "the run was interrupted"
        if because:
            failed[step.name] = StepVerdict.SKIPPED
            yield Result(step.name, step.tries, StepVerdict.SKIPPED, "", because, "", 0)
            continue
        begun(step)
        result = _taken(smoke, step)
        if result.verdict is not StepVerdict.PASS:
            failed[step.name] = result.verdict
        if result.cause == INTERRUPTED:
            failed[INTERRUPTED] = result.verdict
        yield result


def _taken(smoke: Smoke, step: Step) -> Result:
    began, arn, remedy = smoke.waiting.elapsed_seconds, "", ""
    verdict = StepVerdict.FAIL
    try:
        proof = step.prove(smoke)
        verdict, arn, cause = StepVerdict.PASS, proof.arn, proof.cause
    except NotProvedError as error:
        arn, cause, remedy = error.arn, error.cause, error.remedy
    except ClientError as error:
        arn, cause = error.operation_name, f"AWS answered: {error}"
        remedy = f"make sure that you may call {error.operation_name}, and take the step again with --from {step.name}"
    except (BotoCoreError, KedgeError) as error:
        arn, cause, remedy = step.name, str(error), f"correct that, and take the step again with --from {step.name}"
    except KeyboardInterrupt:
        arn, cause, remedy = step.name, INTERRUPTED, f"take the step again with --from {step.name}"
    seconds = round(smoke.waiting.elapsed_seconds - began)
    return Result(step.name, step.tries, verdict, arn, cause, remedy, seconds)
