"""Questions that people ask of the history, as queries that Athena keeps by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """A query with the question that it answers."""

    name: str
    says: str
    sql: str


# Athena reads no month that a query leaves out: each query says how far it looks back. In the queries it is `:last_year`.
_LAST_YEAR = "month >= date_format(current_date - interval '12' month, '%Y-%m')"
# What a chart marks: a model changes here.
RELEASES = (
    *("retraining_started", "gate_passed", "gate_failed", "canary_started", "canary_promoted", "canary_rolled_back"),
    *("rejected", "baseline_switched", "alert_sent"),
)
_RELEASES = ", ".join(f"'{kind}'" for kind in RELEASES)


def _query(name: str, says: str, sql: str) -> Query:
    return Query(name, says, sql.replace(":last_year", _LAST_YEAR).replace(":releases", _RELEASES))


QUERIES = (
    _query(
        "kedge-models-by-urgency",
        "the newest window of each model, the worst first",
        """SELECT model, severity, performance, drift, columns_drifted, "rows", window_end, reason, report_key
FROM (
  SELECT *, row_number() OVER (PARTITION BY model ORDER BY window_end DESC) AS nth FROM windows WHERE :last_year
) AS newest
WHERE nth = 1
ORDER BY CASE severity WHEN 'CRITICAL' THEN 0 WHEN 'WARNING' THEN 1 WHEN 'INSUFFICIENT_DATA' THEN 2 ELSE 3 END, model""",
    ),
    _query(
        "kedge-quality-over-time",
        "each measured metric of each model with its interval, reference and limit",
        """SELECT model, package, window_end, metric, value, low, high, reference, "limit", severity
FROM metrics
WHERE kind = 'measured' AND :last_year
ORDER BY model, metric, window_end""",
    ),
    _query(
        "kedge-estimates-against-labels",
        "what was estimated while labels were out, beside what they said later",
        """SELECT e.model, e.window_end, e.metric, e.value AS estimated, e.low, e.high, m.value AS measured,
  m.value BETWEEN e.low AND e.high AS held
FROM (SELECT * FROM metrics WHERE kind = 'estimated' AND :last_year) AS e
JOIN (SELECT * FROM metrics WHERE kind = 'measured' AND :last_year) AS m
  ON m.model = e.model AND m.package = e.package AND m.window_end = e.window_end AND m.metric = e.metric
ORDER BY e.model, e.metric, e.window_end""",
    ),
    _query(
        "kedge-columns-that-drift",
        "how often each column drifted, and how far",
        """SELECT model, name, count(*) AS windows, count_if(severity IN ('WARNING', 'CRITICAL')) AS drifted,
  max(effect) AS largest_effect, max(psi) AS largest_psi, avg(missing_fraction) AS missing, max(importance) AS importance
FROM "columns"
WHERE :last_year
GROUP BY model, name
ORDER BY drifted DESC, largest_effect DESC""",
    ),
    _query(
        "kedge-releases",
        "retrainings, refusals, releases and alerts in time: the marks on a trend",
        """SELECT model, time, kind, package, reason
FROM decisions
WHERE kind IN (:releases) AND :last_year
ORDER BY time""",
    ),
    _query(
        "kedge-business-beside-drift",
        "the business figures of each window beside its drift",
        """SELECT m.model, m.window_end, m.metric, m.value, m.low, m.high, m.total, m.unit, m.reference, w.drift, w.columns_drifted,
  w.performance
FROM (SELECT * FROM metrics WHERE kind = 'business' AND :last_year) AS m
JOIN (SELECT * FROM windows WHERE :last_year) AS w
  ON w.model = m.model AND w.package = m.package AND w.window_end = m.window_end
ORDER BY m.model, m.metric, m.window_end""",
    ),
    _query(
        "kedge-groups-and-segments",
        "differences between groups of people, and the segments where a model fails",
        """SELECT model, window_end, kind, subject, metric, value, low, high, reference, "limit", severity
FROM metrics
WHERE kind IN ('fairness', 'segment') AND :last_year
ORDER BY model, window_end, kind, subject""",
    ),
    _query(
        "kedge-what-people-heard",
        "messages by channel: how many, and how many could not be delivered",
        """SELECT model, channel, kind, count(*) AS messages, count_if(status <> 'delivered') AS undelivered, max(attempts) AS attempts
FROM deliveries
WHERE :last_year
GROUP BY model, channel, kind
ORDER BY undelivered DESC, messages DESC""",
    ),
    _query(
        "kedge-answers-by-day",
        "how many rows were answered each day, how many have a label, and the mean answer",
        """SELECT model, package, date(time) AS day, count(*) AS answers, count(label) AS labelled, avg(prediction) AS mean_prediction
FROM predictions
WHERE :last_year
GROUP BY model, package, date(time)
ORDER BY model, day""",
    ),
)
