"""Campaigns to keep customers: who is invited, who is held out at random, and what a contact does to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import engagement
from simulator.calendar import Days, add_months
from simulator.holdings import Intended
from simulator.parameters import Parameters
from simulator.people import Customers

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

MONTHS_BETWEEN = 3
CONTACTED_SHARE = 0.12
TREATED_SHARE = 0.7
# All contacts of a campaign fall into the calendar month in which it begins, on its fifth.
CONTACT_DAYS = 21

RESPONSE_TYPES = ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
PERSUADABLE, SURE_THING, LOST_CAUSE, SLEEPING_DOG = 0, 1, 2, 3
# By what a contact multiplies the monthly chance of leaving by choice in the EFFECT_MONTHS after its month.
MULTIPLIERS = np.array([0.3, 1.0, 1.0, 2.0])
EFFECT_MONTHS = 3


@dataclass
class Contacts:
    """Invitations, arrays of shape (contacts,) in order of campaign and customer.

    Drawn for everybody with consent, leavers included: who has closed all accounts by the day is then not
    contacted. `month` is the number of the month of contact, 0 being that of the first day. `response_type`
    is by customer, shape (customers,).
    """

    starts: Days
    campaign: Array
    customer: Array
    day: Days
    month: Array
    is_control: npt.NDArray[np.bool_]
    response_type: npt.NDArray[np.int8]

    def log_effect(self, month: int, known_by: int) -> Floats:
        """What contacts add to the log hazard of a month, of those made by the end of the month `known_by`.

        Shape (customers,). Campaigns are EFFECT_MONTHS apart, so that at most one acts in a month.
        """
        effect = np.zeros(len(self.response_type), dtype=np.float32)
        since = month - self.month
        acts = (since >= 1) & (since <= EFFECT_MONTHS) & (self.month <= known_by) & ~self.is_control
        treated = self.customer[acts]
        effect[treated] = np.log(MULTIPLIERS)[self.response_type[treated]]
        return effect


def campaign_starts(parameters: Parameters) -> Days:
    """The first days of all campaigns, one a quarter from the second month; shape (campaigns,)."""
    quarters = np.arange((parameters.months + 2) // MONTHS_BETWEEN)
    first = np.full(len(quarters), parameters.first_day)
    starts = add_months(first, 1 + MONTHS_BETWEEN * quarters) + 4
    return starts[starts <= parameters.last_day]


def make_contacts(parameters: Parameters, customers: Customers, intended: Intended) -> Contacts:
    """Invite, hold out and decide how each customer responds, by traits that the files show."""
    rng = parameters.generator("contacts")
    starts = campaign_starts(parameters)
    campaign, customer = [], []
    for number, start in enumerate(starts):
        invited = rng.random(len(customers), dtype=np.float32) < CONTACTED_SHARE
        invited &= customers.is_marketing_allowed & (customers.opened < start)
        customer.append(np.flatnonzero(invited))
        campaign.append(np.full(len(customer[-1]), number))
    campaigns = np.concatenate([np.zeros(0, dtype=np.int64), *campaign])
    contacted = np.concatenate([np.zeros(0, dtype=np.int64), *customer])
    size = len(contacted)
    return Contacts(
        starts=starts,
        campaign=campaigns,
        customer=contacted,
        day=starts[campaigns] + rng.integers(0, CONTACT_DAYS, size),
        month=1 + MONTHS_BETWEEN * campaigns,
        is_control=rng.random(size) >= TREATED_SHARE,
        response_type=_draw_response_types(parameters, customers, intended),
    )


def _draw_response_types(
    parameters: Parameters, customers: Customers, intended: Intended
) -> npt.NDArray[np.int8]:
    """A multinomial logit on digital habits, rate-sensitive holdings, newness, second family and age."""
    rng = parameters.generator("response types")
    size, eve = len(customers), parameters.first_day - 1
    is_new = engagement.newness(customers.opened, parameters.first_day)
    rate_sensitive = intended.holds_rate_sensitive(size, parameters.last_day).astype(np.float32)
    loyal = intended.holds_second_family(size, parameters.last_day).astype(np.float32)
    is_old = (customers.age(eve) >= 60).astype(np.float32)
    score = np.stack(
        [
            0.1 + 1.2 * rate_sensitive + 0.9 * customers.digital,
            0.3 + 0.8 * loyal + 0.7 * is_old,
            -0.6 + 1.6 * is_new,
            -1.0 + 1.2 * is_old + 0.8 * (1 - customers.digital),
        ]
    )
    # The greatest of scores with Gumbel noise follows the multinomial logit.
    return (score + rng.gumbel(size=score.shape)).argmax(axis=0).astype(np.int8)
