"""The Berka bank (PKDD'99 discovery challenge): its eight files as canonical Parquet.

Decisions, each checked against the published files:
- Every outgoing transfer equals a standing order of its account in amount and recipient, so none of them
  counts as an act of the customer: they are `standing_order`, or `loan_payment` where the symbol is UVER. A
  symbol decides before the operation does.
- `order` has no dates and `loan.status` is of the end of 1998: both would leak the future and neither is
  loaded. The same holds for the district statistics; of a district only its name and region are kept.
- Transactions of one day have no order. The closing balance of a day is the balance that no other transaction
  of that day starts from (balance - signed amount, to 0.11 CZK because interest is rounded). Where that does
  not single one out, it is the balance nearest to the closing balance before plus what the day moved.
- A month-end balance exists for each whole month of the data, from the account's first transaction on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from ingest.errors import IngestError
from ingest.reading import csv_layout

# Tables of the source and the columns that are read.
TABLES: dict[str, tuple[str, ...]] = {
    "account": ("account_id", "district_id", "date"),
    "client": ("client_id", "birth_number", "district_id"),
    "disp": ("disp_id", "client_id", "account_id", "type"),
    "order": (),
    "loan": ("loan_id", "account_id", "date", "amount", "duration"),
    "card": ("card_id", "disp_id", "type", "issued"),
    "district": ("A1", "A2", "A3"),
    "trans": ("trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol"),
}

# Entity to the tables that it is made of; the first is the one whose rows it has.
ORIGINS: dict[str, tuple[str, ...]] = {
    "customers": ("client", "disp", "account"),
    "branches": ("district",),
    "products": ("account",),
    "accounts": ("account",),
    "account_holders": ("disp", "account"),
    "transactions": ("trans",),
    "month_end_balances": ("trans",),
    "loans": ("loan",),
    "cards": ("card", "disp"),
}

CURRENCY = "'CZK' as currency_code"

# All dates are of the 20th century: YYMMDD, cards with a time of day behind it.
_DATE = "strptime('19' || left({0}, 6), '%Y%m%d')::date"

_VIEWS = f"""
create view accounts as
select account_id, district_id, {_DATE.format("date")} as opened_on from account;

create view postings as
select
    trans_id, account_id, {_DATE.format("date")} as booked_on, type,
    nullif(trim(operation), '') as operation, nullif(trim(k_symbol), '') as k_symbol,
    amount::decimal(18, 2) as amount, balance::decimal(18, 2) as balance,
    case when type = 'PRIJEM' then amount::decimal(18, 2) else -amount::decimal(18, 2) end as moved
