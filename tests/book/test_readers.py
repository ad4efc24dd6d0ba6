"""Books that `params/books/` describes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.readers import described_books, import_book
from workbench.book.store import list_books
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Workspace:
    return new_workspace()


def describe(home: Workspace, name: str, **changes: str) -> None:
    text = (home.params / "books" / "aart.yaml").read_text()
    for key, value in changes.items():
        text = "\n".join(f"{key}: {value}" if line.startswith(f"{key}:") else line for line in text.splitlines())
    (home.params / "books" / f"{name}.yaml").write_text(text)


def test_the_described_books(home: Workspace) -> None:
    describe(home, "zz")
    assert described_books(home) == ["aart", "zz"]


def test_a_book_that_no_file_describes_is_answered_with_the_nearest(home: Workspace) -> None:
    with pytest.raises(BookError, match=r"art\.yaml: no such file\. unknown book 'art'\. Did you mean 'aart'"):
        import_book(home, "art")


def test_an_unknown_reader_is_answered_with_the_nearest(home: Workspace) -> None:
    describe(home, "auto", reader="aarts")
    with pytest.raises(ParameterError, match=r"auto\.yaml: unknown reader 'aarts'\. Did you mean 'aart'"):
        import_book(home, "auto")


def test_a_wrong_key_and_a_wrong_date_are_told(home: Workspace) -> None:
    describe(home, "auto", currency="USD\ncurency: USD", first_month_end="June")
    with pytest.raises(ParameterError) as caught:
        import_book(home, "auto")
    assert "unknown name 'curency'. Did you mean 'currency'?" in str(caught.value)
    assert "'first_month_end': found 'June'" in str(caught.value).replace("first_month_end:", "'first_month_end':")


def test_a_missing_source_says_where_it_was_sought(new_workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    home = new_workspace(real_data=str(tmp_path))
    with pytest.raises(BookError, match=r"loans\.parquet: no such file\. .*WORKBENCH_REAL_DATA"):
        import_book(home, "aart")
    assert list_books(home) == []


@pytest.mark.real_data
def test_a_missing_column_is_answered_with_the_nearest(
    new_workspace: Callable[..., Workspace], real_data: Path, tmp_path: Path
) -> None:
    source = tmp_path / "aart_auto_loans"
    source.mkdir()
    shutil.copy(real_data / "aart_auto_loans" / "loans.parquet", source)
    monthly = pd.read_parquet(real_data / "aart_auto_loans" / "monthly.parquet").head(50)
    monthly.rename(columns={"principal": "principals"}).to_parquet(source / "monthly.parquet")
    home = new_workspace(real_data=str(tmp_path))
    with pytest.raises(BookError, match=r"column 'principal' is missing\. Did you mean 'principals'\?"):
        import_book(home, "aart")
    assert list_books(home) == []
