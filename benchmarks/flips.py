"""How often customers change tier over the month-ends of a bank, with the rules of stability and without."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.banks import described_days, new_bank, simulate
from benchmarks.build import close
from benchmarks.layers import Layer, read_layers
from benchmarks.steps import Bank, Step, StepError, run_dag
from warehouse import Warehouse, open_warehouse

# Schemes whose raw tiers are published beside the effective ones.
SCHEMES = ("value_tier", "asset_tier", "pyramid_tier", "loyalty_class")
# Prefix of a scheme's column in fct_customer_tiers.
BASES = {"raw": "raw_", "effective": ""}


@dataclass(frozen=True)
class Flips:
    """One scheme by one basis (raw or effective), over customers with an open account at both of two ends.

    `monthly_share` is the share of them whose tier changed, a month. `flip_back_rate` is the share, of those
    who changed, who are back in the tier before a month later. `most_changes` is of one customer.
    """

    scheme: str
    basis: str
    pairs: int
    changes: int
    changes_followed: int
    changes_back: int
    most_changes: int

    @property
    def monthly_share(self) -> float:
        return self.changes / self.pairs

    @property
    def flip_back_rate(self) -> float:
        return self.changes_back / self.changes_followed if self.changes_followed else 0.0


@dataclass(frozen=True)
class Measured:
    """What the benchmark found: flips, and what the pass over all month-ends took."""

    scale: float
    seed: int
    month_ends: int
    customers: int
    flips: list[Flips]
    steps: list[Step]
    layers: list[Layer]

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        rates = [
            {**asdict(one), "monthly_share": one.monthly_share, "flip_back_rate": one.flip_back_rate}
            for one in self.flips
        ]
        return {**asdict(self), "flips": rates, "seconds": self.seconds}


def measure(folder: Path, *, scale: float, months: int, seed: int, keep: bool) -> Measured:
    """Simulate, build all month-ends in one pass of `customer_bootstrap`, and count. Raises StepError."""
    landing = simulate(folder, scale=scale, months=months, seed=seed)
    bank = new_bank(folder / f"flips-{scale:g}-{months}", "duckdb", landing)
    layers: list[Layer] = []

    def watch(step: Step) -> None:
        if step.name == "facts_and_snapshot":
            layers.extend(read_layers(bank))

    try:
        steps = run_dag("customer_bootstrap", bank, described_days(landing)[-1], watch)
        return _measured(bank, scale, seed, steps, layers)
    finally:
        close(bank, keep=keep)


def _measured(bank: Bank, scale: float, seed: int, steps: list[Step], layers: list[Layer]) -> Measured:
    with open_warehouse(bank.settings, read_only=True) as warehouse:
        size = warehouse.query(
            "select count(distinct as_of_date) as month_ends, count(distinct customer_id) as customers"
            " from history.fct_customer_tiers"
        ).to_pylist()[0]
        if size["month_ends"] < 3:
            raise StepError(f"{size['month_ends']} month-ends are too few to change and to change back")
        return Measured(scale=scale, seed=seed, **size, flips=flips(warehouse), steps=steps, layers=layers)


def flips(warehouse: Warehouse) -> list[Flips]:
    """Changes between standing snapshots that follow each other, of each scheme and basis."""
    columns = [(scheme, basis, prefix + scheme) for scheme in SCHEMES for basis, prefix in BASES.items()]
    before = ", ".join(
        f"lag({column}) over of_customer as {column}_1, lag({column}, 2) over of_customer as {column}_2"
        for _, _, column in columns
    )
    counts = ", ".join(
        f"""
        count(*) filter (where is_pair and {column} <> {column}_1) as changes_{column},
        count(*) filter (where is_triple and {column}_1 <> {column}_2) as followed_{column},
        count(*) filter (where is_triple and {column}_1 <> {column}_2 and {column} = {column}_2)
            as back_{column}
        """
        for _, _, column in columns
    )
    totals = ", ".join(
        f"""
        cast(sum(changes_{column}) as bigint) as changes_{column},
        cast(sum(followed_{column}) as bigint) as followed_{column},
        cast(sum(back_{column}) as bigint) as back_{column},
        max(changes_{column}) as most_{column}
        """
        for _, _, column in columns
    )
    found = warehouse.query(f"""
        with snapshots as (
            select as_of_date, row_number() over (order by as_of_date) as snapshot_no
            from (select distinct as_of_date from history.fct_customer_tiers) as dates
        ),

        shown as (
            select
                tiers.*,
                snapshots.snapshot_no,
                lag(snapshots.snapshot_no) over of_customer = snapshots.snapshot_no - 1 as is_pair,
                lag(snapshots.snapshot_no, 2) over of_customer = snapshots.snapshot_no - 2 as is_triple,
                {before}
            from history.fct_customer_tiers as tiers
            inner join snapshots on tiers.as_of_date = snapshots.as_of_date
            where tiers.is_open
            window of_customer as (partition by tiers.customer_id order by tiers.as_of_date)
        ),

        by_customer as (
            select customer_id, count(*) filter (where is_pair) as pairs, {counts}
            from shown
            group by customer_id
        )

        select cast(sum(pairs) as bigint) as pairs, {totals} from by_customer
    """).to_pylist()[0]
    return [
        Flips(
            scheme=scheme,
            basis=basis,
            pairs=found["pairs"],
            changes=found[f"changes_{column}"],
            changes_followed=found[f"followed_{column}"],
            changes_back=found[f"back_{column}"],
            most_changes=found[f"most_{column}"],
        )
        for scheme, basis, column in columns
    ]
