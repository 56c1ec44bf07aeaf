"""The command line and the output folder: made whole, found again, never overwritten."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from simulator import folder
from simulator.__main__ import main
from simulator.parameters import ParameterError, Parameters

PROJECT = Path(__file__).parents[2]
SMALL = ["--customers", "200", "--months", "3"]


def contents(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_the_command_makes_a_bank_and_leaves_it_alone_the_second_time(tmp_path: Path) -> None:
    out = tmp_path / "landing" / "demo"
    command = [sys.executable, "-m", "simulator", "--out", str(out), *SMALL]
    first = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "Made a bank of 200 customers" in first.stdout
    assert first.stderr == ""
    made = {file: file.stat().st_mtime_ns for file in out.rglob("*.parquet")}
    second = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "already" in second.stdout
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.parquet")} == made
    assert sorted(path.name for path in out.parent.iterdir()) == ["demo", "demo.truth"]


def test_equal_parameters_give_equal_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        assert main(["--out", str(tmp_path / name), *SMALL, "--seed", seed]) == 0
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    # Daily files of a tiny bank may have no rows at all, so only history is compared.
    same = {name for name in first if name.startswith("2026-10-28") and first[name] == other.get(name)}
    assert same == {"2026-10-28/products.parquet", "2026-10-28/campaigns.parquet"}


def test_other_parameters_into_a_used_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["--out", str(out), *SMALL]) == 0
    before = contents(out)
    assert main(["--out", str(out), "--customers", "201", "--months", "3"]) == 2
    error = capsys.readouterr().err
    assert "customers 200 instead of 201" in error
    assert "--out" in error
    assert contents(out) == before


def test_a_changed_file_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    main(["--out", str(out), *SMALL])
    (out / "2026-10-29" / "accounts.parquet").write_bytes(b"something else")
    (out / "2026-10-30" / "accounts.parquet").unlink()
    assert main(["--out", str(out), *SMALL]) == 2
    error = capsys.readouterr().err
    assert "2026-10-29/accounts.parquet" in error
    assert "2026-10-30/accounts.parquet" in error
    assert "2026-10-28/accounts.parquet" not in error


def test_a_bank_of_an_older_simulator_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    main(["--out", str(out), *SMALL])
    manifest = json.loads((out / folder.MANIFEST).read_text())
    manifest["parameters"]["version"] = 0
    (out / folder.MANIFEST).write_text(json.dumps(manifest))
    assert main(["--out", str(out), *SMALL]) == 2


@pytest.mark.parametrize("is_folder", [True, False])
def test_other_people_s_files_are_left_alone(
    tmp_path: Path, is_folder: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    mine = out / "notes.txt" if is_folder else out
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("keep me")
    assert main(["--out", str(out), *SMALL]) == 2
    assert str(out) in capsys.readouterr().err
    assert mine.read_text() == "keep me"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    assert main(["--out", str(out), *SMALL]) == 0
    assert (out / folder.MANIFEST).is_file()


def test_a_run_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(path: Path) -> dict[str, str]:
        # Deliveries are looked at first; both folders are full by then.
        assert any(path.rglob("transactions.parquet"))
        assert len(list(path.parent.glob(".demo*"))) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "file_hashes", break_off)
    with pytest.raises(KeyboardInterrupt):
        main(["--out", str(tmp_path / "demo"), *SMALL])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--truth"])
def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("keep me")
    impossible = str(tmp_path / "notes.txt" / "demo")
    assert main(["--out", str(tmp_path / "demo"), *SMALL, option, impossible]) == 2
    error = capsys.readouterr().err
    assert error.startswith("simulator: cannot write the bank: ")
    assert str(tmp_path / "notes.txt") in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill_up(path: Path) -> dict[str, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder, "file_hashes", fill_up)
    assert main(["--out", str(tmp_path / "demo"), *SMALL]) == 2
    error = capsys.readouterr().err
    assert "No space left on device" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", ["", '{"parameters": {', "[]", '{"parameters": {}}', b"\xff"])
@pytest.mark.parametrize("name", ["demo", "demo.truth"])
def test_a_damaged_manifest_is_named(
    tmp_path: Path, name: str, damaged: str | bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    main(["--out", str(out), *SMALL])
    manifest = tmp_path / name / folder.MANIFEST
    manifest.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    capsys.readouterr()
    assert main(["--out", str(out), *SMALL]) == 2
    assert capsys.readouterr().err == (
        f"simulator: {manifest} is damaged; remove {manifest.parent} to have it made anew\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customers", "199"], "--customers 199"),
        (["--customers", "2000001"], "--customers 2000001"),
        (["--scale", "0.0003"], "--scale 0.0003"),
        (["--scale", "nan"], "--scale nan"),
        (["--scale", "1e9"], "200 to 2,000,000 customers"),
        (["--dirt", "0.06"], "--dirt 0.06"),
        (["--dirt", "nan"], "--dirt nan"),
        (["--dirt", "-0.01"], "--dirt -0.01"),
        (["--deliveries", "-1"], "--deliveries -1"),
        (["--every", "month", "--months", "6", "--deliveries", "6"], "choose 0 to 5"),
        (["--months", "2", "--deliveries", "34"], "choose 0 to 33"),
        (["--months", "1"], "--months 1"),
        (["--seed", "-1"], "--seed -1"),
        (["--end", "1899-12-31"], "--end 1899-12-31"),
    ],
)
def test_impossible_parameters_are_named(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "demo"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_day_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path), "--end", "31.10.2026"])
    assert stop.value.code == 2
    assert "'31.10.2026' is not a day" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xlsx"], "invalid choice: 'xlsx'"),
        (["--every", "week"], "invalid choice: 'week'"),
        (["--customers", "many"], "invalid int value: 'many'"),
        (["--customers", "300", "--scale", "1"], "not allowed with argument --customers"),
    ],
)
def test_words_that_mean_nothing_are_named(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path / "demo"), *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_scale_of_one_is_the_bank_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Parameters] = []
    monkeypatch.setattr(folder, "fill", lambda out, truth, parameters: asked.append(parameters) or "made")
    for scale in ("1", "0.01", "0.0005"):
        assert main(["--out", str(tmp_path / "demo"), "--scale", scale]) == 0
    assert main(["--out", str(tmp_path / "demo")]) == 0
    assert [parameters.customers for parameters in asked] == [550_000, 5_500, 275, 20_000]


def test_help_names_every_option() -> None:
    command = [sys.executable, "-m", "simulator", "--help"]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    options = (
        "--out", "--truth", "--customers", "--scale", "--months", "--seed", "--end", "--format", "--every",
        "--deliveries", "--dirt", "--bad-encoding",
    )  # fmt: skip
    assert [option for option in options if option not in shown] == []


def test_the_truth_goes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, truth = tmp_path / "landing" / "demo", tmp_path / "truth" / "demo"
    assert main(["--out", str(out), "--truth", str(truth), *SMALL]) == 0
    assert (truth / folder.PLANTED_FAULTS).is_file()
    assert [path.name for path in out.parent.iterdir()] == ["demo"]
    assert main(["--out", str(out), "--truth", str(truth), *SMALL]) == 0
    assert main(["--out", str(out), *SMALL]) == 2
    assert "not its truth" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo", "demo/truth", "."])
def test_deliveries_and_truth_are_kept_apart(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "demo"), "--truth", str(tmp_path / name), *SMALL]) == 2
    assert "--truth" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_changed_truth_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    main(["--out", str(out), *SMALL])
    (tmp_path / "demo.truth" / folder.PLANTED_FAULTS).unlink()
    assert main(["--out", str(out), *SMALL]) == 2
    assert f"demo.truth was changed after it was made ({folder.PLANTED_FAULTS})" in capsys.readouterr().err


def test_a_truth_left_over_by_a_broken_run_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, truth = tmp_path / "demo", tmp_path / "demo.truth"
    main(["--out", str(out), *SMALL])
    whole = {**contents(out), **contents(truth)}
    shutil.rmtree(out)
    # Another bank must not replace it, the same one may.
    assert main(["--out", str(out), *SMALL, "--seed", "8"]) == 2
    assert "demo.truth holds other files" in capsys.readouterr().err
    assert main(["--out", str(out), *SMALL]) == 0
    assert {**contents(out), **contents(truth)} == whole


def test_the_first_day_is_the_first_of_the_first_calendar_month() -> None:
    parameters = Parameters(months=14, end=date(2026, 3, 15))
    assert parameters.first_day == (date(2025, 2, 1) - date(1970, 1, 1)).days
    assert parameters.delivery_dates == [date(2026, 3, day) for day in (12, 13, 14, 15)]
    with pytest.raises(ParameterError):
        Parameters(customers=0)


@pytest.mark.parametrize(
    ("options", "truth"),
    [
        ([], "/home/truth/bank"),
        (["OUT=/a/bank"], "/a/bank.truth"),
        (["OUT=/b/bank/"], "/b/bank.truth"),
        (["OUT=/b/bank", "TRUTH=/c/planted"], "/c/planted"),
    ],
)
def test_make_bank_gives_each_bank_a_truth_of_its_own(options: list[str], truth: str) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    command = ["make", "-n", "bank", *options]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**environment, "KEEPWELL_HOME": "/home"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'--truth "{truth}"' in done.stdout
