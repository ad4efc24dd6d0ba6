"""The risk report by size of book: time, memory, size and first paint, beside nbconvert's `lab` page of the same run.

The book is made up (bench/_big_book.py), its panels are there before, the scorecard is that of a small demo. `start` is a
run of a notebook without content: what every notebook takes.
Run: .venv/bin/python -m bench.report [--customers 20000 1000000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench._big_book import LAST_DAY, big_book
from bench._scratch import Used, measured, scratch_workspace, workbench
from tests.commands import RESERVED, write_notebook
from tests.conftest import BROWSER_FLAGS
from workbench.book.book import Book
from workbench.core.dates import month_end
from workbench.core.workspace import Workspace
from workbench.indicators.stored import load_panel
from workbench.runs.doctor import find_browser

REPORT, EMPTY = "60_risk_report", "90_empty"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 1_000_000])
    options = parser.parse_args()
    with scratch_workspace() as workspace, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_FLAGS)
        measured(workbench("demo", "--customers", "2000"), workspace)
        write_notebook(workspace.notebooks, EMPTY, "1", parameters=RESERVED)
        start = measured(workbench("run", EMPTY, "--book", "demo"), workspace).seconds
        print(f"start: {start:.1f} s\n")
        print(
            "| customers | beyond the start | peak memory | page | first paint | lab: converting | lab: page | lab: paint |"
        )
        print("|---|---|---|---|---|---|---|---|", flush=True)
        for customers in options.customers:
            print(one_size(workspace, chromium, customers, start), flush=True)


def one_size(workspace: Workspace, chromium: Browser, customers: int, start: float) -> str:
    """Return a row of the table."""
    book = f"big-{customers}"
    big_book(workspace, book, customers=customers, transactions=5 * customers, events=customers)
    for day in (LAST_DAY, month_end(LAST_DAY, months=-1)):
        load_panel(Book.open(workspace, book), as_of=day)
    used = run_report(workspace, book)
    newest = max((workspace.reports / "runs").glob(f"{REPORT}-{book}-*"), key=lambda folder: folder.stat().st_mtime)
    page, lab = newest / f"{REPORT}.html", workspace.root / "lab.html"
    begun = time.perf_counter()
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", "lab", "--output", str(lab)]
    measured([*convert, str(newest / f"{REPORT}.ipynb")], workspace)
    seconds = time.perf_counter() - begun
    cells = [
        f"{customers:,}", f"{used.seconds - start:.1f} s", f"{used.gigabytes:.2f} GB", kilobytes(page),
        first_paint(chromium, page), f"{seconds:.1f} s", kilobytes(lab), first_paint(chromium, lab),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def run_report(workspace: Workspace, book: str) -> Used:
    """Run the report."""
    return measured(workbench("run", REPORT, "--book", book, "-p", "model=demo_scorecard"), workspace)


def kilobytes(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB"


def first_paint(chromium: Browser, path: Path) -> str:
    """Return the median time to the first contentful paint of five openings, without a network."""
    found = []
    for _ in range(5):
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.route("http*://**", lambda route: route.abort())
        page.goto(path.as_uri())
        page.wait_for_timeout(300)
        paints = json.loads(page.evaluate("JSON.stringify(performance.getEntriesByName('first-contentful-paint'))"))
        found.append(paints[0]["startTime"] if paints else float("nan"))
        page.close()
    return f"{statistics.median(found):.0f} ms"


if __name__ == "__main__":
    main()
