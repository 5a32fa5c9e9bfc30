#!/usr/bin/python3
"""Snapshots: files of /usr/bin and /usr/lib, 1.6 GB of them, all hashed, in the page cache.

create       a first snapshot, beside `aide --init` with SHA-256 (as it comes, and with a worker a core) and
             `xargs -P CORES sha256sum`; the limit is the bytes over what `openssl speed` does on all cores
again        a second snapshot of the unchanged tree: nothing is read again
check        what is there now against the snapshot: everything is read again
many         100,000 and 1,000,000 files of 64 bytes: time a file, and the most memory that was in use
"""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

import common
from common import Result, interleave, output_of, spread
from harness import fs as fslib
from harness.daemon import BUILD

ROUNDS = common.rounds(3)
BYTES = common.scaled(1600) * 1_000_000
FILES_MAX = common.scaled(5600, 50)
MANY = (common.scaled(100_000), common.scaled(1_000_000))
CORES = len(os.sched_getaffinity(0))
SPEED_SECONDS = max(1, round(3 * common.SCALE))
EXECWARD = os.path.join(BUILD, "tools/execward")
AIDE_CONFIG = """database_in=file:{folder}/aide.db
database_out=file:{folder}/aide.db
gzip_dbout=no
num_workers={workers}
report_url=file:{folder}/aide.report
{tree} p+u+g+s+sha256
"""


# --- what is measured -------------------------------------------------------------------------------

def collect(tree):
    """Copies of programs and libraries, their directories kept: at most BYTES in FILES_MAX files."""
    taken = count = 0
    for top in ("/usr/bin", "/usr/lib"):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                size = os.path.getsize(path)
                if taken + size > BYTES or count == FILES_MAX:
                    continue
                os.makedirs(tree + folder, exist_ok=True)
                shutil.copy2(path, tree + path)
                taken, count = taken + size, count + 1
    return taken, count


