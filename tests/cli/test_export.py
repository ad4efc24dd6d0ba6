"""`workbench book export`: what is in the file, what is not, and what the access log says."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.book.access import LOG_FILE
from workbench.book.book import Book
from workbench.book.private import load_key, pseudonym
from workbench.cli import export as module
from workbench.cli.book import book as group
from workbench.cli.export import export
from workbench.core.workspace import Workspace, open_workspace

from ..commands import Finished, files

AS_OF = "2023-08-31"
PRIVATE = ["name", "phone", "email", "national_id"]
KINDS = ("csv", "xlsx", "parquet")
REASON = "the head of branch B03 calls on red alerts"


@pytest.fixture
def home(tiny: Path) -> Iterator[Path]:
    """Return the workspace of the book `tiny`, with no access log before and after."""
    log = tiny / "data" / "books" / "tiny" / LOG_FILE
    yield tiny
    log.unlink(missing_ok=True)


@pytest.fixture
def exported(
    home: Path, typed: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Finished]:
    """Return a function that exports a table of `tiny` with a key of its own."""
    monkeypatch.setitem(group.commands, "export", export)
    key = str(tmp_path / "keys" / "pseudonym.key")

    def run(table: str, output: str | Path, *options: str, **variables: str) -> Finished:
        settings = {"WORKBENCH_PSEUDONYM_KEY_FILE": key, **variables}
        return typed("book", "export", "tiny", table, "--output", output, *options, home=home, **settings)

    return run


@pytest.fixture
def log(home: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that reads the access log."""
    path = home / "data" / "books" / "tiny" / LOG_FILE
    return lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def stored(home: Path) -> pd.DataFrame:
    """Return the newest version of each customer, straight from the file."""
    folder = Book.open(open_workspace(home), "tiny").folder
    rows = pd.read_parquet(folder / "customers.parquet")
    return rows.sort_values("known_at").groupby("customer_id").tail(1).sort_values("customer_id")


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def test_private_columns_leave_as_pseudonyms(
    home: Path, exported: Callable[..., Finished], log: Callable[[], list[Any]], tmp_path: Path
) -> None:
    done = exported("customers", tmp_path / "out" / "customers.csv", "--as-of", AS_OF, "--now")
    assert done.code == 0, done.err
    said = "rows of customers as known at 2023-08-31; name, phone, email, national_id as pseudonyms"
    assert f"{len(stored(home))} {said}" in done.out
    assert "made a new key for pseudonyms" in done.err
    rows, people = read_csv(tmp_path / "out" / "customers.csv"), stored(home)
    assert rows["customer_id"].tolist() == people["customer_id"].tolist()
    assert rows["officer_id"].tolist() == people["officer_id"].tolist()
    key = load_key(tmp_path / "keys" / "pseudonym.key")
    for name in PRIVATE:
        expected = pseudonym(pa.array(people[name].tolist()), key=key, field=name).to_pylist()
        assert rows[name].tolist() == expected
    text = (tmp_path / "out" / "customers.csv").read_text("utf-8")
    assert not [value for name in PRIVATE for value in people[name] if value in text]
    assert log() == []
    again = exported("customers", tmp_path / "again.csv", "--as-of", AS_OF, "--now")
    assert "made a new key" not in again.err
    assert (tmp_path / "again.csv").read_text("utf-8") == text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["customers.csv"]


def test_what_the_source_keeps_no_history_of_is_empty_unless_asked_for(
    exported: Callable[..., Finished], tmp_path: Path
) -> None:
    assert exported("customers", tmp_path / "c.csv").code == 0
    rows = read_csv(tmp_path / "c.csv")
    assert set(rows["phone"]) == set(rows["email"]) == set(rows["officer_id"]) == {""}
    assert rows["name"].str.fullmatch("[0-9a-f]{16}").all()


