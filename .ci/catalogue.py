"""Write docs/indicators.md from the registry; a test compares."""

from __future__ import annotations

from pathlib import Path

from workbench.indicators.catalogue import catalogue

HEAD = """\
# Indicators

Written by `python .ci/catalogue.py` from the registry. Each is one Ibis expression over one base (a table prepared by
customer), as known at the observation date, and gives the same on DuckDB, PostgreSQL and Spark. A book that lacks a table
leaves out the indicators that need it, and names them. [How to add your own](own-indicators.md).

Roles: a `feature` may enter a scorecard; a `proxy` may, flagged; `care` ones serve monitoring and care, and `protected` ones
fairness tables alone. "Others too" marks indicators in which other customers enter. Values beyond the range are kept, and
counted in the panel's manifest. [What each says alone](indicator-ginis.md): its Gini by year, and which other says the same.
The words in English and Chinese: `workbench indicators list --json`.
"""


def page() -> str:
    """Return the text of docs/indicators.md."""
    parts, rows = [HEAD], catalogue()
    for family in dict.fromkeys(row["family"] for row in rows):
        parts.append(
            f"\n## {family.capitalize()}\n\n| name | meaning | unit, range | riskier when | null | needs | role |\n"
            "|---|---|---|---|---|---|---|\n"
        )
        parts += [_line(row) for row in rows if row["family"] == family]
    return "".join(parts)


def _line(row: dict[str, object]) -> str:
    low, high = row["range"]  # type: ignore[misc]
    ends = f"{'' if low is None else low}..{'' if high is None else high}"
    role = f"{row['role']}{', others too' if row['scope'] == 'population' else ''}"
    cells = [f"`{row['name']}`", row["meaning"], f"{row['unit']}, {ends}", row["riskier_when"], row["null_when"],
             ", ".join(row["tables"]), role]  # type: ignore[arg-type]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "indicators.md").write_text(page(), "utf-8")
