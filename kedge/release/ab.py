"""Whether a version that answers a share of the requests may be released: what came of its answers, beside the champion's to the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from kedge.arrays import Bools, Floats
from kedge.comparisons import Difference, counted, figures, in_words, percent
from kedge.config.metrics import Direction, direction, gate_metrics
from kedge.config.model import ModelConfig
from kedge.config.policies import BusinessFigure
from kedge.performance.measures import Truth, truth_of
from kedge.performance.paired import error_of_difference, in_its_unit, metric_value, unpaired_improvement
from kedge.release.look_table import LookRow
from kedge.release.tried import (
    AGAINST,
    TrialVerdict,
    TriedFleet,
    fleet_rows,
    not_measured,
    row_in_words,
    share_in_words,
    shift_row,
    wrong_answers_row,
)
from kedge.statistics.confidence_sequence import always_valid_z
from kedge.statistics.share_sequence import share_p_value

# Requests are divided otherwise than they should be if chance does so in one test of a thousand, at whichever look, and the share is
# off by a tenth of itself: less can bias nothing that is compared.
RATIO_P_VALUE_MIN, RATIO_OFF_MAX = 0.001, 0.1


@dataclass(frozen=True)
class SideRows:
    """What one of the two models answered to requests of its own, and what came of it.

    Attributes
    ----------
    answers : ndarray of float, shape (n_rows,)
        Numbers, or codes of classes; NaN for an answer that is none.
    labels : ndarray of float, shape (n_rows,)
        What came true: numbers, or codes of classes; NaN where no label is in yet.
    figures : mapping of str to ndarray of float, shape (n_rows,)
        Each business figure's value of a row; NaN where it is not known yet.
    """

    answers: Floats
    labels: Floats
    figures: Mapping[str, Floats] = field(default_factory=dict)

    def at(self, rows: Bools) -> SideRows:
        """Some of the rows."""
        return SideRows(
            self.answers[rows], self.labels[rows], {name: values[rows] for name, values in self.figures.items()}
        )

    @property
    def answered(self) -> SideRows:
        """The rows with an answer."""
        return self.at(np.isfinite(self.answers))

    @property
    def labelled(self) -> SideRows:
        """The rows whose label is in."""
        return self.at(np.isfinite(self.labels))


@dataclass(frozen=True)
class AbSide:
    """One of the two: its rows, a sample of all so far, and its requests as CloudWatch counted them."""

    rows: SideRows
    fleet: TriedFleet


@dataclass(frozen=True)
class AbProgress:
    """How far a test is.

    Attributes
    ----------
    share : float
        Which share of the requests the challenger was given, between 0 and 1.
    may_be_proved, days_are_over : bool
        Whether the fewest days, and whether the most are over.
    may_be_equal : bool
        Whether the gate lets a version like this one replace a champion that it is only not inferior to.
    """

    share: float
    may_be_proved: bool
    days_are_over: bool
    may_be_equal: bool = False


@dataclass(frozen=True)
class _Gain:
    """How much better the challenger is in one measure, with the error of that, and what counts as better and worse."""

    name: str
    side: Direction
    before: float
    after: float
    value: float
    error: float
    rows: int
    of_challenger: int
    least: float
    margin: float | None = None


def judge_ab(challenger: AbSide, champion: AbSide, config: ModelConfig, progress: AbProgress) -> TrialVerdict:
    """Judge one look at an A/B test.

    Every row that decides is right at all looks together: quality and business figures have an always-valid interval
    (`kedge.statistics.confidence_sequence`), the division of the requests an always-valid test (`kedge.statistics.share_sequence`),
    errors, latency and the answers' distribution limits that are far from chance.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> from kedge.release.look_table import FleetCounts
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> rows = SideRows(np.linspace(0.1, 0.9, 500), np.full(500, np.nan))
    >>> sides = [AbSide(rows, TriedFleet(FleetCounts(requests, 0, 0), 12.0)) for requests in (100, 900)]
    >>> judge_ab(*sides, config, AbProgress(0.1, may_be_proved=False, days_are_over=False)).verdict
    'GOING_ON'
    """
    deciding, *beside = _measure_rows(challenger.rows.answered, champion.rows.answered, config, progress)
    found = (*_rows(challenger, champion, config, progress), deciding, *beside)
    against = [row for row in found if row.verdict in AGAINST]
    if against:
        return TrialVerdict("WITHDRAWN", tuple(row_in_words(row) for row in against), found)
    if progress.may_be_proved and deciding.verdict in ("BETTER", "NOT WORSE"):
        return TrialVerdict("PROVED", (row_in_words(deciding),), found)
    if progress.days_are_over:
        undecided = f"undecided after {config.release.divided.days.maximum} days: {row_in_words(deciding)}"
        return TrialVerdict("WITHDRAWN", (undecided,), found)
    seen = (
        f"{counted(len(challenger.rows.answers), 'row')} of the version, {len(champion.rows.answers):,} of the champion"
    )
    return TrialVerdict("GOING_ON", (seen,), found)


def _rows(challenger: AbSide, champion: AbSide, config: ModelConfig, progress: AbProgress) -> Iterator[LookRow]:
    requests, *fleets = fleet_rows(challenger.fleet, champion.fleet, config)
    yield requests
    yield _division(challenger.fleet, champion.fleet, progress.share)
    tried = challenger.fleet.counts.requests >= config.canary.minimum_requests
    # The first requests are slow: the container has just started.
    yield from (row if tried or row.what != "latency (p90)" else replace(row, verdict="OK") for row in fleets)
    yield wrong_answers_row(challenger.rows.answers, champion.rows.answers)
    here, there = challenger.rows.answered, champion.rows.answered
    yield LookRow("rows compared", f"{len(here.answers):,}", f"{len(there.answers):,}", "", "")
    # Were labels to come for the answers of one model more often, its quality would be that of other rows.
    mine, theirs = (share_in_words(len(side.labelled.labels), len(side.labels)) for side in (here, there))
    yield LookRow("labels that are in", mine, theirs, "", "")
    if len(here.answers) and len(there.answers):
        yield shift_row(here.answers, there.answers, config)


def _division(challenger: TriedFleet, champion: TriedFleet, share: float) -> LookRow:
    """Whether the requests are divided as they should be: else something decides who answers, and nothing can be compared."""
    hits, trials = challenger.counts.requests, challenger.counts.requests + champion.counts.requests
    off = trials > 0 and abs(hits / trials - share) > RATIO_OFF_MAX * share
    mismatch = off and share_p_value(hits, trials, share=share) < RATIO_P_VALUE_MIN
    shares = share_in_words(hits, trials), share_in_words(trials - hits, trials)
    limit = f"{100 * share:g} %, but for chance"
    return LookRow("share of the requests", *shares, limit, "MISMATCH" if mismatch else "OK")


def _measure_rows(
    challenger: SideRows, champion: SideRows, config: ModelConfig, progress: AbProgress
) -> Iterator[LookRow]:
    """What decides, then what must not become worse: the gate's metric and each business figure about what came of the answers."""
    decides, metric = config.release.divided.decides, config.gate.metric or gate_metrics(config.problem)[0]
    named = {figure.name: figure for figure in config.business if figure.depends_on_answers}
    measures: list[BusinessFigure | None] = [None, *named.values()]
    if decides is not None:
        measures.sort(key=lambda measure: measure is None or measure.name != decides)
    for place, measure in enumerate(measures):
        found: _Gain | str
        if measure is None:
            what, found = "quality", _quality(challenger.labelled, champion.labelled, config, metric)
        else:
            what, found = measure.name, _figure(challenger, champion, measure, config)
        guards = max(len(measures) - 1, 1)
        # The chance of a false withdrawal is divided among those that only guard.
        alpha = (1 - config.gate.confidence) / (guards if place else 1)
        yield _measure_row(what, found, config, progress, confidence=1 - alpha, decides=not place)


