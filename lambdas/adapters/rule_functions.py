"""A model's own rule of the gate: a Lambda function of the team's, called by its name.

It is given `{version, model, run, time, champion, rows, holdout}`: the gate's rows so far, and where both models' answers and the
truth lie. It answers `{verdict, sentence}` and, if it likes, `value`, `low`, `high` and `limit`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

VERSION = 1
CONNECT_SECONDS = 5
REMEDY = "correct the rule, or take gate.rule_function out of the YAML, then request the retraining again"


def ask(name: str, question: Mapping[str, Any], *, timeout_seconds: int) -> dict[str, Any]:
    """Call the rule once; a call that fails, or takes too long, is an answer that refuses and says so."""
    # A second attempt would be a second bill of somebody else's, and the gate's function has no time for it.
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=timeout_seconds, retries={"total_max_attempts": 1})
    lambda_ = boto3.client("lambda", config=config)
    try:
        answer = lambda_.invoke(FunctionName=name, Payload=json.dumps({"version": VERSION, **question}).encode())
        content = answer["Payload"].read()
    except ReadTimeoutError:
        return _refused(f"the rule {name} did not answer within {timeout_seconds} seconds (gate.rule_timeout_seconds)")
    except ClientError as error:
        return _refused(f"the rule {name} could not be called: {error.response['Error']['Code']}")
    except BotoCoreError as error:
        return _refused(f"the rule {name} could not be called: {type(error).__name__}")
    # What the rule raised may hold values of its rows: only that it failed is passed on.
    if "FunctionError" in answer:
        return _refused(f"the rule {name} failed; its own log says why")
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "verdict" not in found:
        return _refused(f"the rule {name} answered no JSON object with a verdict")
    return {**found, "sentence": f"rule {name}: {found.get('sentence') or 'it gave no sentence'}"}


def _refused(why: str) -> dict[str, Any]:
    return {"verdict": "REFUSE", "sentence": f"{why}; {REMEDY}"}
