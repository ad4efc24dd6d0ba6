"""Every registered indicator against its plain reference, on books with every gap that a customer may have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.core.errors import InputError, ParameterError
from workbench.indicators.panel import build_panel
from workbench.indicators.registry import REGISTRY, At, indicator, select
from workbench.indicators.stored import load_panel, panel_path, write_panel

from .comparison import compare
from .edge import DAYS, LEAP_DAY, edge_tables
from .plain import REFERENCES
from .random_book import FIRST_DAY, LAST_DAY, random_book

MakeBook = Callable[..., Book]


@pytest.fixture(scope="module")
def edge_book(make_book: MakeBook) -> Book:
    return make_book(edge_tables(), **DAYS)


def test_every_indicator_has_a_reference() -> None:
    assert set(REFERENCES) == {found.name for found in select()}


@pytest.mark.parametrize("as_of", [LEAP_DAY, date(2024, 1, 31), date(2023, 3, 1), date(2024, 2, 12)])
def test_the_hand_made_book_equals_the_references(as_of: date, edge_book: Book) -> None:
    frame = compare(edge_book, as_of)
    if as_of == LEAP_DAY:
        assert frame.index.tolist() == ["C1", "C2", "C3", "C4", "C5", "C7", "C8"]
        silent = frame.columns[frame.isna().all() | frame.eq(0).all()].tolist()
        assert " ".join(silent) == ""  # each indicator says something of somebody
        nothing = frame.loc["C2", ["salary_3m", "sudden_large_debit", "lowest_balance_30d", "logins_to_usual"]]
        assert nothing.isna().all()
        counts = [
            "unusual_debits_30d",
            "overdraft_days_90d",
            "contact_changes_90d",
            "failed_logins_30d",
            "care_requests_180d",
        ]
        assert (frame.loc["C2", counts] == 0).all()


@pytest.mark.parametrize("as_of", [LEAP_DAY, date(2025, 9, 15)])
def test_the_simulated_book_equals_the_references(as_of: date, small_book: Book) -> None:
    assert len(compare(small_book, as_of)) > 100


@pytest.mark.parametrize(
    ("seed", "zone", "as_of"),
    [
        (1, "America/New_York", LEAP_DAY),
        (4, "Europe/Berlin", date(2024, 3, 31)),
    ],
)  # bench/random_books.py: many more
def test_random_books_equal_the_references(seed: int, zone: str, as_of: date, make_book: MakeBook) -> None:
    book = make_book(
        random_book(loans=120, seed=seed, zone=zone), time_zone=zone, first_day=FIRST_DAY, last_day=LAST_DAY
    )
    frame = compare(book, as_of)
    assert len(frame) > 40
    assert (frame["declared_income"] < 0).any()
    assert frame["days_since_transaction"].isna().any()
    assert [name for name in frame if frame[name].isna().all()] == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai"])
def test_days_are_those_of_the_book(zone: str, make_book: MakeBook) -> None:
    book = make_book(edge_tables(), **DAYS, time_zone=zone)
    frame = compare(book, LEAP_DAY)
    assert frame["days_since_salary"].min() >= 0


def test_some_values_by_hand(edge_book: Book) -> None:
    frame = build_panel(edge_book, as_of=LEAP_DAY).frame.set_index("customer_id")
    # C1: L1 asks 300, the card's last due is 50; income 3,000; both stand at 100 x 3
    assert frame.loc["C1", ["debt_service", "debt_to_income", "exposure"]].tolist() == [350, 350 / 3000, 600]
    assert frame.loc["C1", "loan_to_value"] == 300 / 15_000
    assert frame.loc["C1", "utilisation_now"] == 0.3
    # balances 300, 400, 1,000.01, 600, 700 and 800 over limits of 1,000 four times and 2,000 twice
    assert frame.loc["C1", ["utilisation_6m", "over_limit_months_6m"]].tolist() == [3800.01 / 8000, 1]
    assert frame.loc["C1", ["other_debt", "other_debt_to_income", "bureau_worst_status"]].tolist() == [4500, 1.5, "ok"]
    # the dues of July and August 2023 were paid on 20 September; those of October and November were not
    assert frame.loc["C2", ["cures_12m", "relapses_12m", "restructurings_24m"]].tolist() == [1, 1, 1]
    assert frame.loc["C1", ["prepaid_6m", "prepaid_share_6m"]].tolist() == [500, 500 / 1100]
    # of four mature loans of others L9 went bad: 1/4 everywhere, counted as 20 loans beside 1, 2 and 3 of the groups
    rates = frame.loc["C1", ["vintage_default_rate", "segment_default_rate", "branch_default_rate"]].tolist()
    assert rates == pytest.approx([(0 + 5) / 21, (0 + 5) / 22, (1 + 5) / 23])
    assert frame.loc["C1", "application_score"] == 650
    assert frame.loc["C7", "historical_default_rate"] == 1  # the one mature loan was written off
    assert frame.loc["C1", "loans_opened_12m"] == 1  # 1 March 2023; 28 February 2023 is a year and more ago
    assert frame.loc["C3", "months_on_book"] == 789 / 30.4375
    assert frame.loc["C3", ["dpd_now", "months_since_late", "worst_dpd_12m"]].tolist() == [0, 12, 0]


# --- books that lack something ------------------------------------------------------------------------------------------


def test_what_a_book_lacks_is_left_out_and_named(make_book: MakeBook) -> None:
    tables = edge_tables()
    bare = {name: tables[name] for name in ("customers", "loans", "instalments", "payments", "performance")}
    whole = make_book(tables, **DAYS)
    book = make_book(bare, **DAYS)
    panel, full = build_panel(book, as_of=LEAP_DAY), build_panel(whole, as_of=LEAP_DAY)
    assert full.left_out == {}
    assert set(panel.left_out) == set(full.frame.columns) - set(panel.frame.columns)
    assert panel.left_out["debt_to_salary"] == ["transactions"]
    assert panel.left_out["failed_logins_30d"] == ["events"]
    assert panel.left_out["application_score"] == ["applications"]
    pd.testing.assert_frame_equal(panel.frame, full.frame[panel.frame.columns])


def test_a_book_that_does_not_say_how_loans_are_paid_gives_the_rest(make_book: MakeBook) -> None:
    tables = edge_tables()
    del tables["instalments"], tables["payments"], tables["performance"]
    panel = build_panel(make_book(tables, **DAYS), as_of=LEAP_DAY)
    assert panel.left_out["dpd_now"] == ["instalments", "payments"]
    assert panel.left_out["debt_to_income"] == ["instalments", "payments"]
    frame = panel.frame.set_index("customer_id")
    assert frame.index.tolist() == ["C1", "C2", "C3", "C4", "C5", "C7", "C8"]  # those with an open loan
    assert frame.loc["C1", ["declared_income", "application_score"]].tolist() == [3000, 650]
    assert not set(panel.left_out) & set(frame.columns)


def test_a_part_of_the_panel_equals_the_whole(edge_book: Book) -> None:
    whole = build_panel(edge_book, as_of=LEAP_DAY).frame
    names = ["utilisation_rise", "dpd_now"]
    part = build_panel(edge_book, as_of=LEAP_DAY, only=names).frame
    assert sorted(part.columns) == sorted(["customer_id", "as_of", *names])
    pd.testing.assert_frame_equal(part, whole[part.columns])


def test_customers_taken_in_parts_give_the_same_panel(small_book: Book) -> None:
    whole = build_panel(small_book, as_of=LEAP_DAY, parts=1).frame
    told = []
    parts = build_panel(small_book, as_of=LEAP_DAY, parts=3, told=lambda done, steps: told.append((done, steps))).frame
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)
    assert [done for done, _steps in told] == list(range(1, told[-1][1] + 1))
    sizes = [small_book.part(number, 3).as_known("customers", as_of=LEAP_DAY).count().execute() for number in range(3)]
    assert min(sizes) > 50
    assert sum(sizes) == small_book.as_known("customers", as_of=LEAP_DAY).count().execute()


def test_a_row_that_a_later_version_gives_to_another_customer_counts_for_that_one(make_book: MakeBook) -> None:
    tables = edge_tables()
    moved = tables["transactions"].assign(known_at=pd.Timestamp(2024, 1, 1))
    later = moved[moved["customer_id"] == "C1"].assign(customer_id="C2", known_at=pd.Timestamp(2024, 2, 1))
    book = make_book(tables | {"transactions": pd.concat([moved, later])}, **DAYS)
    names = ["days_since_transaction", "dpd_now"]
    panels = [build_panel(book, as_of=LEAP_DAY, only=names, parts=parts).frame for parts in (1, 2, 5)]
    assert panels[0].set_index("customer_id").loc[["C1", "C2"], "days_since_transaction"].isna().tolist() == [
        True,
        False,
    ]
    for panel in panels[1:]:
        pd.testing.assert_frame_equal(panel, panels[0], check_exact=True)


def test_an_unknown_indicator_is_answered_with_the_nearest(edge_book: Book) -> None:
    with pytest.raises(ParameterError, match=r"unknown indicator 'dpd_nwo'\. Did you mean 'dpd_now'\?"):
        build_panel(edge_book, as_of=LEAP_DAY, only=["dpd_nwo"])


# --- the registry and the stored panel ----------------------------------------------------------------------------------


def test_indicators_say_what_they_mean() -> None:
    for found in select():
        assert found.meaning.endswith("."), found.name
        assert set(found.label) == set(found.reason) == {"en", "zh"}
        for text in found.reason.values():
            assert text.format(value=1.5) != text or "{value" not in text, found.name
        assert found.role in ("feature", "protected", "proxy", "care")
    assert REGISTRY["age_years"].role == "protected"
    assert REGISTRY["care_requests_180d"].role == "care"


def test_a_name_twice_and_a_missing_docstring_are_refused() -> None:
    words = {"label": ("a", "b"), "reason": ("a", "b")}
    register = indicator(family="payment", base="loans_now", unit="days", direction=None, **words)

    def dpd_now(t: object, at: At) -> object:
        """Say anything."""

    def silent(t: object, at: At) -> object: ...

    with pytest.raises(InputError, match="'dpd_now' is registered twice"):
        register(dpd_now)
    with pytest.raises(InputError, match="'silent' has no docstring"):
        register(silent)
    assert "silent" not in REGISTRY


def test_a_failing_indicator_is_named(edge_book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    def broken(t: object, at: At) -> object:
        return t.kind.cast("float64").max()  # type: ignore[attr-defined]

    select()
    monkeypatch.setitem(REGISTRY, "failed_logins_30d", replace(REGISTRY["failed_logins_30d"], expression=broken))
    with pytest.raises(InputError, match="indicator 'failed_logins_30d' failed on duckdb"):
        build_panel(edge_book, as_of=LEAP_DAY)


def test_a_stored_panel_is_used_for_the_same_book_definitions_and_code(make_book: MakeBook) -> None:
    facts = {**DAYS, "name": "kept-panel"}
    tables = edge_tables()
    book = make_book(tables, **facts)
    first = load_panel(book, as_of=LEAP_DAY)
    path = panel_path(book, LEAP_DAY)
    written = path.stat().st_mtime_ns
    pd.testing.assert_frame_equal(load_panel(book, as_of=LEAP_DAY).frame, first.frame)
    assert path.stat().st_mtime_ns == written

    tables["customers"]["monthly_income"] = 1.0
    changed = make_book(tables, **facts)
    assert (load_panel(changed, as_of=LEAP_DAY).frame["declared_income"].dropna() == 1).all()
    assert not path.exists()  # that of the older generation

    strict = book.definitions.model_copy(
        update={"dpd": book.definitions.dpd.model_copy(update={"threshold_absolute": 0.0})}
    )
    assert panel_path(Book(book.folder, book.manifest, book.workspace, strict), LEAP_DAY) != path


def test_absurd_values_are_kept_and_counted(make_book: MakeBook, tmp_path: Path) -> None:
    tables = edge_tables()
    people, scores, months = tables["customers"], tables["applications"], tables["performance"]
    people.loc[people["customer_id"] == "C1", "monthly_income"] = -3000.0
    scores.loc[scores["application_id"] == "A2", "score"] = math.inf
    months.loc[months["loan_id"] == "L1", "balance"] = -9e14
    book = make_book(tables, **DAYS)
    panel = build_panel(book, as_of=LEAP_DAY)
    write_panel(book, panel, tmp_path / "panel.parquet", as_of=LEAP_DAY)
    frame = pd.read_parquet(tmp_path / "panel.parquet").set_index("customer_id")
    assert frame.loc["C1", ["declared_income", "application_score", "exposure"]].tolist() == [
        -3000,
        math.inf,
        300 - 9e14,
    ]
    written = json.loads((tmp_path / "panel.json").read_text("utf-8"))["oddities"]
    assert written["declared_income"] == {"below": 1}
    assert written["application_score"] == {"infinite": 1}
    assert written["exposure"] == {"below": 1}
    clean = build_panel(make_book(edge_tables(), **DAYS), as_of=LEAP_DAY).oddities
    assert not {"declared_income", "application_score", "exposure"} & set(clean)
