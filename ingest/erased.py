"""Whose rows are passed over: customers who were erased on request, and what they held alone.

The list lies in `restricted.erased_customers`: kind (customer, account, loan), id, receipt_no, erased_on. A
row is the customer's where one of its columns names something on the list. What a delivery tells to be new of
an erased customer, an account of his alone or a loan on one, joins the list with it, so that the rows which
hang on that are passed over too and are no orphans.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from ingest.contracts import Contract
from warehouse import Warehouse

ERASED_TABLE = "restricted.erased_customers"
ERASED_SCHEMA = pa.schema([("kind", pa.string()), ("id", pa.string()), ("receipt_no", pa.string())])
# Columns that name what may be on the list, and its kind there: those of warehouse/erasure.py.
KINDS = {"customer_id": "customer", "account_id": "account", "loan_id": "loan"}
HOLDERS = "account_holders"
HOLDING_ROLES = "('owner', 'joint')"


def named_kinds(contract: Contract) -> dict[str, str]:
    """The columns of an entity that may name something on the list, and its kind."""
    return {name: KINDS[name] for name in contract.column_names if name in KINDS}


def own_kind(contract: Contract) -> str | None:
    """The kind that the entity's own key is of; None where nothing on the list is an entity of it."""
    return KINDS.get(contract.key[0]) if len(contract.key) == 1 else None


def read_erased(wh: Warehouse) -> pa.Table:
    """The list as it stands: kind, id, receipt_no."""
    return wh.query(f"select kind, id, receipt_no from {ERASED_TABLE}")


def held_accounts(wh: Warehouse, accounts: list[str]) -> set[str]:
    """Those of the accounts that somebody is known to hold."""
    if not accounts:
        return set()
    places = ", ".join(f"${number}" for number in range(1, len(accounts) + 1))
    found = wh.query(
        f"select distinct account_id from raw.{HOLDERS}"
        f" where holder_role in {HOLDING_ROLES} and account_id in ({places})",
        accounts,
    )
    return set(found["account_id"].to_pylist())


def loaded_before(wh: Warehouse, contracts: Mapping[str, Contract], found: pa.Table) -> dict[str, int]:
    """How much of what joined the list has rows of earlier deliveries, by the receipt it belongs to."""
    loaded: dict[str, set[tuple[str, str]]] = {}
    for contract in contracts.values():
        for column, kind in named_kinds(contract).items():
            joined = {row["id"]: row["receipt_no"] for row in found.to_pylist() if row["kind"] == kind}
            if not joined:
                continue
            places = ", ".join(f"${number}" for number in range(1, len(joined) + 1))
            held = wh.query(
                f"select distinct {column} as id from {contract.raw_table} where {column} in ({places})",
                list(joined),
            )
            for name in held["id"].to_pylist():
                loaded.setdefault(joined[name], set()).add((kind, name))
    return {receipt_no: len(names) for receipt_no, names in sorted(loaded.items())}


def note_erased(wh: Warehouse, found: pa.Table, erased_on: date) -> None:
    """Put what joined the list with a delivery on it."""
    if found.num_rows:
        days = pa.array([erased_on] * found.num_rows, pa.date32())
        wh.append(ERASED_TABLE, found.append_column("erased_on", days))
