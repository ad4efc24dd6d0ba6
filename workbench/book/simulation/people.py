"""Names, phones and addresses that nobody has: plausible to read, obviously not real."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.world import Ints

FIRST = (
    "Alba", "Bruno", "Celia", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mara",
    "Nils", "Olga", "Pablo", "Quinn", "Rosa", "Sven", "Tilda", "Ulla", "Vito", "Wanda", "Xenia", "Yann", "Zoe",
)  # fmt: skip
LAST = (
    "Ashgrove", "Birchley", "Cobblewick", "Dunmere", "Elmsworth", "Fernhollow", "Greystone", "Hazelby", "Ivywood",
    "Juniper", "Kestrelby", "Larkfield", "Mossbank", "Nettleham", "Oakrill", "Pebbleton", "Quillford", "Reedmarsh",
    "Stonebeck", "Thistlewood", "Underhill", "Valemoor", "Willowby", "Yarrowdale",
)  # fmt: skip
SURNAMES_ZH = (("王", "wang"), ("李", "li"), ("张", "zhang"), ("刘", "liu"), ("陈", "chen"), ("杨", "yang"),
               ("赵", "zhao"), ("黄", "huang"), ("周", "zhou"), ("吴", "wu"))  # fmt: skip
GIVEN_ZH = (("伟", "wei"), ("芳", "fang"), ("敏", "min"), ("静", "jing"), ("磊", "lei"), ("洋", "yang"), ("明", "ming"),
            ("晓雨", "xiaoyu"), ("子涵", "zihan"), ("雪", "xue"), ("建国", "jianguo"), ("丽娜", "lina"))  # fmt: skip
CHINESE_SHARE = 0.15


def names(customers: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return names, and the same in ASCII for mail addresses."""
    first, last = rng.integers(0, len(FIRST), customers), rng.integers(0, len(LAST), customers)
    surname, given = rng.integers(0, len(SURNAMES_ZH), customers), rng.integers(0, len(GIVEN_ZH), customers)
    chinese = rng.random(customers) < CHINESE_SHARE
    shown, plain = [], []
    for i in range(customers):
        if chinese[i]:
            a, b = SURNAMES_ZH[surname[i]], GIVEN_ZH[given[i]]
            shown.append(a[0] + b[0])
            plain.append(f"{b[1]}.{a[1]}")
        else:
            shown.append(f"{FIRST[first[i]]} {LAST[last[i]]}")
            plain.append(f"{FIRST[first[i]]}.{LAST[last[i]]}".lower())
    return shown, plain


def phones(customers: int, changes: Ints, rng: np.random.Generator) -> list[str]:
    """Return the current phone numbers, under a country code that does not exist (+00)."""
    number = (rng.integers(0, 10_000_000, customers) + changes * 7_654_321) % 10_000_000
    return [f"+00 555 {value:07d}" for value in number.tolist()]


def emails(plain: list[str], changes: Ints) -> list[str]:
    """Return mail addresses at example.com (reserved by RFC 2606); a change adds a number."""
    suffixes = [f".{count}" if count else "" for count in changes.tolist()]
    return [f"{name}.{i}{end}@example.com" for i, (name, end) in enumerate(zip(plain, suffixes, strict=True), 1)]


def national_ids(customers: int, rng: np.random.Generator) -> list[str]:
    """Return national ids of a country that does not exist."""
    return [f"ZZ{value:09d}" for value in rng.permutation(customers * 37)[:customers].tolist()]
