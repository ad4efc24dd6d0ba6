"""People of the simulated lender: plausible, never real, alike whenever they are made."""

from __future__ import annotations

import re

import numpy as np
import pytest

from workbench.book.simulation.writing.persons import CHINESE_SHARE, addresses, emails, names, national_ids, phones
from workbench.book.simulation.writing.wordlists import word_list, word_lists

CUSTOMERS = 4_000
GENDER = np.arange(CUSTOMERS) % 2
NO_CHANGES = np.zeros(CUSTOMERS, np.int64)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_given_names_fit_the_gender() -> None:
    found, lists = names(GENDER, rng()), word_lists()
    for code, kind in enumerate(("female", "male")):
        english, chinese = set(lists[f"en_{kind}"].shown), set(lists[f"zh_{kind}"].shown)
        for i in np.flatnonzero(np.equal(GENDER, code)):
            shown = found.shown[i]
            assert shown[1:] in chinese if found.chinese[i] else shown.split(" ")[0] in english
    assert len(set(found.shown)) > 0.9 * CUSTOMERS


def test_names_are_in_two_scripts_and_plain_in_ascii() -> None:
    found = names(GENDER, rng())
    assert found.chinese.mean() == pytest.approx(CHINESE_SHARE, abs=4 * np.sqrt(0.15 * 0.85 / CUSTOMERS))
    assert [not text.isascii() for text in found.shown] == found.chinese.tolist()
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", text) for text in found.plain)


def test_pinyin_is_that_of_the_signs() -> None:
    # syllables as the standard GB/T 16159 writes them; family names by their own reading: 曾 Zeng, 覃 Qin; ü as in passports
    assert word_list(["曾", "覃", "吕", "欧阳", "淑珍", "晓"]).plain.tolist() == [
        "zeng", "qin", "lyu", "欧yang", "shuzhen", "晓",
    ]  # fmt: skip
    lists = word_lists()
    assert all(plain.isascii() for part in ("female", "male", "last") for plain in lists[f"zh_{part}"].plain)
    assert {"王", "李", "张", "刘", "陈"} <= set(lists["zh_last"].shown)
    assert len(lists["zh_last"].shown) >= 100


def test_frequent_names_are_drawn_more_often() -> None:
    family = [text.split(" ")[1] for text in names(GENDER, rng()).shown if text.isascii()]
    assert family.count("Smith") > family.count("Stuart") + 10  # Faker's first, and one of its last


def test_shares_of_a_list_are_kept() -> None:
    drawn = word_list({"a": 1.0, "b": 3.0}).pick(rng().random(10_000))
    assert drawn.mean() == pytest.approx(0.75, abs=0.02)
    assert word_list(["x", "y"]).pick(np.array([0.0, np.nextafter(1.0, 0.0)])).tolist() == [0, 1]


def test_nothing_is_real() -> None:
    found = names(GENDER, rng())
    assert all(re.fullmatch(r"\+00 \d{3} \d{7}", text) for text in phones(NO_CHANGES, rng()))
    mail = emails(found.plain, NO_CHANGES, first_number=1)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@example\.(com|net|org)", text) for text in mail)
    assert {text.rpartition("@")[2] for text in mail} == {"example.com", "example.net", "example.org"}
    assert all(re.fullmatch(r"ZZ\d{10}", text) for text in national_ids(1, CUSTOMERS, seed=7))
    for text, chinese in zip(addresses(found.chinese, NO_CHANGES, rng()), found.chinese, strict=True):
        assert re.fullmatch(r".{2}市.+区.+[街路]\d+号 ZZ-\d{6}" if chinese else r"\d+ \w+ \w+, ZZ-\d{5} \w+", text), (
            text
        )


def test_a_city_has_one_area_code() -> None:
    areas: dict[str, set[str]] = {}
    for text in addresses(np.zeros(CUSTOMERS, np.bool_), NO_CHANGES, rng()):
        code, city = text.split(", ZZ-")[1].split(" ")
        areas.setdefault(city, set()).add(code[:3])
    assert {len(found) for found in areas.values()} == {1}
    assert len(areas) > 400


