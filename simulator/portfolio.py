"""What the customers hold: accounts with their holders, loans and cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns, leaving, market
from simulator.calendar import NEVER, Days, add_months
from simulator.holdings import Intended
from simulator.parameters import Parameters
from simulator.people import SEGMENTS as SEGMENT_NAMES
from simulator.people import Customers, customer_ids
from simulator.plan import Plan
from simulator.segments import SEGMENTS

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# What customers may hold beside the current account that everybody has.
EXTRAS = (
    "savings", "term_deposit", "housing_loan", "consumer_loan", "card", "wealth", "insurance",
    "dollar_savings",
)  # fmt: skip
# The share of a segment that holds each of EXTRAS before the rules below. Together they leave about 27 % of
# customers with two product families or more, a little short of the plan's target of 30 %.
HELD_BY_SEGMENT = {
    "young_digital": (0.09, 0.010, 0.010, 0.035, 0.060, 0.010, 0.005, 0.005),
    "family_builders": (0.10, 0.030, 0.070, 0.030, 0.060, 0.020, 0.020, 0.005),
    "affluent_investors": (0.18, 0.130, 0.050, 0.010, 0.100, 0.140, 0.050, 0.050),
    "traditional_seniors": (0.14, 0.100, 0.005, 0.010, 0.015, 0.025, 0.015, 0.003),
    "entrepreneurs": (0.11, 0.030, 0.050, 0.060, 0.080, 0.030, 0.030, 0.020),
    "shops": (0.12, 0.050, 0.0, 0.100, 0.060, 0.0, 0.040, 0.010),
    "services": (0.14, 0.060, 0.0, 0.100, 0.080, 0.0, 0.050, 0.040),
}
MOST_LIKELY_HELD = 0.6
# The families that customers move to whoever pays more for them.
RATE_SENSITIVE = ("savings", "term_deposit", "wealth")


@dataclass(frozen=True)
class Rule:
    """A planted association: of the personal customers who ever hold the one, so many ever hold the other.

    Antecedent and consequent are among EXTRAS; `confidence` is P(consequent | antecedent), whatever else is
    known of the customer. It holds for who stays to the end of the data: who leaves earlier may not have
    opened yet what was meant to be opened.
    """

    antecedent: str
    consequent: str
    confidence: float


# Applied in this order: a consequent may be the antecedent of a later rule, never of an earlier one, and no
# product is the consequent of two, so that each confidence is that of the files.
RULES = (
    Rule("dollar_savings", "wealth", 0.35),
    Rule("housing_loan", "insurance", 0.40),
    Rule("wealth", "term_deposit", 0.45),
    Rule("card", "consumer_loan", 0.20),
)

# At a maturity some do not renew and have the deposit paid into their current account, the more the better
# competitors pay: a share, and what a percentage point of the rate gap adds to it.
NOT_RENEWED, NOT_RENEWED_FOR_A_POINT = 0.33, 0.25
# Above this appetite for risk (0 to 4) a customer is sold the growth portfolio, below it the steady fund.
GROWTH_APPETITE = 2.5
SOLD_AS_ASKED = 0.92
HOLDER_ROLES = ("owner", "joint", "authorised_user")
OWNER, JOINT, AUTHORISED_USER = 0, 1, 2
OTHER_HOLDERS_SHARE = 0.03
CARD_TYPES = ("debit", "credit_classic", "credit_gold")
POOR_PAYERS = 0.05
AFFLUENT = SEGMENT_NAMES.index("affluent_investors")


@dataclass
class Accounts:
    """All accounts; arrays of shape (accounts,) in the order of their owners.

    `principal_cents` is what an account is opened with: the deposit, the loan (negative), else zero; in
    cents of its currency. `term` is in months, 0 without one; a deposit rolls over at each maturity until it
    is closed.
    """

    owner: Array
    product: Array
    opened: Days
    closed: Days
    reason: Array
    term: Array
    principal_cents: Array

    def __len__(self) -> int:
        return len(self.owner)

    def of_family(self, family: str) -> npt.NDArray[np.bool_]:
        """Which accounts belong to a product family; shape (accounts,)."""
        return np.array([product.family == family for product in market.SHELF])[self.product]

    @property
    def is_foreign(self) -> npt.NDArray[np.bool_]:
        """Which accounts are kept in the foreign currency; shape (accounts,)."""
        return np.array([product.currency != market.REPORTING_CURRENCY for product in market.SHELF])[
            self.product
        ]

    @property
    def yearly_rate(self) -> Floats:
        """Interest a year by product, where it is fixed; shape (accounts,)."""
        return np.array([product.yearly_rate for product in market.SHELF])[self.product]

    @property
    def pays_own_rate(self) -> npt.NDArray[np.bool_]:
        """Which accounts earn the bank's deposit rate of the month; shape (accounts,)."""
        return np.array([product.pays_own_rate for product in market.SHELF])[self.product]

    def first_of(self, customers: int, chosen: npt.NDArray[np.bool_]) -> Array:
        """The number of each customer's one account among the `chosen`, -1 when none; shape (customers,)."""
        numbers = np.full(customers, -1)
        numbers[self.owner[chosen]] = np.flatnonzero(chosen)
        return numbers

    def maturity(self, day: int) -> Days:
        """The maturity that the bank's system shows on a day; NEVER without one; shape (accounts,)."""
        dated = np.flatnonzero(self.term > 0)
        opened, term, closed = self.opened[dated], self.term[dated], self.closed[dated]
        rolls = np.zeros(len(dated), dtype=np.int64)
        matures = add_months(opened, term)
        while (due := (matures <= day) & (matures < closed)).any():
            rolls += due
            matures = add_months(opened, term * (rolls + 1))
        shown = np.full(len(self), NEVER)
        shown[dated] = matures
        return shown

    def table(self, rows: Array, branch: Array, known_on: int, valid_from: Days) -> pa.Table:
        """Rows of the `accounts` file as the bank's system showed them on the day `known_on`."""
        closed = np.where(self.closed <= known_on, self.closed, NEVER)[rows]
        return pa.table(
            {
                "account_id": account_ids(rows),
                "product_id": columns.labels(
                    [product.product_id for product in market.SHELF], self.product[rows]
                ),
                "branch_id": columns.identifiers("B", branch[self.owner[rows]] + 1, 3),
                "currency_code": currencies(self.is_foreign[rows]),
                "opened_on": columns.dates(self.opened[rows]),
                "closed_on": columns.dates(closed),
                "closure_reason": columns.labels(
                    leaving.REASONS, np.where(closed < NEVER, self.reason[rows], -1)
                ),
                "maturity_on": columns.dates(self.maturity(known_on)[rows]),
                "valid_from": columns.dates(valid_from),
            }
        )


