"""The numbers of the risk report, each asked again by SQL of the panels."""

from __future__ import annotations

import glob
import re
import shutil
from collections import Counter
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from statsmodels.stats.proportion import proportion_confint

from tests.pipeline import LAST, Lender
from workbench.book.book import Book
from workbench.book.expected_loss import lgd_of
from workbench.book.performance import performance
from workbench.core.errors import InputError
from workbench.models.export.sql import scorecard_sql
from workbench.models.sample import sample
from workbench.models.scoring import load_scorecard
from workbench.runs.run import rebuild_index, run_notebook

BEFORE = "2025-08-31"
GRADES = "ABCDEFG"


@pytest.fixture(scope="module")
def asked(lender: Lender) -> Any:
    """Return a DuckDB with `now` and `before`: the panels of two months, scored by the exported SQL, the defaulted marked."""
    card, _, _ = load_scorecard(lender.workspace, "demo_scorecard")
    connection = duckdb.connect()
    for name, day in (("now", LAST), ("before", BEFORE)):
        path = glob.glob(str(lender.home / f"data/panels/demo/{day}-*.parquet"))  # noqa: PTH207
        assert len(path) == 1
        connection.execute(f"create view panel_{name} as select * from '{path[0]}'")
        scores = scorecard_sql(card, dialect="duckdb", table=f"panel_{name}", ids=["customer_id"])
        connection.execute(
            f"create table {name} as with s as ({scores}) "
            "select s.customer_id, s.score, case when dpd_now >= 90 then 1.0 else s.pd end as pd, "
            "case when dpd_now >= 90 then 'G' else s.grade end as grade, exposure, dpd_now "
            f"from s join panel_{name} using (customer_id)"
        )
    add_losses(connection, lender)
    return connection


def add_losses(connection: Any, lender: Lender) -> None:
    """Add to `now` and `before` what would be lost of each customer's exposure: balance by loan times LGD by product."""
    rates, _words = lgd_of(Book.open(lender.workspace, "demo"), as_of=date.fromisoformat(LAST))
    connection.register("rates", rates[["product", "lgd"]])
    folder = next((lender.home / "data/books/demo/generations").glob("*"))
    for name, day in (("now", LAST), ("before", BEFORE)):
        connection.execute(
            f"""create table loans_{name} as
            with known as (select * from '{folder}/loans.parquet' where known_at < date '{LAST}' + 1
                           qualify row_number() over (partition by loan_id order by known_at desc) = 1),
            stated as (select * from '{folder}/performance.parquet'
                       where month_end = date '{day}' and known_at < date '{LAST}' + 1
                       qualify row_number() over (partition by loan_id order by known_at desc) = 1)
            select customer_id, sum(balance)::double as balance, sum(balance * lgd)::double as lost
            from stated join known using (loan_id) join rates using (product)
            where (closed_on is null or closed_on > date '{day}') and (written_off_on is null or written_off_on > date '{day}')
            group by customer_id"""
        )
        connection.execute(f"alter table {name} add column lost double")
        connection.execute(f"update {name} t set lost = l.lost from loans_{name} l where l.customer_id = t.customer_id")
        connection.execute(f"update {name} t set lost = exposure * l.lost / l.balance from loans_{name} l "
                           "where l.customer_id = t.customer_id and l.balance > 0")  # fmt: skip
        apart = connection.execute(
            f"select max(abs(exposure - balance)) from {name} join loans_{name} using (customer_id)"
        ).fetchone()[0]
        assert apart < 0.005 or name == "before"  # the panel's exposure is the sum of these balances, as known then


def tables(page: str) -> dict[str, list[list[str]]]:
    """Return the rows of each table of a page, by its caption."""
    found = {}
    for table in BeautifulSoup(page, "html.parser").find_all("table"):
        rows = [[cell.get_text().strip() for cell in row.find_all(["td", "th"])] for row in table.find_all("tr")]
        found[table.caption.get_text()] = rows[1:]
    return found


