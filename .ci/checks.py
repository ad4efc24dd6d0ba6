"""Write docs/checks.md from the checks; a test compares."""

from __future__ import annotations

from pathlib import Path

from workbench.book.checks.catalogue import checks_by_kind
from workbench.book.checks.finding import ERROR_SHARE, EXAMPLES, Check

HEAD = f"""\
# Checks of a book

Written by `python .ci/checks.py` from the checks. `workbench book import` makes them before a delivery becomes current, and an
error stops it; `workbench book check NAME` and the page of `10_data_quality` make them again, at any date.

- **error**: numbers further on would be wrong. Where no more than {ERROR_SHARE:.0%} of a table's rows are faulty it is a slip,
  and a warning; those marked "error" in bold are errors from the first row on.
- **warning**: values that mislead. **info**: to know.

A finding names its table and column, how many rows and of what share, up to {EXAMPLES} keys as examples, and what it breaks.
No value of a row is shown. Of columns that are private, or of which the source keeps the present value alone, only the share
that is missing is counted. A `*` stands for any table, `COLUMN` for any column.

`severities` in `params/books/NAME.yaml` lowers a check by its name, with a reason that the report shows; nothing raises one:

```yaml
severities:
  payments.before_loan: {{severity: info, reason: deposits are paid up to a week before the contract is signed}}
```
"""


def catalogue() -> str:
    """Return the text of docs/checks.md."""
    parts = [HEAD]
    for kind, checks in checks_by_kind().items():
        parts.append(f"\n## {kind}\n\n| check | finds that | severity | breaks |\n|---|---|---|---|\n")
        parts += [_line(check) for check in checks]
    return "".join(parts)


def _line(check: Check) -> str:
    what = f"`{check.column}` {check.words}" if check.column else check.words
    when = f" ({check.when})" if check.when else ""
    severity = f"**{check.severity}**" if check.always and check.severity == "error" else check.severity
    return f"| `{check.key}` | {what}{when} | {severity} | {check.breaks or 'nothing'} |\n"


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "checks.md").write_text(catalogue(), "utf-8")
