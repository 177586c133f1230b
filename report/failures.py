"""Why a step failed, in one plain sentence; a link leads to the details."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from kedge import errors
from report.alert_words import shortened

WIDTH = 400  # of a sentence that a mail or a line of the history can hold
# The words that SageMaker's containers and its own service write before the script's own words.
_WRAPPINGS = ("AlgorithmError", "ExecuteUserScriptError", "ClientError", "InternalServerError")
_ERROR_MESSAGE = re.compile(r'ErrorMessage "(.*?)"?(?:\s*Command "|, exit code:|$)', re.DOTALL)
# The last line of a traceback: a class, perhaps with its module, and its message.
_RAISED = re.compile(r"^\s*((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Warning)\b(?::.*)?)\s*$")
_REQUEST_ID = re.compile(r"^RequestId: \S+ (?:Error: )?")
_ENDINGS = {
    "ABORTED": "a person stopped the execution",
    "TIMED_OUT": "the execution took longer than its state machine allows",
    "FAILED": "the execution ended without a reason",
    "States.TaskFailed": "the step ended without a reason",
    "States.Timeout": "the step took longer than the state machine allows",
    "States.HeartbeatTimeout": "the step took longer than the state machine allows",
}
_JOBS = {"TrainingJobName": "TrainingJobs", "TransformJobName": "TransformJobs"}


def plain_failure(error: str, cause: str) -> str:
    """Say why a step failed: the message of a function's error, the last line of a script's, without any stack.

    >>> plain_failure("States.TaskFailed", '{"errorMessage": "no row", "errorType": "KeyError", "stackTrace": ["File x.py"]}')
    'KeyError: no row'
    >>> plain_failure("States.TaskFailed", '{"FailureReason": "AlgorithmError: s3://b/x: no such file or directory"}')
    's3://b/x: no such file or directory'
    """
    answer = _answer(cause)
    if "errorMessage" in answer:
        kind, said = str(answer.get("errorType", error)), _last_line(str(answer["errorMessage"]))
        said = _REQUEST_ID.sub("", said)
        return shortened(said if hasattr(errors, kind) or kind in said else f"{kind}: {said}", WIDTH)
    if "FailureReason" in answer:
        return shortened(_last_line(str(answer["FailureReason"])), WIDTH)
    if not cause.strip() or cause == "not given":
        return _ENDINGS.get(error, f"the step failed with {error} and gave no reason")
    return shortened(_last_line(cause), WIDTH)


def log_link(cause: str) -> str:
    """The link to the log of the failed job; empty if no job is named."""
    answer = _answer(cause)
    for name, group in _JOBS.items():
        arn = str(answer.get(name.replace("Name", "Arn"), "")).split(":")
        if name in answer and len(arn) > 3:
            # The console writes its fragment so: a path quoted twice, the rest once, and $ instead of %.
            path = quote(quote(f"/aws/sagemaker/{group}", safe=""), safe="").replace("%", "$")
            stream = quote(f"?logStreamNameFilter={answer[name]}/", safe="").replace("%", "$")
            console = f"https://{arn[3]}.console.aws.amazon.com/cloudwatch/home?region={arn[3]}"
            return f"{console}#logsV2:log-groups/log-group/{path}{stream}"
    return ""


def _answer(cause: str) -> dict[str, Any]:
    try:
        found = json.loads(cause)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _last_line(text: str) -> str:
    """The line with the raised error; else the last line, without SageMaker's own wrappings."""
    quoted = _ERROR_MESSAGE.search(text)
    lines = [line.strip() for line in (quoted[1] if quoted else text).replace("\\n", "\n").splitlines() if line.strip()]
    if not lines:
        return text.strip()
    raised = [match[1] for line in lines if (match := _RAISED.match(line)) and not line.startswith(_WRAPPINGS)]
    return raised[-1] if raised else _unwrapped(lines[-1])


def _unwrapped(line: str) -> str:
    for word in _WRAPPINGS:
        line = line.removeprefix(f"{word}: ")
    return line
