"""The policy sets that banks use, and their currencies: declared with the sources in ingest/sources."""

from functools import cache
from pathlib import Path

import yaml

SOURCES = Path(__file__).resolve().parents[1] / "ingest" / "sources"


@cache
def currencies() -> dict[str, str]:
    """Policy set to the reporting currency of its banks."""
    declared = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(SOURCES.glob("*.yml"))]
    return {source["policy_set"]: source["reporting_currency_code"] for source in declared}
