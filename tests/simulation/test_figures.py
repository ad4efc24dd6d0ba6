"""The figures of a simulated lender are drawn from its measures, each with a caption, and come out the same again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from bench._figures import PICTURES, Picture, draw_all
from workbench.book.simulation import simulate

from .lender import open_lender

pytestmark = pytest.mark.xdist_group("figures")  # one worker simulates


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("lender")
    simulate(folder, customers=300, months=40, seed=3)
    with open_lender(folder) as connection:
        yield connection


def test_every_figure_is_drawn_with_a_caption_and_the_same_again(
    sql: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    found = draw_all(sql, tmp_path / "first")
    assert found == draw_all(sql, tmp_path / "second")
    assert len(found) == len(PICTURES) + 1
    assert all(found.values())
    for name in found:
        assert (tmp_path / "first" / name).stat().st_size > 5_000
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_figure_without_rows_says_so(sql: duckdb.DuckDBPyConnection, picture: Picture) -> None:
    drawn = picture.draw(picture.table(sql).iloc[:0])
    assert "No rows to show" in [text.get_text() for text in drawn.texts]
