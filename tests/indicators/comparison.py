"""A panel against the plain references, cell by cell."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd

from workbench.book.book import Book
from workbench.indicators.panel import build_panel

from .plain import REFERENCES, customers


def compare(book: Book, as_of: date) -> pd.DataFrame:
    """Return the panel after each of its cells has been compared with the reference."""
    panel, expected = build_panel(book, as_of=as_of), customers(book, as_of)
    frame = panel.frame.set_index("customer_id")
    assert sorted(expected) == frame.index.tolist()
    wrong = []
    for name in frame.columns.drop("as_of"):
        column = frame[name].to_dict()
        for customer_id, customer in expected.items():
            found, wanted = column[customer_id], REFERENCES[name](customer)
            if wanted is None or pd.isna(found):
                same = wanted is None and pd.isna(found)
            elif isinstance(wanted, str):
                same = found == wanted
            else:
                same = math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
            if not same:
                wrong.append((name, customer_id, found, wanted))
    assert not wrong
    return frame
