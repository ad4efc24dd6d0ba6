"""Two scores on the same rows: what differs, by how much, and whether that is more than chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from workbench.core.errors import ParameterError, SampleError
from workbench.core.languages import mark, say
from workbench.models.calibration import calibrate
from workbench.models.challenger import Challenger
from workbench.models.columns import Floats
from workbench.models.evaluation import brier, gini, ks, unit_weights
from workbench.models.intervals import Interval, difference, gini_difference, interval
from workbench.models.scorecard import Scorecard

BAD_RATE, MONEY_GONE_BAD = mark("Bad rate of the best {share:.0%}"), mark("Money gone bad, of the best {share:.0%}")
CHAMPION, CHALLENGER, NEITHER = mark("champion"), mark("challenger"), mark("no difference shown")
ACCEPTS, REFUSES = mark("accepts"), mark("refuses")


def measure_text(measure: str, *, approve: float) -> str:
    """Return the name of a measure of `compare` in the language in use.

    >>> measure_text("Bad rate of the best 90%", approve=0.9)
    'Bad rate of the best 90 %'
    """
    whole = {text.format(share=approve): text for text in (BAD_RATE, MONEY_GONE_BAD)}
    return say(whole.get(measure, measure), share=approve)


def compare(
    rows: pd.DataFrame,
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    *,
    approve: float,
    seed: int,
    amounts: npt.ArrayLike | None = None,
    repeats: int = 200,
) -> pd.DataFrame:
    """Return the measures of two scores and their differences with intervals, by customer.

    Parameters
    ----------
    rows : DataFrame
        customer_id, bad (0 or 1), optionally sample_weight.
    champion, challenger : DataFrames with score and pd, a row each
    approve : float
        Share of the rows that either would accept, for the bad rate among them.
    amounts : array of length n, optional
        Money at stake in each row, for the share of the accepted money that goes bad: the loss before recoveries.

    Returns
    -------
    DataFrame with columns measure, champion, challenger, difference (challenger less champion), low, high, better: the
    name of the better one where the interval leaves 0 out, else 'no difference shown'.
    """
    if not 0 < approve < 1:
        raise ParameterError(f"approve: found {approve:g}, expected above 0 and below 1.")
    bad, who = rows["bad"].to_numpy(), rows["customer_id"].to_numpy()
    weights = rows["sample_weight"].to_numpy() if "sample_weight" in rows else None
    common: dict[str, Any] = {"groups": who, "weights": weights, "seed": seed, "repeats": repeats}

    def accepted(outcome: Any, score: Any, weight: Any) -> float:
        return bad_rate_accepted(outcome, score, approve, weight)

    table = []
    for measure, statistic, column, higher_is_better in (
        (mark("Gini"), gini, "score", True),
        (mark("KS"), ks, "score", True),
        (mark("Brier score"), brier, "pd", False),
        (BAD_RATE.format(share=approve), accepted, "score", False),
    ):
        one, two = champion[column].to_numpy(), challenger[column].to_numpy()
        try:
            found = (
                gini_difference(bad, two, one, groups=who)
                if measure == "Gini" and weights is None
                else difference(statistic, bad, two, one, **common)
            )
        except SampleError:
            found = Interval(statistic(bad, two, weights) - statistic(bad, one, weights), np.nan, np.nan, 0.95)
        table.append(
            {
                "measure": measure,
                "champion": statistic(bad, one, weights),
                "challenger": statistic(bad, two, weights),
                "difference": found.value,
                "low": found.low,
                "high": found.high,
                "better": _better(found, higher=higher_is_better),
            }
        )
    if amounts is not None:
        table.append(_lost(bad, champion, challenger, checked_amounts(amounts, bad.size), approve, common))
    return pd.DataFrame(table)


def _lost(
    bad: Any, champion: pd.DataFrame, challenger: pd.DataFrame, amount: Floats, approve: float, common: dict[str, Any]
) -> dict[str, Any]:
    """Return the row of `compare` about money."""
    one, two = champion["score"].to_numpy(), challenger["score"].to_numpy()

    def lost(outcome: Any, score: Any, at: Any, weight: Any) -> float:
        taken = accepted_share(score, approve, weight) * amount[at] * unit_weights(weight, outcome.size)
        return float(taken @ outcome / taken.sum()) if taken.any() else 0.0

    def apart(outcome: Any, rows: Any, weight: Any) -> float:
        at = rows.astype(np.intp)
        return lost(outcome, two[at], at, weight) - lost(outcome, one[at], at, weight)

    every, outcome = np.arange(bad.size), bad.astype(np.float64)
    try:
        found = interval(apart, outcome, every, **common)
    except SampleError:
        found = Interval(apart(outcome, every, common["weights"]), np.nan, np.nan, 0.95)
    return {
        "measure": MONEY_GONE_BAD.format(share=approve),
        "champion": lost(outcome, one, every, common["weights"]),
        "challenger": lost(outcome, two, every, common["weights"]),
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "better": _better(found, higher=False),
    }


def _better(found: Interval, *, higher: bool) -> str:
    """Return whose the better measure is, or that none is shown."""
    if found.low > 0 or found.high < 0:
        return CHALLENGER if (found.low > 0) == higher else CHAMPION
    return NEITHER


def checked_amounts(amounts: npt.ArrayLike, rows: int) -> Floats:
    """Return amounts of money as an array.

    Raises
    ------
    SampleError
        Another length, a missing or negative amount, or nothing at stake.
    """
    try:
        amount = np.asarray(amounts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SampleError(f"amounts: not numbers ({error}). Choose another column, or none.") from None
    if amount.shape != (rows,):
        raise SampleError(f"amounts: found the shape {amount.shape}, expected {rows}, one for each row.")
    if wrong := int((~(np.isfinite(amount) & (amount >= 0))).sum()):
        raise SampleError(f"amounts: {wrong} of {rows} are missing or negative. Choose another column, or none.")
    if not np.isfinite(amount.sum() * amount.max()):
        raise SampleError(f"amounts: up to {amount.max():g}, too large to add up. Choose another unit.")
    if not amount.any():
        raise SampleError("amounts: all are 0. Choose another column, or none.")
    return amount


def scores_of(model: Scorecard | Challenger, rows: pd.DataFrame) -> Floats:
    """Return the scores of either kind of model."""
    found = model.score(rows, reasons=False)["score"] if isinstance(model, Scorecard) else model.score(rows)
    return np.asarray(found, dtype=np.float64)


def calibrated(model: Scorecard | Challenger, rows: pd.DataFrame, *, on: pd.DataFrame) -> pd.DataFrame:
    """Return score and pd of `rows`, the PD calibrated on the rows `on`, so that two models are calibrated alike."""
    a, b = calibrate(scores_of(model, on), on["bad"], weights=on.get("sample_weight"))
    score = scores_of(model, rows)
    return pd.DataFrame({"score": score, "pd": expit(a + b * score)}, index=rows.index)


def bad_rate_accepted(
    bad: npt.ArrayLike, score: npt.ArrayLike, approve: float, weights: npt.ArrayLike | None = None
) -> float:
    """Return the bad rate of the best `approve` share of the rows, ties taken in part.

    >>> bad_rate_accepted([1, 1, 0, 0], [1, 2, 3, 4], 0.75)
    0.3333333333333333
    """
    outcome = np.asarray(bad, dtype=np.float64)
    inside = accepted_share(score, approve, weights)
    weight = unit_weights(weights, outcome.size) * inside
    return float(weight @ outcome / weight.sum())


def accepted_share(score: npt.ArrayLike, approve: float, weights: npt.ArrayLike | None = None) -> Floats:
    """Return which part of each row is accepted (0 to 1) when the best `approve` share is: a tie at the cut goes in in part.

    >>> accepted_share([1, 2, 2, 3], 0.5).tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    value = np.asarray(score, dtype=np.float64)
    weight = unit_weights(weights, value.size)
    levels, at = np.unique(-value, return_inverse=True)
    mass = np.bincount(at, weights=weight, minlength=levels.size)
    room = approve * weight.sum() - (np.cumsum(mass) - mass)
    return np.asarray(np.clip(room / mass, 0, 1)[at], dtype=np.float64)


