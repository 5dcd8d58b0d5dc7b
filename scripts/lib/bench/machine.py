"""The machine that is measured on, in one line."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform

from .processes import ROOT, BenchError, run


def machine_line() -> str:
    """What it was measured on."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {cpu_model()}, {platform.system()} {platform.release()}, "
        f"PostgreSQL {postgres_version()}, commit {commit()}, load {load:.1f} before"
    )


def cpu_model() -> str:
    """The processor's name, where the kernel tells it."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def postgres_version() -> str:
    """The version of the PostgreSQL that the server takes."""
    folder = run([ROOT / "scripts/find-postgres"], may_fail=True).strip()
    if not folder:
        raise BenchError("no PostgreSQL 14 or newer found; run: scripts/setup bench")
    return run([f"{folder}/postgres", "--version"]).split("(PostgreSQL)")[-1].split()[0]


def commit() -> str:
    """What was measured, as git names it."""
    return run(["git", "-C", ROOT, "describe", "--always", "--dirty"], may_fail=True).strip() or "none"
