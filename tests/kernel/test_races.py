"""Rows 9 and 10: content that changes while it is decided on. One content is approved, the other is not,
and attackers switch between them: what runs is what was approved."""
import errno
import hashlib
import os
import re
import shutil
import time

import pytest

from harness.daemon import HELPERS, SLOW
from harness.fs import run

TRIES = int(os.environ.get("EXECWARD_RACE_TRIES", "1000"))


@pytest.fixture
def arena(overlay):
    for name in ("race", "marked"):
        # Programs of the attacker's own: only the target is approved.
        shutil.copy(os.path.join(HELPERS, name), overlay.path(f"/tmp/{name}"))
        os.chmod(overlay.path(f"/tmp/{name}"), 0o755)
    return overlay


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def race(arena, method, attackers, pace):
    result = arena.exec("/tmp/race", method, "/tmp/marked", str(TRIES), str(attackers),
                        str(pace), timeout=200)
    assert result.code == 0, result
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", result.output.decode())}


@pytest.mark.parametrize("attackers,pace", [(1, 3000), (1, 300), (8, 0)])
@pytest.mark.parametrize("method", ["write", "mmap", "rename"])
def test_rows_9_and_10_only_the_approved_content_runs(arena, start, marks, method, attackers, pace):
    daemon = start(marks=marks)
    for name in ("race", "marked"):
        daemon.tool("approve", digest_of(arena.path(f"/tmp/{name}")), "--reason", "race")
    counts = race(arena, method, attackers, pace)
    print(f"\n{marks} {method} x{attackers} pace {pace} us: {counts}")
    assert counts["evil"] == 0, counts
    assert counts["denied"] + counts["good"] + counts["busy"] > 0


class Freezer:
    """A cgroup that stops a task where it waits, in the middle of its execve(2): what a processor that is shared
    with many does by chance."""

    def __init__(self, folder):
        # Where systemd has cgroup v2 alone, nobody has mounted this one; it is the same hierarchy everywhere.
        run("mount", "-t", "cgroup", "-o", "freezer", "execward-test", folder)
        self.root = folder
        self.path = f"{folder}/execward-test-{os.getpid()}"
        os.mkdir(self.path)

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def close(self):
        self.write("freezer.state", "THAWED")
        until = time.monotonic() + 10
        while True:
            try:
                os.rmdir(self.path)
                return run("umount", self.root)
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.01)  # who was in it is being reaped


@pytest.fixture
def freezer(tmp_path):
    made = Freezer(str(tmp_path))
    yield made
    made.close()


def wait_for(condition, seconds=20 * SLOW):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.0005)


def waits_in_execve(pid):
    """In the kernel, for the verdict."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read().split()[0] in ("59", "322")
    except OSError:
        return False


def change(path, word, flags):
    fd = os.open(path, os.O_WRONLY | flags)
    with open(path, "rb") as file:
        at = file.read(1 << 20).index(b"MARKER-") + len("MARKER-")
    os.pwrite(fd, word, at)
    os.close(fd)


@pytest.mark.kernel(since="6.5", why="a task that waits for a verdict can be frozen")
def test_rows_9_and_10_who_executes_stands_still(arena, start, marks, freezer):
    """Let through, and stopped before the point from which the kernel denies writers: the lease stays until it
    goes on. One that was held for 20 ms let the other content run, in 21 of 100 execs that shared a processor
    with 16 tasks."""
    target = arena.path("/tmp/marked")
    os.truncate(target, 64 << 20)  # takes a while to hash: time to stop who waits
    daemon = start(marks=marks)
    daemon.tool("approve", digest_of(target), "--reason", "race")
    allowed = daemon.status()["verdicts"]["allow"]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(write, 1)
            freezer.write("cgroup.procs", os.getpid())
            os.chroot(arena.merged)
            os.chdir("/")
            os.execve("/tmp/marked", ["/tmp/marked"], {})
        except OSError as error:
            os._exit(error.errno)
        finally:
            os._exit(70)
    os.close(write)
    wait_for(lambda: waits_in_execve(child))
    freezer.write("freezer.state", "FROZEN")
    wait_for(lambda: daemon.status()["verdicts"]["allow"] > allowed)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        with pytest.raises(BlockingIOError):
            change(target, b"EVIL", os.O_NONBLOCK)
        time.sleep(0.005)
    freezer.write("freezer.state", "THAWED")
    with os.fdopen(read) as output:
        said = output.read()
    # Freezing looks like a signal, for which execve(2) begins anew; and then somebody wants to write it.
    assert (said, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) in (("MARKER-GOOD\n", 0), ("", errno.EPERM))
    began = time.monotonic()
    change(target, b"EVIL", 0)  # waits for the lease, which nobody needs any more
    assert time.monotonic() - began < 10 * SLOW


@pytest.mark.parametrize("method", ["write", "mmap", "rename"])
def test_the_race_is_won_unguarded(arena, method):
    """Without the daemon both contents run: the attack is real."""
    counts = race(arena, method, 2, 300)
    assert counts["evil"] > 0, counts
