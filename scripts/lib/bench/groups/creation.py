"""Creating runs: the server against a bare handler with one INSERT, in the same PostgreSQL."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterator

from ..figures import Figure, figure
from ..processes import COMMAND_WITHIN, BenchError, Service, environment, need, run, say
from ..server import NEW_RUN, Account, BareInsert, Server
from ..session import Bench

CREATION_RATIO = 0.5

CONNECTIONS = (1, 16, 64)

WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[%(body)s]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '\\nMEASURED {"requests": %%.0f, "microseconds": %%.0f, "p50": %%.0f, "p99": %%.0f, "failed": %%.0f}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
"""


@dataclasses.dataclass(frozen=True)
class Load:
    """What one stretch of load came to."""

    per_second: float
    p50_ms: float
    p99_ms: float


def load(bench: Bench, service: Service, connections: int, seconds: int) -> Load:
    """Creates runs through so many connections for so many seconds."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", bench.work / "create.lua", "--latency"]
    output = run([*argv, f"{service.url}/v1/runs"], env=environment(), seconds=seconds + COMMAND_WITHIN)
    lines = [line for line in output.splitlines() if line.startswith("MEASURED ")]
    if not lines:
        raise BenchError(f"wrk said nothing that can be read:\n{output[-500:]}")
    told = json.loads(lines[-1].split(" ", 1)[1])
    if told["failed"] or not told["requests"]:
        failed = f"{told['failed']} of {told['requests']} requests failed"
        raise BenchError(f"{service.name()}: {failed}:\n{service.log_end()}")
    return Load(told["requests"] / told["microseconds"] * 1e6, told["p50"] / 1000, told["p99"] / 1000)


def run_creation(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """POST /v1/runs against the bare handler, in turns."""
    need("wrk")
    script = bench.work / "create.lua"
    script.touch(mode=0o600)
    script.write_text(WRK_SCRIPT % {"body": json.dumps(NEW_RUN), "key": account.key})
    with BareInsert(bench, server) as bare:
        for service in (server, bare):
            load(bench, service, 16, 3)
        for connections in CONNECTIONS:
            yield from run_creation_at(bench, server, bare, connections)


def run_creation_at(bench: Bench, server: Server, bare: BareInsert, connections: int) -> Iterator[Figure]:
    """The same with one number of connections."""
    ours: list[Load] = []
    bares: list[Load] = []
    turns = [(server, ours), (bare, bares)]
    for number in range(bench.repetitions.load_rounds):
        say(f"creating runs: {connections} at once, round {number + 1}")
        # Who goes first changes, so that what a round leaves behind hits both.
        for service, loads in turns if number % 2 == 0 else reversed(turns):
            loads.append(load(bench, service, connections, bench.repetitions.load_seconds))
    ratios = [our.per_second / its.per_second for our, its in zip(ours, bares)]
    yield figure(f"creating runs, {connections} at once: server / bare", ratios, "x", at_least=CREATION_RATIO)
    for who, loads in (("server", ours), ("bare handler", bares)):
        p50 = statistics.median(load.p50_ms for load in loads)
        p99 = statistics.median(load.p99_ms for load in loads)
        latency = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        yield figure(f"  {who}: {latency}", [load.per_second for load in loads], "/s")
