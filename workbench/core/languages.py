"""The languages of reports and lists: gettext catalogues, and numbers and days as people of each language write them.

English is in the code; `workbench/locale/LANG.po` holds its translations. `make messages` brings the catalogues up to date.
"""

from __future__ import annotations

import gettext
import io
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from workbench.core.errors import ParameterError, unknown

LANGUAGES = {"en": "en_GB", "zh": "zh_CN"}
CATALOGUES = Path(__file__).parent.parent / "locale"
_DAYS = {"long": ("d MMMM y", "y年M月d日"), "short": ("d MMM y", "y年M月d日"), "month": ("MMM y", "y年M月")}
_language = "en"  # of this process, as the locale of any process is: a page is in one language


def use_language(lang: str) -> str:
    """Make `lang` the language of everything that this process says from now on, and return it.

    Raises
    ------
    ParameterError
        If there is no such language.
    """
    global _language
    if lang not in LANGUAGES:
        raise ParameterError(unknown("language", lang, LANGUAGES))
    _language = lang
    return lang


def language() -> str:
    """Return the language in use, `en` or `zh`."""
    return _language


@contextmanager
def in_language(lang: str) -> Iterator[None]:
    """Use a language within a block."""
    before = _language
    use_language(lang)
    try:
        yield
    finally:
        use_language(before)


def mark(text: str) -> str:
    """Return `text` as it is: the catalogues take it up here, and `say` translates it where it is shown."""
    return text


def say(text: str, /, **values: object) -> str:
    """Return `text` in the language in use, its places filled.

    A place has a number format of Python's (`{n:,}`, `{share:.1%}`), or for a day `{day:long}`, `{day:short}` or
    `{day:month}`, or for an amount `{amount:compact}`. A missing value reads `n/a`.

    >>> say("{n:,} of {share:.1%} at {day:long}", n=1200, share=0.034, day=date(2026, 6, 30))
    '1,200 of 3.4 % at 30 June 2026'
    """
    found = _catalogue(_language).gettext(text) if text else text
    return _WRITER.vformat(found, (), values) if values else found


def say_count(count: int, one: str, many: str, /, **values: object) -> str:
    """Return `one` or `many`, as `count` asks for in the language in use; `{count}` is a place too.

    >>> say_count(1, "{count:,} customer", "{count:,} customers")
    '1 customer'
    """
    found = _catalogue(_language).ngettext(one, many, int(count))
    return _WRITER.vformat(found, (), {"count": count, **values})


def listed(texts: Sequence[object]) -> str:
    """Return the texts one after the other: "a, b", in Chinese "a、b"."""
    return ("、" if _language == "zh" else ", ").join(str(text) for text in texts)


def currency_name(code: str) -> str:
    """Return how a currency is called beside an amount: its code in English, its name in Chinese (CNY: 人民币).

    >>> currency_name("EUR")
    'EUR'
    """
    if _language == "en":
        return code
    from babel.numbers import get_currency_name

    return get_currency_name(code, locale=LANGUAGES[_language])


def day_text(day: date, form: str = "long") -> str:
    """Return a day in words: `long` (30 June 2026), `short` (30 Jun 2026) or `month` (Jun 2026)."""
    from babel.dates import format_date

    patterns = dict(zip(LANGUAGES, _DAYS[form], strict=True))
    return format_date(day, patterns[_language], locale=LANGUAGES[_language])


class _Writer(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if _is_missing(value):
            return say("n/a")
        if format_spec in _DAYS:
            return day_text(value.date() if isinstance(value, datetime) else value, format_spec)
        if format_spec == "compact" and abs(value) < 1000:
            return f"{value:,.0f}"
        if format_spec == "compact":
            from babel.numbers import format_compact_decimal

            return format_compact_decimal(value, locale=LANGUAGES[_language], fraction_digits=1)
        if format_spec.endswith("%"):
            return say("{number} %", number=str(super().format_field(value, format_spec))[:-1])
        return str(super().format_field(value, format_spec))


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)  # NaN, NaT
    except TypeError:  # pandas' NA, which says neither yes nor no
        return True


_WRITER = _Writer()


@cache
def _catalogue(lang: str) -> gettext.NullTranslations:
    path = CATALOGUES / f"{lang}.po"
    if not path.exists():
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=LANGUAGES[lang]))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def by_language(texts: Mapping[str, str]) -> str:
    """Return the text of the language in use among `texts`, or the English one, or the first."""
    return texts.get(_language) or texts.get("en") or next(iter(texts.values()), "")
