"""Which of the binned candidates enter: stable over months, not said twice, of the right sign, and significant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtri, expit, ndtr

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import mark, say, say_count
from workbench.models.columns import Floats
from workbench.models.regression import Logistic, by_group, logistic
from workbench.models.stability import index_of_counts

Method = Literal["stepwise", "backward", "l1"]
METHODS: tuple[Method, ...] = ("stepwise", "backward", "l1")
L1_PENALTIES = 20
L1_FOLDS = 5
IN, DROPPED, EXCLUDED = mark("in"), mark("dropped"), mark("excluded")


class Fates:
    """What became of each candidate so far: `IN`, `DROPPED` or `EXCLUDED`, and why, in the language in use."""

    def __init__(self, candidates: Mapping[str, object]) -> None:
        self.rows: dict[str, dict[str, object]] = {
            name: {"variable": name, "fate": "", "detail": "", "iv": np.nan, "csi": np.nan} for name in candidates
        }

    def set(self, name: str, fate: str, detail: str) -> None:
        """Say what became of a candidate; details are added to those before."""
        before = str(self.rows[name]["detail"])
        self.rows[name] |= {"fate": fate, "detail": say("; ").join(part for part in (before, detail) if part)}

    def frame(self) -> pd.DataFrame:
        """Return columns variable, fate, detail, iv, csi."""
        return pd.DataFrame(list(self.rows.values()), columns=["variable", "fate", "detail", "iv", "csi"])


class Columns(NamedTuple):
    """The candidates in play, the strongest first: their weights of evidence and the outcome, row by row."""

    woe: dict[str, Floats]
    outcome: npt.NDArray[np.bool_]
    weight: Floats | None
    groups: npt.NDArray[np.intp] | None = None  # the customers, where one has several rows

    def matrix(self, names: list[str]) -> Floats:
        """Return the columns (n, k) of `names`."""
        return np.column_stack([np.zeros((self.outcome.size, 0)), *(self.woe[name] for name in names)])


def monthly_csi(codes: npt.NDArray[np.intp], months: npt.NDArray[np.intp], weight: Floats | None) -> float:
    """Return the largest stability index of a month's bins against those of all other months, beyond what chance explains.

    Siddiqi, "Credit Risk Scorecards" (2006), chapter 8. Without a shift the index of k bins is about a chi-squared value of
    k - 1 degrees times (1 / n + 1 / m) for n and m rows (Yurdakul and Naranjo, 2020, Journal of Risk Model Validation 14): its
    99.9 % point is taken off, which is nothing for a large month and all for a day. NaN for one month alone.

    >>> monthly_csi(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), None)
    0.0
    """
    table = np.zeros((months.max() + 1, codes.max() + 1))
    np.add.at(table, (months, codes), 1.0 if weight is None else weight)
    if len(table) < 2:
        return float("nan")
    table = table[:, table.sum(axis=0) > 0]
    others = table.sum(axis=0) - table
    counts = np.stack([table.sum(axis=1), others.sum(axis=1)])
    found = index_of_counts(others, table).sum(axis=1)
    chance = chdtri(table.shape[1] - 1, 0.001) * (1 / counts).sum(axis=0) if table.shape[1] > 1 else 0.0
    return float(np.maximum(found - chance, 0.0).max())


def drop_correlated(columns: Columns, limit: float, fates: Fates) -> None:
    """Of two correlated columns keep the one with the higher information value."""
    names = list(columns.woe)
    matrix = _correlation(columns, names)
    kept: list[int] = []
    for i, name in enumerate(names):
        rival = max(kept, key=lambda j: abs(matrix[i, j]), default=None)
        if rival is not None and abs(matrix[i, rival]) > limit:
            found = f"{matrix[i, rival]:.2f}".replace("0.", ".")
            fates.set(name, DROPPED, say("correlated {found} with {other}", found=found, other=names[rival]))
            del columns.woe[name]
        else:
            kept.append(i)


def drop_collinear(columns: Columns, limit: float, fates: Fates) -> None:
    """Drop the column with the highest variance inflation factor until none is above the limit.

    VIF = 1 / (1 - R squared) of a column on all others: the diagonal of the inverse of the correlation matrix (Belsley, Kuh
    and Welsch, "Regression Diagnostics", 1980).
    """
    while len(columns.woe) > 1:
        names = list(columns.woe)
        factors = np.diag(np.linalg.pinv(_correlation(columns, names), hermitian=True))
        worst = int(np.argmax(factors))
        if factors[worst] <= limit:
            return
        fates.set(names[worst], DROPPED, say("VIF {found:.1f} above {limit:g}", found=factors[worst], limit=limit))
        del columns.woe[names[worst]]


def _correlation(columns: Columns, names: list[str]) -> Floats:
    if len(names) < 2:
        return np.ones((len(names), len(names)))
    covariance = np.cov(columns.matrix(names), rowvar=False, aweights=columns.weight)
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))


def choose(
    columns: Columns, *, method: Method, max_p_value: float, ridge: float, max_variables: int, fates: Fates
) -> tuple[list[str], Logistic]:
    """Return the variables of the scorecard and their fit: every coefficient negative and significant.

    `stepwise` adds the variable with the largest score statistic (Rao, 1948) whose sign is right, then removes what is no
    longer significant or has turned, until nothing changes: the bound on the signs holds at every step. `backward` starts
    from all. `l1` lets the lasso choose the set, at the penalty whose cross-validated likelihood is best, and goes on backward
    without that penalty, so that coefficients have standard errors. `ridge` is the penalty of every other fit.

    Raises
    ------
    ParameterError
        A method that is none of these.
    """
    if method not in METHODS:
        raise ParameterError(f"selection: {unknown('method', method, METHODS)}")
    names = list(columns.woe)
    if method == "stepwise":
        names = _stepwise(columns, max_p_value, ridge, max_variables, fates)
    elif method == "l1":
        chosen = _lasso(columns, names)
        for name in names:
            if name not in chosen:
                fates.set(name, DROPPED, say("coefficient 0 under the L1 penalty"))
        names = chosen
    return _backward(columns, names, max_p_value, ridge, max_variables, fates)


def _backward(
    columns: Columns, names: list[str], max_p_value: float, ridge: float, max_variables: int, fates: Fates
) -> tuple[list[str], Logistic]:
    """Drop one variable at a time: wrong sign first, then p-value, then the weakest beyond the allowed number."""
    while True:
        fit = logistic(columns.matrix(names), columns.outcome, columns.weight, ridge=ridge, groups=columns.groups)
        worst, detail = _worst(fit, max_p_value, max_variables)
        if worst is None:
            return names, fit
        fates.set(names[worst], DROPPED, detail)
        names = [name for i, name in enumerate(names) if i != worst]


def _worst(fit: Logistic, max_p_value: float, max_variables: int) -> tuple[int | None, str]:
    """Return which slope is to go first and why; None where all may stay."""
    slopes, p_values, ratio = fit.coefficients[1:], fit.p_values[1:], fit.coefficients[1:] / fit.std_errors[1:]
    if (slopes >= 0).any():
        worst = int(np.argmax(ratio))
        return worst, say("wrong sign: coefficient {slope:+.2f} beside the others", slope=slopes[worst])
    if (p_values > max_p_value).any():
        worst = int(np.argmin(np.abs(ratio)))
        return worst, say("p-value {p:.3f} above {limit:g}", p=p_values[worst], limit=max_p_value)
    if len(slopes) > max_variables:
        worst = int(np.argmin(np.abs(ratio)))
        return worst, say_count(
            max_variables,
            "weakest beyond {count} variable (z {z:.1f})",
            "weakest beyond {count} variables (z {z:.1f})",
            z=abs(ratio[worst]),
        )
    return None, ""


def _stepwise(columns: Columns, max_p_value: float, ridge: float, max_variables: int, fates: Fates) -> list[str]:
    entered: list[str] = []
    seen: set[frozenset[str]] = set()
    removed: dict[str, str] = {}
    while True:
        fit = logistic(columns.matrix(entered), columns.outcome, columns.weight, ridge=ridge, groups=columns.groups)
        worst, detail = _worst(fit, max_p_value, len(columns.woe))
        if worst is not None:
            removed[entered.pop(worst)] = detail
            continue
        waiting = [name for name in columns.woe if name not in entered and frozenset([*entered, name]) not in seen]
        z = _score_statistics(columns, entered, waiting, fit)
        best = int(np.argmin(z)) if waiting else -1
        if best < 0 or len(entered) == max_variables or 2 * ndtr(z[best]) > max_p_value or z[best] >= 0:
            break
        entered.append(waiting[best])
        seen.add(frozenset(entered))
    for name in columns.woe:
        if name not in entered and name not in waiting:
            fates.set(name, DROPPED, removed[name])  # with it the set would be one that was left before
    for name, statistic in zip(waiting, z, strict=True):
        p = 2 * ndtr(-abs(statistic))
        if statistic >= 0:
            detail = say("wrong sign beside the others (z {z:+.1f})", z=statistic)
        elif p > max_p_value:
            nothing = say("adds nothing beside the others: p-value {p:.3f} above {limit:g}", p=p, limit=max_p_value)
            detail = removed.get(name, nothing)
        else:
            detail = say_count(
                max_variables,
                "beyond {count} variable (z {z:.1f})",
                "beyond {count} variables (z {z:.1f})",
                z=abs(statistic),
            )
        fates.set(name, DROPPED, detail)
    return entered


def _score_statistics(columns: Columns, entered: list[str], waiting: list[str], fit: Logistic) -> Floats:
    """Return the signed root of the score statistic of each waiting variable; negative where it would lower P(bad).

    With sampling weights, or several rows a customer, its variance is the sandwich's, as that of the coefficients.
    """
    design = np.column_stack([np.ones(columns.outcome.size), columns.matrix(entered)])
    weight = np.ones(columns.outcome.size) if columns.weight is None else columns.weight
    chance = expit(design @ fit.coefficients)
    residual, information = columns.outcome - chance, weight * chance * (1 - chance)
    inverse = np.linalg.pinv((design * information[:, None]).T @ design, hermitian=True)
    found = np.zeros(len(waiting))
    for i, name in enumerate(waiting):
        column = columns.woe[name]
        own = column - design @ (inverse @ (design.T @ (information * column)))
        if columns.weight is None and columns.groups is None:
            variance = float(own**2 @ information)
        else:
            variance = float(np.sum(by_group((own * weight * residual)[:, None], columns.groups) ** 2))
        found[i] = (own @ (weight * residual)) / np.sqrt(variance) if variance > 0 else 0.0
    return found


def _lasso(columns: Columns, names: list[str]) -> list[str]:
    from sklearn.linear_model import LogisticRegressionCV

    if not names:
        return []
    matrix = columns.matrix(names)
    centre = np.average(matrix, axis=0, weights=columns.weight)
    spread = np.sqrt(np.average((matrix - centre) ** 2, axis=0, weights=columns.weight))
    search = LogisticRegressionCV(
        Cs=L1_PENALTIES, l1_ratios=(1.0,), solver="saga", cv=L1_FOLDS, scoring="neg_log_loss", max_iter=500, tol=1e-3,
        random_state=0, use_legacy_attributes=False,
    )  # fmt: skip
    search.fit((matrix - centre) / spread, columns.outcome, sample_weight=columns.weight)
    return [name for name, slope in zip(names, np.ravel(search.coef_), strict=True) if slope < 0]
