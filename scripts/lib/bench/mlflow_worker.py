"""What MLflow's own client does, in MLflow's environment: asked by `mlflow.py` through stdin, a JSON object a line.

    {"do": "artifacts", "folder": …}              log_artifacts of a folder, in a new run
    {"do": "artifact", "file": …}                 a new run with one artifact, and its end
    {"do": "batches", "clients": 8, "each": 5}    log_batch of 1,000 points, from so many processes at once
    {"do": "history", "points": 100000}           so many points in one series, and its whole history read back
"""

from __future__ import annotations

import json
import math
import multiprocessing
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric

BATCH = 1000
SERIES = 10


def new_run(client: MlflowClient) -> str:
    """The id of a new run in the experiment that is there from the start."""
    return client.create_run("0").info.run_id


def log_artifacts(client: MlflowClient, folder: str) -> dict:
    """A folder's files, through the server."""
    run = new_run(client)
    began = time.perf_counter()
    client.log_artifacts(run, folder)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "files": len(client.list_artifacts(run))}


def log_artifact(client: MlflowClient, file: str) -> dict:
    """A run with one file, from its beginning to its end."""
    began = time.perf_counter()
    run = new_run(client)
    client.log_artifact(run, file)
    client.set_terminated(run)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "files": len(client.list_artifacts(run))}


def points(batch: int) -> list[Metric]:
    """A thousand points: the next hundred steps of ten series."""
    first, now = batch * BATCH // SERIES, int(time.time() * 1000)
    steps = range(first, first + BATCH // SERIES)
    names = [f"train/loss_{number}" for number in range(SERIES)]
    return [Metric(name, math.exp(-step / 1e4), now, step) for name in names for step in steps]


def send_batches(url: str, each: int, barrier, ends) -> None:
    """One of the clients: a run of its own, and its batches one after the other."""
    client = MlflowClient(url)
    run = new_run(client)
    batches = [points(number) for number in range(each)]
    barrier.wait()
    try:
        for batch in batches:
            client.log_batch(run, batch)
        ends.put(time.perf_counter())
    except Exception as error:
        ends.put(f"{type(error).__name__}: {error}")


def log_batches(url: str, clients: int, each: int) -> dict:
    """All of them at once, from the moment that all are ready until the last one is done."""
    # Forked, so that none imports MLflow again while others measure.
    context = multiprocessing.get_context("fork")
    barrier, ends = context.Barrier(clients + 1), context.Queue()
    work = (url, each, barrier, ends)
    senders = [context.Process(target=send_batches, args=work, daemon=True) for _ in range(clients)]
    for sender in senders:
        sender.start()
    barrier.wait(120)
    began = time.perf_counter()
    ended = [ends.get(timeout=500) for _ in senders]
    for wrong in ended:
        if isinstance(wrong, str):
            raise RuntimeError(wrong)
    return {"seconds": max(ended) - began, "points": clients * each * BATCH}


def history(client: MlflowClient, count: int) -> dict:
    """One long series, written in batches and read back."""
    run = new_run(client)
    now = int(time.time() * 1000)
    metrics = [Metric("loss", math.exp(-step / 1e4), now, step) for step in range(count)]
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        client.log_batch(run, metrics[start : start + BATCH])
    taken = time.perf_counter()
    found = client.get_metric_history(run, "loss")
    return {"taken": taken - began, "read": time.perf_counter() - taken, "points": len(found)}


def answer(url: str, client: MlflowClient, asked: dict) -> dict:
    """Does what is asked."""
    try:
        if asked["do"] == "artifacts":
            return log_artifacts(client, asked["folder"])
        if asked["do"] == "artifact":
            return log_artifact(client, asked["file"])
        if asked["do"] == "batches":
            return log_batches(url, asked["clients"], asked["each"])
        return history(client, asked["points"])
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    """Answers until nothing more is asked."""
    url = sys.argv[1]
    client = MlflowClient(url)
    # MLflow prints too.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(url, client, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
