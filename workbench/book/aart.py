"""Reader of the asset-level auto loan filings `aart_auto_loans` (SEC Regulation AB II, two trusts of 2017).

What the source lacks, and what is assumed instead, is told in docs/books/aart.md.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from workbench.book.frames import canonical_table
from workbench.book.store import BookFacts
from workbench.core.errors import BookError, nearest

LOAN_COLUMNS = (
    "pool assetNumber originationDate originalLoanAmount originalLoanTerm originalInterestRatePercentage "
    "originalFirstPaymentDate obligorCreditScore paymentToIncomePercentage obligorGeographicLocation vehicleValueAmount "
    "reportingPeriodScheduledPaymentAmount"
).split()
MONTHLY_COLUMNS = "pool assetNumber month balance principal payment repossession_proceeds".split()
TOLERANCE = 1.00  # dollars: rounding of balances in the filings


class AartSource(BaseModel):
    """The `params/books/aart.yaml` of this reader."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: str
    path: str
    first_month_end: date
    time_zone: str
    currency: str
    parameters: dict[str, dict[str, Any]] = {}  # of the notebooks; read by the runs


def read_aart(folder: Path, source: AartSource, out: Path) -> BookFacts:
    """Write the canonical tables of the auto loans into `out`.

    Raises
    ------
    BookError
        If a file or a column is missing.
    """
    loans = _read(folder / "loans.parquet", LOAN_COLUMNS)
    monthly = _read(folder / "monthly.parquet", MONTHLY_COLUMNS)
    loans["loan_id"] = _loan_id(loans)
    monthly["loan_id"] = _loan_id(monthly)
    loans = loans.loc[loans["loan_id"].isin(monthly["loan_id"])].sort_values("loan_id")
    periods = pd.period_range(source.first_month_end, periods=int(monthly["month"].max()), freq="M")
    ends = pd.Series(periods.to_timestamp(how="end").normalize(), index=range(1, len(periods) + 1))
    monthly["month_end"] = monthly["month"].map(ends)
    monthly = monthly.merge(loans[["loan_id", "reportingPeriodScheduledPaymentAmount"]], on="loan_id")
    monthly = _split_payments(monthly.sort_values(["loan_id", "month"]))
    endings = _endings(monthly, last=int(monthly["month"].max()))

    opened = pd.to_datetime(loans["originationDate"], format="%m/%Y")
    _write(out, "customers", _customers(loans, opened))
    _write(out, "loans", _loans(loans, opened, endings))
    _write(out, "applications", _applications(loans, opened))
    due = monthly.loc[monthly["due"] > 0]
    _write(out, "instalments", _instalments(due))
    _write(out, "payments", _payments(monthly))
    _write(out, "performance", _performance(monthly))
    return BookFacts(
        first_day=source.first_month_end.replace(day=1),
        last_day=ends.iloc[-1].date(),
        time_zone=source.time_zone,
        currency=source.currency,
        current_only={},
        source="SEC EDGAR asset-level filings, two auto loan trusts of 2017 (doi 10.1093/jrsssa/qnae137)",
    )


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.exists():
        raise BookError(
            f"{path}: no such file. The aart book is read in place; set real_data in params/workbench.yaml, or "
            "WORKBENCH_REAL_DATA, to the folder that holds aart_auto_loans/."
        )
    found = pq.ParquetFile(path).schema_arrow.names
    for column in columns:
        if column not in found:
            raise BookError(f"{path}: column {column!r} is missing.{nearest(column, found)}")
    return pd.read_parquet(path, columns=columns)


def _loan_id(frame: pd.DataFrame) -> pd.Series[str]:
    return frame["pool"].str.extract(r"aart(\d+)", expand=False) + "-" + frame["assetNumber"].astype(str)


def _split_payments(monthly: pd.DataFrame) -> pd.DataFrame:
    """Split what was paid into what was due (arrears first) and a prepayment of the rest.

    Without this, a borrower who once paid ahead would look current for as long as the surplus lasts, although the lender
    still asks for each month's instalment.
    """
    first = (monthly["loan_id"] != monthly["loan_id"].shift()).to_numpy()
    due = monthly["reportingPeriodScheduledPaymentAmount"].to_numpy()
    owed = (monthly["balance"] + monthly["principal"]).to_numpy()
    due = np.where(owed > TOLERANCE, np.minimum(due, np.maximum(owed, 0) * 1.05), 0.0).round(2)
    paid = monthly["payment"].to_numpy()
    scheduled = np.zeros(len(monthly))
    arrears = 0.0
    for row in range(len(monthly)):
        arrears = due[row] + (0.0 if first[row] else arrears)
        scheduled[row] = min(paid[row], arrears)
        arrears -= scheduled[row]
    return monthly.assign(due=due, scheduled=scheduled.round(2), extra=(paid - scheduled).round(2))


