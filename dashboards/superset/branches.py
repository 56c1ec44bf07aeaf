"""Roles by branch: each sees the rows of one branch, of the marts that say of which branch a row is."""

from __future__ import annotations

from typing import Any

from dashboards.superset import bundle
from dashboards.superset.client import Superset, SupersetError
from dashboards.superset.datasets import branch_tables
from dashboards.superset.names import quoted

BRANCH = "branch_id"
BRANCHES_FROM = "marts.dim_customers"


def role_name(branch: str) -> str:
    """What the role of a branch is called in Superset."""
    return f"Keepwell branch {branch}"


def make_roles(superset: Superset) -> list[str]:
    """One role and one rule of row-level security a branch; returns the roles' names. Idempotent.

    A role may read the datasets with a branch and no other: figures of the whole bank, and customers
    of whom no branch is told, stay closed to it. Raises SupersetError.
    """
    datasets = _datasets(superset)
    branches = _branches(superset, datasets[BRANCHES_FROM]["id"])
    permissions = _permissions(superset, datasets)
    roles = {role["name"]: role["id"] for role in superset.pages("/api/v1/security/roles/")}
    rules = {rule["name"]: rule["id"] for rule in superset.pages("/api/v1/rowlevelsecurity/")}
    made = []
    for branch in branches:
        name = role_name(branch)
        role = roles.get(name)
        if role is None:
            role = superset.post("/api/v1/security/roles/", {"name": name})["id"]
        superset.post(f"/api/v1/security/roles/{role}/permissions", {"permission_view_menu_ids": permissions})
        rule = {
            "name": name,
            "description": "Made by `python -m dashboards superset import --branch-roles`.",
            "filter_type": "Regular",
            "tables": sorted(dataset["id"] for dataset in datasets.values()),
            "roles": [role],
            # Rules of one group are joined by OR: who has two branches sees both.
            "group_key": BRANCH,
            "clause": f"{BRANCH} = {quoted(branch)}",
        }
        if name in rules:
            superset.put(f"/api/v1/rowlevelsecurity/{rules[name]}", rule)
        else:
            superset.post("/api/v1/rowlevelsecurity/", rule)
        made.append(name)
    return made


def _datasets(superset: Superset) -> dict[str, dict[str, Any]]:
    """The imported datasets that have a branch, by name with schema."""
    wanted = {bundle.identity("dataset", *name.split(".")): name for name in branch_tables()}
    found = {
        wanted[row["uuid"]]: row for row in superset.pages("/api/v1/dataset/") if row.get("uuid") in wanted
    }
    if BRANCHES_FROM not in found:
        raise SupersetError(
            f"Superset has no dataset {BRANCHES_FROM} of this bundle, which names the branches"
        )
    return found


def _branches(superset: Superset, dataset: int) -> list[str]:
    query = {
        "columns": [BRANCH],
        "metrics": [],
        "filters": [],
        "orderby": [[BRANCH, True]],
        "row_limit": 10_000,
    }
    answer = superset.post(
        "/api/v1/chart/data",
        {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "result_format": "json"},
    )
    branches = [row[BRANCH] for row in answer["result"][0]["data"] if row[BRANCH] is not None]
    if not branches:
        raise SupersetError("no customer of the publication has a branch: there is nothing to make roles of")
    return branches


def _permissions(superset: Superset, datasets: dict[str, dict[str, Any]]) -> list[int]:
    """Ids of the rights to read these datasets."""
    ends = tuple(f"(id:{dataset['id']})" for dataset in datasets.values())
    found = [
        row["id"]
        for row in superset.pages("/api/v1/security/permissions-resources/")
        if row["permission"]["name"] == "datasource_access" and row["view_menu"]["name"].endswith(ends)
    ]
    if len(found) != len(datasets):
        raise SupersetError(
            f"Superset knows {len(found)} of {len(datasets)} rights to read the datasets by branch"
        )
    return found
