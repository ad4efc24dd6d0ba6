"""From one table with a target to a modelling sample, as `params/samples/NAME.yaml` describes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.core.dates import month_end
from workbench.core.errors import SampleError
from workbench.core.workspace import Workspace
from workbench.models.columns import texts
from workbench.models.evaluation import unit_weights
from workbench.models.fitting import Candidate
from workbench.models.sample_description import (
    ColumnDescription,
    SampleDescription,
    TargetColumn,
    Value,
    column_roles,
    read_description,
)
from workbench.models.table_file import TableLayout, read_table

OWN_COLUMNS = ("customer_id", "as_of", "outcome", "bad", "sample_weight", "held_out", "part")


@dataclass(frozen=True)
class TableSample:
    """Rows of a flat table with their outcome.

    Attributes
    ----------
    frame
        customer_id (text), as_of (NaT without a date), outcome (good, bad, indeterminate), bad (0 or 1; indeterminate is
        0), sample_weight where the table has weights (mean 1), then features, proxies and protected columns.
    losses
        One row a month, or one in all: rows, good, indeterminate, bad, bad_rate.
    candidates
        Every other column by name, with role, direction and words; those of another role are refused by the fit.
    generation
        Hash of file and description; empty for a table in memory.
    """

    name: str
    description: SampleDescription
    frame: pd.DataFrame
    losses: pd.DataFrame
    candidates: dict[str, Candidate]
    generation: str = ""

    @property
    def target(self) -> dict[str, Any]:
        """What bad means, as plain data; the window is 'unknown' where nobody knows it."""
        return self.description.target.model_dump(mode="json")

    @property
    def reading(self) -> dict[str, Any]:
        """How the table was read, as plain data: a scorecard keeps it, so that rows to be scored are read alike."""
        layout = self.description.model_dump(mode="json", include=set(TableLayout.model_fields))
        return {"id": self.description.id, "layout": layout}

    @property
    def definition(self) -> str:
        """What bad means, in words."""
        target = self.description.target
        return target.definition or f"{target.column} = {target.event}"


def load_sample(workspace: Workspace, name: str) -> TableSample:
    """Read the table of `params/samples/NAME.yaml`.

    Raises
    ------
    ParameterError
        No such description, or one that does not hold.
    SampleError
        A table that cannot be read or carries no sample.
    """
    description, file, path = read_description(workspace, name)
    frame = read_table(path, description, text=text_columns(description))
    return replace(sample_from_table(frame, description, name=name), generation=_generation(path, file))


def text_columns(description: SampleDescription) -> list[str]:
    """Return the columns that are read as they are written, so that 01 stays 01: ids, and what is said to be categorical."""
    words = [name for name, about in description.columns.items() if about.categorical]
    return [*([description.id] if description.id else []), *words]


def _generation(path: Path, file: Path) -> str:
    digest = hashlib.sha256()
    for part in (path, file):
        with part.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def sample_from_table(frame: pd.DataFrame, description: SampleDescription, *, name: str) -> TableSample:
    """Turn a table with a target into a modelling sample; nothing is dropped silently, what is wrong is an error.

    Parameters
    ----------
    frame : DataFrame
        One row a customer, or one a customer and date.
    description : SampleDescription
    name : str

    Raises
    ------
    ParameterError
        An unknown column or role, or a column with two purposes.
    SampleError
        A target that is missing, of one class or holds other values; ids, dates or weights that do not hold.

    Examples
    --------
    >>> about = SampleDescription(
    ...     path="", format="csv", target={"column": "paid", "event": "no", "window_months": "unknown"}
    ... )
    >>> sample_from_table(pd.DataFrame({"paid": ["yes", "no"], "income": [3, 1]}), about, name="x").frame["bad"].tolist()
    [0, 1]
    """
    frame = frame.reset_index(drop=True)
    where = f"sample {name}"
    roles = column_roles(frame, description, where)
    outcome = _outcome(frame[description.target.column], description.target, where)
    as_of = _dates(frame, description, where)
    own = {
        "customer_id": _ids(frame, as_of, description, where),
        "as_of": as_of,
        "outcome": outcome,
        "bad": (outcome == "bad").astype("int8"),
    }
    if description.weights:
        own["sample_weight"] = _weights(frame[description.weights], where)
    kept = [column for column, about in roles.items() if about.role in ("feature", "proxy", "protected")]
    if taken := [column for column in kept if column in OWN_COLUMNS]:
        raise SampleError(f"{where}: column {taken[0]!r} has a name that the workbench uses itself. Rename it.")
    candidates = {column: _candidate(frame[column], about, where) for column, about in roles.items()}
    rows = pd.concat([pd.DataFrame(own), frame[kept]], axis=1)
    return TableSample(name, description, rows, _losses(rows), candidates)


def _outcome(values: pd.Series, target: TargetColumn, where: str) -> pd.Series:
    """Return good, bad or indeterminate for each row."""
    place = f"{where}: target {target.column!r}"
    if values.isna().any():
        raise SampleError(
            f"{place}: {int(values.isna().sum())} of {len(values)} values are missing; a row without an outcome is no "
            "evidence. Leave these rows out of the table."
        )
    found = pd.Series(texts(values), index=values.index, dtype=object)
    event, unclear = _name(target.event), [_name(value) for value in target.indeterminate]
    seen = sorted(found.unique())
    shown = ", ".join(map(repr, seen[:10])) + (", ..." if len(seen) > 10 else "")
    if event not in seen:
        hint = (
            " YAML reads yes, no, on and off as true and false: quote the word."
            if isinstance(target.event, bool)
            else ""
        )
        raise SampleError(
            f"{place}: no row has the event {event!r}; found: {shown}. Set target.event to one of these.{hint}"
        )
    goods = [value for value in seen if value != event and value not in unclear]
    if len(goods) > 1:
        raise SampleError(
            f"{place}: beside the event {event!r} there are {len(goods)} values: {', '.join(map(repr, goods[:10]))}; one was "
            "expected, for good. Name the others under target.indeterminate, or leave their rows out."
        )
    if not goods:
        raise SampleError(
            f"{place}: all {len(values)} rows are {shown}; both classes are needed. Add goods to the table."
        )
    return pd.Series(
        np.select([found == event, found.isin(unclear)], ["bad", "indeterminate"], default="good"), index=values.index
    )


def _name(value: Value) -> str:
    return str(texts(pd.Series([value], dtype=object))[0])


def _dates(frame: pd.DataFrame, description: SampleDescription, where: str) -> pd.Series:
    if description.date is None:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
    values = frame[description.date]
    try:
        found = pd.to_datetime(
            values.astype(str) if pd.api.types.is_numeric_dtype(values) else values,
            format=description.date_format or "ISO8601",
            errors="coerce",
        )
    except ValueError as error:
        reason = (
            "they have several offsets from UTC, or some have none" if "Mixed timezones" in str(error) else str(error)
        )
        raise SampleError(
            f"{where}: date {description.date!r}: the values cannot be read: {reason}; expected days, or moments of one "
            "offset. Write the day that each moment has where the lender is, or mend date_format."
        ) from None
    if found.isna().any():
        example = values[found.isna()].iloc[0]
        raise SampleError(
            f"{where}: date {description.date!r}: {int(found.isna().sum())} of {len(found)} values are no dates, such as "
            f"{example!r}. Set date_format, such as '%d.%m.%Y', or leave these rows out."
        )
    if getattr(found.dt, "tz", None) is not None:
        found = found.dt.tz_localize(None)
    try:
        return found.dt.normalize().astype("datetime64[ns]")
    except pd.errors.OutOfBoundsDatetime:
        example = found.max() if found.max() > pd.Timestamp.max else found.min()
        raise SampleError(
            f"{where}: date {description.date!r}: {example:%Y-%m-%d} is no day of observation. Leave such rows out, or mend it."
        ) from None


def _ids(frame: pd.DataFrame, as_of: pd.Series, description: SampleDescription, where: str) -> pd.Series:
    """Return ids as text; without a column of ids, the number of the row."""
    if description.id is None:
        return pd.Series([str(number) for number in range(1, len(frame) + 1)], index=frame.index, dtype="str")
    values = frame[description.id]
    if values.isna().any():
        raise SampleError(
            f"{where}: id {description.id!r}: {int(values.isna().sum())} of {len(values)} are missing. Fill them."
        )
    ids = pd.Series(texts(values), index=frame.index, dtype="str")
    twice = pd.DataFrame({"id": ids, "as_of": as_of}).duplicated(keep=False)
    if twice.any():
        what = "id and date" if description.date else "id"
        raise SampleError(
            f"{where}: {int(twice.sum())} rows share their {what} with another, such as {ids[twice].iloc[0]!r}; one row "
            f"a{'n' if what == 'id' else ' pair of'} {what} is expected. Remove the copies"
            + ("." if description.date else ", or name the date column if a customer is seen at several dates.")
        )
    return ids


def _weights(values: pd.Series, where: str) -> pd.Series:
    number = pd.to_numeric(values, errors="coerce")
    if number.isna().any():
        raise SampleError(
            f"{where}: weights {values.name!r}: {int(number.isna().sum())} of {len(values)} are missing or no numbers. "
            "Fill them, or leave these rows out."
        )
    try:
        return pd.Series(unit_weights(number, len(number)), index=values.index)
    except SampleError as error:
        raise SampleError(f"{where}: column {values.name!r}: {error}") from None


def _candidate(values: pd.Series, about: ColumnDescription, where: str) -> Candidate:
    """Return a column as a candidate; text is categorical, unless most of it are numbers."""
    typed = (pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype)
    text = not any(is_typed(values) for is_typed in typed)
    if text and about.role in ("feature", "proxy", "protected"):
        nested = values.map(lambda value: isinstance(value, list | dict | set | np.ndarray))
        if nested.any():
            raise SampleError(
                f"{where}: column {values.name!r} holds lists or records, such as {values[nested].iloc[0]!r:.60}. Give each "
                "part a column of its own."
            )
    if text and about.categorical is None and about.role in ("feature", "proxy"):
        known = values.dropna().astype(str)
        strange = known[pd.to_numeric(known, errors="coerce").isna()]
        if len(known) and not len(strange) and about.direction is not None:
            raise SampleError(
                f"{where}: column {values.name!r}: numbers kept as text, such as {known.iloc[0]!r}, with a direction. Store "
                "them as numbers, or say categorical: true for this column."
            )
        bare = strange.str.replace(r"[%,\s]", "", regex=True)
        if len(strange) > len(known) / 2 and pd.to_numeric(bare, errors="coerce").notna().mean() > 0.9:
            raise SampleError(
                f"{where}: column {values.name!r}: numbers written as text, such as {strange.iloc[0]!r}. Store them as plain "
                "numbers, or say categorical: true for this column."
            )
        if 0 < len(strange) < len(known) / 2:
            raise SampleError(
                f"{where}: column {values.name!r}: {len(strange)} of {len(known)} values are no numbers, such as "
                f"{strange.iloc[0]!r}. Name them under missing, or say categorical: true for this column."
            )
    return Candidate(
        direction=about.direction,
        role=about.role,
        categorical=text if about.categorical is None else about.categorical,
        label=about.label,
        reason=about.reason,
        unit=about.unit,
        specials={key if isinstance(key, int | float) else str(key): word for key, word in about.special.items()},
    )


def _losses(rows: pd.DataFrame) -> pd.DataFrame:
    months = rows["as_of"].map(month_end, na_action="ignore").astype("datetime64[ns]")
    weight = rows.get("sample_weight", pd.Series(1.0, index=rows.index))
    table = pd.DataFrame({kind: rows["outcome"] == kind for kind in ("good", "indeterminate", "bad")})
    table = table.assign(as_of=months, rows=1, weight=weight, weighted_bad=weight * rows["bad"])
    counts = table.groupby("as_of", dropna=False, as_index=False).sum()
    counts["bad_rate"] = counts["weighted_bad"] / counts["weight"]
    return counts[["as_of", "rows", "good", "indeterminate", "bad", "bad_rate"]]
