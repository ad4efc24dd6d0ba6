"""Five categories and IFRS 9 stages of a hand-made book: loans on each side of every limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.classification import classified
from workbench.core.errors import ParameterError

DPDS = [0, 1, 30, 31, 89, 90, 91, 270, 271, 360, 361]
AS_OF = date(2024, 3, 31)


@pytest.fixture(scope="module")
def book(make_book: Callable[..., Book]) -> Book:
    names = [f"L{dpd:03d}" for dpd in DPDS]
    loans = pd.DataFrame({"loan_id": [*names, "gone"], "customer_id": "C1", "opened_on": date(2023, 1, 1)})
    lost = [None] * len(DPDS) + [date(2024, 2, 1)]
    loans = loans.assign(
        written_off_on=lost, closed_on=lost, close_reason=[None if day is None else "written_off" for day in lost]
    )
    months = pd.DataFrame({"loan_id": names, "month_end": AS_OF, "balance": 100.0, "dpd": DPDS})
    return make_book({"customers": pd.DataFrame({"customer_id": ["C1"]}), "loans": loans, "performance": months},
                     first_day=date(2024, 1, 1))  # fmt: skip


def test_each_loan_stands_where_its_days_past_due_put_it(book: Book) -> None:
    table = classified(book, as_of=AS_OF).set_index(["view", "category"])
    expected = {
        "normal": 1, "special mention": 5, "substandard": 2, "doubtful": 2, "loss": 1,  # 0 | 1-90 | 91-270 | 271-360 | 361
        "stage 1": 3, "stage 2": 2, "stage 3": 6,  # 0-30 | 31-89 | 90 and more
    }  # fmt: skip
    assert dict(zip(table.index.get_level_values("category"), table["loans"], strict=True)) == expected
    assert table["exposure"].tolist() == [100.0 * count for count in table["loans"]]
    assert table.groupby("view")["loans"].sum().tolist() == [len(DPDS), len(DPDS)]  # the written-off loan is in none


def test_limits_that_do_not_ascend_are_refused(book: Book) -> None:
    path = book.workspace.params / "classification.yaml"
    kept = path.read_text("utf-8")
    try:
        path.write_text(kept.replace("substandard: 90", "substandard: 500"), "utf-8")
        with pytest.raises(ParameterError, match="must ascend"):
            classified(book, as_of=AS_OF)
    finally:
        path.write_text(kept, "utf-8")
