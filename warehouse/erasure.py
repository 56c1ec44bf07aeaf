"""Erasure of one customer on request: out of every table and file, in one transaction, with a receipt.

Tables are found in the engine's catalogue by the names of their columns, so that one which is added later is
not forgotten. What the customer held alone goes with all that hangs on it; an account with another holder
stays, and names him no more.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from warehouse import audit
from warehouse.clock import utc_now
from warehouse.door import Warehouse
from warehouse.errors import UnavailableError, WarehouseError
from warehouse.names import quoted_name
from warehouse.pseudonyms import PERSONAL, key_name, keyed_hash
from warehouse.schema import SCHEMAS
from warehouse.settings import Settings

# Columns by which a table names a customer, or what a customer held alone, and the kind in the list of the
# erased. Whatever else a contract refers to hangs on nobody.
SUBJECTS = {"customer_id": "customer", "account_id": "account", "loan_id": "loan"}
HOLDERS = "raw.account_holders"
# Who owns an account and who shares it; an authorised user does not hold the money.
HOLDING_ROLES = ("owner", "joint")
# Stands for whoever was erased among the holders of an account that stays: postings of his time as its owner
# must not become those of the next owner, nor nobody's.
ERASED = "erased"
SUPPRESSED = "restricted.erased_customers"
REJECTED = ("restricted.rejected_rows", "ops.rejected_rows")
RECEIPTS = "ops.erasures"
# Texts of tools and of people, in which an id may stand; the row stays, and the id goes.
FREE_TEXTS = {
    "ops.test_results": ("message",),
    "ops.runs": ("note",),
    "ops.training_runs": ("metrics", "chosen_model"),
}
# In place of a text that goes while its row stays: that of ingest/rules.py.
MASK = "***"
_IN_CHINESE = {"customer": "客户", "account": "(?:账户|账)", "loan": "贷款"}
# Characters of a file that are read at once, and those kept of them, which are more than any name or id.
BLOCK, OVERLAP = 1 << 20, 4096
# Batch, entity, file and number of a rejected line.
Line = tuple[str, str, str, int | None]

NOT_TOUCHED = (
    "landing files: the bank's own; the loader passes over the customer's rows in them from now on",
    "backups, replicas and write-ahead logs of the database, and the disk space that was freed but not yet "
    "used again",
    "published aggregates (counts, sums, shares), which name nobody",
    "Superset's caches of queries and charts: clear them, or let them run out; MLflow's server and its files",
    "models and their logs: thresholds, bins and figures over many customers, no identifier",
    "exports made earlier: tell whoever received them; the customer_hash is the pseudonym in those made with "
    "this key",
)
OTHERS = "a table outside Keepwell's schemas that may name the customer"
MODELS_NOTE = "fitted on rows of the customer, too; training again without them is the bank's decision"


@dataclass(frozen=True)
class Subject:
    """A customer and what is erased with him."""

    customer_id: str
    sole_accounts: list[str]
    kept_accounts: list[str]
    loans: list[str]
    # Name, phone, e-mail and identity number of every version.
    personal: list[str] = field(repr=False)

    def ids(self, column: str) -> list[str]:
        """What the customer's rows have in a column of SUBJECTS."""
        return {
            "customer_id": [self.customer_id],
            "account_id": self.sole_accounts,
            "loan_id": self.loans,
        }[column]

    def all_ids(self) -> list[str]:
        return [name for column in SUBJECTS for name in self.ids(column)]


@dataclass(frozen=True)
class Plan:
    """What an erasure takes out, or would."""

    subject: Subject
    # Rows by table; of the holders of accounts that stay, the rows in which the customer is replaced.
    rows: dict[str, int]
    files: list[Path]

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def is_empty(self) -> bool:
        return not self.rows and not self.files


def plan(wh: Warehouse, settings: Settings, customer_id: str) -> Plan:
    """Count what holds the customer, and change nothing.

    WarehouseError when nothing does, and he was not erased before either.
    """
    subject = _subject(wh, customer_id)
    rows = {}
    for table, columns in _tables(wh):
        where, values = _condition(subject, columns)
        rows[table] = _count(wh, f"select count(*) as n from {quoted_name(table)} where {where}", values)
    for table in REJECTED:
        rows[table] = len(_rejected(wh, table, subject))
    for table, texts in FREE_TEXTS.items():
        rows[table] = sum(sum(_naming_texts(wh, table, column, subject).values()) for column in texts)
    found = Plan(subject, {table: count for table, count in rows.items() if count}, _files(settings, subject))
    if not found.total and receipt_of(wh, customer_id) is None:
        raise WarehouseError(
            f"no table holds a customer {customer_id!r}: write the id as in customer_id of the deliveries"
        )
    return found


