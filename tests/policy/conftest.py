"""Copies of the real seeds, to be changed by a row."""

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from policy.check import SEEDS_DIR

Row = dict[str, str]


@dataclass
class Seeds:
    """A folder of seeds; rows are picked by the columns given, and at least one has to be there."""

    folder: Path

    def read(self, name: str) -> list[Row]:
        with self._path(name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def write(self, name: str, rows: list[Row]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._path(name).write_text(text.getvalue(), encoding="utf-8")

    def change(self, name: str, where: Row, to: Row) -> None:
        self._edit(name, where, lambda row: [{**row, **to}])

    def drop(self, name: str, where: Row) -> None:
        self._edit(name, where, lambda row: [])

    def add_like(self, name: str, where: Row, to: Row) -> None:
        """Add a changed copy of each row picked, at the end."""
        rows = self.read(name)
        copies = [{**row, **to} for row in rows if where.items() <= row.items()]
        assert copies
        self.write(name, rows + copies)

    def _edit(self, name: str, where: Row, edit: Callable[[Row], list[Row]]) -> None:
        rows = self.read(name)
        assert any(where.items() <= row.items() for row in rows), f"{name} has no row {where}"
        self.write(
            name, [new for row in rows for new in (edit(row) if where.items() <= row.items() else [row])]
        )

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.csv"


@pytest.fixture
def seeds(tmp_path: Path) -> Seeds:
    """The real seeds, copied."""
    folder = tmp_path / "seeds"
    folder.mkdir()
    for path in SEEDS_DIR.glob("*.csv"):
        shutil.copy(path, folder)
    return Seeds(folder)
