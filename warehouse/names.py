"""Names of relations and columns, checked and quoted for SQL."""

from __future__ import annotations

import re

from warehouse.errors import WarehouseError

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def split_name(name: str) -> tuple[str, str]:
    """`schema.table` as a pair of plain lower-case names; raises WarehouseError for anything else."""
    parts = name.split(".")
    if len(parts) != 2 or not all(_PLAIN_NAME.fullmatch(part) for part in parts):
        raise WarehouseError(f"{name!r} is not the name of a table: write schema.table in lower case")
    return parts[0], parts[1]


def quoted_name(name: str) -> str:
    """`schema.table`, checked and quoted for SQL."""
    schema, table = split_name(name)
    return f'"{schema}"."{table}"'


def quoted(identifier: str) -> str:
    """One identifier quoted for SQL, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'
