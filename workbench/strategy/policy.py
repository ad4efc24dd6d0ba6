"""Policies: `params/policies/NAME.yaml`, an ordered rule table; the first row that holds proposes the action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from workbench.core.conditions import compile_condition
from workbench.core.errors import ParameterError
from workbench.core.languages import mark, say
from workbench.core.yaml_files import load_params

Action = Literal[
    "cut_limit",
    "suspend_credit",
    "stricter_review",
    "offer_relief",
    "terminate_and_recover",
    "contact",
    "verify_account",
    "watch",
]
ACTION_WORDS: dict[Action, str] = {
    "cut_limit": mark("cut limit"),
    "suspend_credit": mark("suspend credit"),
    "stricter_review": mark("stricter review"),
    "offer_relief": mark("offer relief"),
    "terminate_and_recover": mark("terminate and recover"),
    "contact": mark("contact"),
    "verify_account": mark("verify account"),
    "watch": mark("watch"),
}
STATUS_WORDS = {"proposed": mark("proposed")}
ALERTED = {"severity": mark("severity"), "balance": mark("balance"), "credit_limit": mark("credit limit")}
"""What a policy may name beside what rules may, and how it reads."""
WATCH_DAYS = 30  # where no row of the policy holds: look again by the next month end
ACTION_COLUMNS = ["action_id", "alert_id", "customer_id", "as_of", "action", "why", "new_limit", "due_on", "status"]


class PolicyRow(BaseModel):
    """One row of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    when: str
    thresholds: dict[str, float | str] = {}
    why: str
    within_days: int = Field(ge=1, description="days until the action is due")
    limit_factor: float | None = Field(None, ge=0, le=1, description="new limit as a share of the present one")


class Policy(BaseModel):
    """A policy: rows in order of precedence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[PolicyRow] = Field(min_length=1)


def load_policy(path: Path, *, known: Iterable[str]) -> list[PolicyRow]:
    """Read and check a policy file.

    Raises
    ------
    ParameterError
        If the file is wrong, a condition names an unknown column, or a limit cut does not say how far.
    """
    columns = list(known)
    rows = load_params(Policy, path).rows
    for row in rows:
        try:
            compile_condition(row.when, known=columns, thresholds=row.thresholds)
        except ParameterError as error:
            raise ParameterError(f"{path}: action {row.action!r}: {error}") from None
        if (row.action == "cut_limit") != (row.limit_factor is not None):
            raise ParameterError(f"{path}: action {row.action!r}: limit_factor belongs to cut_limit, and it needs one.")
    return rows


def usable_rows(policy: Sequence[PolicyRow], columns: Iterable[str]) -> tuple[list[PolicyRow], dict[str, list[str]]]:
    """Return the rows whose columns are all there, and the actions of the others with the columns that they lack."""
    there = set(columns)
    gaps = [sorted(compile_condition(row.when, thresholds=row.thresholds).columns - there) for row in policy]
    usable = [row for row, gap in zip(policy, gaps, strict=True) if not gap]
    lacking: dict[str, list[str]] = {}
    for row, gap in zip(policy, gaps, strict=True):
        if gap:
            lacking[row.action] = sorted({*gap, *lacking.get(row.action, [])})
    return usable, lacking


def propose(alerted: pd.DataFrame, policy: Sequence[PolicyRow], *, as_of: date) -> pd.DataFrame:
    """Propose one action for each alerted customer: that of the first policy row that holds; `watch` where none does.

    Parameters
    ----------
    alerted
        alert_id, customer_id, balance and credit_limit of the revolving loans, and every column that the policy names.

    Returns
    -------
    DataFrame
        `ACTION_COLUMNS` in the order of `alerted`; `why` is in the language in use; `new_limit` only for a cut,
        never below the balance nor above the present limit; every status is `proposed`: nothing here acts.
    """
    chosen = pd.Series(-1, index=alerted.index)
    for number, row in enumerate(policy):
        holds = compile_condition(row.when, thresholds=row.thresholds).holds(alerted)
        chosen = chosen.mask(holds & (chosen < 0), number)
    rows = []
    for number, alert in zip(chosen, alerted.to_dict("records"), strict=True):
        chosen_row = policy[number] if number >= 0 else None
        rows.append(
            {
                "action_id": f"{alert['alert_id']}-{chosen_row.action if chosen_row else 'watch'}",
                "alert_id": alert["alert_id"],
                "customer_id": alert["customer_id"],
                "as_of": pd.Timestamp(as_of),
                "action": chosen_row.action if chosen_row else "watch",
                "why": say(chosen_row.why) if chosen_row else say("no row of the policy holds"),
                "new_limit": _new_limit(alert, chosen_row),
                "due_on": pd.Timestamp(as_of + timedelta(days=chosen_row.within_days if chosen_row else WATCH_DAYS)),
                "status": "proposed",
            }
        )
    return pd.DataFrame(rows, columns=ACTION_COLUMNS)


def in_words(actions: pd.DataFrame) -> pd.DataFrame:
    """Return actions with `action` and `status` in words of the language in use, for people to read."""
    return actions.assign(
        action=[say(ACTION_WORDS.get(code, code)) for code in actions["action"]],
        status=[say(STATUS_WORDS.get(code, code)) for code in actions["status"]],
    )


def _new_limit(alert: dict[Any, Any], row: PolicyRow | None) -> float:
    if row is None or row.limit_factor is None:
        return float("nan")
    cut = np.fmax(alert["credit_limit"] * row.limit_factor, alert["balance"])
    return round(float(np.fmin(cut, alert["credit_limit"])), 2)
