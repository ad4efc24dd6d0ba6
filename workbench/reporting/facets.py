"""Narrowing a list without a script: radio buttons, and CSS that hides what the checked ones do not mean.

An entry has the class of each of its values. Where a browser does not know `:has()`, everything is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from workbench.core.languages import say
from workbench.reporting.markup import Html, join


@dataclass(frozen=True)
class Facet:
    """One way to narrow a list: a letter for its ids, its legend, and its values, each with the word that is read."""

    letter: str
    legend: str
    words: Mapping[str, str]

    @cached_property
    def names(self) -> dict[str, str]:
        """The id of each value's radio button, which is the class of its entries too."""
        return {value: f"{self.letter}{place}" for place, value in enumerate(self.words)}


def form(facets: Sequence[Facet]) -> Html:
    """Return a fieldset a facet; a facet of one value narrows nothing and is left out."""
    fieldset = Html("<fieldset><legend>{legend}</legend><div>{radios}</div></fieldset>")
    radio = Html('<label><input type="radio" name="{letter}" id="{name}"{checked}> <span>{word}</span></label>')
    sets = []
    for facet in facets:
        if len(facet.words) > 1:
            every = radio.fill(
                letter=facet.letter, name=f"{facet.letter}-all", checked=Html(" checked"), word=say("All")
            )
            radios = [
                radio.fill(letter=facet.letter, name=facet.names[value], checked="", word=word)
                for value, word in facet.words.items()
            ]
            sets.append(fieldset.fill(legend=facet.legend, radios=join([every, *radios])))
    if not sets:
        return Html("")
    return Html('<details class="filter" open><summary>{word}</summary><div>{sets}</div></details>').fill(
        word=say("Narrow the list"), sets=join(sets)
    )


def hiding(facets: Sequence[Facet], *, within: tuple[str, str]) -> Html:
    """Return the CSS that hides each `.entry` that lacks a checked value.

    A `.group` has the classes of all its entries. It is hidden as well where none of them has both of the checked values
    of the two facets `within`, by their letters; in every other facet its entries must have one value.
    """
    rules = [f":root:has(#{name}:checked) .entry:not(.{name})" for facet in facets for name in facet.names.values()]
    first, second = (next(facet for facet in facets if facet.letter == letter) for letter in within)
    rules += [
        f":root:has(#{one}:checked):has(#{other}:checked) .group:not(:has(.{one}.{other}))"
        for one, other in product(first.names.values(), second.names.values())
    ]
    return Html(",\n".join(rules) + " { display: none }\n") if rules else Html("")


def counted(entries: Html, count: int) -> Html:
    """Return entries and how many of them are shown, which CSS counts: it stands after them and is seen before them."""
    return Html('<div class="counted">{entries}<p class="meta">{word} <b class="number"></b> / {count}</p></div>').fill(
        entries=entries, word=say("Shown:"), count=f"{count:,}"
    )


def classes(found: Iterable[tuple[Facet, str]]) -> str:
    """Return the classes of an entry that has these values."""
    return " ".join(facet.names[value] for facet, value in found)
