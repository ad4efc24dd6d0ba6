"""The Czech bank of PKDD'99 as a book: counted again from the raw files, and no outcome before the last day."""

from __future__ import annotations

import csv
import random
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.expected_loss import lgd_of
from workbench.book.lgd import loss_given_default
from workbench.book.loading.load import import_book
from workbench.book.losses import monthly_losses
from workbench.book.performance import states_dpd
from workbench.core.errors import BookError
from workbench.core.workspace import Workspace
from workbench.indicators.panel import build_panel

LAST = date(1998, 12, 31)
EVE = LAST - timedelta(days=1)
DELIVERED = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = [date(1993, 6, 30), date(1994, 3, 15), date(1996, 2, 29), date(1997, 12, 31), EVE]
TABLES = {"customers", "loans", "applications", "payments", "transactions", "bureau"}

# --- a made-up delivery in the source's layout --------------------------------------------------------------------------

MADE_UP = {
    "client.asc": '"client_id";"birth_number";"district_id"\n1;"706213";2\n2;"450204";1\n3;"875107";2\n',
    "disp.asc": (
        '"disp_id";"client_id";"account_id";"type"\n1;1;10;"OWNER"\n2;2;20;"OWNER"\n3;3;10;"DISPONENT"\n'
    ),
    "account.asc": (
        '"account_id";"district_id";"frequency";"date"\n'
        '10;1;"POPLATEK MESICNE";930101\n20;2;"POPLATEK TYDNE";950731\n'
    ),
    "district.asc": 'A1;A2;A3\n1;"Hl.m. Praha";"Prague"\n2;"Benesov";"central Bohemia"\n',
    "loan.asc": (
        '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"\n'
        '5;10;930831;12000;6;2000.00;"B"\n6;20;980131;24000;24;1000.00;"D"\n'
    ),
}  # fmt: skip


def transaction(number: int, **facts: object) -> dict[str, object]:
    """Return a row of the transactions, a salary-like credit unless `facts` say otherwise."""
    usual: dict[str, object] = {
        "trans_id": number, "account_id": 10, "date": pd.Timestamp(1993, 7, 1), "type": "credit",
        "operation": "collection from another bank", "amount": 1000.5, "balance": 1000.5, "k_symbol": None, "bank": "AB",
        "account": 77.0, "part": "made up",
    }  # fmt: skip
    return usual | facts


MOVES = [
    transaction(1),
    transaction(2, type="withdrawal", operation="withdrawal in cash", amount=20.0, bank=None, account=0.0),
    transaction(3, type="withdrawal in cash", operation="withdrawal in cash", amount=30.0, bank=None, account=None),
    transaction(4, type="withdrawal", operation="withdrawal in cash", k_symbol="payment for statement", amount=14.6),
    transaction(5, operation=None, k_symbol="interest credited", amount=3.1, bank=None, account=None),
    transaction(
        6, date=pd.Timestamp(1993, 9, 12), type="withdrawal", operation="remittance to another bank",
        k_symbol="loan payment", amount=2000.3,
    ),
]  # fmt: skip


