"""Write docs/books/tables.md from the contract; a test compares."""

from __future__ import annotations

from pathlib import Path

from workbench.book.schema import REQUIRED_TABLES, TABLES, TableSchema

HEAD = f"""\
# The canonical tables

Written by `python .ci/tables.py` from `workbench/book/schema.py`. Only {" and ".join(REQUIRED_TABLES)} are required, and of
each table only the columns in bold; every other column may be left out. Every row also has `known_at`: when the source first
knew it so.

Types: `string`; `date`; `timestamp` (kept in UTC); `money` (two decimals, the book's currency); `float`; `int`; `bool`. Roles:
`feature` may enter a model; `protected` serves fairness tables only; `proxy` is usable and flagged; `care` serves monitoring
and care; `private` reads as empty outside the book; `outcome` is what models foresee; `key` identifies.
"""


def catalogue() -> str:
    """Return the text of docs/books/tables.md."""
    return HEAD + "".join(_section(table) for table in TABLES.values())


def _section(table: TableSchema) -> str:
    moment = f" A row happens on `{table.occurred}`." if table.occurred else ""
    lines = [
        f"\n## {table.name}\n\nKey: {', '.join(f'`{name}`' for name in table.key)}.{moment}\n\n",
        "| column | type | role | to know |\n|---|---|---|---|\n",
    ]
    for column in table.columns:
        name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
        notes = []
        if column.allowed:
            notes.append("one of " + ", ".join(column.allowed))
        if column.dated:
            notes.append("a later date than the one looked at reads as empty")
        if column.breaks:
            notes.append(f"missing: {column.breaks}")
        lines.append(f"| {name} | {column.dtype} | {column.role} | {'; '.join(notes)} |\n")
    return "".join(lines)


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "books" / "tables.md").write_text(catalogue(), "utf-8")
