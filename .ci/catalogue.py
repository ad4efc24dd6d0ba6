"""Write docs/indicators.md from the registry; a test compares."""

from __future__ import annotations

from pathlib import Path

from workbench.indicators.registry import select

HEAD = """\
# Indicators

Written by `python .ci/catalogue.py` from the registry. Each is one Ibis expression over one base, aggregated by customer, as
known at the observation date. A book that lacks a table leaves out the indicators that need it, and names them.

Roles: a `feature` may enter a scorecard; `protected` ones serve fairness tables only; `care` ones monitoring and care.
"""


def catalogue() -> str:
    """Return the text of docs/indicators.md."""
    parts = [HEAD]
    for family in dict.fromkeys(found.family for found in select()):
        parts.append(
            f"\n## {family.capitalize()}\n\n| name | meaning | unit | riskier when | role |\n|---|---|---|---|---|\n"
        )
        parts += [
            f"| `{found.name}` | {found.meaning} | {found.unit} | {found.direction or 'either'} | {found.role} |\n"
            for found in select()
            if found.family == family
        ]
    return "".join(parts)


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "indicators.md").write_text(catalogue(), "utf-8")
