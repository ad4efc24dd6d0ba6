"""The peer: the same indicators in straightforward pandas, as an analyst writes them for one date of a book in UTC.

Every table is read whole, without the columns that nothing needs; each indicator is a groupby. Books of one version a key.
Run alone, it writes the panel: python -m bench._pandas_panel GENERATION_FOLDER AS_OF OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.book.schema import TABLES

THRESHOLD_ABSOLUTE, THRESHOLD_RELATIVE = 20.0, 0.005
CHANGES = ("phone_changed", "address_changed", "device_changed")
INCOME, LENDERS, LOAN_PAYMENTS = (
    ("salary", "pension"),
    ("other_lender", "payday_loan"),
    ("loan_payment", "other_loan_payment"),
)


def panel(folder: Path, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the panel of the active customers, by customer_id."""
    end = as_of + pd.Timedelta(days=1)

    def read(table: str) -> pd.DataFrame:
        frame = pd.read_parquet(folder / f"{table}.parquet")
        frame = frame[frame["known_at"] < end]
        occurred = TABLES[table].occurred
        if occurred is not None:
            frame = frame[pd.to_datetime(frame[occurred]) < end]
        for column in TABLES[table].columns:
            if column.dtype == "money":
                frame[column.name] = frame[column.name].astype("float64")
            if column.dtype == "date":
                frame[column.name] = pd.to_datetime(frame[column.name])
            if column.dated:
                frame[column.name] = frame[column.name].where(pd.to_datetime(frame[column.name]) < end)
        return frame

    def back(months: int) -> pd.Timestamp:
        return as_of + pd.offsets.MonthEnd(-months)

    found: dict[str, pd.Series] = {}
    people, loans = read("customers").set_index("customer_id"), read("loans")
    months, now = _performance(read, loans, as_of)
    active = now[now["open"] & (now["balance"].isna() | (now["balance"] > 0) | (now["credit_limit"] > 0))]
    index = pd.Index(sorted(active["customer_id"].unique()), name="customer_id")

    _standing(found, people, as_of)
    _loans_now(found, now[now["open"]], loans)
    _loan_months(found, months)
    _history(found, people, loans, months, as_of, back)
    _dues(found, read, loans, as_of, back)
    payments = read("payments").merge(loans[["loan_id", "customer_id"]], on="loan_id")
    recent = payments[(payments["kind"] == "prepayment") & (payments["paid_at"] >= back(6) + pd.Timedelta(days=1))]
    found["prepaid_6m"] = recent.groupby("customer_id")["amount"].sum()
    restructured = read("restructurings").merge(loans[["loan_id", "customer_id"]], on="loan_id")
    restructured = restructured[restructured["effective_on"] > back(24)]
    found["restructurings_24m"] = restructured.groupby("customer_id").size()
    applied = read("applications")
    decided = applied["decision"].where(applied["decided_at"].notna())
    last_year = applied["applied_at"] >= back(12) + pd.Timedelta(days=1)
    found["applications_12m"] = applied[last_year].groupby("customer_id").size()
    found["refusals_12m"] = applied[last_year & (decided == "declined")].groupby("customer_id").size()
    scored = applied[(decided == "accepted") & applied["score"].notna()].sort_values(["applied_at", "application_id"])
    found["application_score"] = scored.groupby("customer_id")["score"].last()
    reports = read("bureau").sort_values("reported_on").groupby("customer_id").tail(1).set_index("customer_id")
    found |= {"bureau_enquiries": reports["enquiries_6m"], "other_debt": reports["other_debt"],
              "bureau_worst_status": reports["worst_status"]}  # fmt: skip
    _transactions(found, read("transactions"), as_of, back)
    _events(found, read("events"), as_of)

    frame = pd.DataFrame({name: series.reindex(index) for name, series in found.items()}, index=index)
    zeros = sorted(COUNTS)
    frame[zeros] = frame[zeros].fillna(0.0)
    frame["months_since_late"] = frame["months_since_late"].fillna(12.0)
    income = frame["declared_income"].where(frame["declared_income"] > 0)
    frame["debt_to_income"] = frame["debt_service"] / income
    frame["debt_to_salary"] = frame["debt_service"] / frame["salary_3m"].where(frame["salary_3m"] > 0)
    frame["exposure_to_income"] = frame["exposure"] / income
    frame["disposable_income"] = frame["salary_3m"] - frame["debt_service"].fillna(0.0)
    frame["utilisation_rise"] = frame["utilisation_now"] - frame["utilisation_6m"]
    frame["prepaid_share_6m"] = frame["prepaid_6m"] / _positive(frame["exposure"].fillna(0.0) + frame["prepaid_6m"])
    frame["other_debt_to_income"] = frame["other_debt"] / income
    return frame


