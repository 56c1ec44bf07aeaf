"""What each layer of models takes of a build, read from the results of the DAG's own invocation of dbt."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.steps import Bank
from warehouse import open_warehouse

# The first layer that holds a model's file; what none holds is not shown.
LAYERS = {
    "tiers and schemes": (
        "models/intermediate/tiers/",
        "models/intermediate/schemes/",
        "models/marts/tiers/",
        "models/marts/schemes/",
        "models/marts/rfm/",
    ),
    "movement": ("models/intermediate/movement/", "models/marts/movement/"),
    "value and behaviour": (
        "models/intermediate/value/",
        "models/marts/value/",
        "models/marts/activity/fct_customer_behaviour.sql",
    ),
}


@dataclass(frozen=True)
class Layer:
    """Seconds that dbt spent on the models of a layer and on their tests, and the rows of its tables."""

    name: str
    models: int
    rows: int
    model_seconds: float
    test_seconds: float
    slowest_model: str
    slowest_seconds: float

    @property
    def seconds(self) -> float:
        """Models and tests; where dbt runs several at a time, as on PostgreSQL, more than passes."""
        return self.model_seconds + self.test_seconds


def read_layers(bank: Bank) -> list[Layer]:
    """The layers of the newest invocation of dbt for this bank, while the tables that it made stand."""
    folder = bank.settings.bank_home / "dbt"
    seconds = timings(_json(folder / "run_results.json"), _json(folder / "manifest.json"))
    with open_warehouse(bank.settings, read_only=True) as warehouse:
        layers = []
        for name, (models, test_seconds) in seconds.items():
            rows = [warehouse.query(f"select count(*) as n from {model}")["n"][0].as_py() for model in models]
            slowest = max(models, key=lambda model: models[model])
            layers.append(
                Layer(
                    name=name,
                    models=len(models),
                    rows=sum(rows),
                    model_seconds=sum(models.values()),
                    test_seconds=test_seconds,
                    slowest_model=slowest.partition(".")[2],
                    slowest_seconds=models[slowest],
                )
            )
    return layers


def timings(results: dict[str, Any], manifest: dict[str, Any]) -> dict[str, tuple[dict[str, float], float]]:
    """For each layer that was built: seconds of each model by its `schema.table`, and of the tests together.

    A test belongs to the layer of the model that it is attached to, else to the last layer that it reads.
    """
    nodes = manifest["nodes"]
    models: dict[str, dict[str, float]] = {name: {} for name in LAYERS}
    tests = dict.fromkeys(LAYERS, 0.0)
    for result in results["results"]:
        node = nodes.get(result["unique_id"], {})
        if node.get("resource_type") == "model":
            if layer := _layer(node):
                models[layer][f"{node['schema']}.{node['name']}"] = result["execution_time"]
        elif node.get("resource_type") == "test":
            looked_at = (
                [node.get("attached_node")] if node.get("attached_node") else node["depends_on"]["nodes"]
            )
            found = {_layer(nodes[name]) for name in looked_at if name in nodes}
            if of_test := [name for name in LAYERS if name in found]:
                tests[of_test[-1]] += result["execution_time"]
    return {name: (models[name], tests[name]) for name in LAYERS if models[name]}


def _layer(node: dict[str, Any]) -> str | None:
    path = node["original_file_path"]
    return next((name for name, places in LAYERS.items() if path.startswith(places)), None)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
