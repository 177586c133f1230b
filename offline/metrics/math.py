"""CloudWatch metric math: expressions over time series, for alarms and GetMetricData.

Imitated: + - * / ^, comparisons, AND and OR, IF, FILL, SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, METRICS() and lists of
ids. Anything else (SEARCH, anomaly bands, SQL) is refused when the expression is first seen. An operation between
two series has a point where both have one; a function over a list has one where any has.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

Points = dict[int, float]  # period start in seconds -> value
Value = Any  # a number, Points, or a list of Points

BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARE: dict[type, Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
ROUND: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
SPELLING = ((r"\^", "**"), (r"&&", " and "), (r"\|\|", " or "), (r"\bAND\b", " and "), (r"\bOR\b", " or "))


class MetricMathError(ValueError):
    """An expression that CloudWatch, or this imitation of it, does not know."""


def evaluate(expression: str, series: dict[str, Points], times: Sequence[int]) -> Points:
    """Return an expression's points; `series` by id, `times` the starts of the periods asked for."""
    value = _Evaluation(series, times).value(_tree(expression))
    if isinstance(value, list):
        raise MetricMathError(f"{expression!r} gives several series where one is needed")
    return value if isinstance(value, dict) else dict.fromkeys(times, float(value))


def evaluate_all(expressions: dict[str, str], series: dict[str, Points], times: Sequence[int]) -> dict[str, Points]:
    """Return the points of every expression by id; expressions may name each other."""
    found, waiting = dict(series), dict(expressions)
    while waiting:
        ready = [name for name, expression in waiting.items() if names_in(expression) <= found.keys()]
        if not ready:
            raise MetricMathError(
                f"{', '.join(waiting.values())}: an id is unknown, or they name each other in a circle"
            )
        for name in ready:
            known = {key: points for key, points in found.items() if key in series or key in names_in(waiting[name])}
            found[name] = evaluate(waiting.pop(name), known, times)
    return {name: found[name] for name in expressions}


@lru_cache(maxsize=1024)
def names_in(expression: str) -> frozenset[str]:
    """Return the ids that an expression reads."""
    tree = _tree(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return frozenset(names - {"REPEAT"})


@lru_cache(maxsize=1024)
def _tree(expression: str) -> ast.expr:
    text = expression
    for pattern, spelling in SPELLING:
        text = re.sub(pattern, spelling, text)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise MetricMathError(f"{expression!r} cannot be read as metric math") from error


class _Evaluation:
    """One expression over one set of series."""

    def __init__(self, series: dict[str, Points], times: Sequence[int]) -> None:
        self.series, self.times = series, times

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name):
            if node.id not in self.series:
                raise MetricMathError(f"no metric has the id {node.id!r}")
            return self.series[node.id]
        if isinstance(node, ast.List):
            return [self.value(item) for item in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _each(self.value(node.operand), operator.neg)
        return self._operation(node)

    def _operation(self, node: ast.expr) -> Value:
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            return _pair(self.value(node.left), self.value(node.right), BINARY[type(node.op)])
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARE:
            compare = COMPARE[type(node.ops[0])]
            sides = self.value(node.left), self.value(node.comparators[0])
            return _pair(*sides, lambda left, right: float(compare(left, right)))
        if isinstance(node, ast.BoolOp):
            return self._logic(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        raise MetricMathError(f"{ast.unparse(node)!r} is not imitated in metric math")

    def _logic(self, node: ast.BoolOp) -> Value:
        both = isinstance(node.op, ast.And)
        result = self.value(node.values[0])
        for operand in node.values[1:]:
            result = _pair(
                result,
                self.value(operand),
                lambda left, right: float(bool(left) and bool(right)) if both else float(bool(left) or bool(right)),
            )
        return result

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "METRICS" and not arguments:
            return list(self.series.values())
        if name == "FILL" and len(arguments) == 2:
            return self._fill(self.value(arguments[0]), arguments[1])
        if name == "IF" and len(arguments) in (2, 3):
            return self._if([self.value(argument) for argument in arguments])
        if name in ROUND and len(arguments) == 1:
            return _each(self.value(arguments[0]), ROUND[name])
        if name in AGGREGATE and len(arguments) == 1:
            return _aggregate(self.value(arguments[0]), AGGREGATE[name])
        raise MetricMathError(f"{name} with {len(arguments)} arguments is not imitated in metric math")

    def _fill(self, value: Value, filler: ast.expr) -> Value:
        if isinstance(value, list):
            return [self._fill(item, filler) for item in value]
        if isinstance(filler, ast.Name) and filler.id == "REPEAT":
            return self._repeat(value)
        return dict.fromkeys(self.times, float(self.value(filler))) | value

    def _repeat(self, points: Points) -> Points:
        filled: Points = {}
        for time in self.times:
            earlier = [at for at in points if at <= time]
            if earlier:
                filled[time] = points[max(earlier)]
        return filled

    def _if(self, values: list[Value]) -> Value:
        condition, then, otherwise = values[0], values[1], values[2] if len(values) == 3 else {}
        if not isinstance(condition, dict):
            return then if condition else otherwise
        result: Points = {}
        for time, holds in condition.items():
            chosen = then if holds else otherwise
            if not isinstance(chosen, dict):
                result[time] = chosen
            elif time in chosen:
                result[time] = chosen[time]
        return result


def _pair(left: Value, right: Value, operation: Callable[[float, float], float]) -> Value:
    if isinstance(left, list) or isinstance(right, list):
        raise MetricMathError("arithmetic on a list of metrics is not imitated")
    if isinstance(left, dict) and isinstance(right, dict):
        pairs = {time: (left[time], right[time]) for time in left if time in right}
    elif isinstance(left, dict):
        pairs = {time: (value, right) for time, value in left.items()}
    elif isinstance(right, dict):
        pairs = {time: (left, value) for time, value in right.items()}
    else:
        return operation(left, right)
    result: Points = {}
    for time, (one, other) in pairs.items():
        try:
            result[time] = operation(one, other)
        except ZeroDivisionError:  # CloudWatch draws no point there
            continue
    return result


def _each(value: Value, operation: Callable[[float], float]) -> Value:
    if isinstance(value, list):
        return [_each(item, operation) for item in value]
    if isinstance(value, dict):
        return {time: operation(one) for time, one in value.items()}
    return operation(value)


def _aggregate(value: Value, operation: Callable[[Sequence[float]], float]) -> Value:
    """Return a list's aggregate at each time, or a single series' aggregate over time."""
    if not isinstance(value, list):
        return operation(list(value.values())) if value else {}
    times = sorted({time for points in value for time in points})
    return {time: operation([points[time] for points in value if time in points]) for time in times}