@pytest.fixture(scope="module")
def shown(lender: Lender) -> dict[str, list[list[str]]]:
    return tables(lender.page("60_risk_report"))


def one(asked: Any, query: str) -> Any:
    return asked.execute(query).fetchone()[0]


def test_grades_and_their_migration(asked: Any, shown: dict[str, list[list[str]]]) -> None:
    rows = {row[0]: row for row in shown[f"Risk grades at {LAST}"]}
    for grade in GRADES:
        count, exposure, mean, loss = asked.execute(
            "select count(*), coalesce(sum(exposure), 0), avg(pd), coalesce(sum(pd * lost), 0) from now where grade = ?",
            [grade],
        ).fetchone()
        expected = [f"{count:,}", f"{exposure:,.0f}", "n/a" if mean is None else f"{mean * 100:.2f} %", f"{loss:,.0f}"]
        assert rows[grade][1:] == expected
    assert rows["Total"][1] == f"{one(asked, 'select count(*) from now'):,}"
    pairs = Counter(asked.execute("select b.grade, n.grade from now n join before b using (customer_id)").fetchall())
    moved = shown[f"Grade at {BEFORE} (down) and at {LAST} (across), one model version"]
    for row in moved[:-1]:
        assert row[1:] == [f"{pairs[row[0], grade]:,}" for grade in GRADES]


def test_what_changed_in_a_month(asked: Any, shown: dict[str, list[list[str]]], lender: Lender) -> None:
    rows = {row[0]: row[1:] for row in shown[f"Customers at {LAST} and at {BEFORE}"]}
    both = "from now n join before b using (customer_id)"
    expected = {
        "Customers": ("select count(*) from now", "select count(*) from before"),
        "High-risk customers": tuple(f"select count(*) from {t} where grade in ('F', 'G')" for t in ("now", "before")),
        "Came": ("select count(*) from now anti join before using (customer_id)",),
        "Left": ("select count(*) from before anti join now using (customer_id)",),
        "To a worse grade": (f"select count(*) {both} where n.grade > b.grade",),
        "To a better grade": (f"select count(*) {both} where n.grade < b.grade",),
        "New among the high-risk": (
            f"select count(*) {both} where n.grade in ('F', 'G') and b.grade not in ('F', 'G')",
        ),
        "90 days past due, new": (f"select count(*) {both} where n.dpd_now >= 90 and b.dpd_now < 90",),
    }
    assert rows.keys() == expected.keys()
    for name, queries in expected.items():
        assert rows[name][: len(queries)] == [f"{one(asked, query):,}" for query in queries], name
    drift = one(asked, f"select avg(n.score - b.score) {both} where n.dpd_now < 90 and b.dpd_now < 90")
    text = re.sub(r"\s+", " ", BeautifulSoup(lender.page("60_risk_report"), "html.parser").get_text())
    assert f"the mean score of those in default at neither date changed by {drift:+.1f} points" in text


def test_why_the_expected_loss_and_the_score_changed(asked: Any, lender: Lender) -> None:
    kept = {name: pd.read_parquet(lender.folder("60_risk_report") / f"{name}.parquet") for name in ("change", "movers")}
    amounts = kept["change"].set_index("part")["amount"]
    for part, query in {
        "now": "select sum(pd * lost) from now",
        "before": "select sum(pd * lost) from before",
        "came": "select coalesce(sum(pd * lost), 0) from now anti join before using (customer_id)",
        "left": "select -coalesce(sum(pd * lost), 0) from before anti join now using (customer_id)",
        "exposure": "select sum((n.lost - b.lost) * (n.pd + b.pd) / 2) from now n join before b using (customer_id)",
    }.items():
        assert amounts[part] == pytest.approx(one(asked, query), rel=1e-9, abs=1e-6), part
    assert amounts.drop("now").sum() == pytest.approx(amounts["now"])
    good = "from now n join before b using (customer_id) where n.dpd_now < 90 and b.dpd_now < 90"
    assert kept["movers"]["change"].sum() == pytest.approx(one(asked, f"select avg(n.score - b.score) {good}"))


