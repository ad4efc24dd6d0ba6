"""Forecasts of a monthly series: a Markov chain of delinquency beside smoothing and naive ones, chosen by how they did before.

Intervals are made of each model's own past errors, horizon by horizon (split conformal prediction on rolling origins: Vovk,
Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; rolling origins: Tashman 2000, Int. J. Forecasting 16).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from workbench.book.flows import DEFAULT, NEW, PERFORMING, default_rates
from workbench.core.errors import SampleError, unknown
from workbench.models.columns import Floats

LEVEL = 0.8
"""Share of past errors that an interval holds; fan charts of central banks show 80 or 90 %. House choice."""
FIRST_ORIGIN = 18
"""Months of history before the first backtest. House choice: a year to average over, and some to spare."""
RECENT = 12
"""Months that the chain and the average look back on: a whole year, so that seasons cancel. House choice."""
Method = Callable[[int, int], Floats]
"""Of an origin (months known) and a horizon: the forecast of so many months from there."""
WORDS = {
    "chain": f"loans move between delinquency states as in the last {RECENT} months, and new lending stays as it was in them",
    "smoothing": "the level goes on as exponential smoothing of the whole history has it, late months weighing most",
    "average": f"the next months are as the average of the last {RECENT}",
    "last month": "the next months are as the last one",
}


@dataclass(frozen=True)
class Forecast:
    """A forecast and how such forecasts did before.

    Attributes
    ----------
    table : DataFrame
        month_end, value, low, high: `LEVEL` of past forecasts were as near; low and high are NaN where too few were made.
    model : str
        Which of `WORDS` was chosen: the least mean absolute error over all origins and horizons.
    backtest : DataFrame
        model, horizon, origins, mae, in the series' own unit; every model that could be tried.
    values : mapping of model to what each forecasts, in the series' own unit
    errors : mapping of model to the signed errors on the scale of the intervals, origins x horizons
    """

    table: pd.DataFrame
    model: str
    backtest: pd.DataFrame
    values: Mapping[str, Floats]
    errors: Mapping[str, Floats]

    @property
    def assumption(self) -> str:
        """What has to go on for it to hold, in words."""
        return WORDS[self.model]


def forecast_default_rate(flows: pd.DataFrame, *, horizon: int = 12) -> Forecast:
    """Forecast the monthly default rate of `flows` (as `book.flows.monthly_flows` gives them).

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months.
    """
    rates = default_rates(flows)
    series = pd.Series(rates["rate"].to_numpy(), index=pd.DatetimeIndex(rates["month_end"]))
    return forecast_series(series, horizon=horizon, more={"chain": chain(flows)}, scale="rate")


def forecast_series(
    series: pd.Series,
    *,
    horizon: int = 12,
    more: Mapping[str, Method] | None = None,
    scale: Literal["rate", "level"] = "level",
) -> Forecast:
    """Forecast a monthly series by the model that would have been nearest before.

    Parameters
    ----------
    series : Series of float by month end, without gaps
    horizon : int
        Months ahead.
    more : mapping
        Further methods beside smoothing, average and last month.
    scale : 'rate' or 'level'
        A rate is forecast as its square root, whose noise hardly depends on its height (Bartlett 1947, Biometrics 3) and
        which keeps it from falling below 0; a level as it is.

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months, or a value that is missing or, of a rate, below 0.
    """
    if scale not in ("rate", "level"):
        raise SampleError(f"forecast: {unknown('scale', scale, ['rate', 'level'])}")
    values = series.to_numpy(dtype=np.float64)
    if len(values) <= FIRST_ORIGIN:
        raise SampleError(f"forecast: found {len(values)} months, expected {FIRST_ORIGIN + 1} or more.")
    if not np.isfinite(values).all() or (scale == "rate" and (values < 0).any()):
        raise SampleError("forecast: a month has no value, or a rate below 0. Leave out what came before it.")
    there, back = (np.sqrt, np.square) if scale == "rate" else (np.asarray, np.asarray)
    own = there(values)
    methods: dict[str, Method] = {
        "smoothing": lambda origin, ahead: _smoothed(own[:origin], ahead),
        "average": lambda origin, ahead: np.full(ahead, float(own[max(origin - RECENT, 0) : origin].mean())),
        "last month": lambda origin, ahead: np.full(ahead, own[origin - 1]),
    }
    for name, method in (more or {}).items():
        methods[name] = _on_scale(method, there)
    errors = {name: _errors(own, method, horizon) for name, method in methods.items()}
    backtest = _backtest(values, own, errors, back)
    model = str(backtest.groupby("model", sort=False)["mae"].mean().idxmin())
    least = 0.0 if scale == "rate" else -np.inf
    ahead = {name: np.maximum(method(len(own), horizon), least) for name, method in methods.items()}
    middle, width = ahead[model], interval_widths(errors[model])
    low = np.maximum(middle - width, least)
    months = pd.date_range(series.index[-1], periods=horizon + 1, freq="ME")[1:]
    table = pd.DataFrame({"month_end": months, "value": back(middle), "low": back(low), "high": back(middle + width)})
    return Forecast(table, model, backtest, {name: back(value) for name, value in ahead.items()}, errors)


def _on_scale(method: Method, there: Callable[[Floats], Floats]) -> Method:
    return lambda origin, ahead: there(method(origin, ahead))


def _errors(own: Floats, method: Method, horizon: int) -> Floats:
    """Return truth minus forecast, a row an origin; NaN where the truth is not known yet."""
    found = np.full((len(own) - FIRST_ORIGIN, horizon), np.nan)
    for row, origin in enumerate(range(FIRST_ORIGIN, len(own))):
        ahead = min(horizon, len(own) - origin)
        found[row, :ahead] = own[origin : origin + ahead] - method(origin, ahead)
    return found


def _backtest(
    values: Floats, own: Floats, errors: Mapping[str, Floats], back: Callable[[Floats], Floats]
) -> pd.DataFrame:
    rows = []
    for name, found in errors.items():
        for ahead in range(found.shape[1]):
            known = np.flatnonzero(np.isfinite(found[:, ahead]))
            if len(known):
                at = FIRST_ORIGIN + known + ahead
                missed = np.abs(values[at] - back(own[at] - found[known, ahead]))
                rows.append((name, ahead + 1, len(known), float(missed.mean())))
    return pd.DataFrame(rows, columns=["model", "horizon", "origins", "mae"])


def interval_widths(errors: Floats) -> Floats:
    """Return half the width of the interval at each horizon: it never narrows with the horizon; NaN where too few errors.

    The ceil((n + 1) LEVEL)-th smallest of n absolute errors (Vovk and others 2005); then non-decreasing by isotonic regression.
    """
    from sklearn.isotonic import IsotonicRegression

    widths, counts = np.full(errors.shape[1], np.nan), np.zeros(errors.shape[1])
    for ahead in range(errors.shape[1]):
        known = np.sort(np.abs(errors[np.isfinite(errors[:, ahead]), ahead]))
        rank = math.ceil((len(known) + 1) * LEVEL)
        counts[ahead] = len(known)
        if 0 < rank <= len(known):
            widths[ahead] = known[rank - 1]
    some = np.isfinite(widths)
    if some.any():
        steps = np.arange(len(widths))[some]
        widths[some] = IsotonicRegression().fit_transform(steps, widths[some], sample_weight=counts[some])
    return widths


def _smoothed(own: Floats, ahead: int) -> Floats:
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that has not converged: the backtest says what it is worth
        fitted = SimpleExpSmoothing(own, initialization_method="estimated").fit()
    return np.asarray(fitted.forecast(ahead), dtype=np.float64)


def chain(flows: pd.DataFrame) -> Method:
    """Return the forecast of the default rate by a Markov chain of exposure over the states of `PERFORMING`.

    From state i, the share p[i, j] of the exposure is in state j a month later (what is repaid is lost on the way), and d[i]
    defaults: both over the last `RECENT` months together. New lending comes in at the mean of these months. The rate of a
    month is the sum of d[i] x exposure[i] over the exposure. (Cyert, Davidson and Thompson 1962, Management Science 8; exposure
    in place of accounts.)
    """
    amount = ("loans", "loans") if flows["balance_before"].isna().all() else ("balance_before", "balance_after")
    months = default_rates(flows)["month_end"].tolist()
    size = len(PERFORMING)
    place = {state: i for i, state in enumerate(PERFORMING)}
    started, lost, arrived, standing = np.zeros((4, len(months), size))
    moved = np.zeros((len(months), size, size))
    at = {month: i for i, month in enumerate(months)}
    columns = (flows["month_end"], flows["before"], flows["after"], flows[amount[0]], flows[amount[1]])
    for month, before, after, was, now in zip(*columns, strict=True):
        t = at.get(month)
        if t is None:
            continue
        if before in place:
            started[t, place[before]] += was
            if after == DEFAULT:
                lost[t, place[before]] += was
        if after in place:
            standing[t, place[after]] += now
            if before in place:
                moved[t, place[before], place[after]] += now
            elif before == NEW:
                arrived[t, place[after]] += now

    def forecast(origin: int, ahead: int) -> Floats:
        recent = slice(max(origin - RECENT, 0), origin)
        base = started[recent].sum(axis=0)
        base[base == 0] = np.inf  # a state that nobody was in leads nowhere
        stay, fall = moved[recent].sum(axis=0) / base[:, None], lost[recent].sum(axis=0) / base
        new = arrived[recent].mean(axis=0)
        exposure, rates = standing[origin - 1].copy(), np.empty(ahead)
        for step in range(ahead):
            total = exposure.sum()
            rates[step] = exposure @ fall / total if total else 0.0
            exposure = exposure @ stay + new
        return rates

    return forecast
