"""Bins that people edit: `params/bins/NAME.yaml`, written from a fit, read into the next one, and compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from workbench.core.errors import ParameterError
from workbench.core.files import whole_file
from workbench.core.languages import mark
from workbench.core.yaml_files import load_params
from workbench.models.bins import Bins, Merge
from workbench.models.columns import text_of

MOVED_Z = 3.0
"""A weight of evidence that differs by more than so many standard errors has moved. House choice: beyond 3, one in 370 does
so by chance."""

_HEAD = """\
# Bins of {name}.
# Edit `splits`, `groups` and `merge` in params/bins/, then fit with them: workbench run 30_scorecard ... -p bins=NAME
# They are kept exactly, or refused with the reason. `counted` is what that fit found; a later one is compared with it.
#   merge: [{what: missing, into: "< 10", why: "..."}]    counts missing, unseen or a special code with another bin
#   order: free, with why: "..."                          lets bins break the declared order
"""


class Counted(BaseModel):
    """What a fit found in a bin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    goods: int | float  # whole where rows have no weights
    bads: int | float
    woe: float


class BinRule(BaseModel):
    """The bins of one variable as a person wants them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    splits: tuple[float, ...] | None = None
    groups: tuple[tuple[str, ...], ...] | None = None
    merge: tuple[Merge, ...] = ()
    order: Literal["declared", "free"] = "declared"
    why: str = ""
    counted: dict[str, Counted] = {}

    @field_validator("groups", mode="before")
    @classmethod
    def _as_text(cls, groups: Any) -> Any:
        if isinstance(groups, list) and all(isinstance(group, list) for group in groups):
            return [[text_of(category) for category in group] for group in groups]
        return groups

    @model_validator(mode="after")
    def _of_one_kind(self) -> BinRule:
        if (self.splits is None) == (self.groups is None):
            raise ValueError("expected either splits (of a number) or groups (of categories)")
        if self.groups is not None and not all(self.groups):
            raise ValueError("a group without categories")
        if self.order == "free" and not self.why.strip():
            raise ValueError("order: free needs why, for whoever reviews it")
        return self


class BinFile(BaseModel):
    """A file of `params/bins/`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    variables: dict[str, BinRule]


def read_bins(path: Path) -> dict[str, BinRule]:
    """Return the rules of a file by variable; raise `ParameterError` where it does not hold."""
    return load_params(BinFile, path).variables


def bins_text(bins: Iterable[Bins], *, name: str, free: Mapping[str, str] | None = None) -> str:
    """Return bins as a file that `read_bins` reads back; `free` says why, for a variable whose order is free."""
    variables = {found.name: _as_rule(found, (free or {}).get(found.name, "")) for found in bins}
    text: str = yaml.safe_dump(
        {"schema_version": 1, "variables": variables},
        sort_keys=False, allow_unicode=True, default_flow_style=None, width=116,
    )  # fmt: skip
    return _HEAD.replace("{name}", name) + text


def save_bins(path: Path, text: str) -> None:
    """Write the text of a file of bins, whole; raise `ParameterError` where there is one: it may hold somebody's work."""
    if path.exists():
        raise ParameterError(f"{path}: exists already. Choose another name, or remove it first.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _as_rule(bins: Bins, free: str) -> dict[str, Any]:
    rule: dict[str, Any] = (
        {"groups": [list(group) for group in bins.groups]} if bins.categorical else {"splits": list(bins.splits)}
    )
    if bins.merges:
        rule["merge"] = [{"what": merge.what, "into": merge.into, "why": merge.why} for merge in bins.merges]
    if free:
        rule |= {"order": "free", "why": free}
    rule["counted"] = {
        label: {"goods": found.goods, "bads": found.bads, "woe": round(found.woe, 4)}
        for label, found in counted_of(bins).items()
    }
    return rule


def compare_bins(before: Mapping[str, Mapping[str, Counted]], after: Iterable[Bins]) -> pd.DataFrame:
    """Return which bins moved between two fits.

    Parameters
    ----------
    before : mapping of variable to mapping of a bin's name to Counted
        As `BinRule.counted` keeps it, or `counted_of` tells it.
    after : bins of the new fit

    Returns
    -------
    DataFrame with columns variable, bin, woe_before, woe_now, z (their difference over its standard error), change: 'new',
    'gone', 'moved' (|z| above `MOVED_Z`) or 'same'; 'variable out' or 'variable in' where the whole
    variable left or came. A cut that moved is one bin gone and another new.
    """
    rows = []
    now = {bins.name: counted_of(bins) for bins in after}
    for variable in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(variable, {}), now.get(variable, {})
        for label in [*new, *(label for label in old if label not in new)]:
            was, found = old.get(label), new.get(label)
            row = {"variable": variable, "bin": label, "woe_before": was and was.woe, "woe_now": found and found.woe}
            if was is None or found is None:
                whole = variable not in before or variable not in now
                came = mark("variable in") if whole else mark("new")
                left = mark("variable out") if whole else mark("gone")
                rows.append({**row, "z": np.nan, "change": came if was is None else left})
                continue
            z = (found.woe - was.woe) / np.hypot(_error(was), _error(found))
            rows.append({**row, "z": z, "change": mark("moved") if abs(z) > MOVED_Z else mark("same")})
    columns = ["variable", "bin", "woe_before", "woe_now", "z", "change"]
    return pd.DataFrame(rows, columns=columns).astype({"woe_before": "float64", "woe_now": "float64", "z": "float64"})


def counted_of(bins: Bins) -> dict[str, Counted]:
    """Return what `BinRule.counted` keeps of a fit: the bins that hold rows, by name."""
    return {
        name: Counted(goods=goods, bads=bads, woe=float(woe))
        for name, goods, bads, woe in zip(bins.names, bins.goods, bins.bads, bins.woe, strict=True)
        if goods + bads > 0
    }


def _error(counted: Counted) -> float:
    """Return about the standard error of a weight of evidence: goods and bads of a bin are counts (Woolf, 1955)."""
    return float(np.sqrt(1 / max(counted.goods, 0.5) + 1 / max(counted.bads, 0.5)))
