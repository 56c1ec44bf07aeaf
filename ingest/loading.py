"""Deliveries into the warehouse: each batch whole, in one transaction, once."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from ingest.checking import BatchCheck, FileCounts
from ingest.contracts import Contract
from ingest.deliveries import Delivery
from ingest.erased import HOLDERS, held_accounts, loaded_before, note_erased, read_erased
from ingest.errors import BatchRefusedError, IngestError
from ingest.reading import EntityFile, Layout, read_layout
from ingest.rules import Arrival
from ingest.sources import Source
from warehouse import Settings, Warehouse
from warehouse.relations import column_definitions
from warehouse.runs import utc_now

# A single bad row of a small file is no reason to refuse a batch.
MIN_REJECTED_ROWS = 3
ARRIVING_KEYS = "raw.arriving_keys"
INDEX_MEMORY = "512MB"


class Progress(Protocol):
    """Hears what is being done."""

    def warn(self, message: str) -> None: ...

    def start_batch(self, delivery: Delivery) -> None: ...

    def start_file(self, file: EntityFile) -> None: ...

    def rows(self, count: int) -> None: ...


@dataclass(frozen=True)
class BatchResult:
    """What one batch brought."""

    delivery: Delivery
    batch_no: int
    counts: tuple[FileCounts, ...]


def load(
    *,
    wh: Warehouse,
    settings: Settings,
    source: Source,
    contracts: Mapping[str, Contract],
    deliveries: list[Delivery],
    progress: Progress,
    is_trial: bool = False,
) -> list[BatchResult]:
    """Load the deliveries that are not loaded yet, oldest first. A trial does all of it and takes it back.

    Raises IngestError for faults of files and BatchRefusedError for a batch with too many rejected rows;
    batches before it stay loaded.
    """
    results: list[BatchResult] = []
    loader = _Loader(wh, settings, source, contracts, progress)
    try:
        with wh.transaction() if is_trial else nullcontext():
            transaction: Callable[[], Any] = nullcontext if is_trial else wh.transaction
            with transaction():
                loader.prepare()
            for delivery in deliveries:
                if loader.is_loaded(delivery):
                    continue
                result = loader.load_batch(delivery, transaction)
                if result:
                    results.append(result)
            if is_trial:
                raise _TrialOverError
    except _TrialOverError:
        pass
    return results


class _TrialOverError(Exception):
    """Undoes the transaction of a trial."""


class _Loader:
    def __init__(
        self,
        wh: Warehouse,
        settings: Settings,
        source: Source,
        contracts: Mapping[str, Contract],
        progress: Progress,
    ) -> None:
        self._wh = wh
        self._settings = settings
        self._source = source
        self._contracts = contracts
        self._progress = progress

    def prepare(self) -> None:
        """Claim the warehouse for the source and create the raw tables, those of absent entities too."""
        self._wh.lock("ingest")
        declared: dict[str, Any] = {
            "source": self._source.name,
            "policy_set": self._source.policy_set,
            "reporting_currency_code": self._source.reporting_currency_code,
            "landing_lag_days": self._source.landing_lag_days,
            "max_rejected_share": self._source.max_rejected_share,
        }
        held = self._wh.query("select source from ops.sources").column("source").to_pylist()
        if held and held != [self._source.name]:
            raise IngestError(
                f"this warehouse holds the source {held[0]!r}, not {self._source.name!r}; one bank, one "
                "warehouse: set KEEPWELL_SOURCE, or another KEEPWELL_HOME or KEEPWELL_WAREHOUSE_URL"
            )
        if not held:
            self._wh.append("ops.sources", pa.Table.from_pylist([declared]))
        else:
            changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(declared, start=1))
            self._wh.execute(f"update ops.sources set {changes}", list(declared.values()))
        for contract in self._contracts.values():
            self._prepare_table(contract.raw_table, contract.raw_schema)
            if contract.has_personal:
                self._prepare_table(contract.restricted_table, contract.restricted_schema)

    def _prepare_table(self, table: str, schema: pa.Schema) -> None:
        """Create the table when missing; add columns that its contract has gained since, null in old rows."""
        held = self._wh.column_types(table)
        if not held:
            self._wh.create_table(table, schema)
        gained = [field for field in schema if held and field.name not in held]
        for field in gained:
            self._wh.execute(f"alter table {table} add column {column_definitions(pa.schema([field]))}")

    def is_loaded(self, delivery: Delivery) -> bool:
        """Is this delivery loaded? A flat one is also when the newest batch has just its content."""
        loaded = self._wh.query(
            "select batch_id, rows_rejected from ops.batches where status = 'loaded' order by batch_no desc"
        ).to_pylist()
        if delivery.batch_id in (batch["batch_id"] for batch in loaded):
            return True
        # Rows that were rejected because they lay after the as-of date may be accepted now.
        if not delivery.is_flat or not loaded or loaded[0]["rows_rejected"]:
            return False
        files = self._wh.query(
            "select entity, content_hash from ops.batch_files where batch_id = $1", [loaded[0]["batch_id"]]
        ).to_pylist()
        return {(file["entity"], file["content_hash"]) for file in files} == delivery.content

    def load_batch(self, delivery: Delivery, transaction: Callable[[], Any]) -> BatchResult | None:
        """Check and load one delivery; None when another process has loaded it meanwhile."""
        self._progress.start_batch(delivery)
        for warning in delivery.warnings:
            self._progress.warn(warning)
        if delivery.faults and self._source.adapter is not None:
            raise IngestError(delivery.faults)
        with _scratch_folder(self._settings) as folder:
            files = self._files(delivery, folder)
            stamps = [_stamp(file) for file in files]
            loaded_at = utc_now()
            with transaction():
                self._wh.lock("ingest")
                if self.is_loaded(delivery):
                    return None
                newest_on = self._newest_delivery()
                layouts = self._layouts(delivery, files, is_history=newest_on is None)
                # What comes late was not known before the deliveries that are loaded already.
                known_on = max(delivery.delivered_on, newest_on or date.min)
                told_of_on = delivery.delivered_on - timedelta(days=self._source.landing_lag_days)
                arrival = Arrival(delivery.delivered_on, newest_on is None, known_on, told_of_on)
                loaded_rows, erased = _LoadedRows(self._wh), read_erased(self._wh)
                with closing(BatchCheck(folder, self._contracts, arrival, loaded_rows, erased)) as check:
                    counts = []
                    for file in files:
                        if file.entity == HOLDERS:
                            check.find_new_accounts(file, layouts[file.entity], self._progress.rows)
                    for file in files:
                        self._progress.start_file(file)
                        counts.append(check.check(file, layouts[file.entity], self._progress.rows))
                    faults = self._refusal(delivery, counts, check)
                    batch = _Batch(
                        delivery, self._next_batch_no(delivery), newest_on is None, loaded_at, not faults
                    )
                    if not faults:
                        self._append(check, batch, counts)
                        self._note_erased(check.newly_erased(), loaded_at.date())
                    if changed := [
                        file.name for file, stamp in zip(files, stamps, strict=True) if _stamp(file) != stamp
                    ]:
                        # Checked was one content, loaded perhaps another.
                        raise IngestError(
                            f"{', '.join(changed)}: changed while it was read: load again when it is complete"
                        )
                    self._record(check, batch, counts)
            # The refusal is recorded, and told once that stands.
            if faults:
                raise BatchRefusedError(faults)
        return BatchResult(delivery, batch.batch_no, tuple(counts))

    def _files(self, delivery: Delivery, folder: Path) -> list[EntityFile]:
        """The files in the order in which they are checked: parents first."""
        by_entity = {file.entity: file for file in delivery.files}
        if self._source.adapter is not None:
            originals = self._source.adapter.find_files(delivery.files[0].path)
            converted = self._source.adapter.convert(originals, folder)
            by_entity = {entity: replace(file, path=converted[entity]) for entity, file in by_entity.items()}
        return [by_entity[entity] for entity in self._contracts if entity in by_entity]

    def _layouts(self, delivery: Delivery, files: list[EntityFile], is_history: bool) -> dict[str, Layout]:
        """The layout of each file. All faults of all files are raised together."""
        faults, layouts = list(delivery.faults), {}
        present = {file.entity for file in files}
        for contract in self._contracts.values():
            if is_history and contract.is_required_in_history and contract.entity not in present:
                faults.append(
                    f"{contract.entity}.csv or {contract.entity}.parquet is missing: "
                    f"the first delivery of a bank needs it ({delivery.delivered_on}; "
                    f"found: {', '.join(sorted(file.name for file in files))})"
                )
        for file in files:
            if any(fault.startswith(f"{file.name}: ") for fault in delivery.faults):
                continue
            try:
                layouts[file.entity], warnings = read_layout(file, self._contracts[file.entity])
            except IngestError as error:
                faults += error.faults
                continue
            for warning in warnings:
                self._progress.warn(warning)
        if faults:
            raise IngestError(faults)
        return layouts

    def _refusal(self, delivery: Delivery, counts: list[FileCounts], check: BatchCheck) -> list[str]:
        """What to tell when the batch is refused; empty when it is not."""
        allowed = self._source.max_rejected_share
        faults = []
        for count in counts:
            if count.rejected < MIN_REJECTED_ROWS or count.rejected <= allowed * count.read:
                continue
            reasons = [
                f"    {number:,} x {code} in {column}, first in line {line}"
                for code, column, number, line in check.reasons(count.file.entity)[:5]
            ]
            share = count.rejected / count.read
            faults.append(
                "\n".join(
                    [
                        f"{count.file.name}: {count.rejected:,} of {count.read:,} rows rejected "
                        f"({share:.1%}; {allowed:.1%} are allowed): "
                        f"the delivery of {delivery.delivered_on} is refused whole",
                        *reasons,
                    ]
                )
            )
        if faults:
            faults.append(
                f"every rejected row stands in ops.rejected_rows where batch_id = '{delivery.batch_id}': "
                "mend the files and load again"
            )
        return faults

    def _append(self, check: BatchCheck, batch: _Batch, counts: list[FileCounts]) -> None:
        constants = {
            "batch_id": f"'{batch.delivery.batch_id}'",
            "batch_no": f"{batch.batch_no}::integer",
            "loaded_at": f"timestamp '{batch.loaded_at}'",
        }
        for count in counts:
            contract = self._contracts[count.file.entity]
            tables = {contract.raw_table: contract.raw_schema}
            if contract.has_personal:
                tables[contract.restricted_table] = contract.restricted_schema
            for table, schema in tables.items():
                accepted = check.accepted(contract, schema, constants)
                appended = self._wh.append_files(table, accepted.sql, accepted.tables)
                if appended != count.loaded:
                    raise AssertionError(f"{table}: {appended} rows written of {count.loaded}")
            self._index(contract)

    def _note_erased(self, found: pa.Table, erased_on: date) -> None:
        note_erased(self._wh, found, erased_on)
        # What was built of them lies where the loader has no business: erasing again finds all of it.
        for receipt_no, count in loaded_before(self._wh, self._contracts, found).items():
            self._progress.warn(
                f"{count} accounts or loans of the customer of receipt {receipt_no}, who was erased, came in "
                "earlier deliveries that did not say whose they are: erase him again (python -m warehouse "
                "erase), which takes them out"
            )

    def _index(self, contract: Contract) -> None:
        """Indexes on PostgreSQL, made after the first rows are in; DuckDB prunes scans by its zone maps.

        By key, which proves that events are unique; by batch, so that a day's rows are found without a scan.
        """
        if self._wh.target != "postgres":
            return
        # For this transaction, whatever the server's default.
        self._wh.execute(f"set local maintenance_work_mem = '{INDEX_MEMORY}'")
        unique = "unique" if contract.kind == "event" else ""
        self._wh.execute(
            f"create {unique} index if not exists {contract.entity}_by_key "
            f"on {contract.key_table} ({', '.join(contract.key)})"
        )
        self._wh.execute(
            f"create index if not exists {contract.entity}_by_batch "
            f"on {contract.raw_table} using brin (batch_no)"
        )
        self._wh.query(f"select brin_summarize_new_values('{contract.raw_table}_by_batch') as ranges")

    def _record(self, check: BatchCheck, batch: _Batch, counts: list[FileCounts]) -> None:
        """The batch, its files and rejected rows; what an earlier refusal of it left is replaced."""
        batch_id = batch.delivery.batch_id
        for table in ("ops.batches", "ops.batch_files", "ops.rejected_rows", "restricted.rejected_rows"):
            self._wh.execute(f"delete from {table} where batch_id = $1", [batch_id])
        files = [
            {
                "batch_id": batch_id,
                "entity": count.file.entity,
                "file_name": count.file.name,
                "content_hash": count.file.content_hash,
                "rows_read": count.read,
                "rows_loaded": count.loaded if batch.is_accepted else 0,
                "rows_rejected": count.rejected,
                "rows_duplicate": count.duplicate,
                "rows_erased": count.erased,
            }
            for count in counts
        ]
        totals = {
            name: sum(int(str(file[name])) for file in files)
            for name in ("rows_read", "rows_loaded", "rows_rejected", "rows_duplicate", "rows_erased")
        }
        header = {
            "batch_id": batch_id,
            "batch_no": batch.batch_no,
            "source": self._source.name,
            "delivered_on": batch.delivery.delivered_on,
            "is_history": batch.is_history,
            "status": "loaded" if batch.is_accepted else "refused",
            **totals,
            "loaded_at": batch.loaded_at,
        }
        self._wh.append("ops.batches", pa.Table.from_pylist([header]))
        self._wh.append("ops.batch_files", pa.Table.from_pylist(files))
        where = f"'{batch_id}' as batch_id, entity, file_name, line_no"
        self._wh.append(
            "ops.rejected_rows", check.rejected(f"{where}, column_name, reason_code, reason, raw_text")
        )
        self._wh.append("restricted.rejected_rows", check.rejected(f"{where}, whole_text as raw_text"))

    def _newest_delivery(self) -> date | None:
        """The latest delivery date of what is loaded; None when nothing is, and the next batch is history."""
        newest = self._wh.query("select max(delivered_on) as day from ops.batches where status = 'loaded'")
        day: date | None = newest.column("day")[0].as_py()
        return day

    def _next_batch_no(self, delivery: Delivery) -> int:
        newest = self._wh.query(
            "select max(batch_no) as n from ops.batches where batch_id <> $1", [delivery.batch_id]
        )
        return int(newest.column("n")[0].as_py() or 0) + 1


@dataclass(frozen=True)
class _Batch:
    delivery: Delivery
    batch_no: int
    is_history: bool
    loaded_at: datetime
    is_accepted: bool


def _stamp(file: EntityFile) -> tuple[int, int, int]:
    status = file.path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class _LoadedRows:
    """Rows of earlier batches, looked up by key: the keys are sent to the warehouse and joined there."""

    def __init__(self, wh: Warehouse) -> None:
        self._wh = wh

    def has_rows(self, contract: Contract) -> bool:
        return self._wh.query(f"select 1 as one from {contract.raw_table} limit 1").num_rows > 0

    def held_accounts(self, accounts: list[str]) -> set[str]:
        return held_accounts(self._wh, accounts)

    def rows_of_keys(self, contract: Contract, keys: pa.RecordBatch) -> pa.Table:
        columns = [*contract.key, *contract.compared_columns]
        if contract.kind == "version":
            columns += ["valid_from", "known_at", "batch_no"]
        on_key = " and ".join(f"loaded.{name} = arriving.{name}" for name in contract.key)
        self._wh.create_table(ARRIVING_KEYS, keys.schema)
        self._wh.append(ARRIVING_KEYS, keys)
        if self._wh.target == "postgres":
            # Without statistics it would scan the history instead of using the index.
            self._wh.execute(f"analyze {ARRIVING_KEYS}")
        # Keys alone first: what is new, as nearly all is, costs no look at the other columns.
        rows = self._wh.query(
            f"with arriving as materialized ("
            f" select {', '.join(f'arriving.{name}' for name in contract.key)}"
            f" from {contract.key_table} as loaded inner join {ARRIVING_KEYS} as arriving on {on_key}"
            f" group by {', '.join(f'arriving.{name}' for name in contract.key)}) "
            f"select {', '.join(f'loaded.{name}' for name in columns)} "
            f"from {contract.key_table} as loaded inner join arriving on {on_key}"
        )
        self._wh.execute(f"drop table {ARRIVING_KEYS}")
        return rows


@contextmanager
def _scratch_folder(settings: Settings) -> Iterator[Path]:
    """A private folder under the bank's home for copies of personal data while a batch is checked.

    It is removed at the end; one that a killed process left is removed first.
    """
    home = settings.bank_home / "scratch"
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    for leftover in home.iterdir():
        with (leftover / "lock").open("a") if leftover.is_dir() else nullcontext() as lock:
            if lock is None or _try_lock(lock):
                shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home))
    with (folder / "lock").open("w") as lock:
        _try_lock(lock)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
