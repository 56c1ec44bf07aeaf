"""A clean bank of 5,000 customers, made once, and a door to its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from simulator.bank import Bank, make_bank
from simulator.folder import fill
from simulator.parameters import Parameters
from simulator.schemas import SCHEMAS

# Every session makes it, so it is smaller than the demo.
BANK = Parameters(customers=5_000)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulator") / "demo"
    fill(folder, truth_of(folder), BANK)
    return folder


@pytest.fixture(scope="session")
def truth_folder(demo_folder: Path) -> Path:
    """What was planted into the bank of `demo_folder`."""
    return truth_of(demo_folder)


def truth_of(folder: Path) -> Path:
    """Where the command puts the truth of a bank when it is not told otherwise."""
    return folder.with_name(f"{folder.name}.truth")


@pytest.fixture(scope="session")
def demo_bank() -> Bank:
    """The plan behind the files: the same parameters give the same bank."""
    return make_bank(BANK)


@pytest.fixture(scope="session")
def files(demo_folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """One view an entity over all deliveries, with `delivered_on`; `good_*` without the planted bad rows."""
    connection = duckdb.connect()
    for entity in SCHEMAS:
        connection.execute(
            f"""
            create view {entity} as
            select * exclude (filename),
                regexp_extract(filename, '([0-9-]+)/[a-z_]+.parquet$', 1)::date as delivered_on
            from read_parquet('{demo_folder}/*/{entity}.parquet', filename = true)
            """
        )
    connection.execute(
        "create table good_transactions as select distinct on (transaction_id) *,"
        " case direction when 'credit' then amount else -amount end as signed_amount"
        " from transactions where transaction_id < 'T9'"
    )
    connection.execute(
        "create view latest_accounts as select distinct on (account_id) * from accounts"
        " order by account_id, valid_from desc"
    )
    connection.execute(
        "create view owners as"
        " select account_id, customer_id from account_holders where holder_role = 'owner'"
    )
    yield connection
    connection.close()
