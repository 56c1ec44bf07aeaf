"""The report's words and numbers in one language: texts from `texts/<code>.yaml`, labels from the marts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

CATALOGUES = Path(__file__).with_name("texts")
LANGUAGES = ("en", "zh")

# Sizes of an amount with their names, the largest first: English counts in thousands, Chinese in myriads.
SIZES = {
    "en": ((1e9, "\u202fbn"), (1e6, "\u202fm"), (1e3, "\u202fk")),
    "zh": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万")),
}


class Language:
    """Says things in English or Chinese. Raises ValueError for any other language."""

    def __init__(self, code: str) -> None:
        if code not in LANGUAGES:
            raise ValueError(f"the report speaks {' or '.join(LANGUAGES)}, not {code!r}")
        self.code = code
        self._texts = read_catalogue(code)
        self._unknown = self._texts["unknown"]

    def __call__(self, key: str, **values: str | int) -> str:
        """The text of a key with its {places} filled. Raises KeyError for one that the catalogue lacks."""
        return self._texts[key].format(**values)

    def named(self, section: str, code: str) -> str:
        """What a code of the warehouse is called (`entity`, `accounts`); unnamed ones as words."""
        return self._texts.get(f"{section}.{code}") or words(code)

    def label(self, row: dict[str, Any], field: str) -> str:
        """The label that the warehouse gives a code: column `<field>_en` or `<field>_zh`."""
        return str(row[f"{field}_{self.code}"])

    def count(self, value: Any) -> str:
        """12,345."""
        return self._unknown if value is None else f"{int(value):,}"

    def percent(self, value: Any, digits: int = 1) -> str:
        """12.3 % in English, 12.3% in Chinese."""
        if value is None:
            return self._unknown
        return f"{float(value):.{digits}%}".replace("%", "%" if self.code == "zh" else "\u202f%")

    def words_of_share(self, part: int, whole: int) -> str:
        """A number of customers with its share: 1,234 · 5.0 %."""
        return self.words_of_count(part, part / whole)

    def words_of_count(self, count: int, share: float) -> str:
        """The same of a share that is known already."""
        return f"{self.count(count)} · {self.percent(share)}"

    def signed(self, value: float, digits: int = 2) -> str:
        """+0.12 or -0.12 (with a true minus sign)."""
        return f"{value:+.{digits}f}".replace("-", "\u2212")

    def between(self, low: float | None, high: float | None, digits: int = 3) -> str:
        """An interval, (0.812 to 0.845); nothing where it is not known."""
        if low is None or high is None:
            return ""
        return self("interval", low=self.decimal(low, digits), high=self.decimal(high, digits))

    def decimal(self, value: Any, digits: int = 2) -> str:
        """0.12."""
        return self._unknown if value is None else f"{float(value):.{digits}f}"

    def amount(self, value: Decimal | float | None) -> str:
        """An amount to three digits: 1.23 bn, 45.6 m, 789 k; 12.3亿, 4,560万."""
        if value is None:
            return self._unknown
        number = float(value)
        for size, name in SIZES[self.code]:
            if abs(number) >= size:
                return three_digits(number / size) + name
        return f"{number:,.0f}"


def read_catalogue(code: str) -> dict[str, str]:
    """Texts by dotted key: `tiers: {title: ...}` is `tiers.title`."""
    tree = yaml.safe_load((CATALOGUES / f"{code}.yaml").read_text(encoding="utf-8"))
    return dict(_leaves(tree, ""))


def _leaves(tree: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    found = []
    for key, value in tree.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def three_digits(number: float) -> str:
    """1.23, 12.3, 123 or 1,234: three digits at least, no zeros behind the point."""
    digits = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def words(code: str) -> str:
    """A code as words: `conflicting_duplicate` is conflicting duplicate."""
    return code.replace("_", " ")