def swap_set(
    rows: pd.DataFrame,
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    *,
    approve: float,
    amounts: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Return who is accepted by which, each accepting the same share.

    Columns: champion and challenger ('accepts', 'refuses'), rows (a tie at a cut counts in part), share, bads, bad_rate (null
    where there is nobody); with amounts also amount and amount_bad, in their unit. The challenger is worth its swap where
    whom it takes in is safer than whom it leaves out.
    """
    weights = rows["sample_weight"].to_numpy() if "sample_weight" in rows else None
    weight, bad = unit_weights(weights, len(rows)), rows["bad"].to_numpy().astype(np.float64)
    amount = None if amounts is None else checked_amounts(amounts, len(rows))
    one, two = (accepted_share(side["score"], approve, weights) for side in (champion, challenger))
    # within a tie both take the same rows first, so that a score against itself swaps nobody
    both = np.minimum(one, two)
    cells = {
        (ACCEPTS, ACCEPTS): both,
        (ACCEPTS, REFUSES): one - both,
        (REFUSES, ACCEPTS): two - both,
        (REFUSES, REFUSES): 1 - np.maximum(one, two),
    }
    table = []
    for (first, second), part in cells.items():
        count, bads = float(weight @ part), float((weight * part) @ bad)
        rate = bads / count if count > 1e-9 else np.nan
        money = () if amount is None else ((weight * part) @ amount, (weight * part * bad) @ amount)
        table.append((first, second, count, count / weight.sum(), bads, rate, *money))
    columns = ["champion", "challenger", "rows", "share", "bads", "bad_rate"]
    return pd.DataFrame(table, columns=columns if amount is None else [*columns, "amount", "amount_bad"])
