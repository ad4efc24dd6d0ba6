"""What a load keeps in English, in the language in use: why it did not take a line, a row or a value as it came."""

from __future__ import annotations

import re
import string
from functools import cache

from workbench.core.languages import mark, say

# As `loading` and `sources` write them; what they write otherwise, such as a new word of DuckDB's, stays as it is.
_WORDS = (
    mark("{column}: not in its code table"),
    mark("{column}: cannot be read as {type}"),
    mark("{column}: not one of {allowed}"),
    mark("{column} is missing"),
    mark("currency is not {currency}"),
    mark("is no JSON object"),
    mark("holds bytes that are no {encoding}"),
    mark("longer than {size} MB"),
    mark("swallowed by an open quote"),
    mark("within a text in quotes that an earlier line began"),
    mark("cast"),
    mark("missing columns"),
    mark("too many columns"),
    mark("unquoted value"),
    mark("line size over maximum"),
    mark("invalid encoding"),
    mark("invalid state"),
    mark("{count} blank lines hold no record"),
    mark("{count} lines go on with a text in quotes that the line before began"),
    mark("{file}: {count} columns that other files of this source have are missing: left empty"),
    mark("{file}: the last line has no newline: the file may have been cut"),
    mark("{file}: a byte order mark was skipped"),
    mark("{file}: its byte order mark says {found}, the mapping {expected}: read as {read}"),
    mark("{file}: {count} NUL bytes removed"),
    mark("{file}: mixed or old newlines made one"),
    mark("{file}: {count} formulas have no stored value and are read as empty: open the file in Excel and save it"),
    mark("{count} records changed between pages: the newest was kept"),
    mark("{count} records came twice: kept once"),
    mark("{count} requests were tried again"),
    mark("{count} times the list was read anew, as records moved between pages"),
)


def retold(text: str) -> str:
    """Return a reason or a repair that a load has kept, in the language in use.

    >>> retold("opened_on is missing")
    'opened_on is missing'
    """
    for words in _WORDS:
        found = _pattern(words).fullmatch(text)
        if found:
            return say(words, **found.groupdict())
    return text


@cache
def _pattern(words: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(words)
    return re.compile("".join(re.escape(text) + (f"(?P<{place}>.+?)" if place else "") for text, place, *_ in parts))
