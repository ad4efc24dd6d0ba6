"""What a scorecard is developed on: observation dates, candidates, the parts of a modelling set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.core.dates import last_month_end, month_end, step_back
from workbench.core.errors import ParameterError, SampleError, unknown
from workbench.core.languages import mark
from workbench.indicators.registry import select
from workbench.indicators.stored import load_panel
from workbench.models.columns import texts
from workbench.models.fitting import Candidate
from workbench.models.sample import Sample, hash_share, latest_observation
from workbench.models.sample_table import TableSample

PARTS = (mark("train"), mark("test"), mark("out of time"), mark("new customers"), mark("out of group"))


def observation_dates(
    book: Book,
    *,
    as_of: date,
    window_months: int,
    every_months: int,
    history_months: int,
    last: date | None = None,
    at_most: int = 0,
) -> list[date]:
    """Return the month ends at which customers can be observed: history before, and a window that has ended by `as_of`.

    Parameters
    ----------
    every_months
        Distance between dates, counted back from the last.
    last
        No observation after this date; by default the last whose window is complete.
    at_most
        Where more dates fit, they lie the smallest multiple of `every_months` apart that leaves no more than so many: a long
        history is covered evenly, in bounded time. 0: as many as fit.

    Raises
    ------
    SampleError
        If fewer than two dates fit: one to fit on and one to validate on.
    """
    if history_months < 1:
        raise ParameterError(f"history_months: found {history_months}, expected 1 or more.")
    latest = latest_observation(as_of, window_months=window_months)
    day = last_month_end(min(last or latest, latest))
    first = month_end(book.manifest.facts.first_day, months=history_months - 1)
    dates = step_back(day, months=every_months, until=first)
    if at_most and len(dates) > max(at_most, 2):
        apart = next(k for k in range(2, len(dates) + 1) if len(dates[::-k]) <= max(at_most, 2))
        dates = dates[::-apart][::-1]
    if len(dates) < 2:
        raise SampleError(
            f"book {book.name!r}: {len(dates)} observation dates fit between {first} and {latest} every {every_months} months; "
            "expected at least 2. Take a longer book, a shorter window, or observe more often."
        )
    return dates


def candidates() -> dict[str, Candidate]:
    """Return the registered indicators as candidates, with direction, role and words."""
    return {
        found.name: Candidate(
            direction=found.direction,
            role=found.role,
            categorical=found.dtype == "string",
            label=found.label,
            reason=found.reason,
            unit=found.unit,
        )
        for found in select()
    }


def modelling_set(
    book: Book,
    sampled: Sample,
    *,
    out_of_time_dates: int,
    test_share: float,
    out_of_group: str,
    seed: int,
) -> pd.DataFrame:
    """Join the sample with its panels and say which part each row belongs to.

    Parameters
    ----------
    out_of_time_dates
        How many of the last dates are kept for validation.
    test_share
        Share of the customers kept from the fit at every earlier date.
    out_of_group
        Customers kept out altogether, as `column=value` of the customers' table; empty for none.

    Returns
    -------
    DataFrame
        The sample's columns (the exposure being the indicator), `held_out` (customers who take no part in the fit at any
        date), `part` (one of `PARTS`) and the indicators.
    """
    panels = [
        load_panel(book, as_of=day.date()).frame for day in sampled.frame["as_of"].drop_duplicates().sort_values()
    ]
    # the panel has the exposure as an indicator: with both, neither would keep its name
    rows = sampled.frame.drop(columns="exposure").merge(
        pd.concat(panels, ignore_index=True), on=["customer_id", "as_of"], how="left", validate="1:1"
    )
    dates = sorted(rows["as_of"].unique())
    if not 1 <= out_of_time_dates < len(dates):
        raise ParameterError(
            f"out_of_time_dates: found {out_of_time_dates}, expected 1 to {len(dates) - 1} of {len(dates)} dates."
        )
    late = rows["as_of"].isin(dates[-out_of_time_dates:])
    held_out = pd.Series(hash_share(rows["customer_id"], seed=seed) < test_share, index=rows.index)
    outside = rows["customer_id"].isin(group_members(book, out_of_group, as_of=max(dates).date()))
    rows["held_out"] = held_out
    rows["part"] = np.select([outside, late, held_out], ["out of group", "out of time", "test"], default="train")
    return rows


def split_table(
    sampled: TableSample, *, test_share: float, out_of_time_share: float, out_of_group: str, seed: int
) -> pd.DataFrame:
    """Say which part each row of a flat table belongs to.

    Parameters
    ----------
    test_share
        Share of the customers kept from the fit, by a hash of their id.
    out_of_time_share
        Of a table with dates: at least this share of the rows, the latest whole days, is out of time. Without dates, or
        with one day alone, nothing is.
    out_of_group
        Rows kept out altogether, as `column=value`; empty for none.

    Returns
    -------
    DataFrame
        The sample's rows with `held_out` and `part` (one of `PARTS`).

    Raises
    ------
    ParameterError
        A share that leaves nothing, or a group that is none.
    SampleError
        The part that validates holds one class only.
    """
    for name, share in (("test_share", test_share), ("out_of_time_share", out_of_time_share)):
        if not 0 < share < 1:
            raise ParameterError(f"{name}: found {share:g}, expected above 0 and below 1.")
    rows = sampled.frame
    days = rows["as_of"].value_counts().sort_index(ascending=False)
    late = pd.Series(False, index=rows.index)
    if len(days) > 1:
        enough = int((days.cumsum() < out_of_time_share * len(rows)).sum())
        late = rows["as_of"] >= days.index[min(enough, len(days) - 2)]
    held_out = pd.Series(hash_share(rows["customer_id"], seed=seed) < test_share, index=rows.index)
    outside = _in_group(sampled, out_of_group)
    part = np.select([outside, late, held_out], ["out of group", "out of time", "test"], default="train")
    rows = rows.assign(held_out=held_out, part=part)
    validating = rows.loc[rows["part"] == validation_part(rows), "bad"]
    if validating.nunique() < 2:
        raise SampleError(
            f"sample {sampled.name}: the {validation_part(rows)} part holds {int(validating.sum())} bads in "
            f"{len(validating)} rows; both classes are needed. Raise test_share or out_of_time_share, or take more rows."
        )
    return rows


def _in_group(sampled: TableSample, group: str) -> pd.Series:
    rows = sampled.frame
    if not group:
        return pd.Series(False, index=rows.index)
    column, equals, value = group.partition("=")
    known = [name for name in rows.columns if name in sampled.candidates]
    if not equals or column not in known:
        raise ParameterError(
            f"out_of_group: found {group!r}, expected column=value. {unknown('column', column, known)}"
        )
    members = pd.Series(texts(rows[column]) == value, index=rows.index)
    if not members.any():
        raise ParameterError(f"out_of_group: no row has {column} = {value!r} in sample {sampled.name!r}.")
    return members


def validation_part(rows: pd.DataFrame) -> str:
    """Return the part that the headline figures come from: out of time where there is one, else test."""
    return "out of time" if (rows["part"] == "out of time").any() else "test"


def group_members(book: Book, group: str, *, as_of: date) -> list[str]:
    """Return the customers of a group named `column=value`; none for an empty name.

    `vintage=2024` and `vintage=2024Q3` are those whose first loan was opened then.

    Raises
    ------
    ParameterError
        If the name has no '=', the column or vintage is none, or nobody is in the group.
    """
    if not group:
        return []
    column, equals, value = group.partition("=")
    if column == "vintage":
        return _of_vintage(book, value, as_of=as_of)
    customers = book.as_known("customers", as_of=as_of)
    if column in book.manifest.facts.current_only.get("customers", []):
        raise ParameterError(
            f"out_of_group: {column!r} is known only as it is now in book {book.name!r}; choose another."
        )
    if not equals or column not in customers.columns:
        raise ParameterError(
            f"out_of_group: found {group!r}, expected column=value with a column of customers, or vintage=2024."
        )
    members = customers.filter(customers[column].cast("string") == value).customer_id.to_pandas()
    if members.empty:
        raise ParameterError(f"out_of_group: nobody has {column} = {value!r} in book {book.name!r}.")
    return sorted(members)


def _of_vintage(book: Book, vintage: str, *, as_of: date) -> list[str]:
    found = re.fullmatch(r"(\d{4})(?:Q([1-4]))?", vintage)
    if not found:
        raise ParameterError(
            f"out_of_group: found vintage={vintage}, expected a year or quarter, such as 2024 or 2024Q3."
        )
    loans = book.as_known("loans", as_of=as_of)
    first = loans.group_by("customer_id").aggregate(day=_.opened_on.min())
    first = first.filter(_.day.year() == int(found[1]))
    if found[2]:
        first = first.filter(_.day.quarter() == int(found[2]))
    members = first.customer_id.to_pandas()
    if members.empty:
        raise ParameterError(f"out_of_group: nobody's first loan in book {book.name!r} was opened in {vintage}.")
    return sorted(members)


def in_both(rows: pd.DataFrame, part: str) -> dict[str, float]:
    """Return how much of a part is known to the fit, as `rows` and `bads`.

    `rows` is the share of its rows that are customers of train; `bads` the number of its bads who are bad in train as well,
    which with overlapping windows may be the very same event.
    """
    train, there = rows[(rows["part"] == "train") & (rows["outcome"] != "indeterminate")], rows[rows["part"] == part]
    bad = there[there["bad"] == 1]
    return {
        "rows": float(there["customer_id"].isin(train["customer_id"]).mean()),
        "bads": float(bad["customer_id"].isin(train.loc[train["bad"] == 1, "customer_id"]).sum()),
    }


ENOUGH_BADS = 100
"""Bads of the test part that are enough to calibrate on it alone: the slope's standard error is then near a tenth of it."""


