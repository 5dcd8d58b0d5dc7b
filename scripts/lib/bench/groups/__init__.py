"""What is measured: a file for each group of figures, with its TITLE, HOW it is measured, and `measure`. Each starts
the servers that it needs, on data of its own, so that none spoils another. `pages` and `paint` are parts of `lists`."""

from __future__ import annotations

from types import ModuleType

from . import artifacts, connections, creation, files, idle, imports, lists, load, output, runs, series, starts, streams

# In the order of the table.
GROUPS: dict[str, ModuleType] = {
    "starts": starts,
    "idle": idle,
    "runs": runs,
    "creation": creation,
    "load": load,
    "lists": lists,
    "series": series,
    "files": files,
    "artifacts": artifacts,
    "output": output,
    "streams": streams,
    "connections": connections,
    "imports": imports,
}
