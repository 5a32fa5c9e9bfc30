#!/usr/bin/python3
"""Many of everything, for both ways of marking.

overlays  1,000 of one lower on one ext4: how long the daemon takes to READY when they are there, what each
          costs when they appear one after another under a running daemon, its memory and descriptors, and
          how often it wakes up when nothing happens
programs  20,000 different ones of the image, then 20,000 different drops, each executed once (mode report):
          memory and descriptors before, after each, and when the alert window is over
"""
import os
import socket
import time

import common
from arena import Arena, end, execute, execute_each, execwardd, guarded, write_tiny
from common import Result, p99, progress, spread
from harness.fs import Overlay

ROUNDS = common.rounds(1)
OVERLAYS = common.scaled(1000, 20)
PROGRAMS = common.scaled(20000, 100)
MARKS = ("backing", "overlay")
IDLE_SECONDS = 5
WINDOW_SECONDS = 65  # limits.alert_window is 60 s: what is kept for it has gone by then
SETTLE_SECONDS = 3  # after which what is retried or batched is done
PROBES = 10         # overlays that are timed one by one
MIB = 1 << 20


# --- what /proc and the daemon say of it --------------------------------------------------------------

def cpu_ms(pid):
    """What all threads have run so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def switches(pid):
    """Context switches of all threads so far: one for each time that one was woken, or lost its turn."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def wakeups(pid):
    time.sleep(SETTLE_SECONDS)
    before = switches(pid)
    time.sleep(IDLE_SECONDS)
    return round((switches(pid) - before) / IDLE_SECONDS, 1)


def size_of(daemon):
    status = daemon.status()
    time.sleep(0.2)  # our own connection is not to be counted
    return {"rss_mib": round(status["rss_bytes"] / MIB, 1),
            "descriptors": len(os.listdir(f"/proc/{status['pid']}/fd"))}


# --- overlays -----------------------------------------------------------------------------------------

class Overlays:
    """Mounted in the arena, without a /proc in each; all are gone after the `with`."""

    def __init__(self, arena):
        self.arena, self.mounted = arena, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for overlay in self.mounted:
            overlay.close()

    def add(self):
        """Milliseconds of one mount."""
        began = time.monotonic()
        self.mounted.append(Overlay(self.arena.fs, self.arena.image, proc=False))
        return (time.monotonic() - began) * 1000


def wait_ready(notify):
    while b"READY=1" not in notify.recv(4096):
        pass


def seconds_to_ready(arena, marks, expected):
    daemon = execwardd(arena.fs.mount, marks=marks)()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.settimeout(120)
            notify.bind(daemon.dir + "/notify")
            daemon.env = {"NOTIFY_SOCKET": daemon.dir + "/notify"}
            began = time.monotonic()
            daemon.spawn()
            wait_ready(notify)
            took = time.monotonic() - began
        found = [c for c in daemon.status()["containers"] if daemon.is_ours(c["overlay"])]
        assert len(found) == expected, (len(found), expected)
        return round(took, 3)
    finally:
        end(daemon)


def probe(daemon, overlays):
    """Milliseconds from a mount to the answer that it is guarded, the median of a few."""
    found = []
    for _ in range(PROBES):
        overlays.add()
        began = time.monotonic()
        daemon.rescan()
        found.append((time.monotonic() - began) * 1000)
    return spread(found, 2)


def appear(daemon, overlays, count):
    """Processor milliseconds of the daemon for each of @count overlays that appear in a row."""
    before = cpu_ms(daemon.pid)
    for _ in range(count):
        overlays.add()
    daemon.rescan()
    return round((cpu_ms(daemon.pid) - before) / count, 3)


