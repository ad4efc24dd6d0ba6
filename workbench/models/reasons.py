"""Why a customer lost points, in words: templates such as `Worst days past due in 6 months: {value:.0f} days`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Formatter

import numpy as np
import pandas as pd

from workbench.core.errors import ParameterError
from workbench.core.languages import language
from workbench.models.columns import numbers, texts

Texts = Mapping[str, str]

NOT_KNOWN: Texts = {"en": "not known", "zh": "未知"}
_COLON: Texts = {"en": ": ", "zh": "："}
_PLACE = re.compile(r"\{value[^{}]*\}")


def check_templates(templates: Texts, *, name: str, categorical: bool = False) -> None:
    """Raise `ParameterError` for a template that cannot say a value; one without `{value}` is a plain sentence.

    >>> check_templates({"en": "Overdue: {value:.0f} days"}, name="dpd")
    """
    for lang, template in templates.items():
        try:
            if other := {field for _, field, _, _ in Formatter().parse(template) if field not in (None, "value")}:
                raise KeyError(*sorted(other))
            template.format(value="text" if categorical else 0.5)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise ParameterError(
                f"reason of {name} ({lang}): {template!r} cannot be filled ({error!r}). "
                "Its only place is {value}, with a number format such as {value:.0f}."
            ) from error


def spoken_language(reasons: Iterable[Texts]) -> str:
    """Return the language in use, or `en` where one of the reasons does not speak it.

    >>> spoken_language([{"en": "Overdue: {value:.0f} days"}, {}])
    'en'
    """
    return language() if all(language() in templates for templates in reasons if templates) else "en"


def reason_texts(
    values: pd.Series,
    templates: Texts,
    label: Texts,
    lang: str,
    *,
    categorical: bool = False,
    specials: Mapping[float | str, str] | None = None,
) -> list[str]:
    """Return the reason for each value: the template filled in, or 'not known' in its place for a missing value.

    What follows the place (a unit) is left out for a missing value; where no colon comes before it, the label does. A
    special code is told by its meaning, in the same way.

    >>> reason_texts(pd.Series([45.0, None]), {"en": "Overdue: {value:.0f} days"}, {"en": "Overdue"}, "en")
    ['Overdue: 45 days', 'Overdue: not known']
    >>> reason_texts(pd.Series([-2.0]), {"en": "Late: {value:.0f} months"}, {}, "en", specials={-2.0: "card not used"})
    ['Late: card not used']
    """
    template, blank, words = told(templates, label, lang, name=str(values.name), specials=specials)
    found = texts(values) if categorical else numbers(values, name=str(values.name))
    return [
        blank if value is None or value != value else words.get(value) or template.format(value=value)
        for value in np.asarray(found)
    ]


def told(
    templates: Texts, label: Texts, lang: str, *, name: str, specials: Mapping[float | str, str] | None = None
) -> tuple[str, str, dict[object, str]]:
    """Return the template, the reason of a missing value, and that of each special code.

    >>> told({"en": "Late: {value:.0f} months"}, {}, "en", name="late", specials={-2.0: "card not used"})[1:]
    ('Late: not known', {-2.0: 'Late: card not used'})
    """
    template = templates[lang]
    before, *after = _PLACE.split(template)
    if not after:
        return template, template.format(), dict.fromkeys(specials or {}, template.format())
    own = label.get(lang, name).replace("{", "{{").replace("}", "}}")
    head = before if before.rstrip().endswith((":", "：")) else own + _COLON.get(lang, ": ")
    words: dict[object, str] = {code: head.format() + meaning for code, meaning in (specials or {}).items()}
    return template, head.format() + NOT_KNOWN.get(lang, NOT_KNOWN["en"]), words
