#!/usr/bin/python3
"""Many processes that execute at once: 2, 16 and 64 of them, 200 programs of the image in turn, a fixed
number of execs in all. Execs a second, guarded against unguarded.

Each level of each round takes a fresh overlay and a fresh guard, so that the first exec of each program
counts at every level."""
import common
from arena import QUICK, Arena, execute, fapolicyd_of, guarded, guards
from common import Result, interleave, spread

ROUNDS = common.rounds(5)
PROCESSES = (2, 16, 64)
PROGRAMS = 200
EXECS = common.scaled(20000, 400)


class Bench:
    def __init__(self, arena):
        self.arena = arena
        self.programs = arena.copies(QUICK, "quick", PROGRAMS)

    def throughput(self, make, processes):
        with self.arena.overlay() as overlay, guarded(make):
            execute(overlay, ["/bin/quick"], 50)
            took, _ = execute(overlay, self.programs, EXECS, processes)
            return EXECS * 1e9 / took

    def measure(self, _name, make):
        return {processes: self.throughput(make, processes) for processes in PROCESSES}


def report(found, result):
    ratios = {name: {level: spread([ours[level] / base[level] for ours, base in
                                    zip(measured, found["unguarded"], strict=True)]) for level in PROCESSES}
              for name, measured in found.items()}
    for name, measured in found.items():
        result.row(name, {str(level): {"execs_per_s": spread([r[level] for r in measured], 0),
                                       "ratio": ratios[name][level]} for level in PROCESSES})
    for name in (n for n in found if n.startswith("execward")):
        for level in PROCESSES:
            result.figure(f"{level} processes, {name.split(', ')[1]}", ratios[name][level], "x",
                          ">= 0.97" if "backing" in name else None,
                          fapolicyd_of({n: r[level] for n, r in ratios.items()}))
    result.chart("throughput, guarded / unguarded", [f"{level} processes" for level in PROCESSES],
                 {name: [r[level]["value"] for level in PROCESSES] for name, r in ratios.items()
                  if name != "unguarded"}, limit=1)


def main():
    result = Result("storm", "Many processes that execute at once", ROUNDS)
    with Arena() as arena:
        report(interleave(ROUNDS, guards(arena), Bench(arena).measure), result)
    result.finish()


if __name__ == "__main__":
    common.main(main)
