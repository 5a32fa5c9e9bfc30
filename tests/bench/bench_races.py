#!/usr/bin/python3
"""Content that changes while it is decided on (rows 9 and 10 of docs/threats.md), often enough to count on.
One content of a program is approved, the other is not, and attackers switch between them: how often each
ran, by attack, number of attackers, pace and marks. Each cell goes on until 10,000 tries (EXECWARD_RACE_TRIES)
were allowed or denied: those that met a writer (ETXTBSY) do not count. Unguarded, both contents run: the
attack is real. Takes the better part of an hour."""
import os
import re
import shutil
import time

import common
from arena import Arena, approve, digest_of, execwardd, guarded
from common import Result, progress
from harness.daemon import HELPERS

TRIES = int(os.environ.get("EXECWARD_RACE_TRIES", common.scaled(10000, 100)))
BATCH = min(TRIES, 2000)
BATCHES_MAX = 50  # of a cell in which nearly everything meets a writer
METHODS = ("write", "nonblock", "mmap", "rename")
ATTACKERS = (1, 8)
PACES_US = {"paced": 3000, "unpaced": 0}  # between two changes of one attacker
MARKS = ("backing", "overlay")
OUTCOMES = ("good", "evil", "denied", "busy", "other")


def make_place(overlay):
    """Programs of the attacker's own, so that only the target is approved."""
    for name in ("race", "marked"):
        shutil.copy(os.path.join(HELPERS, name), overlay.path(f"/tmp/{name}"))
        os.chmod(overlay.path(f"/tmp/{name}"), 0o755)
    return [digest_of(overlay.path(f"/tmp/{name}")) for name in ("race", "marked")]


def batch(overlay, method, attackers, pace_us):
    # What is raced for begins as the approved content: a batch before ended with either.
    shutil.copy(os.path.join(HELPERS, "marked"), overlay.path("/tmp/marked"))
    done = overlay.exec("/tmp/race", method, "/tmp/marked", str(BATCH), str(attackers), str(pace_us),
                        timeout=900)
    assert done.code == 0, done
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", done.output.decode())}


def decided(counts):
    return counts["good"] + counts["evil"] + counts["denied"]


def cell(overlay, method, attackers, pace_us, batches):
    counts, began = dict.fromkeys(OUTCOMES, 0), time.monotonic()
    for _ in range(batches):
        for name, count in batch(overlay, method, attackers, pace_us).items():
            counts[name] += count
        if decided(counts) >= TRIES:
            break
    counts["seconds"] = round(time.monotonic() - began, 1)
    return counts


def race_all(arena, label, make, batches):
    """{cell: counts}; each has an overlay and a guard of its own, so that one does not help another."""
    found = {}
    for method in METHODS:
        for attackers in ATTACKERS:
            for pace, pace_us in PACES_US.items():
                name = f"{label}, {method}, attackers {attackers}, {pace}"
                with arena.overlay() as overlay:
                    digests = make_place(overlay)
                    with guarded(make) as guard:
                        approve(guard, digests)
                        found[name] = cell(overlay, method, attackers, pace_us, batches)
                progress(f"{name}: {found[name]}")
    return found


def total(cells, outcome):
    return sum(counts[outcome] for counts in cells.values())


def main():
    result = Result("races", "Content that changes while it is decided on", 1)
    with Arena() as arena:
        found = {marks: race_all(arena, f"{marks} marks", execwardd(arena.fs.mount, marks=marks), BATCHES_MAX)
                 for marks in MARKS}
        free = race_all(arena, "unguarded", None, 1)
    for cells in (*found.values(), free):
        for name, counts in cells.items():
            result.row(name, counts)
    for marks, cells in found.items():
        short = sum(1 for counts in cells.values() if decided(counts) < TRIES)
        result.figure(f"{marks} marks: runs of unapproved content", total(cells, "evil"), "", "<= 0",
                      {"unguarded": total(free, "evil")})
        result.figure(f"{marks} marks: tries that were allowed or denied", sum(map(decided, cells.values())))
        result.figure(f"{marks} marks: cells with fewer than {TRIES:,} of them", short, "", "<= 0")
    result.chart("share of tries, all cells", list(OUTCOMES[:4]), {
        name: [round(total(cells, outcome) / sum(total(cells, o) for o in OUTCOMES), 4)
               for outcome in OUTCOMES[:4]] for name, cells in
        (*((f"execward, {marks} marks", cells) for marks, cells in found.items()), ("unguarded", free))})
    result.finish()


if __name__ == "__main__":
    common.main(main)
