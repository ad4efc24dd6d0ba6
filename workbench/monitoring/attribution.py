"""Why risk changed between two dates under one model version: who came and left, exposures, PDs, and the score's factors.

A change of PD x exposure is split by the Shapley value (Shorrocks 2013, J. Economic Inequality 11): the mean over both orders
in which PD and exposure may have changed, which for two factors is each change at the other's midpoint (Bennet 1920, J. Royal
Statistical Society 83). The parts sum to the whole, customer by customer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.core.errors import InputError
from workbench.core.languages import by_language, mark
from workbench.models.kernel import blocks, coder
from workbench.models.scorecard import Scorecard, Variable

BEFORE, NOW = mark("before"), mark("now")
CAME, LEFT, EXPOSURE, PD = mark("came"), mark("left"), mark("exposure"), mark("PD")
DEFAULTED, CURED = mark("new defaults"), mark("no longer in default")
PARTS = (CAME, LEFT, EXPOSURE, PD, DEFAULTED, CURED)


def risk_change(now: pd.DataFrame, before: pd.DataFrame, *, bad_dpd: int) -> pd.DataFrame:
    """Return what the change of PD x exposure between two dates is made of; the parts sum to it.

    Parameters
    ----------
    now, before : DataFrame
        One row a customer, marked by `mark_defaulted`: customer_id, pd, exposure, dpd_now. An exposure that is not stated
        counts as none, as in a sum. With exposure times loss given default it is the expected loss that is split.
    bad_dpd
        Days past due from which a customer is in default.

    Returns
    -------
    DataFrame
        part, customers, amount: `BEFORE` and `NOW` the sums at the dates; between them what was added by who `CAME` and
        `LEFT`; and of those in both, by their `EXPOSURE`, their `PD`, the PD of new defaults (from what it was to 1:
        `DEFAULTED`) and of those no longer in default (`CURED`).

    Raises
    ------
    InputError
        Exposures that are stated for nobody, or a customer twice.
    """
    then, since = (_checked(rows, name) for rows, name in ((before, "before"), (now, "now")))
    both = then.merge(since, on="customer_id", how="outer", suffixes=("_0", "_1"), indicator=True)
    staying = (both["_merge"] == "both").to_numpy()
    p0, p1, e0, e1 = (both[name].to_numpy(dtype=np.float64) for name in ("pd_0", "pd_1", "exposure_0", "exposure_1"))
    risk0, risk1 = p0 * e0, p1 * e1
    by_exposure, by_pd = (e1 - e0) * (p0 + p1) / 2, (p1 - p0) * (e0 + e1) / 2
    bad0, bad1 = (both[name].to_numpy(dtype=np.float64) >= bad_dpd for name in ("dpd_now_0", "dpd_now_1"))
    rows = [(BEFORE, len(before), risk0[(both["_merge"] != "right_only").to_numpy()].sum())]
    for part, who, amount in (
        (CAME, (both["_merge"] == "right_only").to_numpy(), risk1),
        (LEFT, (both["_merge"] == "left_only").to_numpy(), -risk0),
        (EXPOSURE, staying & (e0 != e1), by_exposure),
        (PD, staying & (bad0 == bad1) & (p0 != p1), by_pd),
        (DEFAULTED, staying & ~bad0 & bad1, by_pd),
        (CURED, staying & bad0 & ~bad1, by_pd),
    ):
        rows.append((part, int(who.sum()), amount[who].sum()))
    rows.append((NOW, len(now), risk1[(both["_merge"] != "left_only").to_numpy()].sum()))
    return pd.DataFrame(rows, columns=["part", "customers", "amount"])


def _checked(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    _check_once(rows, name)
    if len(rows) and rows["exposure"].isna().all():
        raise InputError("change of risk: no exposure is stated, so there is no PD x exposure to split.")
    return rows[["customer_id", "pd", "dpd_now"]].assign(exposure=rows["exposure"].fillna(0.0).astype(float))


def _check_once(rows: pd.DataFrame, name: str) -> None:
    if rows["customer_id"].duplicated().any():
        raise InputError(f"change of risk: a customer stands twice in `{name}`. Give one row a customer.")


def score_movers(scorecard: Scorecard, now: pd.DataFrame, before: pd.DataFrame, *, bad_dpd: int) -> pd.DataFrame:
    """Return which factors moved the mean score of the customers in both panels who are in default at neither date.

    A score is a sum of points, so the mean changes of the points of the variables sum to the mean change of the score.

    Parameters
    ----------
    now, before : DataFrame
        Panels: customer_id, dpd_now and the scorecard's inputs; one row a customer.

    Returns
    -------
    DataFrame
        variable, label (in the language in use), points_before and points (means), change, up and down (shares of the
        customers who gained and who lost points); what pulled the mean score down most comes first. `attrs["customers"]`
        says how many there are, `attrs["change"]` how the mean score changed.
    """
    performing = (_performing(scorecard, rows, name, bad_dpd) for rows, name in ((now, "now"), (before, "before")))
    since, then = performing
    who = since.index.intersection(then.index)
    since, then = since.loc[who], then.loc[who]
    table = []
    columns = zip(scorecard.variables, scorecard.columns(since), scorecard.columns(then), strict=True)
    for variable, column, earlier in columns:
        points, points_before = _points(variable, column), _points(variable, earlier)
        moved = points - points_before
        means = [float(part.mean()) if len(part) else np.nan for part in (points_before, points, moved > 0, moved < 0)]
        label = by_language(variable.label) or variable.name
        table.append((variable.name, label, means[0], means[1], means[1] - means[0], means[2], means[3]))
    names = ["variable", "label", "points_before", "points", "change", "up", "down"]
    found = pd.DataFrame(table, columns=names).sort_values(["change", "variable"], ignore_index=True)
    found.attrs |= {"customers": len(who), "change": float(found["change"].sum())}
    return found


def _performing(scorecard: Scorecard, rows: pd.DataFrame, name: str, bad_dpd: int) -> pd.DataFrame:
    """Return the inputs of the customers who are not in default, by customer."""
    _check_once(rows, name)
    columns = rows.columns.intersection([*scorecard.inputs])
    return rows.set_index("customer_id").loc[~(rows["dpd_now"] >= bad_dpd).to_numpy(), columns]


def _points(variable: Variable, values: pd.Series) -> np.ndarray:
    code, own = coder(variable.bins, values), np.asarray(variable.points, dtype=np.float64)
    parts = [own[code(first, last)] for first, last in blocks(0, len(values))]
    return np.concatenate(parts) if parts else np.zeros(0)
