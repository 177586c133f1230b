"""The real handlers' CPU seconds and AWS calls at two sizes, as coefficients, and a table of prices with them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from benchmarks.cost.evidently import kept_report, measure_report
from benchmarks.cost.points import END, Point, account, points, run
from benchmarks.cost.templates import counted_in_templates, memory_and_timeout
from benchmarks.results import Figure, Section, machine
from benchmarks.scale import Scale
from cli.cost.coefficients import FILE
from cli.written_files import write_all
from kedge.config.gauges import RUNS_A_MONTH
from kedge.config.model import ModelConfig
from kedge.config.prices import SOURCE
from kedge.config.sections import Cadence
from kedge.cost.estimate import deployment_lines, estimate
from kedge.cost.lines import total
from kedge.cost.runs import DAYS_OF_A_RUN, Traffic
from kedge.cost.work import Coefficients
from tests.deployed_models import config_of
from tests.handlers.captured_rows import lines_of
from tests.handlers.monitor_world import MODEL

COMMAND = "python -m benchmarks cost"
REPEATS = 2
# A nanosecond, or a call of a billion runs: what a fit leaves where there is nothing.
SMALLEST = 1e-9
# Rows a day, cadence, and the limit of USD a month that the table holds it to; it is one for watching.
TRAFFIC = (
    (10_000, "daily", 0.05), (1_000_000, "daily", 0.50), (1_000_000, "hourly", None), (10_000_000, "daily", 5.0),
    (10_000_000, "hourly", None),
)  # fmt: skip
# The columns of the table, by the units that they add up.
SHOWN = {
    "metrics": ("CloudWatch metric",),
    "alarms": ("CloudWatch alarm",),
    "Lambda": ("Lambda GB-second", "Lambda request"),
    "S3 requests": ("S3 read", "S3 write"),
    "Athena": ("Athena TB",),
    "storage": ("S3 GB", "S3 object moved", "S3 object watched"),
}
# Two monitors of SageMaker Model Monitor, each run a processing job of an ml.m5.xlarge for about six minutes.
MODEL_MONITOR_USD = {"hourly": 33.6, "daily": 1.40}


def section(work: Path, scale: Scale) -> Section:
    """Measure the coefficients, keep them for `kedge cost`, and price some traffic with them."""
    is_whole = scale.repeats >= Scale.repeats
    found = coefficients(points(scale.rows // 5), repeats=REPEATS if is_whole else 1)
    kept = FILE if is_whole else work / "cost" / "measured.json"
    if is_whole:
        measure_report(work, scale)
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    write_all({kept: text})
    # In the order of the file, as whoever prices it anew reads it.
    return priced_section(Coefficients.from_json(json.loads(text)))


def priced_section(measured: Coefficients) -> Section:
    """The prices of some traffic, and what they were computed from."""
    # The example sends six metrics to CloudWatch; by default a model sends none.
    config = config_of(MODEL).model_copy(update={"metrics": "none"})
    figures, rows = list[Figure](), list[str]()
    for rows_a_day, cadence, limit in TRAFFIC:
        usd, line = priced(config, measured, rows_a_day, cadence)
        what = f"{rows_a_day:,} rows a day, counted and judged {cadence}: watching, without storage"
        figures.append(Figure(what, usd, "USD a month", COMMAND, limit))
        rows.append(line)
    fixed = total(deployment_lines(measured, is_hourly=False))
    figures.append(Figure("a deployment without models", fixed, "USD a month", COMMAND))
    notes = "\n".join([_NOTES, "", *_HEAD, *rows, "", *_taken(measured)])
    return Section("What a model costs a month", figures, notes, machine=measured.machine)


def priced(config: ModelConfig, measured: Coefficients, rows_a_day: int, cadence: str) -> tuple[float, str]:
    """USD of watching without storage, and the line of the table."""
    both = Cadence.model_validate({"profile": cadence, "judge": cadence})
    found = estimate(config.model_copy(update={"cadence": both}), measured, rows_a_day=rows_a_day, changes_a_month=0)
    watching = [line for line in found.lines if line.part == "watching"]
    sums = {name: sum(line.usd for line in watching if line.unit in units) for name, units in SHOWN.items()}
    whole = total(watching)
    rest, usd = whole - sum(sums.values()), whole - sums["storage"]
    captures = total(found.lines, "captures")
    beyond = "; ".join(said for said in found.assumptions if said.startswith("a run of "))
    cells = [
        f"{rows_a_day:,} {cadence}",
        *(f"{sums[name]:.3f}" for name in list(sums)[:-1]),
        f"{rest:.3f}",
        f"**{usd:.2f}**",
    ]
    cells += [f"{sums['storage']:.2f}", f"{captures:.2f}", f"{MODEL_MONITOR_USD[cadence]:.2f}"]
    cells += [_evidently(Traffic.of(config, measured, rows_a_day=rows_a_day), cadence), beyond]
    return usd, f"| {' | '.join(cells)} |"


def _evidently(traffic: Traffic, cadence: str) -> str:
    days = DAYS_OF_A_RUN[cadence]
    usd = kept_report().usd(traffic.rows_a_day * days, traffic.objects_a_day * days)
    return "too large" if usd is None else f"{usd * RUNS_A_MONTH[cadence]:.2f}"


def coefficients(asked: Sequence[Point], *, repeats: int) -> dict[str, Any]:
    """What the file of coefficients holds."""
    taken = [min((run(point) for _ in range(repeats)), key=lambda found: found["cpu_s"]) for point in asked]
    by_function = defaultdict[str, list[tuple[Point, dict[str, Any]]]](list)
    for point, found in zip(asked, taken, strict=True):
        by_function[point.function].append((point, found))
    return {
        "command": COMMAND,
        "machine": machine()["processor"],
        "columns": len(config_of(MODEL).features),
        "functions": {name: fitted(name, both) for name, both in by_function.items()},
        "queries": scans(by_function["join_labels"]),
        "sizes": sizes(by_function),
        "templates": counted_in_templates(),
    }


def fitted(name: str, taken: Sequence[tuple[Point, dict[str, Any]]]) -> dict[str, Any]:
    """A function's fixed work and its work per driver: as many runs as unknowns, and nothing below zero."""
    drivers = list(taken[0][0].drivers)
    told = np.array([[1.0, *(point.drivers[driver] for driver in drivers)] for point, _ in taken])
    calls = sorted({call for _, found in taken for call in found["calls"]})
    cpu = solved(told, [found["cpu_s"] for _, found in taken])
    by_call = {call: solved(told, [found["calls"].get(call, 0) for _, found in taken]) for call in calls}
    works = [
        {
            "cpu_seconds": _short(cpu[at]),
            "calls": {call: _short(of[at]) for call, of in by_call.items() if _short(of[at])},
        }
        for at in range(1 + len(drivers))
    ]
    memory, timeout = memory_and_timeout(name.split()[0])
    return {
        "memory_mib": memory,
        "timeout_seconds": timeout,
        "start_cpu_seconds": _short(min(found["start_cpu_s"] for _, found in taken)),
        "fixed": works[0],
        "per": dict(zip(drivers, works[1:], strict=True)),
    }


