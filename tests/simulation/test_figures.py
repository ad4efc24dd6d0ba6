"""The figures of a simulated lender are drawn from its measures, each with a caption, and come out the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench._figures import PICTURES, draw_all
from workbench.book.simulation import simulate

from .lender import open_lender


def test_every_figure_is_drawn_with_a_caption_and_the_same_again(tmp_path: Path) -> None:
    simulate(tmp_path / "lender", customers=400, months=40, seed=3)
    with open_lender(tmp_path / "lender") as sql:
        found = draw_all(sql, tmp_path / "first")
        again = draw_all(sql, tmp_path / "second")
    assert found == again
    assert len(found) == len(PICTURES) + 1
    assert all(found.values())
    for name in found:
        assert (tmp_path / "first" / name).stat().st_size > 5_000
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_figure_without_rows_says_so(picture: object, tmp_path: Path) -> None:
    simulate(tmp_path, customers=50, months=1, seed=3)
    with open_lender(tmp_path) as sql:
        table = picture.table(sql).iloc[:0]  # type: ignore[attr-defined]
    assert "No rows to show" in [text.get_text() for text in picture.draw(table).texts]  # type: ignore[attr-defined]
