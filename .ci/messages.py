"""Bring `workbench/locale/zh.po` up to date with the words in the code, the notebooks and the shipped parameters.

    python .ci/messages.py [--check] [TRANSLATIONS.po ...]

Translations that are there are kept; those of the files named are added; words that are gone are dropped. With --check
nothing is written, and what is missing is printed.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from workbench.book.schema import Role
from workbench.indicators.registry import Direction, select

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "workbench" / "locale" / "zh.po"
PLACES = {"say": slice(0, 1), "mark": slice(0, 1), "say_count": slice(1, 3)}  # of the texts among the arguments
SPOKEN = {"reason", "why", "title"}  # keys of params/ whose texts are shown


def messages() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Yield file and message of everything that is shown."""
    for path in sorted((ROOT / "workbench").rglob("*.py")):
        yield from ((name(path), found) for found in of_code(path.read_bytes()))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                yield name(path), source
            else:
                yield from ((name(path), found) for found in of_code(source.encode()))
    yield from (("workbench/indicators", found) for found in of_indicators())
    for path in sorted([*(ROOT / "params" / "rules").glob("*.yaml"), *(ROOT / "params" / "policies").glob("*.yaml")]):
        yield from ((name(path), found) for found in of_params(yaml.safe_load(path.read_text("utf-8"))))


def of_indicators() -> Iterator[str]:
    """Yield what the registry says of each indicator, and the roles of columns; labels and reasons have both languages."""
    for found in select():
        yield from (found.meaning, found.family, found.unit, found.null)
    yield from (*get_args(Direction), *get_args(Role))


def of_code(source: bytes) -> Iterator[str | tuple[str, ...]]:
    """Yield the messages of a piece of Python; Babel's own extraction passes over a `say` within the arguments of another."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (called := getattr(node.func, "id", "")) in PLACES:
            texts = [argument.value for argument in node.args[PLACES[called]] if isinstance(argument, ast.Constant)]
            if texts and all(isinstance(text, str) and text for text in texts):
                yield texts[0] if len(texts) == 1 else tuple(texts)


def of_params(value: Any) -> Iterator[str]:
    """Yield the texts of a parameter file that are shown."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SPOKEN and isinstance(inner, str):
                yield inner
            yield from of_params(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from of_params(inner)


def name(path: Path) -> str:
    """Return the path inside the project."""
    return path.relative_to(ROOT).as_posix()


def updated(more: list[Path]) -> Catalog:
    """Return the catalogue of every message, with the translations that there are."""
    known: dict[Any, Any] = {}
    for path in [CATALOGUE, *more]:
        if path.exists():
            with path.open("rb") as file:
                known |= {found.id: found.string for found in read_po(file, locale="zh_CN") if found.string}
    catalogue = Catalog(
        locale="zh_CN",
        project="loan-risk-workbench",
        fuzzy=False,
        header_comment="# Chinese words of the reports; see .ci/messages.py.",
    )
    for _where, found in messages():
        catalogue.add(found, known.get(found))
    return catalogue


def written(catalogue: Catalog) -> bytes:
    """Return the catalogue as a file without times and places, so that it changes only with the words."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=0, no_location=True, omit_header=False, sort_output=True)
    kept = [
        line
        for line in buffer.getvalue().decode("utf-8").splitlines()
        if not line.startswith(
            ('"POT-Creation-Date', '"PO-Revision-Date', '"Last-Translator', '"Generated-By', '"Report-Msgid')
        )
    ]
    return ("\n".join(kept).strip() + "\n").encode("utf-8")


def is_told(string: Any) -> bool:
    """Return whether a message has its translation, a plural one too."""
    return bool(string) and (isinstance(string, str) or all(string))


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("more", nargs="*", type=Path)
    given = parser.parse_args()
    catalogue = updated(given.more)
    missing = [found.id for found in catalogue if found.id and not is_told(found.string)]
    if not given.check:
        CATALOGUE.parent.mkdir(exist_ok=True)
        CATALOGUE.write_bytes(written(catalogue))
    for text in missing:
        sys.stdout.write(f"not translated: {text!r}\n")
    sys.stdout.write(f"{len(catalogue):,} messages, {len(missing):,} not translated\n")


if __name__ == "__main__":
    main()
