"""The Arrow schema of every file: the columns of the contracts, in their order."""

from __future__ import annotations

import pyarrow as pa

_TEXT, _DAY, _FLAG, _WHOLE = pa.string(), pa.date32(), pa.bool_(), pa.int32()
_AMOUNT, _RATE, _MOMENT = pa.decimal128(18, 2), pa.decimal128(12, 6), pa.timestamp("us")

# A delivery without one of these is refused, so they are written even when nothing changed that day.
REQUIRED = ("customers", "accounts", "account_holders", "products", "transactions")


def _schema(text: str) -> pa.Schema:
    kinds = {"s": _TEXT, "d": _DAY, "b": _FLAG, "i": _WHOLE, "m": _AMOUNT, "r": _RATE, "t": _MOMENT}
    return pa.schema([(name, kinds[kind]) for name, kind in (field.split(":") for field in text.split())])


SCHEMAS: dict[str, pa.Schema] = {
    "branches": _schema("branch_id:s branch_name:s city:s region:s opened_on:d valid_from:d"),
    "products": _schema(
        "product_id:s product_name:s product_family:s currency_code:s risk_level:i term_months:i valid_from:d"
    ),
    "exchange_rates": _schema("currency_code:s rate_on:d rate_to_reporting:r"),
    "market_environment": _schema(
        "market_on:d policy_rate:r own_deposit_rate:r competitor_deposit_rate:r cpi_index:r"
    ),
    "customers": _schema(
        "customer_id:s customer_kind:s branch_id:s sex:s education:s occupation:s annual_income_amount:m"
        " currency_code:s city:s opened_on:d closed_on:d is_marketing_allowed:b is_disabled:b full_name:s"
        " phone:s email:s national_id:s birth_date:d valid_from:d"
    ),
    "accounts": _schema(
        "account_id:s product_id:s branch_id:s currency_code:s opened_on:d closed_on:d closure_reason:s"
        " maturity_on:d valid_from:d"
    ),
    "account_holders": _schema("account_id:s customer_id:s holder_role:s valid_from:d valid_to:d"),
    "cards": _schema("card_id:s account_id:s card_type:s issued_on:d closed_on:d valid_from:d"),
    "loans": _schema(
        "loan_id:s account_id:s granted_on:d principal_amount:m currency_code:s term_months:i interest_rate:r"
        " closed_on:d valid_from:d"
    ),
    "transactions": _schema(
        "transaction_id:s account_id:s booked_on:d direction:s amount:m currency_code:s transaction_type:s"
        " channel:s is_customer_initiated:b reverses_transaction_id:s booked_hour:i known_at:t"
    ),
    "month_end_balances": _schema("account_id:s balance_on:d balance_amount:m currency_code:s"),
    "loan_payments": _schema(
        "loan_id:s due_on:d due_amount:m currency_code:s paid_on:d paid_amount:m valid_from:d known_at:t"
    ),
    "risk_questionnaires": _schema(
        "questionnaire_id:s customer_id:s answered_on:d risk_appetite:s experience_years:i"
    ),
    "tier_overrides": _schema(
        "override_id:s customer_id:s scheme:s tier:s author:s reason:s starts_on:d expires_on:d valid_from:d"
        " known_at:t"
    ),
    "loyalty_events": _schema("loyalty_event_id:s customer_id:s booked_on:d event_type:s points:i"),
    "satisfaction_surveys": _schema("survey_id:s customer_id:s answered_on:d score:i channel:s"),
    "interactions": _schema(
        "interaction_id:s customer_id:s interaction_type:s opened_on:d first_answered_on:d resolved_on:d"
        " is_result_told:b channel:s topic:s valid_from:d known_at:t"
    ),
    "campaigns": _schema(
        "campaign_id:s campaign_name:s starts_on:d ends_on:d objective:s offer:s cost_per_contact_amount:m"
        " currency_code:s valid_from:d"
    ),
    "campaign_contacts": _schema(
        "contact_id:s campaign_id:s customer_id:s contact_group:s contacted_on:d channel:s"
        " response:s valid_from:d known_at:t"
    ),
    "exit_interviews": _schema("exit_interview_id:s customer_id:s interviewed_on:d reason:s destination:s"),
}
