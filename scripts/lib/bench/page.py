"""`docs/performance.md`: a head that people write, and below it what was measured."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from .figures import Section, as_markdown, verdict_line

# What stands above this line of the file stays as it is.
MEASURED = "## Measured"
HEAD = "# Performance\n"


def write(file: pathlib.Path, about: Sequence[tuple[str, str]], sections: Sequence[Section]) -> None:
    """Puts this run in the place of the one that the file tells of."""
    head = head_of(file.read_text()) if file.exists() else HEAD
    facts = "\n".join(f"| {name} | {told} |" for name, told in about)
    parts = [head.rstrip(), MEASURED, f"| | |\n|---|---|\n{facts}", f"{verdict_line(sections)}."]
    file.write_text("\n\n".join([*parts, *(as_markdown(section).rstrip() for section in sections)]) + "\n")


def head_of(text: str) -> str:
    """What people wrote, whether anything was measured already or not."""
    return f"\n{text}".partition(f"\n{MEASURED}\n")[0].lstrip("\n")
