"""An answer that AWS refused, as a finding: the missing permission."""

from __future__ import annotations

import re

from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.findings import Finding, unknown

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized")
_ACTION = re.compile(r"perform:? ([\w-]+:\w+)")


def could_not_look(error: ClientError | BotoCoreError) -> Finding:
    """Name the missing permission, else repeat AWS's message."""
    if not isinstance(error, ClientError):
        return unknown("AWS", f"AWS could not be reached: {error}", "look at the network, the region and the profile")
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code not in DENIED:
        return unknown(error.operation_name, f"AWS answered {code}: {message}", "correct that, and look again")
    told = _ACTION.search(message)
    action = told[1] if told else error.operation_name
    return unknown(action, f"you may not call {action}", f"let an administrator allow you {action}, and look again")


def absent(error: ClientError) -> bool:
    """Whether AWS said that it has no such thing."""
    code = error.response["Error"]["Code"]
    return any(word in code for word in ("NotFound", "NoSuch", "NonExistent"))
