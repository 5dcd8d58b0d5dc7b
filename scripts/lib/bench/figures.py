"""Figures, their goals, and the table that they end up in."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence

HEADINGS = ("figure", "measured", "min - max", "goal", "")

# Decimals of each unit.
DIGITS = {"s": 2, "ms": 1, "MB": 1, "kB": 1, "x": 2, "/s": 0, "MB/s": 0}


@dataclasses.dataclass
class Figure:
    """One line of the table."""

    name: str
    measured: str
    spread: str = ""
    goal: str = ""
    verdict: str = ""


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
) -> Figure:
    """The median of the samples, judged by the goal if there is one."""
    median = statistics.median(samples)
    spread = f"{written(min(samples), unit)} - {written(max(samples), unit)}" if len(samples) > 1 else ""
    line = Figure(name, written(median, unit), spread)
    if at_most is not None:
        line.goal, line.verdict = f"at most {at_most} {unit}", judged(median <= at_most)
    if at_least is not None:
        line.goal, line.verdict = f"at least {at_least} {unit}", judged(median >= at_least)
    return line


def judged(is_met: bool) -> str:
    """A verdict in words."""
    return "met" if is_met else "MISSED"


def percentile(samples: Iterable[float], percent: float) -> float:
    """The smallest sample that so many percent are not above."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def as_text(figures: Sequence[Figure]) -> str:
    """The figures in aligned columns."""
    rows = [HEADINGS] + [dataclasses.astuple(line) for line in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    # Words to the left, numbers to the right.
    align = (str.ljust, str.rjust, str.rjust, str.ljust, str.ljust)
    lines = ["  ".join(fit(cell, width) for fit, cell, width in zip(align, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def as_markdown(machine: str, figures: Sequence[Figure]) -> str:
    """The machine and the figures as a markdown document."""
    rows = [HEADINGS, ("---", "---:", "---:", "---", "---")] + [dataclasses.astuple(line) for line in figures]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    table = "\n".join(f"| {' | '.join(row)} |" for row in escaped)
    return f"# What `make bench` measured\n\n{machine}\n\n{table}\n"


def verdict_line(figures: Sequence[Figure]) -> str:
    """How it went, in one line."""
    missed = [line.name.strip() for line in figures if line.verdict == "MISSED"]
    met = sum(line.verdict == "met" for line in figures)
    open_ones = sum(line.verdict in ("broke", "not measured") for line in figures)
    text = f"{met} met, {len(missed)} missed, {open_ones} not measured"
    return text + (f". Missed: {'; '.join(missed)}" if missed else "")
