"""Lengths: files under 600 lines, functions a screen long (median 12, 95th percentile under 60)."""

import json

from tree import output

FILE_LINES = 600
FUNCTION_LINES = 100
P95_LINES = 60
MEDIAN_LINES = 16
FOLDERS = ("lib", "daemon", "tools", "tests")


def functions(tree):
    """(lines, name, file, line) of every C function, longest first."""
    files = [path for path in tree.files(FOLDERS, (".c", ".h"))]
    if not files:
        return []
    code, text = output("ctags", "-f", "-", "--output-format=json", "--languages=C", "--map-C=+.h",
                        "--kinds-C=f", "--fields=+ne", *files)
    if code != 0:
        raise SystemExit(f"ctags: {text}")
    found = []
    for line in text.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            found.append((tag["end"] - tag["line"] + 1, tag["name"], tree.name(tag["path"]), tag["line"]))
    return sorted(found, reverse=True)


def percentile(lengths, share):
    return sorted(lengths)[min(len(lengths) - 1, int(len(lengths) * share))]


class Sizes:
    NAME = "sizes"
    PLANTS = [[("lib/core/long.c", "\n" * 601)],
              [("daemon/long.h", "\n" * 700)],
              [("daemon/wide.c", "int f(void)\n{\n" + "\tx();\n" * 110 + "}\n")]]
    CLEAN = [("lib/core/short.c", "int f(void)\n{\n\treturn 0;\n}\n")]

    @staticmethod
    def check(tree):
        findings = []
        for name, text in tree.texts(FOLDERS, (".c", ".h")):
            lines = text.count("\n")
            if lines > FILE_LINES:
                findings.append(f"{name}: {lines} lines, at most {FILE_LINES}")
        found = functions(tree)
        findings += [f"{path}:{line}: {name}() has {lines} lines, at most {FUNCTION_LINES}"
                     for lines, name, path, line in found if lines > FUNCTION_LINES]
        # A handful of functions has no distribution.
        product = [lines for lines, _, path, _ in found if not path.startswith("tests/")]
        if len(product) < 50:
            return findings
        median, p95 = percentile(product, 0.5), percentile(product, 0.95)
        print(f"{len(product)} functions: median {median} lines, 95th percentile {p95}, longest:")
        for lines, name, path, line in found[:5]:
            print(f"  {lines:4} {path}:{line} {name}()")
        if median > MEDIAN_LINES or p95 >= P95_LINES:
            findings.append(f"functions: median {median} (at most {MEDIAN_LINES}), p95 {p95} (under {P95_LINES})")
        return findings


RULES = (Sizes,)
