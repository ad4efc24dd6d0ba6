"""The workspace: one folder that holds notebooks, params, data, models and reports, and the settings for them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.core.errors import InputError, ParameterError
from workbench.core.settings import HOME_VARIABLE, Settings, resolve_settings

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Workspace:
    """A root folder with settings; every path that the workbench reads or writes lies under it."""

    root: Path
    settings: Settings = field(default_factory=Settings)
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def params(self) -> Path:
        """Folder of the YAML parameters."""
        return self.root / "params"

    @property
    def notebooks(self) -> Path:
        """Folder of the notebooks."""
        return self.root / "notebooks"

    @property
    def books(self) -> Path:
        """Folder of the books."""
        return self.root / "data" / "books"

    @property
    def panels(self) -> Path:
        """Folder of the indicator panels."""
        return self.root / "data" / "panels"

    @property
    def scratch(self) -> Path:
        """Folder for what a run may spill and nobody needs later."""
        return self.root / "data" / "scratch"

    @property
    def reports(self) -> Path:
        """Folder of the reports, lists and the index."""
        return self.root / "reports"

    @property
    def mlruns(self) -> Path:
        """Folder of the model registry's artefacts."""
        return self.root / "mlruns"

    @property
    def mlflow_uri(self) -> str:
        """Tracking URI: always absolute, since MLflow's own default depends on the working directory."""
        return self.settings.mlflow_uri or f"sqlite:///{self.mlruns / 'mlflow.db'}"

    @property
    def real_data(self) -> Path:
        """Folder of the real data sets."""
        return (self.root / self.settings.real_data).resolve()


def open_workspace(start: Path | None = None, *, flags: Mapping[str, Any] | None = None) -> Workspace:
    """Open the workspace of `WORKBENCH_HOME`, or the one that `start` (by default the working directory) lies in.

    Raises
    ------
    InputError
        If there is no workspace there: a folder with `params/` and `notebooks/`.
    """
    home = os.environ.get(HOME_VARIABLE)
    origin = Path(home) if home else (start or Path.cwd())
    for folder in [origin.resolve(), *([] if home else origin.resolve().parents)]:
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            settings, sources = resolve_settings(folder, flags=flags, environment=os.environ)
            return Workspace(folder, settings, sources)
    raise InputError(
        f"{origin}: no workspace here: expected a folder with params/ and notebooks/. "
        f"Run from the project's folder, or set {HOME_VARIABLE} to it."
    )


def check_name(what: str, name: str) -> str:
    """Return `name` if it may name a book or a model: it becomes a folder, so nothing else is allowed.

    >>> check_name("book", "demo")
    'demo'

    Raises
    ------
    ParameterError
        If the name holds anything but small letters, digits, '-' and '_', or does not begin with a letter.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"{what} name {name!r}: expected up to 40 small letters, digits, '-' and '_', beginning with a letter."
        )
    return name