def solved(told: npt.NDArray[np.float64], taken: Sequence[float]) -> npt.NDArray[np.float64]:
    """The non-negative work of each column that explains the runs best."""
    largest = np.maximum(told.max(axis=0), 1.0)
    found, _ = nnls(told / largest, np.asarray(taken, float))
    return np.asarray(found / largest)


def scans(taken: Sequence[tuple[Point, dict[str, Any]]]) -> list[dict[str, float]]:
    """The bytes that each query of a window's join scans, anyway and a row."""
    told = np.array([[1.0, point.drivers["window_rows"]] for point, _ in taken])
    fits = (solved(told, both) for both in zip(*(found["scanned"] for _, found in taken), strict=True))
    return [{"fixed_bytes": _short(fixed), "row_bytes": _short(row)} for fixed, row in fits]


def sizes(taken: Mapping[str, Sequence[tuple[Point, dict[str, Any]]]]) -> dict[str, float]:
    """Bytes of what is kept, from runs that wrote them; rows and labels as a window of ids at random has them."""
    profiling, counted = taken["profile_logs"][0]
    measuring, measured = taken["measure_performance"][0]
    judged = taken["detect_drift"][0][1]["bytes"]
    window, joined = max(taken["join_labels"], key=lambda each: each[0].drivers["window_rows"])
    with account() as world:
        records = list(lines_of(world, END, 0.5))
        record = sum(map(len, records)) / len(records)
        values = json.loads(records[0])["captureData"]["endpointInput"]["data"]
    column = (len(values) + 1) / len(config_of(MODEL).features)
    return {
        "capture_record": _short(record - len(values) + 32 * 2),
        "capture_column": _short(column),
        "part_row": _short(joined["bytes"]["predictions"] / window.drivers["window_rows"]),
        "label": _short(measured["bytes"]["labels"] / measuring.drivers["labels"]),
        "label_row": _short(joined["bytes"]["labelled"] / window.drivers["window_rows"]),
        "day_object": _short(counted["bytes"]["profiles"] - 8 * profiling.drivers["rows"]),
        "judgement": _short(judged["reports"] + judged["history"] + measured["bytes"]["reports"]),
    }