def test_the_trend_ends_where_the_page_stands(asked: Any, lender: Lender) -> None:
    trend = pd.read_parquet(lender.folder("60_risk_report") / "score_trend.parquet").iloc[-1]
    assert str(trend["month_end"])[:10] == LAST
    assert trend["customers"] == one(asked, "select count(*) from now")
    assert trend["expected_loss"] == pytest.approx(one(asked, "select sum(pd * lost) from now"))
    for grade in GRADES:
        assert trend[f"share_{grade}"] == pytest.approx(one(asked, f"select avg((grade = '{grade}')::int) from now"))


def test_predicted_beside_realised(asked: Any, shown: dict[str, list[list[str]]], lender: Lender) -> None:
    then = "2024-09-30"
    outcomes = sample(Book.open(lender.workspace, "demo"), as_of=[date.fromisoformat(then)]).frame
    own = asked.cursor()  # a result of another test may still be open on `asked`
    own.register("outcomes", outcomes[["customer_id", "bad"]])
    card, _, _ = load_scorecard(lender.workspace, "demo_scorecard")
    (path,) = glob.glob(str(lender.home / f"data/panels/demo/{then}-*.parquet"))  # noqa: PTH207
    own.execute(f"create or replace view panel_then as select * from '{path}'")
    scores = scorecard_sql(card, dialect="duckdb", table="panel_then", ids=["customer_id"])
    counted = "count(*), sum(bad), avg(pd), avg(bad)"
    query = f"from ({scores}) join outcomes using (customer_id)"
    expected = own.execute(f"select grade, {counted} {query} group by 1 order by 1").fetchall()
    expected += own.execute(f"select 'all', {counted} {query}").fetchall()
    rows = shown[f"Predicted at {then} and realised by {LAST}, by the grade of then"]
    assert len(rows) > 3
    for row, (grade, customers, bads, predicted, realised) in zip(rows, expected, strict=True):
        assert row[:3] == [grade, f"{customers:,}", f"{int(bads):,}"]
        assert row[3:5] == [f"{predicted * 100:.2f} %", f"{realised * 100:.2f} %"]
        low, high = proportion_confint(int(bads), customers, method="wilson")
        assert row[5:] == [f"{low * 100:.2f} %", f"{high * 100:.2f} %"]


