"""What must be true of raw data before facts are built on it.

The contract of every row is ingest's and has been kept already; this gate looks at what only shows over many
rows or between deliveries. Rows are read only from batches that no publication has covered yet, so a daily
run never pays for the history.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

import great_expectations.expectations as gxe

from expectations.asset import WARN, Asset, Rule, between, every_row, in_set, named, not_null
from expectations.keys import repeated_keys
from warehouse import Warehouse, WarehouseError
from warehouse.runs import Run

REQUIRED = ("customers", "accounts", "account_holders", "products", "transactions")

# Ten billion: above any single posting or balance of a retail customer in CNY or CZK, far below what
# numeric(18,2) holds, so that an amount in the wrong unit is seen.
AMOUNT_BOUND = 10_000_000_000
EARLIEST, LATEST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)

# The newest delivery of transactions against the mean of those before it: weekends and month-ends move it by
# a factor of two or three, a file cut off or a week sent as a day by more.
VOLUME_BAND = (0.2, 5.0)
VOLUME_DELIVERIES = (5, 28)  # from how many deliveries on a mean means something, and how many it takes in

# The longest run of days without a posting, over the spring holidays of either country.
MAX_AGE_DAYS = 10


@dataclass(frozen=True)
class Event:
    """An entity of dated facts: its key, its business date and the bounds (inclusive) of its numbers."""

    key: tuple[str, ...]
    happened_on: str
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    has_currency: bool = False


EVENTS = {
    "transactions": Event(
        key=("transaction_id",),
        happened_on="booked_on",
        bounds={"amount": (0, AMOUNT_BOUND)},
        has_currency=True,
    ),
    "month_end_balances": Event(
        key=("account_id", "balance_on"),
        happened_on="balance_on",
        bounds={"balance_amount": (-AMOUNT_BOUND, AMOUNT_BOUND)},
        has_currency=True,
    ),
    "risk_questionnaires": Event(key=("questionnaire_id",), happened_on="answered_on"),
    "satisfaction_surveys": Event(key=("survey_id",), happened_on="answered_on", bounds={"score": (1, 5)}),
    "exchange_rates": Event(
        key=("currency_code", "rate_on"), happened_on="rate_on", bounds={"rate_to_reporting": (1e-6, 1e6)}
    ),
    "market_environment": Event(key=("market_on",), happened_on="market_on"),
}


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The arrival suite for this run: entities, new events, deliveries."""
    source = wh.query(
        "select reporting_currency_code, landing_lag_days, max_rejected_share from ops.sources"
    ).to_pylist()
    if not source:
        raise WarehouseError(
            "ops.sources is empty: nothing was ever loaded; run `python -m ingest load` first"
        )
    covered = covered_batch_no(wh, run)
    currencies = known_currencies(wh, source[0]["reporting_currency_code"])
    present = [entity for entity in EVENTS if wh.exists(f"raw.{entity}")]
    return [
        required_entities(wh),
        *deliveries(run, covered, max_rejected_share=float(source[0]["max_rejected_share"])),
        *(
            new_events(entity, EVENTS[entity], covered, currencies, source[0]["landing_lag_days"])
            for entity in present
        ),
        *(new_keys(wh, entity, EVENTS[entity], covered) for entity in present),
    ]


def covered_batch_no(wh: Warehouse, run: Run) -> int:
    """The newest batch that was loaded when the run of a standing publication began, 0 for none.

    The run's own earlier attempt does not count: a gate that is run again looks at the same batches.
    """
    rows = wh.query(
        """
        select coalesce(max(newest_batch_no), 0) as batch_no
        from ops.covering_runs
        where run_id <> $1
        """,
        [run.run_id],
    )
    return int(rows["batch_no"][0].as_py())


def known_currencies(wh: Warehouse, reporting_currency: str) -> list[str]:
    """The reporting currency and every currency that has an exchange rate, sorted."""
    codes = {reporting_currency}
    if wh.exists("raw.exchange_rates"):
        rated = wh.query(
            "select distinct currency_code from raw.exchange_rates where currency_code is not null"
        )
        codes |= set(rated["currency_code"].to_pylist())
    return sorted(codes)


def required_entities(wh: Warehouse) -> Asset:
    """For each required entity the word present, or that it is empty; rows of any batch count."""

    def presence(entity: str) -> str:
        if not wh.exists(f"raw.{entity}"):
            return f"'{entity} is empty'"
        return f"case when exists (select 1 from raw.{entity}) then 'present' else '{entity} is empty' end"

    return Asset(
        relation="raw",
        query="\nunion all\n".join(f"select {presence(entity)} as presence" for entity in REQUIRED),
        expectations=(
            gxe.ExpectColumnValuesToBeInSet(
                column="presence", value_set=["present"], meta=named("every_required_entity_has_rows")
            ),
        ),
        reads=(),
    )


