"""A notebook run in this process: its cells one after the other, its page from what they showed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from workbench.core.languages import in_language
from workbench.core.workspace import Workspace
from workbench.reporting.html import render_report


def page_of(workspace: Workspace, notebook: str, folder: Path, **parameters: Any) -> str:
    """Return the page of a notebook whose parameters are those given."""
    path = workspace.notebooks / f"{notebook}.ipynb"
    copy = nbformat.read(path, as_version=4)
    scope: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, in_language(workspace.settings.lang):
        patch.setenv("WORKBENCH_HOME", str(workspace.root))
        for name in ("threads", "lang"):
            patch.setenv(f"WORKBENCH_{name.upper()}", str(getattr(workspace.settings, name)))
        for cell in copy.cells:
            if cell.cell_type != "code":
                continue
            shown: list[Any] = []
            scope["display"] = lambda *values, shown=shown: shown.extend(values)
            body = ast.parse(cell.source)
            last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
            exec(compile(body, f"{notebook}.ipynb", "exec"), scope)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), f"{notebook}.ipynb", "eval"), scope))
            if "parameters" in cell.metadata.get("tags", []):
                scope |= {"output_dir": str(folder), **parameters}
            cell.outputs = [
                nbformat.v4.new_output("display_data", data=data, metadata=metadata)
                for data, metadata in (value._repr_mimebundle_() for value in shown if value is not None)
            ]
        executed = folder / f"{notebook}.ipynb"
        nbformat.write(copy, executed)
        return render_report(executed, title=notebook)