def test_segments_and_the_high_risk_list(asked: Any, shown: dict[str, list[list[str]]], lender: Lender) -> None:
    books = lender.home / "data/books/demo/generations"
    people = next(books.glob("*/customers.parquet"))
    asked.execute(f"create or replace view people as select customer_id, max_by(region, known_at) as region from '{people}' "
                  "group by customer_id")  # fmt: skip
    day = date.fromisoformat(LAST)
    loans = performance(Book.open(lender.workspace, "demo"), as_of=day).to_pandas()
    loans = loans[loans["open"]].astype({"balance": float})
    asked.register("loans_late", loans.assign(late=loans["balance"].where(loans["dpd"] >= 90, 0.0)))
    asked.execute("create or replace table late as select customer_id, sum(late) as late from loans_late group by 1")
    regions = asked.execute(
        "select coalesce(region, 'not known'), count(*), sum(exposure), sum(late) / sum(exposure), avg(pd), sum(pd * lost) "
        "from now left join people using (customer_id) left join late using (customer_id) group by 1"
    ).fetchall()
    whole = one(asked, "select sum(late) / sum(balance) from loans_late")
    assert f"{whole * 100:.2f} %" in lender.page("60_risk_report")
    by_product = {
        row[0]: row[1:]
        for row in shown["By product, the largest exposure first; a customer stands under each product held"]
    }
    for name, count, exposure, late in asked.execute(
        "select product, count(distinct customer_id), sum(balance), sum(late) / sum(balance) from loans_late group by 1"
    ).fetchall():
        assert by_product[name][:3] == [f"{count:,}", f"{exposure:,.0f}", f"{late * 100:.2f} %"]
    assert by_product["Total"][1] == f"{loans['balance'].sum():,.0f}"
    by_year = {
        row[0]: row[1:]
        for row in shown["By year of opening, the largest exposure first; a customer stands under each year"]
    }
    years = asked.execute(
        "select year(opened_on)::varchar, count(distinct customer_id), sum(balance), sum(late) / sum(balance) "
        "from loans_late group by 1"
    ).fetchall()
    assert len(years) == len(by_year) - 1
    for year, count, exposure, late in years:
        assert by_year[year][:3] == [f"{count:,}", f"{exposure:,.0f}", f"{late * 100:.2f} %"]
    rows = {row[0]: row[1:] for row in shown["By region, the largest exposure first"]}
    for name, count, exposure, late, mean, loss in regions:
        assert rows[name] == [
            f"{count:,}",
            f"{exposure:,.0f}",
            f"{late * 100:.2f} %",
            f"{mean * 100:.2f} %",
            f"{loss:,.0f}",
        ]
    listed = shown["The riskiest first; all of them are in high_risk.xlsx"]
    top = asked.execute(
        "select n.customer_id, n.grade, n.score, n.score - b.score, n.pd, n.exposure, n.dpd_now from now n left join before b "
        "using (customer_id) where n.grade in ('F', 'G') order by n.pd desc, n.exposure desc, n.customer_id limit 25"
    ).fetchall()
    assert [row[0] for row in listed] == [row[0] for row in top]
    for row, (_, grade, score, change, risk, exposure, dpd) in zip(listed, top, strict=True):
        moved = (
            "–" if change is None else f"{change:,.0f}".replace("-0", "0") if round(change) == 0 else f"{change:,.0f}"
        )
        assert row[1:3] == [grade, f"{score:,.0f}"]
        assert row[3].replace("−", "-") in {moved, f"{change:+,.0f}" if change is not None else moved, "-0"}
        assert row[4:7] == [f"{risk * 100:.1f} %", f"{exposure:,.0f}", f"{int(dpd):,}"]


def test_the_classes_hold_every_open_loan(shown: dict[str, list[list[str]]]) -> None:
    views: dict[str, int] = Counter()
    for view, _category, loans, _exposure in shown["Open loans as supervisors and accountants class them"]:
        views[view] += int(loans.replace(",", ""))
    buckets = {
        row[0]: row for row in shown[f"Days past due at {LAST}; a customer stands in the bucket of the worst loan"]
    }
    assert set(views.values()) == {int(buckets["Total"][2].replace(",", ""))}


def test_the_page_of_a_customer(asked: Any, lender: Lender) -> None:
    who, score, exposure = asked.execute(
        "select customer_id, score, exposure from now order by pd desc, exposure desc, customer_id limit 1"
    ).fetchone()
    run = run_notebook(lender.workspace, "61_customer", book="demo")
    try:
        page = (run.folder / "61_customer.html").read_text("utf-8")
        text = re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").get_text(" "))
        assert run.summary["customer_id"] == who
        assert f"Customer {who}" in text
        assert f"{exposure:,.0f} EUR" in text
        rows = next(rows for caption, rows in tables(page).items() if caption.startswith("Points by factor"))
        base = load_scorecard(lender.workspace, "demo_scorecard")[0].base_points
        assert base + sum(float(row[2].replace("−", "-")) for row in rows) == pytest.approx(
            score, abs=0.05 * len(rows) + 0.01
        )
        with pytest.raises(InputError, match="not among the"):
            run_notebook(lender.workspace, "61_customer", book="demo", parameters={"customer_id": "nobody"})
    finally:  # other tests look at what the pipeline left
        for folder in (lender.home / "reports/runs").glob("61_customer-*"):
            shutil.rmtree(folder)
        for pointer in (lender.home / "reports/current").rglob("61_customer.json"):
            pointer.unlink()
        rebuild_index(lender.workspace)
