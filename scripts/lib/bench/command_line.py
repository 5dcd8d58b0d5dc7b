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
import time
from collections.abc import Iterator

from . import page
from .figures import as_text, verdict_line
from .groups import GROUPS
from .machine import about_machine
from .processes import ROOT, BenchError, end_group, say
from .session import QUICK, Bench, Repetitions

DESCRIPTION = "Measures what Trace takes and how fast it is, beside MLflow, and prints each figure beside its goal."

BUILD_WITHIN = 3600


def build() -> None:
    """The programs as they are given to others, and the yardstick."""
    argv = ["cargo", "build", "--profile", "dist", "--locked"]
    argv += ["-p", "otrace-server", "-p", "otrace-cli", "-p", "otrace-bench"]
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
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="at the sizes that the goals speak of; so it is unless told")
    size.add_argument(
        "--quick", action="store_true", help="fewer, shorter and smaller; what is smaller than its goal is not judged"
    )
    parser.add_argument(
        "--only", action="append", choices=GROUPS, metavar="GROUP", help=f"one of {', '.join(GROUPS)}; may be repeated"
    )
    parser.add_argument(
        "--markdown", type=pathlib.Path, metavar="FILE", help=f"write it below “{page.MEASURED}” in this file, too"
    )
    parser.add_argument("--date", metavar="DATE", help="the day, as the file is to say it")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries as they are")
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument(
        "--bin-dir", type=pathlib.Path, metavar="FOLDER", default=target / "dist", help="where the binaries are"
    )
    return parser.parse_args()


def about_run(arguments: argparse.Namespace, minutes: float) -> list[tuple[str, str]]:
    """How it was measured, as names and words."""
    sizes = " --quick" if arguments.quick else ""
    groups = "".join(f" --only {name}" for name in arguments.only or ())
    about = [("run", f"`scripts/bench{sizes}{groups}`, in {minutes:.0f} minutes")]
    if arguments.quick:
        about.append(("sizes", "few repetitions, and sizes smaller than those that some goals speak of"))
    return [("date", arguments.date), *about] if arguments.date else about


def measured(arguments: argparse.Namespace) -> int:
    """Builds, measures, prints. The exit code is 0 unless something broke."""
    if platform.system() != "Linux":
        raise BenchError("this reads /proc, which only Linux has")
    if not arguments.no_build:
        build()
    about = about_machine()
    began = time.monotonic()
    with work_folder() as work:
        bench = Bench(arguments.bin_dir.resolve(), work, QUICK if arguments.quick else Repetitions())
        for binary in (bench.server, bench.client, bench.bare_insert):
            if not os.access(binary, os.X_OK):
                raise BenchError(f"{binary} is not there; leave --no-build away")
        for name, group in GROUPS.items():
            if not arguments.only or name in arguments.only:
                bench.begin(group.TITLE, group.HOW)
                group.measure(bench)
    about += about_run(arguments, (time.monotonic() - began) / 60)
    facts = "\n".join(f"{name}: {told}" for name, told in about)
    print(f"\n{facts}\n\n{as_text(bench.sections)}\n\n{verdict_line(bench.sections)}")
    if arguments.markdown:
        page.write(arguments.markdown, about, bench.sections)
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
