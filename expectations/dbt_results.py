"""dbt's run_results.json: one invocation, and its test results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expectations.results import TestResult

TESTS = ("test", "unit_test")
BEYOND_FACTS = ("models/intermediate/", "models/marts/")
STATUSES = {
    "pass": "pass",
    "success": "pass",
    "no-op": "pass",  # an exposure: nothing is built
    "warn": "warn",
    "fail": "fail",
    "error": "error",
    "runtime error": "error",
    "partial success": "error",
    "skipped": "skipped",
}


class UnreadableResultsError(ValueError):
    """A file of dbt's is missing, no JSON, or not what dbt writes."""

    exit_code = 2


@dataclass(frozen=True)
class Invocation:
    """What one call of dbt did: outcomes of run_results.json with their nodes, by the gate they belong to."""

    outcomes: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]
    known: dict[str, dict[str, Any]]  # nodes of manifest.json by unique_id


def load(results_path: Path, gates: Sequence[str]) -> Invocation:
    """Read an invocation; manifest.json is expected beside run_results.json.

    With several gates, of which `facts` is one, that gate takes what looks at seeds, staging and core alone,
    and the other takes what looks further. Raises UnreadableResultsError with what to do.
    """
    further = [gate for gate in gates if gate != "facts"]
    if len(gates) > 1 and len(further) != 1:
        raise UnreadableResultsError(f"gates {', '.join(gates)}: give one gate, or facts and one other")
    outcomes = _json(results_path).get("results")
    nodes = _json(results_path.with_name("manifest.json"))
    if not isinstance(outcomes, list):
        raise UnreadableResultsError(
            f"{results_path} holds no results; give the run_results.json of a `dbt build`"
        )
    known = {**nodes.get("nodes", {}), **nodes.get("unit_tests", {})}
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {gate: [] for gate in gates}
    for outcome in outcomes:
        node = known.get(outcome["unique_id"], {})
        gate = gates[0] if len(gates) == 1 else further[0] if _is_beyond_facts(node, known) else "facts"
        found[gate].append((outcome, node))
    return Invocation(outcomes=found, known=known)


def read(invocation: Invocation) -> dict[str, list[TestResult]]:
    """Every test of an invocation, and every model, seed or snapshot that failed, by gate."""
    found: dict[str, list[TestResult]] = {}
    for gate, outcomes in invocation.outcomes.items():
        results = [_result(outcome, node, invocation.known) for outcome, node in outcomes]
        found[gate] = sorted(
            (result for result in results if result), key=lambda result: (result.relation, result.test_name)
        )
    return found


def resource_type(outcome: dict[str, Any], node: dict[str, Any]) -> str:
    """What kind of node an outcome is of, for one that the manifest lacks too."""
    return str(node.get("resource_type") or outcome["unique_id"].split(".", 1)[0])


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnreadableResultsError(
            f"{path} does not exist; run `dbt build` first, with this target path"
        ) from None
    except (OSError, ValueError) as error:
        raise UnreadableResultsError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise UnreadableResultsError(f"{path} is not what dbt writes: an object was expected")
    return content


def _result(outcome: dict[str, Any], node: dict[str, Any], known: dict[str, Any]) -> TestResult | None:
    """The outcome of one node, None for a model that was built (or skipped: its cause is recorded)."""
    status = STATUSES.get(str(outcome["status"]).lower(), "error")
    is_test = resource_type(outcome, node) in TESTS
    if not is_test and status != "error":
        return None
    severity = "warn" if str(node.get("config", {}).get("severity", "error")).lower() == "warn" else "error"
    return TestResult(
        test_name=node.get("name") or outcome["unique_id"],
        relation=_relation(node, known),
        severity=severity,
        status=status,
        failures=outcome.get("failures"),
        message="" if status == "pass" else _first_line(outcome.get("message")),
    )


def _is_beyond_facts(node: dict[str, Any], known: dict[str, Any]) -> bool:
    """Whether a node is, or tests, a model above core. A node that the manifest lacks counts as one."""
    looked_at = [node]
    if node.get("resource_type") in TESTS:
        tested = [node.get("attached_node"), *node.get("depends_on", {}).get("nodes", [])]
        looked_at = [known[name] for name in tested if name in known]
    paths = [str(each.get("original_file_path", BEYOND_FACTS[0])) for each in looked_at]
    return any(path.startswith(BEYOND_FACTS) for path in paths)


def _relation(node: dict[str, Any], known: dict[str, Any]) -> str:
    """schema.table of the model tested (the one a test is attached to, else the first it reads), or built."""
    if node.get("resource_type") in TESTS:
        tested = node.get("attached_node") or next(iter(node.get("depends_on", {}).get("nodes", [])), "")
        node = known.get(tested, {"name": tested})
    name = node.get("alias") or node.get("name") or ""
    return f"{node['schema']}.{name}" if node.get("schema") else name


def _first_line(message: str | None) -> str:
    """dbt's own words only: the engine's, on the lines below, may cite a row of a customer."""
    lines = (message or "").strip().splitlines()
    return lines[0].strip() if lines else ""
