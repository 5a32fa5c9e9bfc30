#!/usr/bin/python3
"""A baseline of 1,000,000 digests beside one of 1,000 (mode enforce): digests are to be looked up, not loaded.

latency  the first exec of each of many drops that the image's baseline vouches for, and of as many that an
         operator approved: the hash of the file, the look for a copy, the digest, the answer
memory   resident memory of the daemon when it takes the baseline over, when it is started with it, and after
         those execs
load     how long the daemon takes to take over the baseline when it is told (`baselines`), to do so again when
         nothing has changed, and from start to READY with it
"""
import contextlib
import hashlib
import os
import statistics
import time

import common
from arena import Arena, approve, end, execute, execwardd, tiny_program, write_program
from common import Result, flat, interleave, microseconds, progress, ratio, spread
from harness.baselines import PodmanFiles, digest_of, publish

ROUNDS = common.rounds(9)
COUNTS = {"1,000 digests": 1000, "1,000,000 digests": common.scaled(1000000, 2000)}
DROPS = common.scaled(99, 50)  # of each kind in a round: those of all rounds are fewer than 1,000
IMAGE, IMAGE_ID = "registry.example/app:1", "a" * 64
KINDS = ("baseline", "approved")
MIB = 1 << 20


class Stock:
    """Programs that are dropped anew for each round, so that every exec is a first one."""

    def __init__(self):
        self.next = 0

    def take(self, count):
        self.next += count
        return range(self.next - count, self.next)


def strangers(count):
    return [hashlib.sha256(b"%d" % number).hexdigest() for number in range(count)]


def timed(run):
    began = time.monotonic()
    run()
    return round((time.monotonic() - began) * 1000, 1)


class Subject:
    """A daemon with a database of its own: a baseline of that many digests, and those of all rounds' drops."""

    def __init__(self, arena, podman, stock, name, count):
        self.overlay = podman.container(name.replace(",", "").replace(" ", "-"), arena.image, IMAGE, IMAGE_ID)
        self.programs = [{kind: stock.take(DROPS) for kind in KINDS} for _ in range(ROUNDS + 1)]
        self.daemon = execwardd(arena.fs.mount, extra=podman.config())()
        self.daemon.start()
        known = [digest_of(tiny_program(number)) for programs in self.programs for number in programs["baseline"]]
        self.rss = {"without": self.rss_mib()}
        self.publish_s = timed(lambda: publish(self.daemon, strangers(max(count - len(known), 0)) + known,
                                               IMAGE, "image", IMAGE, IMAGE_ID, tell=False)) / 1000
        self.load_ms = timed(self.tell)
        self.rss["loaded"] = self.rss_mib()
        self.again_ms = timed(self.tell)
        for programs in self.programs:
            approve(self.daemon, [digest_of(tiny_program(number)) for number in programs["approved"]])
        self.digests = self.daemon.status()["baselines"]["digests"]
        end_of(self.daemon)

    def tell(self):
        answer = self.daemon.ask({"request": "baselines"})
        assert answer["ok"], answer

    def rss_mib(self):
        return round(self.daemon.status()["rss_bytes"] / MIB, 2)

    def measure(self):
        programs = self.programs.pop()
        paths = {kind: [f"/tmp/{number}" for number in numbers] for kind, numbers in programs.items()}
        for kind, numbers in programs.items():
            for number, path in zip(numbers, paths[kind], strict=True):
                write_program(self.overlay.path(path), tiny_program(number))
        row = {"ready_ms": timed(self.daemon.start)}
        try:
            self.daemon.rescan()
            execute(self.overlay, ["/bin/quick"], 50)
            row["rss_mib"] = self.rss_mib()
            for kind in KINDS:
                row[kind] = execute(self.overlay, paths[kind])[1]
            row["rss_after_mib"] = self.rss_mib()
            status = self.daemon.status()
            assert status["verdicts"]["deny"] == 0 and not status["faults"]["baseline"], status
        finally:
            end_of(self.daemon)
        for names in paths.values():
            for path in names:
                os.unlink(self.overlay.path(path))
        return row


def end_of(daemon):
    daemon.stop(limit=60)


def report(subjects, rows, result):
    small, large = (rows[name] for name in COUNTS)
    for name, found in rows.items():
        subject = subjects[name]
        result.row(name, {
            "digests": subject.digests, "publish_s": subject.publish_s, "load_ms": subject.load_ms,
            "again_ms": subject.again_ms, "rss_without_mib": subject.rss["without"],
            "rss_loaded_mib": subject.rss["loaded"],
            **{kind: microseconds(flat([row[kind] for row in found])) for kind in KINDS},
            **{key: [row[key] for row in found] for key in ("ready_ms", "rss_mib", "rss_after_mib")}})
    medians = {name: spread([statistics.median(row["baseline"]) / 1000 for row in found], 1)
               for name, found in rows.items()}
    name_small, name_large = COUNTS
    result.figure(f"first exec of a drop in a baseline of {name_large}, median", medians[name_large], "µs", None,
                  {name_small: medians[name_small]})
    result.figure("the same, round by round against 1,000 digests",
                  ratio([row["baseline"] for row in large], [row["baseline"] for row in small]), "x", "<= 1.05")
    result.figure("the same against an approval, with 1,000,000 digests",
                  ratio([row["baseline"] for row in large], [row["approved"] for row in large]), "x")
    grown = {name: round(subject.rss["loaded"] - subject.rss["without"], 2) for name, subject in subjects.items()}
    result.figure("memory that a running daemon takes for a new baseline of 1,000,000 digests", grown[name_large], "MiB",
                  "<= 4", {name_small: grown[name_small]})
    result.figure("memory of a daemon started with 1,000,000 digests, after these execs, beside 1,000",
                  spread([l["rss_after_mib"] - s["rss_after_mib"] for l, s in zip(large, small, strict=True)], 2),
                  "MiB", "<= 4", {"the daemon as a whole": statistics.median(r["rss_after_mib"] for r in large)})
    result.figure("a new baseline of 1,000,000 digests, from the question to in force",
                  subjects[name_large].load_ms, "ms", None, {name_small: subjects[name_small].load_ms})
    result.figure("the same baseline again, unchanged", subjects[name_large].again_ms, "ms")
    result.figure("start to READY with it", spread([row["ready_ms"] for row in large], 1), "ms", None,
                  {name_small: spread([row["ready_ms"] for row in small], 1)})
    result.chart("first exec of a drop, µs (median)", list(COUNTS), {
        "in the baseline": [medians[name]["value"] for name in COUNTS],
        "approved": [round(statistics.median(flat([row["approved"] for row in rows[name]])) / 1000, 1)
                     for name in COUNTS]})


def main():
    result = Result("baselines", "A million digests beside a thousand", ROUNDS)
    with contextlib.ExitStack() as stack:
        arena = stack.enter_context(Arena())
        podman = PodmanFiles(arena.fs)
        stack.callback(podman.close)
        stock, subjects = Stock(), {}
        for name, count in COUNTS.items():
            progress(f"baseline of {name}")
            subjects[name] = Subject(arena, podman, stock, name, count)
            stack.callback(end, subjects[name].daemon)
        rows = interleave(ROUNDS, subjects, lambda _, subject: subject.measure())
        report(subjects, rows, result)
    result.finish()


if __name__ == "__main__":
    common.main(main)