@dataclass
class Loans:
    """Loans by account; arrays of shape (loans,); `payment_cents` is the monthly instalment."""

    account: Array
    granted_cents: Array
    yearly_rate: Floats
    payment_cents: Array
    due_day: Array
    is_poor_payer: npt.NDArray[np.bool_]

    def table(self, accounts: Accounts, rows: Array, known_on: int, valid_from: Days) -> pa.Table:
        """Rows of the `loans` file as known on a day."""
        account = self.account[rows]
        return pa.table(
            {
                "loan_id": loan_ids(rows),
                "account_id": account_ids(account),
                "granted_on": columns.dates(accounts.opened[account]),
                "principal_amount": columns.money(self.granted_cents[rows]),
                "currency_code": pa.repeat(market.REPORTING_CURRENCY, len(rows)),
                "term_months": columns.integers(accounts.term[account]),
                "interest_rate": columns.rates(self.yearly_rate[rows]),
                "closed_on": columns.dates(
                    np.where(accounts.closed <= known_on, accounts.closed, NEVER)[account]
                ),
                "valid_from": columns.dates(valid_from),
            }
        )


@dataclass
class Cards:
    """Plastic cards by account; arrays of shape (cards,)."""

    account: Array
    kind: Array
    issued: Days

    def table(self, accounts: Accounts, rows: Array, known_on: int, valid_from: Days) -> pa.Table:
        """Rows of the `cards` file as known on a day."""
        account = self.account[rows]
        return pa.table(
            {
                "card_id": columns.identifiers("K", rows + 1, 7),
                "account_id": account_ids(account),
                "card_type": columns.labels(CARD_TYPES, self.kind[rows]),
                "issued_on": columns.dates(self.issued[rows]),
                "closed_on": columns.dates(
                    np.where(accounts.closed <= known_on, accounts.closed, NEVER)[account]
                ),
                "valid_from": columns.dates(valid_from),
            }
        )


