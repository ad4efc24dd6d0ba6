"""The pages in Chinese: every word is, apart from what data, code and files are called."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from openpyxl import load_workbook

from tests.cells import page_of
from tests.commands import current_folder
from tests.pipeline import LAST, Lender
from workbench.core.workspace import Workspace
from workbench.runs.run import run_notebook

RUN = ("40_monitoring", "50_strategy")
# What stays as it is: ids, runs, names of books, models, rules, columns, files and products, abbreviations.
NAMES = re.compile(
    r"(?<![A-Za-z0-9_])(\w+-\w+-\d{4}-\d\d-\d\d-\d{8}T\d{6}-\w+|[A-Za-z0-9_/]+\.(xlsx|yaml|csv|parquet)|[A-G]|[A-Z]\d+|[a-z0-9]+(_[a-z0-9]+)+|[a-z_]+\.[a-z_]+|[0-9a-f]{16}"
    r"|IFRS|CRR|PD|LGD|PSI|KS|ln|Excel|H[12]|\d{4}[QH]\d|workbench [a-zA-Z0-9 -]+)(?![A-Za-z0-9_])"
)


@pytest.fixture(scope="module")
def chinese(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a copy of the lender's workspace that speaks Chinese, its alerts and actions raised anew."""
    home = tmp_path_factory.mktemp("chinese") / "home"
    shutil.copytree(lender.home, home)
    for pointer in (home / "reports/current").rglob("10_data_quality.json"):
        pointer.unlink()  # an English run: what it found is told in its own words
    settings = lender.workspace.settings.model_copy(update={"lang": "zh"})
    made = replace(lender.workspace, root=home, settings=settings, sources={"lang": "flag", "threads": "flag"})
    for notebook in RUN:
        run_notebook(made, notebook, book="demo")
    return made


def data_of(workspace: Workspace) -> set[str]:
    """Return the words that the book's own columns hold."""
    words = {"demo", "simulated"}
    for path in workspace.root.glob("data/books/demo/generations/*/*.parquet"):
        frame = pd.read_parquet(path)
        for name in ("product", "region", "occupation", "education", "segment", "channel"):
            if name in frame:
                words |= {
                    word for value in frame[name].dropna().unique() for word in re.findall("[A-Za-z]+", str(value))
                }
    return words


def latin(texts: list[str], allowed: set[str]) -> list[str]:
    """Return the texts in which a Latin word is left that is no name."""
    return [
        text
        for text in texts
        if set(re.findall("[A-Za-z]{2,}", NAMES.sub("", text))) - allowed
        and not text.startswith(("simulated:", "trend_months"))  # the source, the parameters
    ]


@pytest.mark.parametrize("notebook", [*RUN, "61_customer", "60_risk_report"])
def test_a_page_in_chinese(chinese: Workspace, notebook: str, tmp_path: Path) -> None:
    folder = current_folder(chinese, notebook, book="demo", as_of=LAST) if notebook in RUN else tmp_path
    html = (
        (folder / f"{notebook}.html").read_text("utf-8")
        if folder != tmp_path
        else page_of(chinese, notebook, folder, book="demo")
    )
    page = BeautifulSoup(html, "html.parser")
    assert page.html["lang"] == "zh-CN"
    for part in page(["style", "title", "code"]):
        part.decompose()
    texts = [*page.stripped_strings, *(image["alt"] for image in page.find_all("img"))]
    assert latin(texts, data_of(chinese)) == []
    assert not [text for text in texts if "**" in text]
    for path in folder.glob("*.xlsx"):
        for sheet in load_workbook(path).worksheets[:1]:
            heads = [str(cell.value) for cell in next(sheet.iter_rows(max_row=1))]
            assert latin([sheet.title, *heads], set()) == []
