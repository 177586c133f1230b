"""When a column's drift counts: by its effect beyond chance, or by the field's fixed limits on PSI."""

from __future__ import annotations

from dataclasses import dataclass

from kedge.column_statistics import Measured
from kedge.comparisons import figures, in_words
from kedge.model_policies import DriftPolicy
from kedge.model_sections import Feature
from kedge.severity import Severity


@dataclass(frozen=True)
class DriftRule:
    """One column's limits.

    Attributes
    ----------
    by_psi : bool
        Whether the limits are on the PSI as it stands, without a test; else on the effect beyond what no drift would show, and the
        p-value must be below the level too: it alone would call every large window drifted, the effect alone every small one.
    warning, critical : float
    """

    by_psi: bool
    warning: float
    critical: float

    @classmethod
    def of(cls, policy: DriftPolicy, feature: Feature | None = None) -> DriftRule:
        """The model's rule with a feature's own limit for CRITICAL; where that is below the one for WARNING, both are it.

        >>> DriftRule.of(DriftPolicy(rule="sensitive"), Feature(name="x", kind="numeric", effect_max=0.01))
        DriftRule(by_psi=False, warning=0.01, critical=0.01)
        """
        by_psi = policy.rule == "psi"
        warning, critical = (policy.psi_warning, policy.psi_max) if by_psi else policy.effect_floors
        own = None if feature is None else feature.psi_max if by_psi else feature.effect_max
        critical = critical if own is None else own
        return cls(by_psi, min(warning, critical), critical)

    def severity(self, measured: Measured, p_value_adjusted: float, level: float) -> Severity:
        """OK, WARNING or CRITICAL.

        Parameters
        ----------
        p_value_adjusted : float
            Corrected over every test of the run.
        level : float
            Probability with which a window may alarm where nothing has drifted.
        """
        if self.by_psi:
            psi = measured.statistics["psi"]
            return Severity.CRITICAL if psi > self.critical else Severity.WARNING if psi > self.warning else Severity.OK
        beyond = measured.effect - measured.effect_without_drift
        if p_value_adjusted >= level or beyond < self.warning:
            return Severity.OK
        return Severity.CRITICAL if beyond >= self.critical else Severity.WARNING

    def smallest_detectable(self, measured: Measured) -> float | None:
        """The effect from which on this window would certainly have been called drifted; None under the PSI rule.

        Parameters
        ----------
        measured : Measured
            Its `certain_effect` for the level that the smallest p-value of the run must pass.
        """
        if self.by_psi:
            return None
        return min(max(measured.certain_effect, measured.effect_without_drift + self.warning), 1.0)

    def words(self, measured: Measured, severity: Severity, *, effect: str) -> str:
        """What was measured against which limit.

        Parameters
        ----------
        effect : str
            What the effect is called: KS, or total variation.
        """
        limit = self.critical if severity is Severity.CRITICAL else self.warning
        psi = f"PSI {in_words(measured.statistics['psi'])}"
        if self.by_psi:
            return f"{psi} against a limit of {in_words(limit)}"
        repeats = f" at {measured.design_effect:.1f} rows to one" if measured.design_effect > 1 else ""
        found, chance, bound = figures(measured.effect, measured.effect_without_drift, limit)
        return f"{effect} {found} ({chance} without drift{repeats}) against a limit of {bound}, {psi}"
