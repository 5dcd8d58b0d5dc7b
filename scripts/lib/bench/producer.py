"""A command that prints log lines: `producer.py MEGABYTES MEGABYTES_A_SECOND REPORT`; 0 a second is as fast as it can.

What it takes, by its own clock, is written to REPORT.
"""

import os
import sys
import time

BLOCK = 1024 * 1024


def block():
    """A MiB of lines as a training writes them."""
    lines = []
    size = step = 0
    while size < BLOCK:
        when = f"2026-11-22 17:03:{step % 60:02},{step % 1000:03}"
        line = f"{when} INFO train: step {step} loss {1 / (step + 1):.6f} lr 0.0003\n"
        lines.append(line)
        size += len(line)
        step += 1
    return "".join(lines).encode()[:BLOCK]


def main():
    """Writes it all to standard output."""
    megabytes, rate, report = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    piece, left, written = memoryview(block()), megabytes * 1_000_000, 0
    began = time.perf_counter()
    while left:
        if rate:
            early = began + written / (rate * 1e6) - time.perf_counter()
            if early > 0:
                time.sleep(early)
        sent = os.write(1, piece[: min(left, len(piece))])
        left, written = left - sent, written + sent
    with open(report, "w") as file:
        file.write(str(time.perf_counter() - began))


main()