def measure_overlays(arena, marks):
    step = max(OVERLAYS // 10, 1)
    row = {"empty_ready_s": seconds_to_ready(arena, marks, 0)}
    with Overlays(arena) as overlays:
        with guarded(execwardd(arena.fs.mount, marks=marks)) as daemon:
            row["empty"] = size_of(daemon)
            row["empty_wakeups_per_s"] = wakeups(daemon.pid)
            row["probe_ms_first"] = probe(daemon, overlays)
            row["cpu_ms_each"] = []
            while len(overlays.mounted) < OVERLAYS - PROBES:
                count = min(step, OVERLAYS - PROBES - len(overlays.mounted))
                row["cpu_ms_each"].append(appear(daemon, overlays, count))
                progress(f"{marks} marks: {len(overlays.mounted)} overlays")
            row["probe_ms_last"] = probe(daemon, overlays)
            row["full"] = size_of(daemon)
            row["full_wakeups_per_s"] = wakeups(daemon.pid)
        row["full_ready_s"] = [seconds_to_ready(arena, marks, OVERLAYS) for _ in range(3)]
    return row


def report_overlays(row, marks, result):
    result.row(f"overlays, {marks} marks", row)
    count, full = f"{OVERLAYS:,} overlays, {marks} marks", row["full"]
    ready = spread(row["full_ready_s"])
    result.figure(f"{count}: start to READY", ready, "s", None, {"no overlay": row["empty_ready_s"]})
    result.figure(f"{count}: processor time for each of the last tenth", row["cpu_ms_each"][-1], "ms", None,
                  {"first tenth": row["cpu_ms_each"][0]})
    result.figure(f"{count}: a rescan that finds one more", row["probe_ms_last"], "ms", None,
                  {"first overlays": row["probe_ms_first"]})
    result.figure(f"{count}: memory of the daemon", full["rss_mib"], "MiB", "<= 64",
                  {"no overlay": row["empty"]["rss_mib"]})
    result.figure(f"{count}: descriptors of the daemon", full["descriptors"], "", None,
                  {"no overlay": row["empty"]["descriptors"]})
    result.figure(f"{count}: wake-ups a second, idle", row["full_wakeups_per_s"], "", "<= 0",
                  {"no overlay": row["empty_wakeups_per_s"]})


# --- programs -----------------------------------------------------------------------------------------

def measure_programs(arena, marks):
    row = {}
    with arena.overlay() as overlay:
        kinds = {"image": "/image-programs", "drops": "/tmp/dropped-programs"}
        paths = {"image": write_tiny(arena.image, kinds["image"], PROGRAMS),
                 "drops": write_tiny(overlay.merged, kinds["drops"], PROGRAMS, first=PROGRAMS)}
        with guarded(execwardd(arena.fs.mount, marks=marks, mode="report")) as daemon:
            execute(overlay, ["/bin/quick"], 50)
            row["before"] = size_of(daemon)
            for kind in kinds:
                took = execute_each(overlay, paths[kind], timeout=1200)
                time.sleep(SETTLE_SECONDS)
                row[kind] = {**size_of(daemon), "p99_us": round(p99(took) / 1000, 1)}
                progress(f"{marks} marks: {PROGRAMS} programs, {kind}")
            time.sleep(WINDOW_SECONDS)
            row["window"] = size_of(daemon)
            row["faults"] = daemon.status()["faults"]
    return row


def report_programs(row, marks, result):
    result.row(f"programs, {marks} marks", row)
    for kind, text in (("image", "programs of the image"), ("drops", "drops, after them"),
                       ("window", "drops, past the alert window")):
        name = f"{PROGRAMS:,} {text}, {marks} marks"
        result.figure(f"{name}: memory of the daemon", row[kind]["rss_mib"], "MiB", "<= 64",
                      {"before": row["before"]["rss_mib"]})
        result.figure(f"{name}: descriptors of the daemon", row[kind]["descriptors"], "", None,
                      {"before": row["before"]["descriptors"]})


def main():
    result = Result("scale", "Many overlays, many programs, and nothing at all", ROUNDS)
    rows = {}
    with Arena("8G") as arena:
        for marks in MARKS:
            rows[marks] = {"overlays": measure_overlays(arena, marks),
                           "programs": measure_programs(arena, marks)}
            report_overlays(rows[marks]["overlays"], marks, result)
            report_programs(rows[marks]["programs"], marks, result)
    labels = ["start", f"{OVERLAYS:,} overlays", f"{PROGRAMS:,} image programs", "as many drops"]
    result.chart("memory of the daemon, MiB", labels, {
        f"execward, {marks} marks": [row["overlays"]["empty"]["rss_mib"], row["overlays"]["full"]["rss_mib"],
                                     row["programs"]["image"]["rss_mib"],
                                     row["programs"]["drops"]["rss_mib"]]
        for marks, row in rows.items()}, limit=64)
    result.finish()


if __name__ == "__main__":
    common.main(main)
