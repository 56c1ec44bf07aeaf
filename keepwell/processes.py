"""Ending what was started, whole."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

GRACE_S = 10


@contextmanager
def stopped_with_us(process: "subprocess.Popen[Any]") -> Iterator[None]:
    """Stop the process and all below it when the block is left by an error or by Ctrl-C.

    Airflow gives every task a session of its own, which neither a signal to Airflow nor the terminal reaches:
    a dbt that goes on alone would write beside the next run.
    """
    try:
        yield
    except BaseException:
        stop(process.pid)
        raise


def stop(pid: int) -> None:
    """End a process and all its descendants: asked first, so that dbt can cancel its queries, then forced."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for sign in (signal.SIGINT, signal.SIGKILL):
        for member in family:
            try:
                member.send_signal(sign)
            except psutil.NoSuchProcess:
                continue
        _, family = psutil.wait_procs(family, timeout=GRACE_S)
