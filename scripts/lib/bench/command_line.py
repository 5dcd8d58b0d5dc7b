"""The command line of `scripts/bench`: builds, measures, prints."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from .figures import as_markdown, as_text, verdict_line
from .groups import GROUPS
from .machine import machine_line
from .processes import ROOT, BenchError, end_group, say
from .session import QUICK, Bench, Repetitions

DESCRIPTION = "Measures memory, start-up time and what a run costs, and prints each figure beside its goal."

BUILD_WITHIN = 3600


def build() -> None:
    """The release binaries and the yardstick."""
    argv = ["cargo", "build", "--release", "--locked", "-p", "otrace-server", "-p", "otrace-cli", "-p", "otrace-bench"]
    say(" ".join(argv))
    environment = {**os.environ, "SQLX_OFFLINE": "true"}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=sys.stderr, start_new_session=True)
    try:
        status = process.wait(BUILD_WITHIN)
    except subprocess.TimeoutExpired:
        raise BenchError(f"the build did not end within {BUILD_WITHIN} s") from None
    finally:
        end_group(process)
    if status != 0:
        raise BenchError(f"{' '.join(argv)} failed")


@contextlib.contextmanager
def work_folder() -> Iterator[pathlib.Path]:
    """A folder for everything, removed at the end. Below /var/tmp: on a real disk, with a path short enough for
    PostgreSQL's socket, and open to the user that root's server hands its database to."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="otrace-bench.", dir="/var/tmp"))
    try:
        work.chmod(0o755)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter and smaller, to see that it works")
    parser.add_argument(
        "--only", action="append", choices=GROUPS, metavar="GROUP", help=f"one of {', '.join(GROUPS)}; may be repeated"
    )
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the table as markdown too")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries as they are")
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument(
        "--bin-dir", type=pathlib.Path, metavar="FOLDER", default=target / "release", help="where the binaries are"
    )
    return parser.parse_args()


def measured(arguments: argparse.Namespace) -> int:
    """Builds, measures, prints. The exit code is 0 unless something broke."""
    if platform.system() != "Linux":
        raise BenchError("this reads /proc, which only Linux has")
    if not arguments.no_build:
        build()
    machine = machine_line()
    with work_folder() as work:
        bench = Bench(arguments.bin_dir.resolve(), work, QUICK if arguments.quick else Repetitions())
        for binary in (bench.server, bench.client, bench.bare_insert):
            if not os.access(binary, os.X_OK):
                raise BenchError(f"{binary} is not there; leave --no-build away")
        for name, group in GROUPS.items():
            if not arguments.only or name in arguments.only:
                group(bench)
    print(f"\n{machine}\n\n{as_text(bench.figures)}\n\n{verdict_line(bench.figures)}")
    if arguments.markdown:
        arguments.markdown.write_text(as_markdown(machine, bench.figures))
        say(f"written to {arguments.markdown}")
    return 1 if bench.has_broken else 0


def main() -> None:
    """Does it, and ends the process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(measured(read_arguments()))
    except BenchError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
