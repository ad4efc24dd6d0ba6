"""Write environment.yml with the very versions of requirements.lock; `python .ci/environment.py --check` compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """\
# The same versions as requirements.lock, for conda and mamba: written by `make lock`, compared by the tests.
name: loan-risk-workbench
channels:
  - conda-forge
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
"""


def environment() -> str:
    """Return the text of environment.yml for the present lock."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = re.findall(r"^([a-z0-9][\w.\-\[\]]*==[^\s;\\]+)(?: ; ([^\\\n]+?))? ?\\?$", lock, flags=re.MULTILINE)
    lines = [f'      - "{pin}; {marker.strip()}"' if marker else f"      - {pin}" for pin, marker in pins]
    return HEAD + "\n".join([*lines, "      - --editable ."]) + "\n"


if __name__ == "__main__":
    path = ROOT / "environment.yml"
    if "--check" in sys.argv:
        sys.exit(path.read_text("utf-8") != environment())
    path.write_text(environment(), "utf-8")
