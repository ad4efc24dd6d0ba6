"""The dirt of a source system in a lender's files: missing, late, corrected, doubled."""

from __future__ import annotations

from functools import cache

import duckdb
import pandas as pd

from .lender import KEYS, has, one


@cache
def dirt(sql: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return shares: customers without income at first, with several versions, sharing a national id; late transactions."""
    missing, versions = one(
        sql,
        """select avg((income is null)::int), avg((versions > 1)::int) from (
            select arg_min(coalesce(monthly_income, -1), known_at) as first_income, nullif(first_income, -1) as income,
                count(*) as versions from customers group by customer_id)""",
    )
    doubled = one(
        sql,
        """select avg((people > 1)::int) from (select count(*) over (partition by national_id) as people
           from now_customers where national_id is not null)""",
    )[0]
    found = {"missing_income": missing, "customers_with_versions": versions, "shared_national_id": doubled}
    if has(sql, "transactions"):
        found["late_transactions"] = one(
            sql,
            """select avg((first_known::date > booked_at::date)::int) from (
                select any_value(booked_at) as booked_at, min(known_at) as first_known from transactions
                group by transaction_id)""",
        )[0]
    return found


def versions(sql: duckdb.DuckDBPyConnection, *tables: str) -> pd.DataFrame:
    """Return by table (all, where none is named): keys, the share with several versions, rows that repeat key and instant."""
    rows = []
    for name, key in KEYS.items():
        if has(sql, name) and name in (tables or KEYS):
            keys, several, rows_, instants = one(
                sql,
                f"""select count(*), count(*) filter (n > 1), sum(n), sum(instants) from (
                    select count(*) as n, count(distinct known_at) as instants from {name} group by {key})""",
            )
            rows.append((name, int(keys), several / keys, int(rows_ - instants)))
    return pd.DataFrame(rows, columns=["table", "keys", "several_versions", "repeated_rows"])
