"""Pages of portfolios at the edge: one customer, nobody at risk, everybody bad, one month, no balances, no alert, one grade."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from tests.cells import page_of
from tests.pipeline import LAST, Lender
from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.simulated import simulate_book
from workbench.book.store import BookFacts, store_book
from workbench.core.workspace import Workspace

Tables = dict[str, pd.DataFrame]
NOT_WORDS = re.compile(r"\b(nan|NaN|NaT|None|inf|<NA>|\{\w+)|(?<![\d,.])1 (customers|loans|actions)\b|\*\*")


@pytest.fixture(scope="module")
def home(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a copy of the lender's workspace, so that its list of books and runs stays what it is."""
    folder = tmp_path_factory.mktemp("extremes") / "home"
    shutil.copytree(lender.home, folder)
    return replace(lender.workspace, root=folder)


def everybody(tables: Tables) -> list[str]:
    return list(tables["customers"]["customer_id"].unique())


def unpaid(tables: Tables) -> Tables:
    """Return the tables of customers who never paid: one payment is left, since a book needs the table."""
    loans = tables["loans"].assign(closed_on=None, close_reason=None, written_off_on=None)
    return tables | {
        "payments": tables["payments"].head(1),
        "loans": loans,
        "performance": tables["performance"].head(0),
    }


@pytest.fixture(scope="module")
def make(home: Workspace) -> Callable[..., str]:
    """Return a function that stores some customers of the lender, changed, as a book of their own, and names it."""
    source = Book.open(home, "demo")

    def made(name: str, who: list[str], change: Callable[[Tables], Tables] = lambda tables: tables) -> str:
        tables = {path.stem: pd.read_parquet(path) for path in sorted(source.folder.glob("*.parquet"))}
        loans = set(tables["loans"].loc[tables["loans"]["customer_id"].isin(who), "loan_id"])
        for table, frame in tables.items():
            column, kept = ("customer_id", who) if "customer_id" in frame else ("loan_id", loans)
            tables[table] = frame[frame[column].isin(kept)]

        def write(out: Path) -> BookFacts:
            for table, frame in change(tables).items():
                if len(frame):
                    pq.write_table(canonical_table(table, frame), out / f"{table}.parquet")
            facts = source.manifest.facts
            return BookFacts(first_day=facts.first_day, last_day=facts.last_day, source="made by hand", currency="EUR")

        store_book(home, name, write)
        return name

    return made


def words(page: str) -> str:
    """Return what a page says, its pictures' words too."""
    soup = BeautifulSoup(page, "html.parser")
    for style in soup(["style", "title"]):
        style.decompose()
    return "\n".join([*soup.stripped_strings, *(image["alt"] for image in soup.find_all("img"))])


def check(page: str) -> str:
    said = words(page)
    assert not NOT_WORDS.search(said), NOT_WORDS.findall(said)
    return said


@pytest.fixture
def report(home: Workspace, tmp_path: Path) -> Callable[..., str]:
    """Return a function that gives the words of a book's risk report, under the lender's model."""

    def told(book: str, **parameters: Any) -> str:
        return check(page_of(home, "60_risk_report", tmp_path, book=book, model="demo_scorecard", **parameters))

    return told


def worst(lender: Lender) -> str:
    """Return the customer whom the lender's report names first."""
    return str(pd.read_parquet(lender.folder("60_risk_report") / "high_risk.parquet")["customer_id"].iloc[0])


def safest(lender: Lender) -> str:
    """Return a customer of the best grade without a late day."""
    scores = pd.concat(
        map(pd.read_parquet, lender.home.glob(f"data/books/demo/scores/demo_scorecard/v*/{LAST}-*.parquet"))
    )
    return str(scores.sort_values(["pd", "customer_id"])["customer_id"].iloc[0])


def test_one_customer_who_is_bad(lender: Lender, make: Any, report: Any, home: Workspace, tmp_path: Path) -> None:
    book = make("one-bad", [worst(lender)])
    said = report(book)
    assert "1 customer, 1 loan" in said or "1 customer, 2 loans" in said
    assert "1 customer is high-risk" in said
    assert "more than 5 % is non-performing" in said
    for notebook in ("40_monitoring", "61_customer"):
        check(page_of(home, notebook, tmp_path, book=book, model="demo_scorecard"))


def test_one_customer_at_no_risk(lender: Lender, make: Any, report: Any) -> None:
    said = report(make("one-safe", [safest(lender)]))
    assert "No customer is high-risk" in said
    assert "No customer has grade F, G." in said
    assert "No group was looked at" in said


def test_all_are_bad_and_no_balance_is_known(make: Any, report: Any, home: Workspace) -> None:
    said = report(
        make(
            "all-bad",
            everybody({"customers": pd.read_parquet(Book.open(home, "demo").folder / "customers.parquet")}),
            unpaid,
        )
    )
    assert "more than 5 % is non-performing" in said
    assert "Not assessed: the book states no balances" in said
    assert "EUR" not in said  # no amount that would be a zero nobody knows


def test_a_book_of_one_month(home: Workspace, report: Any) -> None:
    simulate_book(home, "one-month", customers=100, months=1, seed=3, start=date(2023, 1, 1))
    said = report("one-month")
    assert "Not assessed: the book begins in this month." in said
    assert "No forecast:" in said


def test_no_alert_and_no_action(home: Workspace, tmp_path: Path) -> None:
    rules = home.params / "rules" / "never.yaml"
    rules.write_text(
        "rules:\n- {name: never, severity: red, when: dpd_now >= 9000, reason: never, horizon_months: 1}\n", "utf-8"
    )
    said = check(page_of(home, "40_monitoring", tmp_path, book="demo", model="demo_scorecard", rules="never"))
    assert "0 with an alert (0.0 %)" in said
    assert list(pd.read_csv(tmp_path / "alerts.csv").index) == []


def test_every_customer_is_high_risk(home: Workspace, report: Any) -> None:
    said = report("demo", high_risk_grades=list("ABCDEFG"), top=3)
    assert "3 of " in said
