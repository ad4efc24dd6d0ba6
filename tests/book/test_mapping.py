"""Mappings, each against values worked out by hand: what an expression, a format or a zone makes of a small source."""

from __future__ import annotations

import shutil
import sqlite3
import textwrap
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from workbench.book.loading.load import LoadResult, import_book
from workbench.book.store import current_generation, table_files
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace

DELIVERED = datetime(2024, 5, 1, 6, tzinfo=UTC)
CUSTOMERS = {"from": "people", "columns": {"customer_id": "no"}, "known_at": "DATE '2020-01-01'"}
LOANS = {"from": "credits", "columns": {"loan_id": "no", "customer_id": "who", "opened_on": "opened"}}
FILES = {"people.csv": "no\nC1\nC2\n", "credits.csv": "no,who,opened\nL1,C1,2024-01-15\nL2,C2,2024-02-20\n"}


class Desk:
    """A workspace in which small sources are mapped and read back."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.folder = workspace, workspace.root / "delivery"
        self.mapping: dict[str, Any] = {}
        self.clear()

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.workspace.books, ignore_errors=True)
        self.folder.mkdir()
        for name, text in FILES.items():
            self.put(name, text)
        self.mapping = {
            "source": "a test",
            "time_zone": "Europe/Prague",
            "currency": "CZK",
            "from": "delivery",
            "max_reject_share": 1.0,
            "sources": {"people": {"files": "people.csv"}, "credits": {"files": "credits.csv"}},
            "tables": {"customers": dict(CUSTOMERS), "loans": dict(LOANS)},
        }

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def source(self, name: str, text: str | bytes, **options: Any) -> None:
        self.put(f"{name}.csv", text)
        self.mapping["sources"][name] = {"files": f"{name}.csv", **options}

    def people(self, **columns: Any) -> None:
        """Map more columns of the customers."""
        mapped = {**self.mapping["tables"]["customers"], "columns": {"customer_id": "no", **columns}}
        self.mapping["tables"]["customers"] = mapped

    def load(self, base: str | None = None, *, append: bool = False, at: datetime = DELIVERED) -> LoadResult:
        text = yaml.safe_dump(self.mapping, allow_unicode=True, sort_keys=False)
        (self.workspace.params / "books" / "desk.yaml").write_text(text, "utf-8")
        return import_book(self.workspace, "desk", delivered_at=at, base=base, append=append)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        folder, _manifest = current_generation(self.workspace, "desk")
        read = pa.concat_tables([pq.ParquetFile(path).read() for path in table_files(folder, table)])
        return list(zip(*(read[name].to_pylist() for name in columns), strict=True))

    def read(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        self.load()
        return self.rows(table, *columns)


@pytest.fixture(scope="module")
def _desk(new_workspace: Callable[..., Workspace]) -> Desk:
    return Desk(new_workspace())


@pytest.fixture
def desk(_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return the desk with two customers and two loans; the checks of the content are left out."""
    monkeypatch.setattr("workbench.book.loading.load._Load._check", lambda _load, _book: None)
    _desk.clear()
    return _desk


# --- names --------------------------------------------------------------------------------------------------------------


def test_an_unknown_column_names_its_neighbour_before_any_row_is_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.source("people", "no,region\nC1,North\nC2,South\n")
    desk.people(region="upper(regoin)")
    monkeypatch.setattr("workbench.book.loading.load.stage", lambda *_arguments: pytest.fail("a row was read"))
    with pytest.raises(
        ParameterError, match=r"customers.region: upper\(regoin\): unknown column 'regoin'. Did you mean 'region'"
    ):
        desk.load()


def test_a_file_without_a_header_shows_no_value_in_the_error(desk: Desk) -> None:
    desk.source("people", "Greta Juniper,+420 777\nC2,x\n")
    with pytest.raises(ParameterError, match="header: false") as refused:
        desk.load()
    assert "Greta" not in str(refused.value)
    desk.source("people", "C1,Greta\nC2,Hugo\n", header=False, columns=["no", "called"])
    desk.people(name="called")
    assert desk.read("customers", "customer_id", "name") == [("C1", "Greta"), ("C2", "Hugo")]


