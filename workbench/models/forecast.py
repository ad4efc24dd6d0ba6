"""Forecasts of monthly series: chains of a book's flows beside smoothing and naive ones, chosen by how they did before.

Intervals are made of each model's own past errors, horizon by horizon (split conformal prediction on rolling origins: Vovk,
Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005; rolling origins: Tashman 2000, Int. J. Forecasting 16).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from workbench.book.flows import default_rates
from workbench.core.errors import SampleError, unknown
from workbench.core.languages import mark, say
from workbench.models.chains import RECENT, Method, default_rate_chain
from workbench.models.columns import Floats

LEVEL = 0.8
"""Share of past errors that an interval holds; fan charts of central banks show 80 or 90 %. House choice."""
FIRST_ORIGIN = 18
"""Months of history before the first backtest. House choice: a year to average over, and some to spare."""
WORDS = {
    mark("chain"): mark(
        "loans move between delinquency states as in the last {months} months, and new lending stays as it was in them"
    ),
    mark("migration"): mark(
        "customers move between grades as in the last {months} months, and come and leave as they did in them"
    ),
    mark("smoothing"): mark(
        "the level goes on as exponential smoothing of the whole history has it, late months weighing most"
    ),
    mark("average"): mark("the next months are as the average of the last {months}"),
    mark("last month"): mark("the next months are as the last one"),
}
NAIVE = "last month"


class _Scale(NamedTuple):
    there: Callable[[Any], Any]
    back: Callable[[Any], Any]
    least: float
    most: float


_SCALES = {
    "level": _Scale(np.asarray, np.asarray, -np.inf, np.inf),
    "rate": _Scale(np.sqrt, np.square, 0.0, np.inf),
    "share": _Scale(
        lambda share: np.arcsin(np.sqrt(np.clip(share, 0, 1))), lambda angle: np.square(np.sin(angle)), 0.0, np.pi / 2
    ),
}


@dataclass(frozen=True)
class Forecast:
    """A forecast and how such forecasts did before.

    Attributes
    ----------
    table : DataFrame
        month_end, (of a mix: part,) value, low, high: `LEVEL` of past forecasts were as near; low and high are NaN where too
        few were made.
    model : str
        Which of `WORDS` was chosen: the least mean absolute error over all origins and horizons.
    backtest : DataFrame
        model, horizon, origins, mae, in the series' own unit (of a mix: see `forecast_mix`); every model that was tried.
    values : mapping of model to what each forecasts, in the series' own unit; of a mix, months x parts
    errors : mapping of model to the signed errors on the scale of the intervals, origins x horizons (x parts)
    history : DataFrame
        What was: a column of a series, the parts of a mix, by month end.
    scale : str
    """

    table: pd.DataFrame
    model: str
    backtest: pd.DataFrame
    values: Mapping[str, Floats]
    errors: Mapping[str, Floats]
    history: pd.DataFrame
    scale: str

    @property
    def assumption(self) -> str:
        """What has to go on for it to hold, in words."""
        return say(WORDS[self.model], months=RECENT)


def forecast_default_rate(flows: pd.DataFrame, *, horizon: int = 12) -> Forecast:
    """Forecast the monthly default rate of `flows` (as `book.flows.monthly_flows` gives them).

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months.
    """
    rates = default_rates(flows)
    series = pd.Series(rates["rate"].to_numpy(), index=pd.DatetimeIndex(rates["month_end"]))
    return forecast_series(series, horizon=horizon, more={"chain": default_rate_chain(flows)}, scale="rate")


def forecast_series(
    series: pd.Series,
    *,
    horizon: int = 12,
    more: Mapping[str, Method] | None = None,
    scale: Literal["rate", "share", "level"] = "level",
) -> Forecast:
    """Forecast a monthly series by the model that would have been nearest before.

    Parameters
    ----------
    series : Series of float by month end, without gaps
    horizon : int
        Months ahead.
    more : mapping
        Further methods beside smoothing, average and last month.
    scale : 'rate', 'share' or 'level'
        A rate is forecast as its square root, whose noise hardly depends on its height (Bartlett 1947, Biometrics 3) and
        which keeps it from falling below 0; a share as the arc sine of that, which keeps it from passing 1 as well; a level
        as it is.

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months, or a value that is missing or, of a rate, below 0 or, of a share, above 1.
    """
    if scale not in _SCALES:
        raise SampleError(f"forecast: {unknown('scale', scale, _SCALES)}")
    return _forecast(series.to_frame("value"), horizon, more or {}, scale)


def forecast_mix(amounts: pd.DataFrame, *, horizon: int = 12, more: Mapping[str, Method] | None = None) -> Forecast:
    """Forecast the shares of the parts of a whole: none below 0, together 1.

    One model is chosen for the mix. Parts are in an order, as grades and buckets are, so errors are those of the share up to
    each part: a customer put one grade off counts less than one put three off (as in the ranked probability score of
    Epstein 1969, J. Applied Meteorology 8). What a model says of each part is divided by its sum; each part has an interval
    of its own, and these do not sum to anything.

    Parameters
    ----------
    amounts : DataFrame
        Amount or share of each part (columns, in their order), by month end without gaps.
    more : mapping
        Further methods, whose forecasts are months x parts, as amounts or as shares.

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months, an amount missing or below 0, or a month with nothing at all.
    """
    shares = amounts.div(amounts.sum(axis=1, skipna=False), axis=0)
    return _forecast(shares, horizon, more or {}, "share", whole=True)


def forecast_sum(mix: Forecast, parts: Sequence[str]) -> Forecast:
    """Return what the forecast of a mix says of some of its parts together, with an interval from the errors of that sum."""
    known = [str(part) for part in mix.history.columns]
    if strange := [part for part in parts if part not in known]:
        raise SampleError(f"forecast: {unknown('part', strange[0], known)}")
    at = [known.index(part) for part in parts]
    scale, shares = _SCALES[mix.scale], mix.history.to_numpy(dtype=np.float64)
    total = shares[:, at].sum(axis=1, keepdims=True)
    errors = {}
    for name, found in mix.errors.items():
        told = scale.back(_truths(scale.there(shares), *found.shape[:2]) - found)[..., at].sum(axis=2, keepdims=True)
        errors[name] = _truths(scale.there(total), *found.shape[:2]) - scale.there(told)
    ahead = {name: scale.there(values[:, at].sum(axis=1, keepdims=True)) for name, values in mix.values.items()}
    history = pd.DataFrame(total, index=mix.history.index, columns=["value"])
    return _judged(history, errors, ahead, mix.scale, model=mix.model)


def past_errors(forecasts: Mapping[str, Forecast], *, horizons: Sequence[int] = (1, 3, 6, 12)) -> pd.DataFrame:
    """Return how far the forecasts of each series from earlier months were from what came.

    Returns
    -------
    DataFrame
        series, model, chosen (bool), origins (the most at any horizon), a column for each of `horizons` that was tried, by its
        number as text, and mean (over all horizons): mean absolute errors in the unit of the series; to_naive: that mean as
        a multiple of the one of "last month" (Hyndman and Koehler 2006, Int. J. Forecasting 22), which any two series can
        be compared by, NaN where that one never erred. The nearest model of a series first.
    """
    rows = []
    for series, found in forecasts.items():
        means = found.backtest.groupby("model")["mae"].mean().sort_values(kind="stable")
        for model, mean in means.items():
            own = found.backtest[found.backtest["model"] == model].set_index("horizon")
            told = {str(ahead): own["mae"].get(ahead) for ahead in horizons if ahead in own.index}
            naive = float(means[NAIVE])
            rows.append(
                {"series": series, "model": model, "chosen": model == found.model, "origins": int(own["origins"].max())}
                | told
                | {"mean": float(mean), "to_naive": float(mean) / naive if naive else np.nan}
            )
    columns = ["series", "model", "chosen", "origins", *map(str, horizons), "mean", "to_naive"]
    return pd.DataFrame(rows, columns=columns).dropna(axis="columns", how="all")


def _forecast(
    history: pd.DataFrame, horizon: int, more: Mapping[str, Method], scale: str, *, whole: bool = False
) -> Forecast:
    values, how = history.to_numpy(dtype=np.float64), _SCALES[scale]
    if len(values) <= FIRST_ORIGIN:
        raise SampleError(
            say("forecast: found {found} months, expected {least} or more.", found=len(values), least=FIRST_ORIGIN + 1)
        )
    lowest, highest = {"level": (-np.inf, np.inf), "rate": (0, np.inf), "share": (0, 1 + 1e-9)}[scale]
    if not (np.isfinite(values) & (values >= lowest) & (values <= highest)).all():
        raise SampleError(
            say("forecast: a month has no value, or a rate below 0, or a share above 1. Leave out what came before it.")
        )
    own: Floats = how.there(values)
    methods: dict[str, Method] = {
        "smoothing": lambda origin, ahead: np.column_stack([_smoothed(part[:origin], ahead) for part in own.T]),
        "average": lambda origin, ahead: np.tile(own[max(origin - RECENT, 0) : origin].mean(axis=0), (ahead, 1)),
        NAIVE: lambda origin, ahead: np.tile(own[origin - 1], (ahead, 1)),
    }
    for name, method in more.items():
        methods[name] = _on_scale(method, how, whole=whole)
    if whole:
        methods = {name: _made_whole(method, how) for name, method in methods.items()}
    errors = {name: _errors(own, method, horizon) for name, method in methods.items()}
    ahead = {name: method(len(own), horizon) for name, method in methods.items()}
    return _judged(history, errors, ahead, scale)


def _on_scale(method: Method, scale: _Scale, *, whole: bool) -> Method:
    def forecast(origin: int, ahead: int) -> Floats:
        told = method(origin, ahead).reshape(ahead, -1)
        return np.asarray(scale.there(told / told.sum(axis=1, keepdims=True) if whole else told))

    return forecast


def _made_whole(method: Method, scale: _Scale) -> Method:
    def forecast(origin: int, ahead: int) -> Floats:
        told = scale.back(method(origin, ahead))
        return np.asarray(scale.there(told / told.sum(axis=1, keepdims=True)))

    return forecast


def _errors(own: Floats, method: Method, horizon: int) -> Floats:
    """Return truth minus forecast, origins x horizons x parts; NaN where the truth is not known yet."""
    origins = len(own) - FIRST_ORIGIN
    found = _truths(own, origins, horizon)
    for row in range(origins):
        ahead = min(horizon, origins - row)
        found[row, :ahead] -= method(FIRST_ORIGIN + row, ahead)
    return found


def _truths(own: Floats, origins: int, horizon: int) -> Floats:
    """Return what came after each origin, origins x horizons x parts; NaN where it is not known yet."""
    later = np.vstack([own[FIRST_ORIGIN:], np.full((horizon, own.shape[1]), np.nan)])
    return np.stack([later[row : row + horizon] for row in range(origins)])


def _judged(
    history: pd.DataFrame, errors: Mapping[str, Floats], ahead: Mapping[str, Floats], scale: str, *, model: str = ""
) -> Forecast:
    """Return the forecast of the model whose errors were the least, or of `model`; all arrays are on the scale."""
    how, values = _SCALES[scale], history.to_numpy(dtype=np.float64)
    backtest = _backtest(values, errors, how)
    model = model or str(backtest.groupby("model", sort=False)["mae"].mean().idxmin())
    ahead = {name: np.clip(value, how.least, how.most) for name, value in ahead.items()}
    middle, found = ahead[model], errors[model]
    width = np.column_stack([interval_widths(found[..., part]) for part in range(found.shape[2])])
    low, high = (np.clip(end, how.least, how.most) for end in (middle - width, middle + width))
    horizon, parts = middle.shape
    months = pd.date_range(history.index[-1], periods=horizon + 1, freq="ME")[1:]
    table = pd.DataFrame({"month_end": months.repeat(parts), "part": np.tile(history.columns, horizon)})
    table = table.assign(**{n: how.back(v).ravel() for n, v in (("value", middle), ("low", low), ("high", high))})
    told, missed = {name: how.back(value) for name, value in ahead.items()}, errors
    if history.columns.tolist() == ["value"]:  # one series: no parts to tell
        table = table.drop(columns="part")
        told = {name: value[:, 0] for name, value in told.items()}
        missed = {name: value[..., 0] for name, value in errors.items()}
    return Forecast(table, model, backtest, told, missed, history, scale)


def _backtest(values: Floats, errors: Mapping[str, Floats], scale: _Scale) -> pd.DataFrame:
    rows = []
    for name, found in errors.items():
        truth = _truths(values, *found.shape[:2])
        missed = truth - scale.back(scale.there(truth) - found)
        if missed.shape[2] > 1:  # a mix: up to each part but the last, which is always 1
            missed = missed.cumsum(axis=2)[..., :-1]
        missed = np.abs(missed).mean(axis=2)
        for ahead in range(found.shape[1]):
            known = np.isfinite(missed[:, ahead])
            if known.any():
                rows.append((name, ahead + 1, int(known.sum()), float(missed[known, ahead].mean())))
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

    if np.ptp(own) == 0:  # nothing to fit
        return np.full(ahead, own[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that has not converged: the backtest says what it is worth
        fitted = SimpleExpSmoothing(own, initialization_method="estimated").fit()
    return np.asarray(fitted.forecast(ahead), dtype=np.float64)
