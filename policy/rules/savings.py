"""Savings grades: the first rule whose conditions hold decides, and one always does."""

from collections.abc import Iterator, Sequence

from policy.rows import Finding, SavingsRule

_MINIMA = ("min_deposit_amount", "min_term_months", "min_spending_amount")


def decide_once(rows: Sequence[SavingsRule]) -> Iterator[Finding]:
    """Precedences are 1 to n, a poor loan record decides first, the last takes the rest, none is hidden."""
    for row in rows:
        if row.precedence > len(rows):
            yield (
                row,
                f"precedence {row.precedence} leaves a gap: number the rules 1 to {len(rows)}",
            )
    ordered = sorted(rows, key=lambda row: row.precedence)
    if not _is_free(ordered[-1]):
        yield (
            ordered[-1],
            "the last rule has a condition: leave all empty, so that every customer gets a grade",
        )
    first = ordered[0]
    if (first.loan_record, first.savings_grade) != ("poor", "risk") or _has_minimum(first):
        yield (
            first,
            "a poor loan record decides first: rule 1 has loan_record poor and no other condition, and gives "
            "savings_grade risk",
        )
    for place, row in enumerate(ordered):
        hiding = next((earlier for earlier in ordered[:place] if _takes_all_of(earlier, row)), None)
        if hiding is not None:
            yield (
                row,
                f"the rule can never decide: rule {hiding.precedence} before it takes all that it would take",
            )


def _is_free(row: SavingsRule) -> bool:
    return row.loan_record is None and not _has_minimum(row)


def _has_minimum(row: SavingsRule) -> bool:
    return any(getattr(row, column) is not None for column in _MINIMA)


def _takes_all_of(earlier: SavingsRule, later: SavingsRule) -> bool:
    """Is each condition of the earlier rule implied by one of the later?"""
    if earlier.loan_record not in (None, later.loan_record):
        return False
    for column in _MINIMA:
        needed, given = getattr(earlier, column), getattr(later, column)
        if needed is not None and (given is None or given < needed):
            return False
    return True
