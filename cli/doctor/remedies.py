"""Commands that several checks tell a person to type."""

from __future__ import annotations


def restore(stack: str) -> str:
    """Restore a stack's resources as in its template; a plain deployment sees no change, and does nothing."""
    change = f"--stack-name {stack} --change-set-name restore"
    return (
        f"aws cloudformation create-change-set {change} --use-previous-template --deployment-mode REVERT_DRIFT "
        f"--capabilities CAPABILITY_IAM && aws cloudformation wait change-set-create-complete {change} && "
        f"aws cloudformation execute-change-set {change}"
    )


def read_log(function: str, *, hours: int) -> str:
    """Show what a function logged lately."""
    group = (
        f"aws lambda get-function-configuration --function-name {function} --query LoggingConfig.LogGroup --output text"
    )
    return f"aws logs tail --since {hours}h $({group})"
