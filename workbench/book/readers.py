"""Readers of sources by name: `params/books/NAME.yaml` says which reader makes the book."""

from __future__ import annotations

from pathlib import Path

from workbench.book.aart import AartSource, read_aart
from workbench.book.store import BookFacts, BookManifest, store_book
from workbench.core.errors import BookError, ParameterError, unknown
from workbench.core.workspace import Workspace, check_name
from workbench.core.yaml_files import check_mapping, read_yaml

READERS = ("aart",)


def described_books(workspace: Workspace) -> list[str]:
    """Return the names of the books that `params/books/` describes, sorted."""
    return sorted(path.stem for path in (workspace.params / "books").glob("*.yaml"))


def import_book(workspace: Workspace, name: str) -> BookManifest:
    """Read the sources of `params/books/NAME.yaml` and make the book current.

    Raises
    ------
    BookError
        If no file describes the book, or a source lacks something.
    ParameterError
        If the description is wrong.
    """
    check_name("book", name)
    path = workspace.params / "books" / f"{name}.yaml"
    if not path.exists():
        raise BookError(f"{path}: no such file. {unknown('book', name, described_books(workspace))}")
    values = read_yaml(path)
    if values.get("reader") not in READERS:
        raise ParameterError(f"{path}: {unknown('reader', str(values.get('reader')), READERS)}")
    source = check_mapping(AartSource, values, source=str(path))
    folder = (workspace.root / source.path.format(real_data=workspace.real_data)).resolve()

    def write(out: Path) -> BookFacts:
        return read_aart(folder, source, out)

    return store_book(workspace, name, write)
