"""One structured line per invocation, and its trace."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Tracer

# Powertools names the function and the request itself; payload values are never among the facts.
logger = Logger(service="kedge", utc=True)
tracer = Tracer(service="kedge")
