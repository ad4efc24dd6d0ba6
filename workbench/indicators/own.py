"""Indicators of others: files under `params/indicators/`, and installed packages by entry point."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from workbench.core.errors import InputError
from workbench.core.workspace import Workspace
from workbench.indicators.registry import REGISTRY

ENTRY_POINTS = "workbench.indicators"
MODULE = "workbench_own_"
_loaded: dict[Path, bytes] = {}


def own_files(workspace: Workspace) -> list[Path]:
    """Return the files of a workspace that register indicators, in order."""
    return sorted((workspace.params / "indicators").glob("*.py"))


def load_own(workspace: Workspace) -> None:
    """Register what installed packages and the files of this workspace define, and nothing of another's.

    All files are read again where one was changed, added or removed.

    Raises
    ------
    InputError
        If a file or a package cannot be loaded, or names an indicator that there is.
    """
    _load_installed()
    files = {path: path.read_bytes() for path in own_files(workspace)}
    if files == _loaded:
        return
    _loaded.clear()
    for name in [found.name for found in REGISTRY.values() if found.expression.__module__.startswith(MODULE)]:
        del REGISTRY[name]
    for path in files:
        _load_file(path)
    _loaded.update(files)


@cache
def _load_installed() -> None:
    for point in sorted(entry_points(group=ENTRY_POINTS)):
        try:
            point.load()
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"indicators of the package entry point {point.value!r}: {error}") from error


def _load_file(path: Path) -> None:
    name = f"{MODULE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"params/indicators/{path.name}: {type(error).__name__}: {error}. Mend the file, or move it away."
        ) from error
