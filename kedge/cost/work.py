"""What one run of a function takes: CPU seconds and calls, linear in what it has to do, as `python -m benchmarks cost` measured it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

# A function has a whole core from this memory on, and below a share of it. Kedge's counting uses one core.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MIB_A_CORE = 1769
# What of a service is billed as which unit of `kedge.config.prices.USD`; what stands in neither table is free, as SageMaker's calls are.
_READS = {"s3": "S3 read", "dynamodb": "DynamoDB read", "cloudwatch": "CloudWatch read"}
_WRITES = {"s3": "S3 write", "dynamodb": "DynamoDB write", "cloudwatch": "CloudWatch write"}
_ALWAYS = {"sqs": "SQS request", "sns": "SNS publish"}
_READING = ("Get", "Head", "Query", "BatchGet", "Describe")
# Calls that are billed by their parts, which are counted beside them; only the call is waited for.
_PARTS = {
    "cloudwatch GetMetricData": "cloudwatch GetMetricData metric",
    "dynamodb BatchGetItem": "dynamodb BatchGetItem item",
}
_MB, _MB_MIN = 1e6, 10
_FREE = {"s3 DeleteObject", "s3 DeleteObjects", "cloudwatch DescribeAlarms", *_PARTS}
# Seconds that a function waits for an answer within its region: an assumption, and the one that `benchmarks/fleet.py` makes.
WAITS = {"S3 read": 0.02, "S3 write": 0.03, "DynamoDB read": 0.005, "DynamoDB write": 0.005, "SQS request": 0.01}
OTHER_WAIT = 0.03
# Another assumption: a query of Athena's is waited for from its start to its end.
QUERY_SECONDS, _QUERY = 10.0, "athena StartQueryExecution"
# Captures and labels are read this many at once (`lambdas/adapters/bucket/row_objects.py`).
READS_AT_ONCE = 10


@dataclass(frozen=True)
class Work:
    """CPU seconds on one core, and calls by service and operation, with the parts of those that are billed by parts.

    >>> (Work(1.0, {"s3 GetObject": 2}) + Work(0.5, {"s3 GetObject": 1}).times(2)).calls
    {'s3 GetObject': 4}
    """

    cpu_seconds: float = 0.0
    calls: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Work) -> Work:
        names = dict.fromkeys((*self.calls, *other.calls))
        return Work(
            self.cpu_seconds + other.cpu_seconds,
            {name: self.calls.get(name, 0) + other.calls.get(name, 0) for name in names},
        )

    def times(self, count: float) -> Work:
        """The same work again and again."""
        return Work(self.cpu_seconds * count, {name: calls * count for name, calls in self.calls.items()})

    def billed(self) -> dict[str, float]:
        """The calls by the unit that AWS bills.

        >>> Work(0, {"s3 GetObject": 3, "s3 ListObjectsV2": 1, "sagemaker DescribeEndpoint": 9}).billed()
        {'S3 read': 3, 'S3 write': 1}
        """
        found: Counter[str] = Counter()
        for name, calls in self.calls.items():
            if unit := unit_of(name):
                found[unit] += calls  # type: ignore[assignment]  # a mean of runs is a fraction
        return dict(found)

    def waited_seconds(self) -> float:
        """How long the calls take; objects of rows are read side by side."""
        made = ((unit_of(_PARTS.get(name, name)), n) for name, n in self.calls.items() if name not in _PARTS.values())
        return sum(
            calls * WAITS.get(unit or "", OTHER_WAIT) / (READS_AT_ONCE if unit == "S3 read" else 1)
            for unit, calls in made
        ) + QUERY_SECONDS * self.calls.get(_QUERY, 0)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """As `to_json` wrote it."""
        return cls(found["cpu_seconds"], dict(found["calls"]))

    def to_json(self) -> dict[str, Any]:
        """As the file of coefficients holds it."""
        return {"cpu_seconds": self.cpu_seconds, "calls": dict(self.calls)}


@dataclass(frozen=True)
class Function:
    """A function's memory in MiB, the seconds that its runs may last, and its work: of a start, of each run, and of each thing done."""

    memory_mib: int
    timeout_seconds: int
    start_cpu_seconds: float
    fixed: Work
    per: Mapping[str, Work]

    def run(self, **drivers: float) -> Work:
        """The work of one run in a fresh environment.

        Parameters
        ----------
        drivers : float
            How many rows, objects and so on it has to do with; what is not named is none.
        """
        work = Work(self.start_cpu_seconds) + self.fixed
        for name, count in drivers.items():
            work += self.per.get(name, Work()).times(count)
        return work

    def seconds(self, work: Work) -> float:
        """How long that work lasts: on the share of a core that the memory brings, and waiting."""
        return work.cpu_seconds / min(1.0, self.memory_mib / MIB_A_CORE) + work.waited_seconds()

    def gb_seconds(self, work: Work) -> float:
        """What Lambda bills for it."""
        return self.seconds(work) * self.memory_mib / 1024

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """As the file of coefficients holds it."""
        return cls(
            found["memory_mib"],
            found["timeout_seconds"],
            found["start_cpu_seconds"],
            Work.from_json(found["fixed"]),
            {name: Work.from_json(work) for name, work in found["per"].items()},
        )


