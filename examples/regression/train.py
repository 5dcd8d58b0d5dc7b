#!/usr/bin/env python3
"""Fits a line through noisy points by gradient descent, in the standard library alone.

It writes `outputs/metrics.json` and `outputs/points.tsv`, and prints `name: value` lines, which Trace reads as results
when they stand in an expected log.
"""

import argparse
import json
import pathlib
import random
import sys


def points(size, slope, intercept, noise, rng):
    xs = [rng.uniform(-1.0, 1.0) for _ in range(size)]
    return [(x, slope * x + intercept + rng.gauss(0.0, noise)) for x in xs]


def mean_squared_error(sample, slope, intercept):
    return sum((slope * x + intercept - y) ** 2 for x, y in sample) / len(sample)


def fit(sample, steps, rate, say):
    slope = intercept = 0.0
    for step in range(1, steps + 1):
        errors = [(slope * x + intercept - y, x) for x, y in sample]
        slope -= rate * 2.0 * sum(error * x for error, x in errors) / len(sample)
        intercept -= rate * 2.0 * sum(error for error, _ in errors) / len(sample)
        if step % max(1, steps // 10) == 0:
            say(f"step {step}/{steps}, mse {mean_squared_error(sample, slope, intercept):.5f}")
    return slope, intercept


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--config", type=pathlib.Path, default=pathlib.Path("configs/line.json"))
    parser.add_argument("--outputs", type=pathlib.Path, default=pathlib.Path("outputs"))
    args = parser.parse_args()
    config = json.loads(args.config.read_text(encoding="utf-8"))
    args.outputs.mkdir(parents=True, exist_ok=True)

    rng = random.Random(config["seed"])
    sample = points(config["points"], config["slope"], config["intercept"], config["noise"], rng)
    held_out = points(config["points"], config["slope"], config["intercept"], config["noise"], rng)

    with open(args.outputs / "train.log", "w", encoding="utf-8") as log:

        def say(line):
            print(line, flush=True)
            log.write(line + "\n")

        slope, intercept = fit(sample, config["steps"], config["learning_rate"], say)
        mse = mean_squared_error(held_out, slope, intercept)
        say(f"slope: {slope:.4f}")
        say(f"intercept: {intercept:.4f}")

    with open(args.outputs / "points.tsv", "w", encoding="utf-8") as table:
        table.write("x\ty\tpredicted\n")
        for x, y in sorted(held_out)[:: max(1, len(held_out) // 50)]:
            table.write(f"{x:.4f}\t{y:.4f}\t{slope * x + intercept:.4f}\n")
    (args.outputs / "metrics.json").write_text(json.dumps({"mse": round(mse, 6)}) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
