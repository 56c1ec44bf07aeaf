"""What bank and customer share beside money: questionnaires, surveys, requests, campaigns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns, market
from simulator.calendar import NEVER, Days
from simulator.engagement import COMPLAINT_MONTHS
from simulator.parameters import Parameters
from simulator.people import Customers, customer_ids
from simulator.plan import Plan

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Event = tuple[pa.Table, Days]

APPETITES = ("conservative", "steady", "balanced", "growth", "aggressive")
QUESTIONNAIRES_A_YEAR = 0.35
SURVEYS_A_YEAR = 0.30
# Scores 1 to 5: of the content 91 % and of the discontented 40 % choose the upper two.
CONTENT_SCORES = (0.02, 0.02, 0.05, 0.42, 0.49)
DISCONTENTED_SCORES = (0.14, 0.20, 0.26, 0.27, 0.13)
# The chance of discontent by stage of engagement, and what a complaint in the last months adds.
DISCONTENT = np.array([0.0, 0.25, 0.45, 0.65, 0.80])
DISCONTENT_AFTER_COMPLAINT = 0.5
SURVEY_CHANNELS = ("mobile", "web", "phone", "branch")

INTERACTIONS = ("inquiry", "complaint", "service")
INQUIRY, COMPLAINT, SERVICE = 0, 1, 2
INQUIRIES_A_YEAR, SERVICES_A_YEAR = 0.5, 0.4
TOPICS = ("fees", "card", "transfer", "loan", "deposit_rates", "mobile_app", "staff")
INTERACTION_CHANNELS = ("phone", "mobile", "branch", "web")

OBJECTIVES = ("retention", "cross_sell", "activation")
OFFERS = ("deposit rate bonus", "fee waiver for six months", "card cashback")
RESPONSE_KNOWN_AFTER = 7
CAMPAIGN_DAYS = 30
RESPONSES = ("none", "opened", "accepted", "declined")
CONTACT_CHANNELS = ("mobile", "phone", "web")


def _moments(
    parameters: Parameters, rng: np.random.Generator, customers: Customers, truth: Plan, a_year: float
) -> tuple[Array, Days]:
    """Random customers and days while they are with the bank, in order of days; `a_year` a customer."""
    span = parameters.last_day - parameters.first_day + 1
    customer = np.repeat(np.arange(len(customers)), rng.poisson(a_year * span / 365, len(customers)))
    day = parameters.first_day + rng.integers(0, span, len(customer))
    present = (day >= customers.opened[customer]) & (day < truth.closes[customer])
    order = np.argsort(day[present], kind="stable")
    return customer[present][order], day[present][order]


def risk_questionnaires(parameters: Parameters, customers: Customers, truth: Plan) -> Event:
    """The `risk_questionnaires` file and the day on which each row was known."""
    rng = parameters.generator("questionnaires")
    customer, day = _moments(parameters, rng, customers, truth, QUESTIONNAIRES_A_YEAR)
    appetite = np.clip(np.rint(customers.appetite[customer] + rng.normal(0, 0.4, len(day))), 0, 4)
    # Experience only grows: each has so many years on the first day, and a year more with each year since.
    mean = np.clip((customers.age(parameters.first_day) - 22) / 6, 0, 8)
    at_first = parameters.generator("investing experience").poisson(mean)[customer]
    years = at_first + (day - parameters.first_day) // 365
    table = pa.table(
        {
            "questionnaire_id": columns.identifiers("Q", np.arange(1, len(day) + 1), 8),
            "customer_id": customer_ids(customer),
            "answered_on": columns.dates(day),
            "risk_appetite": columns.labels(APPETITES, appetite),
            "experience_years": columns.integers(years),
        }
    )
    return table, day


def satisfaction_surveys(parameters: Parameters, customers: Customers, truth: Plan) -> Event:
    """The `satisfaction_surveys` file and the day on which each row was known."""
    rng = parameters.generator("surveys")
    customer, day = _moments(parameters, rng, customers, truth, SURVEYS_A_YEAR)
    content = columns.draw(rng, CONTENT_SCORES, len(day))
    discontented = columns.draw(rng, DISCONTENTED_SCORES, len(day))
    is_discontented = rng.random(len(day)) < _discontent(truth, customer, day)
    table = pa.table(
        {
            "survey_id": columns.identifiers("S", np.arange(1, len(day) + 1), 8),
            "customer_id": customer_ids(customer),
            "answered_on": columns.dates(day),
            "score": columns.integers(1 + np.where(is_discontented, discontented, content)),
            "channel": columns.labels(SURVEY_CHANNELS, columns.draw(rng, (5, 2, 2, 1), len(day))),
        }
    )
    return table, day


def interactions(parameters: Parameters, customers: Customers, truth: Plan) -> Event:
    """The `interactions` file and the day from which each row holds."""
    rng = parameters.generator("interactions")
    customer, day = _moments(parameters, rng, customers, truth, INQUIRIES_A_YEAR + SERVICES_A_YEAR)
    kind = np.where(columns.draw(rng, (INQUIRIES_A_YEAR, SERVICES_A_YEAR), len(day)) == 0, INQUIRY, SERVICE)
    complainer, complained_on = truth.engaged.complainer, truth.engaged.complained_on
    # Who is leaving complains no more.
    heard = (complained_on < truth.left[complainer]) & (complained_on <= parameters.last_day)
    customer = np.concatenate([customer, complainer[heard]])
    day = np.concatenate([day, complained_on[heard]])
    kind = np.concatenate([kind, np.full(heard.sum(), COMPLAINT)])
    order = np.argsort(day, kind="stable")
    customer, day, kind = customer[order], day[order], kind[order]
    size = len(day)
    answered = day + rng.geometric(0.6, size) - 1
    resolved = answered + np.minimum(rng.geometric(np.where(kind == COMPLAINT, 0.25, 0.5), size) - 1, 25)
    is_open = rng.random(size) < np.where(kind == COMPLAINT, 0.08, 0.02)
    resolved = np.where(is_open, NEVER, resolved)
    channel, topic = columns.draw(rng, (4, 3, 2, 1), size), columns.draw(rng, (3, 2, 3, 1, 2, 3, 1), size)
    is_told = rng.random(size) < 0.9
    # A version each when the request comes in, when it is answered and when it is resolved.
    answers_later, resolves_later = answered > day, (resolved > answered) & ~is_open
    row = np.concatenate([np.arange(size), np.flatnonzero(answers_later), np.flatnonzero(resolves_later)])
    since = np.concatenate([day, answered[answers_later], resolved[resolves_later]])
    is_resolved = resolved[row] <= since
    table = pa.table(
        {
            "interaction_id": columns.identifiers("I", row + 1, 8),
            "customer_id": customer_ids(customer[row]),
            "interaction_type": columns.labels(INTERACTIONS, kind[row]),
            "opened_on": columns.dates(day[row]),
            "first_answered_on": columns.dates(np.where(answered[row] <= since, answered[row], NEVER)),
            "resolved_on": columns.dates(np.where(is_resolved, resolved[row], NEVER)),
            "is_result_told": pa.array(is_told[row], mask=~is_resolved),
            "channel": columns.labels(INTERACTION_CHANNELS, channel[row]),
            "topic": columns.labels(TOPICS, topic[row]),
            "valid_from": columns.dates(since),
            "known_at": columns.evenings(since),
        }
    )
    return table, since


def campaigns(parameters: Parameters, starts: Days) -> Event:
    """The `campaigns` file, one campaign a quarter, and the day each begins."""
    numbers = np.arange(len(starts))
    objective = numbers % len(OBJECTIVES)
    table = pa.table(
        {
            "campaign_id": columns.identifiers("M", numbers + 1, 4),
            "campaign_name": pa.array(
                [f"{OFFERS[code]}, wave {number + 1}" for number, code in enumerate(objective)], pa.string()
            ),
            "starts_on": columns.dates(starts),
            "ends_on": columns.dates(starts + CAMPAIGN_DAYS),
            "objective": columns.labels(OBJECTIVES, objective),
            "offer": columns.labels(OFFERS, objective),
            "cost_per_contact_amount": columns.money(200 + 100 * objective),
            "currency_code": pa.repeat(market.REPORTING_CURRENCY, len(starts)),
            "valid_from": columns.dates(starts),
        }
    )
    return table, starts


def campaign_contacts(parameters: Parameters, truth: Plan) -> Event:
    """The `campaign_contacts` file, and the day of each row."""
    rng, contacts = parameters.generator("responses"), truth.contacts
    reached = np.flatnonzero(is_reached(truth))
    campaign, customer, day = contacts.campaign[reached], contacts.customer[reached], contacts.day[reached]
    is_control, size = contacts.is_control[reached], len(reached)
    response = np.where(is_control, 0, columns.draw(rng, (0.68, 0.22, 0.06, 0.04), size))
    channel = np.where(is_control, -1, columns.draw(rng, (6, 3, 1), size))
    # Who was addressed is known at once, how they reacted a week later.
    treated = np.flatnonzero(~is_control)
    row = np.concatenate([np.arange(size), treated])
    since = np.concatenate([day, day[treated] + RESPONSE_KNOWN_AFTER])
    is_final = is_control[row] | (np.arange(len(row)) >= size)
    table = pa.table(
        {
            "contact_id": columns.identifiers("N", row + 1, 8),
            "campaign_id": columns.identifiers("M", campaign[row] + 1, 4),
            "customer_id": customer_ids(customer[row]),
            "contact_group": columns.labels(("treatment", "control"), is_control[row]),
            "contacted_on": columns.dates(day[row]),
            "channel": columns.labels(CONTACT_CHANNELS, channel[row]),
            "response": columns.labels(RESPONSES, np.where(is_final, response[row], -1)),
            "valid_from": columns.dates(since),
            "known_at": columns.evenings(since),
        }
    )
    return table, since


def is_reached(truth: Plan) -> npt.NDArray[np.bool_]:
    """Which invitations become contacts: of those who have not closed their accounts; shape (contacts,)."""
    return truth.closes[truth.contacts.customer] > truth.contacts.day


def _discontent(truth: Plan, customer: Array, day: Days) -> Floats:
    """The chance of discontent: by stage and complaints, certain for who has begun to leave; shape (n,)."""
    month = np.searchsorted(truth.hazard.starts, day, side="right")
    complained = truth.engaged.complaint_age[month, customer] < COMPLAINT_MONTHS
    chance = DISCONTENT[truth.stage(customer, day)] + DISCONTENT_AFTER_COMPLAINT * complained
    return np.where(day >= truth.left[customer], 1.0, np.minimum(chance, 1.0))
