"""AIDE beside us: the same tree, the same planted changes, the same findings. What only one of the two can see
is listed here, and tested to be so."""
import json
import os
import shutil
import subprocess

import pytest

from harness.daemon import EXECWARD

# Mode, owner, group, size, type, link, content; capabilities, which it finds as an extended attribute.
AIDE_CONFIG = """database_in=file:{folder}/aide.db
database_out=file:{folder}/aide.db
gzip_dbout=no
report_format=json
report_url=file:{folder}/aide.report
{tree} {rule}
"""
RULE = "p+u+g+s+ftype+l+xattrs+sha256"
KINDS = ("added", "removed", "changed")


def write(path, text, mode=0o755):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def edit_in_place(path):
    """Other content of the same length, with the times of before."""
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def retype(path):
    os.unlink(path)
    os.mkfifo(path)


def retarget(path):
    os.unlink(path)
    os.symlink("/bin/false", path)


def replace(path):
    write(path + ".new", "#!/bin/sh\nreplaced\n")
    os.rename(path + ".new", path)


def give_capability(path):
    subprocess.run(["setcap", "cap_net_raw+ep", path], check=True)


# 20 of them: what is there before (a file, unless @made says something else), what is done, what is found.
CHANGES = {
    "content": (edit_in_place, "changed"),
    "longer": (lambda path: open(path, "a", encoding="ascii").write("more\n"), "changed"),
    "shorter": (lambda path: os.truncate(path, 3), "changed"),
    "emptied": (lambda path: os.truncate(path, 0), "changed"),
    "replaced": (replace, "changed"),
    "setuid": (lambda path: os.chmod(path, 0o4755), "changed"),
    "setgid": (lambda path: os.chmod(path, 0o2755), "changed"),
    "world-writable": (lambda path: os.chmod(path, 0o777), "changed"),
    "no-longer-executable": (lambda path: os.chmod(path, 0o644), "changed"),
    "owner": (lambda path: os.chown(path, 1234, -1), "changed"),
    "group": (lambda path: os.chown(path, -1, 1234), "changed"),
    "capability": (give_capability, "changed"),
    "type": (retype, "changed"),
    "link": (retarget, "changed"),
    "gone": (os.unlink, "removed"),
    "gone-directory": (shutil.rmtree, "removed"),
    "new": (lambda path: write(path, "#!/bin/sh\nnew\n"), "added"),
    "new-directory": (os.mkdir, "added"),
    "new-link": (lambda path: os.symlink("/etc/passwd", path), "added"),
    "new-fifo": (os.mkfifo, "added"),
}


def make(path, name):
    if name == "link":
        os.symlink("/bin/true", path)
    elif name == "gone-directory":
        os.mkdir(path)
    elif CHANGES[name][1] != "added":
        write(path, f"#!/bin/sh\n: {name}\necho untouched so far\n")


class Both:
    def __init__(self, folder):
        self.folder, self.tree = str(folder), str(folder / "tree")
        self.config = str(folder / "execward.yaml")
        for name in ("state", "run", "tree"):
            os.mkdir(f"{folder}/{name}", 0o700)
        write(self.config, f"state_dir: {folder}/state\nruntime_dir: {folder}/run\n", 0o600)
        write(f"{folder}/aide.conf", AIDE_CONFIG.format(folder=folder, tree=self.tree, rule=RULE), 0o600)

    def path(self, name):
        return os.path.join(self.tree, name)

    def aide(self, *argv):
        return subprocess.run(["aide", *argv, "-c", self.folder + "/aide.conf"], capture_output=True,
                              check=False, timeout=60).returncode

    def execward(self, *argv):
        return subprocess.run([EXECWARD, "--config", self.config, "snapshot", *argv], capture_output=True,
                              check=False, timeout=60)

    def record(self):
        assert self.aide("--init") == 0
        assert self.execward("create", "--rootfs", self.tree, "--all-files").returncode == 0

    def found_by_aide(self):
        """The exit mask, and {kind: paths}. The tree's own directory, whose time changes, is nobody's finding."""
        mask = self.aide("--check")
        with open(self.folder + "/aide.report", encoding="utf-8") as file:
            report = json.load(file)
        return mask, {kind: {path[len(self.tree):] for path in report.get(kind) or {}} - {""} for kind in KINDS}

    def found_by_execward(self):
        done = self.execward("check", "--json")
        (report,) = json.loads(done.stdout)["reports"]
        return done.returncode, {kind: {item["path"] for item in report[kind]} - {"/"} for kind in KINDS}


@pytest.fixture
def both(tmp_path):
    return Both(tmp_path)


def test_the_same_twenty_changes(both):
    assert len(CHANGES) == 20
    write(both.path("untouched"), "#!/bin/sh\n")
    for name in CHANGES:
        make(both.path(name), name)
    both.record()
    for name, (change, _) in CHANGES.items():
        change(both.path(name))
    wanted = {kind: {"/" + name for name, (_, found) in CHANGES.items() if found == kind} for kind in KINDS}
    assert both.found_by_aide() == (7, wanted)
    assert both.found_by_execward() == (7, wanted)


def test_nothing_is_found_where_nothing_was_changed(both):
    write(both.path("untouched"), "#!/bin/sh\n")
    both.record()
    os.utime(both.path("untouched"))
    assert both.found_by_aide() == (0, {kind: set() for kind in KINDS})
    assert both.found_by_execward() == (0, {kind: set() for kind in KINDS})


def test_what_a_snapshot_misses(both):
    """Extended attributes but security.capability and security.ima; ACLs; file attributes."""
    write(both.path("labelled"), "#!/bin/sh\n")
    both.record()
    os.setxattr(both.path("labelled"), "user.note", b"x")
    assert both.found_by_aide()[0] == 4
    assert both.found_by_execward()[0] == 0


def test_what_aide_misses(both):
    """A capability, with its own word for them (caps) alone; and it says nothing of a database that was changed."""
    write(both.folder + "/aide.conf", AIDE_CONFIG.format(folder=both.folder, tree=both.tree, rule="caps+sha256"), 0o600)
    write(both.path("ping"), "#!/bin/sh\n")
    both.record()
    give_capability(both.path("ping"))
    assert both.found_by_aide()[0] == 0
    assert both.found_by_execward() == (4, {"added": set(), "removed": set(), "changed": {"/ping"}})
