"""How a scorecard did: by part and date, beside single variables, its stability, and what the gates ask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.core.errors import ParameterError, SampleError, unknown
from workbench.core.languages import mark
from workbench.models.columns import Floats
from workbench.models.development import PARTS, candidates, validation_part
from workbench.models.evaluation import brier, gini, ks
from workbench.models.intervals import delong_interval, difference, gini_difference, interval
from workbench.models.scorecard import Scorecard
from workbench.models.stability import psi_interval

SCORE = mark("score")
_SIGNS = {"higher": -1.0, "lower": 1.0}


def validate(
    scorecard: Scorecard, rows: pd.DataFrame, *, by: Sequence[str] = ("part",), seed: int, repeats: int = 200
) -> pd.DataFrame:
    """Return how the scorecard ranks and predicts in each part of the modelling set.

    All eligible rows are used, indeterminate as not bad, with their sampling weights where there are any (rows and bads
    are counts). Intervals are by customer, since a customer may stand in several cohorts: DeLong's of the Gini, a bootstrap of
    the others, and of the Gini too where there are weights.

    Returns
    -------
    DataFrame
        The columns of `by`, rows, bads, bad_rate, pd_mean, calibration_ratio (predicted over realised), gini, gini_low,
        gini_high, and so for ks and brier; null where a part has one class only, or too few of one for an interval.
    """
    if strange := [name for name in by if name not in rows]:
        raise ParameterError(f"by: {unknown('column', strange[0], map(str, rows.columns))}")
    scored = scorecard.score(rows, reasons=False)
    results, keys = [], []
    groups = [rows[name].astype(object).where(rows[name].notna(), "missing") for name in by]
    for key, index in rows.groupby(groups, sort=False).groups.items():
        names = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        bad = rows.loc[index, "bad"].to_numpy()
        part = scored.loc[index]
        weights = rows.loc[index, "sample_weight"].to_numpy() if "sample_weight" in rows else None
        row = {"rows": len(bad), "bads": int(bad.sum()), "bad_rate": float(np.average(bad, weights=weights))}
        row["pd_mean"] = float(np.average(part["pd"], weights=weights))
        if 0 < bad.sum() < len(bad):
            customers = rows.loc[index, "customer_id"].to_numpy()
            row["calibration_ratio"] = row["pd_mean"] / row["bad_rate"]
            for name, statistic, value in (("gini", gini, "score"), ("ks", ks, "score"), ("brier", brier, "pd")):
                row[name] = statistic(bad, part[value], weights)
                try:
                    found = (
                        delong_interval(bad, part[value], groups=customers)
                        if name == "gini" and weights is None
                        else interval(
                            statistic, bad, part[value], groups=customers, weights=weights, seed=seed, repeats=repeats
                        )
                    )
                except SampleError:
                    continue  # too few of one class: the figure stands without an interval
                row |= {f"{name}_low": found.low, f"{name}_high": found.high}
        results.append(row)
        keys.append(names)
    columns = [
        *"rows bads bad_rate pd_mean calibration_ratio gini gini_low gini_high ks ks_low ks_high".split(),
        *"brier brier_low brier_high".split(),
    ]
    named = pd.DataFrame(keys, columns=list(by)).infer_objects()
    table = pd.concat([named, pd.DataFrame(results).reindex(columns=columns)], axis=1)
    if list(by) == ["part"]:
        table = table.sort_values("part", key=lambda part: part.map(PARTS.index), ignore_index=True)
    return table


def gate_metrics(
    rows: pd.DataFrame,
    validation: pd.DataFrame,
    coefficients: pd.DataFrame,
    *,
    stability: pd.DataFrame,
    losses: pd.DataFrame,
) -> dict[str, float]:
    """Return the metrics that `params/gates.yaml` names, from the validation by part; one that cannot be had is absent.

    `gini_drop` and `psi_score` compare train with out of time, `gini_drop_test` and, without an out-of-time part,
    `psi_score_test` train with test; `max_csi` is the largest of a variable in `stability`, `max_incomplete_share` the
    largest of a date in `losses`.
    """
    parts = validation.set_index("part")
    slopes = coefficients.loc[coefficients["variable"] != "(intercept)", "coefficient"]
    metrics: dict[str, float] = {"wrong_signs": float((slopes >= 0).sum())}
    for part in parts.index:
        suffix = part.replace(" ", "_")
        found = parts.loc[part]
        metrics |= {
            f"bads_{suffix}": found["bads"],
            f"gini_{suffix}": found["gini"],
            f"gini_{suffix}_low": found["gini_low"],
            f"gini_{suffix}_high": found["gini_high"],
            f"ks_{suffix}": found["ks"],
            f"ks_{suffix}_low": found["ks_low"],
            f"ks_{suffix}_high": found["ks_high"],
            f"calibration_ratio_{suffix}": found["calibration_ratio"],
            f"brier_{suffix}": found["brier"],
        }
    metrics["max_csi"] = float(stability.loc[stability["of"] != SCORE, "psi"].max())
    if {"incomplete", "active", "already_bad"} <= set(losses):
        eligible = (losses["active"] - losses["already_bad"] - losses.get("in_probation", 0)).clip(lower=1)
        metrics["max_incomplete_share"] = float((losses["incomplete"] / eligible).max())
    else:
        metrics["max_incomplete_share"] = 0.0  # a flat table: a row without an outcome is refused
    for part, suffix in (("out of time", ""), ("test", "_test")):
        if (rows["part"] == part).any():
            metrics[f"gini_drop{suffix}"] = metrics["gini_train"] - metrics[f"gini_{part.replace(' ', '_')}"]
    held = validation_part(rows)
    metrics["psi_score" if held == "out of time" else "psi_score_test"] = float(
        stability.loc[stability["of"] == SCORE, "psi"].iloc[0]
    )
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def stability_table(
    scorecard: Scorecard, rows: pd.DataFrame, part: str, *, seed: int, repeats: int = 200
) -> pd.DataFrame:
    """Return how far the score (PSI over tenths of train) and each variable (CSI over its bins) moved from train to `part`.

    Columns: of ('score' or a variable), psi, low, high (bootstrap by customer); weighted where the rows are.
    """
    then, now = rows[rows["part"] == "train"], rows[rows["part"] == part]
    scores = [scorecard.score(side, reasons=False)["score"].to_numpy() for side in (then, now)]
    edges = np.unique(np.quantile(scores[0], np.arange(1, 10) / 10))
    sides = [(SCORE, edges, scores[0], scores[1])]
    for variable in scorecard.variables:
        codes = [variable.bins.assign(side[variable.name]) for side in (then, now)]
        sides.append((variable.name, np.arange(1, variable.bins.size), codes[0], codes[1]))
    table = []
    for name, bounds, expected, actual in sides:
        found = psi_interval(
            expected,
            actual,
            edges=bounds,
            expected_groups=then["customer_id"],
            actual_groups=now["customer_id"],
            expected_weights=then.get("sample_weight"),
            actual_weights=now.get("sample_weight"),
            seed=seed,
            repeats=repeats,
        )
        table.append({"of": name, "psi": found.value, "low": found.low, "high": found.high})
    return pd.DataFrame(table)


def rounding_loss(exact: Scorecard, rounded: Scorecard, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what whole points cost on `rows`, as columns measure and value."""
    scores = [card.score(rows, reasons=False)["score"] for card in (exact, rounded)]
    apart = (scores[0] - scores[1]).abs()
    ginis = [gini(rows["bad"], score, rows.get("sample_weight")) for score in scores]
    found = {
        mark("Gini with exact points"): ginis[0],
        mark("Gini with whole points"): ginis[1],
        mark("Largest difference of a score"): apart.max(),
        mark("Mean difference of a score"): apart.mean(),
        mark("Distinct scores, exact"): scores[0].round(9).nunique(),
        mark("Distinct scores, whole"): scores[1].nunique(),
    }
    return pd.DataFrame({"measure": list(found), "value": [float(value) for value in found.values()]})


