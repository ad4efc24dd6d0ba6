"""Files in the kinds and shapes in which they are delivered: what becomes of their values, and what is told of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.book.sources.error_words import first_line
from workbench.book.sources.json_lines import open_json_lines
from workbench.book.sources.opened import Opened
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace

from .test_mapping import Desk


@pytest.fixture
def desk(new_workspace: Callable[..., Workspace]) -> Desk:
    return Desk(new_workspace())


def sheet(path: Path, rows: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


# --- the file a row came from ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250", "utf-16"])
def test_the_file_column_names_what_was_delivered(desk: Desk, encoding: str) -> None:
    desk.put("part_west.csv", "no\nC1\n".encode(encoding))
    desk.put("part_east.csv", "no\nC\0002\n".encode(encoding))  # a NUL byte: a clean copy is read
    desk.mapping["sources"]["people"] = {"files": "part_*.csv", "encoding": encoding}
    desk.people(region="regexp_extract(_file, 'delivery/part_(.*)[.]csv', 1)")
    assert sorted(desk.read("customers", "customer_id", "region")) == [("C1", "west"), ("C2", "east")]


def test_the_file_column_names_the_excel_file(desk: Desk) -> None:
    for place, customer in (("west", "C1"), ("east", "C2")):
        sheet(desk.folder / f"part_{place}.xlsx", [["no"], [customer]])
    desk.mapping["sources"]["people"] = {"files": "part_*.xlsx"}
    desk.people(region="regexp_extract(_file, 'delivery/part_(.*)[.]xlsx', 1)")
    assert sorted(desk.read("customers", "customer_id", "region")) == [("C1", "west"), ("C2", "east")]


def test_rejected_rows_and_lines_name_what_was_delivered(desk: Desk) -> None:
    desk.put("part_west.csv", "no,born\nC1,Žďár\nbad\nC2,2000-01-01\n".encode("cp1250"))
    desk.mapping["sources"]["people"] = {"files": "part_*.csv", "encoding": "cp1250"}
    desk.people(birth_date="born")
    result = desk.load()
    rejects = desk.workspace.books / "desk" / result.record.rejects
    lines = [json.loads(line) for line in (rejects / "people.lines.jsonl").read_text("utf-8").splitlines()]
    assert [line["file"] for line in lines] == ["part_west.csv"]
    assert "part_west.csv" in (rejects / "customers-0.csv").read_text("utf-8").splitlines()[1]


def test_a_folder_whose_name_is_a_pattern(desk: Desk) -> None:
    shutil.copytree(desk.folder, desk.workspace.root / "d[1]")
    desk.load("d[1]")
    assert desk.rows("customers", "customer_id") == [("C1",), ("C2",)]


# --- JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["12345678901234567890123", "9007199254740992"])
def test_long_numbers_in_json_stay_different_customers(desk: Desk, first: str) -> None:
    second = str(int(first) + 1)
    lines = [f'{{"no": {number}, "in": {{"come": 100.5, "list": [{number}]}}}}\n' for number in (first, second)]
    desk.put("people.jsonl", "".join([*lines, '{"no": 1.5, "in": {"come": 7}}\n']))
    desk.put("credits.csv", f"no,who,opened\nL1,{first},2024-01-15\nL2,{second},2024-02-20\n")
    desk.mapping["sources"]["people"] = {"files": "people.jsonl"}
    desk.people(monthly_income='"in".come * 2', region='"in".list[1]')
    found = sorted(desk.read("customers", "customer_id", "monthly_income", "region"))
    assert found == [("1.5", Decimal(14), None), (first, Decimal(201), first), (second, Decimal(201), second)]


def test_a_member_that_one_of_several_json_files_lacks_is_told(desk: Desk) -> None:
    desk.put("part-1.jsonl", '{"no": "C1", "region": "North"}\n')
    desk.put("part-2.jsonl", '{"no": "C2"}\n')
    desk.mapping["sources"]["people"] = {"files": "part-*.jsonl"}
    desk.people(region="region")
    result = desk.load()
    assert sorted(desk.rows("customers", "customer_id", "region")) == [("C1", "North"), ("C2", None)]
    lacking = "part-2.jsonl: 1 columns that other files of this source have are missing: left empty"
    assert result.record.sources["people"].repairs == [lacking]


# --- Parquet and Excel -------------------------------------------------------------------------------------------------


def test_json_lines_need_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text(
        "".join(f'{{"no": "C{n}", "place": {{"home": {n}, "note": "{"x" * 60}"}}}}\n' for n in range(150_000))
    )
    with duckdb.connect(config={"memory_limit": "100MB", "threads": 1, "temp_directory": ""}) as connection:
        opened = Opened("people", lines=150_000)
        open_json_lines(connection, opened, [path])
        assert connection.execute("SELECT count(DISTINCT place.home) FROM people").fetchall() == [(150_000,)]
    assert json.loads(opened.structure) == {"no": "VARCHAR", "place": {"home": "UBIGINT", "note": "VARCHAR"}}


def test_a_column_that_one_of_several_parquet_files_lacks_is_told(desk: Desk) -> None:
    pq.write_table(pa.table({"no": ["C1"], "region": ["North"]}), desk.folder / "part-1.parquet")
    pq.write_table(pa.table({"NO": ["C2"]}), desk.folder / "part-2.parquet")
    desk.mapping["sources"]["people"] = {"files": "part-*.parquet"}
    desk.people(region="region")
    result = desk.load()
    assert sorted(desk.rows("customers", "customer_id", "region")) == [("C1", "North"), ("C2", None)]
    lacking = "part-2.parquet: 1 columns that other files of this source have are missing: left empty"
    assert result.record.sources["people"].repairs == [lacking]


def test_a_parquet_column_that_comes_twice_is_refused(desk: Desk) -> None:
    doubled = pa.Table.from_arrays([pa.array(["C1"]), pa.array(["x"]), pa.array(["C2"])], names=["no", "x", "No"])
    pq.write_table(doubled, desk.folder / "people.parquet")
    desk.mapping["sources"]["people"] = {"files": "people.parquet"}
    with pytest.raises(
        BookError, match=r"people\.parquet: columns 1 and 3 have the same name; expected each column once"
    ):
        desk.load()


def test_formulas_without_a_stored_value_are_counted(desk: Desk) -> None:
    sheet(desk.folder / "people.xlsx", [["no", "pay"], ["C1", "=500*2"], ["C2", 2000], ["C3", None], ["C4", "=A2"]])
    desk.mapping["sources"]["people"] = {"files": "people.xlsx"}
    desk.people(monthly_income="pay")
    result = desk.load()
    assert desk.rows("customers", "monthly_income") == [(None,), (Decimal(2000),), (None,), (None,)]
    (told,) = result.record.sources["people"].repairs
    assert told.startswith("people.xlsx: 2 formulas have no stored value and are read as empty")


def test_a_sheet_without_a_header(desk: Desk) -> None:
    sheet(desk.folder / "people.xlsx", [["C1", "North"], ["C2", "South"]])
    desk.mapping["sources"]["people"] = {"files": "people.xlsx", "header": False, "columns": ["no", "region"]}
    desk.people(region="region")
    assert sorted(desk.read("customers", "customer_id", "region")) == [("C1", "North"), ("C2", "South")]


# --- the description ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m["sources"]["people"].update(columns=["no"]),
            "columns names the columns where there is no header line: write header: false, or leave columns out",
        ),
        (lambda m: m["sources"].update({"crm-people": {"files": "x.csv"}}), "found the name 'crm-people', expected a letter"),
        (lambda m: m["sources"].update({"o'brien": {"files": "x.csv"}}), "expected a letter"),
        (lambda m: m["sources"].update({"_delivery": {"files": "x.csv"}}), "expected a letter"),
        (lambda m: m["sources"].update({"People": {"files": "x.csv"}}), "found the names 'people' and 'People', expected"),
        (lambda m: m.update(views={"PEOPLE": "SELECT 1"}), "found the names 'people' and 'PEOPLE', expected each once"),
        (lambda m: m.update(views={"a b": "SELECT 1"}), "found the name 'a b', expected a letter"),
        (lambda m: m.update(codes={"a b": {"x": "y"}}), "codes: found the name 'a b', expected a letter"),
    ],
)  # fmt: skip
def test_names_and_headers_are_checked(desk: Desk, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    change(desk.mapping)
    with pytest.raises(ParameterError, match=re.escape(message)):
        desk.load()


# --- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(x AS BIGINT) FROM (VALUES ('850101 O''Brien, 850101')) AS t(x)",
        "SELECT CAST(x AS BIGINT) FROM (VALUES ('850101\nLINE 1: \"850101')) AS t(x)",
        "SELECT CAST(x AS INTEGER) FROM (VALUES (850101123412)) AS t(x)",
        "SELECT strptime(x, '%d.%m.%Y') FROM (VALUES ('850101')) AS t(x)",
    ],
)
def test_messages_hold_no_value_of_a_row(query: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="850101") as found:
        connection.execute(query).fetchall()
    assert "850101" not in first_line(found.value)
    assert "Brien" not in first_line(found.value)


def test_messages_keep_the_names_of_what_is_missing() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as found:
        connection.execute("SELECT nope FROM (SELECT 1 AS yes)")
    assert '"nope"' in first_line(found.value)
