"""HTML that is escaped by construction: a value becomes markup only through `escape` or `Html.fill`."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

# What is no character of HTML, XML or XLSX: C0 and C1 controls apart from tab, LF and CR; surrogates; non-characters.
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Embeddings, overrides and isolates can make "1,000" read as another number; plain LRM and RLM marks cannot.
_BIDI_CONTROL = re.compile("[\u202a-\u202e\u2066-\u2069]")


def without_controls(text: str, replacement: str = "\ufffd") -> str:
    r"""Return `text` with control characters, of writing direction too, and lone surrogates replaced.

    >>> without_controls("a\x00b", "")
    'ab'
    """
    return _BIDI_CONTROL.sub(replacement, _NO_CHARACTER.sub(replacement, text))


class Html(str):
    """Text that is markup already. Only literals written in this package, and what `escape` returns, may be one."""

    __slots__ = ()

    def fill(self, **values: object) -> Html:
        """Return the template with every `{name}` replaced by its escaped value.

        >>> Html("<b>{name}</b>").fill(name="<script>")
        '<b>&lt;script&gt;</b>'
        """
        return Html(self.format_map({name: escape(value) for name, value in values.items()}))

    def __html__(self) -> str:
        return str(self)


def escape(value: object) -> Html:
    """Return `value` as markup: blocks and `Html` as they are, all else as text with its controls made visible.

    >>> escape('a "quoted" <b>')
    'a &quot;quoted&quot; &lt;b&gt;'
    """
    if isinstance(value, Html):
        return value
    if isinstance(value, Block):
        return value.html
    return Html(html.escape(without_controls(str(value)), quote=True))


def join(parts: list[Html] | tuple[Html, ...]) -> Html:
    """Return the pieces of markup one after the other."""
    return Html("".join(escape(part) for part in parts))


@dataclass(frozen=True)
class Block:
    """What a notebook cell shows: `html` on a page, `text` in a terminal.

    A rendered report keeps a cell's `text/html` only where the output's metadata say that a block made it, so a value
    that looks like a block's markup is still shown as text.
    """

    kind: str
    html: Html
    text: str
    lab_style: str = ""

    def _repr_html_(self) -> str:
        return f"{self.lab_style}{self.html}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        data = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        return data, {"text/html": {"workbench_block": self.kind}}

    def __repr__(self) -> str:
        return without_controls(self.text)