def calibration_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows to calibrate the PD on, and what they are called: no part that validates it.

    With an out-of-time part it is the test part, whose customers the fit has not seen: on its own rows a fit separates too
    well, and its PDs would be too extreme. Where test has fewer bads than `ENOUGH_BADS` train joins it; without dates it
    is train alone.
    """
    if validation_part(rows) == "test":
        return rows[rows["part"] == "train"], "train"
    test = rows[rows["part"] == "test"]
    if test["bad"].sum() >= ENOUGH_BADS:
        return test, "test"
    return rows[rows["part"].isin(["train", "test"])], mark("train and test")


def sign_offs(lines: Sequence[str], offered: Mapping[str, Candidate]) -> dict[str, str]:
    """Return who let in which `care` column and why, from lines "column: who, and why".

    Raises
    ------
    ParameterError
        A line of another form, or a column that is no candidate or not under care.

    Examples
    --------
    >>> sign_offs(["complaints: credit committee, 2026-03"], {"complaints": Candidate(role="care")})
    {'complaints': 'credit committee, 2026-03'}
    """
    found = {}
    for line in lines:
        column, colon, said = line.partition(":")
        if not colon or not said.strip():
            raise ParameterError(f"signed_off: found {line!r}, expected 'column: who signed it off, and why'.")
        care = [name for name, candidate in offered.items() if candidate.role == "care"]
        if column.strip() not in care:
            raise ParameterError(f"signed_off: {unknown('care column', column.strip(), care)}")
        found[column.strip()] = said.strip()
    return found


def new_customers_out_of_time(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the out-of-time rows of customers who are not in train (the PD may be calibrated on earlier rows of some)."""
    known = rows.loc[rows["part"] == "train", "customer_id"]
    return rows.loc[(rows["part"] == "out of time") & ~rows["customer_id"].isin(known)].assign(part="new customers")
