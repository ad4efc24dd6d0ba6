"""The page of data quality: on a book that two deliveries made, one of them with faults, and on one without a load."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.loading.load import import_book
from workbench.book.simulated import simulate_book
from workbench.core.workspace import Workspace
from workbench.runs.run import RunResult, run_notebook

from .test_pipeline import words

MAPPING = """
source: a lender with two files
time_zone: Europe/Paris
currency: EUR
first_day: 2024-01-01
last_day: 2024-06-30
max_reject_share: 0.05
sources:
  people: {files: people.csv}
  loans: {files: loans.csv}
tables:
  customers:
    from: people
    columns: {customer_id: id, monthly_income: income, segment: segment, name: name, phone: phone}
    known_at: DATE '2024-01-01'
  loans:
    from: loans
    columns: {loan_id: id, customer_id: person, opened_on: opened, principal: amount, annual_rate: rate, term_months: '12'}
severities:
  loans.not_a_rate: {severity: info, reason: the rates of this product are filed in per cent}
"""
PRIVATE = ("Zoraida", "+33 6 555")


def deliver(folder: Path, *, factor: int, opened: str) -> None:
    folder.mkdir()
    ids = [f"C{n:03d}" for n in range(200)]
    pd.DataFrame(
        {"id": ids, "income": [factor * (1000 + n) for n in range(200)], "segment": ["mass"] * 150 + [None] * 50,
         "name": [f"Zoraida {n}" for n in range(200)], "phone": [f"+33 6 555 {n:04d}" for n in range(200)]}
    ).to_csv(folder / "people.csv", index=False)  # fmt: skip
    pd.DataFrame(
        {"id": ids, "person": ids, "opened": [opened, *["2024-01-02"] * 199], "amount": 1000, "rate": 12.5}
    ).to_csv(folder / "loans.csv", index=False)


@pytest.fixture(scope="module")
def page(new_workspace: Callable[..., Workspace], tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Import twice, the second time with incomes in cents and a loan without a date, and run the page."""
    workspace = new_workspace()
    (workspace.params / "books" / "pair.yaml").write_text(MAPPING, "utf-8")
    folder = tmp_path_factory.mktemp("deliveries")
    for number, (factor, opened) in enumerate([(1, "2024-01-02"), (100, "")], start=1):
        deliver(folder / str(number), factor=factor, opened=opened)
        moment = datetime(2024, 7, number, tzinfo=UTC)
        import_book(workspace, "pair", delivered_at=moment, base=str(folder / str(number)))
    return run_notebook(workspace, "10_data_quality", book="pair")


def test_it_opens_with_the_answer(page: RunResult) -> None:
    text = words((page.folder / "10_data_quality.html").read_text("utf-8"))
    found = pd.read_parquet(page.folder / "findings.parquet")
    counts = found["severity"].value_counts()
    assert f"This book can be used with care: {counts['warning']} warnings, {counts['info']} to know." in text
    assert "Mend first: customers.monthly_income has the mean" in text
    assert "The last delivery came on 2024-07-02. Rows or lines rejected: 1." in text
    summary = json.loads((page.folder / "run.json").read_text())["summary"]
    assert summary["findings"] == {"error": 0, "warning": counts["warning"], "info": counts["info"]}


def test_it_shows_drift_rejected_rows_and_why_a_severity_is_lower(page: RunResult) -> None:
    text = words((page.folder / "10_data_quality.html").read_text("utf-8"))
    assert "Drift since the last delivery" in text
    assert "customers.monthly_income" in text
    assert "opened_on is missing" in text
    assert "data/books/pair/rejects/2024" in text
    assert "the rates of this product are filed in per cent" in text
    found = pd.read_parquet(page.folder / "findings.parquet").set_index("check")
    assert found.loc["loans.not_a_rate", ["severity", "lowered_from"]].tolist() == ["info", "warning"]
    assert found.loc["customers.monthly_income_shift", "severity"] == "warning"
    assert (
        found.loc["loans.rejected", "rows"] == 1
    )  # one reason, although known_at follows from the day that is missing
    assert {path.name for path in page.folder.glob("findings.*")} == {
        f"findings.{k}" for k in ("csv", "xlsx", "parquet")
    }


def test_it_holds_no_private_value_and_no_path_of_the_machine(page: RunResult) -> None:
    for path in page.folder.iterdir():
        if path.suffix in {".html", ".csv", ".json"}:
            text = path.read_text("utf-8")
            assert not [value for value in PRIVATE if value in text], path.name
            assert path.suffix != ".html" or str(page.folder.parents[2]) not in text


def test_a_book_without_a_load_says_so(new_workspace: Callable[..., Workspace]) -> None:
    workspace = new_workspace()
    simulate_book(workspace, "plain", customers=150, months=14, seed=3, start=date(2023, 1, 1))
    run = run_notebook(workspace, "10_data_quality", book="plain", as_of="2023-11-30")
    text = words((run.folder / "10_data_quality.html").read_text("utf-8"))
    assert "This book was not made by a load" in text
    assert "Not assessed: values are compared where a delivery came after another" in text
    assert "what was known at 2023-11-30" in text
    assert json.loads((run.folder / "run.json").read_text())["summary"]["findings"]["error"] == 0
