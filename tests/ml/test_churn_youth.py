"""A bank could have a model after two matured month-ends an embargo apart, each with its observation."""

from datetime import date, timedelta

import pytest

from ml.churn.youth import could_have_trained


@pytest.mark.parametrize(
    ("first_activity", "as_of_date", "could"),
    [
        # 2025-11-30 and 2026-03-31 are an embargo apart; the later one matures on 2026-07-29.
        (date(2024, 12, 1), date(2026, 8, 1), True),
        (date(2024, 12, 1), date(2026, 7, 31), False),  # the training of July is yet to come
        (date(2024, 12, 2), date(2026, 8, 31), False),  # 2025-11-30 lacks a day of observation
        (date(2024, 12, 2), date(2026, 9, 1), True),  # so 2025-12-31 and 2026-04-30 it is
        (date(1993, 1, 1), date(1993, 12, 31), False),
        (date(1993, 1, 1), date(1995, 1, 31), True),
        (date(2026, 10, 31), date(2026, 10, 31), False),
    ],
)
def test_a_model_can_be_trained_once_two_month_ends_have_matured(params, first_activity, as_of_date, could):
    assert could_have_trained(first_activity, as_of_date, params.windows) is could


def test_once_old_enough_a_bank_stays_so(params):
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(500)]
    found = [could_have_trained(date(2024, 12, 1), day, params.windows) for day in days]
    assert found == sorted(found)
    assert True in found
