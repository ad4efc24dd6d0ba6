"""The dirt of a delivery, at known rates: how a row is written otherwise, what stands there twice, what cannot be read.

Shares are of a file's rows and are house choices. Those that would cost rows or values are counts, rounded down, so that a
small delivery does not lose more than its mapping allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EXACT_DUPLICATES = 0.003
"""Rows that stand there twice, equal to the last letter."""
OTHER_CASE_TWINS = 0.001
"""Rows that stand there once more with their id in small letters."""
OTHER_DATES = 0.02
"""Rows whose dates are written the other way."""
CURRENCY_SIGNS = 0.02
"""Incomes with a sign or the name of the currency."""
THOUSANDS_SIGNS = 0.10
"""Incomes of a thousand or more with signs between the groups of digits."""
STRAY_BLANKS = 0.03
"""Names with blanks before, after or twice within."""
OTHER_WORDS = 0.3
"""Y and N where the others say yes and no: two people keep the list."""
OTHER_CASE_CODES = 0.02
"""Rows whose codes, or the id of the contract or customer, are in small letters."""
LINE_BREAKS = 0.01
"""Notes that go on over a second line."""
UTC_MOMENTS = 0.02
"""Moments in UTC where the others have the offset of the local time."""
IMPOSSIBLE_BIRTHS = 0.005
"""Birth dates on a 31st of February: the value is left empty."""
UNREADABLE_ROWS = 0.005
"""Rows that lack, or say in no readable way, what a row means nothing without: rejected."""
CONFLICTING_PAIRS = 0.001
"""Pairs of payments of one number and one instant that differ by a cent: none is kept."""
ORPHANS = 0.002
"""Rows of a loan or customer that no file tells of."""
OFFERS = 0.01
"""Contracts that were offered and never signed: the mapping leaves them out."""
LEAST_LINES_TO_CUT = 300
"""A file with fewer lines ends whole: one cut line would be too large a share of it."""

Effect = Literal["mended", "duplicate", "emptied", "rejected", "conflict", "found", "left out", "line", "told"]


@dataclass(frozen=True)
class Fault:
    """A way in which rows of the lender are written otherwise.

    Attributes
    ----------
    name
        Also the column of the flag in SQL.
    share
        Of the rows for which `when` holds.
    effect
        What an import makes of it: `mended`, it reads as if it were not; `emptied`, the value is left empty.
    when
        SQL over the canonical columns.
    told
        The words with which the load counts it.
    exact
        Whether the number of rows is the share of all rows, rounded down, and not only so on average.
    in_text_alone
        Whether columns with types leave no room for it.
    """

    name: str
    share: float
    effect: Effect = "mended"
    when: str = "true"
    told: str = ""
    exact: bool = False
    in_text_alone: bool = False


@dataclass(frozen=True)
class Extra:
    """Rows that the lender never had: copies of others in which something is changed.

    Attributes
    ----------
    share
        Their number over that of the lender's rows, rounded down.
    effect
        `rejected`; `conflict`, each stands there twice and differs; `found`, it comes in and a check tells it; `left out`.
    changes
        SQL over the canonical columns by column; `_n` numbers the extra rows of a file.
    told, told_typed
        The words with which the load counts it; where columns have types, other words if they are given.
    """

    name: str
    share: float
    effect: Effect
    changes: Mapping[str, str] = field(default_factory=dict)
    told: str = ""
    told_typed: str = ""


@dataclass(frozen=True)
class Planted:
    """What is in a delivered file: `rows` of one fault, and what an import of it must make of them."""

    file: str
    table: str
    fault: str
    rows: int
    effect: Effect
    told: str = ""


DUPLICATES = (
    Fault("exact_duplicates", EXACT_DUPLICATES, "duplicate"),
    Fault("other_case_twins", OTHER_CASE_TWINS, "duplicate", when="NOT exact_duplicates"),
)
"""The first two faults of any file with duplicates; their copies are numbered 1 and 2."""
