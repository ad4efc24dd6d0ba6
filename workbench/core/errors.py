"""The error tree. A message says what was found, what was expected, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkbenchError(Exception):
    """Any failure that the workbench explains itself; `exit_code` is what a command returns for it."""

    exit_code = 1


class InputError(WorkbenchError):
    """Wrong usage, parameters or data: somebody can mend it, and the message says how."""

    exit_code = 2


class ParameterError(InputError):
    """A notebook parameter, setting or YAML key is unknown, or has the wrong type or value."""


class BookError(InputError):
    """A book is missing, incomplete or damaged."""


class SampleError(InputError):
    """A modelling sample cannot carry a model: no bads, one class, too many losses."""


class ModelError(InputError):
    """A model is missing, does not fit its input, or may not be promoted."""


class GateError(ModelError):
    """A model failed the gates of `params/gates.yaml`."""


class NotebookError(WorkbenchError):
    """A notebook raised; the run's other outputs were left as they were."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean ...?' for the known name closest to `name`, or '' where none is close.

    >>> nearest("asof", ["as_of", "book"])
    " Did you mean 'as_of'?"
    >>> nearest("xyz", ["as_of", "book"])
    ''
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for an unknown name: what was found, the nearest known one, and the choice there is.

    >>> unknown("book", "dmo", ["demo", "aart"])
    "unknown book 'dmo'. Did you mean 'demo'? Known: aart, demo."
    """
    names = sorted(known)
    return f"unknown {what} {name!r}.{nearest(name, names)} Known: {', '.join(names) or 'none'}."
