"""No words for readers outside the catalogue: every text of a notebook, and of what draws and lists, goes through `say`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.reporting.style import STATUSES

ROOT = Path(__file__).resolve().parent.parent
WORDS = re.compile(r"[A-Za-z]{2,}[,:;]? [A-Za-z(]{2,}|^[A-Z][a-z]{2,}$")
SAID = {"say", "say_count", "mark"}
# Calls whose texts no reader of a page sees: markup is written in one language, its words are filled in.
OTHER = {"Html", "Field", "compile", "fullmatch", "sub", "query", "getattr", "require_columns", "rc_context"}
# Names of parts and measures that frames hold, and what run.json and MLflow keep for programs.
CODES = {*STATUSES, "out of time", "out of group", "Gini", "Bad rate of the best ", "by the number of bads", "found afresh",
         "all candidates", "not registered"}  # fmt: skip


def notebook_code(path: Path) -> str:
    """Return the code cells of a notebook, apart from its parameters."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n".join(
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", [])
    )


def unsaid(code: str) -> Iterator[str]:
    """Yield the texts that look like words for people and are no argument of `say`, no error and no docstring."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Raise | ast.Assert):
            return
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in OTHER or name.endswith("Error"):
                return
            if name in SAID:
                for keyword in node.keywords:
                    yield from walk(keyword.value)
                return
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if text not in CODES and WORDS.search(text):
            yield text
        for child in ast.iter_child_nodes(node):
            docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if not docstring:
                yield from walk(child)

    yield from walk(ast.parse(code))


def test_it_finds_what_is_not_said() -> None:
    code = 'x = f"{n} customers are late"\nraise ValueError("no such thing")\nsay("all is well", who="the risk team")'
    assert list(unsaid(code)) == [" customers are late", "the risk team"]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_says_every_word(path: Path) -> None:
    assert list(unsaid(notebook_code(path))) == []
