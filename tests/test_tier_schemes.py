"""Every room's list of tier schemes names the same schemes: which file to edit is what each test says.

Rooms do not import each other, so each keeps a list of its own; the policy seed says which schemes there are.
"""

import csv
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from dashboards.language import LANGUAGES, read_catalogue
from dashboards.tiering import SCHEMES as SHOWN
from expectations.tiers import SCHEMES as GUARDED
from policy import codes
from warehouse.publish import PUBLIC_MARTS

ROOT = Path(__file__).resolve().parents[1]
DBT = ROOT / "dbt_project"
BANDED = {*codes.AMOUNT_SCHEMES, *codes.SCORE_SCHEMES}


def schemes_of(seed: str) -> set[str]:
    with (DBT / "seeds" / f"{seed}.csv").open(encoding="utf-8") as file:
        return {row["scheme"] for row in csv.DictReader(file)}


def macro(name: str) -> Any:
    """What a macro of macros/tiers.sql returns that takes nothing."""
    returned: list[Any] = []
    environment = jinja2.Environment(autoescape=False)
    environment.globals["return"] = lambda value: returned.append(value) or ""
    getattr(environment.from_string((DBT / "macros" / "tiers.sql").read_text()).module, name)()
    return returned[0]


def model_columns(path: str, model: str) -> set[str]:
    described = yaml.safe_load((DBT / "models" / path).read_text(encoding="utf-8"))["models"]
    (found,) = (each for each in described if each["name"] == model)
    return {column["name"] for column in found["columns"]}


def tables_of_source(source: str) -> set[str]:
    sources = yaml.safe_load((DBT / "models/staging/_sources.yml").read_text(encoding="utf-8"))["sources"]
    (found,) = (each for each in sources if each["name"] == source)
    return {table["name"] for table in found["tables"]}


def overridable() -> set[str]:
    contract = yaml.safe_load((ROOT / "ingest/contracts/tier_overrides.yaml").read_text(encoding="utf-8"))
    (scheme,) = (each for each in contract["schema"][0]["properties"] if each["name"] == "scheme")
    return set(scheme["quality"][0]["arguments"]["validValues"])


SCHEMES = schemes_of("policy_tiers")
MARTS = {mart for mart, _ in codes.MARTS.values()}
# Where a list stands: what has to be in it, and what is.
LISTS = {
    "policy/codes.py Scheme": (SCHEMES, set(codes.SCHEMES)),
    "policy/codes.py MARTS": (SCHEMES, set(codes.MARTS)),
    "dbt_project/seeds/policy_tier_stability.csv": (SCHEMES, schemes_of("policy_tier_stability")),
    "dbt_project/macros/tiers.sql tier_schemes()": (
        set(codes.MARTS.items()),
        {(scheme, tuple(mart)) for scheme, mart in macro("tier_schemes").items()},
    ),
    "dbt_project/macros/tiers.sql banded_schemes()": (BANDED, set(macro("banded_schemes"))),
    "expectations/tiers.py SCHEMES": (
        {(scheme, *mart) for scheme, mart in codes.MARTS.items()},
        {(each.code, each.mart, each.column) for each in GUARDED},
    ),
    "expectations/tiers.py SCHEMES with shows_raw": (
        BANDED,
        {each.code for each in GUARDED if each.shows_raw},
    ),
    "expectations/tiers.py SCHEMES with has_cuts": (BANDED, {each.code for each in GUARDED if each.has_cuts}),
    "dashboards/tiering.py ORDINAL_SCHEMES or SCHEMES": (SCHEMES, set(SHOWN)),
    "ingest/contracts/tier_overrides.yaml validValues of scheme": (SCHEMES, overridable()),
}
# The same where a list holds other things too.
LISTS_AMONG_OTHERS = {
    "warehouse/publish.py PUBLIC_MARTS": (MARTS, set(PUBLIC_MARTS)),
    "dbt_project/models/staging/_sources.yml history": (MARTS, tables_of_source("history")),
    "dbt_project/models/marts/tiers/_tiers__models.yml fct_customer_tiers": (
        {*SCHEMES, *(f"{scheme}_since_on" for scheme in SCHEMES), *(f"raw_{scheme}" for scheme in BANDED)},
        model_columns("marts/tiers/_tiers__models.yml", "fct_customer_tiers"),
    ),
    **{
        f"dashboards/texts/{code}.yaml scheme": (
            {f"scheme.{scheme}" for scheme in SCHEMES},
            set(read_catalogue(code)),
        )
        for code in LANGUAGES
    },
}


@pytest.mark.parametrize("where", [*LISTS, *LISTS_AMONG_OTHERS])
def test_every_list_has_every_scheme(where: str) -> None:
    wanted, found = (LISTS | LISTS_AMONG_OTHERS)[where]
    assert len(wanted) >= 4
    assert sorted(wanted - found) == [], f"add these to {where}"


@pytest.mark.parametrize("where", LISTS)
def test_no_list_has_a_scheme_that_the_policy_has_not(where: str) -> None:
    wanted, found = LISTS[where]
    assert sorted(found - wanted) == [], f"in {where}, and not in policy_tiers.csv or policy/codes.py"


def test_schemes_by_merit_are_schemes() -> None:
    assert set(macro("schemes_by_merit")) < SCHEMES
