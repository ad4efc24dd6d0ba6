from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.core import languages
from workbench.core.errors import ParameterError
from workbench.core.languages import (
    by_language,
    currency_name,
    day_text,
    in_language,
    language,
    listed,
    mark,
    say,
    say_count,
    use_language,
)

CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

msgid "red"
msgstr "红色"

msgid "{n:,} of {all:,} at {day:long}"
msgstr "{day:long}：{all} 户中 {n:,} 户"

msgid "n/a"
msgstr "无"

msgid "{count:,} customer"
msgid_plural "{count:,} customers"
msgstr[0] "{count:,} 位客户"

msgid "limit {limit}"
msgstr "限额 {limt}"

#, fuzzy
msgid "not sure"
msgstr "不确定"
"""


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a small catalogue in the place of the shipped one."""
    (tmp_path / "zh.po").write_text(CATALOGUE.strip(), "utf-8")
    monkeypatch.setattr(languages, "CATALOGUES", tmp_path)
    languages._catalogue.cache_clear()
    yield
    languages._catalogue.cache_clear()


def in_both(text: str, /, **values: Any) -> tuple[str, str]:
    found = []
    for lang in ("en", "zh"):
        with in_language(lang):
            found.append(say(text, **values))
    return found[0], found[1]


def test_a_translation_orders_and_formats_its_places_itself() -> None:
    said = in_both("{n:,} of {all:,} at {day:long}", n=1200, all=34567, day=date(2026, 6, 3))
    assert said == ("1,200 of 34,567 at 3 June 2026", "2026年6月3日：34567 户中 1,200 户")


def test_what_is_not_translated_stays_english() -> None:
    assert in_both("{n:,} unknown messages", n=1200) == ("1,200 unknown messages",) * 2
    assert in_both("not sure") == ("not sure",) * 2  # fuzzy: nobody has looked at it
    assert in_both("") == ("", "")  # not the head of the catalogue
    with in_language("zh"):
        assert say_count(2, "{count} thing", "{count} things") == "2 things"
    assert mark("red") == "red"


@pytest.mark.parametrize(
    ("count", "english", "chinese"),
    [
        (0, "0 customers", "0 位客户"),
        (1, "1 customer", "1 位客户"),
        (2, "2 customers", "2 位客户"),
        (12345, "12,345 customers", "12,345 位客户"),
        (np.int64(1), "1 customer", "1 位客户"),
    ],
)
def test_counts_have_their_plural(count: int, english: str, chinese: str) -> None:
    assert say_count(count, "{count:,} customer", "{count:,} customers") == english
    with in_language("zh"):
        assert say_count(count, "{count:,} customer", "{count:,} customers") == chinese


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, np.float64("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("spec", ["", ":,.1f", ":+.1%", ":long", ":compact"])
def test_a_missing_value_says_so_in_each_format(missing: object, spec: str) -> None:
    assert in_both("{value" + spec + "}", value=missing) == ("n/a", "无")


@pytest.mark.parametrize(
    ("day", "form", "english", "chinese"),
    [
        (date(2026, 6, 30), "long", "30 June 2026", "2026年6月30日"),
        (datetime(2026, 6, 3, 23, 59), "long", "3 June 2026", "2026年6月3日"),
        (pd.Timestamp("2026-06-30"), "short", "30 Jun 2026", "2026年6月30日"),
        (date(2026, 12, 1), "month", "Dec 2026", "2026年12月"),
    ],
)
def test_days_in_words(day: date, form: str, english: str, chinese: str) -> None:
    assert in_both("{day:" + form + "}", day=day) == (english, chinese)
    assert day_text(day, form) == english


@pytest.mark.parametrize(
    ("amount", "english", "chinese"),
    [
        (0, "0", "0"),
        (999, "999", "999"),
        (12_345, "12.3K", "1.2万"),
        (12_345_678, "12.3M", "1234.6万"),
        (1_234_567_890, "1.2B", "12.3亿"),
        (-12_345_678, "-12.3M", "-1234.6万"),
        (np.float64(12_345_678.9), "12.3M", "1234.6万"),
        (np.int64(12_345), "12.3K", "1.2万"),
    ],
)
def test_compact_amounts(amount: float, english: str, chinese: str) -> None:
    assert in_both("{amount:compact}", amount=amount) == (english, chinese)


def test_an_infinite_amount_is_written() -> None:
    assert in_both("{amount:compact}", amount=float("inf"))[0] in {"∞", "inf"}


@pytest.mark.parametrize(
    "value", ["{n}", "{0}", "{", "}", "{value}", "%s %(n)s", "${x}", "{{7*7}}", "{value.__class__}"]
)
def test_a_value_is_never_formatted_itself(value: str) -> None:
    assert in_both("limit {value}", value=value) == (f"limit {value}",) * 2
    assert in_both("{value} and {again}", value=value, again=value) == (f"{value} and {value}",) * 2
    assert say_count(1, "{count} {value}", "{count} {value}s", value=value) == f"1 {value}"
    assert in_both(value) == (value, value)  # a message without values is not formatted
    assert listed([value, value]) == f"{value}, {value}"


def test_a_place_that_the_message_does_not_have_is_an_error() -> None:
    assert say("limit {limit}", limit=3) == "limit 3"
    with in_language("zh"), pytest.raises(KeyError, match="limt"):
        say("limit {limit}", limit=3)


def test_lists_currencies_and_labels() -> None:
    assert listed(["a", 1]) == "a, 1"
    assert currency_name("EUR") == "EUR"
    assert by_language({"en": "red", "zh": "红"}) == "red"
    with in_language("zh"):
        assert listed(["a", 1]) == "a、1"
        assert (currency_name("CNY"), currency_name("EUR")) == ("人民币", "欧元")
        assert currency_name("XQQ") == "XQQ"
        assert by_language({"en": "red", "zh": "红"}) == "红"
        assert by_language({"en": "red"}) == "red"
        assert by_language({"de": "rot"}) == "rot"
        assert by_language({}) == ""


def test_an_unknown_language_is_refused_and_changes_nothing() -> None:
    with pytest.raises(ParameterError, match="unknown language 'de'"):
        use_language("de")
    with pytest.raises(ParameterError, match="Did you mean 'zh'"), in_language("zh_"):
        pytest.fail("never here")
    assert language() == "en"


def test_a_language_used_for_a_while_gives_the_former_back() -> None:
    assert language() == "en"
    with in_language("zh"):
        with in_language("en"):
            assert say("red") == "red"
        assert say("red") == "红色"
    assert language() == "en"
    with pytest.raises(ValueError, match="inside"), in_language("zh"):
        raise ValueError("inside")
    assert language() == "en"


def test_without_a_catalogue_everything_is_english(tmp_path: Path) -> None:
    (tmp_path / "zh.po").unlink()
    languages._catalogue.cache_clear()
    assert in_both("red") == ("red", "red")
