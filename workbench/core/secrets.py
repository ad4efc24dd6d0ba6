"""Secrets come from the environment or a file; a parameter file holds only the reference to one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from workbench.core.errors import ParameterError, nearest

LONGEST_SECRET_BYTES = 64 * 1024  # a file beyond this is no secret, but a wrong path
REFERENCE = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|file:(?P<path>\S(.*\S)?)")
EXPECTED = "env:NAME (a variable of the environment) or file:PATH (a file that only you can read)"


def check_reference(reference: object, *, what: str) -> str:
    """Return `reference` if it has the form of one, so that a secret itself is refused before anything is read.

    Raises
    ------
    ParameterError
        If it is anything else. The message does not repeat it: it may be the secret.

    Examples
    --------
    >>> check_reference("env:CRM_TOKEN", what="auth.token")
    'env:CRM_TOKEN'
    """
    if isinstance(reference, str) and REFERENCE.fullmatch(reference):
        return reference
    raise ParameterError(
        f"{what}: found a value that refers to no secret (not shown, it may be one); expected {EXPECTED}. "
        "Move the secret there; if it stood in a file that others can read, renew it."
    )


def resolve_secret(reference: str, *, root: Path, environment: Mapping[str, str]) -> SecretStr:
    r"""Return the secret that `reference` points to.

    A file loses one line end at its end. If it belongs to the user who runs the program, nobody else may read it: a warning
    of a nightly run is read by nobody, and by then the secret is known. A file of another owner is taken as it is (the rule
    of OpenSSH for private keys), because container platforms mount secrets as files of root that the program can but read.

    Parameters
    ----------
    reference : str
        `env:NAME` or `file:PATH`, a relative path being one under `root`.
    root : Path
        The workspace.
    environment : mapping of str to str
        The variables of the environment.

    Raises
    ------
    ParameterError
        If `reference` is no reference, or what it points to is missing, empty, no text or open to others.

    Examples
    --------
    >>> secret = resolve_secret("env:CRM_TOKEN", root=Path(), environment={"CRM_TOKEN": "s3cr3t-t0ken"})
    >>> print(secret, len(secret.get_secret_value()))
    ********** 12
    """
    check_reference(reference, what="secret")
    kind, _, place = reference.partition(":")
    value = _from_environment(place, environment) if kind == "env" else _from_file(root / place, reference)
    if not value.strip():
        raise ParameterError(f"{reference}: found nothing but blanks, expected a secret. Put it there.")
    return SecretStr(value)


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise ParameterError(
            f"env:{name}: no such variable in the environment.{nearest(name, environment)} Set it for the program, "
            "or name a file: file:PATH."
        )
    return environment[name]


def _from_file(path: Path, reference: str) -> str:
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())  # of the very file that is read
            content = stream.read(LONGEST_SECRET_BYTES + 1)
    except OSError as error:
        raise ParameterError(
            f"{reference}: cannot read {path}: {error.strerror}. Put the secret into that file, or mend the path."
        ) from None
    if status.st_uid == os.getuid() and status.st_mode & 0o077:
        raise ParameterError(
            f"{reference}: {path} has the mode {status.st_mode & 0o777:03o}, so that others can read or change it; "
            f"expected 600. Run `chmod 600 {path}`, and renew the secret if others had access."
        )
    if len(content) > LONGEST_SECRET_BYTES:
        raise ParameterError(
            f"{reference}: {path} holds more than {LONGEST_SECRET_BYTES // 1024} KB, expected one secret. Mend the path."
        )
    try:
        value = content.decode("utf-8")
    except UnicodeDecodeError:
        value = ""
    if not value and content:
        raise ParameterError(f"{reference}: {path} is not UTF-8 text. Save the secret alone, as plain text.")
    return value.removesuffix("\n").removesuffix("\r")
