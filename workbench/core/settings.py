"""Settings and where each came from: flag, then environment, then `params/workbench.yaml`, then default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.core.errors import ParameterError, unknown
from workbench.core.yaml_files import check_mapping, read_yaml

ENVIRONMENT_PREFIX = "WORKBENCH_"
HOME_VARIABLE = "WORKBENCH_HOME"


class Settings(BaseModel):
    """What a user may set once for a workspace. Each field is also the variable `WORKBENCH_<NAME>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="threads that DuckDB may use; 1 makes floats equal to the last bit",
    )
    memory: str = Field("3GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|TB)$", description="memory that DuckDB may use")
    mlflow_uri: str = Field(
        "", description="an MLflow server or database; empty means mlruns/mlflow.db in the workspace"
    )
    notebook_minutes: float = Field(30, gt=0, description="a notebook that runs longer is stopped and counts as failed")
    lock_seconds: float = Field(120, gt=0, description="how long to wait for another run that writes the same thing")
    pseudonym_key_file: str = Field(
        "~/.config/loan-risk-workbench/pseudonym.key",
        description="file of the key that makes pseudonyms of private columns; outside the workspace, mode 0600",
    )
    lang: Literal["en", "zh"] = Field("en", description="language of reports, lists and alerts: en or zh")
    real_data: str = Field("../shared/data", description="folder of the real data sets that ship outside the project")

    @property
    def gigabytes(self) -> float:
        """The memory as a number of GB."""
        number, unit = self.memory.replace(" ", "")[:-2], self.memory[-2:]
        return float(number) * {"MB": 1e-3, "GB": 1.0, "TB": 1e3}[unit]


def resolve_settings(
    root: Path, *, flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, str]]:
    """Merge the four sources; return the settings and, for each name, the source that won.

    Raises
    ------
    ParameterError
        If a source holds an unknown name or a value of the wrong type.
    """
    file = root / "params" / "workbench.yaml"
    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file.exists():
        layers.append((str(file.relative_to(root)), read_yaml(file)))
    layers.append(("environment", _from_environment(environment or {})))
    layers.append(("flag", {name: value for name, value in (flags or {}).items() if value is not None}))
    for source, layer in layers:
        check_mapping(Settings, dict(layer), source=source)
        values.update(layer)
        sources.update(dict.fromkeys(layer, source))
    return Settings(**values), sources


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == HOME_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in Settings.model_fields:
            known = [ENVIRONMENT_PREFIX + field.upper() for field in Settings.model_fields]
            raise ParameterError(f"environment: {unknown('variable', variable, [*known, HOME_VARIABLE])}")
        found[name] = value
    return found
