"""Notebook parameters: declared once, in the notebook's own cell, and checked against it before anything starts."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, create_model

from workbench.core.errors import ParameterError, unknown
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import check_mapping, read_yaml

TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list[str]": list[str],
    "dict[str, float]": dict[str, float],
}
RESERVED = frozenset({"book", "sample", "as_of", "output_dir"})  # given by the run itself


def list_notebooks(workspace: Workspace) -> list[str]:
    """Return the names of the workspace's notebooks, sorted."""
    return sorted(path.stem for path in workspace.notebooks.glob("[0-9]*.ipynb"))


def notebook_path(workspace: Workspace, notebook: str) -> Path:
    """Return the path of a notebook.

    Raises
    ------
    ParameterError
        If there is none of that name; the nearest is given.
    """
    known = list_notebooks(workspace)
    if notebook not in known:
        raise ParameterError(unknown("notebook", notebook, known))
    return workspace.notebooks / f"{notebook}.ipynb"


def declared_parameters(path: Path) -> type[BaseModel]:
    """Return a pydantic model of the parameters that a notebook declares in its cell tagged `parameters`.

    Raises
    ------
    ParameterError
        If there is no such cell, or a line of it is not `name: type = value` with a type that the workbench knows.
    """
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        raise ParameterError(
            f"{path}: not a notebook: expected JSON with cells. Restore it, or save it anew."
        ) from None
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{path.name}: found {len(tagged)} cells tagged 'parameters', expected one.")
    try:
        declared = ast.parse("".join(tagged[0]["source"])).body
    except SyntaxError as error:
        raise ParameterError(f"{path.name}: parameters, line {error.lineno}: {error.msg}; mend that cell.") from None
    fields: dict[str, Any] = {}
    for line in declared:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name) or line.value is None:
            raise ParameterError(f"{path.name}: parameter {ast.unparse(line)!r}: expected name: type = value.")
        kind = TYPES.get(ast.unparse(line.annotation))
        if kind is None:
            found = ast.unparse(line.annotation)
            raise ParameterError(
                f"{path.name}: parameter {line.target.id!r} has type {found!r}; expected one of: {', '.join(TYPES)}."
            )
        fields[line.target.id] = (kind, None)
    return create_model(path.stem, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def check_parameters(
    workspace: Workspace, notebook: str, *, given: Mapping[str, Any], book: str = "", sample: str = ""
) -> dict[str, Any]:
    """Merge `parameters` of `params/books/BOOK.yaml` or `params/samples/NAME.yaml` with those given, and check both.

    Raises
    ------
    ParameterError
        If a name is unknown (the nearest known one is named), a value has the wrong type, or the notebook takes no sample.
    """
    model = declared_parameters(notebook_path(workspace, notebook))
    if sample and "sample" not in model.model_fields:
        able = [name for name in list_notebooks(workspace) if _takes_samples(notebook_path(workspace, name))]
        raise ParameterError(
            f"{notebook}: reads a book, not a flat sample; give --book. Notebooks that take --sample: {', '.join(able)}."
        )
    file = workspace.params / ("samples" if sample else "books") / f"{sample or book}.yaml"
    merged: dict[str, Any] = {}
    for source, values in ((str(file), _of_file(file, notebook)), (notebook, dict(given))):
        for name in RESERVED & values.keys():
            raise ParameterError(f"{source}: {name!r} is set by the run itself; use --book and --as-of, or --sample.")
        checked = check_mapping(model, _dates_as_text(values), source=source)
        merged.update(checked.model_dump(exclude_unset=True))
    return merged


def _dates_as_text(value: Any) -> Any:
    """Return dates, which YAML reads by themselves, as the ISO text that notebooks declare."""
    if isinstance(value, dict):
        return {name: _dates_as_text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def _takes_samples(path: Path) -> bool:
    try:
        return "sample" in declared_parameters(path).model_fields
    except ParameterError:  # another notebook is broken: no answer to what was asked
        return False


def _of_file(file: Path, notebook: str) -> dict[str, Any]:
    if not file.exists():
        return {}
    parameters = read_yaml(file).get("parameters") or {}
    return dict(parameters.get(notebook) or {})


def parse_assignments(assignments: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Read `name=value` pairs; the value is read as YAML, so `3`, `true` and `[a, b]` are what they look like.

    >>> parse_assignments(["max_bins=5", "title=x=1"])
    {'max_bins': 5, 'title': 'x=1'}

    Raises
    ------
    ParameterError
        If a pair has no '=' or its value is no YAML.
    """
    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise ParameterError(f"parameter {assignment!r}: expected name=value, as in -p max_bins=5.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ParameterError(f"parameter {name!r}: value {text!r} cannot be read: {error}") from None
        parsed[name] = value if isinstance(value, bool | int | float | str | list | dict) else text
    return parsed