def deliveries(run: Run, covered: int, *, max_rejected_share: float) -> list[Asset]:
    """The new batches as ingest counted them, and how fresh and how large they are."""
    rejected = Asset(
        relation="ops.batches",
        query=f"""
        select
            batch_id,
            status,
            -- A refused delivery has nothing in raw: it is told, and its mended successor can pass.
            case
                when status = 'loaded'
                    then rows_read - rows_loaded - rows_rejected - rows_duplicate - coalesce(rows_erased, 0)
                else 0
            end as count_rows_unaccounted,
            case
                when status = 'loaded' then cast(rows_rejected as double precision) / nullif(rows_read, 0)
            end as rejected_share
        from ops.batches
        where batch_no > {covered}
        """,
        expectations=(
            gxe.ExpectColumnValuesToBeBetween(
                column="rejected_share",
                max_value=max_rejected_share,
                meta=named("rejected_rows_are_within_policy"),
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="rejected_share",
                max_value=max_rejected_share / 2,
                severity=WARN,
                meta=named("rejected_rows_are_below_half_of_policy"),
            ),
            gxe.ExpectColumnValuesToBeInSet(
                column="count_rows_unaccounted",
                value_set=[0],
                meta=named("every_row_read_is_loaded_rejected_duplicate_or_erased"),
            ),
            gxe.ExpectColumnValuesToBeInSet(
                column="status", value_set=["loaded"], severity=WARN, meta=named("no_delivery_was_refused")
            ),
        ),
        reads=("ops.batches",),
    )
    minimum, window = VOLUME_DELIVERIES
    volume = Asset(
        relation="ops.batch_files",
        query=f"""
        with delivered as (
            select
                batches.batch_no,
                coalesce(sum(case when files.entity = 'transactions' then files.rows_loaded end), 0)
                    as count_rows,
                row_number() over (order by batches.batch_no desc) as recency
            from ops.batches as batches
            left join ops.batch_files as files on batches.batch_id = files.batch_id
            where batches.status = 'loaded' and not batches.is_history
            group by batches.batch_no
        )

        select
            max(case when recency = 1 and batch_no > {covered} then cast(count_rows as double precision) end)
            / nullif(avg(case when recency between 2 and {window + 1} then count_rows end), 0) as volume_ratio
        from delivered
        having count(*) > {minimum}
        """,
        expectations=(
            gxe.ExpectColumnValuesToBeBetween(
                column="volume_ratio",
                min_value=VOLUME_BAND[0],
                max_value=VOLUME_BAND[1],
                severity=WARN,
                meta=named("newest_delivery_of_transactions_is_as_large_as_usual"),
            ),
        ),
        reads=("ops.batches", "ops.batch_files"),
    )
    as_of = f"date '{run.as_of_date}'"
    freshness = Asset(
        relation="raw.transactions",
        query=f"""
        select
            (select {as_of} - max(delivered_on) from ops.batches where status = 'loaded')
                as days_since_delivery,
            (
                select {as_of} - max(booked_on)
                from raw.transactions
                where batch_no > {covered} and booked_on <= {as_of}
            ) as days_since_booking
        """,
        expectations=tuple(
            gxe.ExpectColumnValuesToBeBetween(
                column=column, max_value=MAX_AGE_DAYS, severity=WARN, meta=named(name)
            )
            for column, name in (
                ("days_since_delivery", "newest_delivery_is_recent"),
                ("days_since_booking", "newest_booking_is_recent"),
            )
        ),
        reads=("ops.batches", "raw.transactions"),
    )
    return [rejected, volume, freshness]


def new_events(entity: str, event: Event, covered: int, currencies: list[str], lag_days: int) -> Asset:
    """The new rows of one event entity, one by one.

    History may run past the as-of date (it is the bank's whole past, delivered once), so only later
    deliveries are held to their delivery date.
    """
    columns = dict.fromkeys((*event.key, event.happened_on, *event.bounds))
    if event.has_currency:
        columns["currency_code"] = None
    rules = [
        *(not_null(column, f"{entity}_have_{column}") for column in columns),
        between(
            event.happened_on,
            f"{entity}_have_a_plausible_{event.happened_on}",
            low=f"date '{EARLIEST}'",
            high=f"date '{LATEST}'",
        ),
        Rule(f"{entity}_happened_before_they_were_delivered", f"{event.happened_on} > latest_on"),
        *(
            between(column, f"{entity}_have_{column}_within_bounds", low=low, high=high)
            for column, (low, high) in event.bounds.items()
        ),
    ]
    if event.has_currency:
        rules.append(in_set("currency_code", f"{entity}_are_in_known_currencies", currencies))
    return every_row(
        relation=f"raw.{entity}",
        columns=f"""
            {", ".join(f"arrived.{column}" for column in columns)},
            case when not batches.is_history then batches.delivered_on + {lag_days} end as latest_on
        """,
        source=f"""
            raw.{entity} as arrived
            inner join ops.batches as batches on arrived.batch_no = batches.batch_no
            where arrived.batch_no > {covered}
        """,
        rules=rules,
        reads=("ops.batches", f"raw.{entity}"),
    )


def new_keys(wh: Warehouse, entity: str, event: Event, covered: int) -> Asset:
    """No key came more than once among the new rows."""
    return Asset(
        relation=f"raw.{entity}",
        query=repeated_keys(wh, f"raw.{entity}", event.key, covered),
        expectations=(
            gxe.ExpectColumnValuesToBeInSet(
                column="count_repeated_keys", value_set=[0], meta=named(f"{entity}_have_unique_keys")
            ),
        ),
        reads=(f"raw.{entity}",),
    )
