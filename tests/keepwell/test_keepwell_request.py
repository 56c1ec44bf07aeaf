"""What a run may be asked for, and the words that answer anything else."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from keepwell.due import last_month_end
from keepwell.request import BadRequestError, Request
from warehouse import Settings

PROJECT = Path(__file__).resolve().parents[2]


def test_the_demo_bank_needs_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    request = Request.parse(settings, "", "")
    assert request == Request(settings, tmp_path / "landing" / "demo", date(2026, 10, 31), is_simulated=True)


def test_files_of_ones_own_are_not_simulated(tmp_path: Path) -> None:
    request = Request.parse(Settings(home=tmp_path), str(tmp_path), "2026-09-30")
    assert (request.landing, request.as_of, request.is_simulated) == (tmp_path, date(2026, 9, 30), False)


@pytest.mark.parametrize(
    ("source", "landing", "as_of", "says"),
    [
        ("berka", "", "1993-12-31", "SOURCE=berka needs LANDING"),
        ("canonical", ".", "", "SOURCE=canonical needs AS_OF"),
        ("canonical", "no-such-folder", "2026-10-31", "LANDING=no-such-folder is no folder"),
        ("canonical", ".", "31.10.2026", "AS_OF=31.10.2026 is no date"),
        ("mybank", ".", "2026-10-31", "SOURCE=mybank is not known: use one of berka, canonical, demo"),
    ],
)
def test_a_bad_request_says_what_to_write(
    source: str, landing: str, as_of: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadRequestError, match=says):
        Request.parse(Settings(home=tmp_path, source=source), landing, as_of)


def test_the_command_line_answers_bad_input_in_one_line_with_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keepwell", "run", "--source", "berka", "--landing", "", "--as-of", ""],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "KEEPWELL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 10, 31), date(2026, 10, 31)),
        (date(2026, 10, 30), date(2026, 9, 30)),
        (date(2024, 2, 29), date(2024, 2, 29)),
        (date(2026, 1, 1), date(2025, 12, 31)),
    ],
)
def test_a_month_is_finished_on_its_last_day(day: date, expected: date) -> None:
    assert last_month_end(day) == expected
