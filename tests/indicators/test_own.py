"""Indicators of others: the tutorial as written, what a check finds, and what goes wrong in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import nbformat
import pandas as pd
import pytest
from ibis import _
from nbclient import NotebookClient

from workbench.book.book import Book
from workbench.book.simulated import simulate_book
from workbench.core.errors import InputError
from workbench.core.workspace import Workspace
from workbench.indicators import own
from workbench.indicators.bases import BASES, Base
from workbench.indicators.checking import check_indicator
from workbench.indicators.panel import build_panel
from workbench.indicators.registry import REGISTRY, indicator, select
from workbench.indicators.snapshot import Snapshot
from workbench.indicators.stored import load_panel, panel_path

PAGE = (Path(__file__).parents[2] / "docs" / "own-indicators.md").read_text("utf-8")
DAY = date(2023, 9, 30)
WORDS = {"family": "behaviour", "direction": None, "label": ("a", "b"), "reason": ("{value}", "{value}")}


@pytest.fixture
def registry() -> Iterator[None]:
    """Take back what a test registers."""
    select()
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)
    own._loaded.clear()


@pytest.fixture(scope="module")
def book(new_workspace: Callable[..., Workspace]) -> Book:
    workspace = new_workspace()
    simulate_book(workspace, "own", customers=80, months=21, seed=3, start=date(2023, 1, 1))
    return Book.open(workspace, "own")


@pytest.fixture
def mine(book: Book, registry: None) -> Iterator[Path]:
    """Return the file of own indicators of the workspace."""
    folder = book.workspace.params / "indicators"
    folder.mkdir(exist_ok=True)
    yield folder / "mine.py"
    for path in folder.glob("*.py"):
        path.unlink()


def test_the_tutorial_runs_as_written(book: Book, mine: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    mine.write_text(code, "utf-8")
    verdicts = check_indicator(book, "restaurant_share_90d", as_of=DAY, customers=40, spark=False).set_index("check")
    assert verdicts["passed"].all()
    panel = load_panel(book, as_of=DAY).frame
    spent = book.as_known("transactions", as_of=DAY).to_pandas()
    spent = spent[(spent["booked_at"] > pd.Timestamp(2023, 7, 3)) & (spent["amount"] < 0)]
    expected = spent[spent["category"] == "restaurants"].groupby("customer_id")["amount"].sum().astype(float)
    share = (expected / spent.groupby("customer_id")["amount"].sum().astype(float)).reindex(panel["customer_id"])
    found = panel.set_index("customer_id")["restaurant_share_90d"]
    assert found.gt(0).sum() > 20
    pd.testing.assert_series_equal(found[share.notna()], share.dropna(), check_names=False)


def test_the_tutorials_cells_run_in_a_kernel_twice(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (cell,) = re.findall(r"```\n(from workbench.book.book import.*?)```", PAGE, re.DOTALL)
    asked = cell.replace('"demo"', '"own"').replace(
        'as_of=book.check_as_of("2024-12-31")', f'as_of=book.check_as_of("{DAY}"), spark=False'
    )
    assert asked.count(str(DAY)) == 1
    monkeypatch.setenv("WORKBENCH_HOME", str(book.workspace.root))
    cells = [nbformat.v4.new_code_cell(text) for text in (code, code, asked)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = notebook.cells[-1].outputs[-1]["data"]["text/plain"]
    assert shown.count("True") >= 3
    assert "False" not in shown


def test_the_tutorial_names_every_base_and_argument() -> None:
    assert set(BASES) <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


def test_a_file_that_changes_is_read_again_and_makes_another_panel(book: Book, mine: Path) -> None:
    text = f"""
from workbench.indicators.registry import indicator

@indicator(base="events", unit="events", absent=0, **{WORDS!r})
def my_events(t, at):
    '''Events.'''
    return t.kind.count()
