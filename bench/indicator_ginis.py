"""Each indicator alone: its Gini by period on the simulated lender and on aart, and which other one says the same.

The page is what docs/indicators.md refers to. Ginis are of the 12-month outcome of customers not bad at the date, by year of
the observation date; redundancy is that of the last panel of the simulated lender.
Run: .venv/bin/python -m bench.indicator_ginis [--customers 20000] [--real-data ../shared/data] [--page docs/indicator-ginis.md]
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from bench._scratch import scratch_workspace
from workbench.book.book import Book
from workbench.book.loading.load import import_book
from workbench.book.simulated import simulate_book
from workbench.core.workspace import open_workspace
from workbench.indicators.profile import redundancy
from workbench.indicators.registry import select
from workbench.indicators.stored import load_panel
from workbench.models.development import observation_dates
from workbench.models.sample import sample
from workbench.models.validation import single_ginis

EVERY_MONTHS, HISTORY_MONTHS = 3, 6
FEWEST_BADS = 30
"""Periods with fewer bads are left out: a Gini of theirs has a standard error of .1."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument(
        "--real-data", type=Path, default=Path("../shared/data"), help="the folder that has aart_auto_loans"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/indicator-ginis.md"))
    options = parser.parse_args()
    with scratch_workspace() as workspace:
        simulate_book(workspace, "lender", customers=options.customers, months=60, seed=7)
        book = Book.open(workspace, "lender")
        rows = observed(book)
        tables = {"lender": by_year(rows)}
        last = rows[rows["as_of"] == rows["as_of"].max()]
        alike = redundancy(last, [found.name for found in select() if found.dtype == "float64" and found.name in rows])
        real = open_workspace(workspace.root, flags={"real_data": str(options.real_data.resolve())})
        import_book(real, "aart", delivered_at=datetime(2026, 1, 1, tzinfo=UTC))
        tables["aart"] = by_year(observed(Book.open(real, "aart")))
    options.page.write_text(page(tables, alike, options), "utf-8")
    print(f"{options.page}: {', '.join(f'{name} {len(table)} indicators' for name, table in tables.items())}")


def observed(book: Book) -> pd.DataFrame:
    """Return who was good and who went bad at the dates with a complete window, with their indicators and the `year`."""
    dates = observation_dates(
        book,
        as_of=book.last_month_end,
        window_months=book.definitions.target.window_months,
        every_months=EVERY_MONTHS,
        history_months=HISTORY_MONTHS,
    )
    found = sample(book, as_of=dates).frame.drop(columns="exposure")
    panels = pd.concat([load_panel(book, as_of=day).frame for day in dates], ignore_index=True)
    rows = found[found["outcome"] != "indeterminate"].merge(panels, on=["customer_id", "as_of"], validate="1:1")
    return rows.assign(year=rows["as_of"].dt.year)


def by_year(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the Gini of each numeric indicator, a column a year; the years' bads are in `attrs`."""
    bads = rows.groupby("year")["bad"].sum()
    rows = rows[rows["year"].map(bads) >= FEWEST_BADS]
    names = [found.name for found in select() if found.dtype == "float64" and found.name in rows]
    table = single_ginis(rows, names, by="year", undirected=True).set_index("indicator").dropna(how="all")
    table.attrs["bads"] = {str(year): int(bads[int(year)]) for year in table.columns}
    return table


def page(tables: dict[str, pd.DataFrame], alike: pd.DataFrame, options: argparse.Namespace) -> str:
    """Return the page: a line an indicator, by family."""
    columns = [(book, year) for book, table in tables.items() for year in table.columns]
    counted = "; ".join(
        f"{book}: " + ", ".join(f"{count:,} in {year}" for year, count in table.attrs["bads"].items())
        for book, table in tables.items()
    )
    heads = [f"{book} {year}" for book, year in columns]
    lines = [
        "# What each indicator says alone",
        "",
        f"Written by `python -m bench.indicator_ginis --customers {options.customers}`: the Gini of each indicator alone for",
        "the 12-month outcome of customers who are not bad at the date, by year of the observation date (every three months),",
        "on the simulated lender and on the US car loans `aart`. Positive: riskier in its declared direction, or higher where",
        "it has none (°); missing values count as the median. A dash: the book has no such data, or all alike.",
        f"Bads, {counted}; years with fewer than {FEWEST_BADS} are left out.",
        "*Says the same as*: the other indicator with the strongest rank correlation at the lender's last date, and the",
        "cluster (average linkage at .7) where it has company.",
        "",
        f"| indicator | {' | '.join(heads)} | says the same as | cluster |",
        f"|---|{'---|' * len(heads)}---|---|",
    ]
    near = alike.set_index("indicator")
    for found in select():
        name = found.name
        cells = [shown(tables[book], name, year) for book, year in columns]
        like, cluster = "-", "-"
        if name in near.index:
            row = near.loc[name]
            like = f"`{row['nearest']}` ({row['rho']:.2f})"
            cluster = str(row["cluster"]) if row["size"] > 1 else "-"
        if like != "-" or set(cells) != {"-"}:
            lines.append(f"| `{name}`{'' if found.direction else ' °'} | {' | '.join(cells)} | {like} | {cluster} |")
    return "\n".join([*lines, ""])


def shown(table: pd.DataFrame, name: str, year: object) -> str:
    """Return a Gini with two digits, or a dash."""
    value = table.loc[name, year] if name in table.index else None
    return "-" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
