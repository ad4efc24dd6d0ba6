"""What leaves the book: rows in order, pseudonyms in place, and a log that comes first and names nobody."""

from __future__ import annotations

import json
import multiprocessing
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.access import LOG_FILE, Access, check_outside, log_access, masked, read_rows
from workbench.book.book import Book
from workbench.core.errors import BookError, InputError, ParameterError
from workbench.core.workspace import Workspace

AS_OF = date(2024, 6, 30)
TAKEN = Access(
    when=datetime(2026, 11, 25, 8, 30, tzinfo=UTC),
    who="officer",
    table="customers",
    columns=("name", "phone"),
    rows=2,
    as_of=AS_OF,
    reason="branch B03 calls on red alerts",
    output="/home/officer/calls.xlsx",
)


@pytest.fixture
def book(make_book: Callable[..., Book]) -> Book:
    customers = pd.DataFrame(
        {
            "customer_id": ["C2", "C1", "C1"],
            "name": ["王伟", "Greta Ashgrove", "Greta Juniper"],
            "phone": ["+00 555 7654321", None, "+00 555 1234567"],
            "email": [None, "greta@example.com", "greta@example.com"],
            "officer_id": ["O2", "O1", "O3"],
            "known_at": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-08-01"]),
        }
    )
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 1, 10)})
    return make_book({"customers": customers, "loans": loans}, current_only={"customers": ["phone", "officer_id"]})


def test_rows_are_those_known_in_the_order_of_their_key(book: Book) -> None:
    rows = read_rows(book, "customers", as_of=AS_OF, columns=["name", "customer_id", "name", "phone"])
    assert rows.to_pydict() == {
        "name": ["Greta Ashgrove", "王伟"], "customer_id": ["C1", "C2"], "phone": [None, None]
    }  # fmt: skip
    now = read_rows(book, "customers", as_of=AS_OF, columns=["name", "phone", "officer_id"], now=True)
    assert now.to_pydict() == {
        "name": ["Greta Ashgrove", "王伟"],
        "phone": ["+00 555 1234567", "+00 555 7654321"],
        "officer_id": ["O3", "O2"],
    }


def test_masking_replaces_these_columns_alone(book: Book) -> None:
    rows = read_rows(book, "customers", as_of=AS_OF, now=True)
    hidden = masked(rows, ["name", "phone", "email"], key=b"k" * 32)
    assert hidden.schema == rows.schema
    for name in rows.column_names:
        assert hidden[name].equals(rows[name]) == (name not in ("name", "phone", "email")), name
    assert hidden["email"].null_count == 1


def test_wrong_names_are_answered_with_the_nearest(book: Book) -> None:
    with pytest.raises(BookError, match=r"unknown table 'customer'\. Did you mean 'customers'"):
        read_rows(book, "customer", as_of=AS_OF, columns=["x"])
    with pytest.raises(ParameterError, match="columns of customers: unknown column 'fone'"):
        read_rows(book, "customers", as_of=AS_OF, columns=["fone"])
    with pytest.raises(ParameterError, match="--now: found table 'loans', expected customers"):
        read_rows(book, "loans", as_of=AS_OF, now=True)


def test_the_log_says_who_what_when_and_why(book: Book) -> None:
    path = log_access(book, TAKEN)
    assert path == book.workspace.books / book.name / LOG_FILE
    log_access(book, replace(TAKEN, rows=3, reason="line\nbreaks and 'quotes' stay one line"))
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert first == {
        "when": "2026-11-25T08:30:00+00:00",
        "who": "officer",
        "book": book.name,
        "generation": book.manifest.generation,
        "table": "customers",
        "columns": ["name", "phone"],
        "rows": 2,
        "as_of": "2024-06-30",
        "reason": "branch B03 calls on red alerts",
        "output": "/home/officer/calls.xlsx",
    }
    assert second["rows"] == 3
    assert not path.stat().st_mode & stat.S_IWOTH


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": "for GRETA  juniper, who complained"}, r"--reason: .*customers\.name"),  # a later version's name
        ({"reason": "为王伟先生的投诉核实电话"}, r"--reason: .*customers\.name"),
        ({"reason": "whose number is +005551234567?"}, r"--reason: .*customers\.phone"),
        ({"output": "/home/officer/greta@example.com.csv"}, r"--output: .*customers\.email"),
        ({"reason": "  please  "}, "found 6 characters, expected at least 10"),
    ],
)
def test_the_log_names_nobody(change: dict[str, str], said: str, book: Book) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        log_access(book, replace(TAKEN, **change))  # type: ignore[arg-type]
    assert not any(name in str(caught.value).lower() for name in ("juniper", "王伟", "1234567", "example.com"))
    assert not (book.workspace.books / book.name / LOG_FILE).exists()


def test_words_that_only_contain_a_value_pass(make_book: Callable[..., Book]) -> None:
    people = pd.DataFrame({"customer_id": ["C1"], "name": "Bo", "phone": "12"})
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 1, 10)})
    made = make_book({"customers": people, "loans": loans})
    log_access(made, replace(TAKEN, reason="all above 2012 in borough 312"))
    with pytest.raises(ParameterError, match=r"customers\.name"):
        log_access(made, replace(TAKEN, reason="what bo owes the bank"))


def log_lines(given: tuple[Workspace, str, int]) -> None:
    workspace, name, number = given
    opened = Book.open(workspace, name)
    for _ in range(20):
        log_access(opened, replace(TAKEN, who=f"process {number}", reason="r" * 9_000))


def test_lines_of_several_processes_stay_whole(book: Book) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(log_lines, [(book.workspace, book.name, number) for number in range(3)], chunksize=1)
    lines = (book.workspace.books / book.name / LOG_FILE).read_text("utf-8").splitlines()
    assert len(lines) == 60
    assert {json.loads(line)["who"] for line in lines} == {"process 0", "process 1", "process 2"}


def test_a_log_that_cannot_be_written_stops_the_export(book: Book) -> None:
    (book.workspace.books / book.name / LOG_FILE).mkdir()
    with pytest.raises(BookError, match=r"access log cannot be written: Is a directory\. Nothing was exported"):
        log_access(book, TAKEN)


def test_unmasked_files_stay_out_of_the_workspace(book: Book, tmp_path: Path) -> None:
    check_outside(book, tmp_path / "calls.csv")
    for inside in ("calls.csv", "reports/calls.csv", "data/calls.csv"):
        with pytest.raises(InputError, match=r"in the workspace .*, which is served, copied and committed"):
            check_outside(book, book.workspace.root.resolve() / inside)
