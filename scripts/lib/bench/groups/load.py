"""Many clients that create runs and finish them, against MLflow; and one client."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterator

from ..figures import Figure, figure
from ..mlflow import MlflowServer, mlflow_server
from ..processes import Service, say
from ..server import NEW_RUN, Account, Server, served
from ..session import Bench
from ..wrk import Load, headers_of, load

RATE_RATIO = 25
P99_MS = 25

CLIENTS = 32
# Each of MLflow's workers makes itself ready with its first request.
WARM_UP_SECONDS = 10

TITLE = "Creating and finishing runs, beside MLflow"
HOW = (
    f"wrk creates runs through so many connections at once and finishes each with a second request; it asks the API of "
    f"each server directly. The rate is that of finished runs; the percentiles are those of single requests. MLflow's "
    f"runs have a name and two tags, ours also what its recorder would send. The two take turns, and who goes first "
    f"changes. The goals are for {CLIENTS} clients."
)

SCRIPT = """
local ids = {}
counted = 0

function request()
  local id = table.remove(ids)
  if id then
    return wrk.format("%(finish_method)s", "%(finish_path)s" .. id, nil, ([==[%(finish)s]==]):gsub("RUN", id))
  end
  return wrk.format("POST", nil, nil, [==[%(create)s]==])
end

function response(status, headers, body)
  local id = string.match(body, '%(id)s')
  if string.find(body, '%(fresh)s') then
    table.insert(ids, id)
  else
    counted = counted + 1
  end
end
"""


@dataclasses.dataclass(frozen=True)
class Client:
    """What is asked of a server, and of which."""

    who: str
    service: Service
    path: str
    script: str

    def load(self, bench: Bench, connections: int, seconds: int) -> Load:
        """One stretch of it."""
        return load(bench, self.service, self.script, self.path, connections, seconds)


def client_of(server: Server, account: Account) -> Client:
    """The server's own API."""
    script = SCRIPT % {
        "create": json.dumps(NEW_RUN),
        "id": '"id":"([-0-9a-f]+)"',
        "fresh": '"run_token"',
        "finish_method": "PATCH",
        "finish_path": "/v1/runs/",
        "finish": json.dumps({"status": "completed", "exit_code": 0, "duration_seconds": 3.5}),
    }
    return Client("server", server, "/v1/runs", headers_of(account.headers()) + script)


def client_of_mlflow(server: MlflowServer) -> Client:
    """The API that MLflow's client speaks."""
    run = {
        "experiment_id": "0",
        "run_name": NEW_RUN["title"],
        "start_time": 1764000000000,
        "tags": [{"key": tag, "value": ""} for tag in NEW_RUN["tags"]],
    }
    script = SCRIPT % {
        "create": json.dumps(run),
        "id": '"run_id": ?"([0-9a-f]+)"',
        "fresh": '"RUNNING"',
        "finish_method": "POST",
        # Whatever stands behind the question mark is passed over there.
        "finish_path": "/api/2.0/mlflow/runs/update?",
        "finish": json.dumps({"run_id": "RUN", "status": "FINISHED", "end_time": 1764000003500}),
    }
    headers = headers_of({"content-type": "application/json"})
    return Client("MLflow", server, "/api/2.0/mlflow/runs/create", headers + script)


def measure(bench: Bench) -> None:
    """All of it, with both servers running."""
    bench.measure("creating and finishing runs", creating_and_finishing)


def creating_and_finishing(bench: Bench) -> Iterator[Figure]:
    """One client and many, both servers in turns."""
    with mlflow_server(bench) as other, served(bench, "load") as (server, account):
        ours, theirs = client_of(server, account), client_of_mlflow(other)
        for client in (ours, theirs):
            client.load(bench, CLIENTS, WARM_UP_SECONDS)
        for connections in (1, CLIENTS):
            yield from beside_each_other(bench, ours, theirs, connections)


def beside_each_other(bench: Bench, ours: Client, theirs: Client, connections: int) -> Iterator[Figure]:
    """The same with one number of clients."""
    loads: dict[str, list[Load]] = {ours.who: [], theirs.who: []}
    for number in range(bench.repetitions.load_rounds):
        say(f"creating and finishing runs: {connections} at once, round {number + 1}")
        for client in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            loads[client.who].append(client.load(bench, connections, bench.repetitions.load_seconds))
    is_judged = connections == CLIENTS
    pairs = list(zip(loads[ours.who], loads[theirs.who]))
    ratios = [our.per_second / their.per_second for our, their in pairs]
    clients = f"{connections} clients" if connections > 1 else "one client"
    yield figure(f"{clients}: server / MLflow", ratios, "x", at_least=RATE_RATIO if is_judged else None)
    p99s = [our.p99_ms for our in loads[ours.who]]
    yield figure("  server: a request, p99", p99s, "ms", at_most=P99_MS if is_judged else None)
    for who, its in loads.items():
        yield figure(f"  {who}: {latency(its)}; runs", [load.per_second for load in its], "/s")


def latency(loads: list[Load]) -> str:
    """The percentiles of several stretches, in words."""
    p50 = statistics.median(load.p50_ms for load in loads)
    p99 = statistics.median(load.p99_ms for load in loads)
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
