from __future__ import annotations

import base64
import warnings
from decimal import Decimal

import pandas as pd
import pytest

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.reporting import blocks, style
from workbench.reporting.blocks import ColumnFormat, Tile
from workbench.reporting.style import STATUSES

from .samples import ATTACKS, CUSTOMER_COLUMNS, Tags, customers, output_of, plotted


def all_blocks(text: str) -> list[blocks.Block]:
    frame = pd.DataFrame({"a": pd.Series([text, [text, text]], dtype=object)})
    return [
        blocks.header(text, text, {text: text}),
        blocks.tiles([Tile(text, text, text, "red", text, threshold=text, history=[1, 2, 3])]),
        blocks.finding(text, "amber"),
        blocks.chip("pass", text),
        blocks.definitions({text: text}),
        blocks.not_assessed(text),
        blocks.footnote(text),
        blocks.table(frame, caption=text, columns={"a": ColumnFormat(text, unit=text)}, total=True),
        blocks.table(frame, caption=text, columns={"a": ColumnFormat(text, missing=text)}, cards=True),
        blocks.figure(plotted()["alerts"], alt=text, caption=text),
    ]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_hostile_text_adds_no_tag_and_no_attribute(attack: str) -> None:
    for hostile, harmless in zip(all_blocks(attack), all_blocks("harmless"), strict=True):
        seen, expected = Tags(hostile.html), Tags(harmless.html)
        assert (seen.tags, seen.attributes) == (expected.tags, expected.attributes), hostile.kind
        assert not {"\x00", "\u202e", "\u2066", "\ud800"} & set(hostile._repr_html_())
        hostile._repr_html_().encode()
        repr(hostile).encode()


def test_a_tile_draws_its_history_from_the_lowest_to_the_highest_value() -> None:
    def drawn(history: list[float | None]) -> list[tuple[float, float]]:
        html = blocks.tiles([Tile("a", "b", history=history)]).html
        line = html.split('points="')[1].split('"')[0] if "<polyline" in html else ""
        return [(float(x), float(y)) for x, y in (point.split(",") for point in line.split())]

    assert drawn([1.0, 3.0, 2.0]) == [(2, 22), (52, 2), (102, 12)]
    assert drawn([None, 5.0, 5.0, float("nan"), 5.0]) == [(27, 12), (52, 12), (102, 12)]
    assert drawn([1.0, 2.0]) == drawn([]) == drawn([None, 1.0, 2.0]) == drawn([1.0, float("inf"), 2.0]) == []
    block = blocks.tiles([Tile("Ratio", "6 %", threshold="at most 5 %", change="+1 %", history=[1, 2, 4])])
    assert block.text == "Ratio: 6 %, at most 5 %, +1 %"
    assert block.html.index("at most 5 %") < block.html.index("+1 %") < block.html.index("<svg")


def test_a_list_of_cards_names_the_column_in_each_cell_and_missing_values_read_as_told() -> None:
    frame = pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]})
    columns = {"a": ColumnFormat("Change", "score", unit="points", missing="–"), "b": ColumnFormat("Why")}
    html = blocks.table(frame, caption="c", columns=columns, cards=True).html
    assert html.count('data-label="Change (points)"') == html.count('data-label="Why"') == 2
    assert "n/a" not in html
    assert ">–<" in html
    assert "data-label" not in blocks.table(frame, caption="c", columns=columns).html


def test_a_cell_shows_the_start_of_a_very_long_value() -> None:
    block = blocks.table(pd.DataFrame({"a": ["N" * 10_000]}), caption="c", columns={"a": ColumnFormat("A")})
    assert "(10,000 characters)" in block.html
    assert len(block.html) < 1_000


