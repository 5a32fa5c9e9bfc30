"""The tree that a lint rule looks at: the repository, or a temporary one with a planted violation."""

import os
import re
import subprocess
from pathlib import Path

SKIPPED_FOLDERS = {".git", "build", "__pycache__", ".pytest_cache"}


class Tree:
    def __init__(self, root, build=None):
        self.root = Path(root).resolve()
        self.build = Path(build).resolve() if build else self.root / "build"

    def files(self, folders=("",), suffixes=None):
        """Paths below the folders, sorted; suffixes is a tuple such as (".c", ".h")."""
        for folder in folders:
            for base, below, names in os.walk(self.root / folder):
                below[:] = sorted(set(below) - SKIPPED_FOLDERS)
                for name in sorted(names):
                    if suffixes is None or name.endswith(suffixes):
                        yield Path(base) / name

    def name(self, path):
        return str(Path(path).relative_to(self.root))

    def texts(self, folders=("",), suffixes=None):
        """(name, content) of the files that are text."""
        for path in self.files(folders, suffixes):
            try:
                yield self.name(path), path.read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue


def without_comments(text):
    """C text with comments and string contents blanked; line numbers stay."""

    def blank(match):
        found = match.group(0)
        return '""' if found[0] == '"' else re.sub(r"[^\n]", " ", found)

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def output(*command, **options):
    """(exit code, stdout and stderr) of a program."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    return done.returncode, done.stdout
