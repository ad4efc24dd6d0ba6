"""Tables of the pages, made from frames that the stages hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from workbench.core.languages import say
from workbench.reporting.formats import ColumnFormat


def grade_distribution(customers: pd.DataFrame, grades: Sequence[str]) -> pd.DataFrame:
    """Return customers, exposure, mean PD and expected loss by grade; an amount that nobody states is null.

    Parameters
    ----------
    customers
        grade, pd, exposure, expected_loss; one row a customer.
    grades
        All grades, the safest first; one without customers is shown with zero.
    """
    table = customers.groupby("grade").agg(
        customers=("grade", "size"), exposure=("exposure", "sum"), pd_mean=("pd", "mean"),
        expected_loss=("expected_loss", "sum"),
    )  # fmt: skip
    table = table.reindex(list(grades))
    counted = ["customers", *(name for name in ("exposure", "expected_loss") if customers[name].notna().any())]
    table[counted] = table[counted].fillna(0)
    return table.astype({"customers": "int64"}).reset_index(names="grade")


def segment_table(customers: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return customers, exposure, the share of it that is bad_exposure, mean PD and expected loss by the column `by`.

    The largest exposure first; customers without a value stand in "not known", in the language in use.
    """
    rows = customers.assign(
        segment=customers[by].astype(object).where(customers[by].notna(), say("not known")),
    )
    table = rows.groupby("segment").agg(
        customers=("segment", "size"), exposure=("exposure", "sum"), late=("bad_exposure", "sum"), pd_mean=("pd", "mean"),
        expected_loss=("expected_loss", "sum"),
    )  # fmt: skip
    table["npl_ratio"] = table.pop("late") / table["exposure"].where(table["exposure"] > 0)
    return table.sort_values(["exposure", "customers"], ascending=False).reset_index()


def without_amounts(columns: Mapping[str, ColumnFormat], *, stated: bool) -> dict[str, ColumnFormat]:
    """Return the columns of a table; where no balances are stated, without those of money and of shares of it."""
    return {
        name: column
        for name, column in columns.items()
        if stated or not (column.kind == "money" or name == "npl_ratio")
    }


def with_forecast(history: pd.Series, forecast: pd.DataFrame | None, *, months: int) -> pd.DataFrame:
    """Return the last `months` of a series by month end and its forecast (month_end, value, low, high), for `plot_forecast`."""
    past = history.tail(months).rename("value").rename_axis("month").reset_index()
    rows = [past.assign(low=np.nan, high=np.nan, forecast=False)]
    if forecast is not None:
        ahead = forecast.rename(columns={"month_end": "month"})[["month", "value", "low", "high"]]
        rows.append(ahead.assign(forecast=True))
    return pd.concat(rows, ignore_index=True)


def grade_migration(now: pd.Series, before: pd.Series, grades: Sequence[str]) -> pd.DataFrame:
    """Return the customers who were in one grade and are in another; `previous` down, the present grades across."""
    counts = pd.crosstab(before, now).reindex(index=list(grades), columns=list(grades), fill_value=0)
    return counts.rename_axis("previous").reset_index().rename_axis(columns=None)


def score_bands(score: pd.Series, bad: pd.Series, *, width: int = 20, weights: pd.Series | None = None) -> pd.DataFrame:
    """Return counts (or sums of weights) of good and bad by score band: score_low, score_high, good, bad."""
    low = np.floor(score / width) * width
    weight = pd.Series(1, index=score.index) if weights is None else weights
    counts = pd.crosstab(low, bad.astype(bool), values=weight, aggfunc="sum")
    counts = counts.reindex(columns=[False, True]).fillna(0)
    return pd.DataFrame(
        {"score_low": counts.index, "score_high": counts.index + width, "good": counts[False], "bad": counts[True]}
    ).reset_index(drop=True)


def roc_points(score: pd.Series, bad: pd.Series, *, weights: pd.Series | None = None) -> pd.DataFrame:
    """Return the ROC curve and the two cumulative shares: score, fpr, tpr, cum_good, cum_bad, the riskiest first."""
    weight = np.ones(len(score)) if weights is None else weights.to_numpy(dtype=np.float64)
    rows = pd.DataFrame({"score": score.to_numpy(), "bad": bad.to_numpy(dtype=int) * weight, "weight": weight})
    counts = rows.groupby("score", as_index=False).agg(bads=("bad", "sum"), rows=("weight", "sum"))
    counts["goods"] = counts["rows"] - counts["bads"]
    tpr = counts["bads"].cumsum() / counts["bads"].sum()
    fpr = counts["goods"].cumsum() / counts["goods"].sum()
    table = pd.DataFrame({"score": counts["score"], "fpr": fpr, "tpr": tpr, "cum_good": fpr, "cum_bad": tpr})
    step = max(len(table) // 400, 1)  # 400 points draw the same curve as a million
    return table.iloc[[*range(0, len(table) - 1, step), len(table) - 1]].reset_index(drop=True)


def decile_bad_rate(values: pd.Series, bad: pd.Series, *, deciles: int = 10) -> pd.DataFrame:
    """Return the bad rate in each tenth of an indicator (fewer where values tie), and where it is missing.

    Columns: decile (text, in the language in use), rows, bads, bad_rate.
    """
    groups = pd.qcut(values.rank(method="average"), deciles, labels=False, duplicates="drop")
    rows = pd.DataFrame({"group": groups, "value": values, "bad": bad.to_numpy()})
    table = rows.groupby("group", dropna=False).agg(
        low=("value", "min"), high=("value", "max"), rows=("bad", "size"), bads=("bad", "sum")
    )
    table["decile"] = [
        say("missing") if pd.isna(group) else say("{low:.3g} to {high:.3g}", low=low, high=high)
        for group, low, high in zip(table.index, table["low"], table["high"], strict=True)
    ]
    table["bad_rate"] = table["bads"] / table["rows"]
    return table[["decile", "rows", "bads", "bad_rate"]].reset_index(drop=True)
