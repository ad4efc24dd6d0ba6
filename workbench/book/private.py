"""Pseudonyms of private values: keyed hashes, by a key that lies outside the workspace."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from workbench.core.errors import InputError, ParameterError
from workbench.core.workspace import Workspace

KEY_BYTES = 32  # as long as the hash: RFC 2104, section 3
PSEUDONYM_CHARACTERS = 16  # 64 bits: two of ten million people share a pseudonym with a chance of 3 in a million
_KEY_TEXT = re.compile(rb"[0-9a-fA-F]{%d}\s*" % (2 * KEY_BYTES))
NUMBERED = frozenset({"phone", "national_id"})  # written with or without separators, they are the same number
_SEPARATORS = re.compile(r"[\s\-./()]+")


def key_file(workspace: Workspace) -> Path:
    """Return the file of the pseudonym key, as the setting `pseudonym_key_file` names it, with links followed.

    Raises
    ------
    ParameterError
        If it lies in the workspace or in the repository around it, where it would be copied along with what it protects.
    """
    named = workspace.settings.pseudonym_key_file
    try:
        path = (workspace.root / Path(named).expanduser()).resolve()
    except RuntimeError:
        raise ParameterError(
            f"pseudonym_key_file: found {named!r}, and this user has no home folder. "
            "Set WORKBENCH_PSEUDONYM_KEY_FILE to an absolute path."
        ) from None
    root = workspace.root.resolve()
    guarded = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    if path.is_relative_to(guarded):
        raise ParameterError(
            f"pseudonym_key_file: found {path}, in {guarded}; expected a file outside it, since who gets the pseudonyms "
            "may get the folder. Move it and set WORKBENCH_PSEUDONYM_KEY_FILE."
        )
    return path


def load_key(path: Path) -> bytes:
    """Return the key: 32 bytes, written as 64 hexadecimal digits in a file that its owner alone can read.

    Raises
    ------
    InputError
        If there is no such file, others may read it, or it holds anything else.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode & 0o777
            text = stream.read(1024)
    except OSError as error:
        raise InputError(
            f"{path}: the key of the pseudonyms cannot be read: {error.strerror}. Copy it from where it was made, or let "
            "workbench book export make a new one; pseudonyms under a new key match none made before."
        ) from None
    if mode & 0o077:
        raise InputError(
            f"{path}: found mode {mode:04o}, expected 0600: whoever reads the key can undo pseudonyms. "
            f"Run: chmod 600 {path}; where others may have read it, make a new key."
        )
    if not _KEY_TEXT.fullmatch(text):
        raise InputError(
            f"{path}: found {len(text)} bytes that are no key, expected {2 * KEY_BYTES} hexadecimal digits. "
            "Restore the file from a copy; move it away only if no pseudonym made with it is needed any more."
        )
    return bytes.fromhex(text.decode("ascii"))


def create_key(path: Path) -> bool:
    """Write a new random key to `path` unless there is one, and return whether this call wrote it.

    Of two processes that call it at once, one writes and both then read the same key.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # mode 0600
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_hex(KEY_BYTES) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                os.link(name, path)  # unlike a rename, this never replaces a key
                return True
        finally:
            Path(name).unlink()
    except OSError as error:
        raise InputError(
            f"{path}: the key of the pseudonyms cannot be written: {error.strerror}. "
            "Set WORKBENCH_PSEUDONYM_KEY_FILE to a file outside the workspace, in a folder of yours."
        ) from None
    return False


def keyed_hash(message: bytes, *, key: bytes) -> str:
    """Return HMAC-SHA256 (RFC 2104, FIPS 198-1) as 64 hexadecimal digits.

    >>> keyed_hash(b"what do ya want for nothing?", key=b"Jefe")[:16]  # RFC 4231, test case 2
    '5bdcc146bf60754e'
    """
    return hmac.digest(key, message, "sha256").hex()


def pseudonym(values: pa.Array | pa.ChunkedArray, *, key: bytes, field: str) -> pa.Array:
    r"""Return the first 16 hexadecimal digits of HMAC-SHA256(key, field + NUL + value) for each value.

    Within a field the same value has the same pseudonym, so that rows of one person can be joined; in another field it has
    another. Values are compared as a reader would: without regard to case, width and spaces; phones and national ids
    without separators. Null and blank values stay null.

    Parameters
    ----------
    values : Array of any type that casts to text, length n
    key : bytes
        From `load_key`.
    field : str
        Name of the column.

    Returns
    -------
    Array of string, length n

    Examples
    --------
    >>> found = pseudonym(pa.array(["Greta Juniper", "greta  juniper ", None]), key=bytes(range(32)), field="name")
    >>> found.to_pylist()
    ['edee897ba22eb8ba', 'edee897ba22eb8ba', None]
    >>> keyed_hash(b"name\x00greta juniper", key=bytes(range(32)))[:16]
    'edee897ba22eb8ba'
    """
    chunked = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values], type=values.type)
    encoded = pc.dictionary_encode(chunked.cast(pa.string()).combine_chunks())
    codes = [_code(comparable(value, field), key, field) for value in encoded.dictionary.to_pylist()]
    return pa.array(codes, pa.string()).take(encoded.indices)


def comparable(value: str, field: str) -> str:
    """Return a private value as pseudonyms compare it.

    >>> comparable(" Greta  JUNIPER", "name"), comparable("+00 555-123 4567", "phone")
    ('greta juniper', '+005551234567')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    return _SEPARATORS.sub("", folded) if field in NUMBERED else " ".join(folded.split())


def _code(value: str, key: bytes, field: str) -> str | None:
    return keyed_hash(f"{field}\0{value}".encode(), key=key)[:PSEUDONYM_CHARACTERS] if value else None
