"""wrk, which asks a server as fast as it answers, through many connections at once."""

from __future__ import annotations

import dataclasses
import json

from .processes import COMMAND_WITHIN, BenchError, Service, environment, need, run
from .session import Bench

# What every script ends with: what it came to, in a line that can be read. `counted`, a global of each thread, is how
# many of the things that the script is for were done; without it, requests are counted.
DONE = """
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local counted = 0
  for _, thread in ipairs(threads) do
    counted = counted + (thread:get("counted") or 0)
  end
  if counted == 0 then
    counted = summary.requests
  end
  io.write(string.format(
    '\\nMEASURED {"counted": %.0f, "microseconds": %.0f, "p50": %.0f, "p95": %.0f, "p99": %.0f, "failed": %.0f}\\n',
    counted, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99), failed))
end
"""


@dataclasses.dataclass(frozen=True)
class Load:
    """What one stretch of load came to."""

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def load(bench: Bench, service: Service, script: str, path: str, connections: int, seconds: int) -> Load:
    """Asks through so many connections for so many seconds. The script says what is asked."""
    # It may hold a key.
    file = bench.work / "wrk.lua"
    file.touch(mode=0o600)
    file.write_text(script + DONE)
    # Slow answers are slow, and no failures.
    argv = [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={COMMAND_WITHIN}s", "--latency"]
    argv += ["-s", file]
    output = run([*argv, f"{service.url}{path}"], env=environment(), seconds=seconds + COMMAND_WITHIN)
    lines = [line for line in output.splitlines() if line.startswith("MEASURED ")]
    if not lines:
        raise BenchError(f"wrk said nothing that can be read:\n{output[-500:]}")
    told = json.loads(lines[-1].split(" ", 1)[1])
    if told["failed"] or not told["counted"]:
        failed = f"{told['failed']} requests failed beside {told['counted']}"
        raise BenchError(f"{service.name()}: {failed}:\n{service.log_end()}")
    milliseconds = [told[percent] / 1000 for percent in ("p50", "p95", "p99")]
    return Load(told["counted"] / told["microseconds"] * 1e6, *milliseconds)


def headers_of(headers: dict[str, str]) -> str:
    """Lua that has these headers sent with each request."""
    return "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())
