"""Names, phones, mail and postal addresses that nobody has: plausible to read, obviously not real.

The words are Faker's; they are drawn here, since Faker makes one name at a time (docs/decisions/008-faker.md). No draw
depends on the length of a list: another version of Faker changes words and nothing else. The same generator gives the same
words with the same version of Faker, which is the locked one.

Marks of what is not real: the country code +00 (no code begins with 0: ITU-T E.164), mail domains that RFC 2606 reserves, and
ZZ for the country of ids and postcodes, which ISO 3166-1 leaves to its users.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.book.simulation.world import Bools, Floats, Ints
from workbench.book.simulation.writing.wordlists import word_lists

CHINESE_SHARE = 0.15
"""House choice: pages, lists and searches meet names in two scripts."""
MAIL_DOMAINS = ("example.com", "example.net", "example.org")
PHONES, PHONE_STEP = 10**10, 7_654_321_987
"""Numbers of ten digits, and how far a change moves one: no divisor in common, so that it is long before it comes back."""
ID_HALF = 10**5
"""A national id is two halves of five digits: far more numbers than customers."""
HOUSES = 240

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Names:
    """Names of customers: as shown, in ASCII (`given.family`, for mail), and which are Chinese."""

    shown: list[str]
    plain: list[str]
    chinese: Bools


def names(gender: Ints, rng: np.random.Generator) -> Names:
    """Return a name for each customer; `gender` is 0 for female, 1 for male.

    >>> some = names(np.array([0, 1, 0]), np.random.default_rng(3))
    >>> len(some.shown), all(text.isascii() for text in some.plain), some.chinese.dtype
    (3, True, dtype('bool'))

    Raises
    ------
    ValueError
        If there is any other code: such a customer would have no name.
    """
    if not np.isin(gender, (0, 1)).all():
        raise ValueError(f"gender: found the codes {np.unique(gender).tolist()}, expected 0 (female) and 1 (male).")
    chinese = rng.random(len(gender)) < CHINESE_SHARE
    given, family = rng.random(len(gender)), rng.random(len(gender))
    shown, plain = np.empty(len(gender), object), np.empty(len(gender), object)
    for script, of_script in (("en", ~chinese), ("zh", chinese)):
        for code, kind in enumerate(("female", "male")):
            rows = of_script & (gender == code)
            first, last = word_lists()[f"{script}_{kind}"], word_lists()[f"{script}_last"]
            one, two = first.pick(given[rows]), last.pick(family[rows])
            plain[rows] = first.plain[one] + "." + last.plain[two]
            shown[rows] = (
                last.shown[two] + first.shown[one] if script == "zh" else first.shown[one] + " " + last.shown[two]
            )
    return Names(shown.tolist(), plain.tolist(), chinese)


def phones(changes: Ints, rng: np.random.Generator) -> list[str]:
    """Return phone numbers, after so many changes each; two customers hardly ever share one."""
    number = (rng.integers(0, PHONES, len(changes)) + changes * PHONE_STEP) % PHONES
    return [f"+00 {value // 10**7:03d} {value % 10**7:07d}" for value in number.tolist()]


def emails(plain: list[str], changes: Ints, *, first_number: int) -> list[str]:
    """Return mail addresses of the customers from number `first_number` on, no two alike; a change adds a number.

    >>> emails(["ines.moss", "hugo.hale"], np.array([0, 2]), first_number=8)
    ['ines.moss.8@example.org', 'hugo.hale.9.2@example.com']
    """
    rows = enumerate(zip(plain, changes.tolist(), strict=True), first_number)
    return [f"{name}.{i}{f'.{count}' if count else ''}@{MAIL_DOMAINS[i % 3]}" for i, (name, count) in rows]


def national_ids(first_number: int, customers: int, *, seed: int) -> list[str]:
    """Return national ids of the customers from number `first_number` on: no two numbers of a book share one.

    A Feistel network permutes the numbers of ten digits (Luby & Rackoff 1988, doi 10.1137/0217022), so that blocks of
    customers need not know of each other; `seed` is that of the book, the same for each block.

    >>> national_ids(1, 3, seed=7)[2] == national_ids(3, 1, seed=7)[0]
    True
    """
    half = np.uint64(ID_HALF)
    left, right = np.divmod(np.arange(first_number, first_number + customers, dtype=np.uint64), half)
    for turn in range(4):
        left, right = right, (left + _mixed(right, 4 * seed + turn) % half) % half
    return [f"ZZ{value:010d}" for value in (left * half + right).tolist()]


def addresses(chinese: Bools, changes: Ints, rng: np.random.Generator) -> list[str]:
    """Return postal addresses, after so many moves each: in Chinese where `chinese`; a move gives another."""
    key = rng.integers(0, 2**63, len(chinese)).astype(np.uint64) + _mixed(changes.astype(np.uint64), 0)
    text = np.empty(len(chinese), object)
    text[~chinese], text[chinese] = _english(key[~chinese]), _chinese(key[chinese])
    return text.tolist()


def _english(key: Keys) -> list[str]:
    city, street, kind = (word_lists()[f"en_{part}"] for part in ("city", "last", "street"))
    at = city.pick(_chance(key, 1))
    parts = (
        (_chance(key, 2) * HOUSES).astype(np.int64) + 1,
        street.shown[street.pick(_chance(key, 3))],
        kind.shown[kind.pick(_chance(key, 4))],
        at,
        (_chance(key, 5) * 100).astype(np.int64),
        city.shown[at],
    )
    rows = zip(*(part.tolist() for part in parts), strict=True)
    return [
        f"{house} {name} {road}, ZZ-{area:03d}{route:02d} {place}" for house, name, road, area, route, place in rows
    ]


def _chinese(key: Keys) -> list[str]:
    city, district, street, kind = (word_lists()[f"zh_{part}"] for part in ("city", "district", "last", "street"))
    at = city.pick(_chance(key, 1))
    parts = (
        city.shown[at],
        district.shown[district.pick(_chance(key, 6))],
        street.shown[street.pick(_chance(key, 3))],
        kind.shown[kind.pick(_chance(key, 4))],
        (_chance(key, 2) * HOUSES).astype(np.int64) + 1,
        at,
        (_chance(key, 5) * 100).astype(np.int64),
    )
    rows = zip(*(part.tolist() for part in parts), strict=True)
    return [
        f"{place}{quarter}{name}{road}{house}号 ZZ-9{area:03d}{route:02d}"
        for place, quarter, name, road, house, area, route in rows
    ]


def _chance(key: Keys, salt: int) -> Floats:
    """Return a number from 0 to below 1 for each key; another salt gives an independent one."""
    return (_mixed(key, salt) >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(values: Keys, salt: int) -> Keys:
    """Hash 64 bits to 64 bits: splitmix64 (Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195)."""
    mixed = values + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
