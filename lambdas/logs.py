"""One structured line per invocation, and its trace."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Tracer

# Powertools names the function and the request itself; payload values are never among the facts.
logger = Logger(service="kedge", utc=True)
# Calls of AWS alone: the trace of any other call would keep its address, and that of a chat's workflow is a secret.
tracer = Tracer(service="kedge", patch_modules=("botocore",))
