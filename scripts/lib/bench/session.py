"""One run of the bench: where the binaries are, how often things are done, and the figures so far."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable

from .figures import Figure
from .processes import BenchError, NotHere, say


@dataclasses.dataclass(frozen=True)
class Repetitions:
    """How often, how long and how much."""

    cold_starts: int = 3
    warm_starts: int = 5
    idle_rounds: int = 3
    run_rounds: int = 5
    runs_a_round: int = 10
    memory_runs: int = 5
    load_rounds: int = 3
    load_seconds: int = 5
    artifact_rounds: int = 2
    artifact_gigabytes: int = 10
    file_rounds: int = 3
    batch_rounds: int = 3
    batches_a_client: int = 200
    mlflow_batches_a_client: int = 5
    chart_requests: int = 20
    mlflow_history_points: int = 100_000
    many_points: int = 10_000_000
    output_rounds: int = 2
    output_megabytes: int = 1000
    page_requests: int = 5
    event_rounds: int = 10
    import_rounds: int = 2
    imported_runs: int = 10_000
    listed_runs: int = 100_000
    page_loads: int = 100


QUICK = Repetitions(
    cold_starts=1,
    warm_starts=2,
    idle_rounds=1,
    run_rounds=2,
    runs_a_round=5,
    memory_runs=1,
    load_rounds=1,
    load_seconds=2,
    artifact_rounds=1,
    artifact_gigabytes=1,
    file_rounds=1,
    batch_rounds=1,
    batches_a_client=50,
    mlflow_batches_a_client=3,
    chart_requests=5,
    mlflow_history_points=10_000,
    many_points=1_000_000,
    output_rounds=1,
    output_megabytes=200,
    page_requests=3,
    event_rounds=3,
    import_rounds=1,
    imported_runs=2_000,
    listed_runs=20_000,
    page_loads=40,
)


class Bench:
    """The binaries, the folder for everything, and the figures so far."""

    def __init__(self, bin_dir: pathlib.Path, work: pathlib.Path, repetitions: Repetitions) -> None:
        self.server = bin_dir / "otrace-server"
        self.client = bin_dir / "otrace"
        self.bare_insert = bin_dir / "bare_insert"
        self.work = work
        self.repetitions = repetitions
        self.figures: list[Figure] = []
        self.has_broken = False

    def measure(self, what: str, section: Callable[..., Iterable[Figure]], *arguments: object) -> None:
        """Runs a section. One that cannot be measured is a line of the table, and the others go on."""
        say(what)
        try:
            for line in section(self, *arguments):
                self.figures.append(line)
        except NotHere as missing:
            self.figures.append(Figure(f"{what}: {missing}", "-", verdict="not measured"))
        except (BenchError, OSError) as error:
            self.broke(what, error)

    def broke(self, what: str, error: Exception) -> None:
        """Something that could not be measured: a line of the table, and an exit code that tells."""
        say(f"{what}: {error}")
        self.has_broken = True
        first_line = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")[:80]
        self.figures.append(Figure(f"{what}: {first_line}", "-", verdict="broke"))
