"""One demo bank: made from parameters, then written out month by month as deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator import arrival, exit_interviews, journal, market, overrides, relationship
from simulator.calendar import NEVER, is_month_end, months_between
from simulator.deliveries import NOT_CHANGED, Deliveries, last_of
from simulator.habits import make_habits
from simulator.hours import Clock
from simulator.ledger import Ledger
from simulator.loyalty import Loyalty
from simulator.means import draw_turnover
from simulator.parameters import Parameters
from simulator.people import Customers, make_customers
from simulator.plan import Plan, make_plan
from simulator.portfolio import (
    Accounts,
    Cards,
    Holders,
    Loans,
    choose_extras,
    grant_loans,
    intend_accounts,
    issue_cards,
    name_holders,
    open_accounts,
)

CHANGED_CUSTOMERS_A_DAY = 0.001


@dataclass
class Bank:
    """Everything decided before the first posting, the planted truth among it."""

    parameters: Parameters
    customers: Customers
    truth: Plan
    accounts: Accounts
    loans: Loans
    cards: Cards
    holders: Holders
    ledger: Ledger


def make_bank(parameters: Parameters) -> Bank:
    """Decide who the customers are, what they hold, how they live and who leaves."""
    customers = make_customers(parameters)
    turnover = draw_turnover(parameters, customers)
    extras = choose_extras(parameters, customers, turnover)
    intended = intend_accounts(parameters, customers, extras)
    truth = make_plan(parameters, customers, turnover, intended)
    accounts = open_accounts(parameters, truth, intended)
    loans = grant_loans(parameters, accounts)
    habits = make_habits(parameters, customers, truth, accounts, loans)
    return Bank(
        parameters=parameters,
        customers=customers,
        truth=truth,
        accounts=accounts,
        loans=loans,
        cards=issue_cards(parameters, customers, accounts),
        holders=name_holders(parameters, customers, truth, accounts),
        ledger=Ledger(parameters, customers, truth, accounts, loans, habits),
    )


def write_bank(bank: Bank, deliveries: Deliveries, on_month: Callable[[int], None]) -> None:
    """Write every entity; `on_month` hears each month's transactions."""
    _write_surroundings(bank, deliveries)
    _write_relationship(bank, deliveries)
    _write_books(bank, deliveries, on_month)
    # Last, for the attributes of some customers change from one delivery to the next.
    _write_versions(bank, deliveries)
    deliveries.close()


def _write_surroundings(bank: Bank, deliveries: Deliveries) -> None:
    parameters = bank.parameters
    deliveries.add_to(0, "branches", market.branches(parameters))
    deliveries.add_to(0, "products", market.products())
    deliveries.add("exchange_rates", *market.exchange_rates(parameters))
    deliveries.add("market_environment", *market.market_environment(parameters))


def _write_relationship(bank: Bank, deliveries: Deliveries) -> None:
    who = (bank.parameters, bank.customers, bank.truth)
    deliveries.add("risk_questionnaires", *relationship.risk_questionnaires(*who))
    deliveries.add("tier_overrides", *overrides.tier_overrides(*who))
    deliveries.add("satisfaction_surveys", *relationship.satisfaction_surveys(*who))
    deliveries.add("interactions", *relationship.interactions(*who))
    deliveries.add("campaigns", *relationship.campaigns(bank.parameters, bank.truth.contacts.starts))
    deliveries.add("campaign_contacts", *relationship.campaign_contacts(bank.parameters, bank.truth))
    deliveries.add("exit_interviews", *exit_interviews.exit_interviews(bank.parameters, bank.truth))


