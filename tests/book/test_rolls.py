"""Roll rates: a walk through each loan's months gives the same shares; then the cases that a walk does not meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.book.portfolio import BUCKETS
from workbench.book.rolls import STATES, roll_rates
from workbench.core.dates import month_ends

AS_OF = date(2025, 6, 30)
ORDER = ["current", "1-30", "31-60", "61-90", "over 90", "written off", "closed"]
Sums = dict[tuple[date, str, str], list[float]]


def walked(book: Book, days: list[date]) -> Sums:
    """Walk through each loan's month ends from the definition."""
    rows = performance(book, as_of=AS_OF, days=days).to_pyarrow().to_pylist()
    state, balance = {}, {}
    for row in rows:
        key = row["loan_id"], row["month_end"]
        edge = next(name for name, high in BUCKETS if row["dpd"] <= high)
        state[key] = "written off" if row["written_off"] else edge if row["open"] else "closed"
        balance[key] = float(row["balance"] or 0)
    sums: Sums = defaultdict(lambda: [0, 0.0])
    for (loan, day), after in state.items():
        before = state.get((loan, days[days.index(day) - 1])) if days.index(day) else None
        if before in ORDER[:5]:
            sums[day, before, after][0] += 1
            sums[day, before, after][1] += balance[loan, days[days.index(day) - 1]]
    return sums


def test_the_months_together_are_those_of_a_walk_through_each_loan(small_book: Book) -> None:
    assert list(STATES) == ORDER
    sums = walked(small_book, month_ends(date(2024, 5, 31), AS_OF))
    matrix, _monthly = roll_rates(small_book, as_of=AS_OF, months=12)
    assert matrix["from_bucket"].tolist() == [name for name in ORDER[:5] for _after in ORDER]
    assert matrix["to_bucket"].tolist() == ORDER * 5
    for row in matrix.itertuples():
        here = [
            sum(
                pair[part]
                for (_day, before, after), pair in sums.items()
                if (before, after) == (row.from_bucket, row.to_bucket)
            )
            for part in (0, 1)
        ]
        whole = [
            sum(pair[part] for (_day, before, _a), pair in sums.items() if before == row.from_bucket) for part in (0, 1)
        ]
        assert (row.loans, row.exposure) == (here[0], pytest.approx(here[1], abs=0.01))
        assert (row.loan_share, row.exposure_share) == pytest.approx((here[0] / whole[0], here[1] / whole[1]))
    assert matrix.groupby("from_bucket")[["loan_share", "exposure_share"]].sum().to_numpy() == pytest.approx(1)


def test_each_month_is_that_of_the_walk(small_book: Book) -> None:
    days = month_ends(date(2023, 12, 31), AS_OF)
    sums = walked(small_book, days)
    _matrix, monthly = roll_rates(small_book, as_of=AS_OF, months=17)
    expected = []
    for day in days[1:]:
        for place, before in enumerate(ORDER[:4]):
            cells = {after: sums[day, before, after] for after in ORDER if (day, before, after) in sums}
            if cells:
                begun = [sum(cell[part] for cell in cells.values()) for part in (0, 1)]
                rolled = [
                    sum(cells[after][part] for after in ORDER[place + 1 : 6] if after in cells) for part in (0, 1)
                ]
                expected.append((day, before, ORDER[place + 1], *begun, rolled[0] / begun[0], rolled[1] / begun[1]))
    found = [(row.month_end.date(), *row[2:]) for row in monthly.itertuples()]
    assert [row[:4] for row in found] == [row[:4] for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[4:] == pytest.approx(theirs[4:], abs=1e-6)
    assert monthly.columns.tolist() == [
        "month_end", "from_bucket", "to_bucket", "loans", "exposure", "loan_rate", "exposure_rate",
    ]  # fmt: skip


def test_a_month_that_is_not_stated_is_no_move(make_book: Callable[..., Book]) -> None:
    ends = month_ends(date(2023, 12, 31), date(2024, 5, 31))
    # L1 is past due in January, not stated in February; L2 comes back from over 90; L3 goes from late to written off
    states = {"L1": [20, None, 50, 80, 80], "L2": [95, 95, 0, 0, 0], "L3": [70, 100, 100, 100, 100]}
    months = [(name, end, dpd) for name, row in states.items() for end, dpd in zip(ends, row, strict=True)]
    loans = pd.DataFrame({"loan_id": list(states), "customer_id": "C1", "opened_on": date(2023, 1, 1)})
    loans["written_off_on"] = loans["loan_id"].map({"L3": date(2024, 2, 10)})
    table = pd.DataFrame(months, columns=["loan_id", "month_end", "dpd"])
    book = make_book(
        {"customers": pd.DataFrame({"customer_id": ["C1"]}), "loans": loans, "performance": table},
        first_day=date(2024, 1, 1),
    )
    matrix, monthly = roll_rates(book, as_of=ends[-1])
    moved = matrix[matrix["loans"] > 0].set_index(["from_bucket", "to_bucket"])["loans"].to_dict()
    assert moved == {
        ("current", "current"): 2, ("31-60", "61-90"): 1, ("61-90", "61-90"): 1, ("61-90", "written off"): 1,
        ("over 90", "current"): 1, ("over 90", "over 90"): 1,
    }  # fmt: skip
    assert matrix["exposure_share"].isna().all()  # no balances
    assert matrix.loc[matrix["from_bucket"] == "1-30", "loan_share"].isna().all()
    late = monthly[monthly["from_bucket"] == "61-90"]
    assert late["loan_rate"].tolist() == [1, 0]  # February: L3 is written off, May: L1 stays


def test_a_date_before_the_book_has_no_moves(small_book: Book) -> None:
    matrix, monthly = roll_rates(small_book, as_of=date(2023, 1, 15))
    assert matrix["loans"].sum() == 0
    assert matrix["loan_share"].isna().all()
    assert monthly.empty
