"""One batch against its contracts, in a scratch DuckDB database on disk: accepted rows, rejected rows, duplicates.

Every record of a file ends in exactly one place. Row rules come first and a row that breaks several is rejected once, for the first
in the order malformed, key, required, type, enum, range; then rows of one key that contradict each other
(conflicting_duplicate), then rows without a parent (orphan), then rows that contradict what is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from ingest.contracts import Column, Contract
from ingest.reading import EntityFile, Layout, stage

# The business date of what has none: it was there before anything the warehouse knows.
BEGINNING = date(1900, 1, 1)
MASK = "***"
APPEND_ROWS = 65_536
# Keys asked of the warehouse at a time: few enough for it to look them up in an index.
LOOKUP_KEYS = 20_000


class Loaded(Protocol):
    """What the checks ask of the warehouse about rows of earlier batches."""

    def has_rows(self, contract: Contract) -> bool: ...

    def rows_of_keys(self, contract: Contract, keys: pa.RecordBatch) -> pa.Table:
        """Key and row_hash of every loaded row with one of the keys; for versions valid_from, known_at, batch_no too."""
        ...


@dataclass(frozen=True)
class Arrival:
    """When a batch came and what a row without known_at is taken to be known at."""

    delivered_on: date
    is_history: bool
    known_on: date


@dataclass(frozen=True)
class FileCounts:
    """Where the records of one file went. read = loaded + rejected + duplicate."""

    file: EntityFile
    read: int
    loaded: int
    rejected: int
    duplicate: int


class BatchCheck:
    """The checks of one batch. Entities are given parents first."""

    def __init__(
        self, folder: Path, contracts: Mapping[str, Contract], arrival: Arrival, loaded: Loaded
    ) -> None:
        self._contracts = contracts
        self._arrival = arrival
        self._loaded = loaded
        self._connection = duckdb.connect(folder / "scratch.duckdb")
        for setting in (
            "memory_limit = '1GB'",
            "threads = 2",
            f"temp_directory = '{folder / 'spill'}'",
            "timezone = 'UTC'",
        ):
            self._connection.execute(f"set {setting}")
        self._connection.execute(
            """create table rejected (
                entity varchar, file_name varchar, line_no bigint, column_name varchar, reason_code varchar, reason varchar,
                raw_text varchar, whole_text varchar
            )"""
        )

    def close(self) -> None:
        self._connection.close()

    def check(self, file: EntityFile, layout: Layout, on_rows: Callable[[int], None]) -> FileCounts:
        """Read and check one file; its accepted rows stay in the scratch database for `accepted`."""
        contract = self._contracts[file.entity]
        read = stage(self._connection, file, layout, contract, on_rows)
        self._connection.execute(f"create or replace view typed as {_typed_sql(contract, self._arrival)}")
        faults = _row_faults(contract, self._arrival)
        self._reject_malformed(contract, file)
        self._accept(contract, faults)
        self._reject_broken(contract, file, faults)
        duplicates = self._settle_repeats(contract, file)
        for column, parent in contract.parents.items():
            self._reject_orphans(contract, file, column, self._contracts[parent])
        if any(contract.entity in other.parents.values() for other in self._contracts.values()):
            self._execute(
                f"create table parents_{contract.entity} as select distinct {contract.key[0]} as parent_key from accepted"
            )
        duplicates += self._settle_against_loaded(contract, file)
        self._execute(f"alter table accepted rename to accepted_{contract.entity}")
        self._execute("drop table staged")
        loaded = self._count(f"select count(*) from accepted_{contract.entity}")
        rejected = self._count("select count(*) from rejected where entity = $1", [contract.entity])
        if read != loaded + rejected + duplicates:
            raise AssertionError(
                f"{file.name}: {read} rows read, but {loaded} loaded + {rejected} rejected + {duplicates} duplicate"
            )
        return FileCounts(file, read, loaded, rejected, duplicates)

    def accepted(
        self, contract: Contract, schema: pa.Schema, constants: Mapping[str, str]
    ) -> pa.RecordBatchReader:
        """Accepted rows in the columns of `schema`; `constants` are SQL literals of columns that all rows share."""
        years = {
            column.year_kept_as: f"year({column.name})" for column in contract.columns if column.year_kept_as
        }
        columns = ", ".join(
            f"{constants.get(name) or years.get(name) or name} as {name}" for name in schema.names
        )
        return self._reader(f"select {columns} from accepted_{contract.entity}")

    def rejected(self, columns: str) -> pa.RecordBatchReader:
        """Rejected rows of the batch by file and line, in the given columns."""
        return self._reader(f"select {columns} from rejected order by entity, file_name, line_no")

    def reasons(self, entity: str) -> list[tuple[str, str, int, int]]:
        """Reason code, column, number of rows and first line of what was rejected of an entity, most frequent first."""
        rows = self._connection.execute(
            """
            select reason_code, coalesce(column_name, 'the line'), count(*), min(line_no)
            from rejected where entity = $1
            group by all order by count(*) desc, 1, 2""",
            [entity],
        ).fetchall()
        return [(str(code), str(column), int(count), int(line)) for code, column, count, line in rows]

    def _reject_malformed(self, contract: Contract, file: EntityFile) -> None:
        shown = f"'{MASK}'" if contract.has_personal else "replace(malformed, chr(0), '\\0')"
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, null, 'malformed', problem, {shown}, replace(malformed, chr(0), '\\0')
            from staged where malformed is not null""",
            [contract.entity, file.name],
        )

    def _accept(self, contract: Contract, faults: list[_Fault]) -> None:
        columns = ", ".join([*contract.column_names, "known_at", "is_known_at_assumed", "row_hash"])
        broken = " or ".join(f"({fault.condition})" for fault in faults)
        self._execute(
            f"""
            create table accepted as
            select line_no, {columns} from typed where malformed is null and not coalesce({broken}, false)"""
        )

    def _reject_broken(self, contract: Contract, file: EntityFile, faults: list[_Fault]) -> None:
        found = ", ".join(
            f"case when {fault.condition} then struct_pack(col := '{fault.column}', code := '{fault.code}', "
            f"why := {fault.reason}) end"
            for fault in faults
        )
        broken = " or ".join(f"({fault.condition})" for fault in faults)
        self._reject(
            contract,
            file,
            f"""
            select line_no, faults[1].col as column_name, faults[1].code as reason_code,
                array_to_string([fault.why for fault in faults], '; ') as reason
            from (
                select line_no, [fault for fault in [{found}] if fault is not null] as faults
                from typed where malformed is null and coalesce({broken}, false)
            )""",
        )

    def _settle_repeats(self, contract: Contract, file: EntityFile) -> int:
        """Rows of this file with the same key: keep one of identical ones, reject all that contradict each other."""
        grain = _grain(contract)
        self._execute(
            f"""
            create or replace table repeats as
            with repeated as (select {grain} from accepted group by {grain} having count(*) > 1),
            same as (
                select
                    {grain}, count(distinct row_hash) > 1 as is_conflict,
                    array_to_string(min(line_no, 5), ', ') || case when count(*) > 5 then ' ...' else '' end as lines
                from accepted semi join repeated using ({grain}) group by {grain}
            )
            select
                accepted.line_no, same.is_conflict, same.lines,
                row_number() over (partition by {grain} order by accepted.known_at, accepted.line_no) > 1 as is_copy
            from accepted inner join same using ({grain})"""
        )
        self._reject(
            contract,
            file,
            f"""
            select line_no, '{", ".join(contract.key)}' as column_name, 'conflicting_duplicate' as reason_code,
                'lines ' || lines || ' have the same key and different content' as reason
            from repeats where is_conflict""",
        )
        self._drop_lines("select line_no from repeats where is_conflict")
        return self._drop_lines("select line_no from repeats where is_copy and not is_conflict")

    def _reject_orphans(self, contract: Contract, file: EntityFile, column: str, parent: Contract) -> None:
        in_batch = f"parents_{parent.entity}"
        if not self._count("select count(*) from duckdb_tables() where table_name = $1", [in_batch]):
            self._execute(f"create table {in_batch} (parent_key varchar)")
        self._execute(
            f"""
            create or replace table missing as
            select distinct {column} as {parent.key[0]} from accepted
            where {column} is not null and {column} not in (select parent_key from {in_batch})"""
        )
        if self._look_up(parent, "select * from missing"):
            self._execute(
                f"delete from missing where {parent.key[0]} in (select {parent.key[0]} from loaded)"
            )
        self._reject(
            contract,
            file,
            f"""
            select line_no, '{column}' as column_name, 'orphan' as reason_code,
                {_shown(contract, column, column)} || ' is not among the {parent.entity} of this or an earlier batch' as reason
            from accepted where {column} in (select {parent.key[0]} from missing)""",
        )
        self._drop_lines(
            f"select line_no from accepted where {column} in (select {parent.key[0]} from missing)"
        )

    def _settle_against_loaded(self, contract: Contract, file: EntityFile) -> int:
        """Rows whose key is loaded already: drop what is there, reject events that contradict it, keep new versions."""
        key = ", ".join(contract.key)
        if not self._look_up(contract, f"select distinct {key} from accepted"):
            return 0
        if contract.kind == "event":
            self._reject(
                contract,
                file,
                f"""
                select line_no, '{key}' as column_name, 'conflicting_duplicate' as reason_code,
                    'an earlier batch holds the same key with different content' as reason
                from accepted inner join loaded using ({key})
                where accepted.row_hash <> loaded.row_hash""",
            )
            self._drop_lines(
                f"select line_no from accepted join loaded using ({key}) where accepted.row_hash <> loaded.row_hash"
            )
            return self._drop_lines(f"select line_no from accepted semi join loaded using ({key})")
        # A version says something new only where it differs from the version that was in force and known before it.
        on_key = " and ".join(f"accepted.{name} = loaded.{name}" for name in contract.key)
        return self._drop_lines(
            f"""
            select line_no from (
                select accepted.line_no, accepted.row_hash = loaded.row_hash as is_same
                from accepted inner join loaded
                    on {on_key} and loaded.valid_from <= accepted.valid_from and loaded.known_at <= accepted.known_at
                qualify row_number() over (
                    partition by accepted.line_no
                    order by loaded.valid_from desc, loaded.known_at desc, loaded.batch_no desc
                ) = 1
            ) where is_same"""
        )

    def _reject(self, contract: Contract, file: EntityFile, select: str) -> None:
        """Record the rows of a select of line_no, column_name, reason_code and reason, with their raw values."""
        names = [*contract.column_names, "known_at"]
        whole = ", ".join(f"{name} := raw_{name}" for name in names)
        masked = ", ".join(f"{name} := {_masked(contract, name)}" for name in names)
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, column_name, reason_code, reason,
                to_json(struct_pack({masked}))::varchar, to_json(struct_pack({whole}))::varchar
            from ({select}) as faulty inner join typed using (line_no)""",
            [contract.entity, file.name],
        )

    def _drop_lines(self, select: str) -> int:
        row = self._connection.execute(f"delete from accepted where line_no in ({select})").fetchone()
        return int(row[0]) if row else 0

    def _look_up(self, contract: Contract, keys: str) -> bool:
        """Fill `loaded` with what earlier batches hold of the selected keys; False when they hold nothing of the entity."""
        if not self._loaded.has_rows(contract):
            return False
        self._execute("drop table if exists loaded")
        for chunk in self._reader(keys, LOOKUP_KEYS):
            rows = self._loaded.rows_of_keys(contract, chunk)
            self._connection.register("arriving", rows)
            is_first = not self._count("select count(*) from duckdb_tables() where table_name = 'loaded'")
            self._execute(
                f"{'create table loaded as' if is_first else 'insert into loaded'} select * from arriving"
            )
            self._connection.unregister("arriving")
        return bool(self._count("select count(*) from duckdb_tables() where table_name = 'loaded'"))

    def _reader(self, sql: str, rows: int = APPEND_ROWS) -> pa.RecordBatchReader:
        # A cursor of its own, so that the checks may go on while the rows are taken.
        return self._connection.cursor().sql(sql).to_arrow_reader(rows)

    def _execute(self, sql: str, params: list[str] | None = None) -> None:
        self._connection.execute(sql, params)

    def _count(self, sql: str, params: list[str] | None = None) -> int:
        row = self._connection.execute(sql, params).fetchone()
        return int(row[0]) if row else 0


@dataclass(frozen=True)
class _Fault:
    """A rule as SQL over `typed`: true where it is broken, and the text that says how."""

    code: str
    column: str
    condition: str
    reason: str


def _grain(contract: Contract) -> str:
    """The columns of which one batch may hold one content only."""
    versions = ["valid_from", "known_at"] if contract.kind == "version" else []
    return ", ".join([*(name for name in contract.key if name != "valid_from"), *versions])


def _value(name: str) -> str:
    """The typed value as the file gave it: valid_from is filled where the file has none."""
    return f"given_{name}" if name in ("valid_from", "known_at") else name


def _typed_sql(contract: Contract, arrival: Arrival) -> str:
    """`staged` with a typed column beside each raw one, the version and knowledge dates filled, and the content hash."""
    typed = [f"{_parsed(column)} as {_value(column.name)}" for column in contract.columns]
    # Empty columns are left out, so that a column added to the contract later changes no hash.
    content = [f"'{name}=' || {name}::varchar" for name in contract.column_names if name != "valid_from"]
    business = f"coalesce({_value(contract.business_date)}, date '{BEGINNING}')"
    if arrival.is_history:
        valid_from = f"coalesce(given_valid_from, {business})"
        # A version cannot have been known before it began to hold.
        known_on = f"greatest({business}, given_valid_from)" if contract.kind == "version" else business
    else:
        valid_from = f"coalesce(given_valid_from, given_known_at::date, date '{arrival.delivered_on}')"
        known_on = f"date '{arrival.known_on}'"
    return f"""
        select
            *,
            {f"{valid_from} as valid_from," if contract.kind == "version" else ""}
            coalesce(given_known_at, {known_on}::timestamp) as known_at,
            {str(arrival.is_history).lower()} and given_known_at is null as is_known_at_assumed,
            md5(concat_ws(chr(31), {", ".join(content)})) as row_hash
        from (
            select *, {", ".join(typed)}, {_parsed_timestamp("raw_known_at")} as given_known_at
            from staged
        )"""


def _row_faults(contract: Contract, arrival: Arrival) -> list[_Fault]:
    """The row rules in the order in which the first broken one names the rejection."""
    faults = []
    for column in contract.columns:
        if column.is_required:
            code = "key" if column.name in contract.key else "required"
            faults.append(
                _Fault(code, column.name, f"raw_{column.name} is null", f"'{column.name} is empty'")
            )
    for column in contract.columns:
        name, shown = column.name, _shown(contract, column.name, f"raw_{column.name}")
        condition = f"raw_{name} is not null and {_value(name)} is null"
        faults.append(_Fault("type", name, condition, f"{shown} || ' is not {_KINDS[column.physical_type]}'"))
        if column.pattern:
            condition = f"not regexp_full_match({name}, '{column.pattern}')"
            faults.append(
                _Fault("type", name, condition, f"{shown} || ' is not of the form {column.pattern}'")
            )
    known_shown = _shown(contract, "known_at", "raw_known_at")
    faults.append(
        _Fault(
            "type",
            "known_at",
            "raw_known_at is not null and given_known_at is null",
            f"{known_shown} || ' is not a date or timestamp without time zone (YYYY-MM-DD HH:MM:SS)'",
        )
    )
    for column in contract.columns:
        if column.allowed:
            values = ", ".join(f"'{value}'" for value in column.allowed)
            reason = f"{_shown(contract, column.name, f'raw_{column.name}')} || ' is not one of {', '.join(column.allowed)}'"
            faults.append(_Fault("enum", column.name, f"{column.name} not in ({values})", reason))
    for column in contract.columns:
        limits = [
            ("<", column.minimum, "below"),
            ("<=", column.exclusive_minimum, "not above"),
            (">", column.maximum, "above"),
        ]
        for operator, limit, words in limits:
            if limit is not None:
                reason = f"{_shown(contract, column.name, f'raw_{column.name}')} || ' is {words} {limit}'"
                faults.append(_Fault("range", column.name, f"{column.name} {operator} {limit}", reason))
    delivered = f"date '{arrival.delivered_on}'"
    if contract.kind == "event":
        shown = _shown(contract, contract.business_date, f"raw_{contract.business_date}")
        reason = f"{shown} || ' is later than the delivery of {arrival.delivered_on}'"
        faults.append(
            _Fault("range", contract.business_date, f"{contract.business_date} > {delivered}", reason)
        )
    reason = f"{known_shown} || ' is later than the delivery of {arrival.delivered_on}'"
    faults.append(_Fault("range", "known_at", f"given_known_at::date > {delivered}", reason))
    order = ["key", "required", "type", "enum", "range"]
    return sorted(faults, key=lambda fault: order.index(fault.code))


_KINDS = {
    "varchar": "text (it holds a NUL character)",
    "numeric(18,2)": "an amount with at most two decimals (1234.50)",
    "numeric(12,6)": "a rate (0.0525)",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date (YYYY-MM-DD)",
}


def _parsed(column: Column) -> str:
    """SQL that gives the typed value of a raw one, null where it is not of the type. One way to write each type."""
    raw = f"raw_{column.name}"
    match column.physical_type:
        case "varchar":
            return f"case when not contains({raw}, chr(0)) then {raw} end"
        case "numeric(18,2)":
            # Text of binary fractions that are whole cents has no more than two decimals.
            return f"case when regexp_full_match({raw}, '[+-]?[0-9]{{1,16}}(\\.[0-9]{{1,2}}0*)?') then try_cast({raw} as decimal(18, 2)) end"
        case "numeric(12,6)":
            # Rates are often computed: further decimals are rounded.
            return f"case when regexp_full_match({raw}, '[+-]?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?') then try_cast({raw} as decimal(12, 6)) end"
        case "integer":
            return f"case when regexp_full_match({raw}, '[+-]?[0-9]{{1,10}}(\\.0+)?') then try_cast({raw} as integer) end"
        case "boolean":
            return f"case lower({raw}) when 'true' then true when '1' then true when 'false' then false when '0' then false end"
        case "date":
            midnight = "([ T]00:00:00(\\.0+)?(Z|[+]00(:00)?)?)?"
            return f"case when regexp_full_match({raw}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{midnight}') then try_cast({raw}[1:10] as date) end"
    raise AssertionError(column.physical_type)


def _parsed_timestamp(raw: str) -> str:
    clock = "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?)?(Z|[+]00(:00)?)?"
    value = f"regexp_replace({raw}, '(Z|[+]00(:00)?)$', '')"
    return f"case when regexp_full_match({raw}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{clock}') then try_cast({value} as timestamp) end"


def _shown(contract: Contract, column: str, value: str) -> str:
    """SQL text naming column and value. Where personal data may have slipped into any column no value is told."""
    if contract.has_personal:
        return f"'{column}'"
    return f"'{column}: ' || to_json(left({value}, 60))::varchar"


def _masked(contract: Contract, name: str) -> str:
    """The raw value as far as everyone may see it.

    In a file with personal columns a shifted line puts a name into any text column, so only values that fit a
    strict rule are shown.
    """
    raw = f"raw_{name}"
    if not contract.has_personal or name in contract.key:
        return raw
    column = next((column for column in contract.columns if column.name == name), None)
    hidden = f"case when {raw} is not null then '{MASK}' end"
    is_sound = f"{_value(name)} is not null"
    if column and (column.is_personal or (column.physical_type == "varchar" and not column.allowed)):
        return hidden
    if column and column.allowed:
        is_sound = f"{name} in ({', '.join(repr(value) for value in column.allowed)})"
    return f"case when {is_sound} then {raw} else {hidden} end"
