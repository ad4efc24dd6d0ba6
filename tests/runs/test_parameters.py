"""Parameters are declared once, in the notebook, and checked against that before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.core.errors import ParameterError
from workbench.core.workspace import Workspace
from workbench.runs.parameters import (
    check_parameters,
    declared_parameters,
    list_notebooks,
    notebook_path,
    parse_assignments,
)

from ..commands import RESERVED, write_notebook

EVERY_TYPE = (
    RESERVED
    + """
top: int = 3  # one
share: float = 0.5  # two
word: str = "x"  # three
flag: bool = False  # four
names: list[
    str
] = []  # over several lines
weights: dict[str, float] = {}  # six
"""
)


@pytest.fixture(scope="module")
def bench(new_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace with `90_types`, which declares a parameter of each type."""
    made = new_workspace()
    write_notebook(made.notebooks, "90_types", "1 + 1", parameters=EVERY_TYPE)
    return made


def test_each_type_passes_as_what_it_is(bench: Workspace) -> None:
    given = parse_assignments(["top=4", "share=1", "word='2025'", "flag=yes", "names=[a, b]", "weights={a: 1, b: 0.5}"])
    assert check_parameters(bench, "90_types", book="demo", given=given) == {
        "top": 4,
        "share": 1.0,
        "word": "2025",
        "flag": True,
        "names": ["a", "b"],
        "weights": {"a": 1.0, "b": 0.5},
    }


def test_what_is_not_given_is_left_to_the_notebook(bench: Workspace) -> None:
    assert check_parameters(bench, "90_types", book="demo", given={}) == {}
    assert check_parameters(bench, "90_types", book="demo", given={"top": 4}) == {"top": 4}


@pytest.mark.parametrize(
    ("assignment", "word"),
    [
        ("top=1.5", "integer"),
        ("share=much", "number"),
        ("flag=7", "boolean"),
        ("names=a", "list"),
        ("weights=[1]", "dict"),
    ],
)
def test_a_wrong_type_is_refused(assignment: str, word: str, bench: Workspace) -> None:
    with pytest.raises(ParameterError, match=rf"90_types: {assignment.partition('=')[0]}: found .*{word}"):
        check_parameters(bench, "90_types", book="demo", given=parse_assignments([assignment]))


def test_every_finding_is_told_at_once(bench: Workspace) -> None:
    with pytest.raises(ParameterError) as raised:
        check_parameters(bench, "90_types", book="demo", given={"top": "x", "shaer": 1})
    assert "'shaer'. Did you mean 'share'?" in str(raised.value)
    assert "top: found 'x'" in str(raised.value)


def test_the_command_line_wins_over_the_books_file(bench: Workspace) -> None:
    file = bench.params / "books" / "mine.yaml"
    file.write_text("parameters: {90_types: {top: 5, share: 0.25}, 20_indicators: {top: 1}}\n", "utf-8")
    assert check_parameters(bench, "90_types", book="mine", given={"top": 9}) == {"top": 9, "share": 0.25}
    assert check_parameters(bench, "90_types", book="other", given={}) == {}


@pytest.mark.parametrize("name", ["book", "as_of", "output_dir"])
def test_what_the_run_gives_is_not_for_others_to_give(name: str, bench: Workspace) -> None:
    with pytest.raises(ParameterError, match=f"'{name}' is set by the run itself"):
        check_parameters(bench, "90_types", book="demo", given={name: "x"})


def test_a_type_that_nobody_can_check(bench: Workspace, tmp_path: Path) -> None:
    path = write_notebook(tmp_path, "90_odd", "1", parameters="when: date = None")
    with pytest.raises(ParameterError, match=r"'when' has type 'date'; expected one of: str, int"):
        declared_parameters(path)


@pytest.mark.parametrize("assignment", ["top", "=3", "names=[a", "names={a: b: c}"])
def test_an_assignment_that_is_none(assignment: str) -> None:
    with pytest.raises(ParameterError, match=r"expected name=value|cannot be read"):
        parse_assignments([assignment])


def test_a_date_stays_text() -> None:
    assert parse_assignments(["last_observation=2024-06-30", "word=", "word2=~"]) == {
        "last_observation": "2024-06-30",
        "word": "",
        "word2": "~",
    }


def test_only_numbered_notebooks_are_stages(bench: Workspace) -> None:
    write_notebook(bench.notebooks, "scratch", "1")
    assert "scratch" not in list_notebooks(bench)
    assert {"10_data_quality", "60_risk_report", "90_types"} <= set(list_notebooks(bench))
    with pytest.raises(ParameterError, match="unknown notebook 'scratch'"):
        notebook_path(bench, "scratch")


def test_every_shipped_notebook_declares_what_a_run_gives(workspace: Workspace) -> None:
    for notebook in list_notebooks(workspace):
        fields = declared_parameters(notebook_path(workspace, notebook)).model_fields
        assert {"book", "as_of", "output_dir"} <= fields.keys(), notebook