def _renamed(mapping: dict[str, Any], *path: str, to: str) -> None:
    *parents, last = path
    for name in parents:
        mapping = mapping[name]
    mapping[to] = mapping.pop(last)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: _renamed(m, "tables", "loans", to="lones"), "unknown table 'lones'. Did you mean 'loans'"),
        (
            lambda m: _renamed(m, "sources", "people", to="poeple"),
            "unknown source in tables.customers 'people'. Did you mean 'poeple'",
        ),
        (
            lambda m: m["tables"]["loans"]["columns"].update(princpal="1"),
            "unknown column in tables.loans 'princpal'. Did you mean 'principal'",
        ),
        (
            lambda m: m["tables"]["loans"]["columns"].update(product={"sql": "no", "codes": "kind"}),
            "unknown code table",
        ),
        (lambda m: m.update(time_zon="UTC"), "time_zone"),
        (lambda m: m.update(time_zone="Europe/Prag"), "unknown time zone 'Europe/Prag'"),
        (lambda m: m.update(currency="koruna"), "currency"),
        (lambda m: m["sources"]["people"].update(decimal="x"), "decimal"),
        (lambda m: m["sources"]["people"].update(decimal=",", thousands=","), "decimal and thousands are both"),
        (lambda m: m["sources"]["people"].update(header=False), "needs columns"),
        (lambda m: m["sources"]["people"].update(sql={"query": "x"}), "sql"),
        (lambda m: m["sources"]["people"].update(encoding="utf-9"), "encoding 'utf-9' is unknown"),
        (lambda m: m["tables"]["customers"].pop("known_at"), "known_at is missing"),
        (lambda m: m["tables"]["loans"]["columns"].pop("opened_on"), "tables.loans lacks opened_on"),
        (lambda m: m["tables"].pop("loans"), "tables lacks loans"),
        (
            lambda m: m["tables"]["loans"].update(where="opned > '2024'"),
            "unknown column 'opned'. Did you mean 'opened'",
        ),
        (lambda m: m["tables"]["loans"]["columns"].update(product="no ||"), "tables.loans.product"),
        (lambda m: m.update(views={"v": "SELECT * FROM credit"}), "views.v"),
        (lambda m: m.update(views={"people": "SELECT 1"}), "found the names .people. and .people."),
        (lambda m: m.update(current_only={"customers": ["regio"]}), "unknown column in current_only.customers 'regio'"),
        (lambda m: m.update(current_only={"loans": ["customer_id"]}), "current_only.loans.customer_id is a key"),
        (lambda m: m.update(roles={"customers": {"region": "secret"}}), "roles"),
        (lambda m: m["sources"]["people"].update(files="peeple.csv"), "no file matches .*Did you mean 'people.csv'"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_nearest_name(
    desk: Desk, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    desk.mapping["tables"] = {
        name: {**table, "columns": dict(table["columns"])} for name, table in desk.mapping["tables"].items()
    }
    change(desk.mapping)
    with pytest.raises((ParameterError, BookError), match=words):
        desk.load()


# --- values -------------------------------------------------------------------------------------------------------------


def test_numbers_with_commas_and_thousands(desk: Desk) -> None:
    desk.source(
        "people",
        'no;income\nC1;1.234,565\nC2;"12"\nC3;1.5.5\nC4;-0,005\nC5;\n',
        delimiter=";",
        decimal=",",
        thousands=".",
    )
    desk.people(monthly_income="income")
    found = dict(desk.read("customers", "customer_id", "monthly_income"))
    assert found == {
        "C1": Decimal("1234.57"),
        "C2": Decimal("12.00"),
        "C3": None,
        "C4": Decimal("-0.01"),
        "C5": None,
    }


def test_a_point_is_no_decimal_sign_where_the_comma_is(desk: Desk) -> None:
    desk.source("people", "no;income\nC1;1.5\nC2;1,5\n", delimiter=";", decimal=",")
    desk.people(monthly_income="income")
    result = desk.load()
    assert desk.rows("customers", "monthly_income") == [(None,), (Decimal("1.50"),)]
    assert result.record.tables["customers"].emptied == {"monthly_income: cannot be read as money": 1}


def test_wrong_values_are_counted_and_kept_beside_the_book(desk: Desk) -> None:
    desk.source("people", "no,income,born\nC1,much,1980-02-30\nC2,10,1980-02-29\n,5,1990-01-01\n")
    desk.people(monthly_income="income", birth_date="born")
    result = desk.load()
    load = result.record.tables["customers"]
    assert (load.rows_in, load.rejected_rows, load.rows_out) == (3, 1, 2)
    assert load.rejected == {"customer_id is missing": 1}
    assert load.emptied == {"birth_date: cannot be read as date": 1, "monthly_income: cannot be read as money": 1}
    kept = (desk.workspace.books / "desk" / result.record.rejects / "customers-0.csv").read_text("utf-8")
    assert "value left empty" in kept
    assert "1980-02-30" in kept
    assert desk.rows("customers", "customer_id", "birth_date") == [("C1", None), ("C2", date(1980, 2, 29))]


def test_dates_in_the_source_s_own_formats(desk: Desk) -> None:
    desk.source(
        "credits", "no,who,opened\nL1,C1,15.1.2024\nL2,C2,20240220\nL3,C2,2024-03-01\n", dates=["%d.%m.%Y", "%Y%m%d"]
    )
    result = desk.load()
    assert desk.rows("loans", "loan_id", "opened_on") == [("L1", date(2024, 1, 15)), ("L2", date(2024, 2, 20))]
    assert result.record.tables["loans"].rejected == {
        "opened_on: cannot be read as date": 1
    }  # and known_at, a copy of it


@pytest.mark.parametrize("formats", [{}, {"dates": "%Y-%m-%d", "timestamps": "%Y-%m-%d %H:%M:%S"}])
def test_words_for_moments_are_none(desk: Desk, formats: dict[str, str]) -> None:
    words = "L3,C1,infinity\nL4,C1,-infinity\nL5,C1,epoch\n"
    desk.source("credits", FILES["credits.csv"] + words, **formats)
    assert desk.read("loans", "loan_id", "opened_on") == [("L1", date(2024, 1, 15)), ("L2", date(2024, 2, 20))]


def test_excel_s_own_dates_need_no_format(desk: Desk) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["no", "who", "opened"],
        ["L1", "C1", datetime(2024, 1, 15)],
        ["L2", "C2", "20.02.2024"],
        [17, "C2", date(2024, 3, 1)],
    ):
        sheet.append(row)
    book.save(desk.folder / "credits.xlsx")
    desk.mapping["sources"]["credits"] = {"files": "credits.xlsx", "dates": "%d.%m.%Y"}
    assert desk.read("loans", "loan_id", "opened_on") == [
        ("17", date(2024, 3, 1)),
        ("L1", date(2024, 1, 15)),
        ("L2", date(2024, 2, 20)),
    ]


@pytest.mark.parametrize(
    ("otherwise", "gender", "emptied"),
    [("invalid", None, 1), ("null", None, 0), ("keep", "X", 0)],
)
def test_code_tables(desk: Desk, otherwise: str, gender: str | None, emptied: int) -> None:
    desk.source("people", "no,sex\nC1,1\nC2,X\nC3, 2 \n")
    desk.mapping["codes"] = {"sexes": {"1": "male", "2": "female"}}
    desk.people(gender={"sql": "sex", "codes": "sexes", "otherwise": otherwise})
    result = desk.load()
    assert desk.rows("customers", "gender") == [("male",), (gender,), ("female",)]
    assert sum(result.record.tables["customers"].emptied.values()) == emptied


def test_texts_that_mean_no_value(desk: Desk) -> None:
    desk.source("people", 'no,region\nC1,N/A\nC2,\nC3,"  "\nC4,-\nC5,None\n', missing=["N/A", "-"])
    desk.people(region="region")
    assert desk.read("customers", "region") == [(None,), (None,), (None,), (None,), ("None",)]


def test_encodings(desk: Desk) -> None:
    desk.source("people", "no,region\nC1,上海\nC2,Plzeň\n".encode("gb18030"), encoding="gb18030")
    desk.people(region="region")
    assert desk.read("customers", "region") == [("上海",), ("Plzeň",)]


# --- rows ---------------------------------------------------------------------------------------------------------------


def test_wide_months_become_rows(desk: Desk) -> None:
    desk.source("wide", "no,bal1,paid1,bal2,paid2\nL1,100,0,90,10\nL2,50,,40,10\n")
    desk.mapping["sources"]["wide"]["unpivot"] = {
        "name": "month",
        "over": [1, 2],
        "values": {"balance": "bal{}", "paid": "paid{}"},
    }
    desk.mapping["tables"]["performance"] = {
        "from": "wide",
        "columns": {
            "loan_id": "no",
            "month_end": "last_day(DATE '2024-01-01' + to_months(month::INT))",
            "balance": "balance",
            "paid_amount": "paid",
        },
    }
    assert desk.read("performance", "loan_id", "month_end", "balance", "paid_amount") == [
        ("L1", date(2024, 2, 29), Decimal(100), Decimal(0)),
        ("L1", date(2024, 3, 31), Decimal(90), Decimal(10)),
        ("L2", date(2024, 2, 29), Decimal(50), None),
        ("L2", date(2024, 3, 31), Decimal(40), Decimal(10)),
    ]


def test_one_wide_value_and_a_month_that_is_missing(desk: Desk) -> None:
    desk.source("wide", "no,bal1,bal3\nL1,100,90\n")
    wide = desk.mapping["sources"]["wide"]
    wide["unpivot"] = {"name": "month", "over": [1, 2, 3], "values": {"balance": "bal{}"}}
    desk.mapping["tables"]["performance"] = {
        "from": "wide",
        "columns": {"loan_id": "no", "month_end": "last_day(make_date(2024, month::INT, 1))", "balance": "balance"},
    }
    with pytest.raises(ParameterError, match="unknown column 'bal2'"):
        desk.load()
    wide["unpivot"]["over"] = [1, 3]
    assert desk.read("performance", "month_end", "balance") == [
        (date(2024, 1, 31), Decimal(100)),
        (date(2024, 3, 31), Decimal(90)),
    ]


def test_joins_views_and_where(desk: Desk) -> None:
    desk.source("terms", "loan,months,sum\nL1,12,1000\n")
    desk.source("sums", "who,income\nC1,10\nC1,20\nC2,5\n")
    desk.mapping["views"] = {"incomes": "SELECT who, sum(income::DECIMAL(18, 2)) AS income FROM sums GROUP BY who"}
    desk.people(monthly_income="incomes.income", customer_id="people.no")
    desk.mapping["tables"]["customers"]["joins"] = {"incomes": "incomes.who = people.no"}
    desk.mapping["tables"]["loans"] = {
        "from": "credits",
        "joins": {"terms": "terms.loan = credits.no"},
        "where": "credits.opened < '2024-06-01'",
        "columns": {
            "loan_id": "no",
            "customer_id": "credits.who",
            "opened_on": "opened",
            "term_months": "months",
            "principal": "sum",
        },
    }
    desk.put("credits.csv", FILES["credits.csv"] + "L3,C2,2024-06-01\n")
    desk.load()
    assert desk.rows("customers", "monthly_income") == [(Decimal(30),), (Decimal(5),)]
    assert desk.rows("loans", "loan_id", "term_months", "principal") == [("L1", 12, Decimal(1000)), ("L2", None, None)]


def test_local_times_become_utc_across_the_change_of_the_clocks(desk: Desk) -> None:
    desk.source(
        "calls",
        "no,who,at\nE1,C1,2024-03-31 01:30:00\nE2,C1,2024-03-31 03:30:00\nE3,C1,2024-07-01\nE4,C1,2024-01-01T00:00:00+05:00\n"
        "E5,C1,2023-10-29 04:00:00\n",
    )
    desk.mapping["tables"]["events"] = {
        "from": "calls",
        "columns": {"event_id": "no", "customer_id": "who", "occurred_at": "at", "kind": "'contact'"},
    }
    assert dict(desk.read("events", "event_id", "occurred_at")) == {
        "E1": datetime(2024, 3, 31, 0, 30),  # winter: an hour before UTC
        "E2": datetime(2024, 3, 31, 1, 30),  # summer: two
        "E3": datetime(2024, 6, 30, 22, 0),  # a day is its first instant
        "E4": datetime(2023, 12, 31, 19, 0),  # the value's own zone counts
        "E5": datetime(2023, 10, 29, 3, 0),
    }
    desk.mapping["sources"]["calls"]["time_zone"] = "Asia/Shanghai"
    assert dict(desk.read("events", "event_id", "occurred_at"))["E1"] == datetime(2024, 3, 30, 17, 30)


def test_rows_in_another_currency_are_rejected(desk: Desk) -> None:
    desk.source(
        "paid", "no,loan,at,amount,ccy\nP1,L1,2024-02-01,10,CZK\nP2,L1,2024-03-01,10,EUR\nP3,L1,2024-03-02,10,\n"
    )
    desk.mapping["tables"]["payments"] = {
        "from": "paid",
        "currency": "ccy",
        "columns": {"payment_id": "no", "loan_id": "loan", "paid_at": "at", "amount": "amount", "kind": "'scheduled'"},
    }
    result = desk.load()
    assert desk.rows("payments", "payment_id") == [("P1",)]
    assert sum(result.record.tables["payments"].rejected.values()) == 2


def test_known_at_may_be_the_delivery(desk: Desk) -> None:
    desk.mapping["tables"]["customers"]["known_at"] = "delivered_at"
    assert set(desk.read("customers", "known_at")) == {(datetime(2024, 5, 1, 6),)}
    later = datetime(2024, 6, 1, 6, tzinfo=UTC)
    desk.source("people", "no\nC1\nC2\nC3\n")
    desk.load(append=True, at=later)
    assert desk.rows("customers", "customer_id", "known_at") == [
        ("C1", datetime(2024, 5, 1, 6)),
        ("C2", datetime(2024, 5, 1, 6)),
        ("C3", datetime(2024, 6, 1, 6)),
    ]


def test_several_files_with_columns_in_another_order_and_their_names(desk: Desk) -> None:
    desk.put("part-2024-01.csv", "no,region\nC1,North\n")
    desk.put("part-2024-02.csv", "region,no\nSouth,C2\n")
    desk.mapping["sources"]["people"] = {"files": "part-*.csv"}
    desk.people(region="region", segment="regexp_extract(_file, 'part-(.*).csv', 1)")
    assert desk.read("customers", "customer_id", "region", "segment") == [
        ("C1", "North", "2024-01"),
        ("C2", "South", "2024-02"),
    ]


def test_a_column_that_one_of_several_files_lacks_is_told(desk: Desk) -> None:
    desk.put("part-1.csv", "no,region\nC1,North\n")
    desk.put("part-2.csv", "no\nC2\n")
    desk.mapping["sources"]["people"] = {"files": "part-*.csv"}
    desk.people(region="region")
    result = desk.load()
    assert desk.rows("customers", "region") == [("North",), (None,)]
    assert any("part-2.csv: 1 columns that other files" in repair for repair in result.record.sources["people"].repairs)


def test_from_replaces_the_folder_of_the_mapping(desk: Desk) -> None:
    other = desk.workspace.root / "other"
    shutil.copytree(desk.folder, other, dirs_exist_ok=True)
    (other / "people.csv").write_text("no\nC7\n", "utf-8")
    desk.load(str(other))
    assert desk.rows("customers", "customer_id") == [("C7",)]


def test_roles_and_columns_without_history_are_kept_with_the_book(desk: Desk) -> None:
    desk.mapping["roles"] = {"customers": {"segment": "private"}}
    desk.mapping["current_only"] = {"customers": ["region", "officer_id"]}
    desk.mapping["severities"] = {
        "loans.close_reason_unstated": {"severity": "info", "reason": "the source never says why"}
    }
    facts = desk.load().manifest.facts
    assert facts.roles == {"customers": {"segment": "private"}}
    assert facts.current_only == {"customers": ["region", "officer_id"]}
    assert facts.lowered["loans.close_reason_unstated"].reason == "the source never says why"


def test_json_lines_and_parquet_keep_their_types(desk: Desk) -> None:
    desk.put("people.jsonl", '{"no": 1, "in": {"come": 12.345}}\n{"no": 2, "in": {"come": "7"}}\nnonsense\n')
    desk.mapping["sources"]["people"] = {"files": "people.jsonl"}
    desk.people(monthly_income='"in".come')
    loans = pa.table({"no": ["L1"], "who": [1.0], "opened": [date(2024, 1, 15)]})
    pq.write_table(loans, desk.folder / "credits.parquet")
    desk.mapping["sources"]["credits"] = {"files": "credits.parquet"}
    result = desk.load()
    assert desk.rows("customers", "customer_id", "monthly_income") == [("1", Decimal("12.35")), ("2", Decimal(7))]
    assert desk.rows("loans", "customer_id", "opened_on") == [("1", date(2024, 1, 15))]
    assert result.record.sources["people"].rejected_lines == {"is no JSON object": 1}


# --- values that could pass for others ----------------------------------------------------------------------------------


def test_thousands_signs_stand_before_groups_of_three_digits_or_the_number_is_unreadable(desk: Desk) -> None:
    texts = {
        "12.50": None, "1.2345": None, "1.234": "1234.00", "-1.234.567,8": "-1234567.80", "1234.567": None, "1234": "1234.00",
        "12,50": "12.50", "+999": "999.00", ".234": None, "1.234,": None, "0.123,4": "123.40", "1,234.5": None,
    }  # fmt: skip
    lines = "".join(f"{number};{text}\n" for number, text in enumerate(texts))
    desk.source("people", "no;income\n" + lines, delimiter=";", decimal=",", thousands=".")
    desk.people(monthly_income="income")
    found = dict(desk.read("customers", "customer_id", "monthly_income"))
    expected = {str(number): text and Decimal(text) for number, text in enumerate(texts.values())}
    assert found == expected
    desk.source("people", "no;income\n1;12,50\n2;12,500.5\n", delimiter=";", thousands=",")
    result = desk.load()
    assert desk.rows("customers", "monthly_income") == [(None,), (Decimal("12500.50"),)]
    assert result.record.tables["customers"].emptied == {"monthly_income: cannot be read as money": 1}


def test_a_date_with_an_offset_is_the_local_day(desk: Desk) -> None:
    desk.source(
        "credits",
        "no,who,opened\nL1,C1,2021-01-31T23:30:00Z\nL2,C1,2021-01-31T22:30:00Z\nL3,C1,2021-02-01 00:30:00+05:00\n"
        "L4,C1,2021-01-31 23:30:00\nL5,C1,2021-07-31T22:30:00Z\n",
    )
    assert desk.read("loans", "loan_id", "opened_on") == [
        ("L1", date(2021, 2, 1)),  # 00:30 in Prague, an hour ahead in winter
        ("L2", date(2021, 1, 31)),  # 23:30
        ("L3", date(2021, 1, 31)),  # 19:30 UTC of the day before
        ("L4", date(2021, 1, 31)),  # no offset: local already
        ("L5", date(2021, 8, 1)),  # two hours ahead in summer
    ]
    desk.mapping["sources"]["credits"]["time_zone"] = "America/New_York"
    assert desk.read("loans", "opened_on")[:2] == [(date(2021, 1, 31),), (date(2021, 1, 31),)]


def test_an_offset_in_one_row_leaves_the_next_alone(desk: Desk) -> None:
    desk.source(
        "calls",
        "no,at\nE1,2024-01-14\nE2,2024-01-15T12:00:00+0500\nE3,2024-01-16\nE4,2024-01-16T12:00:00Z\nE5,17.01.2024 12:00Z\n"
        "E6,2024-01-18T12:00:00\n",
        timestamps=["%Y-%m-%dT%H:%M:%S%z", "%d.%m.%Y %H:%MZ"],
        dates="%Y-%m-%d",
    )
    desk.mapping["tables"]["events"] = {
        "from": "calls",
        "columns": {"event_id": "no", "customer_id": "'C1'", "occurred_at": "at", "kind": "'contact'"},
    }
    result = desk.load()
    assert dict(desk.rows("events", "event_id", "occurred_at")) == {
        "E1": datetime(2024, 1, 13, 23, 0),  # the first instant of the day in Prague
        "E2": datetime(2024, 1, 15, 7, 0),
        "E3": datetime(2024, 1, 15, 23, 0),
        "E4": datetime(2024, 1, 16, 12, 0),  # Z is the offset nought
        "E5": datetime(2024, 1, 17, 12, 0),  # a Z in the format is UTC too
    }
    assert result.record.tables["events"].rejected_rows == 1  # E6 has no offset, and no format for that


# --- lines that are lost ------------------------------------------------------------------------------------------------


def _many(number: int, **changed: str) -> str:
    names = {f"C{place}": changed.get(f"C{place}", "Ann") for place in range(1, number + 1)}
    return "no,called\n" + "".join(f"{no},{name}\n" for no, name in names.items())


def test_two_stray_quotes_far_apart_stop_the_load(desk: Desk) -> None:
    desk.mapping["max_reject_share"] = 0.01
    desk.people(name="called")
    desk.source("people", _many(400, C100='"Joe', C150='Ann"'))  # one text of 51 lines: 50 lines have no row
    with pytest.raises(BookError, match=r"50 of 400 lines hold no record: within a text in quotes.* multiline: true"):
        desk.load()
    desk.mapping["sources"]["people"]["multiline"] = True
    result = desk.load()
    assert result.record.tables["customers"].rows_out == 350
    assert result.record.sources["people"].rejected_lines == {}


def test_a_few_texts_of_several_lines_load_and_are_told(desk: Desk) -> None:
    desk.mapping["max_reject_share"] = 0.01
    desk.people(name="called")
    desk.source("people", _many(400, C7='"Ann\nof Leeds"', C9='"Bob\n\nBuilder"'))
    result = desk.load()
    assert result.record.tables["customers"].rows_out == 400
    told = result.record.sources["people"]  # 403 lines, one of them blank
    assert told.rejected_lines == {"within a text in quotes that an earlier line began": 2}
    assert "1 blank lines hold no record" in told.repairs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1250"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blank_lines_are_no_loss(desk: Desk, encoding: str, newline: str) -> None:
    desk.mapping["max_reject_share"] = 0.0
    desk.people(name="called")
    text = _many(5, C3="Žofie").replace("C2", "\n\nC2") + "\n"
    desk.source("people", text.replace("\n", newline).encode(encoding), encoding=encoding)
    result = desk.load()
    assert result.record.tables["customers"].rows_out == 5
    assert result.record.sources["people"].rejected_lines == {}
    assert "3 blank lines hold no record" in result.record.sources["people"].repairs


def test_an_unpivoted_file_with_a_bad_line_is_accounted_for(desk: Desk) -> None:
    desk.source("wide", "no,bal1,bal2\nL1,100,90\nbad\n")
    desk.mapping["sources"]["wide"]["unpivot"] = {"name": "month", "over": [1, 2], "values": {"balance": "bal{}"}}
    desk.mapping["tables"]["performance"] = {
        "from": "wide",
        "columns": {"loan_id": "no", "month_end": "last_day(make_date(2024, month::INT, 1))", "balance": "balance"},
    }
    told = desk.load().record.sources["wide"]
    assert (told.lines, sum(told.rejected_lines.values())) == (2, 1)
    desk.mapping["max_reject_share"] = 0.4
    with pytest.raises(BookError, match="source wide: 1 of 2 lines hold no record"):
        desk.load()


def test_one_file_of_many_that_holds_nothing_stops_the_load(desk: Desk) -> None:
    desk.mapping["max_reject_share"] = 0.01
    desk.put("people-1.csv", _many(1000))
    desk.put("people-2.csv", "no,called\nx\ny\nz\n")
    desk.mapping["sources"]["people"] = {"files": "people-*.csv"}
    with pytest.raises(BookError, match=r"3 of 4 lines of people-2.csv hold no record"):
        desk.load()


# --- deliveries ---------------------------------------------------------------------------------------------------------


def test_a_file_under_another_name_is_another_delivery(desk: Desk) -> None:
    desk.put("people_2024-01-31.csv", "no\nC1\n")
    desk.mapping["sources"]["people"] = {"files": "people_*.csv"}
    day = "strptime(regexp_extract(_file, 'people_(.*)[.]csv', 1), '%Y-%m-%d')"
    desk.mapping["tables"]["customers"]["known_at"] = day
    desk.load()
    assert desk.load().record.status == "unchanged"
    assert desk.rows("customers", "known_at") == [(datetime(2024, 1, 30, 23),)]
    (desk.folder / "people_2024-01-31.csv").rename(desk.folder / "people_2023-01-31.csv")
    assert desk.load().record.status == "done"
    assert desk.rows("customers", "known_at") == [(datetime(2023, 1, 30, 23),)]
    shutil.copytree(desk.folder, desk.workspace.root / "elsewhere", dirs_exist_ok=True)
    assert desk.load("elsewhere").record.status == "unchanged"  # the folder's own name says nothing


@pytest.mark.parametrize("known_at", [None, "opened_on", "opened"])
def test_a_row_without_its_date_has_one_reason(desk: Desk, known_at: str | None) -> None:
    desk.put("credits.csv", FILES["credits.csv"] + "L3,C1,\n")
    desk.mapping["tables"]["loans"] = {**LOANS, **({"known_at": known_at} if known_at else {})}
    load = desk.load().record.tables["loans"]
    assert (load.rejected_rows, load.rejected) == (1, {"opened_on is missing": 1})


def test_a_source_s_own_column_may_be_called_delivered_at(desk: Desk) -> None:
    desk.source("people", "no,delivered_at\nC1,2023-07-01\nC2,2023-07-02\n")
    desk.mapping["tables"]["customers"]["known_at"] = "delivered_at"
    desk.load()
    assert desk.rows("customers", "known_at") == [(datetime(2023, 6, 30, 22),), (datetime(2023, 7, 1, 22),)]


def test_a_filter_and_a_join_may_name_the_delivery(desk: Desk) -> None:
    desk.mapping["tables"]["loans"]["where"] = "opened::DATE < delivered_at - INTERVAL 90 DAY"  # before 1 February
    desk.source("regions", "who,region,until\nC1,North,2024-04-30\nC1,South,2024-05-31\n")
    desk.people(customer_id="people.no", region="region")
    desk.mapping["tables"]["customers"]["joins"] = {"regions": "who = people.no AND until::DATE > delivered_at"}
    desk.load()
    assert desk.rows("loans", "loan_id") == [("L1",)]
    assert desk.rows("customers", "customer_id", "region") == [("C1", "South"), ("C2", None)]


@pytest.mark.parametrize("folder", ["{folder}", "{}", "x{real_dat}"])
def test_the_folder_of_a_delivery_knows_one_word(desk: Desk, folder: str) -> None:
    desk.mapping["from"] = folder
    with pytest.raises(ParameterError, match=r"unknown word \{\w*\}; expected \{real_data\} alone"):
        desk.load()


# --- how a source writes ------------------------------------------------------------------------------------------------


def test_expressions_read_numbers_days_and_moments_as_the_source_writes_them(desk: Desk) -> None:
    desk.source(
        "people",
        "no;salary;born;seen\nC1;18.000,60;1.2.1980;1.2.2024 00:30\nC2;much;2.2.1980;2.2.2024 00:30\nC3;;;3.2.2024 00:30\n",
        delimiter=";",
        decimal=",",
        thousands=".",
        dates="%d.%m.%Y",
        timestamps="%d.%m.%Y %H:%M",
    )
    desk.people(monthly_income="number(salary) / 12", birth_date="local_day(born) + 1")
    desk.mapping["tables"]["customers"]["known_at"] = "moment(seen) + INTERVAL 1 HOUR"
    desk.mapping["tables"]["customers"]["where"] = "local_day(seen) > DATE '2024-01-31'"
    result = desk.load()
    assert desk.rows("customers", "customer_id", "monthly_income", "birth_date", "known_at") == [
        ("C1", Decimal("1500.05"), date(1980, 2, 2), datetime(2024, 2, 1, 0, 30)),
        ("C2", None, date(1980, 2, 3), datetime(2024, 2, 2, 0, 30)),
        ("C3", None, None, datetime(2024, 2, 3, 0, 30)),
    ]
    assert result.record.tables["customers"].emptied == {"monthly_income: cannot be read as money": 1}


def test_number_takes_numbers_and_json_too(desk: Desk) -> None:
    desk.put("people.jsonl", '{"no": 1, "pay": 12.5}\n{"no": 2, "pay": "24"}\n{"no": 3, "pay": null}\n')
    desk.mapping["sources"]["people"] = {"files": "people.jsonl"}
    desk.people(monthly_income="number(pay) * number(no)")
    assert desk.read("customers", "monthly_income") == [(Decimal("12.50"),), (Decimal("48.00"),), (None,)]


def test_arithmetic_on_a_text_names_the_word_that_reads_it(desk: Desk) -> None:
    desk.people(monthly_income="no / 12")
    with pytest.raises(ParameterError, match=r"no / 12: No function matches.* number\(column\)"):
        desk.load()


def test_a_join_with_a_source_that_writes_otherwise_is_refused_where_it_matters(desk: Desk) -> None:
    desk.source("credits", "no,who,opened\nL1,C1,01.31.2024\nL2,C2,02.20.2024\n", dates="%m.%d.%Y")
    desk.source("ends", "loan;ended;sum\nL1;03.04.2024;1,5\n", delimiter=";", dates="%d.%m.%Y", decimal=",")
    loans = {**LOANS, "joins": {"ends": "ends.loan = credits.no"}, "known_at": "opened_on"}
    desk.mapping["tables"]["loans"] = loans
    assert len(desk.read("loans", "loan_id")) == 2  # no value of it is used
    loans["columns"] = {**LOANS["columns"], "closed_on": "ended"}  # type: ignore[dict-item]
    with pytest.raises(
        ParameterError, match=r"loans.closed_on: .*: dates %d.%m.%Y, not %m.%d.%Y.* Make a view of ends"
    ):
        desk.load()
    loans["columns"] = {**LOANS["columns"], "principal": "number(sum) * 2"}  # type: ignore[dict-item]
    with pytest.raises(ParameterError, match=r"loans.principal: .*decimal ,, not \."):
        desk.load()
    desk.mapping["views"] = {"typed": "SELECT loan, local_day(ended) AS ended, number(sum) AS sum FROM ends"}
    loans["joins"] = {"typed": "typed.loan = credits.no"}
    loans["columns"] = {**LOANS["columns"], "closed_on": "typed.ended", "principal": "sum * 2"}  # type: ignore[dict-item]
    found = desk.read("loans", "opened_on", "closed_on", "principal")
    assert found[0] == (date(2024, 1, 31), date(2024, 4, 3), Decimal(3))


def test_the_time_zone_of_a_joined_source_counts_too(desk: Desk) -> None:
    desk.source("calls", "no,at\nE1,2024-01-15 12:00:00\n", time_zone="Asia/Tokyo")
    desk.source("notes", "call,written\nE1,2024-01-15 12:00:00\n")
    desk.mapping["tables"]["events"] = {
        "from": "calls",
        "joins": {"notes": "notes.call = calls.no"},
        "columns": {"event_id": "no", "customer_id": "'C1'", "occurred_at": "written", "kind": "'contact'"},
    }
    with pytest.raises(ParameterError, match=r"occurred_at: .*time_zone Europe/Prague, not Asia/Tokyo"):
        desk.load()
    desk.mapping["tables"]["events"]["columns"]["occurred_at"] = "at"
    assert desk.read("events", "occurred_at") == [(datetime(2024, 1, 15, 3),)]


def test_a_view_has_the_time_zone_of_its_sources(desk: Desk) -> None:
    desk.source("calls", "no,told\nE1,2024-01-15 12:00:00\n", time_zone="Asia/Tokyo")
    desk.source("texts", "no,told\nE2,2024-01-15 12:00:00\n")
    desk.mapping["views"] = {"first": "SELECT * FROM calls", "seen": "SELECT no, told FROM first"}
    desk.mapping["tables"]["events"] = {
        "from": "seen",
        "columns": {"event_id": "no", "customer_id": "'C1'", "occurred_at": "told", "kind": "'contact'"},
    }
    assert desk.read("events", "occurred_at") == [(datetime(2024, 1, 15, 3),)]  # Tokyo is nine hours ahead
    desk.mapping["views"]["seen"] = "SELECT no, told FROM first UNION ALL SELECT no, told FROM texts"
    with pytest.raises(ParameterError, match="view seen have the time zones Asia/Tokyo, Europe/Prague"):
        desk.load()
    moments = "SELECT no, told::TIMESTAMP AT TIME ZONE '{}' AS told FROM {}"
    zones = {"calls": "Asia/Tokyo", "texts": "Europe/Prague"}
    desk.mapping["views"]["seen"] = " UNION ALL ".join(moments.format(zone, name) for name, zone in zones.items())
    assert sorted(desk.read("events", "occurred_at")) == [(datetime(2024, 1, 15, 3),), (datetime(2024, 1, 15, 11),)]


def test_a_view_of_sources_that_write_differently_cannot_read_texts(desk: Desk) -> None:
    desk.source("ends", "loan;sum\nL1;1,5\n", delimiter=";", decimal=",")
    desk.mapping["views"] = {"both": "SELECT number(sum) AS sum FROM ends JOIN credits ON loan = no"}
    with pytest.raises(ParameterError, match="both: the sources credits, ends of view both write numbers or dates"):
        desk.load()


def test_the_mapping_of_the_documentation_loads_as_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's place is taken by SQLite, which the same `url` may name."""
    page = (Path(__file__).parents[2] / "docs" / "books" / "mapping.md").read_text("utf-8")
    desk.mapping = yaml.safe_load(textwrap.dedent(page.split("```yaml\n")[1].split("   ```")[0]))
    root = desk.workspace.root
    (root / "deliveries").mkdir(exist_ok=True)
    (root / "deliveries" / "customers-1.csv").write_text(
        "customer_no;born;salary;first_name;last_name;customer_since\n"
        "17;01.02.1980;30000,60;Zoë;Müller;15.01.2020\n18;31.12.1990;;Bo;Ek;16.01.2020\n",
        "cp1252",
    )
    paid = {
        "id": ["P1"],
        "contract": ["L1"],
        "value_date": [date(2021, 7, 1)],
        "amount": [Decimal("10.50")],
        "type": ["X"],
    }
    pq.write_table(pa.table(paid), root / "deliveries" / "payments.parquet")
    with closing(sqlite3.connect(root / "core.db")) as core, core:
        core.execute(
            "CREATE TABLE contracts (id TEXT, customer TEXT, opened DATE, amount NUMERIC(12, 2), card_limit NUMERIC(12, 2), "
            "status TEXT, entered_at TIMESTAMP)"
        )
        core.executemany(
            "INSERT INTO contracts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                ("L1", "17", "2021-01-31", 1000.25, None, "OPEN", "2021-01-31 12:00:00"),
                ("L2", "18", "2021-02-28", 500, 50, "OFFER", "2021-02-28 12:00:00"),
            ],
        )
    monkeypatch.setenv("CORE_URL", "sqlite://core.db")
    desk.load()
    assert desk.rows("customers", "customer_id", "name", "birth_date", "monthly_income", "known_at") == [
        ("17", "Zoë Müller", date(1980, 2, 1), Decimal("2500.05"), datetime(2020, 1, 14, 23)),
        ("18", "Bo Ek", date(1990, 12, 31), None, datetime(2020, 1, 15, 23)),
    ]
    assert desk.rows("loans", "loan_id", "principal", "known_at") == [
        ("L1", Decimal("1000.25"), datetime(2021, 1, 31, 11))
    ]
    assert desk.rows("payments", "amount", "kind", "paid_at") == [
        (Decimal("10.50"), "reversal", datetime(2021, 6, 30, 22))
    ]