def test_unmasked_values_need_a_reason_and_are_logged(
    home: Path, exported: Callable[..., Finished], log: Callable[[], list[Any]], tmp_path: Path
) -> None:
    target, before = tmp_path / "calls.csv", datetime.now(UTC)
    columns = ("--columns", "customer_id,phone,name")
    done = exported("customers", target, "--as-of", AS_OF, "--now", *columns, "--unmask", "--reason", REASON)
    assert done.code == 0, done.err
    rows, people = read_csv(target), stored(home)
    assert list(rows.columns) == ["customer_id", "phone", "name"]
    assert rows["name"].tolist() == people["name"].tolist()
    assert rows["phone"].tolist() == ["'" + phone for phone in people["phone"]]  # +00 ... would be a formula
    assert target.stat().st_mode & 0o777 == 0o600
    (entry,) = log()
    assert before.isoformat(timespec="seconds") <= entry.pop("when") <= datetime.now(UTC).isoformat()
    assert entry.pop("generation")
    assert entry == {
        "who": pwd.getpwuid(os.getuid()).pw_name,
        "book": "tiny",
        "table": "customers",
        "columns": ["name", "phone"],
        "rows": len(stored(home)),
        "as_of": AS_OF,
        "reason": REASON,
        "output": str(target),
    }
    assert not (tmp_path / "keys").exists()  # no pseudonym was made
    said = done.out + done.err + json.dumps(entry, ensure_ascii=False)
    assert not [value for name in PRIVATE for value in people[name] if value in said]
    assert exported("events", tmp_path / "e.csv", "--unmask", "--reason", REASON).code == 0
    assert [entry["table"] for entry in log()] == ["customers", "events"]  # appended


