"""CSV and Parquet into the scratch table: the same values, and the line that each record stands on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import reading
from ingest.contracts import load_contracts
from ingest.reading import EntityFile, Layout, read_layout
from ingest.staging import stage

BRANCHES = load_contracts()["branches"]
NAMES = ["branch_id", "branch_name", "city"]
RAW = [f"raw_{name}" for name in NAMES]
Staged = list[tuple[object, ...]]


def staged(path: Path) -> Staged:
    """line_no, malformed, branch_id, branch_name, city of each record."""
    file = EntityFile("branches", path, path.name, "")
    layout, _ = read_layout(file, BRANCHES)
    with duckdb.connect() as connection:
        records = stage(connection, path.parent, file, layout, BRANCHES, lambda rows: None)
        rows = connection.execute(
            "select line_no, malformed, raw_branch_id, raw_branch_name, raw_city"
            f" from ({records.rows}) order by line_no"
        ).fetchall()
    assert records.count == len(rows)
    return rows


def staged_text(folder: Path, text: str) -> Staged:
    path = folder / "branches.csv"
    path.write_bytes(text.encode())
    return staged(path)


def test_values_are_trimmed_and_empty_ones_are_null(tmp_path: Path) -> None:
    assert staged_text(
        tmp_path, '\ufeffbranch_id;city;branch_name\r\n 1 ;\u3000成都\u00a0;"North"\r\n2;  ;""\r\n'
    ) == [
        (2, None, "1", "North", "成都"),
        (3, None, "2", None, None),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1,a,x\n\n2,b,y\n", [(2, None, "1"), (4, None, "2")]),
        ('1,"a\nb",x\n2,b,y\n', [(2, None, "1"), (4, None, "2")]),
        ("1,a\n2,b,y\n3,c,z,z\n", [(2, "1,a", None), (3, None, "2"), (4, "3,c,z,z", None)]),
        ('1,"a,x\n2,b,y\n3,c,z\n', [(2, '1,"a,x', None), (3, None, "2"), (4, None, "3")]),
        ('1,"a,x\n2,b,y\n3,"c",z\n', [(2, '1,"a,x', None), (3, None, "2"), (4, None, "3")]),
        ('1,"a"b,x\n2,b,y', [(2, '1,"a"b,x', None), (3, None, "2")]),
        ('1,"a,x', [(2, '1,"a,x', None)]),
        ("", []),
        ("\n\n", []),
    ],
)
def test_a_bad_line_costs_itself_only(tmp_path: Path, body: str, expected: list[tuple[object, ...]]) -> None:
    assert [row[:3] for row in staged_text(tmp_path, "branch_id,branch_name,city\n" + body)] == expected


def test_a_record_may_run_over_the_end_of_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK_LINES", 3)
    body = '1,a,x\n2,b,y\n3,"c\n\n\n",z\n4,d,x\n5,"e,y\n6,f,z\n7,"g\n",x\n8,h,y\n'
    assert [row[:3] for row in staged_text(tmp_path, "branch_id,branch_name,city\n" + body)] == [
        (2, None, "1"),
        (3, None, "2"),
        (4, None, "3"),
        (8, None, "4"),
        (9, '5,"e,y', None),
        (10, None, "6"),
        (11, None, "7"),
        (13, None, "8"),
    ]


VALUES = st.text(st.sampled_from("ab \",;\n\r'é成\t"), max_size=6)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8), quoting=st.sampled_from([0, 1]))
def test_what_a_csv_writer_wrote_is_read_back_on_its_line(
    rows: list[tuple[str, ...]], quoting: Literal[0, 1]
) -> None:
    text, expected = "branch_id,branch_name,city\r\n", []
    for row in rows:
        line_no = len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        expected.append(
            {"line_no": line_no, "malformed": None, "problem": None} | dict(zip(RAW, row, strict=True))
        )
        stream = io.StringIO(newline="")
        csv.writer(stream, quoting=quoting).writerow(row)
        text += stream.getvalue()
    layout = Layout(tuple(NAMES), ",")
    batches = reading.csv_batches(io.StringIO(text, newline=""), layout, NAMES, lambda rows: None)
    assert [row for batch in batches for row in batch.to_pylist()] == expected


def test_parquet_records_are_counted_like_lines(tmp_path: Path) -> None:
    path = tmp_path / "branches.parquet"
    pq.write_table(
        pa.table({"branch_name": ["North", None], "branch_id": [1, 2], "opened_on": [None, None]}), path
    )
    assert staged(path) == [(2, None, "1", "North", None), (3, None, "2", None, None)]
