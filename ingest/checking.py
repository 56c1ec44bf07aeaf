"""One batch against its contracts, in a scratch DuckDB database on disk.

Every record of a file ends in exactly one place: accepted, rejected or identical duplicate. Malformed lines
and rows that break a rule go first; then rows of one file whose key is the same and whose content is not
(conflicting_duplicate); then rows without a parent (orphan); then rows that contradict what is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from ingest.contracts import Contract
from ingest.reading import EntityFile, Layout, stage
from ingest.rules import MASK, Arrival, Rule, masked_value, named_value, row_rules, typed_rows

# What the scratch database may hold in memory; beyond it works on disk.
SCRATCH_MEMORY = "512MB"
APPEND_ROWS = 65_536
# Keys asked of the warehouse at a time: few enough for it to look them up in an index.
LOOKUP_KEYS = 50_000


class Loaded(Protocol):
    """What the checks ask of the warehouse about earlier batches."""

    def has_rows(self, contract: Contract) -> bool: ...

    def rows_of_keys(self, contract: Contract, keys: pa.RecordBatch) -> pa.Table:
        """Loaded rows of the keys: key and row_hash; of versions also valid_from, known_at and batch_no."""
        ...


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
        self._parents = {parent for contract in contracts.values() for parent in contract.parents.values()}
        self._connection = duckdb.connect(folder / "scratch.duckdb")
        spill = str(folder / "spill").replace("'", "''")
        for setting in (
            f"memory_limit = '{SCRATCH_MEMORY}'",
            "threads = 2",
            f"temp_directory = '{spill}'",
            "timezone = 'UTC'",
        ):
            self._execute(f"set {setting}")
        self._execute(
            """
            create table rejected (
                entity varchar, file_name varchar, line_no bigint, column_name varchar, reason_code varchar,
                reason varchar, raw_text varchar, whole_text varchar
            )"""
        )

    def close(self) -> None:
        self._connection.close()

    def check(self, file: EntityFile, layout: Layout, on_rows: Callable[[int], None]) -> FileCounts:
        """Read and check one file; its accepted rows stay in the scratch database for `accepted`."""
        contract = self._contracts[file.entity]
        read = stage(self._connection, file, layout, contract, on_rows)
        self._execute(f"create or replace view typed as {typed_rows(contract, self._arrival)}")
        self._reject_malformed(contract, file)
        self._reject_broken(contract, file)
        duplicate = self._settle_repeats(contract, file)
        for column, parent in contract.parents.items():
            self._reject_orphans(contract, file, column, self._contracts[parent])
        if contract.entity in self._parents:
            keys = f"select distinct {contract.key[0]} from accepted"
            self._execute(f"create table keys_{contract.entity} as {keys}")
        duplicate += self._settle_against_loaded(contract, file)
        self._execute(f"alter table accepted rename to accepted_{contract.entity}")
        self._execute("drop table staged")
        loaded = self._count(f"select count(*) from accepted_{contract.entity}")
        rejected = self._count("select count(*) from rejected where entity = $1", [contract.entity])
        if read != loaded + rejected + duplicate:
            raise AssertionError(
                f"{file.name}: {read} read, not {loaded} loaded + {rejected} rejected + {duplicate} duplicate"
            )
        return FileCounts(file, read, loaded, rejected, duplicate)

    def accepted(
        self, contract: Contract, schema: pa.Schema, constants: Mapping[str, str]
    ) -> pa.RecordBatchReader:
        """Accepted rows in the columns of `schema`; `constants` are SQL literals of columns shared by all."""
        derived = {
            **{
                column.year_kept_as: f"year({column.name})"
                for column in contract.columns
                if column.year_kept_as
            },
            **constants,
        }
        columns = ", ".join(f"{derived.get(name, name)} as {name}" for name in schema.names)
        return self._reader(f"select {columns} from accepted_{contract.entity}")

    def rejected(self, columns: str) -> pa.RecordBatchReader:
        """Rejected rows of the batch by entity and line, in the given columns."""
        return self._reader(f"select {columns} from rejected order by entity, line_no")

    def reasons(self, entity: str) -> list[tuple[str, str, int, int]]:
        """Reason code, column, rows and first line of what was rejected of an entity, most frequent first."""
        rows = self._connection.execute(
            """
            select reason_code, coalesce(column_name, 'the line'), count(*), min(line_no)
            from rejected where entity = $1
            group by all order by count(*) desc, 1, 2""",
            [entity],
        ).fetchall()
        return [(str(code), str(column), int(count), int(line)) for code, column, count, line in rows]

    def _reject_malformed(self, contract: Contract, file: EntityFile) -> None:
        whole = "replace(malformed, chr(0), '\\0')"
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, null, 'malformed', problem,
                {f"'{MASK}'" if contract.has_personal else whole}, {whole}
            from staged where malformed is not null""",
            [contract.entity, file.name],
        )

    def _reject_broken(self, contract: Contract, file: EntityFile) -> None:
        """Fill `accepted` with the rows that break no rule."""
        rules = row_rules(contract, self._arrival)
        is_broken = " or ".join(f"({rule.condition})" for rule in rules)
        columns = ", ".join([*contract.column_names, "known_at", "is_known_at_assumed", "row_hash"])
        # A filter here would make the engine compute every typed value twice.
        self._execute(
            f"""
            create table accepted as
            select line_no, {columns}, coalesce({is_broken}, false) as is_broken
            from typed where malformed is null"""
        )
        if self._count("select count(*) from accepted where is_broken"):
            broken = ", ".join(f"case when {rule.condition} then {_as_struct(rule)} end" for rule in rules)
            self._reject(
                contract,
                file,
                f"""
                select line_no, broken[1].column_name as column_name, broken[1].code as reason_code,
                    array_to_string([rule.reason for rule in broken], '; ') as reason
                from (
                    select line_no, [rule for rule in [{broken}] if rule is not null] as broken
                    from typed where line_no in (select line_no from accepted where is_broken)
                )""",
            )
            self._execute("delete from accepted where is_broken")

    def _settle_repeats(self, contract: Contract, file: EntityFile) -> int:
        """Of rows of this file with the same key keep one of identical ones, reject all that contradict.

        Returns the number of identical duplicates.
        """
        grain = [*(name for name in contract.key if name != "valid_from")]
        if contract.kind == "version":
            grain += ["valid_from", "known_at"]
        same = ", ".join(grain)
        self._execute(
            f"""
            create or replace table repeats as
            with repeated as (select {same} from accepted group by {same} having count(*) > 1),
            groups as (
                select
                    {same}, count(distinct row_hash) > 1 as is_conflict,
                    array_to_string(min(line_no, 5), ', ')
                    || case when count(*) > 5 then ' ...' else '' end as lines
                from accepted semi join repeated using ({same}) group by {same}
            )
            select
                accepted.line_no, groups.is_conflict, groups.lines,
                row_number() over (
                    partition by {same} order by accepted.known_at, accepted.line_no
                ) > 1 as is_copy
            from accepted inner join groups using ({same})"""
        )
        self._reject(
            contract,
            file,
            f"""
            select
                line_no, '{", ".join(contract.key)}' as column_name, 'conflicting_duplicate' as reason_code,
                'lines ' || lines || ' have the same key and different content' as reason
            from repeats where is_conflict""",
        )
        self._drop_lines("select line_no from repeats where is_conflict")
        return self._drop_lines("select line_no from repeats where is_copy and not is_conflict")

    def _reject_orphans(self, contract: Contract, file: EntityFile, column: str, parent: Contract) -> None:
        key = parent.key[0]
        self._execute(f"create table if not exists keys_{parent.entity} ({key} varchar)")
        self._execute(
            f"""
            create or replace table missing as
            select distinct {column} as {key} from accepted
            where {column} is not null and {column} not in (select {key} from keys_{parent.entity})"""
        )
        if self._look_up(parent, f"select {key} from missing"):
            self._execute(f"delete from missing where {key} in (select {key} from loaded)")
        orphans = f"from accepted where {column} in (select {key} from missing)"
        named = named_value(contract, column, column)
        self._reject(
            contract,
            file,
            f"""
            select line_no, '{column}' as column_name, 'orphan' as reason_code,
                {named} || ' is not among the {parent.entity} of this or an earlier batch' as reason
            {orphans}""",
        )
        self._drop_lines(f"select line_no {orphans}")

    def _settle_against_loaded(self, contract: Contract, file: EntityFile) -> int:
        """Drop what is loaded already, reject events that contradict it, keep new versions.

        Returns the number of identical duplicates.
        """
        key = ", ".join(contract.key)
        if not self._look_up(contract, f"select distinct {key} from accepted"):
            return 0
        if contract.kind == "event":
            contradicting = (
                f"from accepted inner join loaded using ({key}) where accepted.row_hash <> loaded.row_hash"
            )
            self._reject(
                contract,
                file,
                f"""
                select line_no, '{key}' as column_name, 'conflicting_duplicate' as reason_code,
                    'an earlier batch holds the same key with different content' as reason
                {contradicting}""",
            )
            self._drop_lines(f"select line_no {contradicting}")
            return self._drop_lines(f"select line_no from accepted semi join loaded using ({key})")
        # A version says something new only where it differs from the one in force and known before it.
        on_key = " and ".join(f"accepted.{name} = loaded.{name}" for name in contract.key)
        return self._drop_lines(
            f"""
            select line_no from (
                select accepted.line_no, accepted.row_hash = loaded.row_hash as is_same
                from accepted inner join loaded
                    on {on_key}
                    and loaded.valid_from <= accepted.valid_from
                    and loaded.known_at <= accepted.known_at
                qualify row_number() over (
                    partition by accepted.line_no
                    order by loaded.valid_from desc, loaded.known_at desc, loaded.batch_no desc
                ) = 1
            ) where is_same"""
        )

    def _look_up(self, contract: Contract, keys: str) -> bool:
        """Fill `loaded` with what earlier batches hold of the selected keys; False when they hold nothing."""
        self._execute("drop table if exists loaded")
        if not self._loaded.has_rows(contract):
            return False
        is_filled = False
        for chunk in self._reader(keys, LOOKUP_KEYS):
            self._connection.register("arriving", self._loaded.rows_of_keys(contract, chunk))
            verb = "insert into loaded" if is_filled else "create table loaded as"
            self._execute(f"{verb} select * from arriving")
            self._connection.unregister("arriving")
            is_filled = True
        return is_filled

    def _reject(self, contract: Contract, file: EntityFile, faulty: str) -> None:
        """Record the rows of a select of line_no, column_name, reason_code, reason, with their raw values."""
        names = [*contract.column_names, "known_at"]
        masked = ", ".join(f"{name} := {masked_value(contract, name)}" for name in names)
        whole = ", ".join(f"{name} := raw_{name}" for name in names)
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, column_name, reason_code, reason,
                to_json(struct_pack({masked}))::varchar, to_json(struct_pack({whole}))::varchar
            from ({faulty}) as faulty inner join typed using (line_no)""",
            [contract.entity, file.name],
        )

    def _drop_lines(self, lines: str) -> int:
        return self._count(f"delete from accepted where line_no in ({lines})")

    def _reader(self, sql: str, rows: int = APPEND_ROWS) -> pa.RecordBatchReader:
        # A cursor of its own, so that the checks may go on while the rows are taken.
        return self._connection.cursor().sql(sql).to_arrow_reader(rows)

    def _execute(self, sql: str, params: list[str] | None = None) -> None:
        self._connection.execute(sql, params)

    def _count(self, sql: str, params: list[str] | None = None) -> int:
        row = self._connection.execute(sql, params).fetchone()
        return int(row[0]) if row else 0


def _as_struct(rule: Rule) -> str:
    return f"struct_pack(column_name := '{rule.column}', code := '{rule.code}', reason := {rule.reason})"
