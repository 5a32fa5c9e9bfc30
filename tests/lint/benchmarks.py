"""docs/bench/README.md says what the benchmarks' JSON files say, and nothing else."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import report  # noqa: E402

README = "docs/bench/README.md"
RESULT = {"benchmark": "storm", "title": "T", "rows": {}, "chart": None,
          "figures": [{"name": "f", "unit": "x", "value": 1.5, "peers": {}}],
          "environment": {"kernel": "6.1", "cores": 2, "processor": "p", "memory_mib": 1, "date": "d",
                          "revision": "r", "changed": False, "command": "c", "rounds": 1, "scale": 1}}


class Benchmarks:
    NAME = "benchmarks"
    PLANTS = [[(README, "# B\n" + report.MARK)],
              [(README, report.render(report.MARK, {})), ("docs/bench/storm.json", json.dumps(RESULT))],
              [(README, report.render(report.MARK, {"storm": RESULT}).replace("1.5x", "1.4x")),
               ("docs/bench/storm.json", json.dumps(RESULT))]]
    CLEAN = [(README, report.render("# B\n" + report.MARK, {"storm": RESULT})),
             ("docs/bench/storm.json", json.dumps(RESULT))]

    @staticmethod
    def check(tree):
        path = tree.root / README
        text = path.read_text(encoding="utf-8")
        wanted = report.render(text, report.load(path.parent))
        return [] if text == wanted else [f"{README}: not what the results say; tests/bench/report.py writes it"]


RULES = (Benchmarks,)
