"""One batch against its contracts: which lines of its files are not to be loaded, and why.

Every record of a file ends in exactly one place: erased, accepted, rejected or identical duplicate. Rows of
erased customers go before anything is kept of them. Malformed lines and rows that break a rule are next; then
rows of one file whose key is the same and whose content is not (conflicting_duplicate); then rows without a
parent (orphan); then rows that contradict what is loaded.

The files stay where they are. Each check is a pass over the columns that it needs and leaves the numbers of
the lines to drop in a scratch DuckDB database; whole rows are fetched for the few lines that a check picks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from ingest.contracts import Contract
from ingest.erased import ERASED_SCHEMA, HOLDERS, HOLDING_ROLES, named_kinds, own_kind
from ingest.reading import EntityFile, Layout
from ingest.repeats import repeated_hashes
from ingest.rules import MASK, Arrival, Rule, masked_value, named_value, raw_text, row_rules, typed_rows
from ingest.staging import Staged, stage

# What the scratch database may hold in memory; beyond it works on disk.
SCRATCH_MEMORY = "1GB"
BATCH_ROWS = 65_536
# Keys asked of the warehouse at a time, and so the loaded rows that are held in memory.
LOOKUP_KEYS = 200_000
# What parts the words of a line that cannot be split: what stands between values, and what no id is made of.
WORD_BREAKS = (r"""[\s,;|"'']+""", "[^A-Za-z0-9_-]+")


class Loaded(Protocol):
    """What the checks ask of the warehouse about earlier batches."""

    def has_rows(self, contract: Contract) -> bool: ...

    def rows_of_keys(self, contract: Contract, keys: pa.RecordBatch) -> pa.Table:
        """Loaded rows of the keys: key, compared columns; of versions valid_from, known_at, batch_no too."""
        ...

    def held_accounts(self, accounts: list[str]) -> set[str]:
        """Those of the accounts that somebody is known to hold."""
        ...


@dataclass(frozen=True)
class FileCounts:
    """Where the records of one file went. read = loaded + rejected + duplicate + erased."""

    file: EntityFile
    read: int
    loaded: int
    rejected: int
    duplicate: int
    erased: int


@dataclass(frozen=True)
class FileSelect:
    """A select over a Parquet file and Arrow tables, as `Warehouse.append_files` takes it."""

    sql: str
    tables: dict[str, pa.Table]


@dataclass(frozen=True)
class _Entity:
    """The file that is being checked."""

    contract: Contract
    file: EntityFile
    layout: Layout
    staged: Staged
    typed: str