def _endings(monthly: pd.DataFrame, *, last: int) -> pd.DataFrame:
    """Tell how each loan's rows end: written off (a loss at the end), prepaid, left the file, or still running."""
    final = monthly.groupby("loan_id").tail(1).set_index("loan_id")
    previous = monthly.assign(previous=monthly.groupby("loan_id")["balance"].shift()).groupby("loan_id").tail(1)
    final["previous"] = previous.set_index("loan_id")["previous"]
    gone = final["balance"] <= TOLERANCE
    loss = gone & ((final["repossession_proceeds"] != 0) | (final["previous"] - final["principal"] > TOLERANCE))
    reason = np.select([loss, gone, final["month"] < last], ["written_off", "prepaid", "left_file"], default="running")
    return pd.DataFrame({"reason": reason, "ended": final["month_end"]})


def _write(out: Path, table: str, frame: pd.DataFrame) -> None:
    pq.write_table(canonical_table(table, frame), out / f"{table}.parquet", compression="zstd")


def _customers(loans: pd.DataFrame, opened: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    share = loans["paymentToIncomePercentage"].where(loans["paymentToIncomePercentage"] > 0)
    return pd.DataFrame(
        {
            "customer_id": loans["loan_id"],
            "monthly_income": loans["reportingPeriodScheduledPaymentAmount"] / share,
            "region": loans["obligorGeographicLocation"].str.strip(),
            "segment": loans["pool"],
            "relationship_since": opened,
            "known_at": opened,
        }
    )


def _loans(loans: pd.DataFrame, opened: pd.Series[pd.Timestamp], endings: pd.DataFrame) -> pd.DataFrame:
    first = pd.DataFrame(
        {
            "loan_id": loans["loan_id"],
            "customer_id": loans["loan_id"],
            "product": "auto",
            "opened_on": opened,
            "principal": loans["originalLoanAmount"],
            "annual_rate": loans["originalInterestRatePercentage"],
            "term_months": loans["originalLoanTerm"],
            "instalment_amount": loans["reportingPeriodScheduledPaymentAmount"],
            "collateral_value": loans["vehicleValueAmount"],
            "known_at": opened,
        }
    )
    ended = endings.loc[endings["reason"] != "running"].reset_index()
    second = first.merge(ended, on="loan_id")
    second["closed_on"] = second["ended"]
    second["close_reason"] = second["reason"]
    second["written_off_on"] = second["ended"].where(second["reason"] == "written_off")
    second["known_at"] = second["ended"] + pd.Timedelta(hours=12)
    return pd.concat([first, second.drop(columns=["ended", "reason"])])


def _applications(loans: pd.DataFrame, opened: pd.Series[pd.Timestamp]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "application_id": "A" + loans["loan_id"],
            "customer_id": loans["loan_id"],
            "applied_at": opened,
            "product": "auto",
            "requested_amount": loans["originalLoanAmount"],
            "decision": "accepted",
            "decided_at": opened,
            "score": loans["obligorCreditScore"],
            "loan_id": loans["loan_id"],
            "known_at": opened,
        }
    )


def _instalments(due: pd.DataFrame) -> pd.DataFrame:
    # The filings give months, no due day. The middle of the month keeps every count of missed months clear of the 30, 60
    # and 90 day edges: 1, 2, 3, 4 months without payment read as about 15, 46, 76 and 107 DPD.
    due_on = due["month_end"].dt.to_period("M").dt.to_timestamp() + pd.Timedelta(days=14)
    return pd.DataFrame(
        {
            "loan_id": due["loan_id"],
            "schedule_version": 1,
            "instalment_no": due["month"],
            "effective_from": due_on,
            "due_on": due_on,
            "due_amount": due["due"],
            "known_at": due_on,
        }
    )


def _payments(monthly: pd.DataFrame) -> pd.DataFrame:
    paid_at = monthly["month_end"] + pd.Timedelta(hours=12)
    parts = []
    for kind, column in (("scheduled", "scheduled"), ("prepayment", "extra")):
        rows = monthly[column] > 0
        parts.append(
            pd.DataFrame(
                {
                    "payment_id": monthly["loan_id"] + f"-{kind[0]}" + monthly["month"].astype(str).str.zfill(2),
                    "loan_id": monthly["loan_id"],
                    "paid_at": paid_at,
                    "amount": monthly[column],
                    "kind": kind,
                    "known_at": paid_at,
                }
            ).loc[rows]
        )
    return pd.concat(parts)


def _performance(monthly: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "loan_id": monthly["loan_id"],
            "month_end": monthly["month_end"],
            "balance": monthly["balance"].clip(lower=0),
            "due_amount": monthly["due"],
            "paid_amount": monthly["payment"],
            "known_at": monthly["month_end"] + pd.Timedelta(hours=12),
        }
    )
