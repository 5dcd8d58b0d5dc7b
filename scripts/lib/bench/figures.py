"""Figures, their goals, and the tables that they end up in."""

from __future__ import annotations

import dataclasses
import statistics
import textwrap
from collections.abc import Iterable, Sequence

# Of lines in the documentation.
WIDTH = 132
HEADINGS = ("figure", "measured", "min - max", "goal", "")

# Decimals of each unit.
DIGITS = {"s": 2, "ms": 1, "MB": 1, "kB": 1, "x": 2, "/s": 0, "MB/s": 0}

MET = "met"
MISSED = "MISSED"
# The goal is for a larger size than the one that was measured, which says nothing of it.
SMALLER = "smaller"
NOT_MEASURED = "not measured"
BROKE = "broke"


@dataclasses.dataclass
class Figure:
    """One line of the table."""

    name: str
    measured: str
    spread: str = ""
    goal: str = ""
    verdict: str = ""


@dataclasses.dataclass
class Section:
    """The figures of a group, and how they come about."""

    title: str
    how: str
    figures: list[Figure] = dataclasses.field(default_factory=list)


def written(value: float, unit: str) -> str:
    """A value as people read it: `0.62 s`, `1,850 /s`, `18.3 MB`."""
    return f"{value:,.{DIGITS[unit]}f} {unit}"


def figure(
    name: str,
    samples: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    is_full: bool = True,
) -> Figure:
    """The median of the samples, judged by the goal if there is one, and if it was measured at the goal's size."""
    median = statistics.median(samples)
    spread = f"{written(min(samples), unit)} - {written(max(samples), unit)}" if len(samples) > 1 else ""
    line = Figure(name, written(median, unit), spread)
    if at_most is not None:
        line.goal, line.verdict = f"at most {at_most} {unit}", judged(median <= at_most, is_full)
    if at_least is not None:
        line.goal, line.verdict = f"at least {at_least} {unit}", judged(median >= at_least, is_full)
    return line


def judged(is_met: bool, is_full: bool) -> str:
    """A verdict in words."""
    if not is_full:
        return SMALLER
    return MET if is_met else MISSED


def percentile(samples: Iterable[float], percent: float) -> float:
    """The smallest sample that so many percent are not above."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def all_of(sections: Iterable[Section]) -> list[Figure]:
    """The figures of all sections."""
    return [line for section in sections for line in section.figures]


def as_text(sections: Sequence[Section]) -> str:
    """The figures in aligned columns, each section below its title."""
    rows = [HEADINGS] + [dataclasses.astuple(line) for line in all_of(sections)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]

    def aligned(row: Sequence[str]) -> str:
        # Words to the left, numbers to the right.
        align = (str.ljust, str.rjust, str.rjust, str.ljust, str.ljust)
        return "  ".join(fit(cell, width) for fit, cell, width in zip(align, row, widths)).rstrip()

    lines = [aligned(HEADINGS), "  ".join("-" * width for width in widths)]
    for section in sections:
        lines += ["", section.title.upper()] + [aligned(dataclasses.astuple(line)) for line in section.figures]
    return "\n".join(lines)


def as_markdown(section: Section) -> str:
    """A section's title, how it is measured, and its figures as a table."""
    rows = [HEADINGS, ("---", "---:", "---:", "---", "---")] + [dataclasses.astuple(line) for line in section.figures]
    # What stands further in belongs to the line above it.
    escaped = ([cell.replace("|", "\\|").replace("  ", "&emsp;") for cell in row] for row in rows)
    table = "\n".join(f"| {' | '.join(row)} |" for row in escaped)
    return f"### {section.title}\n\n{textwrap.fill(section.how, WIDTH)}\n\n{table}\n"


def verdict_line(sections: Sequence[Section]) -> str:
    """How it went, in one line."""
    figures = all_of(sections)
    count = {verdict: sum(line.verdict == verdict for line in figures) for verdict in (MET, MISSED, SMALLER)}
    not_measured = sum(line.verdict in (BROKE, NOT_MEASURED) for line in figures)
    text = f"{count[MET]} met, {count[MISSED]} missed, {not_measured} not measured"
    if count[SMALLER]:
        text += f", {count[SMALLER]} at a smaller size than their goal's and not judged"
    missed = [line.name.strip() for line in figures if line.verdict == MISSED]
    return text + (f". Missed: {'; '.join(missed)}" if missed else "")
