"""The catalogue of faults in rows: how each is made from good rows, and what ingest must do with it.

A faulty row is always an extra one: a good row with a key of its own, spoilt, or a copy that comes again. So
every good row stays whole and the balances keep agreeing with the transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns

Array = npt.NDArray[Any]
Fate = Literal["rejected", "deduplicated", "carried", "refused"]

# Chinese text in UTF-8 that somebody read as Windows-1252, and a character that no database takes as text.
MOJIBAKE = "汇款".encode().decode("cp1252")
NUL = "\0"
# Days before a date at which nothing of the bank happens: balances and instalments are a month apart.
BETWEEN_DATES = 10
FAR_FUTURE_DAYS = 400
# What stands in columns of text where a number or a day belongs.
NO_NUMBERS = ("12,3x", "n/a", "1.000,00")
NO_DAYS = ("2026-02-30", "31/02/2026")


@dataclass(frozen=True, eq=False)
class Fault:
    """One way to spoil rows of an entity, and its expected fate.

    `spoil` makes rows from good ones, `copies` for each; its second argument numbers them within the bank.
    `text` are values for columns that the file must hold as text. A fault `of_earlier` is made from rows of
    an earlier delivery.
    """

    kind: str
    spoil: Callable[[pa.Table, Array], pa.Table]
    fate: Fate
    reason_code: str | None = None
    column: str | None = None
    copies: int = 1
    text: Mapping[str, str] = field(default_factory=dict)
    of_earlier: bool = False


@dataclass(frozen=True)
class Entity:
    """Where rows of an entity can be spoilt. `conflicting` changes content so that it stays valid."""

    key: tuple[str, ...]
    is_event: bool
    missing: str
    conflicting: Callable[[pa.Table], pa.Table]
    parent: str | None = None
    enum: str | None = None
    negative: tuple[str, ...] = ()
    business_date: str | None = None
    has_known_at: bool = False
    numbers_as_text: tuple[str, ...] = ()
    days_as_text: tuple[str, ...] = ()


def changed(rows: pa.Table, /, **values: Any) -> pa.Table:
    """Rows with columns replaced, by an array or by one value for all."""
    for name, value in values.items():
        place = rows.schema.get_field_index(name)
        kind = rows.schema.field(place).type
        if not isinstance(value, pa.Array | pa.ChunkedArray):
            value = pa.repeat(pa.scalar(value, kind), len(rows))
        rows = rows.set_column(place, rows.schema.field(place), value)
    return rows


def _more(column: str) -> Callable[[pa.Table], pa.Table]:
    """Another amount in a column."""
    return lambda rows: changed(
        rows, **{column: pc.add(rows[column], Decimal("1.00")).cast(rows.schema.field(column).type)}
    )


def _next_to(column: str) -> Callable[[pa.Table], pa.Table]:
    """Another small number in a column, one that a score of 1 to 5 may have."""

    def spoil(rows: pa.Table) -> pa.Table:
        value = rows[column]
        other = pc.if_else(pc.greater_equal(value, 5), pc.subtract(value, 1), pc.add(value, 1))
        return changed(rows, **{column: other.cast(pa.int32())})

    return spoil


def _other_words(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: changed(rows, **{column: "something else"})


def _shifted(rows: pa.Table, column: str, days: int) -> pa.Table:
    moved = pc.add(rows[column].cast(pa.int32()), pa.scalar(days, pa.int32())).cast(pa.date32())
    return changed(rows, **{column: moved})


def _other_role(rows: pa.Table) -> pa.Table:
    is_owner = pc.equal(rows["holder_role"], "owner")
    return changed(rows, holder_role=pc.if_else(is_owner, "joint", "owner"))


def _other_event(rows: pa.Table) -> pa.Table:
    is_referral = pc.equal(rows["event_type"], "referral")
    return changed(rows, event_type=pc.if_else(is_referral, "points_earned", "referral"))


ENTITIES: dict[str, Entity] = {
    "transactions": Entity(
        key=("transaction_id",), is_event=True, missing="direction", conflicting=_more("amount"),
        parent="account_id", enum="transaction_type", negative=("amount",), business_date="booked_on",
        has_known_at=True, numbers_as_text=("amount",), days_as_text=("booked_on",),
    ),
    "month_end_balances": Entity(
        key=("account_id", "balance_on"), is_event=True, missing="currency_code",
        conflicting=_more("balance_amount"), parent="account_id", business_date="balance_on",
    ),
    "risk_questionnaires": Entity(
        key=("questionnaire_id",), is_event=True, missing="risk_appetite",
        conflicting=_next_to("experience_years"), parent="customer_id", enum="risk_appetite",
        negative=("experience_years",), business_date="answered_on",
    ),
    "loyalty_events": Entity(
        key=("loyalty_event_id",), is_event=True, missing="points", conflicting=_other_event,
        parent="customer_id", enum="event_type", negative=("points",), business_date="booked_on",
        numbers_as_text=("points",),
    ),
    "satisfaction_surveys": Entity(
        key=("survey_id",), is_event=True, missing="score", conflicting=_next_to("score"),
        parent="customer_id", enum="channel", negative=("score",), business_date="answered_on",
        numbers_as_text=("score",),
    ),
    "customers": Entity(
        key=("customer_id",), is_event=False, missing="opened_on", conflicting=_other_words("city"),
        enum="customer_kind", negative=("annual_income_amount",),
    ),
    "accounts": Entity(
        key=("account_id",), is_event=False, missing="currency_code", conflicting=_other_words("branch_id"),
        parent="product_id", enum="closure_reason",
    ),
    "account_holders": Entity(
        key=("account_id", "customer_id"), is_event=False, missing="holder_role", conflicting=_other_role,
        parent="account_id", enum="holder_role",
    ),
    "cards": Entity(
        key=("card_id",), is_event=False, missing="card_type", conflicting=_other_words("card_type"),
        parent="account_id",
    ),
    "loans": Entity(
        key=("loan_id",), is_event=False, missing="granted_on", conflicting=_more("principal_amount"),
        parent="account_id", negative=("term_months", "principal_amount"), numbers_as_text=("term_months",),
        days_as_text=("granted_on",),
    ),
    "loan_payments": Entity(
        key=("loan_id", "due_on"), is_event=False, missing="due_amount", conflicting=_more("due_amount"),
        parent="loan_id", negative=("due_amount",), has_known_at=True,
    ),
    "interactions": Entity(
        key=("interaction_id",), is_event=False, missing="opened_on", conflicting=_other_words("topic"),
        parent="customer_id", enum="interaction_type", has_known_at=True,
    ),
    "campaign_contacts": Entity(
        key=("contact_id",), is_event=False, missing="contact_group",
        conflicting=lambda rows: _shifted(rows, "contacted_on", -1), parent="customer_id", enum="response",
        has_known_at=True,
    ),
}  # fmt: skip


def fresh_keys(entity: str, rows: pa.Table, numbers: Array) -> pa.Table:
    """Rows with keys that no good row has: ids that begin with a nine, or dates between those in use."""
    first = ENTITIES[entity].key[0]
    if entity == "month_end_balances":
        return _shifted(rows, "balance_on", -BETWEEN_DATES)
    if entity == "loan_payments":
        return _shifted(rows, "due_on", -BETWEEN_DATES)
    if entity == "account_holders":
        # Who holds an account is told anew for a day before: a version of its own.
        return _shifted(rows, "valid_from", -1)
    return changed(rows, **{first: _ids(rows[first], numbers, 90)})


def _ids(like: pa.ChunkedArray, numbers: Array, block: int) -> pa.Array:
    """Ids in the form of others, in a block that begins with two digits; real ids do not come so far."""
    sample = str(like[0].as_py())
    prefix, width = sample.rstrip("0123456789"), len(sample) - len(sample.rstrip("0123456789"))
    return columns.identifiers(prefix, block * 10 ** (width - 2) + numbers, width)


def _faults(name: str, entity: Entity) -> tuple[Fault, ...]:
    key = ", ".join(entity.key)

    def bad(
        kind: str, code: str, column: str, spoil: Callable[[pa.Table], pa.Table], copies: int = 1,
        text: Mapping[str, str] | None = None,
    ) -> Fault:  # fmt: skip
        def with_fresh_keys(rows: pa.Table, numbers: Array) -> pa.Table:
            return spoil(fresh_keys(name, rows, numbers))

        return Fault(kind, with_fresh_keys, "rejected", code, column, copies, text or {})

    def constant(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
        return lambda rows: changed(rows, **{column: value})

    def pair(rows: pa.Table) -> pa.Table:
        return pa.concat_tables([rows, entity.conflicting(rows)])

    copy = Fault("identical_duplicate", lambda rows, _: rows, "deduplicated")
    found = [
        copy,
        bad("conflicting_duplicate", "conflicting_duplicate", key, pair, copies=2),
        bad("missing_value", "required", entity.missing, constant(entity.missing, None)),
        Fault("identical_duplicate_later", copy.spoil, "deduplicated", of_earlier=True),
        bad("nul_character", "type", entity.key[0], lambda rows: changed(
            rows, **{entity.key[0]: pc.binary_join_element_wise(rows[entity.key[0]], NUL, "")}
        )),
    ]  # fmt: skip
    if entity.is_event:
        found.append(
            Fault(
                "conflicting_duplicate_later", lambda rows, _: entity.conflicting(rows), "rejected",
                "conflicting_duplicate", key, of_earlier=True,
            )
        )  # fmt: skip
    if entity.parent:
        found.append(_orphan(name, entity.parent))
    if entity.enum:
        found.append(bad("mojibake", "enum", entity.enum, constant(entity.enum, MOJIBAKE)))
    for column in entity.negative:
        found.append(bad("negative_number", "range", column, _negative(column)))
    if entity.business_date:
        day = entity.business_date
        found.append(
            bad("date_in_the_future", "range", day, lambda rows: _shifted(rows, day, FAR_FUTURE_DAYS))
        )
    if entity.has_known_at:
        found.append(bad("known_in_the_future", "range", "known_at", _known_in_the_future))
    for names, values in ((entity.numbers_as_text, NO_NUMBERS), (entity.days_as_text, NO_DAYS)):
        for column in names:
            for value in values:
                found.append(bad("wrong_type", "type", column, lambda rows: rows, text={column: value}))
    # First, for those who are planted least are taken in this order.
    return (*_CARRIED.get(name, ()), *found)


def _orphan(name: str, parent: str) -> Fault:
    def spoil(rows: pa.Table, numbers: Array) -> pa.Table:
        unknown = _ids(rows[parent], numbers, 95)
        return changed(fresh_keys(name, rows, numbers), **{parent: unknown})

    return Fault("orphan", spoil, "rejected", "orphan", parent)


def _negative(column: str) -> Callable[[pa.Table], pa.Table]:
    def spoil(rows: pa.Table) -> pa.Table:
        is_whole = pa.types.is_integer(rows.schema.field(column).type)
        return changed(rows, **{column: -12 if is_whole else Decimal("-100.00")})

    return spoil


def _known_in_the_future(rows: pa.Table) -> pa.Table:
    later = pc.add(rows["known_at"].cast(pa.int64()), FAR_FUTURE_DAYS * 86_400 * 1_000_000)
    return changed(rows, known_at=later.cast(pa.timestamp("us")))


def _reversal_of_unknown(rows: pa.Table, numbers: Array) -> pa.Table:
    # Of an amount of nothing: it is loaded, and must not change a balance.
    unknown = _ids(rows["transaction_id"], numbers, 95)
    fresh = fresh_keys("transactions", rows, numbers)
    return changed(fresh, reverses_transaction_id=unknown, amount=Decimal("0.00"))


def _closed_before_opened(rows: pa.Table, numbers: Array) -> pa.Table:
    ended = _shifted(rows, "issued_on", -30)["issued_on"]
    return changed(fresh_keys("cards", rows, numbers), closed_on=ended)


# What no rule of a contract forbids: ingest takes such rows as they are.
_CARRIED = {
    "transactions": (Fault("reversal_of_unknown", _reversal_of_unknown, "carried"),),
    "cards": (Fault("closed_before_opened", _closed_before_opened, "carried"),),
}

FAULTS: dict[str, tuple[Fault, ...]] = {name: _faults(name, entity) for name, entity in ENTITIES.items()}
