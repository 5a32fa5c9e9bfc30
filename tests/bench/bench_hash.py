#!/usr/bin/python3
"""Hashing for verdicts, and what it does to everybody else. Everything that is hashed was dropped before
the daemon started, lies in the page cache, and is executed in mode report.

latency     while an unknown file of 4 GiB is hashed for its verdict: what execs take of a program of the
            image (again, and others for the first time), of an approved drop, and of unknown programs
            of 1 MiB; beside the same before it, and beside an unguarded machine with a process that hashes
pool        the same files hashed by the daemon's pool alone, under leases, without an exec
throughput  many unknown files of 1 MiB and of 64 MiB, executed by twice as many processes as there are
            cores, against `openssl speed` on one core times the cores, and on all cores at once
"""
import os
import re
import subprocess
import time

import common
from arena import (QUICK, Arena, approve, digest_of, execbench, execute, execwardd, guarded,
                   write_program, write_tiny)
from harness.daemon import BUILD
from common import Result, flat, interleave, microseconds, output_of, p99, spread

ROUNDS = common.rounds(5)
MIB = 1 << 20
BIG = common.scaled(4096) * MIB
CHUNK = 50        # execs of each kind between two looks at whether the big file is still being hashed
FIRSTS = 20       # of those, programs that are new each time
CHUNKS_MAX = 200  # in a round, while it is hashed; the new programs are made before
IDLE_CHUNKS = common.scaled(20, 4)
SIZES = {"1 MiB": (MIB, common.scaled(1024, 16)), "64 MiB": (64 * MIB, common.scaled(32, 2))}
SPEED_SECONDS = max(1, round(3 * common.SCALE))
POOLBENCH = os.path.join(BUILD, "helpers/poolbench")
CORES = len(os.sched_getaffinity(0))
KINDS = ("again", "first", "approved", "unknown")


def read_all(paths):
    """Into the page cache: the disk is not what is measured."""
    for path in paths:
        with open(path, "rb") as file:
            while file.read(16 * MIB):
                pass


# --- latency ----------------------------------------------------------------------------------------

class Stock:
    """Programs of one round; what is to be new each time is taken from a list."""

    def __init__(self, arena, overlay, number):
        with open(QUICK, "rb") as file:
            quick = file.read()
        overlay.drop("/tmp/approved", quick + b"approved")
        self.approved = digest_of(overlay.path("/tmp/approved"))
        write_program(overlay.path("/tmp/big"), quick + b"%08d" % number, BIG)
        read_all([overlay.path("/tmp/big")])
        chunks = CHUNKS_MAX + IDLE_CHUNKS
        self.first = write_tiny(arena.image, f"/first{number}", chunks * FIRSTS)
        self.unknown = write_tiny(overlay.merged, "/tmp/unknown", chunks, number << 32, MIB)
        read_all(overlay.path(path) for path in self.unknown)

    def chunk(self, overlay):
        """Nanoseconds of each exec, by kind."""
        new, self.first = self.first[:FIRSTS], self.first[FIRSTS:]
        return {"again": execute(overlay, ["/bin/quick"], CHUNK)[1],
                "first": execute(overlay, new)[1],
                "approved": execute(overlay, ["/tmp/approved"], CHUNK)[1],
                "unknown": execute(overlay, [self.unknown.pop()])[1]}


def joined(chunks):
    return {kind: flat(chunk[kind] for chunk in chunks) for kind in KINDS}


def while_running(process, stock, overlay):
    """Chunks until the process ends: the last one, which saw its end, does not count."""
    chunks = []
    while len(chunks) < CHUNKS_MAX:
        chunk = stock.chunk(overlay)
        if process.poll() is not None and chunks:
            break
        chunks.append(chunk)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return chunks


class Latency:
    def __init__(self, arena):
        self.arena, self.number = arena, 0

    def measure(self, name, make):
        self.number += 1
        with self.arena.overlay() as overlay:
            stock = Stock(self.arena, overlay, self.number)
            with guarded(make) as guard:
                approve(guard, [stock.approved])
                execute(overlay, ["/bin/quick"], 50)
                idle = joined([stock.chunk(overlay) for _ in range(IDLE_CHUNKS)])
                command = execbench(overlay, ["/tmp/big"]) if guard else \
                    ["openssl", "dgst", "-sha256", overlay.path("/tmp/big")]
                began = time.monotonic()
                with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                    busy = joined(while_running(process, stock, overlay))
        return {"idle": idle, "busy": busy, "seconds": time.monotonic() - began}


