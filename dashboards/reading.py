"""How the modules of the report read one publication: few, aggregated rows of plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from warehouse import Warehouse

Row = dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """Reads the marts of a schema (`marts` or `history`) as of a day, and ops."""

    wh: Warehouse
    schema: str
    as_of: dt.date

    def rows(
        self, sql: str, needs: Mapping[str, Sequence[str]], values: Sequence[Any] | None = None
    ) -> list[Row]:
        """Rows of a query in which {schema} is the schema and $1 the day, or of `values` where given.

        Empty where a relation that the query `needs`, or one of its columns named there, does not exist: a
        publication of an older warehouse lacks what was not built yet.
        """
        if not all(self.has(relation, *columns) for relation, columns in needs.items()):
            return []
        found = self.wh.query(sql.format(schema=self.schema), [self.as_of] if values is None else values)
        return [plain(row) for row in found.to_pylist()]

    def has(self, relation: str, *columns: str) -> bool:
        """Whether a mart of the schema, or a table named with its own schema, is there with these columns."""
        name = relation if "." in relation else f"{self.schema}.{relation}"
        return self.wh.exists(name) and (not columns or set(columns) <= set(self.wh.column_types(name)))


def plain(row: Row) -> Row:
    """Decimals as doubles: they are shown to a few digits."""
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in row.items()}