@dataclass
class Holders:
    """Who holds which account in which role, since when; arrays of shape (holders,).

    `ended` is the day on which somebody who is no owner gives up the role, NEVER for most: who closes every
    account of his own holds nobody else's from that day on.
    """

    account: Array
    customer: Array
    role: Array
    since: Days
    ended: Days

    def table(self, rows: Array, known_on: int, valid_from: Days) -> pa.Table:
        """Rows of the `account_holders` file as known on a day."""
        ended = np.where(self.ended <= known_on, self.ended, NEVER)[rows]
        return pa.table(
            {
                "account_id": account_ids(self.account[rows]),
                "customer_id": customer_ids(self.customer[rows]),
                "holder_role": columns.labels(HOLDER_ROLES, self.role[rows]),
                "valid_from": columns.dates(valid_from),
                "valid_to": columns.dates(ended),
            }
        )


def account_ids(numbers: Array) -> pa.Array:
    """The bank's account ids of account numbers; shape (n,)."""
    return columns.identifiers("A", numbers + 1, 8)


def loan_ids(numbers: Array) -> pa.Array:
    """The bank's loan ids of loan numbers; shape (n,)."""
    return columns.identifiers("L", numbers + 1, 7)


def currencies(is_foreign: npt.NDArray[np.bool_]) -> pa.Array:
    """Currency code of each row; shape (n,)."""
    return columns.labels(market.CURRENCIES, is_foreign.astype(np.int64))


def holding_shares(parameters: Parameters, customers: Customers, turnover: Floats) -> Floats:
    """The chance of each customer to hold each of EXTRAS before the rules; shape (customers, len(EXTRAS)).

    Within a segment those with a higher turnover and a longer tenure hold more.
    """
    shares = np.array([HELD_BY_SEGMENT[segment.name] for segment in SEGMENTS])
    medians = np.array([segment.turnover[0] for segment in SEGMENTS])
    wealth = np.clip(np.log(turnover / medians[customers.segment]), -1.5, 1.5)
    tenure = np.minimum(parameters.last_day - customers.opened, 3650) / 3650
    liking = np.exp(0.45 * wealth + 0.8 * tenure)
    members = np.bincount(customers.segment, minlength=len(SEGMENTS))
    mean = np.bincount(customers.segment, liking, minlength=len(SEGMENTS)) / np.maximum(members, 1)
    liking /= mean[customers.segment]
    return np.minimum(liking[:, None] * shares[customers.segment], MOST_LIKELY_HELD)


def choose_extras(parameters: Parameters, customers: Customers, turnover: Floats) -> npt.NDArray[np.bool_]:
    """Which of EXTRAS a customer ever holds; shape (customers, len(EXTRAS)).

    Holdings are independent given the chances of `holding_shares`, but for the planted RULES.
    """
    rng = parameters.generator("extras")
    held = rng.random((len(customers), len(EXTRAS))) < holding_shares(parameters, customers, turnover)
    for rule in RULES:
        holders = np.flatnonzero(held[:, EXTRAS.index(rule.antecedent)] & ~customers.is_business)
        held[holders, EXTRAS.index(rule.consequent)] = rng.random(len(holders)) < rule.confidence
    return held