def erase(
    wh: Warehouse, settings: Settings, customer_id: str, *, reason: str, author: str, key: bytes
) -> dict[str, Any]:
    """Erase the customer and give the receipt, as it stands in ops.erasures.

    Who was erased before is looked for again: what has come back since goes, with a receipt that names the
    first one in `follows`; where nothing has, the first one is given.

    Raises UnavailableError while a run is started, WarehouseError when nothing holds the customer, or when
    the reason or the author would keep his id or name in the receipt.
    """
    with wh.transaction():
        # Neither a run nor a delivery may begin meanwhile.
        wh.lock("runs")
        wh.lock("ingest")
        _refuse_started_runs(wh)
        _refuse_copies(wh)
        earlier = receipt_of(wh, customer_id)
        found = plan(wh, settings, customer_id)
        if earlier is not None and found.is_empty:
            return earlier
        _refuse_telling(found.subject, reason=reason, author=author)
        models = _models(wh, customer_id)
        _forget_unpublished_facts(wh, found.subject)
        for table, columns in _tables(wh):
            if table in found.rows:
                _delete(wh, table, columns, found.subject)
        for table in REJECTED:
            _delete_rejected(wh, table, _rejected(wh, table, found.subject))
        for table, texts in FREE_TEXTS.items():
            for column in texts:
                _blank_texts(wh, table, column, found.subject)
        now = utc_now()
        receipt_no = _next_number(wh, now.date())
        receipt = {
            "receipt_no": receipt_no,
            "follows": earlier["receipt_no"] if earlier else None,
            "erased_at": now.isoformat(sep=" ", timespec="seconds"),
            "customer_hash": keyed_hash(key, customer_id),
            "hash": f"HMAC-SHA256 of the customer_id under the key {key_name(key)}",
            "reason": reason,
            "author": author,
            "rows_erased": found.total,
            "tables_erased": found.rows,
            "files_removed": [str(file.relative_to(settings.bank_home)) for file in found.files],
            "accounts_erased": len(found.subject.sole_accounts),
            "accounts_kept_for_other_holders": len(found.subject.kept_accounts),
            "models_trained_with_the_customer": {"versions": models, "note": MODELS_NOTE},
            "not_touched": [*NOT_TOUCHED, *(f"{OTHERS}: {name}" for name in _tables_of_others(wh))],
        }
        # The list keeps all that is of one customer under his first receipt.
        first_no = earlier["receipt_no"] if earlier else receipt_no
        _suppress(wh, found.subject, first_no, now.date())
        wh.execute(
            f"""
            insert into {RECEIPTS} (
                receipt_no, customer_hash, reason, author, rows_erased, tables_erased, receipt, erased_at
            )
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                receipt_no,
                receipt["customer_hash"],
                reason,
                author,
                found.total,
                json.dumps(found.rows),
                json.dumps(receipt, ensure_ascii=False),
                now,
            ],
        )
        audit.record(wh, "erase", receipt_no, f"{found.total} rows of {len(found.rows)} tables")
        _empty_scratch(settings)
        # Each can be made again, so they may go before it is certain that the transaction stands.
        for file in found.files:
            _remove(file)
    return receipt


def receipt_of(wh: Warehouse, customer_id: str) -> dict[str, Any] | None:
    """The first receipt of a customer who was erased; None for anybody else."""
    rows = wh.query(
        f"""
        select erasures.receipt
        from {SUPPRESSED} as suppressed
        inner join {RECEIPTS} as erasures on suppressed.receipt_no = erasures.receipt_no
        where suppressed.kind = 'customer' and suppressed.id = $1
        """,
        [customer_id],
    )
    if not rows.num_rows:
        return None
    receipt: dict[str, Any] = json.loads(rows["receipt"][0].as_py())
    return receipt


def release_space(wh: Warehouse, *receipts: dict[str, Any] | None) -> None:
    """Let the engine's files go of the rows; after `erase`, and once more if that was cut off."""
    tables = sorted({table for receipt in receipts if receipt for table in receipt["tables_erased"]})
    wh.forget_deleted([table for table in tables if wh.exists(table)])


def write_receipt(receipt: dict[str, Any], folder: Path) -> Path:
    """The receipt as `<receipt_no>.json` in the folder, readable by its owner alone; the file.

    No file is written over: another bank's receipt of that number keeps its name, and this one is
    `<receipt_no>.2.json`. The second time the same receipt finds itself there.
    """
    text = json.dumps(receipt, indent=2, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in count(1):
        suffix = f".{number}" if number > 1 else ""
        file = folder / f"{receipt['receipt_no']}{suffix}.json"
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if file.read_text(encoding="utf-8", errors="replace") == text:
                break
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        break
    return file


def _subject(wh: Warehouse, customer_id: str) -> Subject:
    listed = _listed(wh, customer_id)
    accounts: list[dict[str, Any]] = []
    if customer_id != ERASED and wh.exists(HOLDERS):
        roles = ", ".join(f"'{role}'" for role in HOLDING_ROLES)
        accounts = wh.query(
            f"""
            select
                account_id,
                max(case when customer_id not in ($1, '{ERASED}') then 1 else 0 end) as is_shared
            from {HOLDERS}
            where
                holder_role in ({roles})
                and account_id in (
                    select account_id from {HOLDERS} where customer_id = $2 and holder_role in ({roles})
                )
            group by account_id
            order by account_id
            """,
            [customer_id, customer_id],
        ).to_pylist()
    sole = sorted({*listed["account"], *(row["account_id"] for row in accounts if not row["is_shared"])})
    loans: list[str] = []
    if sole and wh.exists("raw.loans"):
        loans = wh.query(
            f"select distinct loan_id from raw.loans where account_id in ({_places(sole)}) order by loan_id",
            sole,
        )["loan_id"].to_pylist()
    return Subject(
        customer_id=customer_id,
        sole_accounts=sole,
        kept_accounts=[
            row["account_id"] for row in accounts if row["is_shared"] and row["account_id"] not in sole
        ],
        loans=sorted({*listed["loan"], *loans}),
        personal=_personal(wh, customer_id),
    )


def _listed(wh: Warehouse, customer_id: str) -> dict[str, list[str]]:
    """What is on the list of the erased with the customer, by kind; nothing when he is not on it."""
    rows = wh.query(
        f"""
        select others.kind, others.id
        from {SUPPRESSED} as others
        inner join {SUPPRESSED} as customers on others.receipt_no = customers.receipt_no
        where customers.kind = 'customer' and customers.id = $1
        """,
        [customer_id],
    ).to_pylist()
    return {kind: [row["id"] for row in rows if row["kind"] == kind] for kind in SUBJECTS.values()}


def _personal(wh: Warehouse, customer_id: str) -> list[str]:
    """What to look for in texts where the id may be missing; a birth date is shared by too many."""
    columns = [
        name for name in wh.column_types("restricted.customers") if name in PERSONAL and name != "birth_date"
    ]
    if not columns:
        return []
    versions = wh.query(
        f"select {', '.join(columns)} from restricted.customers where customer_id = $1", [customer_id]
    )
    return sorted({value for column in columns for value in versions[column].to_pylist() if value})


def _tables(wh: Warehouse) -> Iterator[tuple[str, list[str]]]:
    """Every table of Keepwell's schemas with columns of SUBJECTS, and which; never a view, nor the list."""
    columns: dict[str, list[str]] = {}
    for row in _columns(wh, "r"):
        if _is_ours(row["schema_name"]):
            columns.setdefault(f"{row['schema_name']}.{row['table_name']}", []).append(row["column_name"])
    yield from columns.items()


def _is_ours(schema: str) -> bool:
    return schema in SCHEMAS or re.fullmatch(r"run_\d{8}_\d{2,}|what_if.*", schema) is not None


def _tables_of_others(wh: Warehouse) -> list[str]:
    """Tables outside Keepwell's schemas with columns of these names, whatever they hold there."""
    rows = [row for kind in ("r", "p", "m", "f") for row in _columns(wh, kind)]
    return sorted(
        {f"{row['schema_name']}.{row['table_name']}" for row in rows if not _is_ours(row["schema_name"])}
    )


def _columns(wh: Warehouse, kind: str) -> list[dict[str, str]]:
    """Columns of SUBJECTS of relations of a kind: r (table), p (partitioned), m (materialised view), f."""
    listed = ", ".join(f"'{column}'" for column in SUBJECTS)
    # Not information_schema, which leaves out what the user has no right to: better refused than passed over.
    rows: list[dict[str, str]] = wh.query(
        f"""
        select
            cast(namespaces.nspname as varchar) as schema_name,
            cast(classes.relname as varchar) as table_name,
            cast(attributes.attname as varchar) as column_name
        from pg_catalog.pg_class as classes
        inner join pg_catalog.pg_namespace as namespaces on classes.relnamespace = namespaces.oid
        inner join pg_catalog.pg_attribute as attributes on classes.oid = attributes.attrelid
        where
            classes.relkind = '{kind}'
            and attributes.attname in ({listed})
            and namespaces.nspname <> 'information_schema'
            and namespaces.nspname not like 'pg_%'
        order by 1, 2, 3
        """
    ).to_pylist()
    return rows


def _condition(subject: Subject, columns: Iterable[str]) -> tuple[str, list[str]]:
    """SQL that is true of the subject's rows of a table, and its parameters."""
    terms: list[str] = []
    values: list[str] = []
    for column in columns:
        ids = subject.ids(column)
        if ids:
            terms.append(f"{column} in ({_places(ids, len(values))})")
            values += ids
    return " or ".join(terms) or "false", values


def _numbers(values: list[str], before: int = 0) -> range:
    return range(before + 1, before + len(values) + 1)


def _places(values: list[str], before: int = 0) -> str:
    return ", ".join(f"${number}" for number in _numbers(values, before))


def _count(wh: Warehouse, sql: str, values: list[Any]) -> int:
    return int(wh.query(sql, values)["n"][0].as_py())


def _delete(wh: Warehouse, table: str, columns: list[str], subject: Subject) -> None:
    if table == HOLDERS and subject.kept_accounts:
        # The hash of a row is one of the id, too.
        places = _places(subject.kept_accounts, 1)
        wh.execute(
            f"update {HOLDERS} set customer_id = '{ERASED}', row_hash = '{ERASED}'"
            f" where customer_id = $1 and account_id in ({places})",
            [subject.customer_id, *subject.kept_accounts],
        )
    where, values = _condition(subject, columns)
    wh.execute(f"delete from {quoted_name(table)} where {where}", values)


def _forget_unpublished_facts(wh: Warehouse, subject: Subject) -> None:
    """Take the facts of batches that no publication covers out, for all customers; the next build takes the
    batches in again.

    A posting on an account that stays is the customer's in the facts and stays in raw. Where it was published
    its fact just goes; where not, the facts are still to be held against raw, posting by posting.
    """
    facts = "core.fct_customer_activity_daily"
    if not subject.kept_accounts or not wh.exists(facts):
        return
    covered = _count(wh, "select coalesce(max(newest_batch_no), 0) as n from ops.covering_runs", [])
    if not _count(
        wh,
        f"select count(*) as n from {facts} where customer_id = $1 and batch_no > $2",
        [subject.customer_id, covered],
    ):
        return
    for table in (facts, "core.fct_account_flows_daily"):
        wh.execute(f"delete from {table} where batch_no > $1", [covered])


def _rejected(wh: Warehouse, table: str, subject: Subject) -> dict[Line, bool]:
    """Rejected lines that name the subject, and whether they go whole.

    By id in its column, or by id or name anywhere in a line that could not be split. A namesake's rejected
    line goes with them. Where an id of digits alone stands somewhere in a line that could not be split, the
    line may be anybody's: it stays, and its text goes.
    """
    if not wh.exists(table):
        return {}
    needles = [*subject.all_ids(), *subject.personal]
    reason = "reason" if "reason" in wh.column_types(table) else "null"
    # The engine looks for the letters, which is quick; what they stand in is looked at here.
    # A line that was split is kept as JSON, in which a quotation mark has a backslash before it.
    letters = {*needles, *(json.dumps(needle, ensure_ascii=False)[1:-1] for needle in needles)}
    patterns = [f"%{_escaped(text)}%" for text in sorted(letters)]
    text = f"coalesce(raw_text, '') || chr(10) || coalesce({reason}, '')"
    found = " or ".join(f"{text} like ${number}" for number in _numbers(patterns))
    rows = wh.query(
        f"select batch_id, entity, file_name, line_no, raw_text, cast({reason} as varchar) as reason"
        f" from {table} where {found}",
        patterns,
    ).to_pylist()
    naming, digits = _naming(subject), _words([name for name in subject.all_ids() if name.isdecimal()])
    lines: dict[Line, bool] = {}
    for row in rows:
        line = (row["batch_id"], row["entity"], row["file_name"], row["line_no"])
        fields = _fields(row["raw_text"])
        if naming.search(row["reason"] or "") or _names(fields, subject, naming):
            lines[line] = True
        elif isinstance(fields, str) and digits.search(fields):
            lines.setdefault(line, False)
    return lines


def _naming_texts(wh: Warehouse, table: str, column: str, subject: Subject) -> dict[str, int]:
    """The texts of a column that name the subject, and in how many rows each stands."""
    naming = _naming(subject)
    rows = wh.query(
        f"select {column} as text, count(*) as n from {table} where {column} is not null group by {column}"
    ).to_pylist()
    return {row["text"]: row["n"] for row in rows if naming.search(row["text"])}


def _blank_texts(wh: Warehouse, table: str, column: str, subject: Subject) -> None:
    naming = _naming(subject)
    for text in _naming_texts(wh, table, column, subject):
        wh.execute(f"update {table} set {column} = $1 where {column} = $2", [naming.sub(MASK, text), text])


def _escaped(text: str) -> str:
    """Text for `like`, without its wildcards; a backslash stands for any one character."""
    return re.sub(r"[\\%_]", "_", text)


def _words(needles: list[str]) -> re.Pattern[str]:
    """Any of the texts as a whole word: C1 does not stand in C12.

    Chinese has no blanks between words, so only letters and digits of ASCII make a word longer.
    """
    alternatives = "|".join(re.escape(needle) for needle in sorted(needles, key=len, reverse=True))
    # Of no texts there is none to be found.
    return re.compile(rf"(?<![A-Za-z0-9_-])(?:{alternatives})(?![A-Za-z0-9_-])" if needles else r"(?!)")


def _naming(subject: Subject) -> re.Pattern[str]:
    """What names the subject in free text: an id, a name, a number of his, as a whole word.

    An id of digits alone counts where a text says whose number it is (customer_id: 4519, account 12), lest
    an amount or a count be taken for it.
    """
    ids = subject.all_ids()
    patterns = [_words([*(name for name in ids if not name.isdecimal()), *subject.personal]).pattern]
    for column, kind in SUBJECTS.items():
        digits = [name for name in subject.ids(column) if name.isdecimal()]
        if digits:
            said = rf"(?i:{kind}(?:_id)?)\W{{1,6}}|{_IN_CHINESE[kind]}(?:编?号)?\W{{0,3}}"
            patterns.append(rf"(?:{said})(?:{'|'.join(digits)})(?![A-Za-z0-9_-])")
            # A row of a report that is headed by a number may be about him; a report can be made again.
            patterns.append(f'<th scope="row">(?:{"|".join(digits)})</th>')
    return re.compile("|".join(patterns))


def _fields(raw_text: str | None) -> dict[str, Any] | str:
    """A rejected line by column; one that could not be split, as text."""
    try:
        line = json.loads(raw_text or "null")
    except ValueError:
        line = None
    return line if isinstance(line, dict) else raw_text or ""


def _names(fields: dict[str, Any] | str, subject: Subject, naming: re.Pattern[str]) -> bool:
    """Does a rejected line name the subject?"""
    if isinstance(fields, str):
        return bool(naming.search(fields))
    # A line shifted by a column holds its values anywhere; an id of digits is sought where ids stand.
    ids = set(subject.all_ids())
    return any(
        value is not None and (naming.search(str(value)) or (column in SUBJECTS and str(value) in ids))
        for column, value in fields.items()
    )


def _delete_rejected(wh: Warehouse, table: str, lines: dict[Line, bool]) -> None:
    for line, goes_whole in lines.items():
        verb = f"delete from {table}" if goes_whole else f"update {table} set raw_text = '{MASK}'"
        wh.execute(
            f"{verb} where batch_id = $1 and entity = $2 and file_name = $3"
            " and line_no is not distinct from $4",
            list(line),
        )


def _files(settings: Settings, subject: Subject) -> list[Path]:
    """Files of the bank that name the subject: reports, dbt's artifacts, logs; each can be made again."""
    naming = _naming(subject)
    folders = (settings.report_dir, settings.dbt_dir, settings.logs_dir, settings.bank_home / "docs")
    return [
        file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file() and _holds(file, naming)
    ]


def _holds(file: Path, naming: re.Pattern[str]) -> bool:
    """Does a file name the subject? Read in blocks: a log may be larger than memory."""
    try:
        with file.open(encoding="utf-8", errors="ignore") as stream:
            text, start = "", 0
            while block := stream.read(BLOCK):
                text += block
                # What touches the end of a block may go on in the next.
                if any(match.end() < len(text) for match in naming.finditer(text, start)):
                    return True
                # The character before the first that is searched again tells whether a word begins there.
                start = 1 if len(text) > OVERLAP else 0
                text = text[-OVERLAP:]
            return naming.search(text, start) is not None
    except FileNotFoundError:
        # Somebody has removed it meanwhile.
        return False
    except OSError as fault:
        raise WarehouseError(
            f"cannot read {file}, which may show the customer ({fault.strerror}): nothing was erased; let "
            "it be read, or remove it, and erase again"
        ) from fault


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as fault:
        raise WarehouseError(
            f"cannot remove {file}, which shows the customer ({fault.strerror}): nothing was erased; remove "
            "it and erase again"
        ) from fault


def _empty_scratch(settings: Settings) -> None:
    """Remove what a load that was killed left of deliveries.

    One that waits for this erasure to end holds its folder's lock, and removes the folder itself.
    """
    for leftover in sorted((settings.bank_home / "scratch").glob("*")):
        try:
            if leftover.is_dir() and not leftover.is_symlink():
                with (leftover / "lock").open("a") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        except OSError as fault:
            raise WarehouseError(
                f"cannot remove {leftover}, which a load left and which may hold the customer "
                f"({fault.strerror}): nothing was erased; remove it and erase again"
            ) from fault


def _models(wh: Warehouse, customer_id: str) -> list[str]:
    """Versions whose training had eligible rows of the customer on one of its dates, as archived."""
    features = "archive.fct_customer_features"
    if not wh.exists(features):
        return []
    eligible = "and features.is_eligible" if "is_eligible" in wh.column_types(features) else ""
    versions = wh.query(
        f"""
        select distinct trainings.model_version
        from ops.training_runs as trainings
        inner join ops.run_dates as dates on trainings.run_id = dates.run_id
        inner join {features} as features on dates.as_of_date = features.as_of_date
        where trainings.model_version is not null and features.customer_id = $1 {eligible}
        order by 1
        """,
        [customer_id],
    )
    found: list[str] = versions["model_version"].to_pylist()
    return found


def _suppress(wh: Warehouse, subject: Subject, receipt_no: str, erased_on: dt.date) -> None:
    listed = _listed(wh, subject.customer_id)
    for column, kind in SUBJECTS.items():
        for name in subject.ids(column):
            if name in listed[kind]:
                continue
            wh.execute(
                f"insert into {SUPPRESSED} (kind, id, receipt_no, erased_on) values ($1, $2, $3, $4)",
                [kind, name, receipt_no, erased_on],
            )


def _next_number(wh: Warehouse, today: dt.date) -> str:
    prefix = f"E{today:%Y%m%d}-"
    taken = wh.query(f"select receipt_no from {RECEIPTS} where receipt_no like $1", [f"{prefix}%"])
    number = 1 + max((int(name.removeprefix(prefix)) for name in taken["receipt_no"].to_pylist()), default=0)
    return f"{prefix}{number:03d}"


def _refuse_started_runs(wh: Warehouse) -> None:
    started = wh.query("select run_id from ops.runs where status = 'started' order by run_id")
    names = started["run_id"].to_pylist()
    if names:
        raise UnavailableError(
            f"{', '.join(names)} is started and may be reading the customer: wait until it has ended; one "
            "that nobody works on any more is ended by `python -m warehouse fail-run --run RUN_ID`"
        )


def _refuse_copies(wh: Warehouse) -> None:
    """Rows of a materialised view cannot be deleted, and show him until it is refreshed."""
    names = sorted(
        {
            f"{row['schema_name']}.{row['table_name']}"
            for row in _columns(wh, "m")
            if _is_ours(row["schema_name"])
        }
    )
    if names:
        raise WarehouseError(
            f"{', '.join(names)} are materialised views with rows of customers, which nothing can be deleted "
            "from: drop them, erase, and make them again"
        )


def _refuse_telling(subject: Subject, **texts: str) -> None:
    naming = _naming(subject)
    for name, text in texts.items():
        if not text.strip():
            raise WarehouseError(f"the {name} is empty: the receipt has to say it")
        if naming.search(text):
            raise WarehouseError(
                f"the {name} names the customer, and the receipt stays: write it without ids and names"
            )