from trans;
"""

_ENTITIES = {
    "customers": """
        with first_accounts as (
            select
                disp.client_id,
                coalesce(
                    min(accounts.opened_on) filter (disp.type = 'OWNER'), min(accounts.opened_on)
                ) as opened_on
            from disp inner join accounts using (account_id)
            group by disp.client_id
        ),
        births as (
            select *, rowid as row_no, birth_number[3:4]::integer > 50 as is_female from client
        )
        select
            client_id as customer_id, 'personal' as customer_kind, district_id as branch_id,
            case when is_female then 'female' else 'male' end as sex,
            first_accounts.opened_on,
            strptime(
                '19' || birth_number[1:2] || lpad((birth_number[3:4]::integer % 50)::varchar, 2, '0')
                || birth_number[5:6],
                '%Y%m%d'
            )::date as birth_date
        from births left join first_accounts using (client_id)
        order by births.row_no""",
    "branches": """
        select A1 as branch_id, nullif(trim(A2), '?') as branch_name, nullif(trim(A3), '?') as region
        from district order by rowid""",
    "products": f"""
        select product_id, product_name, product_family, {CURRENCY}
        from (values
            ('current_account', 'Current account', 'current'), ('loan', 'Loan', 'loan'),
            ('card_junior', 'Junior card', 'card'), ('card_classic', 'Classic card', 'card'),
            ('card_gold', 'Gold card', 'card')
        ) as products (product_id, product_name, product_family)""",
    "accounts": f"""
        select account_id, 'current_account' as product_id, district_id as branch_id, {CURRENCY}, opened_on
        from accounts""",
    "account_holders": """
        select
            disp.account_id, disp.client_id as customer_id,
            case disp.type
                when 'OWNER' then 'owner' when 'DISPONENT' then 'authorised_user' else disp.type
            end as holder_role,
            accounts.opened_on as valid_from
        from disp left join accounts using (account_id)
        order by disp.rowid""",
    "transactions": f"""
        with typed as (
            select
                *,
                case
                    when k_symbol = 'UROK' then 'interest'
                    when k_symbol = 'SLUZBY' then 'fee'
                    when k_symbol = 'SANKC. UROK' then 'penalty'
                    when k_symbol = 'DUCHOD' then 'pension'
                    when k_symbol = 'UVER' then 'loan_payment'
                    when k_symbol in ('SIPO', 'POJISTNE') then 'standing_order'
                    when operation = 'VKLAD' then 'cash_deposit'
                    when operation = 'VYBER' then 'cash_withdrawal'
                    when operation = 'VYBER KARTOU' then 'card_payment'
                    when operation = 'PREVOD Z UCTU' then 'transfer_in'
                    when operation = 'PREVOD NA UCET' then 'standing_order'
                    else 'other'
                end as transaction_type
            from postings
        )
        select
            trans_id as transaction_id, account_id, booked_on,
            case
                when type = 'PRIJEM' then 'credit' when type in ('VYDAJ', 'VYBER') then 'debit' else type
            end as direction,
            amount, {CURRENCY}, transaction_type,
            case
                when operation is null or transaction_type in ('interest', 'fee', 'penalty') then 'system'
            end as channel,
            transaction_type in ('cash_deposit', 'cash_withdrawal', 'card_payment') as is_customer_initiated
        from typed""",
    "month_end_balances": f"""
        with ends as (
            select
                account_id, booked_on, balance, moved,
                not exists (
                    select 1 from postings as later
                    where
                        later.account_id = postings.account_id and later.booked_on = postings.booked_on
                        and later.trans_id <> postings.trans_id
                        and abs(later.balance - later.moved - postings.balance) < 0.11
                ) as is_loose
            from postings
        ),
        days as (
            select
                account_id, booked_on, sum(moved) as moved,
                coalesce(list(balance) filter (is_loose), list(balance)) as candidates
            from ends group by account_id, booked_on
        ),
        expected as (
            select
                *,
                coalesce(
                    last_value(case when len(candidates) = 1 then candidates[1] end ignore nulls) over (
                        partition by account_id order by booked_on
                        rows between unbounded preceding and 1 preceding
                    ), 0
                ) + moved as expected
            from days
        ),
        closings as (
            select
                account_id, booked_on,
                list_min(
                    [struct_pack(distance := abs(c - expected), balance := c) for c in candidates]
                ).balance as balance_amount
            from expected
        ),
        months as (
            select
                account_id,
                unnest(generate_series(
                    date_trunc('month', min(booked_on)), (select max(booked_on) from postings),
                    interval 1 month
                )) as some_day
            from postings group by account_id
        ),
        month_ends as (
            select account_id, last_day(some_day) as balance_on
            from months where last_day(some_day) <= (select max(booked_on) from postings)
        )
        select month_ends.account_id, month_ends.balance_on, closings.balance_amount, {CURRENCY}
        from month_ends
        asof join closings
            on month_ends.account_id = closings.account_id and month_ends.balance_on >= closings.booked_on
        order by month_ends.account_id, month_ends.balance_on""",
    "loans": f"""
        select
            loan_id, account_id, {_DATE.format("date")} as granted_on,
            amount::decimal(18, 2) as principal_amount, {CURRENCY}, duration::integer as term_months
        from loan order by rowid""",
    "cards": f"""
        select
            card.card_id, disp.account_id, card.type as card_type,
            {_DATE.format("card.issued")} as issued_on
        from card left join disp using (disp_id)
        order by card.rowid""",
}


def find_files(landing: Path) -> dict[str, Path]:
    """Table name to file. Raises IngestError naming every table that is missing or stands there twice."""
    found: dict[str, Path] = {}
    faults = []
    for table in TABLES:
        paths = [
            landing / f"{table}{suffix}"
            for suffix in (".asc", ".csv")
            if (landing / f"{table}{suffix}").is_file()
        ]
        if len(paths) == 1:
            found[table] = paths[0]
        elif paths:
            faults.append(f"{table}: both {paths[0].name} and {paths[1].name} are in {landing}: keep one")
        else:
            faults.append(
                f"{table}.asc is missing in {landing}: the berka source needs all eight files of the data set"
            )
    if faults:
        raise IngestError(faults)
    return found


def last_date(files: Mapping[str, Path]) -> date:
    """The last business date of the data, which is the earliest day on which they can have been delivered."""
    with duckdb.connect() as connection:
        _open_tables(connection, {table: files[table] for table in ("account", "loan", "card", "trans")})
        try:
            row = connection.execute(
                f"""
                select max(last_on) from (
                    select max({_DATE.format("date")}) as last_on from account
                    union all select max({_DATE.format("date")}) from loan
                    union all select max({_DATE.format("issued")}) from card
                    union all select max({_DATE.format("date")}) from trans
                )"""
            ).fetchone()
        except duckdb.Error as error:
            raise IngestError(
                f"a date of the berka files is not YYMMDD: {str(error).splitlines()[0]}"
            ) from None
    if not row or row[0] is None:
        raise IngestError("the berka files hold no dated row")
    return date.fromisoformat(str(row[0]))


def convert(files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """Write one Parquet file an entity into `folder` and return entity to file, with memory of at most 1 GB.

    Raises IngestError naming the file that cannot be read.
    """
    converted = {}
    with duckdb.connect(folder / "berka.duckdb") as connection:
        connection.execute(
            f"set memory_limit = '1GB'; set threads = 2; set temp_directory = '{folder / 'spill'}'"
        )
        _open_tables(connection, files)
        connection.execute(_VIEWS)
        for entity, sql in _ENTITIES.items():
            path = folder / f"{entity}.parquet"
            try:
                connection.execute(f"copy ({sql}) to '{path}' (format parquet)")
            except duckdb.Error as error:
                origin = files[ORIGINS[entity][0]].name
                raise IngestError(
                    f"{origin}: cannot be read as {entity}: {str(error).splitlines()[0]}"
                ) from None
            converted[entity] = path
    return converted


def _open_tables(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Path]) -> None:
    faults = []
    for table, path in files.items():
        layout = csv_layout(path, path.name)
        missing = [column for column in TABLES[table] if column not in layout.columns]
        if missing:
            faults.append(
                f"{path.name}: column {', '.join(missing)} is missing (found: {', '.join(layout.columns)}): "
                "use the file as published"
            )
            continue
        names = dict.fromkeys(layout.columns, "varchar")
        try:
            connection.execute(
                f"""create table "{table}" as select * from read_csv(
                    '{str(path).replace("'", "''")}', delim = '{layout.separator}', quote = '"',
                    header = true, auto_detect = false, columns = {names}
                )"""
            )
        except duckdb.Error as error:
            faults.append(f"{path.name}: cannot be read: {str(error).splitlines()[0]}")
    if faults:
        raise IngestError(faults)
