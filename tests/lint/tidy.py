#!/usr/bin/python3
"""tidy.py ROOT DIR: clang-tidy over every file in DIR/compile_commands.json, as many at once as processors.

Each file is read after analyzer_errno.h, which tells why. A file that was clean is not looked at again until it, a header of the tree or .clang-tidy changes: the
analyser takes seconds a file, and most of a tree does not change between two runs.
"""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDERS = ("lib", "daemon", "tools")
BEFORE = Path(__file__).resolve().parent / "analyzer_errno.h"


def common_state(root, commands):
    state = hashlib.sha256((root / ".clang-tidy").read_bytes())
    state.update(BEFORE.read_bytes())
    state.update(json.dumps(sorted(commands)).encode())
    for folder in FOLDERS:
        for header in sorted((root / folder).rglob("*.h")):
            state.update(header.read_bytes())
    return state.digest()


def look(path, out):
    done = subprocess.run(["clang-tidy-16", "--quiet", "-p", str(out),
                           "--extra-arg-before=-include" + str(BEFORE), str(path)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0 and not done.stdout.strip():
        return done.stderr
    return done.stdout.strip()


def main():
    root, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    entries = json.loads((out / "compile_commands.json").read_text())
    folders = [root / folder for folder in FOLDERS]
    files = sorted({Path(entry["file"]) for entry in entries
                    if any(folder in Path(entry["file"]).parents for folder in folders)})
    state = common_state(root, [entry["command"] for entry in entries])
    record = out / "clean.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    keys = {path: hashlib.sha256(state + path.read_bytes()).hexdigest() for path in files}
    todo = [path for path in files if known.get(str(path)) != keys[path]]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, said in zip(todo, pool.map(lambda path: look(path, out), todo)):
            if said:
                failed += 1
                print(said.replace(str(root) + "/", ""), flush=True)
            else:
                known[str(path)] = keys[path]
    record.write_text(json.dumps(known))
    print(f"clang-tidy: {len(files) - failed} files clean ({len(files) - len(todo)} unchanged), {failed} with findings")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
