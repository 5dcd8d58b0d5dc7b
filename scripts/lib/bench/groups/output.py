"""What a command prints: how much `otrace run` slows it, and how soon its log is on a page."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator, Sequence

from ..client import Client
from ..figures import Figure, figure
from ..processes import BenchError, say
from ..server import Account, Server, served
from ..session import Bench

SLOWED_RATIO = 1.1
PAGE_SECONDS = 1

RATE = 100
PRODUCER = pathlib.Path(__file__).parents[1] / "producer.py"
WITHIN = 600
# The log that the goal is for.
LONG_LOG_MEGABYTES = 1000

TITLE = "What a command prints"
HOW = (
    f"A program prints {RATE} MB/s of log lines and says by its own clock how long it took: alone, and as the command "
    "of `otrace run`, in turns. The page is that of the last such log, for somebody who is signed in."
)


def measure(bench: Bench) -> None:
    """All of it on one server."""
    try:
        with served(bench, "output") as (server, account):
            client = Client(bench, "output", bench.client, server, account)
            client.prepare()
            bench.measure("a command that prints", printing, client)
            bench.measure("the page of a long log", log_page, server, account)
            client.discard()
    except BenchError as error:
        bench.broke("a server for output", error)


def printing(bench: Bench, client: Client) -> Iterator[Figure]:
    """100 MB/s, and as fast as it can. The last run's log is the long one that a page shows."""
    yield from unpaced(bench, client)
    for target in (client.workspace / "outputs/printed.log", pathlib.Path(os.devnull)):
        yield from paced(bench, client, target)


def paced(bench: Bench, client: Client, target: pathlib.Path) -> Iterator[Figure]:
    """The command's own time with and without us, in turns; and until all of it is on the server."""
    ratios, wholes = [], []
    for number in range(bench.repetitions.output_rounds):
        say(f"{RATE} MB/s to {target.name}, round {number + 1}")
        command = producer(client, bench.repetitions.output_megabytes, RATE)
        alone, _ = printed(client, command, target)
        ours, whole = printed(client, client.recorded(command), target)
        ratios.append(ours / alone)
        wholes.append(whole)
    where = "/dev/null" if target.name == "null" else "a file"
    yield figure(f"printing {RATE} MB/s to {where}: otrace run / alone", ratios, "x", at_most=SLOWED_RATIO)
    megabytes = bench.repetitions.output_megabytes
    yield figure(f"  {megabytes:,} MB, until they are on the server", wholes, "s")


def unpaced(bench: Bench, client: Client) -> Iterator[Figure]:
    """How much passes at most, beside a pipe that keeps nothing."""
    ours, piped = [], []
    megabytes = bench.repetitions.output_megabytes
    target = pathlib.Path(os.devnull)
    for number in range(bench.repetitions.output_rounds):
        say(f"as fast as it can, round {number + 1}")
        command = producer(client, megabytes, 0)
        ours.append(megabytes / printed(client, client.recorded(command), target)[0])
        piped.append(megabytes / printed(client, ["sh", "-c", '"$@" | cat', "sh", *command], target)[0])
    yield figure("printing as fast as it can, through otrace run", ours, "MB/s")
    yield figure("  through `| cat`", piped, "MB/s")


def producer(client: Client, megabytes: int, rate: int) -> list[str]:
    """The command line of what prints."""
    return ["python3", str(PRODUCER), str(megabytes), str(rate), str(report(client))]


def report(client: Client) -> pathlib.Path:
    """Where it says how long it took."""
    return client.workspace / "outputs/seconds.txt"


def printed(client: Client, argv: Sequence[str], target: pathlib.Path) -> tuple[float, float]:
    """Seconds of the command by its own clock, and until everything around it has ended."""
    report(client).parent.mkdir(exist_ok=True)
    report(client).unlink(missing_ok=True)
    os.sync()
    with open(target, "wb") as file:
        began = time.perf_counter()
        client.run(argv, stdout=file, seconds=WITHIN)
        whole = time.perf_counter() - began
    client.expect_all_sent()
    return float(report(client).read_text()), whole


def log_page(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """The whole answer, as somebody who is signed in gets it."""
    run = server.newest_run(account)
    cookie = server.sign_in(account)
    page = f"/projects/{account.project}/runs/{run}/logs"
    seconds = []
    for _ in range(bench.repetitions.page_requests):
        began = time.perf_counter()
        content = server.expect("GET", page, headers=cookie)
        seconds.append(time.perf_counter() - began)
        if b"INFO train: step" not in content:
            raise BenchError(f"GET {page} shows nothing of the log")
    what = f"{bench.repetitions.output_megabytes:,} MB log"
    is_full = bench.repetitions.output_megabytes == LONG_LOG_MEGABYTES
    yield figure(f"{what}: its page", seconds, "s", at_most=PAGE_SECONDS, is_full=is_full)
