"""clang-format has nothing to change in any C file."""

import collections
import shutil

from tree import output


class Layout:
    NAME = "layout"
    PLANTS = [[("daemon/a.c", "int f(void) {\n  return 0; }\n")],
              [("tests/unit/test_a.c", "int  a;\n")]]
    CLEAN = [("lib/core/a.c", "int f(void)\n{\n\treturn 0;\n}\n")]

    @staticmethod
    def prepare(tree):
        shutil.copy(tree_style(), tree.root / ".clang-format")

    @staticmethod
    def check(tree):
        findings = []
        # One process for all: it starts slower than it reads.
        paths = list(tree.files(("lib", "daemon", "tools", "tests"), (".c", ".h")))
        code, text = output("clang-format", "--dry-run", "-Werror", "--style=file", *paths) if paths else (0, "")
        if code != 0:
            places = collections.Counter(line.split(":", 2)[0] for line in text.splitlines() if ": error" in line)
            findings += [f"{name.removeprefix(str(tree.root) + '/')}: clang-format would change it ({n} places)"
                         for name, n in sorted(places.items())] or [text]
        return findings


def tree_style():
    from pathlib import Path
    return Path(__file__).resolve().parents[2] / ".clang-format"


RULES = (Layout,)
