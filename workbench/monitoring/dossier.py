"""One customer: scores under one model version, loans month by month, indicators beside the own past and the others."""

from __future__ import annotations

from datetime import date
from functools import reduce

import numpy as np
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_end, month_ends
from workbench.core.errors import InputError, nearest
from workbench.core.languages import by_language, say
from workbench.indicators.registry import Indicator
from workbench.models.bins import Bins
from workbench.models.scorecard import Scorecard
from workbench.models.tracking import ModelVersion


def customer_row(panel: pd.DataFrame, customer_id: str, *, as_of: date) -> pd.Series:
    """Return a customer's row of a panel.

    Raises
    ------
    InputError
        The customer is not active at the date.
    """
    found = panel[panel["customer_id"] == customer_id]
    if found.empty:
        hint = nearest(customer_id, panel["customer_id"].tolist()) if len(panel) < 100_000 else ""
        raise InputError(f"customer {customer_id!r}: not among the {len(panel):,} active customers at {as_of}.{hint}")
    return found.iloc[0]


def score_history(book: Book, version: ModelVersion, customer_id: str) -> pd.DataFrame:
    """Return as_of, score, pd and grade that the book's history holds of a customer under one model version, by date."""
    folder = book.workspace.books / book.name / "scores" / version.name / f"v{version.version}"
    columns = ["as_of", "score", "pd", "grade"]
    kept = [
        pd.read_parquet(path, columns=columns, filters=[("customer_id", "==", customer_id)])
        for path in sorted(folder.glob(f"*-{book.manifest.generation}.parquet"))
    ]
    table = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=columns)
    return table.assign(as_of=pd.to_datetime(table["as_of"])).sort_values("as_of", ignore_index=True)


def loan_history(book: Book, customer_id: str, *, as_of: date, months: int = 24) -> pd.DataFrame:
    """Return a customer's loans at each month end: month_end, loan_id, product, dpd, balance, credit_limit, arrears, open."""
    first = max(book.manifest.facts.first_day, month_end(as_of, months=-months))
    days = sorted({*month_ends(first, as_of), as_of})
    rows = performance(book, as_of=as_of, days=days).filter(_.customer_id == customer_id)
    columns = {name: rows[name].cast("float64") for name in ("balance", "credit_limit", "arrears")}
    table: pd.DataFrame = rows.select(
        "month_end", "loan_id", "product", "dpd", "open", "written_off", **columns
    ).to_pandas()
    return table.sort_values(["month_end", "loan_id"], ignore_index=True)


def indicator_profile(
    panel: pd.DataFrame, before: pd.DataFrame | None, customer_id: str, catalogue: dict[str, Indicator]
) -> pd.DataFrame:
    """Return a customer's indicators that have a direction, beside a month before and beside the other customers.

    Returns
    -------
    DataFrame
        indicator, label (in the language in use), unit, value, before, riskier_than: the share of the other customers with a
        known value that are less risky, ties half (0.97: riskier than 97 %); the most unusual first. Indicators without a
        value are left out.
    """
    names = [
        name for name, found in catalogue.items() if name in panel and found.direction and found.dtype == "float64"
    ]
    own = panel["customer_id"] == customer_id
    earlier = None if before is None else before[before["customer_id"] == customer_id]
    rows = []
    for name in names:
        value = panel.loc[own, name].iloc[0]
        if pd.isna(value):
            continue
        others = panel.loc[~own, name].dropna().to_numpy(dtype=np.float64)
        below = float((others < value).sum() + 0.5 * (others == value).sum()) / len(others) if len(others) else np.nan
        found = catalogue[name]
        was = earlier[name].iloc[0] if earlier is not None and len(earlier) and name in earlier else None
        rows.append(
            (
                name,
                by_language(found.label),
                found.unit,
                float(value),
                was,
                below if found.direction == "higher" else 1 - below,
            )
        )
    columns = ["indicator", "label", "unit", "value", "before", "riskier_than"]
    table = pd.DataFrame(rows, columns=columns).astype({"before": "float64"})
    return table.sort_values(["riskier_than", "indicator"], ascending=[False, True], ignore_index=True)


def points_profile(scorecard: Scorecard, row: pd.Series) -> pd.DataFrame:
    """Return how a customer's score is made: variable, label, bin, points, average (development), difference.

    Labels and bins are in the language in use.
    """
    frame = pd.DataFrame([row])
    rows = []
    for variable, column in zip(scorecard.variables, scorecard.columns(frame), strict=True):
        code = int(variable.bins.assign(column.infer_objects())[0])
        points = variable.points[code]
        rows.append(
            (
                variable.name,
                by_language(variable.label) or variable.name,
                _bin_words(variable.bins, code),
                points,
                variable.average_points,
                points - variable.average_points,
            )
        )
    table = pd.DataFrame(rows, columns=["variable", "label", "bin", "points", "average", "difference"])
    return table.sort_values("difference", ignore_index=True)


def _bin_words(bins: Bins, code: int) -> str:
    """Return what a bin holds, as `Bins.labels` has it, in the language in use: its name, and what is merged into it."""
    merged = [other for other in np.flatnonzero(bins.homes() == code).tolist() if other != code]
    return reduce(
        lambda one, other: say("{one} or {other}", one=one, other=other),
        [_bin_name(bins, place) for place in (code, *merged)],
    )


def _bin_name(bins: Bins, code: int) -> str:
    if 0 < code < len(bins.splits):
        low, high = (f"{split:.7g}" for split in bins.splits[code - 1 : code + 1])
        return say("{low} to < {high}", low=low, high=high)
    return bins.names[code] if code < len(bins.groups) else say(bins.names[code])  # categories are data
