"""Arrow columns from numpy arrays, fast: ids, words, money and time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.book.simulation.world import Bools, Days, Ints


def ids(prefix: str, numbers: Ints, width: int, *, missing: Bools | None = None) -> pa.Array:
    """Text ids of a prefix and zero-padded digits; null where `missing`.

    >>> ids("C", np.array([7]), 3).to_pylist()
    ['C007']
    """
    n, length = len(numbers), len(prefix) + width
    text = np.empty((n, length), np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    rest = numbers.astype(np.int64)
    for column in range(length - 1, len(prefix) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, column] = digit + ord("0")
    offsets = (np.arange(n + 1) * length).astype(np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text), _valid(missing))


def customer_ids(numbers: Ints) -> pa.Array:
    """Ids of customers by their position in the book."""
    return ids("C", numbers + 1, 7)


def block_ids(prefix: str, block: int, numbers: Ints, digits: int, *, missing: Bools | None = None) -> pa.Array:
    """Ids by a number within a block of customers: three digits for the block, then `digits` for the number.

    >>> block_ids("L", 2, np.array([0]), 6).to_pylist()
    ['L002000001']
    """
    return ids(prefix, block * 10**digits + numbers + 1, 3 + digits, missing=missing)


def loan_ids(block: int, numbers: Ints, *, missing: Bools | None = None) -> pa.Array:
    """Ids of loans by their position in the block."""
    return block_ids("L", block, numbers, 6, missing=missing)


def words(codes: Ints, vocabulary: Sequence[str]) -> pa.Array:
    """Text by code; null for -1."""
    index = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(vocabulary), pa.string())).cast(pa.string())


def money(amount: Ints, *, missing: Bools | None = None) -> pa.Array:
    """Decimals from cents; null where `missing`.

    >>> money(np.array([-1250])).to_pylist()
    [Decimal('-12.50')]
    """
    halves = np.empty((len(amount), 2), np.int64)
    halves[:, 0] = amount
    halves[:, 1] = amount >> 63  # the sign, extended
    kind = pa.decimal128(18, 2)
    return pa.Array.from_buffers(kind, len(amount), [_valid(missing), pa.py_buffer(halves)])


def integers(numbers: Ints, *, missing: Bools | None = None) -> pa.Array:
    """Whole numbers; null where `missing`."""
    return pa.array(numbers.astype(np.int64), pa.int64(), mask=missing)


def dates(days: Days, *, missing: Bools | None = None) -> pa.Array:
    """Dates; null where `missing`."""
    return pa.array(days.astype("datetime64[D]"), pa.date32(), mask=missing)


def stamps(moments: Days, *, missing: Bools | None = None) -> pa.Array:
    """UTC time stamps in microseconds; null where `missing`."""
    return pa.array(moments.astype("datetime64[us]"), pa.timestamp("us"), mask=missing)


def _valid(missing: Bools | None) -> pa.Buffer | None:
    return None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))


class TableWriter:
    """One parquet file of the book, written in pieces whose order is already total; moved nowhere, closed by `with`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def write(self, columns: dict[str, pa.Array], *, until: np.datetime64 | None = None) -> None:
        """Append rows, those known by `until` alone; the columns must be those of the schema."""
        if set(columns) != set(self.schema.names):
            raise ValueError(f"columns {sorted(columns)} differ from the schema's {self.schema.names}")
        table = pa.table([columns[name] for name in self.schema.names], schema=self.schema)
        if until is not None:
            table = table.filter(pc.less_equal(table["known_at"], pa.scalar(until.astype(object), pa.timestamp("us"))))
        self.rows += table.num_rows
        if table.num_rows:
            self._writer.write_table(table)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