COUNTS = {
    "contact_changes_7d", "contact_changes_30d", "contact_changes_90d", "failed_logins_30d", "care_requests_180d",
    "complaints_180d", "limit_requests_180d", "hardship_requests_180d", "months_late_12m", "months_30plus_12m",
    "months_60plus_12m", "months_90plus_12m", "partial_months_12m", "missed_months_12m", "cures_12m", "relapses_12m",
    "missed_dues_12m", "over_limit_months_6m", "prepaid_6m", "restructurings_24m", "applications_12m", "refusals_12m",
    "unusual_debits_30d", "overdraft_days_90d", "other_lender_inflow_90d", "dormant_then_active",
}  # fmt: skip


def _positive(values: Any) -> Any:
    return values.where(values != 0)


def _performance(read: Any, loans: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return loans at up to 36 month ends, and at the date, which is a month end."""
    dues = read("instalments").sort_values(["loan_id", "due_on", "instalment_no"])
    dues["cumulative"] = dues.groupby("loan_id")["due_amount"].cumsum()
    payments = read("payments")
    payments = payments[payments["kind"] == "scheduled"]
    stored = read("performance")
    rows = []
    for ago in range(36):
        day = as_of + pd.offsets.MonthEnd(-ago)
        there = loans[loans["opened_on"] <= day].copy()
        if there.empty:
            break
        there["written_off"] = there["written_off_on"] <= day
        there["repaid"] = (there["closed_on"] <= day) & ~there["written_off"]
        there["open"] = ~(there["written_off"] | (there["closed_on"] <= day))
        paid = payments[payments["paid_at"] < day + pd.Timedelta(days=1)].groupby("loan_id")["amount"].sum()
        size = there["principal"].fillna(0) + there["credit_limit"].fillna(0)
        allowed = np.maximum(THRESHOLD_ABSOLUTE, THRESHOLD_RELATIVE * size)
        there["paid_so_far"] = pd.Series(paid.reindex(there["loan_id"]).to_numpy(), there.index).fillna(0.0)
        covered = pd.Series((there["paid_so_far"] + allowed).to_numpy(), there["loan_id"])
        due = dues[dues["due_on"] <= day]
        open_dues = due[due["cumulative"] > covered.reindex(due["loan_id"]).to_numpy() + 1e-6]
        oldest = open_dues.groupby("loan_id")["due_on"].min()
        late = (
            (day - pd.Series(oldest.reindex(there["loan_id"]).to_numpy(), there.index)).dt.days.fillna(0).clip(lower=0)
        )
        there["dpd"] = late.where(~there["repaid"], 0)
        asked = pd.Series(
            due.groupby("loan_id")["due_amount"].sum().reindex(there["loan_id"]).to_numpy(), there.index
        ).fillna(0.0)
        is_late = there["loan_id"].isin(oldest.index) & ~there["repaid"]
        there["arrears"] = (asked - there["paid_so_far"]).where(is_late, 0.0)
        month = stored[stored["month_end"] == day].set_index("loan_id")
        for name in ("balance", "due_amount", "paid_amount"):
            there[name] = pd.Series(month[name].reindex(there["loan_id"]).to_numpy(), there.index)
        there["credit_limit"] = pd.Series(
            month["credit_limit"].reindex(there["loan_id"]).to_numpy(), there.index
        ).fillna(there["credit_limit"])
        there["balance"] = there["balance"].where(~there["repaid"], 0.0)
        rows.append(there.assign(months_ago=ago, month_end=day))
    months = pd.concat(rows, ignore_index=True)
    return months, months[months["months_ago"] == 0]


def _standing(found: dict[str, pd.Series], people: pd.DataFrame, as_of: pd.Timestamp) -> None:
    found["declared_income"] = people["monthly_income"]
    found["relationship_months"] = (as_of - people["relationship_since"]).dt.days / 30.4375
    found["age_years"] = (as_of - people["birth_date"]).dt.days / 365.25


def _loans_now(found: dict[str, pd.Series], now: pd.DataFrame, loans: pd.DataFrame) -> None:
    asks = now["instalment_amount"].fillna(now["due_amount"])
    by = now.assign(asks=asks).groupby("customer_id")
    found["debt_service"] = by["asks"].sum(min_count=1)
    found["exposure"] = by["balance"].sum(min_count=1)
    secured = now[now["collateral_value"] > 0].groupby("customer_id")
    found["loan_to_value"] = secured["balance"].sum(min_count=1) / _positive(secured["collateral_value"].sum())
    found["dpd_now"] = by["dpd"].max()
    found["arrears_instalments"] = by["arrears"].sum(min_count=1) / _positive(found["debt_service"])
    revolving = now[now["credit_limit"] > 0].groupby("customer_id")
    found["utilisation_now"] = revolving["balance"].sum(min_count=1) / _positive(revolving["credit_limit"].sum())


def _loan_months(found: dict[str, pd.Series], months: pd.DataFrame) -> None:
    months = months.sort_values(["loan_id", "months_ago"], ascending=[True, False])
    by_loan = months.assign(open_dpd=months["dpd"].where(months["open"])).groupby("loan_id")
    months["previous_dpd"] = by_loan["open_dpd"].shift(1)
    months["worst_before"] = by_loan["dpd"].transform(lambda dpd: dpd.cummax().shift(1))
    year = months[(months["months_ago"] < 12) & (months["open"] | months["written_off"])]

    def distinct(where: pd.Series) -> pd.Series:
        return year[where].groupby("customer_id")["months_ago"].nunique()

    by = year.groupby("customer_id")
    found["worst_dpd_12m"] = by["dpd"].max()
    found["worst_dpd_6m"] = year[year["months_ago"] < 6].groupby("customer_id")["dpd"].max()
    for name, least in (("late", 1), ("30plus", 30), ("60plus", 60), ("90plus", 90)):
        found[f"months_{name}_12m"] = distinct(year["dpd"] >= least)
    found["months_since_late"] = year[year["dpd"] > 0].groupby("customer_id")["months_ago"].min()
    quarter = year[year["months_ago"] < 3].groupby("customer_id")
    found["paid_share_3m"] = quarter["paid_amount"].sum(min_count=1) / _positive(quarter["due_amount"].sum())
    due = year["due_amount"] > 0
    found["partial_months_12m"] = distinct(due & (year["paid_amount"] > 0) & (year["paid_amount"] < year["due_amount"]))
    found["missed_months_12m"] = distinct(due & (year["paid_amount"] <= 0))
    cured = year["open"] & (year["dpd"] == 0) & (year["previous_dpd"] >= 30)
    found["cures_12m"] = cured.groupby(year["customer_id"]).sum()
    relapsed = (year["dpd"] >= 30) & (year["previous_dpd"] < 30) & (year["worst_before"] >= 30)
    found["relapses_12m"] = relapsed.groupby(year["customer_id"]).sum()
    half = year[year["open"] & (year["credit_limit"] > 0) & (year["months_ago"] < 6)]
    by_half = half.groupby("customer_id")
    found["utilisation_6m"] = by_half["balance"].sum(min_count=1) / _positive(by_half["credit_limit"].sum())
    over = half[half["balance"] > half["credit_limit"]]
    found["over_limit_months_6m"] = over.groupby("customer_id")["months_ago"].nunique()
    ends = [
        year[year["open"] & (year["months_ago"] == ago)].groupby("customer_id")["balance"].sum(min_count=1)
        for ago in (0, 6)
    ]
    found["balance_trend_6m"] = ends[0] / _positive(ends[1])


def _history(
    found: dict[str, pd.Series], people: pd.DataFrame, loans: pd.DataFrame, months: pd.DataFrame, as_of: pd.Timestamp,
    back: Any,
) -> None:  # fmt: skip
    worst = months.groupby("loan_id").agg(worst=("dpd", "max"), lost=("written_off", "max"))
    bad = loans["loan_id"].map(worst["lost"]).fillna(False).astype(bool) | (loans["loan_id"].map(worst["worst"]) >= 90)
    mature = loans["opened_on"] <= back(12)
    own = pd.DataFrame(
        {"customer_id": loans["customer_id"], "mature": mature.astype(int), "bad": (mature & bad).astype(int)}
    )
    own = own.groupby("customer_id").sum()
    found["historical_default_rate"] = own["bad"] / _positive(own["mature"])
    by = loans.groupby("customer_id")["opened_on"]
    found["months_on_book"] = (as_of - by.min()).dt.days / 30.4375
    found["loans_opened_12m"] = (loans["opened_on"] > back(12)).groupby(loans["customer_id"]).sum()
    groups = {
        "vintage": by.min().dt.to_period("Q").astype(str), "segment": people["segment"].reindex(own.index),
        "branch": people["branch_id"].reindex(own.index),
    }  # fmt: skip
    overall = (own["bad"].sum() - own["bad"]) / _positive(own["mature"].sum() - own["mature"])
    for name, group in groups.items():
        sums = own.groupby(group).transform("sum") - own
        found[f"{name}_default_rate"] = ((sums["bad"] + 20 * overall) / (sums["mature"] + 20)).where(group.notna())


def _dues(found: dict[str, pd.Series], read: Any, loans: pd.DataFrame, as_of: pd.Timestamp, back: Any) -> None:
    dues = read("instalments").merge(loans, on="loan_id").sort_values(["loan_id", "due_on", "instalment_no"])
    size = dues["principal"].fillna(0) + dues["credit_limit"].fillna(0)
    allowed = np.maximum(THRESHOLD_ABSOLUTE, THRESHOLD_RELATIVE * size)
    dues["level"] = dues.groupby("loan_id")["due_amount"].cumsum() - allowed
    dues = dues[(dues["due_on"] > back(12)) & (dues["due_on"] < as_of)]
    paid = read("payments")
    paid = paid[paid["kind"] == "scheduled"].assign(day=lambda frame: frame["paid_at"].dt.normalize())
    paid = paid.groupby(["loan_id", "day"], as_index=False)["amount"].sum()
    paid["total"] = paid.groupby("loan_id")["amount"].cumsum()
    paid["level"] = paid["total"].iloc[::-1].groupby(paid["loan_id"].iloc[::-1]).cummin().iloc[::-1] + 1e-6
    met = pd.merge_asof(
        dues.sort_values("level"), paid.sort_values("level")[["loan_id", "level", "day"]], on="level", by="loan_id",
        direction="forward",
    )  # fmt: skip
    ended = met["written_off_on"].fillna(met["closed_on"]).fillna(as_of)
    met = met[met["due_on"] <= ended]
    settled = met["day"].where(met["day"] < ended, ended).where(met["level"] > 0, met["due_on"])
    met["late"] = (settled - met["due_on"]).dt.days.astype(float)
    by = met.groupby("customer_id")["late"]
    found["late_share_12m"] = (met["late"] > 0).groupby(met["customer_id"]).mean()
    found["missed_dues_12m"] = (met["late"] >= 30).groupby(met["customer_id"]).sum()
    found["mean_days_late_12m"] = by.mean()
    split = met["due_on"] > back(3)
    found["days_late_trend"] = (
        met[split].groupby("customer_id")["late"].mean() - met[~split].groupby("customer_id")["late"].mean()
    )


def _transactions(found: dict[str, pd.Series], rows: pd.DataFrame, as_of: pd.Timestamp, back: Any) -> None:
    rows["day"] = rows["booked_at"].dt.normalize()
    rows["ago"] = (as_of - rows["day"]).dt.days
    rows = rows[rows["ago"] < 180]
    rows["size"] = (-rows["amount"]).clip(lower=0)
    everyone = rows["customer_id"].drop_duplicates()
    debit, credit = rows["amount"] < 0, rows["amount"] > 0

    def of(where: pd.Series, column: str = "amount", how: str = "sum") -> pd.Series:
        return rows[where].groupby("customer_id")[column].agg(how)

    def filled(values: pd.Series) -> pd.Series:
        return values.reindex(everyone, fill_value=0.0)

    def since(months: int, to: int = 0) -> pd.Series:
        return (rows["day"] > back(months)) & (rows["day"] <= back(to))

    salary = rows["category"].isin(INCOME)
    found["salary_3m"] = filled(of(salary & since(3))) / 3
    found["salary_trend"] = (filled(of(salary & since(2))) / 2) / _positive(of(salary & since(5, 2)) / 3)
    found["paydays_5m"] = sum(
        filled(of(salary & since(ago + 1, ago), how="size")).gt(0).astype(int) for ago in range(5)
    )
    last90 = rows["ago"] < 90
    found["saving_rate_90d"] = of(last90) / _positive(of(last90 & credit))
    paid = filled(-of(last90 & rows["category"].isin(LOAN_PAYMENTS) & debit))
    found["debt_payments_to_salary_90d"] = paid / _positive(of(last90 & salary & credit))
    last30 = rows["ago"] < 30
    spending = of(debit & last90, "size") / 90
    found["savings_buffer"] = of(last30, "balance_after", "mean") / _positive(spending)
    before = rows[debit & ~last30].groupby("customer_id")["size"]
    usual, usual_large = before.median(), before.quantile(0.95)
    largest = of(debit & last30, "size", "max")
    found["sudden_large_debit"] = largest / _positive(usual_large)
    found["largest_debit_to_median"] = largest / _positive(usual)
    unusual = rows[debit & last30]
    unusual = unusual[unusual["size"] > 2 * unusual["customer_id"].map(usual_large)]
    found["unusual_debits_30d"] = unusual.groupby("customer_id").size()
    for name, days, column, how in (
        ("spending_to_usual", 30, "size", "sum"), ("spending_7d_to_usual", 7, "size", "sum"),
        ("count_7d_to_usual", 7, "size", "size"), ("count_30d_to_usual", 30, "size", "size"),
    ):  # fmt: skip
        recent, past = (of(part, column, how) for part in (rows["ago"] < days, rows["ago"] >= days))
        found[name] = (filled(recent) / days) / _positive(past / (180 - days))
    found["cash_share_90d"] = filled(of(debit & last90 & (rows["channel"] == "atm"))) / _positive(of(debit & last90))
    moved = rows.assign(moved=rows["amount"].abs())[last90]
    risky = moved[moved["category"].isin(("gambling", *LENDERS))].groupby("customer_id")["moved"].sum()
    found["risky_share_90d"] = filled(risky) / _positive(moved.groupby("customer_id")["moved"].sum())
    touched = rows[last90 & rows["channel"].isin(("card", "atm"))]
    found["night_share_90d"] = (touched["booked_at"].dt.hour < 6).groupby(touched["customer_id"]).mean()
    found["weekend_share_90d"] = (touched["day"].dt.dayofweek >= 5).groupby(touched["customer_id"]).mean()
    spent = rows[debit & last90]
    found["round_share_90d"] = ((spent["size"] * 100).round() % 10_000 == 0).groupby(spent["customer_id"]).mean()
    found["other_lender_inflow_90d"] = of(last90 & credit & rows["category"].isin(LENDERS))
    found["days_since_salary"] = of(salary, "ago", "min")
    found["days_since_transaction"] = of(rows["ago"] >= 0, "ago", "min")
    quiet = filled(of((rows["ago"] >= 7) & (rows["ago"] < 67), how="size")) == 0
    found["dormant_then_active"] = filled(of(rows["ago"] < 7, how="size")).where(quiet, 0.0)
    found["lowest_balance_30d"] = of(last30, "balance_after", "min")
    found["balance_change_30d"] = of(last30, "balance_after", "mean") - of(~last30, "balance_after", "mean")
    found["overdraft_days_90d"] = of(last90 & (rows["balance_after"] < 0), "day", "nunique")
    seen = rows[~last30][["customer_id", "counterparty_id"]].drop_duplicates().assign(seen=True)
    recent = rows[last30 & debit & rows["counterparty_id"].notna() & rows["customer_id"].isin(seen["customer_id"])]
    recent = recent.merge(seen, on=["customer_id", "counterparty_id"], how="left")
    whole = recent.groupby("customer_id")["size"].sum()
    new = recent[recent["seen"].isna()].groupby("customer_id")["size"].sum()
    found["new_counterparty_share_30d"] = new.reindex(whole.index, fill_value=0.0) / _positive(whole)
    weekly = rows[rows["ago"] < 175].assign(week=lambda frame: frame["ago"] // 7)
    table = weekly.pivot_table(
        index="customer_id", columns="week", values="size", aggfunc=["sum", "count"], fill_value=0
    )
    oldest = weekly.groupby("customer_id")["week"].max()
    for name, how in (("spending_week_z", "sum"), ("count_week_z", "count")):
        wide = table[how].reindex(columns=range(25), fill_value=0).astype(float)
        past = wide.loc[:, 1:].where(np.arange(1, 25)[None, :] <= oldest.to_numpy()[:, None])
        middle = past.median(axis=1)
        spread = past.sub(middle, axis=0).abs().median(axis=1)
        found[name] = ((wide[0] - middle) / _positive(1.4826 * spread)).where(oldest >= 8)


def _events(found: dict[str, pd.Series], rows: pd.DataFrame, as_of: pd.Timestamp) -> None:
    rows["ago"] = (as_of - rows["occurred_at"].dt.normalize()).dt.days
    rows = rows[rows["ago"] < 180]

    def count(days: int, *kinds: str) -> pd.Series:
        return rows[(rows["ago"] < days) & rows["kind"].isin(kinds)].groupby("customer_id").size()

    for days in (7, 30, 90):
        found[f"contact_changes_{days}d"] = count(days, *CHANGES)
    found["failed_logins_30d"] = count(30, "login_failed")
    before = rows[(rows["ago"] >= 30) & (rows["kind"] == "login")].groupby("customer_id").size()
    found["logins_to_usual"] = 5 * count(30, "login").reindex(before.index, fill_value=0) / before
    found["days_since_contact"] = rows[rows["kind"] == "contact"].groupby("customer_id")["ago"].min()
    found["care_requests_180d"] = count(180, "hardship_requested", "limit_requested", "complaint")
    for name, kind in (
        ("complaints", "complaint"),
        ("limit_requests", "limit_requested"),
        ("hardship_requests", "hardship_requested"),
    ):
        found[f"{name}_180d"] = count(180, kind)


if __name__ == "__main__":
    pd.options.mode.copy_on_write = True
    panel(Path(sys.argv[1]), pd.Timestamp(sys.argv[2])).to_parquet(sys.argv[3])