def single_ginis(
    rows: pd.DataFrame, names: Sequence[str], *, by: str = "part", undirected: bool = False
) -> pd.DataFrame:
    """Return the Gini of single indicators in each part, signed so that riskier in the declared direction is positive.

    Missing values take the part's median. Columns: indicator, then one a part (a value of the column `by`); an indicator
    without values in the part is null there, and one without direction, unless `undirected`: then it is positive where it
    is riskier when higher.
    """
    offered = candidates()
    table = []
    for name in names:
        sign = _SIGNS.get(str(offered[name].direction), -1.0 if undirected else 0.0)
        row: dict[str, object] = {"indicator": name}
        for part, part_rows in rows.groupby(by):
            values, bad = part_rows[name], part_rows["bad"].to_numpy()
            usable = sign != 0 and values.notna().any() and 0 < bad.sum() < len(bad)
            row[str(part)] = gini(bad, _signed(values, sign)) if usable else None
        table.append(row)
    return pd.DataFrame(table)


def _signed(values: pd.Series, sign: float) -> Floats:
    """Return a single indicator as a score; missing values take the median."""
    return sign * values.fillna(values.median()).to_numpy(np.float64)


def _points_of(scorecard: Scorecard, name: str, rows: pd.DataFrame) -> Floats:
    variable = next(variable for variable in scorecard.variables if variable.name == name)
    return np.asarray(variable.points)[variable.bins.assign(rows[name])]