def deliver(folder: Path, moves: list[dict[str, object]], **files: str) -> Path:
    """Write the made-up delivery to `folder`; `files` replaces the text of a table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in MADE_UP.items():
        (folder / name).write_text(files.get(name.removesuffix(".asc"), text).replace("\n", "\r\n"))
    pd.DataFrame(moves).to_parquet(folder / "trans_available.parquet")
    return folder


@pytest.fixture(scope="module")
def made_up(new_workspace: Callable[..., Workspace], tmp_path_factory: pytest.TempPathFactory) -> Book:
    home, folder = new_workspace(), deliver(tmp_path_factory.mktemp("berka"), MOVES)
    import_book(home, "berka", delivered_at=DELIVERED, base=str(folder))
    return Book.open(home, "berka")


def known(book: Book, table: str, as_of: date = LAST) -> pd.DataFrame:
    """Return a table as known at a date, by its first column; days are dates, not instants."""
    frame: pd.DataFrame = book.as_known(table, as_of=as_of).to_pyarrow().to_pandas()
    return frame.set_index(frame.columns[0]).sort_index()


def test_a_birth_number_tells_day_and_sex(made_up: Book) -> None:
    people = known(made_up, "customers")
    assert people["birth_date"].tolist() == [date(1970, 12, 13), date(1945, 2, 4), date(1987, 1, 7)]
    assert people["gender"].tolist() == ["female", "male", "female"]
    assert people["branch_id"].tolist() == ["1", "2", "1"], "the account's branch, not the client's address"
    now = made_up.customers_now(as_of=LAST).order_by("customer_id").to_pandas()
    assert now["region"].tolist() == ["central Bohemia", "Prague", "central Bohemia"]
    assert now["segment"].tolist() == ["owner", "owner", "user"]


def test_address_and_rights_are_shown_and_never_used(made_up: Book) -> None:
    assert known(made_up, "customers")[["region", "segment"]].isna().all(axis=None)


def test_a_customer_is_known_from_the_account_on(made_up: Book) -> None:
    assert known(made_up, "customers", date(1995, 7, 30)).index.tolist() == ["1", "3"]
    assert known(made_up, "customers", date(1995, 7, 31)).index.tolist() == ["1", "2", "3"]


def test_signs_channels_and_categories(made_up: Book) -> None:
    moves = known(made_up, "transactions")
    amounts = [Decimal(text) for text in ("1000.50", "-20.00", "-30.00", "-14.60", "3.10", "-2000.30")]
    assert moves["amount"].tolist() == amounts
    assert moves["channel"].tolist() == ["transfer", "atm", "atm", "bank", "bank", "transfer"]
    assert moves["category"].fillna("").tolist() == ["", "", "", "fee", "interest", "loan_payment"]
    assert moves["counterparty_id"].fillna("").tolist() == ["AB-77", "", "", "AB-77", "", "AB-77"]


def test_a_loan_in_three_versions(made_up: Book) -> None:
    ends = date(1994, 2, 28)  # six months after 31 August
    columns = ["closed_on", "close_reason", "written_off_on"]

    def told(as_of: date) -> list[object]:
        row = known(made_up, "loans", as_of).loc["5", columns]
        return [None if pd.isna(value) else value for value in row]

    assert told(ends - timedelta(days=1)) == [None, None, None]
    assert told(ends) == told(EVE) == [ends, None, None]
    assert told(LAST) == [ends, "written_off", ends]


def test_a_running_loan_in_debt_stays_open(made_up: Book) -> None:
    assert known(made_up, "loans").loc["6", ["closed_on", "close_reason", "written_off_on"]].isna().all()
    assert known(made_up, "bureau")["worst_status"].to_dict() == {"1": "finished_unpaid", "2": "running_in_debt"}


def test_a_payment_finds_its_loan(made_up: Book) -> None:
    paid = known(made_up, "payments")
    assert paid[["loan_id", "kind"]].to_numpy().tolist() == [["5", "scheduled"]]
    assert paid["amount"].tolist() == [Decimal("2000.30")]


@pytest.mark.parametrize(
    ("moves", "files", "named"),
    [
        ([*MOVES, transaction(7, type="VYDAJ")], {}, "amount is missing"),
        ([*MOVES, transaction(7, operation="VYBER")], {}, "channel"),
        (MOVES, {"loan": MADE_UP["loan.asc"].replace('"D"', '"E"')}, "worst_status"),
        (MOVES, {"client": MADE_UP["client.asc"].replace("706213", "701313")}, "birth_date"),
        (MOVES, {"loan": MADE_UP["loan.asc"].replace("6;20;", "6;99;")}, "customer_id is missing"),
    ],
)
def test_what_the_guide_does_not_know_is_refused(
    workspace: Workspace,
    tmp_path: Path,
    moves: list[dict[str, object]],
    files: dict[str, str],
    named: str,
) -> None:
    with pytest.raises(BookError, match=named):
        import_book(workspace, "berka", delivered_at=DELIVERED, base=str(deliver(tmp_path, moves, **files)))


# --- the real files -----------------------------------------------------------------------------------------------------


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    """Return a raw file as it is written."""
    with (folder / f"{name}.asc").open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def day(text: str) -> date:
    """Read YYMMDD of the twentieth century."""
    return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:6]))


def born(number: str) -> date:
    """Read a birth number."""
    month = int(number[2:4])
    return date(1900 + int(number[:2]), month - 50 if month > 50 else month, int(number[4:]))


def end_of_term(loan: dict[str, str]) -> date:
    """Return the day on which a loan's months are over."""
    return (pd.Timestamp(day(loan["date"])) + pd.DateOffset(months=int(loan["duration"]))).date()


