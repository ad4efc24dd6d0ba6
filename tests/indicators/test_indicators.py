"""Every registered indicator against its plain reference, on books with every gap that a customer may have."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.core.errors import InputError, ParameterError
from workbench.indicators.panel import build_panel, load_panel, panel_path
from workbench.indicators.registry import REGISTRY, At, indicator, select

from .plain import REFERENCES, customers

LEAP_DAY = date(2024, 2, 29)
MakeBook = Callable[..., Book]


def edge_tables() -> dict[str, pd.DataFrame]:
    """Return a hand-made book with one customer for each gap.

    C1 two loans (one secured, one card whose limit changed) and everything else; C2 no transactions and no events; C3 a
    loan closed a month ago and a card unused; C4 a card only, income 0; C5 income missing, transactions long ago or in the
    last days only; C6 nothing but a closed loan (not active); C7 written off a loan, another open; C8 not in customers.
    """
    people = pd.DataFrame(
        [
            ("C1", 3000.0, date(1980, 2, 29), date(2015, 2, 28)),
            ("C2", 2500.0, date(1990, 1, 1), date(2023, 1, 1)),
            ("C3", 2000.0, None, None),
            ("C4", 0.0, date(1970, 6, 1), date(2000, 1, 1)),
            ("C5", None, date(1999, 12, 31), date(2024, 2, 29)),
            ("C6", 1000.0, date(1960, 1, 1), date(1999, 1, 1)),
            ("C7", 1800.0, date(1985, 5, 5), date(2010, 5, 5)),
        ],
        columns=["customer_id", "monthly_income", "birth_date", "relationship_since"],
    )
    loan_columns = [
        "loan_id",
        "customer_id",
        "opened_on",
        "principal",
        "credit_limit",
        "instalment_amount",
        "collateral_value",
    ]
    loans = pd.DataFrame(
        [
            ("L1", "C1", date(2023, 2, 28), 12_000.0, None, 300.0, 15_000.0),
            ("L2", "C1", date(2023, 3, 1), None, 1_000.0, None, None),
            ("L3", "C2", date(2023, 2, 1), 5_000.0, None, 200.0, None),
            ("L4", "C3", date(2022, 1, 1), 5_000.0, None, 200.0, 0.0),
            ("L5", "C3", date(2024, 2, 29), None, 800.0, None, None),
            ("L6", "C4", date(2023, 6, 1), None, 2_000.0, None, None),
            ("L7", "C5", date(2024, 1, 5), 900.0, None, 90.0, None),
            ("L8", "C6", date(2022, 1, 1), 900.0, None, 90.0, None),
            ("L9", "C7", date(2022, 12, 1), 4_000.0, None, 100.0, None),
            ("LA", "C7", date(2023, 12, 1), 1_000.0, None, 50.0, None),
            ("LB", "C8", date(2023, 9, 1), 1_000.0, None, 50.0, None),
        ],
        columns=loan_columns,
    )
    loans["closed_on"] = loans["loan_id"].map({"L4": date(2024, 1, 20), "L8": date(2023, 5, 5), "L9": date(2023, 9, 9)})
    loans["written_off_on"] = loans["loan_id"].map({"L9": date(2023, 9, 9)})
    dues, months, payments = [], [], []
    for loan in loans.itertuples():
        asks = (
            300.0
            if loan.loan_id == "L1"
            else loan.credit_limit * 0.05
            if loan.principal != loan.principal
            else loan.instalment_amount
        )
        start = loan.opened_on
        for number in range(1, 27):
            year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
            due_on = date(year, month + 1, 12)
            if due_on > date(2024, 6, 30):
                break
            dues.append((loan.loan_id, number, start, due_on, asks))
            skipped = {"L1": (8, 9), "L2": (5,), "L9": tuple(range(3, 30)), "LB": (2, 3, 4, 5, 6), "L3": (13,)}
            if number not in skipped.get(loan.loan_id, ()):
                payments.append((f"P{loan.loan_id}-{number:02d}", loan.loan_id, datetime(year, month + 1, 12, 9), asks))
    for loan in loans.itertuples():
        for ago, end in enumerate(pd.date_range("2023-01-31", LEAP_DAY, freq="ME")[::-1]):
            if end.date() < loan.opened_on or (
                loan.closed_on == loan.closed_on and loan.closed_on and end.date() > loan.closed_on
            ):
                continue
            limit = None if math.isnan(loan.credit_limit) else loan.credit_limit * (2 if ago > 3 else 1)
            balance = None if loan.loan_id == "LB" and ago == 0 else 0.0 if loan.loan_id == "L5" else 100.0 * (ago + 3)
            due = None if loan.loan_id == "L6" and ago == 1 else 50.0 + ago
            months.append((loan.loan_id, end.date(), balance, limit, due, due and due * (0.5 if ago == 1 else 1.0)))
    due_columns = ["loan_id", "instalment_no", "effective_from", "due_on", "due_amount"]
    month_columns = ["loan_id", "month_end", "balance", "credit_limit", "due_amount", "paid_amount"]
    return {
        "customers": people,
        "loans": loans.assign(product="x", close_reason=loans["closed_on"].map(lambda day: "repaid" if day else None)),
        "instalments": pd.DataFrame(dues, columns=due_columns).assign(schedule_version=1),
        "payments": pd.DataFrame(payments, columns=["payment_id", "loan_id", "paid_at", "amount"]).assign(kind="scheduled"),
        "performance": pd.DataFrame(months, columns=month_columns),
        "transactions": edge_transactions(),
        "events": edge_events(),
        "applications": pd.DataFrame(
            {
                "application_id": ["A1", "A2", "A3", "A4", "A5"],
                "customer_id": ["C1", "C1", "C1", "C2", "C4"],
                "applied_at": pd.to_datetime(["2023-01-01", "2023-02-01", "2024-01-01", "2023-01-15", "2023-05-01"]),
                "decision": ["accepted", "accepted", "rejected", "rejected", "accepted"],
                "decided_at": pd.to_datetime(["2023-01-02", "2023-02-02", "2024-01-02", "2023-01-16", "2023-05-02"]),
                "score": [700.0, 650.0, 500.0, 480.0, None],
            }
        ),
    }  # fmt: skip


def edge_transactions() -> pd.DataFrame:
    rows = []
    for customer, days in (
        ("C1", range(0, 200, 3)),
        ("C4", (0, 1, 5)),
        ("C5", (179, 150)),
        ("C3", (29, 30, 59, 60, 89, 90, 180)),
    ):
        for number, ago in enumerate(days):
            moment = datetime.combine(LEAP_DAY - timedelta(days=ago), datetime.min.time()) + timedelta(
                hours=(7 * ago + 2) % 24
            )
            salary = ago % 30 == 0
            amount = 1500.0 + ago if salary else -(10.0 + (ago * 37) % 101) * (9 if ago == 3 else 1)
            channel = "atm" if number % 5 == 1 else "card"
            category = "salary" if salary else ["gambling", "food", "other_lender", "rent"][number % 4]
            rows.append((customer, moment, amount, channel, category, 400.0 - 7 * ago if ago % 4 else -20.0))
    columns = ["customer_id", "booked_at", "amount", "channel", "category", "balance_after"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(transaction_id=[f"T{n:04d}" for n in range(len(table))], account_id=table["customer_id"])


def edge_events() -> pd.DataFrame:
    kinds = [
        "login",
        "login_failed",
        "phone_changed",
        "complaint",
        "login",
        "device_changed",
        "limit_requested",
        "contact",
    ]
    rows = [("C1", LEAP_DAY - timedelta(days=ago), kinds[ago % len(kinds)]) for ago in range(185)]
    rows += [("C4", LEAP_DAY, "login"), ("C7", LEAP_DAY - timedelta(days=90), "address_changed")]
    table = pd.DataFrame(rows, columns=["customer_id", "day", "kind"])
    moments = pd.to_datetime(table["day"]) + pd.Timedelta(hours=23)
    return table.assign(event_id=[f"V{n:04d}" for n in range(len(table))], occurred_at=moments)


@pytest.fixture(scope="module")
def edge_book(make_book: MakeBook) -> Book:
    return make_book(edge_tables(), first_day=date(2022, 1, 1), last_day=date(2024, 6, 30))


def compare(book: Book, as_of: date) -> pd.DataFrame:
    """Return the panel after each of its cells has been compared with the reference."""
    panel, expected = build_panel(book, as_of=as_of), customers(book, as_of)
    frame = panel.frame.set_index("customer_id")
    assert sorted(expected) == frame.index.tolist()
    wrong = []
    for name in frame.columns.drop("as_of"):
        for customer_id, customer in expected.items():
            found, wanted = frame.at[customer_id, name], REFERENCES[name](customer)
            if wanted is None or pd.isna(found):
                same = wanted is None and pd.isna(found)
            else:
                same = math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
            if not same:
                wrong.append((name, customer_id, found, wanted))
    assert not wrong
    return frame


def test_every_indicator_has_a_reference() -> None:
    assert set(REFERENCES) == {found.name for found in select()}


@pytest.mark.parametrize("as_of", [LEAP_DAY, date(2024, 1, 31), date(2023, 3, 1), date(2024, 2, 12)])
def test_the_hand_made_book_equals_the_references(as_of: date, edge_book: Book) -> None:
    frame = compare(edge_book, as_of)
    if as_of == LEAP_DAY:
        assert frame.index.tolist() == ["C1", "C2", "C3", "C4", "C5", "C7", "C8"]
        assert frame.drop(columns="as_of").notna().any().all()  # each indicator says something of somebody
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


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai"])
def test_days_are_those_of_the_book(zone: str, make_book: MakeBook) -> None:
    book = make_book(edge_tables(), first_day=date(2022, 1, 1), last_day=date(2024, 6, 30), time_zone=zone)
    frame = compare(book, LEAP_DAY)
    assert frame["days_since_salary"].min() >= 0


def test_some_values_by_hand(edge_book: Book) -> None:
    frame = build_panel(edge_book, as_of=LEAP_DAY).frame.set_index("customer_id")
    # C1: L1 asks 300, the card's last due is 50; income 3,000; both stand at 100 x 3
    assert frame.loc["C1", ["debt_service", "debt_to_income", "exposure"]].tolist() == [350, 350 / 3000, 600]
    assert frame.loc["C1", "loan_to_value"] == 300 / 15_000
    assert frame.loc["C1", "utilisation_now"] == 0.3
    # balances 300 to 800 over limits of 1,000 four times and 2,000 twice
    assert frame.loc["C1", "utilisation_6m"] == 3300 / 8000
    assert frame.loc["C1", "application_score"] == 650
    assert frame.loc["C7", "historical_default_rate"] == 1  # the one mature loan was written off
    assert frame.loc["C1", "loans_opened_12m"] == 1  # 1 March 2023; 28 February 2023 is a year and more ago
    assert frame.loc["C3", "months_on_book"] == 789 / 30.4375
    assert frame.loc["C2", ["dpd_now", "months_since_late", "worst_dpd_12m"]].tolist() == [0, 12, 0]


# --- books that lack something ------------------------------------------------------------------------------------------


def test_what_a_book_lacks_is_left_out_and_named(make_book: MakeBook) -> None:
    tables = edge_tables()
    bare = {name: tables[name] for name in ("customers", "loans", "instalments", "payments", "performance")}
    whole = make_book(tables, first_day=date(2022, 1, 1), last_day=date(2024, 6, 30))
    book = make_book(bare, first_day=date(2022, 1, 1), last_day=date(2024, 6, 30))
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
    panel = build_panel(make_book(tables, first_day=date(2022, 1, 1), last_day=date(2024, 6, 30)), as_of=LEAP_DAY)
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
    facts = {"first_day": date(2022, 1, 1), "last_day": date(2024, 6, 30), "name": "kept-panel"}
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