def _quality(challenger: SideRows, champion: SideRows, config: ModelConfig, metric: str) -> _Gain | str:
    if why := not_measured([challenger.labels, champion.labels], config, metric, config.performance.minimum_rows):
        return why
    sides = [(_truth(config, side.labels), side.answers) for side in (challenger, champion)]
    value, error = unpaired_improvement(metric, *sides)
    after, before = (metric_value(metric, *side) for side in sides)
    rule = config.gate.non_inferior
    least, margin = (
        in_its_unit(effect, metric, *sides[1]) for effect in (config.gate.minimum_effect, rule.margin if rule else 0.0)
    )
    both, own = len(challenger.labels) + len(champion.labels), len(challenger.labels)
    return _Gain(metric, direction(metric), before, after, value, error, both, own, least, margin if rule else None)


def _truth(config: ModelConfig, labels: Floats) -> Truth:
    return truth_of(config, labels if config.problem == "regression" else labels.astype(np.int64))


def _figure(challenger: SideRows, champion: SideRows, figure: BusinessFigure, config: ModelConfig) -> _Gain | str:
    values = [side.figures.get(figure.name, np.empty(0)) for side in (challenger, champion)]
    here, there = (known[np.isfinite(known)] for known in values)
    least = config.performance.minimum_rows
    if (rows := min(len(here), len(there))) < least:
        return f"not measured: its value is known of {counted(rows, 'row')} so far on one side, {least:,} are needed"
    error = error_of_difference(
        *((float(side.std(ddof=1)) / math.sqrt(len(side)), len(side)) for side in (here, there))
    )
    after, before = float(here.mean()), float(there.mean())
    side: Direction = figure.better
    name = f"{figure.name} per prediction"
    return _Gain(
        name, side, before, after, figure.sign * (after - before), error, len(here) + len(there), len(here), 0.0
    )


