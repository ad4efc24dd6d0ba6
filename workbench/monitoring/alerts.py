"""Alerts: one a customer and date, with every rule that fired and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from string import Formatter
from typing import Any

import pandas as pd

from workbench.core.errors import ParameterError
from workbench.core.languages import say
from workbench.monitoring.rules import SEVERITIES, Rule

ALERT_COLUMNS = ["alert_id", "customer_id", "as_of", "severity", "rules", "reasons", "horizon_months"]


def raise_alerts(watched: pd.DataFrame, rules: Sequence[Rule], *, book: str, as_of: date) -> pd.DataFrame:
    """Apply the rules to the watched customers.

    Parameters
    ----------
    watched
        One row a customer, with every column that a rule names.

    Returns
    -------
    DataFrame
        `ALERT_COLUMNS`, the most severe first, then by customer. `severity` is that of the worst rule; `rules` and
        `reasons` are lists, the worst rule first, reasons in the language in use; `horizon_months` is the longest of the
        rules that fired. The id is the same whenever the same customer is alerted in the same book at the same date.
    """
    by_severity = sorted(rules, key=lambda rule: SEVERITIES.index(rule.severity), reverse=True)
    fired: dict[str, list[tuple[Rule, str]]] = {}
    for rule in by_severity:
        for row in watched.loc[rule.condition().holds(watched)].to_dict("records"):
            fired.setdefault(row["customer_id"], []).append((rule, _told(rule, row)))
    rows = [
        {
            "alert_id": f"{book}-{as_of:%Y%m%d}-{customer}",
            "customer_id": customer,
            "as_of": pd.Timestamp(as_of),
            "severity": found[0][0].severity,
            "rules": [rule.name for rule, _reason in found],
            "reasons": [reason for _rule, reason in found],
            "horizon_months": max(rule.horizon_months for rule, _reason in found),
        }
        for customer, found in fired.items()
    ]
    alerts = pd.DataFrame(rows, columns=ALERT_COLUMNS)
    rank = alerts["severity"].map(SEVERITIES.index)
    return (
        alerts.assign(_rank=rank)
        .sort_values(["_rank", "customer_id"], ascending=[False, True])
        .drop(columns="_rank")
        .reset_index(drop=True)
    )


class _Teller(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return say("not known") if pd.isna(value) else format(value, format_spec)


def _told(rule: Rule, row: Mapping[Any, Any]) -> str:
    template = say(rule.reason)
    try:
        return _Teller().vformat(template, (), row)
    except ValueError as error:
        raise ParameterError(f"rule {rule.name!r}: reason {template!r} does not fit: {error}.") from None


def count_by_severity(alerts: pd.DataFrame) -> dict[str, int]:
    """Return the number of alerts of each severity, the worst first, those without any included."""
    counts = alerts["severity"].value_counts()
    return {severity: int(counts.get(severity, 0)) for severity in reversed(SEVERITIES)}
