"""Do the reasons that a score is told with name what was planted to drive the customer?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The reasons under which a planted driver (simulator/hazard.py) can be told. Age is not among them: it is
# protected, the model does not see it, and nobody is told of it.
REASONS_OF_DRIVER = {
    "tenure": ("new_relationship",),
    "product_families": ("few_products",),
    "assets": ("low_assets",),
    "transactions": ("low_activity",),
    "activity": ("falling_activity", "low_activity"),
    "balance_trend": ("falling_balance", "money_leaving"),
    "complaints": ("complaint", "dissatisfied"),
    "rate_gap": ("rate_gap",),
}


@dataclass(frozen=True)
class DriverShare:
    """Customers whom `driver` drives most, and the shares of them whose first reason, or one of the first
    three, is a reason of the driver.
    """

    driver: str
    customers: int
    share_first: float | None
    share_first_three: float | None


def told_drivers(
    planted: Mapping[str, Floats], told: Sequence[Sequence[str | None]], is_counted: npt.NDArray[np.bool_]
) -> list[DriverShare]:
    """A line a driver, then one for `all`, of the customers that `is_counted`.

    `planted` is what each driver adds to the hazard, `told` each customer's reasons, largest first.
    What drives a customer is the driver that adds most beyond its mean over all customers.
    """
    names = list(REASONS_OF_DRIVER)
    beyond = np.column_stack([planted[name] - planted[name].mean() for name in names])
    driver = np.where(beyond.max(axis=1) > 0, beyond.argmax(axis=1), -1)
    first, first_three = (
        np.array(
            [
                place >= 0 and not set(REASONS_OF_DRIVER[names[place]]).isdisjoint(reasons[:count])
                for place, reasons in zip(driver, told, strict=True)
            ]
        )
        for count in (1, 3)
    )
    lines = [(name, is_counted & (driver == place)) for place, name in enumerate(names)]
    return [
        DriverShare(
            name,
            int(rows.sum()),
            float(first[rows].mean()) if rows.any() else None,
            float(first_three[rows].mean()) if rows.any() else None,
        )
        for name, rows in [*lines, ("all", is_counted & (driver >= 0))]
    ]


def driver_table(shares: Sequence[DriverShare]) -> str:
    """One line a driver, in Markdown."""

    def percent(share: float | None) -> str:
        return "none" if share is None else f"{share:.1%}"

    return "\n".join(
        [
            "| driven by | told as | customers | first reason | among the first three |",
            "|---|---|---|---|---|",
            *(
                f"| {one.driver} | {', '.join(REASONS_OF_DRIVER.get(one.driver, ('any of these',)))} "
                f"| {one.customers:,} | {percent(one.share_first)} | {percent(one.share_first_three)} |"
                for one in shares
            ),
        ]
    )
