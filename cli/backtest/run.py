"""A history judged and replayed under every setting."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli.backtest.cores import by_all_cores
from cli.backtest.counts import Before, WindowCounts, count_baseline, count_windows, empty_window
from cli.backtest.question import BacktestQuestion
from cli.backtest.seasons import count_seasons
from cli.backtest.settings import Setting
from kedge.backtest.proposal import Sounding, sound_window
from kedge.backtest.replay import Replay, replay
from kedge.backtest.window import Earlier, JudgedWindow, judge_window
from kedge.columns.times import at
from kedge.config.model import ModelConfig
from kedge.estimation.report import EstimateReport, WindowEstimates, estimate_history
from kedge.outcomes.counts import OutcomeCounts
from kedge.profile.baseline import Baseline
from kedge.quality.window import QualityEvidence, QualityReference, WindowQuality, judge_quality


@dataclass(frozen=True)
class Backtest:
    """The results: each setting's replay by its name, and the basis for proposed thresholds."""

    baseline: Baseline
    reference: OutcomeCounts | None
    replays: Mapping[str, Replay]
    soundings: tuple[Sounding, ...]


def run(question: BacktestQuestion) -> Backtest:
    """Judge every window under every setting, then walk through each setting's windows in the order of time."""
    before = count_baseline(question)
    judged, soundings = _judged(question, before)
    since, cost = at(question.history.grid.start), question.options.retraining_cost_usd
    replays = {
        setting.name: replay(_in_order(judged[setting.name]), setting.config, since=since, retraining_cost_usd=cost)
        for setting in question.settings
    }
    return Backtest(before.baseline, before.reference, replays, tuple(_in_order(soundings)))


def _judged(
    question: BacktestQuestion, before: Before
) -> tuple[dict[str, dict[int, JudgedWindow]], dict[int, Sounding]]:
    """Each setting's windows by their number, and what the thresholds are proposed from."""
    seasons = count_seasons(question, before.baseline)
    judged: dict[str, dict[int, JudgedWindow]] = {setting.name: {} for setting in question.settings}
    soundings: dict[int, Sounding] = {}
    estimates: dict[int, WindowEstimates | None] = {}
    codes: deque[int] = deque()

    def windows() -> Iterator[tuple[WindowCounts, dict[str, Earlier]]]:
        for code, window in _windows(question, before):
            codes.append(code)
            own = {setting.name: seasons.get((setting.name, code)) for setting in question.settings}
            yield window, {name: earlier for name, earlier in own.items() if earlier is not None}

    pieces = question.history.windows * len(question.settings)
    for found, sounding, estimated in by_all_cores(_Judge(before, question.settings), windows(), pieces=pieces):
        code = codes.popleft()
        soundings[code], estimates[code] = sounding, estimated
        for name, window in found.items():
            judged[name][code] = window
    if before.estimator is not None and before.reference is not None:
        _add_estimates(judged, _in_order(estimates), before.reference, question.settings)
    return judged, soundings


@dataclass(frozen=True)
class _Judge:
    """One window under every setting, and its sounding by the first."""

    before: Before
    settings: tuple[Setting, ...]

    def __call__(
        self, found: tuple[WindowCounts, Mapping[str, Earlier]]
    ) -> tuple[dict[str, JudgedWindow], Sounding, WindowEstimates | None]:
        (counted, seasons), baseline = found, self.before.baseline
        window = counted.worked_out(self.before, self.settings[0].config)
        qualities = self._qualities(window.evidence)
        judged = {
            setting.name: judge_window(
                baseline,
                window,
                setting.config,
                quality=qualities[_judged_by(setting.config)],
                earlier=seasons.get(setting.name),
            )
            for setting in self.settings
        }
        main = self.settings[0]
        loss, earlier = judged[main.name].quality.verdicts.measured, seasons.get(main.name)
        sounding = sound_window(baseline, window, main.config, performance=loss, earlier=earlier)
        return judged, sounding, window.evidence.estimates

    def _qualities(self, evidence: QualityEvidence) -> dict[str, WindowQuality]:
        """A window's quality by the policies that it is judged by: settings mostly share them, and measuring is dear."""
        slices = replace(evidence.slices, reference=self.before.slices) if evidence.slices else None
        # An estimate rests on the record of the windows before, which may not have been read yet.
        evidence = replace(evidence, estimates=None, slices=slices)
        policies = {_judged_by(setting.config): setting.config for setting in self.settings}
        reference = QualityReference(self.before.reference)
        return {policy: judge_quality(evidence, reference, config) for policy, config in policies.items()}


def _windows(question: BacktestQuestion, before: Before) -> Iterator[tuple[int, WindowCounts]]:
    """Every window, those without rows too."""
    found = set()
    for code, window in count_windows(question, before):
        found.add(code)
        yield code, window
    for code in set(range(question.history.windows)) - found:
        yield code, empty_window(question, before, code)


def _in_order(found: Mapping[int, Any]) -> list[Any]:
    return [found[code] for code in sorted(found)]


def _add_estimates(
    judged: dict[str, dict[int, JudgedWindow]],
    estimates: Sequence[WindowEstimates | None],
    reference: OutcomeCounts,
    settings: Sequence[Setting],
) -> None:
    """Each window's estimate, judged once for all settings that judge answers alike."""
    reports: dict[str, list[EstimateReport | None]] = {}
    for setting in settings:
        windows, policy = judged[setting.name], _judged_by(setting.config)
        if policy not in reports:
            measured = [window.quality.measured for window in _in_order(windows)]
            reports[policy] = estimate_history(estimates, measured, reference, setting.config.performance)
        for code, report in zip(sorted(windows), reports[policy], strict=True):
            window = windows[code]
            windows[code] = replace(window, quality=replace(window.quality, estimate=report))


def _judged_by(config: ModelConfig) -> str:
    return config.model_dump_json(include={"performance", "segments", "fairness", "prediction", "business"})