class BatchCheck:
    """The checks of one batch. Entities are given parents first."""

    def __init__(
        self,
        folder: Path,
        contracts: Mapping[str, Contract],
        arrival: Arrival,
        loaded: Loaded,
        erased: pa.Table | None = None,
    ) -> None:
        """`erased`: kind, id, receipt_no of whose rows are passed over."""
        self._folder = folder
        self._contracts = contracts
        self._arrival = arrival
        self._loaded = loaded
        self._entities: dict[str, _Entity] = {}
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
        self._connection.register("listed", ERASED_SCHEMA.empty_table() if erased is None else erased)
        self._execute("create table erased as select *, false as is_new from listed")
        self._connection.unregister("listed")
        self._is_any_erased = bool(erased)

    def close(self) -> None:
        self._connection.close()

    def find_new_accounts(self, file: EntityFile, layout: Layout, on_rows: Callable[[int], None]) -> None:
        """Put accounts on the list of the erased that the file of holders gives to erased customers alone.

        Before any file is checked, since an account comes before its holders and names nobody.
        """
        if not self._is_any_erased:
            return
        entity = self._stage(file, layout, on_rows)
        self._execute(
            f"""
            create or replace table new_accounts as
            select 'account' as kind, holders.account_id as id, min(erased.receipt_no) as receipt_no
            from ({entity.typed}) as holders
            left join erased on erased.kind = 'customer' and holders.customer_id = erased.id
            where holders.holder_role in {HOLDING_ROLES} and holders.account_id is not null
            group by holders.account_id
            having bool_and(erased.id is not null)"""
        )
        self._execute("delete from new_accounts where id in (select id from erased where kind = 'account')")
        rows = self._connection.execute("select id from new_accounts order by id").fetchall()
        held = self._loaded.held_accounts([row[0] for row in rows])
        self._connection.register("held", pa.table({"id": pa.array(sorted(held), pa.string())}))
        self._execute(
            "insert into erased select *, true from new_accounts where id not in (select id from held)"
        )
        self._connection.unregister("held")

    def newly_erased(self) -> pa.Table:
        """What joined the list of the erased with this batch: kind, id, receipt_no."""
        return self._connection.sql(
            "select kind, id, min(receipt_no) as receipt_no from erased where is_new"
            " group by kind, id order by kind, id"
        ).to_arrow_table()

    def check(self, file: EntityFile, layout: Layout, on_rows: Callable[[int], None]) -> FileCounts:
        """Read and check one file; what is left of it is then given by `accepted`."""
        contract = self._contracts[file.entity]
        entity = self._entities.get(file.entity) or self._stage(file, layout, on_rows)
        staged = entity.staged
        erased = self._drop_erased(entity) if self._is_any_erased else 0
        if layout.separator is not None:
            self._reject_malformed(entity)
        self._reject_broken(entity)
        duplicate = self._settle_repeats(entity)
        for column, parent in contract.parents.items():
            self._reject_orphans(entity, column, self._contracts[parent])
        if contract.entity in self._parents:
            keys = self._standing(entity, f"distinct {contract.key[0]}")
            self._execute(f"create table keys_{contract.entity} as {keys}")
        duplicate += self._settle_against_loaded(entity)
        loaded = staged.count - self._count(f"select count(distinct line_no) from {_dropped(contract)}")
        rejected = self._count("select count(*) from rejected where entity = $1", [contract.entity])
        if staged.count != loaded + rejected + duplicate + erased:
            raise AssertionError(
                f"{file.name}: {staged.count} read, "
                f"not {loaded} loaded + {rejected} rejected + {duplicate} duplicate + {erased} erased"
            )
        return FileCounts(file, staged.count, loaded, rejected, duplicate, erased)

    def accepted(self, contract: Contract, schema: pa.Schema, constants: Mapping[str, str]) -> FileSelect:
        """Accepted rows in the columns of `schema`; `constants` are SQL literals of columns shared by all."""
        derived = {
            **{
                column.year_kept_as: f"year({column.name})::integer"
                for column in contract.columns
                if column.year_kept_as
            },
            **constants,
        }
        columns = ", ".join(f"{derived.get(name, name)} as {name}" for name in schema.names)
        sql = self._standing(self._entities[contract.entity], columns)
        dropped = _dropped(contract)
        if dropped not in sql:
            return FileSelect(sql, {})
        lines = self._connection.sql(f"select line_no from {dropped}").to_arrow_table()
        return FileSelect(sql, {dropped: lines})

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

    def _stage(self, file: EntityFile, layout: Layout, on_rows: Callable[[int], None]) -> _Entity:
        contract = self._contracts[file.entity]
        staged = stage(self._connection, self._folder, file, layout, contract, on_rows)
        typed = typed_rows(contract, self._arrival, staged.rows, staged.sound)
        entity = self._entities[file.entity] = _Entity(contract, file, layout, staged, typed)
        self._execute(f"create table {_dropped(contract)} (line_no bigint)")
        return entity

    def _drop_erased(self, entity: _Entity) -> int:
        """Drop the rows that name something on the list of the erased; the number of rows.

        A line that cannot be split goes where the id stands in its own field, counted by the separators.
        """
        contract = entity.contract
        named = [
            f"{column} in (select id from erased where kind = '{kind}')"
            for column, kind in named_kinds(contract).items()
        ]
        if not named:
            return 0
        if contract.entity == HOLDERS:
            self._reject_taken_over(entity)
        own_fields = [
            f"trim(string_split(malformed, '{entity.layout.separator}')[{position}], ' \"')"
            f" in (select id from erased where kind = '{named_kinds(contract)[column]}')"
            for position, column in enumerate(entity.layout.columns, start=1)
            if entity.layout.separator is not None and column in named_kinds(contract)
        ]
        self._execute(
            f"""
            create or replace table erased_lines as
            {self._standing(entity, "line_no")} where {" or ".join(named)}
            union
            select line_no from ({entity.staged.rows}) as records
            where malformed is not null and ({" or ".join(own_fields) or "false"})"""
        )
        if own := own_kind(contract):
            # A loan on an erased account is on the list from here on, and with it what hangs on the loan.
            key = contract.key[0]
            on_any = " or ".join(
                f"(erased.kind = '{kind}' and erased.id = typed.{column})"
                for column, kind in named_kinds(contract).items()
            )
            self._execute(
                f"""
                insert into erased
                select '{own}', typed.{key}, min(erased.receipt_no), true
                from ({entity.typed}) as typed inner join erased on {on_any}
                where typed.{key} not in (select id from erased where kind = '{own}')
                group by typed.{key}"""
            )
        return self._drop(entity, "select line_no from erased_lines")

    def _reject_taken_over(self, entity: _Entity) -> None:
        """Reject whoever is said to hold an account that went with an erased customer: that is no row of his.

        What comes of the account is passed over all the same, so somebody has to be told.
        """
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, 'account_id', 'erased_account',
                'the account went with a customer who was erased, and is held by somebody else now: what '
                || 'comes of it is passed over; deliver it under another account_id, or have the owner of '
                || 'the warehouse take it off restricted.erased_customers',
                '{MASK}', '{MASK}'
            from ({entity.typed}) as typed
            where
                holder_role in {HOLDING_ROLES}
                and account_id in (select id from erased where kind = 'account')
                and customer_id not in (select id from erased where kind = 'customer')""",
            [entity.contract.entity, entity.file.name],
        )
        self._drop(entity, "select line_no from rejected where entity = $1", [entity.contract.entity])

    def _reject_malformed(self, entity: _Entity) -> None:
        whole = "replace(malformed, chr(0), '\\0')"
        if self._is_any_erased:
            # Perhaps his, perhaps an amount that reads like his number: counted, and its text not kept.
            words = ", ".join(f"string_split_regex(malformed, '{breaks}')" for breaks in WORD_BREAKS)
            is_named = f"list_has_any(list_concat({words}), (select list(id) from erased))"
            whole = f"case when {is_named} then '{MASK}' else {whole} end"
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, null, 'malformed', problem,
                {f"'{MASK}'" if entity.contract.has_personal else whole}, {whole}
            from ({entity.staged.rows}) as records
            where
                malformed is not null
                and line_no not in (select line_no from {_dropped(entity.contract)})""",
            [entity.contract.entity, entity.file.name],
        )
        self._drop(
            entity,
            "select line_no from rejected where entity = $1 and reason_code = 'malformed'",
            [entity.contract.entity],
        )

    def _reject_broken(self, entity: _Entity) -> None:
        rules = row_rules(entity.contract, self._arrival, entity.staged.sound)
        is_broken = " or ".join(f"({rule.condition})" for rule in rules)
        if not self._pick(entity, f"{self._standing(entity, 'line_no')} where {is_broken}"):
            return
        broken = ", ".join(f"case when {rule.condition} then {_as_struct(rule)} end" for rule in rules)
        self._reject(
            entity,
            f"""
            select line_no, broken[1].column_name as column_name, broken[1].code as reason_code,
                array_to_string([rule.reason for rule in broken], '; ') as reason
            from (
                select line_no, [rule for rule in [{broken}] if rule is not null] as broken
                from ({self._picked(entity)}) as picked
            )""",
        )

    def _settle_repeats(self, entity: _Entity) -> int:
        """Of rows of this file with the same key keep one of identical ones, reject all that contradict.

        Returns the number of identical duplicates.
        """
        contract = entity.contract
        grain = [*(name for name in contract.key if name != "valid_from")]
        if contract.kind == "version":
            grain += ["valid_from", "known_at"]
        same = ", ".join(grain)
        hashes = repeated_hashes(self._connection, f"hash({same})", entity.typed, entity.staged.count)
        if not len(hashes):
            return 0
        self._connection.register("hashes", pa.table({"hash": hashes}))
        suspects = self._standing(entity, "line_no")
        is_picked = self._pick(entity, f"{suspects} where hash({same}) in (select hash from hashes)")
        self._connection.unregister("hashes")
        if not is_picked:
            return 0
        self._execute(
            f"""
            create or replace table repeats as
            with suspects as ({self._picked(entity)}),
            groups as (
                select
                    {same}, count(distinct row_hash) > 1 as is_conflict,
                    array_to_string(min(line_no, 5), ', ')
                    || case when count(*) > 5 then ' ...' else '' end as lines
                from suspects group by {same} having count(*) > 1
            )
            select
                suspects.line_no, groups.is_conflict, groups.lines,
                row_number() over (
                    partition by {same} order by suspects.known_at, suspects.line_no
                ) > 1 as is_copy
            from suspects inner join groups using ({same})"""
        )
        self._reject(
            entity,
            f"""
            select
                line_no, '{", ".join(contract.key)}' as column_name, 'conflicting_duplicate' as reason_code,
                'lines ' || lines || ' have the same key and different content' as reason
            from repeats where is_conflict""",
        )
        return self._drop(entity, "select line_no from repeats where is_copy and not is_conflict")

    def _reject_orphans(self, entity: _Entity, column: str, parent: Contract) -> None:
        key = parent.key[0]
        self._execute(f"create table if not exists keys_{parent.entity} ({key} varchar)")
        # Of all rows, dropped ones too: the few parents that only those name cost less than a join.
        self._execute(
            f"""
            create or replace table missing as
            select {key} from (select distinct {column} as {key} from ({entity.typed}) as typed)
            where {key} is not null and {key} not in (select {key} from keys_{parent.entity})"""
        )
        if self._look_up(parent, f"select {key} from missing"):
            self._execute(f"delete from missing where {key} in (select {key} from loaded)")
        orphans = f"{self._standing(entity, 'line_no')} where {column} in (select {key} from missing)"
        if not self._count("select count(*) from missing") or not self._pick(entity, orphans):
            return
        named = named_value(entity.contract, column, column)
        self._reject(
            entity,
            f"""
            select line_no, '{column}' as column_name, 'orphan' as reason_code,
                {named} || ' is not among the {parent.entity} of this or an earlier batch' as reason
            from ({self._picked(entity)}) as picked""",
        )

    def _settle_against_loaded(self, entity: _Entity) -> int:
        """Drop what is loaded already, reject events that contradict it, keep new versions.

        Returns the number of identical duplicates.
        """
        contract = entity.contract
        key = ", ".join(contract.key)
        if not self._look_up(contract, self._standing(entity, f"distinct {key}")):
            return 0
        met = f"{self._standing(entity, 'line_no')} semi join loaded using ({key})"
        if not self._pick(entity, met):
            return 0
        on_key = " and ".join(f"picked.{name} = loaded.{name}" for name in contract.key)
        if contract.kind == "event":
            differs = " or ".join(
                f"picked.{name} is distinct from loaded.{name}" for name in contract.compared_columns
            )
            self._execute(
                f"""
                create or replace table met as
                select picked.line_no, bool_or({differs or "false"}) as is_conflict
                from ({self._picked(entity)}) as picked inner join loaded on {on_key}
                group by picked.line_no"""
            )
            self._reject(
                entity,
                f"""
                select line_no, '{key}' as column_name, 'conflicting_duplicate' as reason_code,
                    'an earlier batch holds the same key with different content' as reason
                from met where is_conflict""",
            )
            return self._drop(entity, "select line_no from met where not is_conflict")
        # A version says something new only where it differs from the one in force and known before it.
        return self._drop(
            entity,
            f"""
            select line_no from (
                select picked.line_no, picked.row_hash = loaded.row_hash as is_same
                from ({self._picked(entity)}) as picked inner join loaded
                    on {on_key}
                    and loaded.valid_from <= picked.valid_from
                    and loaded.known_at <= picked.known_at
                qualify row_number() over (
                    partition by picked.line_no
                    order by loaded.valid_from desc, loaded.known_at desc, loaded.batch_no desc
                ) = 1
            ) where is_same""",
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

    def _standing(self, entity: _Entity, columns: str) -> str:
        """Select of the rows that no check has dropped so far."""
        dropped = _dropped(entity.contract)
        select = f"select {columns} from ({entity.typed}) as typed"
        is_any_dropped = self._count(f"select count(*) from (select 1 from {dropped} limit 1)")
        return f"{select} anti join {dropped} using (line_no)" if is_any_dropped else select

    def _pick(self, entity: _Entity, lines: str) -> int:
        """Fetch the rows of a select of line_no, for `_picked`; returns how many."""
        self._execute(f"create or replace table picked_lines as {lines}")
        count = self._count("select count(*) from picked_lines")
        if count:
            self._execute(f"create or replace table picked as {entity.staged.rows_of('picked_lines')}")
        return count

    def _picked(self, entity: _Entity) -> str:
        """Select of the rows that were picked last, typed."""
        return typed_rows(entity.contract, self._arrival, "select * from picked", entity.staged.sound)

    def _reject(self, entity: _Entity, faulty: str) -> None:
        """Record and drop picked rows: a select of line_no, column_name, reason_code, reason."""
        names = [*entity.contract.column_names, "known_at"]
        masked = ", ".join(f"{name} := {masked_value(entity.contract, name)}" for name in names)
        whole = ", ".join(f"{name} := {raw_text(name)}" for name in names)
        self._execute(f"create or replace table faulty as {faulty}")
        self._execute(
            f"""
            insert into rejected
            select $1, $2, line_no, faulty.column_name, faulty.reason_code, faulty.reason,
                to_json(struct_pack({masked}))::varchar, to_json(struct_pack({whole}))::varchar
            from faulty inner join ({self._picked(entity)}) as picked using (line_no)""",
            [entity.contract.entity, entity.file.name],
        )
        self._drop(entity, "select line_no from faulty")

    def _drop(self, entity: _Entity, lines: str, params: list[str] | None = None) -> int:
        return self._count(f"insert into {_dropped(entity.contract)} {lines}", params)

    def _reader(self, sql: str, rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
        # A cursor of its own, so that the checks may go on while the rows are taken.
        return self._connection.cursor().sql(sql).to_arrow_reader(rows)

    def _execute(self, sql: str, params: list[str] | None = None) -> None:
        self._connection.execute(sql, params)

    def _count(self, sql: str, params: list[str] | None = None) -> int:
        # All rows, though there is one: a result that is not read to its end blocks the connection.
        rows = self._connection.execute(sql, params).fetchall()
        return int(rows[0][0]) if rows else 0


def _dropped(contract: Contract) -> str:
    return f"dropped_{contract.entity}"


def _as_struct(rule: Rule) -> str:
    return f"struct_pack(column_name := '{rule.column}', code := '{rule.code}', reason := {rule.reason})"
