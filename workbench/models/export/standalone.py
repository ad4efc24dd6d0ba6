"""A scorecard in one file that needs nothing but Python 3.9: import it, or pipe a CSV through it.

    from scorecard import score
    score({"worst_dpd_12m": 45, "job": None})    # {'score': ..., 'pd': ..., 'grade': ..., 'reason_codes': [...], ...}

    python scorecard.py < rows.csv > scores.csv  # every column of the input (UTF-8, commas), then the scores

What its parts mean: docs/scorecard-format.md of the Loan Risk Workbench, which wrote this file.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import Any, Mapping  # noqa: UP035 - Python 3.9 reads this file too

CARD: dict[str, Any] = json.loads("{}")


def score(row: Mapping[str, Any], lang: str = "en") -> dict[str, Any]:
    """Return score (higher is safer), pd, grade, reason_codes and reasons of one row, a mapping of column to value.

    None and NaN are missing. Raises KeyError where a column is missing, and TypeError for text where a number belongs.
    """
    total, losses = CARD["base"], []
    for place, variable in enumerate(CARD["variables"]):
        if variable["name"] not in row:
            raise KeyError(
                f"no column {variable['name']!r}; expected: {', '.join(v['name'] for v in CARD['variables'])}"
            )
        value = row[variable["name"]]
        code = _code(variable, value)
        total += variable["points"][code]
        if variable["losses"][code] > 0:
            losses.append((-variable["losses"][code], place, value))
    losses = sorted(losses, key=lambda loss: loss[:2])[: CARD["max_reasons"]]
    told = [(CARD["variables"][place], value) for _, place, value in losses]
    a, b = CARD["calibration"]
    return {
        "score": total,
        "pd": 1 / (1 + math.exp(min(-(a + b * total), 700.0))),
        "grade": next((grade for grade, cut in zip(CARD["grades"], CARD["cuts"]) if total >= cut), CARD["grades"][-1]),  # noqa: B905
        "reason_codes": [variable["name"] for variable, _ in told],
        "reasons": [_reason(variable, value, lang) for variable, value in told],
    }


def _code(variable: dict[str, Any], value: Any) -> int:
    """Return the place of a value among the points: its bin, then missing, unseen (of categories), and special codes."""
    if _is_missing(value):
        return int(variable["missing"])
    if variable["groups"]:
        name = _text(value)
        return int(variable["codes"].get(name, variable["missing"] + 1))
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise TypeError(f"{variable['name']}: {value!r} is no number")
    number = float(value)
    for code, special in enumerate(variable["specials"], start=variable["missing"] + 1):
        if number == special:
            return code
    return sum(number >= split for split in variable["splits"])


def _reason(variable: dict[str, Any], value: Any, lang: str) -> str:
    words = variable["words"][lang]
    if _is_missing(value):
        return str(words["missing"])
    key = _text(value) if variable["groups"] else float(value)
    for special, text in words["specials"]:
        if key == special:
            return str(text)
    return str(words["template"].format(value=key))


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas' NA, which refuses to be compared."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def _text(value: Any) -> str:
    """Return a category's name: 1.0 and 1 are one."""
    if isinstance(value, (str, bytes, bool)) or type(value).__name__ in ("bool", "bool_"):
        return str(value)
    return str(int(value)) if float(value).is_integer() else str(value)


def main() -> None:
    """Read a CSV from standard input and write it with its scores."""
    text = {variable["name"] for variable in CARD["variables"] if variable["groups"]}
    sys.stdin.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]
    rows, out = csv.reader(sys.stdin), csv.writer(sys.stdout, lineterminator="\n")
    names = next(rows, [])
    if len(set(names)) < len(names) or not set(CARD["inputs"]) <= set(names):
        sys.exit(f"found the columns {names}, expected each once, and among them: {', '.join(CARD['inputs'])}")
    out.writerow([*names, "score", "pd", "grade", "reason_codes", "reasons", "model", "version"])
    for cells in rows:
        if not cells:
            continue
        if len(cells) != len(names):
            sys.exit(f"line {rows.line_num}: found {len(cells)} cells, expected {len(names)}")
        known: dict[str, Any] = {}
        for name, cell in zip(names, cells):  # noqa: B905 - Python 3.9
            known[name] = None if cell in CARD["missing"] else cell
            if name in CARD["inputs"] and name not in text and known[name] is not None:
                try:
                    known[name] = float(cell.replace("_", "?"))
                except ValueError:
                    sys.exit(f"line {rows.line_num}, {name}: {cell!r} is no number")
        found = score(known)
        lists = ["; ".join(found["reason_codes"]), "; ".join(found["reasons"])]
        scores = [repr(found["score"]), repr(found["pd"]), found["grade"], *lists, CARD["name"], CARD["version"]]
        out.writerow([*cells, *scores])


if __name__ == "__main__":
    main()
