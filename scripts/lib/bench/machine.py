"""The machine that is measured on, and the versions of what is measured."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform

from .client import PUBLISHED_CLIENT
from .mlflow import VERSION as MLFLOW_VERSION
from .postgres import postgres_version
from .processes import ROOT, run


def about_machine() -> list[tuple[str, str]]:
    """What it is measured on, as names and words. Called before anything is measured."""
    return [
        ("machine", f"{os.cpu_count()} cores of {cpu_model()}, {memory_gb():.0f} GB of memory"),
        ("disk", f"{filesystem_of('/var/tmp')}, where all data lies"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("load before", f"{os.getloadavg()[0]:.1f}"),
        ("Trace", f"commit {commit()}, built with the profile dist"),
        ("PostgreSQL", f"{postgres_version()}, for Trace and MLflow alike"),
        ("MLflow", f"{MLFLOW_VERSION}, Python {platform.python_version()}"),
        ("published client", published_client()),
    ]


def published_client() -> str:
    """What the published client calls itself to pip."""
    found = "import importlib.metadata as m; print('origami-trace', m.version('origami-trace'))"
    python = PUBLISHED_CLIENT.with_name("python")
    return (run([python, "-c", found], may_fail=True).strip() if python.exists() else "") or "not installed"


def cpu_model() -> str:
    """The processor's name, where the kernel tells it."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gb() -> float:
    """What the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def filesystem_of(folder: str) -> str:
    """The kind of file system that a folder is on."""
    return run(["findmnt", "--noheadings", "--output=FSTYPE", f"--target={folder}"], may_fail=True).strip() or "unknown"


def commit() -> str:
    """What was measured, as git names it."""
    return run(["git", "-C", ROOT, "describe", "--always", "--dirty"], may_fail=True).strip() or "none"
