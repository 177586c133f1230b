"""What a look at a canary found, as the table that mail and audit show: both fleets side by side, over the same minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kedge.config.policies import CanaryPolicy


@dataclass(frozen=True)
class FleetCounts:
    """Requests of one fleet by CloudWatch's count, and those that failed or were refused."""

    requests: int
    server_errors: int
    client_errors: int


@dataclass(frozen=True)
class LookRow:
    """One line: what was compared, on the canary and on the champion, with its limit, all in words."""

    what: str
    canary: str
    champion: str
    limit: str
    verdict: str

    def to_json(self) -> dict[str, str]:
        """As the state table and the timeline have it."""
        return asdict(self)


def look_table(
    canary: FleetCounts, champion: FleetCounts, policy: CanaryPolicy, *, verdict: str, reasons: Sequence[str]
) -> tuple[LookRow, ...]:
    """Put the look into rows. The share of the traffic is measured: what both fleets answered, whatever was planned.

    >>> rows = look_table(FleetCounts(120, 0, 3), FleetCounts(360, 0, 9), CanaryPolicy(), verdict="HEALTHY", reasons=["as it was"])
    >>> [(row.what, row.canary, row.champion, row.verdict) for row in rows][:3]
    [('requests', '120', '360', 'OK'), ('share of the traffic', '25 %', '75 %', ''), ('server errors', '0 %', '0 %', 'OK')]
    """
    both = canary.requests + champion.requests
    proved = canary.requests >= policy.minimum_requests
    errors = (
        ("server errors", canary.server_errors, champion.server_errors, policy.server_error_fraction_max),
        ("client errors", canary.client_errors, champion.client_errors, policy.client_error_fraction_max),
    )
    return (
        LookRow(
            "requests",
            f"{canary.requests:,}",
            f"{champion.requests:,}",
            f"at least {policy.minimum_requests:,}",
            "OK" if proved else "TOO FEW",
        ),
        LookRow("share of the traffic", _percent(canary.requests, both), _percent(champion.requests, both), "", ""),
        *(
            LookRow(
                what,
                _percent(here, canary.requests),
                _percent(there, champion.requests),
                f"at most {100 * limit:g} % in a minute",
                "OK" if here <= limit * canary.requests else "ABOVE",
            )
            for what, here, there, limit in errors
        ),
        LookRow("answers", "; ".join(reasons), "", "", verdict),
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "-"