def test_no_national_id_twice_across_blocks() -> None:
    blocks = [national_ids(first, 50_000, seed=7) for first in range(1, 250_000, 50_000)]
    together = [text for block in blocks for text in block]
    assert len(set(together)) == 250_000
    assert together == national_ids(1, 250_000, seed=7)  # however the book is cut into blocks
    last = national_ids(10_000_000 - 2, 3, seed=7)  # the largest book
    assert len(set(last) | set(together)) == 250_003


def test_national_ids_are_scattered_and_differ_by_seed() -> None:
    number = np.array([int(text[2:]) for text in national_ids(1, CUSTOMERS, seed=7)])
    assert np.abs(np.corrcoef(np.arange(CUSTOMERS), number)[0, 1]) < 0.08
    assert number.min() < 10**10 * 0.01
    assert number.max() > 10**10 * 0.99
    assert set(national_ids(1, 500, seed=7)).isdisjoint(national_ids(1, 500, seed=8))
    assert national_ids(1, 2, seed=2**70) == national_ids(1, 2, seed=2**70)


def test_a_change_gives_another_and_leaves_the_rest_alone() -> None:
    chinese = np.arange(CUSTOMERS) % 5 == 0
    changes = (np.arange(CUSTOMERS) % 3 == 0).astype(np.int64)
    plain = names(GENDER, rng()).plain
    for before, after in (
        (phones(NO_CHANGES, rng()), phones(changes, rng())),
        (emails(plain, NO_CHANGES, first_number=5), emails(plain, changes, first_number=5)),
        (addresses(chinese, NO_CHANGES, rng()), addresses(chinese, changes, rng())),
    ):
        assert [a != b for a, b in zip(before, after, strict=True)] == (changes > 0).tolist()
    again = [addresses(chinese[:50], np.full(50, moves), rng()) for moves in range(6)]
    assert all(len(set(own)) == 6 for own in zip(*again, strict=True))


def test_the_same_generator_gives_the_same_people() -> None:
    first, again, other = (names(GENDER, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shown == again.shown
    assert first.plain == again.plain
    assert first.shown != other.shown
    for made in (lambda seed: phones(NO_CHANGES, seed), lambda seed: addresses(first.chinese, NO_CHANGES, seed)):
        assert made(np.random.default_rng(1)) == made(np.random.default_rng(1))
        assert made(np.random.default_rng(1)) != made(np.random.default_rng(2))


def test_words_are_those_of_the_locked_version() -> None:
    # If this fails after `make lock`, Faker's lists have changed: simulated people have new names. Say so in CHANGELOG.md.
    found = names(np.array([0, 1, 0, 1]), np.random.default_rng(43))
    assert found.shown == ["Laurie Fisher", "赵辉", "贺丽丽", "Dennis Mcclain"]
    assert found.plain == ["laurie.fisher", "hui.zhao", "lili.he", "dennis.mcclain"]
    assert addresses(found.chinese, np.zeros(4, np.int64), np.random.default_rng(43)) == [
        "65 Curtis Station, ZZ-04359 Mitchellburgh",
        "秀兰市璧山区刘街190号 ZZ-900732",
        "海燕市花溪区马街98号 ZZ-902077",
        "35 Henderson Grove, ZZ-46354 Pattonbury",
    ]


def test_a_gender_without_names_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"found the codes \[-1, 0\], expected 0"):
        names(np.array([0, -1]), rng())


def test_a_block_may_be_empty() -> None:
    none = np.zeros(0, np.int64)
    found = names(none, rng())
    assert found.shown == found.plain == phones(none, rng()) == emails([], none, first_number=1) == []
    assert national_ids(9, 0, seed=7) == addresses(found.chinese, none, rng()) == []
