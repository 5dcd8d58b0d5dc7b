#!/usr/bin/env python3
"""Trains a small neural network to read digits of 8 x 8 pixels, in the standard library alone.

The digits are drawn from ten glyphs, shifted and blurred by noise, so there is nothing to download. It writes

    outputs/metrics.json    the results at the end
    outputs/history.csv     loss and accuracy per epoch
    outputs/per_class.md    precision and recall per digit
    outputs/train.log       what it printed, with times
"""

import argparse
import csv
import json
import math
import pathlib
import random
import sys
import time

GLYPHS = [
    "0110 1001 1001 1001 1001 0110",
    "0010 0110 0010 0010 0010 0111",
    "0110 1001 0001 0010 0100 1111",
    "1110 0001 0110 0001 0001 1110",
    "0010 0110 1010 1111 0010 0010",
    "1111 1000 1110 0001 0001 1110",
    "0110 1000 1110 1001 1001 0110",
    "1111 0001 0010 0010 0100 0100",
    "0110 1001 0110 1001 1001 0110",
    "0110 1001 1001 0111 0001 0110",
]
SIDE = 8
CLASSES = len(GLYPHS)
# What the right class is taught to be short of 1, spread over the others.
LABEL_SMOOTHING = 0.0


def draw(digit, noise, rng):
    """One picture of `digit`, somewhere in the square, each pixel off by some noise."""
    pixels = [0.0] * (SIDE * SIDE)
    top, left = rng.randint(0, 2), rng.randint(1, 3)
    for row, line in enumerate(GLYPHS[digit].split()):
        for column, bit in enumerate(line):
            pixels[(top + row) * SIDE + left + column] = float(bit)
    return [pixel + rng.gauss(0.0, noise) for pixel in pixels]


def dataset(size, noise, rng):
    return [(draw(index % CLASSES, noise, rng), index % CLASSES) for index in range(size)]


def dot(left, right):
    return sum(map(float.__mul__, left, right))


class Network:
    """One hidden layer of rectified units, a softmax on top."""

    def __init__(self, hidden, rng):
        inputs = SIDE * SIDE
        self.w1 = [[rng.gauss(0.0, math.sqrt(2.0 / inputs)) for _ in range(inputs)] for _ in range(hidden)]
        self.b1 = [0.0] * hidden
        self.w2 = [[rng.gauss(0.0, math.sqrt(1.0 / hidden)) for _ in range(hidden)] for _ in range(CLASSES)]
        self.b2 = [0.0] * CLASSES

    def parameters(self):
        return sum(len(row) + 1 for row in self.w1) + sum(len(row) + 1 for row in self.w2)

    def forward(self, pixels):
        hidden = [max(0.0, dot(row, pixels) + bias) for row, bias in zip(self.w1, self.b1)]
        scores = [dot(row, hidden) + bias for row, bias in zip(self.w2, self.b2)]
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        total = sum(powers)
        return hidden, [power / total for power in powers]

    def learn(self, pixels, label, rate):
        """One step of gradient descent on one picture. Returns its loss."""
        hidden, guess = self.forward(pixels)
        target = [LABEL_SMOOTHING / CLASSES] * CLASSES
        target[label] += 1.0 - LABEL_SMOOTHING
        slopes = [p - t for p, t in zip(guess, target)]
        for unit, value in enumerate(hidden):
            if value <= 0.0:
                continue
            step = rate * sum(slope * row[unit] for slope, row in zip(slopes, self.w2))
            self.w1[unit] = [weight - step * pixel for weight, pixel in zip(self.w1[unit], pixels)]
            self.b1[unit] -= step
        for k, slope in enumerate(slopes):
            step = rate * slope
            self.w2[k] = [weight - step * value for weight, value in zip(self.w2[k], hidden)]
            self.b2[k] -= step
        return -math.log(max(guess[label], 1e-12))


