"""Bad input: one clear message, the right exit code, and nothing published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.core.dates import month_ends
from workbench.core.workspace import Workspace, open_workspace

from ..commands import Finished, published, shell

Typed = Callable[..., Finished]
ON_TINY = ("--book", "tiny")

WRONG = {
    "notebook": (["run", "10_data_qualty", *ON_TINY], ["'10_data_qualty'", "Did you mean '10_data_quality'?"]),
    "notebook far off": (["run", "nothing", *ON_TINY], ["unknown notebook 'nothing'", "60_risk_report"]),
    "book": (["run", "10_data_quality", "--book", "tny"], ["unknown book 'tny'", "Did you mean 'tiny'?"]),
    "book as a path": (
        ["run", "10_data_quality", "--book", "../tiny"],
        ["unknown book '../tiny'. Did you mean 'tiny'?"],
    ),
    "book of show": (["book", "show", "tinny"], ["Did you mean 'tiny'?"]),
    "book of panels": (["indicators", "build", "--book", "x"], ["unknown book 'x'"]),
    "book to import": (["book", "import", "aartt"], ["aartt", "Did you mean 'aart'?"]),
    "parameter": (
        ["run", "30_scorecard", *ON_TINY, "-p", "max_variabels=3"],
        ["unknown name 'max_variabels'", "Did you mean 'max_variables'?"],
    ),
    "type": (
        ["run", "30_scorecard", *ON_TINY, "-p", "max_variables=many"],
        ["max_variables: found 'many'", "integer"],
    ),
    "list for a number": (["run", "30_scorecard", *ON_TINY, "-p", "seed=[1, 2]"], ["seed: found [1, 2]", "integer"]),
    "text for a list": (["run", "30_scorecard", *ON_TINY, "-p", "stress_dates=2023-05-31"], ["stress_dates", "list"]),
    "truth for a number": (["run", "30_scorecard", *ON_TINY, "-p", "register_candidate=7"], ["register_candidate"]),
    "no value": (["run", "30_scorecard", *ON_TINY, "-p", "seed"], ["'seed'", "expected name=value"]),
    "reserved": (["run", "30_scorecard", *ON_TINY, "-p", "book=demo"], ["'book' is set by the run", "--book"]),
    "date outside": (
        ["run", "10_data_quality", *ON_TINY, "--as-of", "2030-01-31"],
        ["found 2030-01-31", "2023-01-01 to 2023-08-31"],
    ),
    "date before": (["pipeline", *ON_TINY, "--as-of", "2022-12-31"], ["found 2022-12-31", "2023-01-01"]),
    "no date": (["run", "10_data_quality", *ON_TINY, "--as-of", "monday"], ["'monday'", "expected a date such as"]),
    "no such day": (["indicators", "build", *ON_TINY, "--as-of", "2023-02-30"], ["'2023-02-30'", "expected a date"]),
    "command": (["modle", "list"], ["'modle'", "'model'"]),
    "command of a group": (["book", "simulat", "x"], ["'simulat'", "'simulate'"]),
    "option": (["book", "list", "--jsno"], ["--jsno", "--json"]),
    "missing option": (["run", "10_data_quality"], ["--book"]),
    "choice": (["pipeline", *ON_TINY, "--fail-on", "purple"], ["'purple'", "'red'"]),
    "number of an option": (["book", "simulate", "x", "--customers", "many"], ["'many'", "integer"]),
    "model": (["model", "show", "tiny_scorecard"], ["unknown model 'tiny_scorecard'"]),
    "model to promote": (["model", "promote", "tiny_scorecard"], ["unknown model 'tiny_scorecard'"]),
    "override without author": (["model", "promote", "x", "--override", "it rains"], ["reason and its author"]),
    "model to score": (
        ["score", "--model", "x", "--input", "in.csv", "--output", "out.csv"],
        ["unknown model 'x'"],
    ),
    "output of score": (["score", "--model", "x", "--input", "in.csv", "--output", "out.txt"], ["out.txt", ".parquet"]),
    "indicator": (["indicators", "build", *ON_TINY, "--only", "dpd_nwo"], ["'dpd_nwo'", "Did you mean 'dpd_now'?"]),
    "indicator to check": (["indicators", "check", "dpd_nwo", *ON_TINY], ["'dpd_nwo'", "Did you mean 'dpd_now'?"]),
    "engine of a stored book": (
        ["indicators", "build", *ON_TINY, "--engine", "postgres"],
        ["engine postgres: book 'tiny' is stored here", "workbench book attach"],
    ),
    "engine": (["indicators", "build", *ON_TINY, "--engine", "sparc"], ["'sparc'", "'spark'"]),
    "memory": (["indicators", "build", *ON_TINY, "--memory", "lots"], ["--memory", "memory", "lots"]),
    "name of a book": (["book", "simulate", "My Book"], ["'My Book'", "small letters"]),
    "name that leads out": (["book", "simulate", "../x"], ["'../x'", "small letters"]),
    "too few customers": (["book", "simulate", "x", "--customers", "3"], ["customers is 3", "expected 50"]),
    "too many months": (["book", "simulate", "x", "--months", "100000"], ["months is 100000"]),
    "seed": (["book", "simulate", "x", "--seed", "-1"], ["seed is -1", "expected 0 or more"]),
    "short demo": (["demo", "--months", "12"], ["months: found 12", "at least 30"]),
    "report not made": (["report", "open", *ON_TINY, "--print"], ["not run yet", "workbench run 60_risk_report"]),
    "report of what": (["report", "open", *ON_TINY, "--notebook", "60", "--print"], ["unknown notebook '60'"]),
    "port": (["lab", "--no-browser", "--port", "99999"], ["99999", "1<=x<=65535"]),
    "port of mlflow": (["mlflow", "--port", "0"], ["1<=x<=65535"]),
    "no parameters cell": (["run", "92_bare", *ON_TINY], ["92_bare", "0 cells tagged 'parameters'"]),
    "broken parameters cell": (["run", "93_wrong_line", *ON_TINY], ["93_wrong_line", "line 1"]),
    "untyped parameter": (["run", "94_untyped", *ON_TINY], ["'top = 3'", "name: type = value"]),
    "no notebook at all": (["run", "97_text", *ON_TINY], ["97_text.ipynb", "not a notebook"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_exits_with_2_and_says_what_to_do(case: str, tiny: Path, typed: Typed) -> None:
    arguments, words = WRONG[case]
    before = published(tiny)
    done = typed(*arguments, home=tiny)
    assert done.code == 2, done.err
    message = done.message()
    for word in words:
        assert word in message
    assert done.out == ""
    assert published(tiny) == before


@pytest.mark.parametrize("case", ["parameter", "book", "command"])
def test_a_process_of_its_own_says_the_same(case: str, tiny: Path) -> None:
    arguments, words = WRONG[case]
    done = shell(*arguments, home=tiny)
    assert done.code == 2
    assert all(word in done.message() for word in words)


def test_a_mistyped_variable_is_named(tiny: Path, typed: Typed) -> None:
    done = typed("doctor", home=tiny, WORKBENCH_THREAD="2")
    assert done.code == 2
    assert "unknown variable 'WORKBENCH_THREAD'. Did you mean 'WORKBENCH_THREADS'?" in done.message()


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("THREADS", "two", "integer"),
        ("THREADS", "0", "greater"),
        ("MEMORY", "much", "MB"),
        ("NOTEBOOK_MINUTES", "0", "0"),
    ],
)
def test_a_variable_of_the_wrong_type_is_named(name: str, value: str, word: str, tiny: Path, typed: Typed) -> None:
    done = typed("book", "list", home=tiny, **{f"WORKBENCH_{name}": value})
    assert done.code == 2
    assert f"environment: {name.lower()}: found {value!r}" in done.message()
    assert word in done.message()


def test_no_workspace(tmp_path: Path, typed: Typed) -> None:
    done = typed("book", "list", home=None, cwd=tmp_path)
    assert done.code == 2
    assert "no workspace here: expected a folder with params/ and notebooks/" in done.message()
    assert "WORKBENCH_HOME" in done.message()
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_none(tmp_path: Path, typed: Typed) -> None:
    done = typed("book", "list", home=tmp_path / "nowhere", cwd=tmp_path)
    assert done.code == 2
    assert str(tmp_path / "nowhere") in done.message()


def test_an_unknown_setting_in_the_file(tiny: Path, tmp_path: Path, typed: Typed) -> None:
    home = tmp_path / "home"
    for name in ("params", "notebooks"):
        shutil.copytree(tiny / name, home / name)
    (home / "params" / "workbench.yaml").write_text("treads: 2\n", "utf-8")
    done = typed("book", "list", home=home)
    assert done.code == 2
    assert "workbench.yaml: unknown name 'treads'. Did you mean 'threads'?" in done.message()


def _unpublished(home: Path, before: dict[str, str], notebook: str) -> Path:
    """Check that a failed run left its copy and its reason, and nothing else; return its folder."""
    new = {path for path, digest in published(home).items() if before.get(path) != digest}
    folders = {Path(path).parent for path in new - {"reports/index.html"}}
    assert len(folders) == 1, sorted(new)
    (folder,) = folders
    assert folder.name.startswith(f"{notebook}-")
    assert {Path(path).name for path in new} == {"index.html", "run.json", f"{notebook}.ipynb"}
    return home / folder


@pytest.mark.parametrize(
    ("notebook", "words"),
    [
        ("91_raises", ["ValueError: the sum is off by 3"]),
        ("95_dies", ["Kernel died"]),
    ],
)
def test_a_notebook_that_raises(notebook: str, words: list[str], tiny: Path, typed: Typed) -> None:
    before = published(tiny)
    done = typed("run", notebook, *ON_TINY, home=tiny)
    assert done.code == 3
    for word in [f"notebook {notebook} failed", *words, "No page and no list was published"]:
        assert word in done.message()
    folder = _unpublished(tiny, before, notebook)
    assert str(folder) in done.message()
    assert f'"reason": "{words[0]}' in (folder / "run.json").read_text("utf-8") or notebook == "95_dies"
    assert folder.name in (tiny / "reports" / "index.html").read_text("utf-8")


def test_a_book_too_short_for_a_scorecard(tiny: Path, typed: Typed) -> None:
    before = published(tiny)
    done = typed("run", "30_scorecard", *ON_TINY, home=tiny)
    assert done.code == 2
    assert "observation dates fit" in done.message()
    _unpublished(tiny, before, "30_scorecard")


def test_monitoring_without_a_scorecard(tiny: Path, typed: Typed) -> None:
    before = published(tiny)
    done = typed("run", "40_monitoring", *ON_TINY, home=tiny)
    assert done.code == 2
    assert "unknown model 'tiny_scorecard'" in done.message()
    _unpublished(tiny, before, "40_monitoring")


@pytest.fixture(scope="session")
def good_payers(new_workspace: Callable[..., Workspace], make_book: Callable[..., Book]) -> Path:
    """Return a workspace with the book `good`: 300 customers with a loan each that nobody is ever late with."""
    made = new_workspace()
    rng = np.random.default_rng(5)
    ids = [f"C{i:03d}" for i in range(300)]
    customers = pd.DataFrame({"customer_id": ids, "monthly_income": rng.uniform(1000, 4000, 300)})
    loans = pd.DataFrame({"loan_id": [f"L{i}" for i in ids], "customer_id": ids, "product": "personal"}).assign(
        opened_on=date(2022, 6, 1), principal=rng.uniform(2000, 9000, 300), annual_rate=0.1, term_months=60
    )
    months = pd.DataFrame({"month_end": month_ends(date(2023, 1, 1), date(2025, 6, 30))})
    performance = loans[["loan_id", "principal"]].merge(months, how="cross").assign(dpd=0, due_amount=100.0)
    performance = performance.rename(columns={"principal": "balance"}).assign(paid_amount=100.0)
    make_book(
        {"customers": customers, "loans": loans, "performance": performance},
        name="good",
        last_day=date(2025, 6, 30),
        within=made,
    )
    return made.root


def test_a_book_with_no_bads(good_payers: Path, typed: Typed) -> None:
    before = published(good_payers)
    done = typed("run", "30_scorecard", "--book", "good", home=good_payers)
    assert done.code == 2, done.err
    assert "bad" in done.message()
    _unpublished(good_payers, before, "30_scorecard")
    assert typed("model", "list", "--json", home=good_payers).out.strip() == "[]"


def test_parameters_of_a_book_are_checked_too(tiny: Path, typed: Typed) -> None:
    file = tiny / "params" / "books" / "tiny.yaml"
    file.write_text("parameters:\n  20_indicators:\n    topp: 3\n", "utf-8")
    try:
        done = typed("run", "20_indicators", *ON_TINY, home=tiny)
    finally:
        file.unlink()
    assert done.code == 2
    assert "tiny.yaml: unknown name 'topp'. Did you mean 'top'?" in done.message()


def test_the_workspace_was_opened_as_the_tests_think(tiny: Path) -> None:
    assert open_workspace(tiny).root == tiny.resolve()