def _short(value: float) -> float:
    return 0.0 if value < SMALLEST else float(f"{value:.4g}")


def _taken(measured: Coefficients) -> list[str]:
    lines = ["| function | CPU s of a start | of a run | more for |", "| --- | ---: | ---: | --- |"]
    for name, function in measured.functions.items():
        more = ", ".join(f"a million {driver}: {work.cpu_seconds * 1e6:.3g}" for driver, work in function.per.items())
        lines.append(f"| {name} | {function.start_cpu_seconds:.2f} | {function.fixed.cpu_seconds:.2f} | {more} |")
    each = ", ".join(f"{query.row_bytes:.3g}" for query in measured.queries)
    scanned = f"Of a window that Athena joins, its {len(measured.queries)} queries scan {each} bytes a row."
    report = kept_report()
    taken = (
        f"Evidently's report starts with {report.start_cpu_seconds:.1f} CPU s and {report.start_mib:,.0f} MiB, and takes "
        f"{report.row_cpu_seconds * 1e6:.1f} CPU s and {report.row_mib * 1e6:,.0f} MiB more for a million rows ({report.machine})."
    )
    return [*lines, "", f"{scanned} {taken}"]


_HEAD = (
    "| rows a day, cadence | metrics | alarms | Lambda | S3 requests | Athena | the rest | **watching** | + storage after a year | "
    "+ captures (any monitor needs them) | Model Monitor | Evidently in a function | beyond a run's time |",
    "| --- | " + "---: | " * 11 + "--- |",
)
_NOTES = (
    f"USD with {SOURCE}. CPU seconds are those of the machine below, AWS calls those of the handlers, bytes those that the offline "
    "Athena scans, all of a model with 20 features at two sizes; windows are of 7 days. Assumptions: Lambda's own processor, the time "
    "that a call takes (5 to 30 ms; a query of Athena's 10 s), and the number of capture objects (one in two minutes an instance, of "
    "two instances). What Athena itself asks of S3 is left out. Model Monitor: two monitors, as its processing jobs are priced, without "
    "their storage, metrics and alarms. Evidently: its drift report, in a container function of the endpoint's own, of the rows of a "
    f"run (a day's or an hour's, not a window's) against {Scale.reference_rows:,} rows; start, seconds and memory of the process are "
    "measured, and the reading of capture objects is counted. To make rows of them, labels, quality, doubled ids, history, messages and "
    "the image's storage are left out; it is too large where it takes more than Lambda's 10,240 MiB. The models send no metrics "
    "(`metrics: none`, the default). A model's part of the deployment is not in the table. `kedge cost` names every line for a YAML of "
    "your own."
)
