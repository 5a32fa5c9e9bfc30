#!/usr/bin/python3
"""What an exec costs in an overlay: unguarded, under execwardd and under fapolicyd, in turn in one run.

again     a static program of the image, executed again and again
approved  the same for a program that was dropped and whose digest is approved
first     static programs of the image, each executed once: the daemon has not seen them yet
dynamic   the same for copies of this host's /bin/true, with its loader and its libc

Each round takes a fresh overlay and a fresh guard."""
import common
from arena import (QUICK, Arena, approve, digest_of, events_of, execute, fapolicyd_of, guarded, guards)
from common import Result, flat, interleave, microseconds, ratio

ROUNDS = common.rounds(7)
EXECS = common.scaled(4000, 50)
DISTINCT = common.scaled(200, 10)
OURS = "execward, backing marks"
KINDS = ("again", "approved", "first", "dynamic")


class Bench:
    def __init__(self, arena):
        self.arena = arena
        self.static = arena.copies(QUICK, "quick", DISTINCT)
        arena.add_host_program("/bin/true")
        self.dynamic = arena.copies("/bin/true", "dynamic", DISTINCT + 1)

    def measure(self, _name, make):
        """Of one round: nanoseconds of each exec by kind, and the events of those that repeat."""
        with self.arena.overlay() as overlay:
            with open(QUICK, "rb") as file:
                overlay.drop("/tmp/dropped", file.read() + b"dropped")
            with guarded(make) as guard:
                approve(guard, [digest_of(overlay.path("/tmp/dropped"))])
                # The loader, libc and execbench itself are known then, and the approval is in force.
                execute(overlay, ["/bin/quick", self.dynamic[-1]], 50)
                found = {"first": execute(overlay, self.static)[1],
                         "dynamic": execute(overlay, self.dynamic[:-1])[1]}
                for kind, program in (("again", "/bin/quick"), ("approved", "/tmp/dropped")):
                    before = events_of(guard)
                    found[kind] = execute(overlay, [program], EXECS)[1]
                    found[kind + " events"] = None if guard is None or before is None \
                        else events_of(guard) - before
        return found


def report(found, result):
    ratios = {}
    for name, measured in found.items():
        row = {kind: microseconds(flat(r[kind] for r in measured)) for kind in KINDS}
        ratios[name] = {kind: ratio([r[kind] for r in measured], [r[kind] for r in found["unguarded"]])
                        for kind in KINDS}
        row["ratio"] = ratios[name]
        for kind in ("again", "approved"):
            row[f"{kind}_events"] = [r[kind + " events"] for r in measured]
        result.row(name, row)
    texts = {"again": ("program of the image, again", "<= 1.01"), "approved": ("approved drop, again", None),
             "first": ("static program of the image, first exec", "<= 1.06"),
             "dynamic": ("dynamic program of the image, first exec", "<= 1.06")}
    for name in (n for n in found if n.startswith("execward")):
        of_peer = {kind: fapolicyd_of({n: r[kind] for n, r in ratios.items()}) for kind in KINDS}
        for kind, (text, wanted) in texts.items():
            result.figure(f"{text}, {name.split(', ')[1]}", ratios[name][kind], "x",
                          wanted if name == OURS else None, of_peer[kind])
    for kind, text, limit in (("again", "program of the image", 0), ("approved", "approved drop", 1)):
        worst = max(r[kind + " events"] for r in found[OURS])
        result.figure(f"events of {EXECS:,} execs, {text}, backing marks", worst, "", f"<= {limit}")
    result.chart("guarded / unguarded, median", list(KINDS),
                 {name: [r[kind]["value"] for kind in KINDS] for name, r in ratios.items()
                  if name != "unguarded"}, limit=1)


def main():
    result = Result("exec", "What an exec costs in an overlay", ROUNDS)
    with Arena() as arena:
        bench = Bench(arena)
        report(interleave(ROUNDS, guards(arena), bench.measure), result)
    result.finish()


if __name__ == "__main__":
    common.main(main)
