from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from workbench.core import languages
from workbench.core.errors import InputError, ParameterError
from workbench.core.languages import in_language
from workbench.reporting import lists
from workbench.reporting.blocks import ColumnFormat
from workbench.reporting.lists import DISPOSITIONS, read_dispositions, write_list

from .samples import ATTACKS, CUSTOMER_COLUMNS, customers

FORMULAS = ["=1+1", "+1", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1+1"]


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_same_rows_in_each_format(tmp_path: Path) -> None:
    frame = customers(30)
    paths = write_list(frame, tmp_path / "new", "high_risk", columns=CUSTOMER_COLUMNS)
    assert [path.name for path in paths] == ["high_risk.csv", "high_risk.xlsx", "high_risk.parquet"]
    rows, parquet = read_csv(paths[0]), pd.read_parquet(paths[2])
    sheet = openpyxl.load_workbook(paths[1])["List"]
    assert rows[0] == list(CUSTOMER_COLUMNS) == list(parquet.columns)
    assert [cell.value for cell in sheet[1]] == [column.heading for column in CUSTOMER_COLUMNS.values()]
    assert len(rows) - 1 == len(parquet) == sheet.max_row - 1 == 30
    for place, row in enumerate(frame.itertuples(index=False)):
        cells = [cell.value for cell in sheet[place + 2]]
        assert cells[0] == rows[place + 1][0] == parquet["customer_id"][place] == row.customer_id
        assert cells[5] == float(rows[place + 1][5]) == parquet["exposure"][place] == row.exposure
        assert cells[2] == dt.datetime(2026, 6, 30)
        assert cells[8] == rows[place + 1][8] == parquet["reasons"][place] == "; ".join(row.reasons)
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == "A1:I31"
    assert sheet["E2"].number_format == "0.0%"
    assert sheet["F2"].number_format == "#,##0"
    assert sheet["C2"].number_format == "yyyy-mm-dd"
    assert not [path for path in (tmp_path / "new").iterdir() if path.suffix == ".tmp"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_list(customers(), tmp_path / "a", "alerts", disposition=True)]
    second = [path.read_bytes() for path in write_list(customers(), tmp_path / "b", "alerts", disposition=True)]
    assert first == second


def test_formula_text_is_neutralised_and_numbers_stay_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=text": FORMULAS, "amount": [-5.5] * len(FORMULAS), "n": [-1] * len(FORMULAS)})
    frame["money"] = [Decimal("-1.25")] * len(FORMULAS)
    frame["group"] = pd.Categorical(FORMULAS)
    paths = write_list(frame, tmp_path, "l")
    sheet = openpyxl.load_workbook(paths[1])["List"]
    for row in [*read_csv(paths[0])[1:], *[[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)]]:
        assert row[0].startswith("'")
        assert row[4].startswith("'")
        assert (float(row[1]), float(row[2]), float(row[3])) == (-5.5, -1, -1.25)
    assert read_csv(paths[0])[0][0] == sheet["A1"].value == "'=text"
    assert {cell.data_type for cell in sheet[2]} == {"s", "n"}
    assert pd.read_parquet(paths[2])["=text"].tolist() == FORMULAS


def test_hostile_text_is_written_and_read_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": pd.Series([*ATTACKS, "N" * 40_000], dtype=object)})
    paths = write_list(frame, tmp_path, "l")
    sheet = openpyxl.load_workbook(paths[1])["List"]
    cells = [cell.value for cell in sheet["A"][1:]]
    assert cells[0] == ATTACKS[0]
    assert "abcd" in cells
    assert ATTACKS[-1] in cells
    assert len(cells[-1]) == 32_767
    assert [row[0] for row in read_csv(paths[0])[1:]][-1] == "N" * 40_000
    assert len(pd.read_parquet(paths[2])) == len(frame)


def test_disposition_columns_are_empty_with_a_drop_down(tmp_path: Path) -> None:
    paths = write_list(customers(), tmp_path, "alerts", columns=CUSTOMER_COLUMNS, disposition=True)
    book = openpyxl.load_workbook(paths[1])
    sheet = book["List"]
    assert [cell.value for cell in sheet[1]][-2:] == ["disposition", "note"]
    assert [cell.value for cell in sheet["J"][1:]] == [None] * (sheet.max_row - 1)
    choice = sheet.data_validations.dataValidation[0]
    assert str(choice.sqref) == "J2:J13"
    assert choice.formula1 == f'"{",".join(DISPOSITIONS)}"'
    guide = [row[1].value for row in book["Columns"].iter_rows(min_row=2)]
    assert guide == [*CUSTOMER_COLUMNS, "disposition", "note"]
    assert "disposition" not in read_csv(paths[0])[0]
    with pytest.raises(ParameterError, match="already"):
        write_list(customers().assign(note=""), tmp_path, "alerts", disposition=True)


def test_odd_values(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "x": [1.5, None, float("inf")],
            "when": pd.to_datetime(["2026-06-30T22:00:00Z", None, "2026-01-01T00:00:00Z"]),
            "old": [dt.date(1899, 1, 1), None, dt.date(2026, 1, 1)],
            "mixed": pd.Series([1, "=a", None], dtype=object),
        }
    )
    paths = write_list(frame, tmp_path, "odd")
    rows = list(openpyxl.load_workbook(paths[1])["List"].iter_rows(min_row=2, values_only=True))
    assert rows[0] == (1.5, dt.datetime(2026, 6, 30, 22), "1899-01-01", "1")
    assert rows[1] == (None, None, None, "'=a")
    assert pd.read_parquet(paths[2])["mixed"].tolist()[:2] == ["1", "=a"]