@dataclass(frozen=True)
class JoinQuery:
    """What one of the queries of a window's join scans at Athena: compressed bytes, anyway and for each row of the window."""

    fixed_bytes: float
    row_bytes: float

    def billed_bytes(self, rows: float) -> float:
        """What Athena bills: each megabyte begun, at least ten (https://aws.amazon.com/athena/pricing/).

        >>> query = JoinQuery(0.0, 20.0)
        >>> query.billed_bytes(1000), query.billed_bytes(1_000_001)
        (10000000.0, 21000000.0)
        """
        return max(math.ceil((self.fixed_bytes + self.row_bytes * rows) / _MB), _MB_MIN) * _MB


@dataclass(frozen=True)
class Coefficients:
    """Everything that was measured, and counted in the templates.

    Attributes
    ----------
    functions : mapping
        By name; of `fan_out` by its tick.
    sizes : mapping
        Bytes of a captured record without its columns (`capture_record`) and a column of it (`capture_column`), of a row in the
        predictions table (`part_row`), of a label record (`label`), of a kept label (`label_row`), of a day object (`day_object`),
        and of what a judgement leaves (`judgement`).
    templates : mapping
        How many `alarms`, `queues` with a function behind them, `keys` and scheduled `ticks` a month a deployment has, whatever
        its models are.
    queries : tuple of JoinQuery
        Those of a window that Athena joins and counts.
    machine : str
        What measured the CPU seconds.
    columns : int
        Features of the measured model.
    """

    functions: Mapping[str, Function]
    sizes: Mapping[str, float]
    templates: Mapping[str, float]
    queries: tuple[JoinQuery, ...]
    machine: str
    columns: int

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """As `python -m benchmarks cost` wrote it."""
        functions = {name: Function.from_json(one) for name, one in found["functions"].items()}
        queries = tuple(JoinQuery(**each) for each in found["queries"])
        return cls(functions, found["sizes"], found["templates"], queries, found["machine"], found["columns"])


def unit_of(call: str) -> str | None:
    """The unit as which AWS bills a call, or a part of one; None where it is free, or billed by its parts.

    >>> [unit_of(call) for call in ("dynamodb Query", "dynamodb PutItem", "s3 DeleteObject", "sqs SendMessageBatch")]
    ['DynamoDB read', 'DynamoDB write', None, 'SQS request']
    >>> [unit_of(call) for call in ("dynamodb BatchGetItem", "dynamodb BatchGetItem item")]
    [None, 'DynamoDB read']
    """
    service, _, operation = call.partition(" ")
    if call in _FREE:
        return None
    if service in _ALWAYS:
        return _ALWAYS[service]
    return (_READS if operation.startswith(_READING) else _WRITES).get(service)
