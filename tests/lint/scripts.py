"""shellcheck finds nothing in the shell scripts: those with a shell's name in the first line."""

import re

from tree import output

SHELL = re.compile(r"#!\s*(/usr)?/bin/(env )?(ba|da)?sh\b")


class Scripts:
    NAME = "scripts"
    PLANTS = [[("dev", "#!/bin/bash\nrm -rf $1\n")], [(".ci/run", "#!/bin/sh\ncd $x; ls\n")]]
    CLEAN = [("dev", '#!/bin/bash\nset -eu\nprintf "%s\\n" "$1"\n')]

    @staticmethod
    def check(tree):
        found = [tree.root / name for name, text in tree.texts() if SHELL.match(text)]
        if not found:
            return ["no shell script found"]
        code, text = output("shellcheck", "--format=gcc", *found)
        return [line.replace(str(tree.root) + "/", "") for line in text.splitlines()] if code else []


RULES = (Scripts,)
