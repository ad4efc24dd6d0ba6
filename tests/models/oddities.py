"""Random scorecards, a table of every oddity, and the slow, obvious scoring of one row from the scorecard's JSON alone."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd

from workbench.models.bins import Bins
from workbench.models.scorecard import Scaling, Scorecard, scaled

WORDS = [
    "a",
    "b",
    "",
    " ",
    "it's",
    'say "x"',
    "two\nlines",
    "中文",
    "naïve",
    "A",
    "null",
    "NaN",
    "select",
    "a;--",
    "é",
    "1",
    "%",
    "back\\slash",
    "tab\there",
    "${x}",
]
NAMES = [
    "x",
    "Order By",
    'quo"te',
    "it's",
    "余额",
    "a.b",
    "select",
    "x$1",
    "tab`le",
    "[b]",
    "back\\slash",
    "semi;colon--",
]


def random_scorecard(seed: int, *, variables: int = 6) -> Scorecard:
    """Return a scorecard with numbers and categories, special codes, odd names, and points that tie."""
    rng = np.random.default_rng(seed)
    found = []
    for name in rng.permutation(NAMES)[:variables].tolist():
        words = bool(rng.random() < 0.4)
        if words:
            members = rng.permutation(WORDS)[: rng.integers(2, 10)].tolist()
            cuts = np.sort(rng.choice(np.arange(1, len(members)), rng.integers(0, len(members) - 1), replace=False))
            groups = tuple(tuple(group) for group in np.split(np.array(members, dtype=object), cuts))
            rest = [word for word in WORDS if word not in members]
            splits: tuple[float, ...] = ()
            specials: tuple[Any, ...] = ((rest[0], "a status"),) if rng.random() < 0.5 else ()
        else:
            groups = ()
            choice = np.array([-1e300, -5.0, -0.1, 0.0, 0.1, 0.3, 1 / 3, 1.0, 7.25, 1e6, 16777217.0, 2.0**53, 1e300])
            splits = tuple(np.sort(rng.choice(choice, rng.integers(0, 7), replace=False)).tolist())
            specials = tuple((code, "a status") for code in (-1.0, 99.0)[: rng.integers(0, 3)])
        size = (len(groups) + 2 if words else len(splits) + 2) + len(specials)
        goods, bads = (tuple(rng.integers(1, 50, size).tolist()) for _ in range(2))
        bins = Bins(name, splits, groups, goods, bads, None, specials)
        texts = {"en": f"{'' if words else 'at '}{{value}}", "zh": "值{value}"}
        found.append(scaled(bins, float(-rng.random()), Scaling(), label={"en": "it", "zh": "它"}, reason=texts))
    bands = (("A", 0.02), ("B", 0.05), ("C", 0.2), ("D", 1.0))
    factor, offset = Scaling().factor, Scaling().offset
    card = Scorecard(f"odd {seed}", {"window_months": 12}, tuple(found), float(rng.normal(-2, 1)), Scaling(),
                     (offset / factor, -1 / factor), bands, reference="best" if seed % 2 else "average")  # fmt: skip
    return card.rounded() if seed % 3 == 0 else card


def odd_rows(card: Scorecard, seed: int, rows: int) -> pd.DataFrame:
    """Return rows with every oddity: missing, edges and their neighbours, infinities, huge, negative zero, odd text."""
    rng = np.random.default_rng(seed)
    table = {}
    for variable in card.variables:
        bins = variable.bins
        if bins.categorical:
            own = [*(word for group in bins.groups for word in group), *(str(code) for code, _ in bins.specials)]
            choice = np.array([*own, *own, *WORDS, "never seen", "x" * 300, None], dtype=object)
            table[bins.name] = pd.Series(rng.choice(choice, rows), dtype="object")
        else:
            edges = [*bins.splits, *(code for code, _ in bins.specials), 0.0, 1.0]
            near = [np.nextafter(edge, side) for edge in edges for side in (-np.inf, np.inf)]
            choice = np.array([*edges, *near, -0.0, np.inf, -np.inf, np.nan, np.nan, 1e308, -1e308, 5e-324, 0.1 + 0.2])
            some = np.where(rng.random(rows) < 0.7, rng.choice(choice, rows), rng.normal(0, 5, rows))
            table[bins.name] = pd.Series(some)
    return pd.DataFrame(table)


def score_by_hand(text: str, row: dict[str, Any]) -> dict[str, Any]:
    """Score one row from the JSON of a scorecard as docs/scorecard-format.md says it, in plain Python."""
    card = json.loads(text)
    factor = card["scaling"]["pdo"] / math.log(2)
    score = card["scaling"]["base_score"] - factor * math.log(card["scaling"]["base_odds"]) - factor * card["intercept"]
    score = float(round(score)) if card["integer_points"] else score
    losses = []
    for place, variable in enumerate(card["variables"]):
        bins, points, value = variable["bins"], variable["points"], row[variable["bins"]["name"]]
        first = len(bins["groups"]) if bins["groups"] else len(bins["splits"]) + 1
        special = {code: first + (2 if bins["groups"] else 1) + i for i, (code, _) in enumerate(bins["specials"])}
        if value is None or value != value:
            code = first
        elif value in special:
            code = special[value]
        elif bins["groups"]:
            code = next((i for i, group in enumerate(bins["groups"]) if value in group), first + 1)
        else:
            code = sum(value >= split for split in bins["splits"])
        score += points[code]
        count = [good + bad for good, bad in zip(bins["goods"], bins["bads"], strict=True)]
        best = (
            sum(n * own for n, own in zip(count, points, strict=True)) / sum(count)
            if card["reference"] == "average"
            else max(own for n, own in zip(count, points, strict=True) if n)
        )
        if best - points[code] > 1e-9:
            losses.append((-(best - points[code]), place, bins["name"]))
    a, b = card["calibration"]
    chance = 1 / (1 + math.exp(-(a + b * score)))
    return {
        "score": score,
        "pd": chance,
        "grade": next(letter for letter, upper in card["grades"] if chance <= upper),
        "reason_codes": [name for _, _, name in sorted(losses)[:4]],
    }