def _measure_row(
    what: str, found: _Gain | str, config: ModelConfig, progress: AbProgress, *, confidence: float, decides: bool
) -> LookRow:
    """One measure with its always-valid interval: BETTER and NOT WORSE only of what decides, WORSE of any."""
    needed = config.release.divided.minimum_rows
    if isinstance(found, str):
        return LookRow(what, found, "", f"decides, from {counted(needed, 'row')} on" if decides else "", "")
    # Of all requests, whoever answered: among these the challenger's are the share. It must not depend on how many came.
    planned = math.ceil(needed / progress.share)
    reach = always_valid_z(found.rows, confidence=confidence, planned_rows=planned) * found.error
    low, high = found.value - reach, found.value + reach
    margin = found.margin if progress.may_be_equal else None
    verdict = "OK"
    if high < 0 and found.value <= -found.least:
        verdict = "WORSE"
    elif decides:
        verdict = _for_it(found, low, margin, enough=found.of_challenger >= needed)
    limit = f"not worse beyond chance by {in_words(found.least)}" if found.least else "not worse beyond chance"
    if decides:
        equal = "" if margin is None else f", or at worst {in_words(margin)} worse"
        better = f"better beyond chance, by {in_words(found.least)} at least" if found.least else "better beyond chance"
        rows = f"{found.of_challenger:,} rows of {needed:,} that are needed"
        limit = f"{better}{equal}, with {percent(confidence)} confidence at all looks together; {rows}"
    difference = Difference(
        found.name, found.side, found.before, found.after, found.value, low, high, found.rows, "row"
    )
    shown = figures(found.after, found.before)
    return LookRow(what, f"{shown[0]}; {difference.words}", shown[1], limit, verdict)


def _for_it(found: _Gain, low: float, margin: float | None, *, enough: bool) -> Literal["BETTER", "NOT WORSE", ""]:
    if not enough:
        return ""
    if low > 0 and found.value >= found.least:
        return "BETTER"
    return "NOT WORSE" if margin is not None and low >= -margin else ""
