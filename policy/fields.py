"""Types of the cells of a seed: written one way only, so that both engines and people read the same value."""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints


def _written(pattern: str, form: str, make: Any) -> BeforeValidator:
    """Accept text of one form only and make the value of it; anything else is told how to be written."""

    def read(text: str | None) -> Any:
        if text is None:
            raise ValueError(f"is empty: write {form}")
        if not re.fullmatch(pattern, text):
            raise ValueError(f"is {text!r}: write {form}")
        try:
            return make(text)
        except ValueError:
            raise ValueError(f"is {text!r}: write {form}") from None

    return BeforeValidator(read)


_DECIMAL = _written(r"-?\d+(\.\d+)?", "a number such as 1000.00, without separators", Decimal)

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Words = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=200)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Day = Annotated[dt.date, _written(r"\d{4}-\d{2}-\d{2}", "a date such as 2027-01-01", dt.date.fromisoformat)]
Flag = Annotated[bool, _written("true|false", "true or false", lambda text: text == "true")]
Whole = Annotated[int, _written(r"-?\d{1,9}", "a whole number", int)]
Number = Annotated[Decimal, _DECIMAL, Field(max_digits=24, decimal_places=6)]
# More than two places would be rounded in silence on the way into the warehouse.
Amount = Annotated[Decimal, _DECIMAL, Field(max_digits=18, decimal_places=2)]
Share = Annotated[Decimal, _DECIMAL, Field(ge=0, le=1, decimal_places=6)]