"""
    plain = panel_path(book, DAY)
    mine.write_text(text, "utf-8")
    first = panel_path(book, DAY)
    values = build_panel(book, as_of=DAY, only=["my_events"]).frame["my_events"]
    mine.write_text(text.replace("count()", "nunique()").replace("my_events", "my_kinds"), "utf-8")
    assert len({plain, first, panel_path(book, DAY)}) == 3
    assert build_panel(book, as_of=DAY, only=["my_kinds"]).frame["my_kinds"].sum() < values.sum()
    assert "my_events" not in REGISTRY


def test_files_of_one_workspace_are_none_of_another(
    book: Book, mine: Path, new_workspace: Callable[..., Workspace]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    mine.write_text(code, "utf-8")
    other = new_workspace()
    (other.params / "indicators").mkdir()
    (other.params / "indicators" / "mine.py").write_text(code.replace("restaurant_share_90d", "theirs"), "utf-8")
    for workspace, name in (
        (book.workspace, "restaurant_share_90d"),
        (other, "theirs"),
        (book.workspace, "restaurant_share_90d"),
    ):
        own.load_own(workspace)
        assert {"restaurant_share_90d", "theirs"} & set(REGISTRY) == {name}
    mine.unlink()
    own.load_own(book.workspace)
    assert not {"restaurant_share_90d", "theirs"} & set(REGISTRY)


def test_a_combination_that_changes_brings_its_new_inputs(book: Book, mine: Path) -> None:
    text = f"""
from workbench.indicators.registry import indicator

@indicator(base="panel", unit="sum", null="never", **{WORDS!r})
def together(t, at):
    '''A sum.'''
    return t.dpd_now + t.failed_logins_30d
"""
    for names in (("dpd_now", "failed_logins_30d"), ("dpd_now", "complaints_180d")):
        mine.write_text(text.replace("failed_logins_30d", names[1]), "utf-8")
        panel = build_panel(book, as_of=DAY, only=["together", *names]).frame
        alone = build_panel(book, as_of=DAY, only=["together"]).frame["together"]
        pd.testing.assert_series_equal(alone, panel[names[0]] + panel[names[1]], check_names=False)


def test_an_installed_package_registers_by_its_entry_point(
    book: Book, registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (point,) = re.findall(r'^mine = "my_package.indicators"$', PAGE, re.MULTILINE)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "indicators.py").write_text(
        code.replace("restaurant_share_90d", "of_a_package"), "utf-8"
    )
    about = tmp_path / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text(f"[{own.ENTRY_POINTS}]\n{point.replace(chr(34), '')}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own._load_installed.cache_clear()
    assert build_panel(book, as_of=DAY, only=["of_a_package"]).frame["of_a_package"].gt(0).any()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", r"params/indicators/mine.py: SyntaxError: .* Mend the file"),
        (
            "import nothing_like_it\n",
            "params/indicators/mine.py: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        (
            "from workbench.indicators.registry import indicator\n"
            f"@indicator(base='events', unit='events', absent=0, **{WORDS!r})\ndef dpd_now(t, at):\n    'Taken.'\n",
            "'dpd_now' is registered twice",
        ),
        (
            "from workbench.indicators.registry import indicator\n"
            f"@indicator(base='events', unit='events', **{WORDS!r})\ndef silent(t, at):\n    'Nothing on nulls.'\n",
            "'silent' does not say when it is null",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text: str, words: str, book: Book, mine: Path) -> None:
    mine.write_text(text, "utf-8")
    with pytest.raises(InputError, match=words):
        build_panel(book, as_of=DAY, only=["dpd_now"])


def test_a_base_that_sees_the_future_is_found(book: Book, registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(snapshot: Snapshot) -> ibis.Table:
        return snapshot.book._engine.tables["transactions"].mutate(booked_on=_.booked_at.date())

    monkeypatch.setitem(BASES, "transactions", Base(everything, frozenset({"transactions"})))
    verdicts = check_indicator(book, "other_lender_inflow_90d", as_of=DAY, customers=40, spark=False).set_index("check")
    assert not verdicts.loc["no future: deleted", "passed"]
    assert "differ" in verdicts.loc["no future: deleted", "found"]


def test_a_value_beyond_the_range_and_nothing_at_all_are_found(book: Book, registry: None) -> None:
    @indicator(base="events", unit="share", null="no event", **WORDS)  # type: ignore[arg-type]
    def letters(t: Any, at: Any) -> Any:
        """Return a number as a share."""
        return t.kind.length().sum()

    @indicator(base="events", unit="share", null="always", **WORDS)  # type: ignore[arg-type]
    def nothing(t: Any, at: Any) -> Any:
        """Return nothing."""
        return t.kind.length().sum(where=t.kind == "no such kind")

    found = {
        name: check_indicator(book, name, as_of=DAY, customers=60, spark=False).set_index("check")
        for name in ("letters", "nothing")
    }
    assert (found["letters"].loc["nulls", "passed"], found["letters"].loc["range", "passed"]) == (True, False)
    assert "declared: 0 to 1" in found["letters"].loc["range", "found"]
    assert found["nothing"].loc["nulls"].tolist() == [False, "100.0% null; declared: always"]
