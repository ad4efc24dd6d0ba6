"""`params/samples/NAME.yaml`: where a flat table lies, how it is written, and what each of its columns is to a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from workbench.core.errors import ParameterError, unknown
from workbench.core.workspace import Workspace, check_name
from workbench.core.yaml_files import load_params
from workbench.models.bins import Direction
from workbench.models.fitting import ROLES
from workbench.models.table_file import TableLayout

Value = str | int | float | bool
PROTECTED_WORDS = frozenset(
    "age birth birthdate birthday disability ethnic ethnicity foreign foreigner gender marital marriage married nationality"
    " pregnancy pregnant race religion sex".split()
)
"""Words in a column's name that ask for a declared role. Traits of the EU's Directive 2000/43/EC and 2000/78/EC and of
the US Equal Credit Opportunity Act (15 USC 1691)."""


class TargetColumn(BaseModel):
    """Which column tells good from bad, and what bad means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    event: Value  # the value that means bad
    indeterminate: tuple[Value, ...] = ()  # values left out of fitting only
    definition: str = ""  # what bad means, in words
    window_months: Annotated[int, Field(ge=1)] | Literal["unknown"] = Field(union_mode="left_to_right")


class ColumnDescription(BaseModel):
    """What a column is to the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = "feature"
    direction: Direction = None
    categorical: bool | None = None  # by default text is, numbers are not
    special: dict[Value, str] = {}  # codes that are statuses, with their meaning
    label: dict[str, str] = {}
    reason: dict[str, str] = {}
    unit: str = ""


class SampleDescription(TableLayout):
    """A `params/samples/NAME.yaml`: where the table lies, how it is written, and what its columns are."""

    path: str
    target: TargetColumn
    source: str = ""
    id: str | None = None  # by default the number of the row
    date: str | None = None
    date_format: str | None = None
    weights: str | None = None
    columns: dict[str, ColumnDescription] = Field(default_factory=dict)
    other_columns: str = "feature"  # the role of columns that are not named
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)


def described_samples(workspace: Workspace) -> list[str]:
    """Return the names of the flat samples that `params/samples/` describes, sorted."""
    return sorted(path.stem for path in (workspace.params / "samples").glob("*.yaml"))


def read_description(workspace: Workspace, name: str) -> tuple[SampleDescription, Path, Path]:
    """Return the description of a sample, its file, and the path of the table.

    Raises
    ------
    ParameterError
        No such description, or one that does not hold.
    """
    known = described_samples(workspace)
    if name not in known:
        raise ParameterError(f"{unknown('sample', name, known)} A sample is described in params/samples/NAME.yaml.")
    check_name("sample", name)
    file = workspace.params / "samples" / f"{name}.yaml"
    description = load_params(SampleDescription, file)
    try:
        path = (workspace.root / description.path.format(real_data=workspace.real_data)).resolve()
    except (KeyError, IndexError, ValueError) as error:
        raise ParameterError(
            f"{file}: path {description.path!r}: its only place is {{real_data}} ({error!r})."
        ) from error
    return description, file, path


def column_roles(frame: pd.DataFrame, description: SampleDescription, where: str) -> dict[str, ColumnDescription]:
    """Return the description of every column that has no purpose of its own, in the table's order."""
    target = description.target.column
    purposes: dict[str, str] = {}
    for purpose, column in (
        ("target", target),
        ("id", description.id),
        ("date", description.date),
        ("weights", description.weights),
    ):
        if column is None:
            continue
        if column not in frame.columns:
            raise ParameterError(f"{where}: {purpose}: {unknown('column', column, map(str, frame.columns))}")
        if column in purposes:
            raise ParameterError(f"{where}: column {column!r} is both {purposes[column]} and {purpose}; take one away.")
        purposes[column] = purpose
    for column, about in description.columns.items():
        if column not in frame.columns:
            raise ParameterError(f"{where}: columns: {unknown('column', column, map(str, frame.columns))}")
        if column in purposes:
            raise ParameterError(
                f"{where}: column {column!r} is both {purposes[column]} and {about.role}; take it out of columns."
            )
        if about.role not in ROLES:
            raise ParameterError(f"{where}: column {column!r}: {unknown('role', about.role, ROLES)}")
    if description.other_columns not in ROLES:
        raise ParameterError(f"{where}: other_columns: {unknown('role', description.other_columns, ROLES)}")
    others = ColumnDescription(role=description.other_columns)
    found = {column: description.columns.get(column, others) for column in frame.columns if column not in purposes}
    unsaid = [column for column in found if column not in description.columns and _looks_protected(column)]
    if unsaid and others.role in ("feature", "proxy"):
        raise ParameterError(
            f"{where}: {', '.join(map(repr, unsaid))}: the name suggests a protected trait, and no role is declared. "
            "Declare role: protected under columns (or role: feature, if it is none)."
        )
    return found


def _looks_protected(column: str) -> bool:
    return not PROTECTED_WORDS.isdisjoint(re.findall(r"[a-z]+", column.lower()))