def report_latency(found, result):
    factors = {}
    for name, measured in found.items():
        result.row(f"latency, {name}", {
            "seconds_hashing": spread([r["seconds"] for r in measured]),
            **{state: {kind: microseconds(flat(r[state][kind] for r in measured)) for kind in KINDS}
               for state in ("idle", "busy")}})
        factors[name] = {kind: round(p99(flat(r["busy"][kind] for r in measured)) /
                                     p99(flat(r["idle"][kind] for r in measured)), 3) for kind in KINDS}
    texts = {"again": "program of the image, again", "first": "program of the image, first exec",
             "approved": "approved drop"}
    for kind, text in texts.items():
        result.figure(f"p99 while {BIG // MIB:,} MiB are hashed / idle: {text}", factors["execward"][kind], "x",
                      "<= 2", {"unguarded, openssl dgst runs": factors["unguarded"][kind]})
    for state, text in (("idle", "idle"), ("busy", f"while {BIG // MIB:,} MiB are hashed")):
        worst = max(flat(r[state]["unknown"] for r in found["execward"])) / 1e6
        result.figure(f"unknown program of 1 MiB, {text}, the slowest exec", round(worst, 2), "ms", "<= 50")
    result.chart("p99 while a large file is hashed / idle", list(texts.values()),
                 {name: [f[kind] for kind in texts] for name, f in factors.items()}, limit=2)


# --- throughput -------------------------------------------------------------------------------------

def throughput(arena, number):
    """MiB a second by size of file."""
    found = {}
    for label, (size, count) in SIZES.items():
        with arena.overlay() as overlay:
            programs = write_tiny(overlay.merged, "/tmp/unknown", count, number << 32, size)
            read_all(overlay.path(path) for path in programs)
            with guarded(execwardd(arena.fs.mount, mode="report")):
                execute(overlay, ["/bin/quick"], 50)
                took = sum(execute(overlay, programs[at:at + 500], processes=2 * CORES)[0]
                           for at in range(0, count, 500))
        found[label] = size * count / MIB / (took / 1e9)
    return found


def pool(arena, _):
    """MiB a second by size of file, of what the daemon's threads do: no exec, no event, no record."""
    found = {}
    for label, (size, count) in SIZES.items():
        with arena.overlay() as overlay:
            programs = [overlay.upper + path for path in
                        write_tiny(overlay.merged, "/tmp/pool", count, 1 << 60, size)]
            read_all(programs)
            took = int(output_of(POOLBENCH, str(CORES), *programs))
        found[label] = size * count / MIB / (took / 1e9)
    return found


def openssl_speed(processes):
    multi = ["-multi", str(processes)] if processes > 1 else []
    text = output_of("openssl", "speed", "-evp", "sha256", "-bytes", str(MIB), "-seconds",
                     str(SPEED_SECONDS), *multi)
    return float(re.findall(r"^sha256\s+([0-9.]+)k", text, re.M)[0]) * 1000 / MIB


def measure_throughput(arena):
    """In turn, so that a machine that drifts drifts for all."""
    subjects = {"execward": lambda number: throughput(arena, number),
                "pool": lambda number: pool(arena, number),
                "openssl": lambda _: {"one": openssl_speed(1), "all": openssl_speed(CORES)}}
    numbers = iter(range(1000, 10000))
    return interleave(ROUNDS, subjects, lambda _, subject: subject(next(numbers)))


def report_throughput(found, result):
    pairs = list(zip(found["execward"], found["openssl"], strict=True))
    result.row("throughput", {
        **{label: spread([r[label] for r in found["execward"]], 0) for label in SIZES},
        **{f"pool, {label}": spread([r[label] for r in found["pool"]], 0) for label in SIZES},
        "openssl speed, one core": spread([r["one"] for r in found["openssl"]], 0),
        "openssl speed, all cores at once": spread([r["all"] for r in found["openssl"]], 0)})
    for label in SIZES:
        result.figure(f"digest pool, files of {label}, MiB/s / openssl speed -multi {CORES}",
                      spread([ours[label] / peer["all"] for ours, peer in
                              zip(found["pool"], found["openssl"], strict=True)]), "x", ">= 0.9")
    for label in SIZES:
        at_once = spread([r["all"] / (r["one"] * CORES) for r in found["openssl"]])
        result.figure(f"unknown files of {label}, MiB/s / (openssl speed x {CORES} cores)",
                      spread([ours[label] / (peer["one"] * CORES) for ours, peer in pairs]), "x", ">= 0.9",
                      {f"openssl speed -multi {CORES}": at_once})
        # What the cores really give together: they may be threads of one core.
        result.figure(f"unknown files of {label}, MiB/s / openssl speed -multi {CORES}",
                      spread([ours[label] / peer["all"] for ours, peer in pairs]), "x")


def main():
    result = Result("hash", "Hashing for verdicts", ROUNDS)
    with Arena("6G") as arena:
        report_throughput(measure_throughput(arena), result)
        subjects = {"unguarded": None,
                    "execward": execwardd(arena.fs.mount, mode="report", extra="deadline: 60s")}
        report_latency(interleave(ROUNDS, subjects, Latency(arena).measure), result)
    result.finish()


if __name__ == "__main__":
    common.main(main)
