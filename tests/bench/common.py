"""What every benchmark shares: how often it measures, in which order, and how its result is kept.

A result is one JSON file. Its "figures" are what somebody asked for (name, value, what is wanted,
what a peer gives), its "rows" are all that was measured, its "chart" is what report.py draws. Nothing
but such files goes into a table or a picture, so that neither can drift from what was measured.

Environment: EXECWARD_BENCH_ROUNDS, how often each subject is measured; EXECWARD_BENCH_SCALE (0.05:
a twentieth of the work, to try a change), and then the result goes to build/bench instead of
docs/bench; EXECWARD_BENCH_RESULTS, another directory for it."""
import datetime
import json
import operator
import os
import platform
import signal
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
sys.dont_write_bytecode = True

SCALE = float(os.environ.get("EXECWARD_BENCH_SCALE", "1"))
DOCS = os.path.join(ROOT, "docs/bench")
RESULTS = os.environ.get("EXECWARD_BENCH_RESULTS",
                         DOCS if SCALE == 1 else os.path.join(ROOT, "build/bench"))
COMPARE = {"<=": operator.le, ">=": operator.ge}


def scaled(count, least=1):
    return max(least, round(count * SCALE))


def rounds(default):
    return int(os.environ.get("EXECWARD_BENCH_ROUNDS", default))


def progress(text):
    print(text, file=sys.stderr, flush=True)


def interleave(count, subjects, measure):
    """{subject: [what measure(subject, its value) gave in each round]}. One after another within a round, so
    that a machine that drifts drifts for all, and another one first each time. What the first one finds cold
    does not count: it is measured once before."""
    names, found = list(subjects), {name: [] for name in subjects}
    measure(names[0], subjects[names[0]])
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(measure(name, subjects[name]))
            progress(f"round {number + 1} of {count}: {name}")
    return found


# --- statistics -------------------------------------------------------------------------------------

def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def spread(values, digits=3):
    """The median of what the rounds gave, with the least and the most of them."""
    return {"value": round(statistics.median(values), digits), "low": round(min(values), digits),
            "high": round(max(values), digits)}


def ratio(measured, base, statistic=statistics.median):
    """Round by round against the base of the same round."""
    return spread([statistic(ours) / statistic(theirs)
                   for ours, theirs in zip(measured, base, strict=True)])


def microseconds(samples):
    return {"median_us": round(statistics.median(samples) / 1000, 1),
            "p99_us": round(p99(samples) / 1000, 1), "n": len(samples)}


def flat(lists):
    return [value for values in lists for value in values]


# --- where it was measured --------------------------------------------------------------------------

def output_of(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else ""


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def environment(name, count):
    return {"kernel": platform.release(), "machine": platform.machine(), "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            # root looks at a tree that may be somebody else's.
            "revision": output_of("git", "-c", "safe.directory=*", "rev-parse", "HEAD"),
            "changed": bool(output_of("git", "-c", "safe.directory=*", "status", "--porcelain",
                                      "--untracked-files=no", "--", "lib", "daemon", "tools")),
            "command": f"sudo ./dev bench {name}", "rounds": count, "scale": SCALE}


# --- the result -------------------------------------------------------------------------------------

class Result:
    def __init__(self, name, title, count):
        self.data = {"benchmark": name, "title": title, "environment": environment(name, count),
                     "figures": [], "rows": {}, "chart": None}

    def row(self, name, values):
        self.data["rows"][name] = values

    def figure(self, name, value, unit="", wanted=None, peers=None):
        """@value: a number, or a spread(). @wanted: such as "<= 1.01". @peers: {name: number or spread}."""
        figure = {"name": name, "unit": unit, "peers": peers or {}}
        figure.update(value if isinstance(value, dict) else {"value": value})
        if wanted:
            compare, limit = wanted.split()
            figure["wanted"] = wanted
            figure["met"] = COMPARE[compare](figure["value"], float(limit))
        self.data["figures"].append(figure)

    def chart(self, unit, labels, series, limit=None, log=False):
        """Groups of bars: @series is {name: one number a label, or None}; @limit: a line, the unit of values."""
        self.data["chart"] = {"unit": unit, "labels": labels, "series": series, "limit": limit,
                              "log": log}

    def finish(self):
        print(f"\n{self.data['title']}\n")
        print_table(FIGURE_HEAD, figure_rows(self.data))
        os.makedirs(RESULTS, exist_ok=True)
        path = os.path.join(RESULTS, self.data["benchmark"] + ".json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1, sort_keys=True)
            file.write("\n")
        os.rename(path + ".new", path)
        print(f"\n{os.path.relpath(path, ROOT)}")


FIGURE_HEAD = ("figure", "value", "rounds", "wanted", "", "beside it")


def number(value, unit):
    text = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    return f"{text} {unit}".strip() if unit != "x" else text + "x"


def figure_rows(data):
    """One row a figure, as text, for the terminal and for docs/bench/README.md."""
    rows = []
    for figure in data["figures"]:
        peers = [f"{name} {number(peer['value'] if isinstance(peer, dict) else peer, figure['unit'])}"
                 for name, peer in sorted(figure["peers"].items())]
        rounds_text = f"{figure['low']:g} to {figure['high']:g}" if "low" in figure else ""
        met = {True: "met", False: "MISSED", None: ""}[figure.get("met")]
        rows.append((figure["name"], number(figure["value"], figure["unit"]), rounds_text,
                     figure.get("wanted", ""), met, ", ".join(peers)))
    return rows


def print_table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main(run):
    """Runs a benchmark as root; SIGTERM unwinds like Ctrl-C, so that nothing stays mounted."""
    if os.geteuid() != 0:
        sys.exit("benchmarks need root: sudo ./dev bench")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