def intend_accounts(parameters: Parameters, customers: Customers, extras: Array) -> Intended:
    """Which accounts customers open, and when, if nobody leaves; `extras` as from `choose_extras`."""
    rng = parameters.generator("accounts")
    first, last = parameters.first_day, parameters.last_day
    kinds = ("current", *EXTRAS)
    held = np.column_stack([np.ones(len(customers), dtype=bool), extras])
    owner, kind = np.nonzero(held)
    size = len(owner)
    product = np.array([market.shelf_index(_usual_product(name)) for name in kinds])[kind]
    draw = rng.random(size)
    product = np.where(
        _is(kind, "term_deposit"), market.shelf_index("P05") + columns.draw(rng, (3, 5, 2), size), product
    )
    asks_growth = (customers.appetite[owner] >= GROWTH_APPETITE) == (draw < SOLD_AS_ASKED)
    product = np.where(_is(kind, "wealth") & asks_growth, market.shelf_index("P12"), product)
    of_business = customers.is_business[owner]
    product = np.where((kind == 0) & of_business, market.shelf_index("P02"), product)
    product = np.where(_is(kind, "consumer_loan") & of_business, market.shelf_index("P14"), product)
    term = np.maximum(np.array([entry.term_months for entry in market.SHELF])[product], 0)

    earliest = customers.opened[owner]
    is_loan = _is(kind, "housing_loan") | _is(kind, "consumer_loan")
    still_running = first - (term * 30 * 0.8).astype(np.int64)
    earliest = np.where(is_loan, np.maximum(earliest, still_running), earliest)
    opened = np.where(kind == 0, earliest, earliest + (rng.random(size) * (last - earliest)).astype(np.int64))

    is_deposit = _is(kind, "term_deposit")
    terms = np.ones(size, dtype=np.int64)
    terms[is_deposit] = _terms_kept(rng, parameters, opened[is_deposit], term[is_deposit])
    family = np.array([product.family for product in market.SHELF])[product]
    return Intended(
        owner=owner,
        kind=kind,
        product=product,
        term=np.where(is_deposit | is_loan, term, 0),
        opened=opened,
        matured=np.where(is_deposit | is_loan, add_months(opened, term * terms), NEVER),
        is_rate_sensitive=np.isin(family, RATE_SENSITIVE),
    )


def open_accounts(parameters: Parameters, truth: Plan, intended: Intended) -> Accounts:
    """Open, roll over and close every account that the bank ever has until the last day."""
    rng = parameters.generator("account endings")
    last = parameters.last_day
    # Who leaves opens nothing more from that day on.
    opens = np.flatnonzero((intended.kind == 0) | (intended.opened < truth.left[intended.owner]))
    owner, kind, opened = intended.owner[opens], intended.kind[opens], intended.opened[opens]
    term, matured = intended.term[opens], intended.matured[opens]
    size = len(owner)
    is_deposit = _is(kind, "term_deposit")
    is_loan = _is(kind, "housing_loan") | _is(kind, "consumer_loan")
    # Who drains keeps the current and savings accounts open and gives up everything else within three weeks.
    is_liquid = (kind == 0) | _is(kind, "savings")
    given_up = np.where(truth.form == leaving.DRAIN, truth.left, NEVER)[owner] + rng.integers(0, 21, size)
    ended = np.minimum(truth.closes[owner], np.where(is_liquid, NEVER, given_up))
    closed = np.minimum(matured, ended)
    closed = np.where(closed <= last, closed, NEVER)
    reason = np.where(matured <= ended, leaving.MATURED, truth.reason[owner])

    liquid = truth.balance[owner]
    amount = np.select(
        [is_deposit, _is(kind, "wealth"), _is(kind, "dollar_savings"), is_loan],
        [
            liquid * rng.uniform(0.4, 1.2, size),
            liquid * rng.uniform(0.4, 1.6, size),
            liquid * rng.uniform(0.2, 0.6, size) / 7.15,
            # The instalment stays below a fifth of a usual month.
            -np.minimum(truth.turnover[owner] / 12 * 0.2 * term * 0.7, 2_000_000),
        ],
        0.0,
    )
    return Accounts(
        owner=owner,
        product=intended.product[opens],
        opened=opened,
        closed=closed,
        reason=reason,
        term=term,
        principal_cents=np.rint(amount / 100).astype(np.int64) * 10_000,
    )


