"""How an invocation fails, as Lambda tells it."""

from __future__ import annotations

from moto.awslambda.exceptions import LambdaClientError


class FunctionError(Exception):
    """A function raised, timed out, or answered what Lambda cannot hand on."""

    def __init__(self, *, function: str, error_type: str, message: str, trace: tuple[str, ...] = ()) -> None:
        super().__init__(f"{function}: {error_type}: {message}" + ("\n" + "".join(trace) if trace else ""))
        self.function, self.error_type, self.message = function, error_type, message
        self.payload = {"errorMessage": message, "errorType": error_type, "stackTrace": list(trace)}


def check_size(size: int, limit: int, function: str) -> None:
    """Refuse a payload that is too large."""
    if size > limit:
        raise LambdaClientError(
            "RequestTooLargeException", f"Request must be smaller than {limit} bytes for the function {function}"
        )