def test_an_empty_list_has_its_header(tmp_path: Path) -> None:
    paths = write_list(customers().head(0), tmp_path, "none", columns=CUSTOMER_COLUMNS, disposition=True)
    assert len(read_csv(paths[0])) == 1
    assert openpyxl.load_workbook(paths[1])["List"].max_row == 1
    assert pd.read_parquet(paths[2]).empty


def test_what_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="Did you mean 'xlsx'"):
        write_list(customers(), tmp_path, "l", formats=["xls"])
    for name in ("../l", "a/b", "", ".hidden"):
        with pytest.raises(ParameterError, match="no file name"):
            write_list(customers(), tmp_path, name)
    with pytest.raises(ParameterError, match="unknown column"):
        write_list(customers(), tmp_path, "l", columns={"scor": ColumnFormat("S")})
    monkeypatch.setattr(lists, "_MOST_ROWS", 5)
    with pytest.raises(InputError, match="a sheet holds 5"):
        write_list(customers(), tmp_path, "l")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_list(customers(), tmp_path, "l", formats=["csv"])[0]
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_list(customers(3), tmp_path, "l", formats=["csv"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_shares_have_bars_from_zero(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": ["a", "b"], "pd": [0.1, 0.5]})
    columns = {"customer_id": ColumnFormat("Customer"), "pd": ColumnFormat("PD", "percent")}
    write_list(frame, tmp_path, "bars", formats=["xlsx"], columns=columns)
    rules = openpyxl.load_workbook(tmp_path / "bars.xlsx").worksheets[0].conditional_formatting
    (only,) = rules
    assert str(only.sqref) == "B2:B3"
    assert [(rule.type, rule.dataBar.cfvo[0].type, rule.dataBar.cfvo[0].val) for rule in only.rules] == [
        ("dataBar", "num", 0)
    ]


ALERT_COLUMNS = {
    "alert_id": ("Alert", "预警"),
    "customer_id": ("Customer", "客户"),
    "severity": ("Severity", "预警级别"),
}


@pytest.fixture
def chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the words of lists into a catalogue of their own."""
    words = {
        "List": "清单",
        "Columns": "字段说明",
        "disposition": "处置结论",
        "note": "备注",
        "confirmed risk": "风险属实",
        "false alarm": "误报",
        "already known": "此前已知",
        "needs more information": "需补充信息",
        "red": "红色",
    }
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    text = head + "\n".join(f'msgid "{english}"\nmsgstr "{word}"\n' for english, word in words.items())
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "zh.po").write_text(text, "utf-8")
    monkeypatch.setattr(languages, "CATALOGUES", tmp_path / "locale")
    languages._catalogue.cache_clear()
    yield
    languages._catalogue.cache_clear()


def an_alert_list(folder: Path, lang: str, ids: list[str]) -> Path:
    frame = pd.DataFrame({"alert_id": ids, "customer_id": [f"C{i}" for i in range(len(ids))], "severity": "red"})
    kinds = {"severity": "status"}
    columns = {
        name: ColumnFormat(labels[lang == "zh"], kinds.get(name, "text"))  # type: ignore[arg-type]
        for name, labels in ALERT_COLUMNS.items()
    }
    with in_language(lang):
        return write_list(frame, folder, "alerts", formats=["xlsx"], columns=columns, disposition=True)[0]


def fill(path: Path, cells: dict[str, object]) -> None:
    """Write into the list's cells, and save, as an officer would."""
    book = openpyxl.load_workbook(path)
    for address, value in cells.items():
        book.worksheets[0][address] = value
    book.save(path)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.usefixtures("chinese")
def test_what_an_officer_filled_is_read_back(tmp_path: Path, lang: str) -> None:
    path = an_alert_list(tmp_path, lang, ["demo-C0-1", "=C1", "demo-C2-1", "demo-C3-1", "demo-C4-1"])
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == {"en": ["List", "Columns"], "zh": ["清单", "字段说明"]}[lang]
    sheet = book.worksheets[0]
    labels = {"en": ["Alert", "Customer", "Severity", "disposition", "note"]}
    labels["zh"] = ["预警", "客户", "预警级别", "处置结论", "备注"]
    assert [cell.value for cell in sheet[1]] == labels[lang]
    assert sheet["C2"].value == {"en": "red", "zh": "红色"}[lang]
    words = sheet.data_validations.dataValidation[0].formula1.strip('"').split(",")
    assert len(words) == len(DISPOSITIONS)
    fill(path, {"D2": words[0], "E2": "飞单 =1", "D3": f" {words[1].upper()} ", "E4": 20260630, "D6": words[3]})
    read = read_dispositions(path)
    assert list(read.columns) == ["alert_id", "disposition", "note"]
    assert read.to_numpy().tolist() == [
        ["demo-C0-1", DISPOSITIONS[0], "飞单 =1"],
        ["=C1", DISPOSITIONS[1], ""],
        ["demo-C2-1", None, "20260630"],
        ["demo-C4-1", DISPOSITIONS[3], ""],
    ]


@pytest.mark.usefixtures("chinese")
def test_columns_and_rows_may_be_moved_but_not_lost(tmp_path: Path) -> None:
    path = an_alert_list(tmp_path, "zh", ["a1", "a2", "a3"])
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    rows[2][3] = "误报"
    for number, row in enumerate([rows[0], rows[3], rows[2]], start=1):  # sorted, one row gone, one column more
        for place, value in enumerate(["x", *row[::-1]], start=1):
            sheet.cell(number, place).value = value
    sheet.delete_rows(4)
    book.save(path)
    assert read_dispositions(path).to_numpy().tolist() == [["a2", "false alarm", ""]]
    fill(path, {"C1": "处置"})
    with pytest.raises(InputError, match="the list has 0 columns '处置结论', expected one"):
        read_dispositions(path)


@pytest.mark.usefixtures("chinese")
def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = an_alert_list(tmp_path, "en", ["a1", "a2", "a3"])
    assert read_dispositions(path).empty
    kept = path.read_bytes()
    faults: list[tuple[dict[str, object], str]] = [
        ({"D3": "maybe"}, "cell D3: found 'maybe', expected one of: confirmed risk or 风险属实; false alarm or 误报; "),
        ({"D3": "=D2"}, "cell D3: found '=D2', expected"),
        ({"A4": "a2"}, "alert_id 'a2' stands in rows 3 and 4. Keep one of them"),
        ({"A4": None, "E4": "gone"}, "row 4 has a disposition or a note, and no alert_id"),
        ({"B1": "Alert"}, "the list has 2 columns 'Alert', expected one"),
    ]
    for cells, message in faults:
        path.write_bytes(kept)
        fill(path, cells)
        with pytest.raises(InputError, match=re.escape(message)):
            read_dispositions(path)
    book = openpyxl.load_workbook(path)
    book.worksheets[0].title = "My list"
    book.save(path)
    with pytest.raises(InputError, match="no sheet List or 清单; found: My list, Columns"):
        read_dispositions(path)
    with_other_columns = write_list(customers(2), tmp_path, "plain", formats=["xlsx"])[0]
    with pytest.raises(InputError, match="names none of the columns alert_id, action_id, entry_id"):
        read_dispositions(with_other_columns)
    path.write_text("no workbook")
    with pytest.raises(InputError, match="not a readable XLSX file"):
        read_dispositions(path)
    with pytest.raises(InputError, match="not a readable XLSX file"):
        read_dispositions(tmp_path / "none.xlsx")