def grant_loans(parameters: Parameters, accounts: Accounts) -> Loans:
    """Annuity loans on the loan accounts."""
    rng = parameters.generator("loans")
    account = np.flatnonzero(accounts.of_family("loan"))
    size = len(account)
    yearly = accounts.yearly_rate[account] + np.round(rng.uniform(-0.004, 0.006, size), 4)
    monthly = yearly / 12
    granted = -accounts.principal_cents[account]
    payment = granted * monthly / (1 - (1 + monthly) ** -accounts.term[account].astype(float))
    return Loans(
        account=account,
        granted_cents=granted,
        yearly_rate=yearly,
        payment_cents=np.rint(payment).astype(np.int64),
        due_day=rng.integers(5, 21, size),
        is_poor_payer=rng.random(size) < POOR_PAYERS,
    )


def issue_cards(parameters: Parameters, customers: Customers, accounts: Accounts) -> Cards:
    """Credit cards on card accounts and debit cards on two thirds of the current accounts."""
    rng = parameters.generator("cards")
    has_debit = accounts.of_family("current") & (
        rng.random(len(accounts)) < 0.4 + 0.5 * customers.digital[accounts.owner]
    )
    is_credit = accounts.of_family("card")
    account = np.flatnonzero(has_debit | is_credit)
    is_affluent = customers.segment[accounts.owner[account]] == AFFLUENT
    is_gold = rng.random(len(account)) < np.where(is_affluent, 0.6, 0.15)
    kind = np.where(is_credit[account], 1 + is_gold, 0)
    until = np.minimum(accounts.closed[account], parameters.last_day)
    room = np.minimum(np.maximum(until - accounts.opened[account], 0), 60)
    return Cards(
        account=account,
        kind=kind,
        issued=accounts.opened[account] + (rng.random(len(account)) * room).astype(np.int64),
    )


def name_holders(parameters: Parameters, customers: Customers, truth: Plan, accounts: Accounts) -> Holders:
    """Every account's owner, and for a few current accounts a second holder, a customer as well."""
    rng = parameters.generator("holders")
    current = np.flatnonzero(accounts.of_family("current"))
    second = np.flatnonzero(rng.random(len(customers)) < OTHER_HOLDERS_SHARE)
    account = current[(second + rng.integers(1, len(customers), len(second))) % len(customers)]
    since = np.maximum(accounts.opened[account], customers.opened[second])
    gone = truth.closes[second]
    possible = since < np.minimum(np.minimum(accounts.closed[account], gone), parameters.history_day)
    second, account, since, gone = second[possible], account[possible], since[possible], gone[possible]
    role = np.where(rng.random(len(second)) < 0.6, JOINT, AUTHORISED_USER)
    # The holding of a closed account has ended with it.
    gone = np.where(gone < accounts.closed[account], gone, NEVER)
    return Holders(
        account=np.concatenate([np.arange(len(accounts)), account]),
        customer=np.concatenate([accounts.owner, second]),
        role=np.concatenate([np.full(len(accounts), OWNER), role]),
        since=np.concatenate([accounts.opened, since]),
        ended=np.concatenate([np.full(len(accounts), NEVER), gone]),
    )


def _terms_kept(rng: np.random.Generator, parameters: Parameters, opened: Days, term: Array) -> Array:
    """How many terms deposits run: through the first day, then until not renewed; shape (deposits,)."""
    rates = market.deposit_rates(parameters)
    terms = np.maximum(np.ceil((parameters.first_day - opened) / (30.4375 * term)), 1).astype(np.int64)
    terms += add_months(opened, term * terms) < parameters.first_day
    renews = np.ones(len(opened), dtype=bool)
    while True:
        matures = add_months(opened, term * terms)
        decides = renews & (matures <= parameters.last_day)
        if not decides.any():
            return terms
        not_renewed = NOT_RENEWED + NOT_RENEWED_FOR_A_POINT * 100 * rates.gap_on(matures)
        renews &= ~decides | (rng.random(len(opened)) >= not_renewed)
        terms += decides & renews


def _usual_product(kind: str) -> str:
    return {"current": "P01", "savings": "P03", "term_deposit": "P06", "housing_loan": "P09",
            "consumer_loan": "P08", "card": "P10", "wealth": "P11", "insurance": "P13",
            "dollar_savings": "P04"}[kind]  # fmt: skip


def _is(kind: Array, name: str) -> npt.NDArray[np.bool_]:
    return kind == 1 + EXTRAS.index(name)
