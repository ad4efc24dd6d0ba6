"""The catalogue: what each registered indicator is, for programs and for docs/indicators.md."""

from __future__ import annotations

from typing import Any

from workbench.indicators.bases import BASES
from workbench.indicators.panel import inputs
from workbench.indicators.registry import PANEL, Indicator, select


def catalogue() -> list[dict[str, Any]]:
    """Return a row an indicator: name, family, meaning, unit, range, direction, role, scope, nulls, tables and words."""
    return [
        {
            "name": found.name,
            "family": found.family,
            "meaning": found.meaning,
            "unit": found.unit,
            "range": list(found.range),
            "riskier_when": found.direction or "either",
            "role": found.role,
            "scope": found.scope,
            "null_when": found.null,
            "tables": tables(found),
            "label": found.label,
            "reason": found.reason,
        }
        for found in select()
    ]


def tables(found: Indicator) -> list[str]:
    """Return the tables that an indicator needs; `loans` stands for how they are paid as well."""
    if found.base == PANEL:
        return sorted({table for needed in inputs(found) for table in tables(needed)})
    return sorted(BASES[found.base].tables)
