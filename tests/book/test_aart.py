"""The real auto loans as a book: the filings' own figures must be found again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.lgd import loss_given_default
from workbench.book.loading.load import import_book
from workbench.book.losses import monthly_losses
from workbench.book.performance import performance
from workbench.book.portfolio import delinquency
from workbench.core.dates import month_ends
from workbench.core.workspace import Workspace
from workbench.models.sample import sample

TOLERANCE = 1.00  # dollars: rounding of balances in the filings
OBSERVED = date(2018, 3, 31)

# --- three made-up loans in the filings' layout -------------------------------------------------------------------------


def filings(folder: Path) -> Path:
    """Write three loans of 100.00 a month: one misses a month, one repays early, one is lost after repossession."""
    loans = pd.DataFrame(
        {
            "pool": "aart9999_2017", "assetNumber": [1, 2, 3], "originationDate": "01/2017", "originalLoanAmount": 1000.0,
            "originalLoanTerm": 24, "originalInterestRatePercentage": 0.05, "originalFirstPaymentDate": "02/2017",
            "obligorCreditScore": [700, 650, 600], "paymentToIncomePercentage": [0.05, 0.0, 0.1],
            "obligorGeographicLocation": "OH", "vehicleValueAmount": 1200.0, "reportingPeriodScheduledPaymentAmount": 100.0,
        }
    )  # fmt: skip
    months = [
        # asset, month, balance after, principal, payment, repossession proceeds
        (1, 1, 900.0, 95.0, 100.0, 0.0), (1, 2, 900.0, 0.0, 0.0, 0.0), (1, 3, 720.0, 180.0, 250.0, 0.0),
        (2, 1, 905.0, 95.0, 100.0, 0.0), (2, 2, 0.0, 905.0, 910.0, 0.0),
        (3, 1, 990.0, 0.0, 0.0, 0.0), (3, 2, 990.0, 0.0, 0.0, 0.0), (3, 3, 0.0, 400.0, 400.0, 400.0),
    ]  # fmt: skip
    columns = ["assetNumber", "month", "balance", "principal", "payment", "repossession_proceeds"]
    monthly = pd.DataFrame(months, columns=columns).assign(pool="aart9999_2017")
    folder.mkdir(exist_ok=True)
    loans.to_parquet(folder / "loans.parquet")
    monthly.to_parquet(folder / "monthly.parquet")
    return folder


@pytest.fixture(scope="module")
def made_up(new_workspace: Callable[..., Workspace], tmp_path_factory: pytest.TempPathFactory) -> Book:
    home, folder = new_workspace(), filings(tmp_path_factory.mktemp("filings"))
    import_book(home, "aart", delivered_at=datetime(2026, 1, 1, tzinfo=UTC), base=str(folder))
    return Book.open(home, "aart")


def test_dates_and_customers(made_up: Book) -> None:
    facts = made_up.manifest.facts
    assert (facts.first_day, facts.last_day) == (date(2017, 6, 1), date(2017, 8, 31))
    people = made_up.as_known("customers", as_of=facts.last_day).to_pandas().set_index("customer_id")
    assert people["monthly_income"].astype(float).fillna(-1).to_dict() == {"9999-1": 2000, "9999-2": -1, "9999-3": 1000}


def test_dpd_counts_from_the_middle_of_the_unpaid_month(made_up: Book) -> None:
    ends = [date(2017, 6, 30), date(2017, 7, 31), date(2017, 8, 31)]
    found = performance(made_up, as_of=ends[-1], days=ends).to_pandas()
    dpd = found.pivot_table(index="loan_id", columns="month_end", values="dpd", sort=True)
    # loan 1 misses July (17 days from the 15th to the 31st: 16) and pays both in August
    assert dpd.loc["9999-1"].tolist() == [0, 16, 0]
    # loan 3 pays nothing in June and July, and is written off in August
    assert dpd.loc["9999-3"].tolist()[:2] == [15, 46]


def test_what_exceeds_the_arrears_is_a_prepayment(made_up: Book) -> None:
    paid = made_up.as_known("payments", as_of=date(2017, 8, 31)).to_pandas()
    august = paid.loc[(paid["loan_id"] == "9999-1") & (paid["paid_at"] > pd.Timestamp(2017, 8, 1))]
    assert august.set_index("kind")["amount"].astype(float).to_dict() == {"scheduled": 200.0, "prepayment": 50.0}


def test_endings(made_up: Book) -> None:
    loans = made_up.as_known("loans", as_of=date(2017, 8, 31)).to_pandas().set_index("loan_id")
    assert loans["close_reason"].fillna("running").to_dict() == {
        "9999-1": "running",
        "9999-2": "prepaid",
        "9999-3": "written_off",
    }
    assert loans.loc["9999-3", "written_off_on"].date() == date(2017, 8, 31)
    before = made_up.as_known("loans", as_of=date(2017, 7, 30)).to_pandas()
    assert before[["closed_on", "close_reason", "written_off_on"]].isna().all(axis=None)


# --- the real filings ---------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_the_book_covers_the_filed_months(aart_book: Book) -> None:
    facts = aart_book.manifest.facts
    assert (facts.first_day, facts.last_day) == (date(2017, 6, 1), date(2020, 12, 31))  # 43 months
    assert aart_book.manifest.tables["performance"].rows == 105_582  # the data's README
    assert aart_book.manifest.tables["customers"].rows == 3_513 - 59  # 59 loans have no monthly rows


@pytest.mark.real_data
def test_endings_agree_with_the_last_balance(aart_book: Book, real_data: Path) -> None:
    monthly = pd.read_parquet(real_data / "aart_auto_loans" / "monthly.parquet")
    last = monthly.sort_values("month").groupby(["pool", "assetNumber"]).tail(1)
    gone = last["balance"] <= TOLERANCE
    loans = aart_book.as_known("loans", as_of=aart_book.manifest.facts.last_day).to_pandas()
    reasons = loans["close_reason"].fillna("running").value_counts()
    assert reasons["prepaid"] + reasons["written_off"] == gone.sum()
    assert reasons["running"] == (~gone & (last["month"] == 43)).sum()
    assert reasons["left_file"] == (~gone & (last["month"] < 43)).sum()
    assert loans["written_off_on"].notna().sum() == reasons["written_off"]
    assert 0.5 < reasons["prepaid"] / len(loans) < 0.6  # "more than half of the loans prepay"


@pytest.mark.real_data
def test_delinquency_buckets_at_an_early_date(aart_book: Book, real_data: Path) -> None:
    table = delinquency(aart_book, as_of=OBSERVED).set_index("bucket")
    share = table["loans"] / table["loans"].sum()
    assert share["current"] > 0.7
    assert share.loc[["1-30", "31-60", "61-90"]].is_monotonic_decreasing
    assert 0.01 < share["over 90"] < 0.04
    assert (table["loans"] == table["customers"]).all()  # one loan a customer
    monthly = pd.read_parquet(real_data / "aart_auto_loans" / "monthly.parquet")
    last = monthly.groupby(["pool", "assetNumber"])["month"].transform("max")
    running = monthly.loc[(monthly["month"] == 10) & (last > 10)]  # month 1 is June 2017
    assert table["exposure"].sum() == pytest.approx(running["balance"].sum())


@pytest.mark.real_data
def test_what_was_written_off_is_the_last_balance_filed_and_what_came_back_is_not_told(
    aart_book: Book, real_data: Path
) -> None:
    monthly = pd.read_parquet(real_data / "aart_auto_loans" / "monthly.parquet").sort_values("month")
    loans = monthly.groupby(["pool", "assetNumber"])
    last = monthly.assign(before=loans["balance"].shift())[monthly["month"] == loans["month"].transform("max")]
    proceeds = last["repossession_proceeds"].fillna(0) != 0
    lost = last[(last["balance"] <= TOLERANCE) & (proceeds | (last["before"] - last["principal"] > TOLERANCE))]
    assert len(lost) > 100
    as_of = aart_book.manifest.facts.last_day
    table = monthly_losses(aart_book, as_of=as_of, months=60)
    by_month = lost.groupby("month")["before"].agg(["size", "sum"]).reindex(range(2, 44), fill_value=0)  # 2: July 2017
    assert table["loans_written_off"].tolist() == by_month["size"].tolist()
    assert table["written_off"].tolist() == pytest.approx(by_month["sum"].tolist(), abs=0.01)
    assert table["recovered"].isna().all()
    rates = loss_given_default(aart_book, as_of=as_of).iloc[0]
    assert rates["reason"] == "The book holds no payment after any write-off, so nobody knows what came back."
    assert rates["defaults"] > 100
    assert pd.isna(rates["lgd"])


@pytest.mark.real_data
def test_bads_in_twelve_months_by_pool(aart_book: Book) -> None:
    target = aart_book.definitions.target.model_copy(update={"probation_months": 0, "restructured_probation_months": 0})
    definitions = aart_book.definitions.model_copy(update={"target": target})
    every = sample(
        Book(aart_book.folder, aart_book.manifest, aart_book.workspace, definitions), as_of=[OBSERVED], window_months=12
    ).frame
    # the data's README finds 24-92 a pool and date by a rule of its own
    assert every.groupby(every["customer_id"].str[:4])["bad"].sum().to_dict() == {"1342": 48, "2171": 90}
    frame = sample(aart_book, as_of=[OBSERVED], window_months=12).frame
    rows = performance(aart_book, as_of=OBSERVED, days=month_ends(date(2017, 11, 30), OBSERVED)[:-1]).to_pandas()
    lately = set(rows.loc[(rows["dpd"] >= 90) | rows["written_off"], "customer_id"])
    assert set(every["customer_id"]) - set(frame["customer_id"]) == set(every["customer_id"]) & lately
    assert frame.groupby(frame["customer_id"].str[:4])["bad"].sum().to_dict() == {"1342": 44, "2171": 84}
