"""One run of the bench: where the binaries are, how often things are done, and the figures so far."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable

from .figures import BROKE, NOT_MEASURED, Figure, Section
from .processes import BenchError, NotHere, say


@dataclasses.dataclass(frozen=True)
class Repetitions:
    """How often, how long and how much. As they stand here they are those of the goals."""

    is_full: bool = True
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
    single_artifacts: int = 10
    many_points: int = 10_000_000
    output_rounds: int = 2
    output_megabytes: int = 1000
    page_requests: int = 5
    event_rounds: int = 10
    import_rounds: int = 2
    imported_runs: int = 10_000
    # In one project, which grows from each to the next.
    list_sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    # MLflow has the second of them.
    list_rounds: int = 3
    list_requests: int = 60
    mlflow_list_requests: int = 20
    connections: int = 2000
    # Longer than the server leaves an idle connection open.
    connection_seconds: int = 20


QUICK = Repetitions(
    is_full=False,
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
    single_artifacts=3,
    many_points=1_000_000,
    output_rounds=1,
    output_megabytes=200,
    page_requests=3,
    event_rounds=3,
    import_rounds=1,
    imported_runs=2_000,
    list_sizes=(2_000, 10_000),
    list_rounds=1,
    list_requests=20,
    mlflow_list_requests=5,
    connections=500,
    connection_seconds=5,
)


class Bench:
    """The binaries, the folder for everything, and the figures so far."""

    def __init__(self, bin_dir: pathlib.Path, work: pathlib.Path, repetitions: Repetitions) -> None:
        self.server = bin_dir / "otrace-server"
        self.client = bin_dir / "otrace"
        self.bare_insert = bin_dir / "bare_insert"
        self.work = work
        self.repetitions = repetitions
        self.sections: list[Section] = []
        self.has_broken = False

    def begin(self, title: str, how: str) -> None:
        """From here on figures are of this section."""
        self.sections.append(Section(title, how))

    def measure(self, what: str, section: Callable[..., Iterable[Figure]], *arguments: object) -> None:
        """Runs a section. One that cannot be measured is a line of the table, and the others go on."""
        say(what)
        try:
            for line in section(self, *arguments):
                self.add(line)
        except NotHere as missing:
            self.add(Figure(f"{what}: {missing}", "-", verdict=NOT_MEASURED))
        except (BenchError, OSError) as error:
            self.broke(what, error)

    def broke(self, what: str, error: Exception) -> None:
        """Something that could not be measured: a line of the table, and an exit code that tells."""
        say(f"{what}: {error}")
        self.has_broken = True
        first_line = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")[:80]
        self.add(Figure(f"{what}: {first_line}", "-", verdict=BROKE))

    def add(self, line: Figure) -> None:
        """A line of the section."""
        self.sections[-1].figures.append(line)
