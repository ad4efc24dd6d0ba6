"""From a pandas frame to a canonical table in storage types and total order."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.book.schema import TABLES


def canonical_table(table: str, frame: pd.DataFrame) -> pa.Table:
    """Return `frame` as the canonical table: all columns in storage order and type, absent ones null, sorted by key.

    Parameters
    ----------
    table
        Name of the canonical table.
    frame
        Must have the key columns and `known_at`; money may be float64 and is rounded to cents.
    """
    schema = TABLES[table].arrow_schema()
    arrays = []
    for field in schema:
        if field.name not in frame.columns:
            arrays.append(pa.nulls(len(frame), field.type))
            continue
        values = frame[field.name]
        if pa.types.is_decimal(field.type):
            cents = pc.round(pa.array(values.astype("float64"), from_pandas=True), ndigits=2)
            arrays.append(cents.cast(field.type, safe=False))
        elif pa.types.is_date(field.type):
            arrays.append(pa.array(pd.to_datetime(values), from_pandas=True).cast(field.type, safe=False))
        else:
            arrays.append(pa.array(values, from_pandas=True).cast(field.type, safe=False))
    order = [(column, "ascending") for column in (*TABLES[table].key, "known_at")]
    return pa.Table.from_arrays(arrays, schema=schema).sort_by(order)