def test_table_formats_numbers_and_counts_rows() -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "n": [1000, 2, 3],
            "money": [Decimal("1234567.50"), Decimal("0.25"), None],
            "share": [0.0345, None, 1.0],
            "days": [1, 2, 3],
            "on": pd.to_datetime(["2026-06-30", None, "2026-01-31"]),
            "why": [["x", "y"], [], ["z"]],
        }
    )
    columns = {
        "id": ColumnFormat("Id"),
        "n": ColumnFormat("Count", "integer"),
        "money": ColumnFormat("Exposure", "money", digits=2, unit="EUR"),
        "share": ColumnFormat("Share", "percent"),
        "days": ColumnFormat("Past due", "integer", unit="days"),
        "on": ColumnFormat("On", "date"),
        "why": ColumnFormat("Why"),
    }
    block = blocks.table(frame, caption="c", columns=columns, total=True, max_rows=2)
    for text in ("Exposure (EUR)", "1,234,567.50", "3.5 %", "2026-06-30", "x; y", "n/a", "2 of 3 rows shown"):
        assert text in block.html
    foot = block.html.split("<tfoot>")[1]
    assert "Total of all 3 rows" in foot
    assert "1,005" in foot
    assert "1,234,567.75" in foot
    assert ">6<" not in foot  # days do not add up
    assert "z" not in block.html.split("<tbody>")[1].split("</tbody>")[0].replace("</", "")


def test_an_empty_table_says_so() -> None:
    block = blocks.table(customers(3).head(0), caption="None today", columns=CUSTOMER_COLUMNS, total=True)
    assert "no rows" in block.html
    assert "n/a" not in block.html


def test_a_wrong_column_status_or_kind_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'score'"):
        blocks.table(customers(3), caption="c", columns={"scor": ColumnFormat("S")})
    with pytest.raises(ParameterError, match="Did you mean 'amber'"):
        blocks.finding("x", "ambr")
    with pytest.raises(ParameterError, match="unknown column kind"):
        ColumnFormat("A", "numbr")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_has_a_word_and_a_shape_of_its_own(status: str) -> None:
    known = STATUSES[status]
    assert known.word in blocks.chip(status).html
    assert known.shape in blocks.chip(status).html
    assert [s.shape for s in STATUSES.values()].count(known.shape) == 1


def test_not_assessed_says_that_the_stage_did_not_run() -> None:
    assert "not assessed: stage not run" in blocks.not_assessed("Strategy").html
    assert "not assessed: stage not run" in repr(blocks.not_assessed("Strategy"))


def test_figure_needs_alt_text() -> None:
    with pytest.raises(ParameterError, match="alt text is empty"):
        blocks.figure(plotted()["trend"], alt=" ")


def test_a_page_in_chinese_without_a_font_for_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(caption: str = "Below.") -> str:
        return blocks.figure(plotted()["alerts"], alt="Alerts", caption=caption).html

    hint = "fonts-noto-cjk"
    monkeypatch.setattr(style, "_installed", lambda: frozenset({"DejaVu Sans", "Noto Sans CJK SC"}))
    with in_language("zh"):
        assert hint not in drawn()
    monkeypatch.setattr(style, "_installed", lambda: frozenset({"DejaVu Sans"}))
    assert hint not in drawn()
    with in_language("zh"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn().count(hint) == drawn("").count(hint) == 1
        assert drawn().index("Below.<br>") < drawn().index(hint)


def test_figure_is_the_same_bytes_twice_and_large_ones_become_png() -> None:
    first, second = (blocks.figure(plotted()["trend"], alt="Bad rate").html for _ in range(2))
    assert first == second
    svg = base64.b64decode(first.split("base64,")[1].split('"')[0])
    assert b"prefers-color-scheme: dark" in svg
    assert b"<script" not in svg
    from matplotlib.figure import Figure

    fig = Figure()
    fig.subplots().scatter(range(9000), range(9000))
    assert 'src="data:image/png;base64,' in blocks.figure(fig, alt="Many points").html


def test_figure_closes_what_pyplot_keeps() -> None:
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    blocks.figure(ax, alt="Empty axes")
    assert not plt.fignum_exists(fig.number)


def test_ipython_marks_the_output_as_a_block() -> None:
    output = output_of(blocks.finding("Fine", "pass"))
    assert output.metadata["text/html"]["workbench_block"] == "finding"
    assert output.data["text/plain"] == "Pass: Fine"
