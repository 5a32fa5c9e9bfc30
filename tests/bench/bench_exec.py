#!/usr/bin/python3
"""What an exec costs in an overlay: unguarded, under execwardd and under fapolicyd, in turn in one run.

Each round measures all of them one after another, so that a machine that drifts drifts for all. A
program of the image is executed again and again; 64 of them are executed once each; a dropped program is
denied again and again (execwardd only). Prints a table and one JSON line; ./dev bench exec."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import fs as fslib, image as imagelib  # noqa: E402
from harness.daemon import HELPERS, Daemon  # noqa: E402

ROUNDS = int(os.environ.get("EXECWARD_BENCH_ROUNDS", "5"))
EXECS = 2000
DISTINCT = 64
RULES = "allow perm=any all : all\n"
CONFIG = """permissive = 0
nice_val = 14
q_size = 640
uid = root
gid = root
do_stat_report = 0
detailed_report = 0
db_max_size = 50
subj_cache_size = 1549
obj_cache_size = 8191
watch_fs = overlay
trust = file
integrity = none
allow_filesystem_mark = 0
"""


class Fapolicyd:
    """Debian's fapolicyd with a configuration of its own, bind-mounted in our namespace."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="execward-fapolicyd-", dir="/var/tmp")
        os.mkdir(self.dir + "/rules.d")
        os.mkdir(self.dir + "/trust.d")
        for name, text in (("fapolicyd.conf", CONFIG), ("rules.d/10-allow.rules", RULES),
                           ("compiled.rules", RULES), ("fapolicyd.trust", "")):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as file:
                file.write(text)
        fslib.run("mount", "--bind", self.dir, "/etc/fapolicyd")
        self.process = subprocess.Popen(["timeout", "--foreground", "-s", "KILL", "120", "fapolicyd",
                                         "--debug-deny"], stderr=subprocess.PIPE)
        seen = b""
        while b"Starting to listen for events" not in seen:
            line = self.process.stderr.readline()
            assert line, "fapolicyd does not start: " + seen.decode()
            seen += line

    def stop(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            for pid in f.read().split():
                os.kill(int(pid), 15)
        self.process.stderr.read()
        self.process.wait(timeout=30)
        fslib.run("umount", "/etc/fapolicyd")
        shutil.rmtree(self.dir)


def measure(overlay, count, programs):
    result = overlay.exec("/bin/execbench", str(count), *programs, timeout=120)
    assert result.code == 0, result
    return [int(line) for line in result.output.split()]


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def figures(values):
    return {"median_us": round(statistics.median(values) / 1000, 1), "p99_us": round(p99(values) / 1000, 1),
            "n": len(values)}


def run_round(fs, image, distinct, start, results):
    overlay = fslib.Overlay(fs, image)
    try:
        guard = start() if start else None
        if hasattr(guard, "rescan"):
            guard.rescan()
        measure(overlay, 50, ["/bin/quick"])
        results.setdefault("first", []).extend(measure(overlay, DISTINCT, distinct))
        results.setdefault("again", []).extend(measure(overlay, EXECS, ["/bin/quick"]))
        if guard:
            guard.stop()
    finally:
        overlay.close()


def main():
    fslib.enter_namespace()
    fs = fslib.LoopFs()
    image = imagelib.make(fs.path("image"))
    for name in ("execbench", "quick"):
        shutil.copy(os.path.join(HELPERS, name), image + "/bin")
    distinct = []
    for number in range(DISTINCT):
        shutil.copy(os.path.join(HELPERS, "quick"), f"{image}/bin/quick{number}")
        distinct.append(f"/bin/quick{number}")
    guards = {"unguarded": None,
              "execward backing": lambda: Daemon(storage=[fs.mount], marks="backing"),
              "execward overlay": lambda: Daemon(storage=[fs.mount], marks="overlay")}
    if shutil.which("fapolicyd"):
        guards["fapolicyd"] = Fapolicyd
    results = {name: {} for name in guards}
    try:
        for number in range(ROUNDS):
            for name, start in guards.items():
                run_round(fs, image, distinct, start, results[name])
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
    finally:
        fs.close()
    report(results)


def report(results):
    summary = {}
    base = results["unguarded"]
    print(f"{'':18} {'again: median':>14} {'p99':>9} {'ratio':>7}   {'first: median':>14} {'p99':>9} {'ratio':>7}")
    for name, result in results.items():
        again, first = figures(result["again"]), figures(result["first"])
        ratio = statistics.median(result["again"]) / statistics.median(base["again"])
        ratio_first = statistics.median(result["first"]) / statistics.median(base["first"])
        summary[name] = {"again": again, "first": first, "ratio_again": round(ratio, 3),
                         "ratio_first": round(ratio_first, 3)}
        print(f"{name:18} {again['median_us']:>11} us {again['p99_us']:>6} us {ratio:>7.3f}   "
              f"{first['median_us']:>11} us {first['p99_us']:>6} us {ratio_first:>7.3f}")
    print(json.dumps(summary, sort_keys=True))


if __name__ == "__main__":
    main()
