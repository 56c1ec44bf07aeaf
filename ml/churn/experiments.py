"""The log of experiments: every candidate and setting that a training tried, and what it gave, in
ops.experiments.
"""

import json
from typing import Any

import pyarrow as pa

from ml.churn.fit import FIGURES
from ml.churn.runs import Run
from warehouse import Warehouse
from warehouse.runs import utc_now


def record(wh: Warehouse, run: Run, choice: dict[str, Any]) -> None:
    """Replace the run's rows by those of `choice` (metrics.choice of the metadata): one row a setting.

    Where nothing could be compared, one row says what stands, on no fold and without figures.
    """
    chosen = {"candidate": choice["candidate"], "settings": choice["settings"]}
    tried = choice["tried"] or [chosen | dict.fromkeys(FIGURES)]
    count = len(tried)
    rows: dict[str, Any] = {
        "run_id": pa.array([run.run_id] * count, pa.string()),
        "as_of_date": pa.array([run.as_of_date] * count, pa.date32()),
        "candidate": pa.array([one["candidate"] for one in tried], pa.string()),
        "settings": pa.array([_text(one["settings"]) for one in tried], pa.string()),
        "count_folds": pa.array([choice["count_folds"]] * count, pa.int32()),
        **{name: pa.array([one[name] for one in tried], pa.float64()) for name in FIGURES},
        "is_chosen": pa.array(
            [{"candidate": one["candidate"], "settings": one["settings"]} == chosen for one in tried]
        ),
        "recorded_at": pa.array([utc_now()] * count, pa.timestamp("us")),
    }
    with wh.transaction():
        wh.execute("delete from ops.experiments where run_id = $1", [run.run_id])
        wh.append("ops.experiments", pa.table(rows))


def table(wh: Warehouse, run_id: str | None) -> list[list[str]]:
    """A header and the experiments of a run, or of all runs, as text: newest run first, then the best."""
    condition, values = ("where run_id = $1", [run_id]) if run_id else ("", [])
    found = wh.query(f"select * from ops.experiments {condition}", values).to_pylist()
    found.sort(key=lambda row: (-(row["average_precision"] or 0.0), row["candidate"], row["settings"]))
    found.sort(key=lambda row: (row["as_of_date"], row["run_id"]), reverse=True)
    lines = [["run_id", "candidate", "settings", "folds", *FIGURES, "chosen"]]
    for row in found:
        figures = ["-" if row[name] is None else f"{row[name]:.4f}" for name in FIGURES]
        settings = ", ".join(f"{name} {value}" for name, value in json.loads(row["settings"]).items())
        chosen = "chosen" if row["is_chosen"] else ""
        lines.append(
            [row["run_id"], row["candidate"], settings or "-", str(row["count_folds"]), *figures, chosen]
        )
    return lines


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
