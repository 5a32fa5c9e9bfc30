#!/usr/bin/python3
"""What a container's start costs: from `podman run` to the first byte of its output, unguarded, under
execwardd and under fapolicyd. In each round each takes a fresh guard, a run that does not count, and one
that does; every run has a container, and so an overlay, of its own."""
import contextlib
import subprocess
import time

import common
from arena import Arena, fapolicyd_of, guarded, guards
from common import Result, interleave, microseconds, ratio
from harness.runtimes import LIMITS, Podman

ROUNDS = common.rounds(20)
IMAGE = "alpha"


def first_output(podman):
    """Nanoseconds; the container is gone when this returns."""
    began = time.monotonic_ns()
    with subprocess.Popen([*podman.argv(), "run", "--rm", "--network", "none", *LIMITS, IMAGE,
                           "/bin/echo", "out"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        seen = process.stdout.read(1)
        took = time.monotonic_ns() - began
        _, errors = process.communicate(timeout=120)
    assert seen == b"o" and process.returncode == 0, errors.decode()
    return took


def measure(podman, make):
    with guarded(make):
        first_output(podman)
        return [first_output(podman)]


def report(found, result):
    ratios = {}
    for name, measured in found.items():
        ratios[name] = ratio(measured, found["unguarded"])
        result.row(name, {**microseconds([took for took, in measured]), "ratio": ratios[name]})
    for name in (n for n in found if n.startswith("execward")):
        result.figure(f"podman run to first output, {name.split(', ')[1]}", ratios[name], "x", "<= 1.02",
                      fapolicyd_of(ratios))
    result.chart("guarded / unguarded, median", ["podman run to first output"],
                 {name: [r["value"]] for name, r in ratios.items() if name != "unguarded"}, limit=1)


def main():
    result = Result("start", "What a container's start costs", ROUNDS)
    with Arena() as arena, contextlib.closing(Podman(arena.fs)) as podman:
        podman.import_image(arena.image, IMAGE)
        subjects = guards(arena, extra=podman.runtimes_config())
        report(interleave(ROUNDS, subjects, lambda _, make: measure(podman, make)), result)
    result.finish()


if __name__ == "__main__":
    common.main(main)
