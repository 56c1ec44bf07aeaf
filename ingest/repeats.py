"""Which hashes of a select occur more than once: a sort of 64-bit numbers, in bounded memory."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

# 800 MB of hashes are sorted at a time; a longer file is read once more for each further slice of them.
SLICE_ROWS = 100_000_000
BATCH_ROWS = 500_000


def repeated_hashes(
    connection: duckdb.DuckDBPyConnection, hash_sql: str, rows: str, count: int
) -> npt.NDArray[np.uint64]:
    """Distinct values of the SQL expression `hash_sql` (ubigint) that more than one of `count` rows have."""
    slices = -(-count // SLICE_ROWS) or 1
    repeated = []
    for number in range(slices):
        # Equal shares, with room for chance; many equal hashes can make one larger.
        held = np.empty(count if slices == 1 else int(count / slices * 1.01) + BATCH_ROWS, np.uint64)
        end = 0
        sql = f"select {hash_sql} as hash from ({rows}) as hashed"
        if slices > 1:
            sql = f"select hash from ({sql}) as hashed where hash % {slices} = {number}"
        for batch in connection.cursor().sql(sql).to_arrow_reader(BATCH_ROWS):
            if end + batch.num_rows > len(held):
                held = np.concatenate([held[:end], np.empty(max(end, batch.num_rows), np.uint64)])
            held[end : end + batch.num_rows] = batch.column(0).to_numpy()
            end += batch.num_rows
        held = held[:end]
        held.sort()
        repeated.append(np.unique(held[1:][held[1:] == held[:-1]]))
    return np.concatenate(repeated)
