"""What a model was made with: the code, and the packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
from functools import cache
from pathlib import Path


@cache
def code_sha256() -> str:
    """Return the hash of the workbench's own code: what made a model, whatever its version says."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def installed_packages() -> str:
    """Return name==version of every installed package, a line each: the lock that a model was really made with."""
    found = {f"{found.name.lower()}=={found.version}" for found in importlib.metadata.distributions() if found.name}
    return "\n".join(sorted(found)) + "\n"
