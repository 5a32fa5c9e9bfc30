"""clang-format has nothing to change in any C file."""

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
        for path in tree.files(("lib", "daemon", "tools", "tests"), (".c", ".h")):
            code, text = output("clang-format", "--dry-run", "-Werror", "--style=file", path)
            if code != 0:
                where = text.split(": error", 1)[0].replace(str(tree.root) + "/", "")
                findings.append(f"{where}: clang-format would change it ({text.count(': error')} places)")
        return findings


def tree_style():
    from pathlib import Path
    return Path(__file__).resolve().parents[2] / ".clang-format"


RULES = (Layout,)
