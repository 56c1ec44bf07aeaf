"""What a benchmark found, for people (a table in Markdown) and for later comparison (a JSON file)."""

import json
import os
import platform
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.build import Build
from benchmarks.flips import Measured
from benchmarks.layers import Layer
from benchmarks.scoring import Scoring

MIB = 1 << 20


def machine() -> str:
    """The machine in words: processor, cores, memory, system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"


def save(folder: Path, name: str, content: dict[str, Any]) -> Path:
    """Write one result beside the date and machine; the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    stamped = {"measured_on": date.today().isoformat(), "machine": machine(), **content}
    path.write_text(json.dumps(stamped, indent=2) + "\n", encoding="utf-8")
    return path


def build_table(builds: list[Build]) -> str:
    """Ratios first, then the seconds that they were made of."""
    lines = [
        "| engine | scale | months | transactions | full / group-by | daily / full | ingest / bare load "
        "| peak memory | group-by | full build | daily run |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for build in builds:
        ratios = build.ratios
        lines.append(
            f"| {build.target} | {build.scale:.0%} | {build.months} | {build.transactions / 1e6:.1f} M "
            f"| **{ratios['full_build_to_group_by']:.1f}** | **{ratios['daily_to_full_build']:.1%}** "
            f"| {ratios['ingest_to_bare_load']:.1f} | {build.peak_bytes / MIB:,.0f} MiB "
            f"| {build.group_by_seconds:.2f} to {build.slowest_group_by_seconds:.2f} s "
            f"| {build.full_seconds:.0f} s | {build.daily_seconds:.0f} s |"
        )
    return "\n".join(lines)


def scoring_table(scorings: list[Scoring]) -> str:
    """One line a scoring: read, probability, reasons, written."""
    lines = [
        "| engine | candidate | customers | features | seconds | CPU | memory | reading alone | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in scorings:
        lines.append(
            f"| {one.target} | {one.candidate} | {one.customers:,} | {one.features} "
            f"| **{one.seconds:.1f} s** | {one.cpu_seconds:.1f} s | **{one.peak_bytes / MIB:,.0f} MiB** "
            f"| {one.read_seconds:.1f} s | {one.seconds / one.read_seconds:.1f} |"
        )
    return "\n".join(lines)


def step_table(build: Build) -> str:
    """Every step of both runs."""
    daily = {step.name: step for step in build.daily}
    lines = [
        "| step | full build | CPU | memory | daily run | CPU | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for step in build.full:
        next_day = daily[step.name]
        cells = " | ".join(
            f"{one.seconds:.1f} s | {one.cpu_seconds:.1f} s | {one.peak_bytes / MIB:,.0f} MiB"
            for one in (step, next_day)
        )
        lines.append(f"| {step.name} | {cells} |")
    return "\n".join(lines)


def layer_table(runs: dict[str, tuple[float, list[Layer]]]) -> str:
    """Layers of models, a column a run: its name, its seconds as a whole, and its layers."""
    names = [layer.name for _, layers in runs.values() for layer in layers]
    lines = [
        "| layer | models | rows | " + " | ".join(f"{run} | share | slowest model" for run in runs) + " |",
        "|---|---|---|" + "---|---|---|" * len(runs),
    ]
    for name in dict.fromkeys(names):
        of_name = [
            (whole, next(layer for layer in layers if layer.name == name)) for whole, layers in runs.values()
        ]
        _, last = of_name[-1]
        cells = " | ".join(
            f"{layer.model_seconds:.1f} s, tests {layer.test_seconds:.1f} s "
            f"| **{layer.seconds / whole:.1%}** "
            f"| {layer.slowest_model} {layer.slowest_seconds:.1f} s"
            for whole, layer in of_name
        )
        lines.append(f"| {name} | {last.models} | {last.rows / 1e6:.2f} M | {cells} |")
    return "\n".join(lines)


def flip_table(found: Measured) -> str:
    """Raw beside effective, a row a scheme."""
    lines = [
        "| scheme | change tier in a month, raw | effective | back within a month, raw | effective "
        "| most changes of a customer, raw | effective |",
        "|---|---|---|---|---|---|---|",
    ]
    by_basis = {(one.scheme, one.basis): one for one in found.flips}
    for scheme in dict.fromkeys(one.scheme for one in found.flips):
        raw, effective = by_basis[scheme, "raw"], by_basis[scheme, "effective"]
        lines.append(
            f"| {scheme} | {raw.monthly_share:.2%} | **{effective.monthly_share:.2%}** "
            f"| {raw.flip_back_rate:.1%} | **{effective.flip_back_rate:.1%}** "
            f"| {raw.most_changes} | {effective.most_changes} |"
        )
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