def test_the_log_comes_before_the_file(
    exported: Callable[..., Finished],
    log: Callable[[], list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def full(*_: object, **__: object) -> None:
        seen.append(len(log()))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_list", full)
    target = tmp_path / "out" / "c.csv"
    done = exported("customers", target, "--unmask", "--reason", REASON)
    assert done.code == 2
    assert "cannot be written: No space left on device" in done.message()
    assert seen == [1]
    assert list(target.parent.iterdir()) == []  # neither the file nor half of it


def test_no_log_no_file(exported: Callable[..., Finished], home: Path, tmp_path: Path) -> None:
    log = home / "data" / "books" / "tiny" / LOG_FILE
    log.mkdir()
    try:
        done = exported("customers", tmp_path / "c.csv", "--unmask", "--reason", REASON)
        assert "access log cannot be written" in done.message()
        assert done.code == 2
        assert not (tmp_path / "c.csv").exists()
    finally:
        log.rmdir()


def test_three_kinds_of_file_hold_the_same(exported: Callable[..., Finished], tmp_path: Path) -> None:
    said = [json.loads(exported("loans", tmp_path / f"loans.{kind}", "--json").out) for kind in KINDS]
    table = pq.read_table(tmp_path / "loans.parquet")
    assert said == [
        {
            "output": str(tmp_path / f"loans.{kind}"),
            "rows": table.num_rows,
            "as_of": AS_OF,
            "private": [],
            "unmasked": False,
        }
        for kind in KINDS
    ]
    assert str(table.schema.field("principal").type) == "decimal128(18, 2)"
    rows = read_csv(tmp_path / "loans.csv")
    sheet = openpyxl.load_workbook(tmp_path / "loans.xlsx")["List"]
    header, *cells = sheet.iter_rows(values_only=True)
    assert list(header) == list(rows.columns) == table.column_names
    assert len(cells) == len(rows) == table.num_rows > 20
    for at, name in enumerate(table.column_names):
        values = table[name].to_pylist()
        assert [value or None for value in rows[name]] == [None if value is None else str(value) for value in values]
        if name in ("term_months", "annual_rate", "loan_id"):
            assert [row[at] for row in cells] == values
    assert not (tmp_path / "keys").exists()  # loans have no private column: no key is needed


def test_text_that_a_spreadsheet_would_run_is_made_harmless(
    make_book: Callable[..., Book],
    typed: Callable[..., Finished],
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(group.commands, "export", export)
    names = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "plain"]
    people = pd.DataFrame({"customer_id": [f"C{place}" for place in range(len(names))], "name": names, "region": names})
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": datetime(2024, 1, 10).date()})
    book = make_book({"customers": people, "loans": loans})
    for kind in ("csv", "xlsx"):
        target = tmp_path / f"c.{kind}"
        command = ("book", "export", book.name, "customers", "--output", target, "--columns", "region,name")
        done = typed(*command, "--unmask", "--reason", REASON, home=workspace.root)
        assert done.code == 0, done.err
        if kind == "csv":
            cells = [value for row in read_csv(target).itertuples(index=False) for value in row]
        else:
            sheet = openpyxl.load_workbook(target)["List"]
            cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
            assert {cell.data_type for cell in cells} == {"s"}
            cells = [cell.value for cell in cells]
        assert len(cells) == 14
        assert not [value for value in cells if value.startswith(tuple("=+-@\t\r"))]


@pytest.mark.parametrize(
    ("table", "output", "options", "said"),
    [
        ("customers", "c.txt", (), r"--output: unknown file type '\.txt'\. .*Known: \.csv, \.parquet, \.xlsx"),
        ("customers", "c", (), "--output: unknown file type ''"),
        ("customer", "c.csv", (), "unknown table 'customer'. Did you mean 'customers'"),
        ("customers", "c.csv", ("--columns", "nme"), "unknown column 'nme'. Did you mean 'name'"),
        ("customers", "c.csv", ("--as-of", "2031-01-01"), "found 2031-01-01, but book 'tiny' covers"),
        ("customers", "c.csv", ("--unmask",), "--unmask and --reason: found one of them, expected both or neither"),
        ("customers", "c.csv", ("--reason", REASON), "expected both or neither"),
        ("customers", "c.csv", ("--unmask", "--reason", "please"), "found 6 characters, expected at least 10"),
        ("loans", "c.csv", ("--unmask", "--reason", REASON), "--unmask: found no private column in what is taken"),
        ("loans", "c.csv", ("--now",), "--now: found table 'loans', expected customers"),
    ],
)
def test_bad_usage_leaves_nothing(
    table: str,
    output: str,
    options: tuple[str, ...],
    said: str,
    exported: Callable[..., Finished],
    log: Callable[[], list[Any]],
    tmp_path: Path,
) -> None:
    done = exported(table, tmp_path / "out" / output, *options)
    assert done.code == 2
    assert re.search(said, done.message()), done.err
    assert not (tmp_path / "out").exists()
    assert log() == []


def test_a_name_in_the_reason_is_refused_and_not_repeated(
    home: Path, exported: Callable[..., Finished], log: Callable[[], list[Any]], tmp_path: Path
) -> None:
    email = stored(home)["email"].iloc[0]
    done = exported("events", tmp_path / "e.csv", "--unmask", "--reason", f"complaint of {email} by letter")
    assert "customers.email; the access log holds none" in done.message()
    assert email not in done.out + done.err
    assert log() == []


def test_unmasked_files_stay_out_of_the_workspace(
    home: Path, exported: Callable[..., Finished], log: Callable[[], list[Any]], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(home / "reports", target_is_directory=True)
    (home / "out.csv").symlink_to(tmp_path / "elsewhere.csv")  # a rename would put the file in the link's place
    before = files(home)
    for output in ("calls.csv", home / "data" / "calls.csv", tmp_path / "link" / "calls.csv", home / "out.csv"):
        done = exported("customers", output, "--unmask", "--reason", REASON)
        assert "in the workspace" in done.message()
        assert done.code == 2
    assert files(home) == before
    assert log() == []
    (home / "out.csv").unlink()
    assert exported("customers", home / "masked.csv").code == 0
    (home / "masked.csv").unlink()


def test_a_key_in_the_workspace_or_open_to_others_is_refused(
    home: Path, exported: Callable[..., Finished], tmp_path: Path
) -> None:
    done = exported("customers", tmp_path / "c.csv", WORKBENCH_PSEUDONYM_KEY_FILE="data/pseudonym.key")
    assert "expected a file outside it" in done.message()
    assert not (home / "data" / "pseudonym.key").exists()
    assert exported("customers", tmp_path / "c.csv").code == 0
    (tmp_path / "keys" / "pseudonym.key").chmod(0o644)
    (tmp_path / "c.csv").unlink()
    done = exported("customers", tmp_path / "c.csv")
    assert "found mode 0644, expected 0600" in done.message()
    assert not (tmp_path / "c.csv").exists()


def test_help_has_an_example_that_parses(exported: Callable[..., Finished], tmp_path: Path) -> None:
    done = exported("customers", tmp_path / "c.csv", "--help")
    assert done.code == 0
    assert "Example: workbench book export demo customers" in done.out
    assert all(option.help for option in export.params if option.param_type_name == "option")