def raw_transactions(folder: Path) -> pd.DataFrame:
    """Return the raw transactions with a sign."""
    frame = pd.read_parquet(folder / "trans_available.parquet")
    return frame.assign(signed=frame["amount"].where(frame["type"] == "credit", -frame["amount"]))


@pytest.mark.real_data
def test_every_row_of_the_source_is_there(berka_book: Book) -> None:
    assert berka_book.tables == TABLES
    keys = {name: table.keys for name, table in berka_book.manifest.tables.items()}
    assert keys == {
        "customers": 5369, "loans": 682, "applications": 682, "bureau": 682, "transactions": 77197, "payments": 123,
    }  # fmt: skip


@pytest.mark.real_data
def test_the_checks_find_no_error_and_nothing_was_rejected(berka_book: Book) -> None:
    found = check_book(berka_book, as_of=LAST).findings
    assert not [finding.sentence() for finding in found if finding.severity == "error"]
    assert not [finding for finding in found if finding.check.endswith((".rejected", ".emptied", ".lines", ".orphans"))]


@pytest.mark.real_data
def test_sexes_and_ages(berka_book: Book, berka: Path) -> None:
    clients = rows(berka, "client")
    women = sum(int(client["birth_number"][2:4]) > 50 for client in clients)
    people = known(berka_book, "customers")
    assert people["gender"].value_counts().to_dict() == {"male": len(clients) - women, "female": women}
    assert (women, len(clients) - women) == (2645, 2724)
    assert people["birth_date"].to_dict() == {client["client_id"]: born(client["birth_number"]) for client in clients}

    def age(birth: date) -> int:
        return LAST.year - birth.year - ((LAST.month, LAST.day) < (birth.month, birth.day))

    ages = Counter(age(born(client["birth_number"])) // 10 for client in clients)
    assert Counter(age(birth) // 10 for birth in people["birth_date"]) == ages
    assert set(ages) == set(range(1, 9)), "from 11 to 87 years at the end of the data"


@pytest.mark.real_data
def test_relationships_branches_and_regions(berka_book: Book, berka: Path) -> None:
    accounts = {account["account_id"]: account for account in rows(berka, "account")}
    account_of = {right["client_id"]: accounts[right["account_id"]] for right in rows(berka, "disp")}
    people = known(berka_book, "customers")
    assert people["relationship_since"].to_dict() == {who: day(found["date"]) for who, found in account_of.items()}
    assert people["branch_id"].to_dict() == {who: found["district_id"] for who, found in account_of.items()}
    regions = {district["A1"]: district["A3"] for district in rows(berka, "district")}
    lived = Counter(regions[client["district_id"]] for client in rows(berka, "client"))
    now = berka_book.customers_now(as_of=LAST).to_pandas()
    assert now["region"].value_counts().to_dict() == dict(lived)
    assert now["segment"].value_counts().to_dict() == {"owner": 4500, "user": 869}
    assert people["monthly_income"].isna().all(), "the salary of a district is nobody's income"


@pytest.mark.real_data
def test_loans_row_by_row_and_the_76_bad(berka_book: Book, berka: Path) -> None:
    source = rows(berka, "loan")
    owners = {right["account_id"]: right["client_id"] for right in rows(berka, "disp") if right["type"] == "OWNER"}
    columns = ["customer_id", "opened_on", "principal", "term_months", "instalment_amount", "closed_on", "close_reason"]
    expected = {}
    for loan in source:
        over = loan["status"] in "AB"
        expected[loan["loan_id"]] = [
            owners[loan["account_id"]], day(loan["date"]), Decimal(loan["amount"]), int(loan["duration"]),
            Decimal(loan["payments"]), end_of_term(loan) if over else None,
            {"A": "repaid", "B": "written_off"}.get(loan["status"]),
        ]  # fmt: skip
    loans = known(berka_book, "loans")
    found = {name: [None if pd.isna(value) else value for value in row] for name, row in loans[columns].T.items()}
    assert found == expected
    unpaid = loans["close_reason"] == "written_off"
    assert (loans["written_off_on"].notna() == unpaid).all()
    assert (loans["written_off_on"][unpaid] == loans["closed_on"][unpaid]).all()
    status = known(berka_book, "bureau")["worst_status"].value_counts().to_dict()
    assert status == {"running_ok": 403, "finished_paid": 203, "running_in_debt": 45, "finished_unpaid": 31}
    assert status["finished_unpaid"] + status["running_in_debt"] == 76
    assert unpaid.sum() == 31


@pytest.mark.real_data
def test_finished_means_that_the_term_is_over(berka: Path) -> None:
    """What makes a loan's second version no outcome: who is finished follows from date and term alone."""
    assert all((end_of_term(loan) <= LAST) == (loan["status"] in "AB") for loan in rows(berka, "loan"))


@pytest.mark.real_data
def test_sums_of_transactions_by_type(berka_book: Book, berka: Path) -> None:
    raw = raw_transactions(berka)
    cents = (raw["amount"] * 100).round().astype("int64").groupby(raw["type"]).sum()
    moves = known(berka_book, "transactions")
    into = sum(amount for amount in moves["amount"] if amount > 0)
    out = sum(amount for amount in moves["amount"] if amount < 0)
    assert int(into * 100) == cents["credit"]
    assert int(-out * 100) == cents["withdrawal"] + cents["withdrawal in cash"]
    taken = raw["operation"].isin(["withdrawal in cash", "credit card withdrawal"])
    charged = raw["k_symbol"].isin(["payment for statement", "sanction interest"])
    assert (moves["channel"] == "atm").sum() == (taken & ~charged).sum()
    symbols = raw["k_symbol"].value_counts()
    pairs = (("pension", "old-age pension"), ("housing", "household"), ("interest", "interest credited"))
    for category, symbol in pairs:
        assert (moves["category"] == category).sum() == symbols[symbol]
    assert moves["category"].isna().sum() == raw["k_symbol"].isna().sum()
    owners = {right["account_id"]: right["client_id"] for right in rows(berka, "disp") if right["type"] == "OWNER"}
    assert (moves["customer_id"] == moves["account_id"].map(owners)).all()


@pytest.mark.real_data
def test_the_signs_reconcile_with_the_balances(berka_book: Book) -> None:
    """Each account's movements from its first row on add up to a balance of its last day, but for rounding."""
    moves = known(berka_book, "transactions").assign(amount=lambda t: t["amount"].astype(float))
    wrong = []
    late = moves["booked_at"] >= pd.Timestamp(1995, 1, 1)  # the slices meet in no account's middle
    for name, account in moves.groupby([moves["account_id"], late]):
        last = account.loc[account["booked_at"] == account["booked_at"].max(), "balance_after"].astype(float)
        if ((last - account["amount"].sum()).abs() > 1.0).all():
            wrong.append(name)
    assert not wrong


@pytest.mark.real_data
def test_business_days_are_those_of_the_source(berka_book: Book, berka: Path) -> None:
    booked = known(berka_book, "transactions")["booked_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Prague")
    raw = raw_transactions(berka)
    days = dict(zip(raw["trans_id"].astype(str), raw["date"].dt.date, strict=True))
    assert booked.dt.date.to_dict() == days


@pytest.mark.real_data
def test_payments_are_what_the_transactions_show(berka_book: Book, berka: Path) -> None:
    raw = raw_transactions(berka)
    shown = raw.loc[raw["k_symbol"] == "loan payment"]
    loans = {loan["account_id"]: loan for loan in rows(berka, "loan")}
    paid = known(berka_book, "payments")
    expected = {str(row.trans_id): loans[str(row.account_id)]["loan_id"] for row in shown.itertuples()}
    assert paid["loan_id"].to_dict() == expected
    assert paid["loan_id"].nunique() == 34
    assert paid["paid_at"].max() < pd.Timestamp(1994, 3, 31)
    terms = known(berka_book, "loans")
    asked = paid["loan_id"].map(terms["instalment_amount"]).astype(float)
    assert ((paid["amount"].astype(float) - asked).abs() <= 0.5).all()
    assert (paid["paid_at"].dt.date >= paid["loan_id"].map(terms["opened_on"])).all()


@pytest.mark.real_data
def test_full_history_before_the_loan_is_there_for_391(berka: Path) -> None:
    opened = [day(loan["date"]) for loan in rows(berka, "loan")]
    assert sum(found <= date(1994, 3, 30) or found.year >= 1997 for found in opened) == 391


@pytest.mark.real_data
@pytest.mark.parametrize("as_of", EARLIER)
def test_known_then(berka_book: Book, berka: Path, as_of: date) -> None:
    """At a date there is what the source had by then, all of it and nothing later."""
    accounts = {account["account_id"]: day(account["date"]) for account in rows(berka, "account")}
    loans = [loan for loan in rows(berka, "loan") if day(loan["date"]) <= as_of]
    raw = raw_transactions(berka)
    raw = raw.loc[raw["date"] <= pd.Timestamp(as_of)]
    counts = {table: int(berka_book.as_known(table, as_of=as_of).count().execute()) for table in TABLES}
    assert counts == {
        "customers": sum(accounts[right["account_id"]] <= as_of for right in rows(berka, "disp")),
        "loans": len(loans),
        "applications": len(loans),
        "payments": int((raw["k_symbol"] == "loan payment").sum()),
        "transactions": len(raw),
        "bureau": 0,
    }
    told = known(berka_book, "loans", as_of)
    ended = {loan["loan_id"]: end_of_term(loan) for loan in loans if end_of_term(loan) <= as_of}
    assert told["closed_on"].dropna().to_dict() == ended
    assert told[["close_reason", "written_off_on"]].isna().all(axis=None)


@pytest.mark.real_data
def test_no_row_is_known_before_it_happened(berka_book: Book) -> None:
    """From every stored version: none is known before its own date."""
    moments = {
        "customers": "relationship_since", "loans": "opened_on", "applications": "applied_at", "payments": "paid_at",
        "transactions": "booked_at", "bureau": "reported_on",
    }  # fmt: skip
    for table, moment in moments.items():
        versions = berka_book.versions(table, as_of=LAST).to_pandas()
        first = versions["known_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Prague").dt.date
        happened = pd.to_datetime(versions[moment])
        if moment.endswith("_at"):
            happened = happened.dt.tz_localize("UTC").dt.tz_convert("Europe/Prague")
        assert (first >= happened.dt.date).all(), table
        if table == "loans":
            reason = versions["close_reason"].notna() | versions["written_off_on"].notna()
            assert (first[reason] == LAST).all()
            assert reason.sum() == 234


@pytest.mark.slow
@pytest.mark.real_data
def test_other_outcomes_change_nothing_before_the_last_day(
    berka_book: Book, berka: Path, new_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    """The same bank with its loans' outcomes shuffled: until the eve of the last day both books say the same."""
    for file in berka.iterdir():
        if file.suffix in (".asc", ".parquet"):
            shutil.copyfile(file, tmp_path / file.name)
    lines = (tmp_path / "loan.asc").read_text().splitlines()
    statuses = [line.rpartition(";")[2] for line in lines[1:]]
    random.Random(7).shuffle(statuses)
    shuffled = [f"{line.rpartition(';')[0]};{status}" for line, status in zip(lines[1:], statuses, strict=True)]
    (tmp_path / "loan.asc").write_text("\n".join([lines[0], *shuffled]) + "\n")
    home = new_workspace()
    import_book(home, "berka", delivered_at=DELIVERED, base=str(tmp_path))
    other = Book.open(home, "berka")
    assert not known(other, "bureau").equals(known(berka_book, "bureau")), "the shuffle changed nothing"
    for table in sorted(TABLES):
        for as_of in (EARLIER[2], EVE):
            pd.testing.assert_frame_equal(known(other, table, as_of), known(berka_book, table, as_of))


@pytest.mark.real_data
def test_the_book_claims_no_days_past_due(berka_book: Book) -> None:
    assert not states_dpd(berka_book.tables)


@pytest.mark.real_data
def test_write_offs_by_month_and_no_amounts(berka_book: Book, berka: Path) -> None:
    unpaid = Counter(end_of_term(loan).strftime("%Y-%m") for loan in rows(berka, "loan") if loan["status"] == "B")
    table = monthly_losses(berka_book, as_of=LAST, months=71)
    found = table.set_index(table["month_end"].dt.strftime("%Y-%m"))["loans_written_off"]
    assert {month: count for month, count in found.items() if count} == unpaid
    assert found.sum() == 31
    assert table[["written_off", "recovered", "paid_in_default"]].isna().all(axis=None)
    assert monthly_losses(berka_book, as_of=EVE)["loans_written_off"].isna().all(), "not known before the last day"


@pytest.mark.real_data
def test_no_loss_given_default_can_be_told(berka_book: Book) -> None:
    assert "does not state days past due" in loss_given_default(berka_book, as_of=LAST)["reason"].iloc[0]
    rates, words = lgd_of(berka_book, as_of=LAST)
    assert rates[["lgd", "source"]].to_numpy().tolist() == [[0.45, "fallback"]]
    assert words.endswith("A loss given default of 45 % is assumed (params/losses.yaml).")


@pytest.mark.real_data
def test_indicators_at_the_last_month_end_of_full_transactions(berka_book: Book, berka: Path) -> None:
    as_of = date(1994, 2, 28)
    owners = {right["account_id"]: right["client_id"] for right in rows(berka, "disp") if right["type"] == "OWNER"}
    granted = [loan for loan in rows(berka, "loan") if day(loan["date"]) <= as_of]
    panel = build_panel(berka_book, as_of=as_of)
    assert panel.frame["customer_id"].tolist() == sorted(owners[loan["account_id"]] for loan in granted)
    assert {"instalments"} <= set(panel.left_out["dpd_now"])
    assert panel.left_out["failed_logins_30d"] == ["events"]
    raw = raw_transactions(berka)
    month = raw.loc[(raw["date"] > pd.Timestamp(1994, 1, 29)) & (raw["date"] <= pd.Timestamp(as_of))]
    lowest = month.groupby(month["account_id"].astype(str).map(owners))["balance"].min()
    expected = panel.frame["customer_id"].map(lowest)
    pd.testing.assert_series_equal(panel.frame["lowest_balance_30d"], expected, check_names=False)