def _write_versions(bank: Bank, deliveries: Deliveries) -> None:
    customers, accounts, loans, cards = bank.customers, bank.accounts, bank.loans, bank.cards
    holders, closes = bank.holders, bank.truth.closes
    branch = customers.branch.copy()
    deliveries.add_versions(
        "accounts",
        accounts.opened,
        lambda after, day: np.maximum(last_of(accounts.closed, after, day), _rolled_on(accounts, after, day)),
        lambda rows, day, since: accounts.table(rows, branch, day, since),
    )
    deliveries.add_versions(
        "loans",
        accounts.opened[loans.account],
        lambda after, day: last_of(accounts.closed[loans.account], after, day),
        lambda rows, day, since: loans.table(accounts, rows, day, since),
    )
    deliveries.add_versions(
        "cards",
        cards.issued,
        lambda after, day: last_of(accounts.closed[cards.account], after, day),
        lambda rows, day, since: cards.table(accounts, rows, day, since),
    )
    deliveries.add_versions(
        "account_holders",
        holders.since,
        lambda after, day: last_of(holders.ended, after, day),
        holders.table,
    )
    deliveries.add_versions(
        "customers",
        customers.opened,
        lambda after, day: np.maximum(last_of(closes, after, day), _change_some(bank, after, day)),
        lambda rows, day, since: customers.table(rows, np.where(closes <= day, closes, NEVER)[rows], since),
    )


def _rolled_on(accounts: Accounts, after: int, until: int) -> np.ndarray:
    """The day in a span on which a deposit was rolled over, NOT_CHANGED for all others; shape (accounts,)."""
    matured = accounts.maturity(after)
    return np.where(accounts.maturity(until) != matured, matured, NOT_CHANGED)


def _change_some(bank: Bank, after: int, until: int) -> np.ndarray:
    """Let a few customers move, change their income or withdraw their consent on each day of a span.

    Returns the last day on which each changed, NOT_CHANGED for most; shape (customers,).
    """
    parameters, customers = bank.parameters, bank.customers
    # Newer customers do not change yet; who will leave later changes as everybody does.
    was_here = customers.opened <= parameters.history_day
    changed_on = np.full(len(customers), NOT_CHANGED)
    for day in range(after + 1, until + 1):
        rng = parameters.generator(f"changes {day - parameters.history_day}")
        # Each customer belongs to one day in a hundred, so that nobody changes in two daily deliveries.
        mine = np.arange(day % 100, len(customers), 100)
        mine = mine[was_here[mine] & (bank.truth.closes[mine] > day)]
        count = min(max(1, round(len(customers) * CHANGED_CUSTOMERS_A_DAY)), len(mine))
        changed = rng.choice(mine, count, replace=False)
        what = rng.integers(0, 3, len(changed))
        movers = changed[what == 0]
        customers.branch[movers] = (customers.branch[movers] + 1) % market.BRANCHES
        customers.city[movers] = np.array(market.branch_city())[customers.branch[movers]]
        customers.income_cents[changed[what == 1]] += 600_000
        customers.is_marketing_allowed[changed[what == 2]] ^= True
        changed_on[changed] = day
    return changed_on


def _write_books(bank: Bank, deliveries: Deliveries, on_month: Callable[[int], None]) -> None:
    parameters, ledger = bank.parameters, bank.ledger
    rng = parameters.generator("late rows")
    is_foreign = bank.accounts.is_foreign
    clock = Clock(parameters, bank.customers, bank.accounts)
    loyalty = Loyalty(parameters, bank.customers, bank.truth, bank.accounts)
    deliveries.add("loyalty_events", *loyalty.referrals())
    eve = parameters.first_day - 1
    opening = ledger.carry_forward(eve)
    rows = journal.transactions(opening, is_foreign, 1, opening.day, clock.hours(opening))
    deliveries.add("transactions", rows, opening.day)
    deliveries.add_to(0, "month_end_balances", ledger.month_end_balances(eve))
    number = 1 + len(opening)
    for first, last in months_between(parameters.end, parameters.months):
        month = ledger.post_month(first, last)
        known = arrival.known_days(rng, month.postings.day, parameters.last_day)
        hours = clock.hours(month.postings)
        rows = journal.transactions(month.postings, is_foreign, number, known, hours)
        deliveries.add("transactions", rows, known)
        deliveries.add("loan_payments", month.instalments, month.instalments_known)
        for events, days in loyalty.book(month.postings, last):
            deliveries.add("loyalty_events", events, days)
        if is_month_end(last):
            balances = ledger.month_end_balances(last)
            deliveries.add("month_end_balances", balances, np.full(len(balances), last))
        number += len(rows)
        on_month(len(rows))
