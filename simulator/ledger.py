"""The bank's books: every month's postings on all accounts, and the balances that follow from them.

Only balances are carried from month to month, so memory is that of one month, however long the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import channels, columns
from simulator.arrears import Arrears, Missed
from simulator.calendar import NEVER, is_month_end, is_public_holiday
from simulator.engagement import ACTIVITY, BALANCE
from simulator.habits import SIZE_BY_SPENDING, SPREAD_OF_AMOUNTS, Habits
from simulator.journal import CHANNEL, TYPE, Journal, Postings, by_day
from simulator.leaving import CUSTOMER_REQUEST, DRAIN, DRAIN_PARTS, MATURED, SILENCE
from simulator.market import deposit_rates
from simulator.parameters import Parameters
from simulator.people import Customers
from simulator.plan import Plan
from simulator.portfolio import Accounts, Loans, account_ids, currencies, loan_ids
from simulator.rhythm import day_weights

Array = npt.NDArray[Any]

REVERSED_CARD_PAYMENTS = 0.006
LARGE_PURCHASES_A_MONTH = 0.006
OPENING_SHARE = 0.7
# How strongly spending brings the balance back to the usual. Weaker, and the chance of a few large amounts
# would look like a drain in a third of all "drains".
MOOD_EXPONENT, MOST_MOOD_RATIO = 1.6, 1.8
CURRENT_MONTHS = 2.0


@dataclass
class Month:
    """One month of the books: postings in day order, loan instalment versions, and the day of each."""

    first: int
    last: int
    postings: Postings
    instalments: pa.Table
    instalments_known: Array


class Ledger:
    """Balances in cents by account, moved on by `post_month`."""

    def __init__(
        self,
        parameters: Parameters,
        customers: Customers,
        truth: Plan,
        accounts: Accounts,
        loans: Loans,
        habits: Habits,
    ) -> None:
        self._customers, self._truth, self._accounts = customers, truth, accounts
        self._loans, self._habits = loans, habits
        self._first_day, self._last_day = parameters.first_day, parameters.last_day
        size = len(customers)
        self._everyone = np.arange(size)
        self._current = accounts.first_of(size, accounts.of_family("current"))
        self._savings = accounts.first_of(size, accounts.of_family("savings") & ~accounts.is_foreign)
        self._card = accounts.first_of(size, accounts.of_family("card"))
        self._arrears = Arrears()
        self._rates = deposit_rates(parameters)
        self._funded = accounts.of_family("term_deposit") | accounts.of_family("wealth") | accounts.is_foreign
        self._earns = self._funded | accounts.of_family("savings")
        self._rng = {
            purpose: parameters.generator(f"ledger {purpose}")
            for purpose in (
                "opening",
                "spending",
                "takings",
                "wages",
                "loans",
                "engagement",
                "last acts",
                "purchases",
                "dollars",
            )
        }
        self._drain_cents = np.zeros((size, 2), dtype=np.int64)
        # What a customer usually keeps when settled, in cents.
        self._target = truth.balance * 100
        self.balance = np.zeros(len(accounts), dtype=np.int64)

    def carry_forward(self, day: int) -> Postings:
        """The balances with which the books open: one posting an account, on the day before the first."""
        accounts, first = self._accounts, day + 1
        is_open = accounts.opened < first
        cents = np.where(self._funded, accounts.principal_cents, 0)
        rng = self._rng["opening"]
        usual = self._target * self._kept_share(day)
        liquid = np.rint(usual * rng.lognormal(0, 0.12, len(usual))).astype(np.int64)
        has_savings = (self._savings >= 0) & is_open[self._savings]
        kept_current = np.minimum(
            liquid, np.rint(CURRENT_MONTHS * self._habits.spending_month).astype(np.int64)
        )
        cents[self._current] = np.where(has_savings, kept_current, liquid)
        cents[self._savings[has_savings]] = (liquid - kept_current)[has_savings]
        cents[self._loans.account] = -self._outstanding(first)
        journal = Journal()
        journal.post(np.flatnonzero(is_open), day, cents[is_open], TYPE["other"])
        return self._book(journal.collected())

    def post_month(self, first: int, last: int) -> Month:
        """Post everything between two day numbers of one calendar month, both included."""
        journal = Journal()
        self._open_accounts(journal, first, last)
        ratio = self._spending_mood(first)
        self._spend(journal, first, last, ratio)
        self._take_in(journal, first, last)
        self._pay_wages_and_orders(journal, first, last)
        self._settle_cards(journal, first, last)
        self._move_dollars(journal, first, last)
        instalments, known = self._pay_instalments(journal, first, last)
        self._follow_engagement(journal, first, last)
        self._drain(journal, first, last)
        self._act_for_the_last_time(journal, first, last)
        self._buy_something_large(journal, first, last)
        if is_month_end(last):
            self._pay_interest(journal, first, last)
        self._pay_out_matured(journal, first, last)
        self._sweep(journal, first, last)
        self._close_accounts(journal, first, last)
        return Month(first, last, self._book(by_day(journal.collected())), instalments, known)

    def month_end_balances(self, day: int) -> pa.Table:
        """Rows of the `month_end_balances` file for the accounts open at the end of the day."""
        is_open = (self._accounts.opened <= day) & (self._accounts.closed > day)
        rows = np.flatnonzero(is_open)
        return pa.table(
            {
                "account_id": account_ids(rows),
                "balance_on": columns.dates(np.full(len(rows), day)),
                "balance_amount": columns.money(self.balance[rows]),
                "currency_code": currencies(self._accounts.is_foreign[rows]),
            }
        )

    def _book(self, postings: Postings) -> Postings:
        self.balance += self._sums(postings)
        return postings

    def _sums(self, postings: Postings) -> Array:
        # Sums of whole cents stay exact in floating point up to 9e15, ninety trillion of the currency.
        return np.bincount(postings.account, postings.cents, minlength=len(self.balance)).astype(np.int64)

    def _outstanding(self, day: int) -> Array:
        """What is left of each loan on a day if every instalment had been paid; cents, shape (loans,)."""
        loans = self._loans
        elapsed = np.maximum((day - self._accounts.opened[loans.account]) / 30.4375, 0).astype(np.int64)
        growth = (1 + loans.yearly_rate / 12) ** elapsed
        left = loans.granted_cents * growth - loans.payment_cents * (growth - 1) / (loans.yearly_rate / 12)
        return np.maximum(np.rint(left), 0).astype(np.int64)

    def _is_open_throughout(self, account: Array, first: int, last: int) -> npt.NDArray[np.bool_]:
        """Whether accounts (-1 for none) are open from before `first` until after `last`."""
        return (
            (account >= 0)
            & (self._accounts.opened[account] < first)
            & (self._accounts.closed[account] > last)
        )

    def _liquid(self) -> Array:
        savings = np.where(self._savings >= 0, self.balance[self._savings], 0)
        return self.balance[self._current] + savings

    def _open_accounts(self, journal: Journal, first: int, last: int) -> None:
        accounts = self._accounts
        is_new = (accounts.opened >= first) & (accounts.opened <= last)
        funded = np.flatnonzero(is_new & self._funded)
        journal.post(
            funded, accounts.opened[funded], accounts.principal_cents[funded], TYPE["transfer_in"],
            CHANNEL["branch"], is_initiated=True,
        )  # fmt: skip
        # A loan is paid out to the seller of what it buys, never through the current account.
        lent = self._loans.account[is_new[self._loans.account]]
        journal.post(lent, accounts.opened[lent], accounts.principal_cents[lent], TYPE["other"])
        joining = np.flatnonzero(is_new[self._current])
        cents = np.rint(self._target[joining] * OPENING_SHARE).astype(np.int64)
        channel = np.where(self._customers.digital[joining] > 0.5, CHANNEL["mobile"], CHANNEL["branch"])
        journal.post(
            self._current[joining], self._customers.opened[joining], cents, TYPE["transfer_in"], channel,
            is_initiated=True,
        )  # fmt: skip

    def _spending_mood(self, first: int) -> npt.NDArray[np.float64]:
        """Above their usual balance people spend more, below it less, so that it comes back to the usual."""
        is_new = self._customers.opened >= first
        ratio = np.where(is_new, OPENING_SHARE, self._liquid() / (self._target * self._kept_share(first)))
        return np.clip(ratio, 0, MOST_MOOD_RATIO) ** MOOD_EXPONENT

    def _happens(
        self, rng: np.random.Generator, counts: npt.NDArray[np.float64], first: int, last: int
    ) -> tuple[Array, Array]:
        """Customers and days of single acts: a monthly count, spread over its days, thinned by activity."""
        is_business = self._customers.is_business
        weights = [day_weights(first, last, is_business=kind) for kind in (False, True)]
        expected = counts * np.where(is_business, weights[1].sum(), weights[0].sum()) / 30.4375
        customer = np.repeat(self._everyone, rng.poisson(expected))
        draws, of_business = rng.random(len(customer)), is_business[customer]
        day = np.empty(len(customer), dtype=np.int64)
        for kind in (False, True):
            rows = of_business == kind
            edges = np.cumsum(weights[kind]) / weights[kind].sum()
            day[rows] = first + np.minimum(np.searchsorted(edges, draws[rows]), last - first)
        kept = (day >= self._customers.opened[customer]) & (
            rng.random(len(customer)) < self._truth.activity(customer, day)
        )
        return customer[kept], day[kept]

    def _digital(self, customer: Array, day: int) -> npt.NDArray[np.float64]:
        years = (day - self._first_day) / 365.25
        return channels.drifted(self._customers.digital, years)[customer]

    def _spend(self, journal: Journal, first: int, last: int, mood: npt.NDArray[np.float64]) -> None:
        habits, accounts, rng = self._habits, self._accounts, self._rng["spending"]
        customer, day = self._happens(rng, habits.spending_count, first, last)
        size = len(customer)
        choice = rng.random(size)
        mix = habits.spending_mix[customer]
        manner = (choice >= mix[:, 0]).astype(np.int64) + (choice >= mix[:, 0] + mix[:, 1])
        usual = habits.spending_size[customer] * SIZE_BY_SPENDING[manner] * mood[customer]
        amount = usual * _spread(rng, size)
        step = np.where(manner == 1, 10_000, 1)
        cents = np.maximum(np.rint(amount / step), 1).astype(np.int64) * step

        digital, channel_draw = self._digital(customer, first), rng.random(size)
        is_holiday = is_public_holiday(np.arange(first, last + 1))[day - first]
        card_channel = channels.of_card_payments(channel_draw, digital)
        cash_channel = channels.of_cash_withdrawals(channel_draw, digital, is_holiday)
        transfer_channel = channels.of_transfers_out(channel_draw, digital, is_holiday)
        channel = np.choose(manner, [card_channel, cash_channel, transfer_channel])
        kind = np.array([TYPE["card_payment"], TYPE["cash_withdrawal"], TYPE["transfer_out"]])[manner]
        card = self._card[customer]
        on_credit = (
            (manner == 0) & (card >= 0) & (rng.random(size) < 0.5)
            & (accounts.opened[card] <= day) & (accounts.closed[card] > day)
        )  # fmt: skip
        account = np.where(on_credit, card, self._current[customer])
        position = journal.post(account, day, -cents, kind, channel, is_initiated=True)

        taken_back = np.flatnonzero((manner == 0) & (rng.random(size) < REVERSED_CARD_PAYMENTS))
        back_on = np.minimum(day[taken_back] + rng.integers(0, 5, len(taken_back)), last)
        back_on = np.minimum(back_on, accounts.closed[account[taken_back]])
        # Never after the last act of somebody who leaves.
        last_act = np.maximum(self._truth.left[customer[taken_back]] - 1, day[taken_back])
        back_on = np.minimum(back_on, last_act)
        journal.post(
            account[taken_back],
            back_on,
            cents[taken_back],
            kind[taken_back],
            is_initiated=True,
            reverses=position + taken_back,
        )

    def _take_in(self, journal: Journal, first: int, last: int) -> None:
        habits, rng = self._habits, self._rng["takings"]
        customer, day = self._happens(rng, habits.taking_count, first, last)
        size = len(customer)
        amount = habits.taking_size[customer] * _spread(rng, size)
        digital = self._digital(customer, first)
        is_cash = rng.random(size) < 0.5 - 0.4 * digital
        step = np.where(is_cash, 10_000, 1)
        cents = np.maximum(np.rint(amount / step), 1).astype(np.int64) * step
        draw = rng.random(size)
        is_holiday = is_public_holiday(np.arange(first, last + 1))[day - first]
        channel = np.where(
            is_cash,
            channels.of_cash_deposits(draw, digital, is_holiday),
            channels.of_transfers_in(draw, digital, is_holiday),
        )
        kind = np.where(is_cash, TYPE["cash_deposit"], TYPE["transfer_in"])
        journal.post(self._current[customer], day, cents, kind, channel, is_initiated=True)

    def _pay_wages_and_orders(self, journal: Journal, first: int, last: int) -> None:
        habits, rng = self._habits, self._rng["wages"]
        opened, closed = self._customers.opened, self._accounts.closed[self._current]
        # Who cools lets come in as much less as he spends less, so that the balance follows the plan.
        less = 1 - ACTIVITY[self._truth.stage(self._everyone, np.full(len(opened), first))]
        takings_month = habits.taking_count * habits.taking_size
        wage = np.maximum(habits.wage_cents - less * (habits.spending_month - takings_month), 0)
        # Nobody who lives on takings is paid a wage for their falling short.
        wage = np.where(habits.wage_cents > 0, wage, 0.0)
        wage *= 1 + 0.02 * rng.normal(size=len(self._everyone))
        wage_kind = np.where(habits.is_pension, TYPE["pension"], TYPE["salary"])
        # Credits from outside and the customer's orders, each on its own day of the month.
        regular = (
            (first + habits.pay_day - 1, np.minimum(habits.wage_until, closed), np.rint(wage), wage_kind),
            (first + habits.standing_day - 1, np.minimum(habits.standing_until, closed),
             -habits.standing_cents, TYPE["standing_order"]),
            (np.full(len(opened), first), closed, -habits.fee_cents, TYPE["fee"]),
        )  # fmt: skip
        for day, until, cents, kind in regular:
            due = (day > opened) & (day < until) & (day <= last)
            kinds = np.broadcast_to(kind, due.shape)
            journal.post(self._current[due], day[due], cents[due].astype(np.int64), kinds[due])

    def _settle_cards(self, journal: Journal, first: int, last: int) -> None:
        day = first + 19
        if day > last:
            return
        can = self._is_open_throughout(self._card, first, last) & self._is_open_throughout(
            self._current, first, last
        )
        owing = np.flatnonzero(can & (self.balance[self._card] < 0))
        owed = -self.balance[self._card[owing]]
        journal.post(self._current[owing], day, -owed, TYPE["standing_order"])
        journal.post(self._card[owing], day, owed, TYPE["standing_order"])

    def _move_dollars(self, journal: Journal, first: int, last: int) -> None:
        rng = self._rng["dollars"]
        account = np.flatnonzero(self._accounts.is_foreign)
        owner = self._accounts.owner[account]
        day = rng.integers(first, last + 1, len(account))
        share = rng.uniform(0.02, 0.08, len(account)) * np.where(rng.random(len(account)) < 0.5, -1, 1)
        moves = rng.random(len(account)) < 0.3 * self._truth.activity(owner, day)
        moves &= self._is_open_throughout(account, first, last)
        cents = np.rint(self.balance[account] * share / 100).astype(np.int64) * 100
        kinds = np.where(cents > 0, TYPE["transfer_in"], TYPE["transfer_out"])
        journal.post(
            account[moves], day[moves], cents[moves], kinds[moves], CHANNEL["mobile"], is_initiated=True
        )

    def _pay_instalments(self, journal: Journal, first: int, last: int) -> tuple[pa.Table, Array]:
        loans, accounts, rng = self._loans, self._accounts, self._rng["loans"]
        due_on = first + loans.due_day - 1
        draw = rng.random((3, len(due_on)))
        is_due = (
            (accounts.opened[loans.account] < first)
            & (accounts.closed[loans.account] > due_on)
            & (due_on <= last)
        )
        rows = np.flatnonzero(is_due & (self.balance[loans.account] < 0))
        account, due_on = loans.account[rows], due_on[rows]
        current = self._current[accounts.owner[account]]
        owed = -self.balance[account]
        interest = np.rint(owed * loans.yearly_rate[rows] / 12).astype(np.int64)
        due = np.minimum(loans.payment_cents[rows], owed + interest)
        is_missed = draw[0, rows] < np.where(loans.is_poor_payer[rows], 0.3, 0.004)
        delay = np.where(draw[1, rows] < 0.08, 1 + (draw[2, rows] * 9).astype(np.int64), 0)
        paid_on = np.minimum(np.minimum(due_on + delay, last), accounts.closed[account])
        paid_on = np.where(is_missed, NEVER, paid_on)
        paid = np.flatnonzero(~is_missed)
        journal.post(account, due_on, -interest, TYPE["interest"])
        journal.post(account[paid], paid_on[paid], due[paid], TYPE["loan_payment"])
        journal.post(current[paid], paid_on[paid], -due[paid], TYPE["loan_payment"])
        fined = np.flatnonzero(is_missed & (due_on + 10 <= np.minimum(last, accounts.closed[current])))
        journal.post(current[fined], due_on[fined] + 10, -(due[fined] // 100), TYPE["penalty"])
        caught_up = self._catch_up(journal, first, last)
        missed = np.flatnonzero(is_missed)
        self._arrears.add(rng, rows[missed], due_on[missed], due[missed], loans.is_poor_payer[rows[missed]])
        # An instalment not paid on its day is reported as due first, and again when it is paid.
        waits = np.flatnonzero(paid_on != due_on)
        row = np.concatenate([waits, paid])
        since = np.concatenate([due_on[waits], paid_on[paid], caught_up.pays_on])
        is_paid = np.arange(len(since)) >= len(waits)
        amount = np.concatenate([due[row], caught_up.cents])
        table = pa.table(
            {
                "loan_id": loan_ids(np.concatenate([rows[row], caught_up.loan])),
                "due_on": columns.dates(np.concatenate([due_on[row], caught_up.due_on])),
                "due_amount": columns.money(amount),
                "currency_code": currencies(np.zeros(len(since), dtype=bool)),
                "paid_on": columns.dates(np.where(is_paid, since, NEVER)),
                "paid_amount": columns.money(amount, known=is_paid),
                "valid_from": columns.dates(since),
                "known_at": columns.evenings(since),
            }
        )
        return table, since

    def _catch_up(self, journal: Journal, first: int, last: int) -> Missed:
        """Pay the overdue instalments whose day has come, where loan and current account are still open."""
        accounts = self._accounts
        paid = self._arrears.take_paid(first, last)
        account = self._loans.account[paid.loan]
        current = self._current[accounts.owner[account]]
        can = np.minimum(accounts.closed[account], accounts.closed[current]) > paid.pays_on
        paid, account, current = paid[can], account[can], current[can]
        journal.post(account, paid.pays_on, paid.cents, TYPE["loan_payment"])
        journal.post(current, paid.pays_on, -paid.cents, TYPE["loan_payment"])
        return paid

    def _purse(self, first: int, last: int) -> Array:
        """The account that larger sums leave: the savings account, else the current one, else -1."""
        has_current = self._is_open_throughout(self._current, first, last)
        has_savings = self._is_open_throughout(self._savings, first, last)
        return np.where(has_savings, self._savings, np.where(has_current, self._current, -1))

    def _move_out(self, journal: Journal, purse: Array, day: Array, share: Array) -> None:
        cents = np.rint(np.maximum(self.balance[purse], 0) * share / 10_000).astype(np.int64) * 10_000
        journal.post(purse, day, -cents, TYPE["transfer_out"], CHANNEL["mobile"], is_initiated=True)

    def _kept_share(self, day: int) -> npt.NDArray[np.float64]:
        """The share of the usual balance that customers keep in their stage of engagement on a day."""
        share = BALANCE[self._truth.stage(self._everyone, np.full(len(self._everyone), day))]
        return np.where((self._truth.form == DRAIN) & (self._truth.left <= day), 1.0, share)

    def _follow_engagement(self, journal: Journal, first: int, last: int) -> None:
        """Who cools keeps a part of the balance elsewhere, who recovers brings it back.

        One standing order a step: an act of the customer would hide the drop of activity that goes with it.
        """
        truth, rng = self._truth, self._rng["engagement"]
        size = len(self._everyone)
        day = rng.integers(first, last + 1, size)
        purse = self._purse(first, last)
        stays = (truth.left > last) | ((truth.form == SILENCE) & (day < truth.left))
        change = self._kept_share(first) / self._kept_share(first - 1) - 1
        moving = np.flatnonzero((change != 0) & (purse >= 0) & stays)
        purse, day = purse[moving], day[moving]
        amount = np.maximum(self._liquid()[moving], 0) * change[moving]
        amount = np.maximum(amount, -np.maximum(self.balance[purse], 0))
        cents = np.rint(amount / 10_000).astype(np.int64) * 10_000
        journal.post(purse, day, cents, TYPE["standing_order"])

    def _drain(self, journal: Journal, first: int, last: int) -> None:
        truth = self._truth
        starts = np.flatnonzero((truth.form == DRAIN) & (truth.left >= first) & (truth.left <= last))
        liquid, kept = self._liquid()[starts], truth.kept_share[starts]
        for column, account in enumerate((self._current, self._savings)):
            held = np.where(account[starts] >= 0, np.maximum(self.balance[account[starts]], 0), 0)
            self._drain_cents[starts, column] = np.rint(held * (1 - kept) / truth.drain_parts[starts])
        self._target[starts] = np.maximum(kept * liquid, 10_000)
        for part in range(DRAIN_PARTS[1]):
            day = truth.left + part * truth.drain_span // truth.drain_parts
            moving = (truth.form == DRAIN) & (part < truth.drain_parts) & (day >= first) & (day <= last)
            for column, account in enumerate((self._current, self._savings)):
                rows = np.flatnonzero(moving & (account >= 0))
                journal.post(
                    account[rows], day[rows], -self._drain_cents[rows, column], TYPE["transfer_out"],
                    CHANNEL["mobile"], is_initiated=True,
                )  # fmt: skip

    def _act_for_the_last_time(self, journal: Journal, first: int, last: int) -> None:
        """Who falls silent acts on the day before, so that silence begins on the planned day."""
        truth, habits, rng = self._truth, self._habits, self._rng["last acts"]
        day = truth.left - 1
        rows = np.flatnonzero((truth.form == SILENCE) & (day >= first) & (day <= last))
        size = habits.spending_size[rows] * SIZE_BY_SPENDING[0] * _spread(rng, len(rows))
        cents = np.maximum(np.rint(size), 1).astype(np.int64)
        journal.post(
            self._current[rows], day[rows], -cents, TYPE["card_payment"], CHANNEL["pos"], is_initiated=True
        )

    def _buy_something_large(self, journal: Journal, first: int, last: int) -> None:
        rng = self._rng["purchases"]
        size = len(self._everyone)
        share, day = rng.uniform(0.1, 0.25, size), rng.integers(first, last + 1, size)
        purse = self._purse(first, last)
        buys = (rng.random(size) < LARGE_PURCHASES_A_MONTH) & (purse >= 0) & (self._truth.left > last)
        self._move_out(journal, purse[buys], day[buys], share[buys])

    def _pay_interest(self, journal: Journal, first: int, last: int) -> None:
        account = np.flatnonzero(
            self._earns & self._is_open_throughout(np.arange(len(self.balance)), first, last)
        )
        own = self._rates.own_on(np.array(first))
        rate = np.where(self._accounts.pays_own_rate, own, self._accounts.yearly_rate)[account]
        cents = np.rint(np.maximum(self.balance[account], 0) * rate / 12)
        journal.post(account, last, cents.astype(np.int64), TYPE["interest"])

    def _closing(self, first: int, last: int) -> npt.NDArray[np.bool_]:
        return (self._accounts.closed >= first) & (self._accounts.closed <= last)

    def _pay_out_matured(self, journal: Journal, first: int, last: int) -> None:
        accounts = self._accounts
        is_paid_out = (
            self._closing(first, last) & (accounts.reason == MATURED) & accounts.of_family("term_deposit")
        )
        account = np.flatnonzero(is_paid_out)
        cents = (self.balance + self._sums(journal.collected()))[account]
        journal.post(account, accounts.closed[account], -cents, TYPE["other"])
        current = self._current[accounts.owner[account]]
        journal.post(current, accounts.closed[account], cents, TYPE["other"])

    def _sweep(self, journal: Journal, first: int, last: int) -> None:
        """Keep about two months' spending on the current account and the rest in savings."""
        accounts, truth = self._accounts, self._truth
        is_open = (
            (self._savings >= 0)
            & (accounts.opened[self._savings] <= last)
            & (accounts.closed[self._savings] > last)
        )
        swept = np.flatnonzero(is_open & ((truth.form != DRAIN) | (truth.left > last)))
        balance = self.balance + self._sums(journal.collected())
        current, savings = self._current[swept], self._savings[swept]
        target = CURRENT_MONTHS * self._habits.spending_month[swept]
        excess = balance[current] - target
        worthwhile = np.abs(excess) > target / 2
        moved = np.where(
            worthwhile, np.maximum(np.rint(excess / 10_000).astype(np.int64) * 10_000, -balance[savings]), 0
        )
        journal.post(current, last, -moved, TYPE["standing_order"])
        journal.post(savings, last, moved, TYPE["standing_order"])

    def _close_accounts(self, journal: Journal, first: int, last: int) -> None:
        accounts = self._accounts
        account = np.flatnonzero(self._closing(first, last))
        cents = (self.balance + self._sums(journal.collected()))[account]
        by_choice = (accounts.reason[account] == CUSTOMER_REQUEST) & (cents > 0)
        day = accounts.closed[account]
        chosen, others = account[by_choice], account[~by_choice]
        journal.post(
            chosen,
            day[by_choice],
            -cents[by_choice],
            TYPE["transfer_out"],
            CHANNEL["branch"],
            is_initiated=True,
        )
        journal.post(others, day[~by_choice], -cents[~by_choice], TYPE["other"])


def _spread(rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
    """Log-normal factors around one."""
    return rng.lognormal(-(SPREAD_OF_AMOUNTS**2) / 2, SPREAD_OF_AMOUNTS, size)