def evaluate(network, samples):
    """The confusion matrix, `matrix[truth][guess]`, and the mean loss."""
    matrix = [[0] * CLASSES for _ in range(CLASSES)]
    loss = 0.0
    for pixels, label in samples:
        _, guess = network.forward(pixels)
        matrix[label][guess.index(max(guess))] += 1
        loss -= math.log(max(guess[label], 1e-12))
    return matrix, loss / len(samples)


def per_class(matrix):
    rows = []
    for digit in range(CLASSES):
        hits = matrix[digit][digit]
        said, there = sum(row[digit] for row in matrix), sum(matrix[digit])
        precision, recall = hits / said if said else 0.0, hits / there if there else 0.0
        both = precision + recall
        rows.append((digit, precision, recall, 2 * precision * recall / both if both else 0.0, there))
    return rows


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--config", type=pathlib.Path, default=pathlib.Path("configs/base.json"))
    parser.add_argument("--outputs", type=pathlib.Path, default=pathlib.Path("outputs"))
    for name, kind in [("hidden", int), ("learning-rate", float), ("epochs", int), ("noise", float), ("seed", int)]:
        parser.add_argument(f"--{name}", type=kind, help="instead of the config's")
    args = parser.parse_args()
    config = json.loads(args.config.read_text(encoding="utf-8"))
    for name in ("hidden", "learning_rate", "epochs", "noise", "seed"):
        if getattr(args, name) is not None:
            config[name] = getattr(args, name)
    return config, args.outputs


def main():
    config, outputs = options()
    outputs.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    rng = random.Random(config["seed"])
    train = dataset(config["train_size"], config["noise"], rng)
    test = dataset(config["test_size"], config["noise"], random.Random(10_000 + config["seed"]))
    network = Network(config["hidden"], rng)

    with open(outputs / "train.log", "w", encoding="utf-8") as log, open(
        outputs / "history.csv", "w", newline="", encoding="utf-8"
    ) as history:

        def say(line):
            print(line, flush=True)
            log.write(f"{time.strftime('%H:%M:%S')} {line}\n")
            log.flush()

        table = csv.writer(history)
        table.writerow(["epoch", "train_loss", "test_loss", "test_accuracy", "seconds"])
        say(f"{network.parameters()} parameters, {len(train)} pictures, seed {config['seed']}")
        for epoch in range(1, config["epochs"] + 1):
            rng.shuffle(train)
            loss = sum(network.learn(pixels, label, config["learning_rate"]) for pixels, label in train) / len(train)
            if epoch >= 3 and not loss < math.log(CLASSES):
                say(f"epoch {epoch:2}/{config['epochs']}  loss {loss:.4f}")
                print(f"error: after {epoch} epochs no better than guessing; try a lower learning rate", file=sys.stderr)
                return 3
            matrix, test_loss = evaluate(network, test)
            accuracy = sum(matrix[digit][digit] for digit in range(CLASSES)) / len(test)
            seconds = time.monotonic() - begun
            table.writerow([epoch, f"{loss:.4f}", f"{test_loss:.4f}", f"{accuracy:.4f}", f"{seconds:.2f}"])
            say(f"epoch {epoch:2}/{config['epochs']}  loss {loss:.4f}  test loss {test_loss:.4f}  accuracy {accuracy:.3f}")

        rows = per_class(matrix)
        with open(outputs / "per_class.md", "w", encoding="utf-8") as report:
            report.write("# Per digit\n\n| digit | precision | recall | f1 | pictures |\n| --- | --- | --- | --- | --- |\n")
            for digit, precision, recall, f1, there in rows:
                report.write(f"| {digit} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {there} |\n")
        metrics = {
            "accuracy": round(accuracy, 4),
            "macro_f1": round(sum(row[3] for row in rows) / CLASSES, 4),
            "loss": round(test_loss, 4),
            "train_loss": round(loss, 4),
            "parameters": network.parameters(),
            "seconds": round(time.monotonic() - begun, 3),
        }
        (outputs / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        say(f"accuracy: {metrics['accuracy']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
