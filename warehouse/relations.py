"""Types that both engines share: Arrow to SQL, and fitting rows to a table."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import WarehouseError
from warehouse.names import quoted

# PostgreSQL does not say the scale of a computed numeric (sum, avg); such a column arrives with this type,
# rounded. Cast in SQL to choose another.
COMPUTED_NUMERIC = pa.decimal128(38, 9)


# Metadata of a text field in which nearly every value is another, such as the key of an event.
MANY_VALUES = {"distinct_values": "many"}


def sql_type(arrow_type: pa.DataType) -> str:
    """The SQL type, the same on both engines, that keeps values of `arrow_type`; TypeError when none does."""
    if pa.types.is_decimal(arrow_type):
        return f"numeric({arrow_type.precision},{arrow_type.scale})"
    if pa.types.is_timestamp(arrow_type):
        return "timestamp" if arrow_type.tz is None else "timestamp with time zone"
    for is_type, name in (
        (pa.types.is_string, "varchar"),
        (pa.types.is_large_string, "varchar"),
        (pa.types.is_date, "date"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_int16, "smallint"),
        (pa.types.is_int32, "integer"),
        (pa.types.is_int64, "bigint"),
        (pa.types.is_float32, "double precision"),
        (pa.types.is_float64, "double precision"),
    ):
        if is_type(arrow_type):
            return name
    raise TypeError(f"no SQL type for the Arrow type {arrow_type}")


def column_definitions(schema: pa.Schema) -> str:
    """`"name" type, ...` of a create table statement."""
    return ", ".join(f"{quoted(column.name)} {sql_type(column.type)}" for column in schema)


def as_reader(rows: pa.Table | pa.RecordBatch | pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Any of the Arrow forms of rows as a reader, without a copy."""
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(rows.schema, [rows])
    return rows.to_reader()


class FittedRows:
    """Rows cast, batch by batch, to the column types of the table that they go to.

    Casting here and not in the engines gives both the same rules: nothing is rounded or cut in silence.
    `fault` keeps the error of the producer, because the drivers turn it into text; `rows` counts.
    """

    def __init__(self, rows: pa.RecordBatchReader, name: str, table_schema: pa.Schema) -> None:
        unknown = [column for column in rows.schema.names if column not in table_schema.names]
        if unknown:
            raise WarehouseError(
                f"{name} has no column {', '.join(unknown)}; its columns are {', '.join(table_schema.names)}"
            )
        self.schema = pa.schema(
            [pa.field(column, table_schema.field(column).type) for column in rows.schema.names]
        )
        self.rows = 0
        self.fault: BaseException | None = None
        self._source = rows
        self._name = name

    def reader(self) -> pa.RecordBatchReader:
        """The cast rows, with memory of one batch."""
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._source:
                yield self._cast(batch)
                self.rows += batch.num_rows
        except BaseException as fault:
            self.fault = fault
            raise

    def _cast(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = []
        for field, column in zip(self.schema, batch.columns, strict=True):
            try:
                columns.append(column if column.type == field.type else pc.cast(column, field.type))
            except pa.ArrowInvalid as fault:
                raise WarehouseError(
                    f"{self._name}.{field.name}: cannot keep {column.type} as {field.type}: {fault}"
                ) from fault
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)
