"""Flows between states of delinquency: a slow walk through each loan's months gives the same sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.flows import OPEN_STATES, default_rates, exposure_flows, monthly_flows
from workbench.book.performance import performance
from workbench.book.portfolio import monthly_portfolio
from workbench.core.dates import month_ends

AS_OF = date(2025, 6, 30)


def walked(
    book: Book, days: list[date], state_of: Callable[[Any], str], ends: set[str]
) -> dict[tuple[str, str, str], list[float]]:
    """Walk through each loan's month ends from the definition: the first end ends its life."""
    rows = performance(book, as_of=AS_OF, days=days).to_pandas().sort_values(["loan_id", "month_end"])
    sums: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for _loan, months in rows.groupby("loan_id"):
        before, balance_before = "new", 0.0
        for row in months.itertuples():
            state = state_of(row)
            one = sums[str(pd.Timestamp(row.month_end).date()), before, state]
            one[0] += 1
            one[1] += balance_before
            one[2] += float(row.balance or 0)
            if state in ends:
                break
            before, balance_before = state, float(row.balance or 0)
    return sums


def bucket(row: Any) -> str:
    return "current" if row.dpd == 0 else "1-30" if row.dpd <= 30 else "31-60" if row.dpd <= 60 else "61-90"


def until_default(row: Any) -> str:
    return "default" if row.written_off or row.dpd >= 90 else bucket(row) if row.open else "closed"


def while_open(row: Any) -> str:
    if row.written_off:
        return "written off"
    return "closed" if not row.open else "non-performing" if row.dpd >= 90 else bucket(row)


@pytest.mark.parametrize(
    ("flows", "state_of", "ends"),
    [(monthly_flows, until_default, {"default", "closed"}), (exposure_flows, while_open, {"written off", "closed"})],
)
def test_flows_are_those_of_a_walk_through_each_loan(
    small_book: Book, flows: Callable[..., pd.DataFrame], state_of: Callable[[Any], str], ends: set[str]
) -> None:
    table = flows(small_book, as_of=AS_OF, months=24)
    days = month_ends(date(2023, 5, 31), AS_OF)
    expected = walked(small_book, days, state_of, ends)
    found = {
        (str(pd.Timestamp(row.month_end).date()), row.before, row.after): [
            row.loans,
            row.balance_before,
            row.balance_after,
        ]
        for row in table.fillna({"balance_before": 0.0, "balance_after": 0.0}).itertuples()
    }
    assert found.keys() == expected.keys()
    assert {"new", "current", "61-90"} <= {before for _, before, _ in found}
    assert {"1-30", *ends} <= {after for *_, after in found}
    for key, sums in expected.items():
        assert found[key] == pytest.approx(sums, abs=0.01)


def test_what_stands_in_each_state_is_what_the_portfolio_shows(small_book: Book) -> None:
    table = exposure_flows(small_book, as_of=AS_OF, months=24)
    standing = table[table["after"].isin(OPEN_STATES)].pivot_table(
        index="month_end", columns="after", values="balance_after", aggfunc="sum", fill_value=0.0
    )
    shown = monthly_portfolio(small_book, as_of=AS_OF, months=24).set_index("month_end")
    standing = standing.loc[shown.index]
    assert standing.sum(axis=1).to_numpy() == pytest.approx(shown["exposure"].to_numpy())
    assert (standing["non-performing"] / standing.sum(axis=1)).tolist() == pytest.approx(shown["npl_ratio"].tolist())
    assert (standing["current"] / standing.sum(axis=1)).tolist() == pytest.approx(shown["current"].tolist())
    assert shown["npl_ratio"].max() > 0


def test_default_rate_is_what_defaulted_over_what_performed(small_book: Book) -> None:
    table = monthly_flows(small_book, as_of=AS_OF, months=24)
    rates = default_rates(table)
    assert len(rates) == 24  # the first month end has nothing before it
    last = table[table["month_end"] == table["month_end"].max()]
    known = last[last["before"] != "new"]
    defaulted = known.loc[known["after"] == "default", "balance_before"].sum()
    assert rates["rate"].iloc[-1] == pytest.approx(defaulted / known["balance_before"].sum())
    loans = default_rates(table.assign(balance_before=float("nan")))
    assert loans["performing"].iloc[-1] == known["loans"].sum()


def test_a_month_that_is_not_stated_is_passed_over(make_book: Callable[..., Book]) -> None:
    ends = month_ends(date(2024, 1, 1), date(2024, 4, 30))
    months = pd.DataFrame(
        {"loan_id": "L1", "month_end": ends, "dpd": [0, None, None, 35], "balance": [9.0, None, 8.0, 7.0]}
    )
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2023, 1, 1)})
    tables = {"customers": pd.DataFrame({"customer_id": ["C1"]}), "loans": loans, "performance": months}
    table = monthly_flows(make_book(tables, first_day=date(2024, 1, 1)), as_of=ends[-1])
    found = [(row.month_end.date(), row.before, row.after, row.balance_before) for row in table.itertuples()]
    assert found[1:] == [(ends[3], "current", "31-60", 9)]
    assert found[0][:3] == (ends[0], "new", "current")


def test_a_date_before_the_book_has_no_flows(small_book: Book) -> None:
    for flows in (monthly_flows, exposure_flows):
        assert flows(small_book, as_of=date(2023, 1, 15), months=24).empty