def own_ginis(scorecard: Scorecard, rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the Gini of single variables of a scorecard in each part, each ranked by the points of its own bins.

    Columns: indicator, then one a part. The bins were cut on train, so that a variable looks its best there.
    """
    table = []
    for name in names:
        points = pd.Series(_points_of(scorecard, name, rows), rows.index)
        row: dict[str, object] = {"indicator": name}
        for part, index in rows.groupby("part").groups.items():
            bad = rows.loc[index, "bad"].to_numpy()
            weights = rows.loc[index, "sample_weight"].to_numpy() if "sample_weight" in rows else None
            row[str(part)] = gini(bad, points[index], weights) if 0 < bad.sum() < len(bad) else None
        table.append(row)
    return pd.DataFrame(table)


def beside(scorecard: Scorecard, rows: pd.DataFrame, names: Sequence[str], *, part: str, seed: int = 0) -> pd.DataFrame:
    """Return the Gini of the scorecard and of single variables on one part, and how far apart they are, by customer.

    A variable of the scorecard is ranked by the points of its own bins, another one by its values in its declared direction
    (missing ones take the median). Intervals are DeLong's, or with sampling weights the bootstrap's.

    Columns: ranked_by, gini, low, high, difference (the scorecard's less its own), difference_low, difference_high; null where
    the part cannot tell.
    """
    there = rows[rows["part"] == part]
    bad, who = there["bad"].to_numpy(), there["customer_id"].to_numpy()
    weights = there["sample_weight"].to_numpy() if "sample_weight" in there else None
    score = scorecard.score(there, reasons=False)["score"].to_numpy()
    offered, own = candidates(), {variable.name for variable in scorecard.variables}
    table: list[dict[str, object]] = []
    for name in ["scorecard", *names]:
        if name == "scorecard":
            value = score
        elif name in own:
            value = _points_of(scorecard, name, there)
        else:
            value = _signed(there[name], _SIGNS.get(str(offered[name].direction), 0.0))
        row: dict[str, object] = {"ranked_by": name}
        try:
            found = (
                delong_interval(bad, value, groups=who)
                if weights is None
                else interval(gini, bad, value, groups=who, weights=weights, seed=seed)
            )
            row |= {"gini": found.value, "low": found.low, "high": found.high}
            if name != "scorecard":
                apart = (
                    gini_difference(bad, score, value, groups=who)
                    if weights is None
                    else difference(gini, bad, score, value, groups=who, weights=weights, seed=seed)
                )
                row |= {"difference": apart.value, "difference_low": apart.low, "difference_high": apart.high}
        except SampleError:
            pass  # one class, or no value at all: nothing to tell
        table.append(row)
    columns = ["ranked_by", "gini", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(table).reindex(columns=columns)