def write_many(tree, count):
    for number in range(count):
        folder = os.path.join(tree, str(number // 1000))
        if number % 1000 == 0:
            os.mkdir(folder)
        with open(f"{folder}/{number}", "w", encoding="ascii") as file:
            file.write(f"#!{number:062d}")


def timed(*argv, codes=(0,), **options):
    """(seconds, peak KiB) of a process of its own."""
    before = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - before
    assert process.returncode in codes, (argv, process.returncode, said[-2000:])
    return took, usage.ru_maxrss


class Place:
    """A database and a configuration of a round's own."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder + "/state", mode=0o700)
        os.makedirs(folder + "/run", mode=0o700)
        with open(folder + "/execward.yaml", "w", encoding="ascii") as file:
            file.write(f"state_dir: {folder}/state\nruntime_dir: {folder}/run\n")

    def snapshot(self, *argv, codes=(0,)):
        return timed(EXECWARD, "--config", self.folder + "/execward.yaml", "snapshot", *argv, codes=codes)


def openssl_rate():
    """Bytes a second, all cores at once."""
    text = output_of("openssl", "speed", "-mr", "-multi", str(CORES), "-seconds", str(SPEED_SECONDS),
                     "-bytes", "65536", "-evp", "sha256")
    return float(re.findall(r"^\+F:\d+:sha256:([\d.]+)$", text, re.M)[-1])


class Bench:
    def __init__(self, folder):
        self.folder, self.number = folder, 0
        self.tree = folder + "/tree"
        self.bytes, self.files = collect(self.tree)
        self.place = None

    def aide(self, workers):
        config = f"{self.folder}/aide.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(AIDE_CONFIG.format(folder=self.folder, tree=self.tree, workers=workers))
        return timed("aide", "--init", "--config", config)[0]

    def sha256sum(self):
        return timed("sh", "-c", 'find "$1" -type f -print0 | xargs -0 -n 64 -P "$2" sha256sum', "sh",
                     self.tree, str(CORES))[0]

    def create(self):
        self.number += 1
        self.place = Place(f"{self.folder}/round{self.number}")
        return self.place.snapshot("create", "--rootfs", self.tree, "--all-files")[0]

    def measure(self, name, _):
        if name == "limit":
            return self.bytes / openssl_rate()
        if name == "execward":
            first = self.create()
            again = self.place.snapshot("create", "--rootfs", self.tree, "--all-files")[0]
            return {"first": first, "again": again, "check": self.place.snapshot("check")[0]}
        if name == "sha256sum":
            return self.sha256sum()
        return self.aide(1 if name == "aide" else CORES)


@contextlib.contextmanager
def memory_filesystem(path):
    os.mkdir(path)
    fslib.run("mount", "-t", "tmpfs", "-o", "size=12G,nr_inodes=3000000", "execward-bench", path)
    try:
        yield path
    finally:
        fslib.run("umount", path)


def many(folder, count):
    with memory_filesystem(f"{folder}/many{count}") as tree:
        write_many(tree, count)
        place = Place(f"{folder}/place{count}")
        took, peak = place.snapshot("create", "--rootfs", tree, "--all-files")
        size = os.path.getsize(f"{folder}/place{count}/state/baseline.db")
        return {"us_per_file": round(took * 1e6 / count, 2), "peak_mib": round(peak / 1024, 1),
                "database_mib": round(size / 2**20, 1), "seconds": round(took, 2)}


# --- the result -------------------------------------------------------------------------------------

def ratios(numerators, denominators):
    return spread([n / d for n, d in zip(numerators, denominators, strict=True)])


def report(result, bench, found):
    ours = found["execward"]
    first, again, check = ([round_[kind] for round_ in ours] for kind in ("first", "again", "check"))
    peers = {name: spread(found[name]) for name in found if name != "execward"}
    result.row("tree", {"files": bench.files, "bytes": bench.bytes})
    result.row("seconds", {"create": spread(first), "again": spread(again), "check": spread(check), **peers})
    result.figure("a first snapshot", spread(first), "s", None, peers)
    result.figure("a first snapshot, beside the limit", ratios(first, found["limit"]), "x", "<= 1.25")
    result.figure("aide --init, beside it", ratios(found["aide"], first), "x", ">= 5",
                  {"a worker a core": ratios(found["aide, a worker a core"], first)})
    result.figure("xargs sha256sum, beside it", ratios(found["sha256sum"], first), "x", ">= 2")
    result.figure("an unchanged second snapshot, beside the first", ratios(again, first), "x", "<= 0.1")
    result.figure("check, beside the first snapshot", ratios(check, first), "x", "<= 1")


def report_many(result, few, more):
    result.row("many", {f"{MANY[0]:,} files": few, f"{MANY[1]:,} files": more})
    result.figure(f"{MANY[1]:,} files: memory at most", more["peak_mib"], "MiB", "<= 64",
                  {f"{MANY[0]:,} files": few["peak_mib"]})
    result.figure(f"{MANY[1]:,} files: time a file", more["us_per_file"], "us", None,
                  {f"{MANY[0]:,} files": few["us_per_file"]})


def main():
    result = Result("snapshot", "Snapshots of a tree", ROUNDS)
    fslib.enter_namespace()
    with tempfile.TemporaryDirectory(prefix="execward-bench-", dir="/var/tmp") as folder:
        bench = Bench(folder)
        names = ("execward", "limit", "aide", "aide, a worker a core", "sha256sum")
        found = interleave(ROUNDS, dict.fromkeys(names), bench.measure)
        report(result, bench, found)
        report_many(result, many(folder, MANY[0]), many(folder, MANY[1]))
        seconds = {name: spread(values)["value"] for name, values in found.items() if name != "execward"}
        kinds = {f"execward, {kind}": spread([r[kind] for r in found["execward"]])["value"]
                 for kind in ("first", "again", "check")}
        result.chart("seconds", ["1.6 GB"], {name: [value] for name, value in {**kinds, **seconds}.items()})
    result.finish()


if __name__ == "__main__":
    common.main(main)
