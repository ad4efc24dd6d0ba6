"""Secrets stay out of messages, log records and stored records, in whatever spelling they travel."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from workbench.core.errors import ParameterError

MASK = "***"
SHORTEST_SECRET = 8  # a shorter one is found by chance in ordinary text, so it cannot be masked there
TALKATIVE = ("dlt", "requests", "tenacity", "urllib3")  # their debug records show addresses and parameters


class Redactor:
    """Knows the secrets of one run and replaces each by `***`.

    Examples
    --------
    >>> redactor = Redactor()
    >>> redactor.learn("p/ssword", what="auth.password")
    >>> redactor.text("GET /list?key=p%2Fssword"), redactor.value({"self": ["/list?key=p/ssword", 1]})
    ('GET /list?key=***', {'self': ['/list?key=***', 1]})
    """

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def learn(self, secret: str, *, what: str) -> None:
        """Mask `secret` from now on, as it is and as addresses, JSON and Basic authentication spell it.

        Raises
        ------
        ParameterError
            If it is too short to be told from ordinary text.
        """
        if len(secret) < SHORTEST_SECRET:
            raise ParameterError(
                f"{what}: the secret has fewer than {SHORTEST_SECRET} characters and could not be kept out of logs and "
                "records. Ask the CRM for a longer one."
            )
        spellings = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
        spellings |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        spellings.add(b64encode(secret.encode("utf-8")).decode())
        longest_first = sorted({*self._spellings, *spellings}, key=lambda text: (-len(text), text))
        self._spellings = tuple(longest_first)

    def text(self, text: str) -> str:
        """Return `text` with each secret masked."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with the secrets in its texts and names masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value

    def found_in(self, text: str) -> bool:
        """Say whether `text` holds a secret."""
        return any(spelling in text for spelling in self._spellings)


class _MaskingFilter(logging.Filter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.exc_info:  # the text of a foreign error may hold an address
            message += f" ({getattr(record.exc_info[0], '__name__', 'error')})"
            record.exc_info = record.exc_text = None
        record.msg, record.args = self._redactor.text(message), None
        return True


@contextmanager
def masked_logs(redactor: Redactor) -> Iterator[None]:
    """Mask the secrets in what the libraries below log while the block runs, whoever listens and at whatever level."""
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in TALKATIVE]
    loggers = [logging.getLogger(name) for name in {*known, *TALKATIVE, "urllib3.connectionpool", "urllib3.util.retry"}]
    masking = _MaskingFilter(redactor)
    for logger in loggers:
        logger.addFilter(masking)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(masking)
