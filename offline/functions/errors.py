"""How an invocation fails, as Lambda tells it."""

from __future__ import annotations

from moto.awslambda.exceptions import LambdaClientError


class FunctionError(Exception):
    """A function raised, timed out, or answered what Lambda cannot hand on."""

    def __init__(self, *, function: str, error_type: str, message: str, trace: tuple[str, ...] = ()) -> None:
        super().__init__(f"{function}: {error_type}: {message}" + ("\n" + "".join(trace) if trace else ""))
        self.function, self.error_type, self.message, self.trace = function, error_type, message, trace
        self.payload = {"errorMessage": message, "errorType": error_type, "stackTrace": list(trace)}

    @property
    def logged(self) -> str:
        """Return the event that the function's log group gets."""
        if self.error_type == "Sandbox.Timedout":
            return self.message
        return f"[ERROR] {self.error_type}: {self.message}\nTraceback (most recent call last):\n" + "".join(self.trace)


def check_size(size: int, limit: int, function: str) -> None:
    """Refuse a payload that is too large."""
    if size > limit:
        raise LambdaClientError(
            "RequestTooLargeException", f"Request must be smaller than {limit} bytes for the function {function}"
        )
