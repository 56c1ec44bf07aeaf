"""The bare limits of an engine: one load of the same files, one pass over the same rows, and nothing else.

`python -m benchmarks.limits FILE ...` prints them as JSON for the warehouse of KEEPWELL_*: a process of its
own, so that the rows it fetches do not weigh on the steps that are measured after it.
"""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.steps import timed
from warehouse import Settings, open_warehouse

# Raw transactions know their account; whose it is, is one more join.
GROUP_BY = """
    select
        holders.customer_id,
        count(*) as count_transactions,
        sum(transactions.amount) as sum_amount,
        max(transactions.booked_on) as last_booked_on
    from raw.transactions as transactions
    inner join raw.account_holders as holders
        on transactions.account_id = holders.account_id and holders.holder_role = 'owner'
    group by holders.customer_id
"""


def group_by(settings: Settings) -> list[float]:
    """Seconds of five group-bys over all raw transactions, rows fetched, the shortest first."""
    with open_warehouse(settings) as warehouse:
        return timed(lambda: warehouse.query(GROUP_BY), times=5)


def count_transactions(settings: Settings) -> int:
    """How many rows that group-by reads."""
    with open_warehouse(settings) as warehouse:
        rows = warehouse.query("select count(*) as n from raw.transactions")
        return int(rows["n"][0].as_py())


def bare_load(settings: Settings, files: list[Path]) -> float:
    """Seconds of one load of the Parquet files into a new table without a key or a check, then dropped.

    DuckDB reads the files itself; PostgreSQL takes them by one binary COPY.
    """
    if settings.target == "duckdb":
        listed = ", ".join(f"'{file}'" for file in files)
        scratch = settings.bank_home / "bare.duckdb"
        with duckdb.connect(scratch) as connection:
            sql = f"create or replace table bare as select * from read_parquet([{listed}])"
            seconds = timed(lambda: connection.execute(sql), times=1)[0]
        scratch.unlink()
        return seconds
    schema = pq.read_schema(files[0])
    with open_warehouse(settings) as warehouse:

        def load() -> None:
            warehouse.execute("drop table if exists ops.bare_load")
            warehouse.create_table("ops.bare_load", schema)
            batches = (batch for file in files for batch in pq.ParquetFile(file).iter_batches(65_536))
            warehouse.append("ops.bare_load", pa.RecordBatchReader.from_batches(schema, batches))

        seconds = timed(load, times=1)[0]
        warehouse.execute("drop table ops.bare_load")
    return seconds


def main() -> int:
    """Measure both limits and count the transactions."""
    settings = Settings.from_environment()
    grouped = group_by(settings)
    found = {
        "transactions": count_transactions(settings),
        "group_by_seconds": grouped[0],
        "slowest_group_by_seconds": grouped[-1],
        "bare_load_seconds": bare_load(settings, [Path(name) for name in sys.argv[1:]]),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
