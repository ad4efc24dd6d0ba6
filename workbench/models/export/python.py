"""A scorecard as one Python file without dependencies: `standalone.py` with the scorecard in it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from workbench.models.reasons import told
from workbench.models.scorecard import MAX_REASONS, Scorecard, Variable
from workbench.models.table_file import csv_layout

_PLACE = 'json.loads("{}")'


def scorecard_python(scorecard: Scorecard, *, version: str = "") -> str:
    """Return the text of a Python file that scores rows as `Scorecard.score` does, PDs within the last digits of `exp`."""
    card = {
        "name": scorecard.name,
        "version": version,
        "inputs": list(scorecard.inputs),
        "missing": list(csv_layout(scorecard.provenance).missing),
        "base": scorecard.base_points,
        "variables": [_plain(scorecard, variable) for variable in scorecard.variables],
        "calibration": list(scorecard.calibration),
        "grades": [letter for letter, _ in scorecard.grades],
        "cuts": scorecard.grade_cuts,
        "max_reasons": MAX_REASONS,
    }
    template = files("workbench.models.export").joinpath("standalone.py").read_text("utf-8")
    return template.replace(_PLACE, f"json.loads({json.dumps(card, allow_nan=False)!r})", 1)


def _plain(scorecard: Scorecard, variable: Variable) -> dict[str, Any]:
    bins = variable.bins
    codes = {category: code for code, group in enumerate(bins.groups) for category in group}
    codes |= {str(special): bins.special_code + i for i, (special, _) in enumerate(bins.specials)}
    words = {}
    for lang in variable.reason:
        template, missing, specials = told(
            variable.reason, variable.label, lang, name=variable.name, specials=dict(bins.specials)
        )
        words[lang] = {"template": template, "missing": missing, "specials": list(specials.items())}
    return {
        "name": variable.name,
        "splits": list(bins.splits),
        "groups": bins.categorical,
        "codes": codes if bins.categorical else {},
        "missing": bins.missing_code,
        "specials": [] if bins.categorical else [code for code, _ in bins.specials],
        "points": list(variable.points),
        "losses": scorecard.losses(variable).tolist(),
        "words": words,
    }
