"""What is measured: a file for each group of figures. Each starts the servers that it needs, on data of its own, so
that none spoils another."""

from __future__ import annotations

from collections.abc import Callable

from ..session import Bench
from . import artifacts, files, imports, output, pages, runs, series, starts, streams

# In the order of the table.
GROUPS: dict[str, Callable[[Bench], None]] = {
    "starts": starts.measure,
    "runs": runs.measure,
    "streams": streams.measure,
    "output": output.measure,
    "series": series.measure,
    "files": files.measure,
    "imports": imports.measure,
    "pages": pages.measure,
    "artifacts": artifacts.measure,
}
