"""Where files come from: one yml a source, and an adapter where files are not in contract form yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import yaml

from ingest.errors import ContractError
from ingest.sources import berka

SOURCES_FOLDER = Path(__file__).parent
ADAPTERS: dict[str, ModuleType] = {"berka": berka}


@dataclass(frozen=True)
class Source:
    """One bank's way of delivering, as declared in `sources/<name>.yml`."""

    name: str
    description: str
    adapter: ModuleType | None
    policy_set: str
    reporting_currency_code: str
    landing_lag_days: int
    max_rejected_share: float


def source_names() -> list[str]:
    return sorted(path.stem for path in SOURCES_FOLDER.glob("*.yml"))


def load_source(name: str) -> Source:
    """The declared source. Raises ContractError for an unknown name or a file that lacks a field."""
    path = SOURCES_FOLDER / f"{name}.yml"
    if name not in source_names():
        raise ContractError(f"source {name!r} is not known: choose one of {', '.join(source_names())}")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    expected: dict[str, type | tuple[type, ...]] = {
        "description": str,
        "policy_set": str,
        "reporting_currency_code": str,
        "landing_lag_days": int,
        "max_rejected_share": (int, float),
    }
    faults = [
        f"{path.name}: {field}: missing or of the wrong type"
        for field, kind in expected.items()
        if not isinstance(content.get(field), kind)
    ]
    adapter = content.get("adapter")
    if adapter is not None and adapter not in ADAPTERS:
        faults.append(f"{path.name}: adapter: {adapter!r} is not one of {', '.join(ADAPTERS)}")
    if faults:
        raise ContractError(faults)
    return Source(name=name, adapter=ADAPTERS.get(adapter), **{field: content[field] for field in expected})
