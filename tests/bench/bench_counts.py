#!/usr/bin/python3
"""What a verdict makes the daemon do: system calls of all its threads by name (strace, backing marks), and
instructions (callgrind, overlay marks).

The numbers are per exec, of a daemon that has answered some of the same kind before; what is written to the
database and to the outputs afterwards is in them. valgrind does not know openat2(2), which the daemon then
does without, nor the processor's SHA instructions: its instructions compare kinds and revisions, and are no
measure of time. Programs are of 137 bytes, so that what is counted is the verdict and not the digest."""
import contextlib
import glob
import os
import re
import signal
import subprocess
import tempfile
import time

import common
from arena import Arena, approve, digest_of, events_of, execute, execute_each, execwardd, guarded, write_tiny
from common import Result, progress

EXECS = common.scaled(1000, 20)
WARM = 20
TRACED_EXECS = common.scaled(200, 10)  # under callgrind, which is slow
SETTLE_SECONDS = 2                     # after which all is recorded and leases have ended
KINDS = {"image": "program of the image, first exec",
         "unknown": "dropped, unknown",
         "approved": "dropped, approved, first exec",
         "again": "dropped, approved, again",
         "known": "program of the image, again"}


class Programs:
    """Of one kind, in an overlay: the programs to warm up with, and those to count."""

    made = 0

    def __init__(self, arena, overlay, kind, count):
        dropped, repeated = kind not in ("image", "known"), kind in ("again", "known")
        root, folder = (overlay.merged, "/tmp/x") if dropped else (arena.image, f"/programs{self.made}")
        paths = write_tiny(root, folder, 1 if repeated else WARM + count, Programs.made)
        Programs.made += len(paths)
        self.warm = paths * WARM if repeated else paths[:WARM]
        self.counted = paths * count if repeated else paths[WARM:]
        self.digests = {digest_of(root + path) for path in paths} if kind in ("approved", "again") else ()


@contextlib.contextmanager
def prepared(arena, kind, count, **options):
    """A warm daemon, and the overlay with the programs to count."""
    with arena.overlay() as overlay:
        programs = Programs(arena, overlay, kind, count)
        with guarded(execwardd(arena.fs.mount, mode="report", **options)) as daemon:
            approve(daemon, programs.digests)
            execute(overlay, ["/bin/quick"], 2)
            execute(overlay, programs.warm)
            time.sleep(SETTLE_SECONDS)
            yield daemon, overlay, programs.counted


# --- system calls -------------------------------------------------------------------------------------

def traced(pid):
    """Whether every thread has a tracer."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            if "TracerPid:\t0\n" in file.read():
                return False
    return True


@contextlib.contextmanager
def strace(pid, prefix):
    with subprocess.Popen(["strace", "-ff", "-o", prefix, "-p", str(pid)], stderr=subprocess.DEVNULL) as tracer:
        try:
            end = time.monotonic() + 30
            while not traced(pid):
                assert tracer.poll() is None and time.monotonic() < end, "strace does not attach"
                time.sleep(0.05)
            yield
            time.sleep(SETTLE_SECONDS)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(timeout=30)


def calls_by_name(prefix):
    """What was under way when strace came or went does not count."""
    found = {}
    for path in glob.glob(prefix + ".*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                match = re.match(r"(\w+)\(", line)
                if match and "resuming interrupted" not in line and "<detached" not in line:
                    found[match[1]] = found.get(match[1], 0) + 1
    return found


def count_calls(arena, kind):
    """{name: calls an exec}, and the events an exec."""
    with prepared(arena, kind, EXECS, marks="backing") as (daemon, overlay, programs), \
            tempfile.TemporaryDirectory(prefix="execward-strace-", dir="/var/tmp") as folder:
        before = events_of(daemon)
        with strace(daemon.pid, folder + "/calls"):
            execute_each(overlay, programs)
        events = (events_of(daemon) - before) / EXECS
        calls = calls_by_name(folder + "/calls")
    progress(f"system calls: {kind}")
    return {name: round(n / EXECS, 3) for name, n in calls.items()}, round(events, 3)


# --- instructions -------------------------------------------------------------------------------------

def instructions_of_run(arena, kind, count, folder):
    out = f"{folder}/callgrind-{kind}-{count}"
    prefix = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out]
    with prepared(arena, kind, count, marks="overlay", prefix=prefix) as (_, overlay, programs):
        execute_each(overlay, programs)
        time.sleep(SETTLE_SECONDS)
    with open(out, encoding="ascii", errors="replace") as file:
        return int(re.search(r"^summary: (\d+)", file.read(), re.M)[1])


def count_instructions(arena, kind):
    """The difference of two runs: start, end and warming up are in both."""
    with tempfile.TemporaryDirectory(prefix="execward-callgrind-", dir="/var/tmp") as folder:
        few, many = (instructions_of_run(arena, kind, n, folder) for n in (TRACED_EXECS, 2 * TRACED_EXECS))
    progress(f"instructions: {kind}")
    return round((many - few) / TRACED_EXECS)


def main():
    result = Result("counts", "What a verdict makes the daemon do", 1)
    with Arena() as arena:
        counted = {kind: count_calls(arena, kind) for kind in KINDS}
        instructions = {kind: count_instructions(arena, kind) for kind in ("image", "unknown", "approved")}
    result.row("kinds", KINDS)
    result.row("calls", {kind: calls for kind, (calls, _) in counted.items()})
    result.row("events", {kind: events for kind, (_, events) in counted.items()})
    totals = {kind: round(sum(calls.values()), 2) for kind, (calls, _) in counted.items()}
    for kind, text in KINDS.items():
        result.figure(f"system calls an exec: {text}", totals[kind], "", None, {"events": counted[kind][1]})
    # A daemon that valgrind cannot run (openat2 and what is newer) executes none for a verdict.
    for kind, count in ((k, n) for k, n in instructions.items() if n > 1000):
        result.figure(f"instructions an exec, callgrind, overlay marks: {KINDS[kind]}", count)
    result.chart("system calls an exec", list(KINDS), {"execward": list(totals.values())})
    result.finish()


if __name__ == "__main__":
    common.main(main)
