"""Rows 8 and 16: what is mounted in a container and is no overlay. Guarded before anything of the
container runs, also when the kernel remembers its first program; FUSE is refused by its type."""
import hashlib
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from harness.container import Container
from harness.daemon import HELPERS
from harness.fs import LoopFs, Overlay, libc, run

real_inode = pytest.mark.kernel(since="6.5", why="events of the real inode")
told = pytest.mark.kernel(since="6.13", why="FAN_REPORT_FD_ERROR names the task that was refused")


@pytest.fixture
def disk():
    """Another filesystem, of which a directory is mounted into containers."""
    made = LoopFs("200M")
    yield made
    made.close()


@pytest.fixture
def container(overlay, start, marks, disk):
    daemon = start(marks=marks)
    made = Container(overlay, binds=[(disk.mount, "/volume")])
    yield made, daemon
    made.close()


def volumes(daemon):
    return {g["path"]: g for g in daemon.status()["guarded"] if g["kind"] in ("volume", "fuse")}


@pytest.mark.parametrize("where", ["/dev/shm/evil", "/volume/evil"])
@pytest.mark.parametrize("technique", ["plain", "execveat", "rename", "unlinked", "vfork", "script"])
def test_row_8_what_is_dropped_in_a_volume_is_denied(container, where, technique):
    box, daemon = container
    result = box.attack(technique, where)
    assert not result.ran, result
    event = daemon.events()[-1]
    assert event["execward.reason"] == "volume", event
    assert event["execward.container_key"] == box.overlay.upper
    assert event["execward.verdict"] == "deny"


@pytest.mark.kernel(since="6.8", why="the container of a writer is told by the unique id of its root")
def test_who_dropped_it_in_a_volume_is_on_record(container):
    box, daemon = container
    assert not box.attack("plain", "/dev/shm/evil").ran
    event = daemon.event("/dev/shm/evil")
    assert event["execward.dropped_by"]["exe"].endswith("/bin/attack"), event


def test_an_approved_program_of_a_volume_runs(container):
    box, daemon = container
    assert not box.attack("plain", "/dev/shm/tool").ran
    event = daemon.event("/dev/shm/tool")
    daemon.tool("approve", event["execward.sha256"], "--reason", "test")
    assert box.exec("/dev/shm/tool").ran


@real_inode
def test_a_remembered_first_program_does_not_hide_a_container(fs, image, overlay, start, disk):
    """The kernel asks about /bin/sleep no more: the birth mark does."""
    daemon = start(marks="backing")
    for _ in range(3):
        assert overlay.exec("/bin/sleep", "0").code == 0
    before = daemon.status()["events_total"]
    assert overlay.exec("/bin/sleep", "0").code == 0
    assert daemon.status()["events_total"] == before
    for _ in range(5):
        other = Overlay(fs, image)
        daemon.rescan()
        box = Container(other, binds=[(disk.mount, "/volume")])
        try:
            assert not box.attack("plain", "/dev/shm/evil").ran
            assert not box.attack("plain", "/volume/evil").ran
            # Born: its programs cost nothing again.
            assert box.exec("/bin/sleep", "0").code == 0
            before = daemon.status()["events_total"]
            assert box.exec("/bin/sleep", "0").code == 0
            assert daemon.status()["events_total"] == before
        finally:
            box.close()
            other.close()


def test_a_container_that_was_there_before_us(overlay, start, marks, disk):
    box = Container(overlay, binds=[(disk.mount, "/volume")])
    try:
        daemon = start(marks=marks)
        assert {"/dev/shm", "/volume"} <= set(volumes(daemon))
        assert not box.attack("plain", "/dev/shm/evil").ran
        assert not box.attack("plain", "/volume/evil").ran
        assert box.exec("/bin/one").ran
    finally:
        box.close()


@pytest.mark.kernel(since="6.15", why="mounts in a container wake the daemon")
def test_what_is_mounted_later_is_guarded(container):
    box, daemon = container
    assert box.exec("/bin/mount", "-t", "tmpfs", "t", "/mnt").code == 0
    end = time.monotonic() + 10  # FAN_REPORT_MNT wakes the daemon; each look is a question
    while "/mnt" not in volumes(daemon):
        assert time.monotonic() < end
    assert not box.attack("plain", "/mnt/evil").ran
    assert box.exec("/bin/umount", "/mnt").code == 0  # a mark does not keep it busy


def test_a_chroot_in_our_own_namespace(overlay, start, marks):
    daemon = start(marks=marks)
    run("mount", "-t", "tmpfs", "t", overlay.path("/mnt"))
    try:
        daemon.rescan()
        assert not overlay.attack("plain", "/mnt/evil").ran
        assert daemon.event("/mnt/evil")["execward.reason"] == "volume"
    finally:
        run("umount", "-l", overlay.path("/mnt"))


def test_the_host_is_not_asked_about_its_own_disk(container, disk):
    box, daemon = container
    assert not box.attack("plain", "/volume/evil").ran
    shutil.copy(os.path.join(HELPERS, "payload"), disk.path("hosts"))
    before = daemon.status()["events_total"]
    assert b"PAYLOAD-RAN" in run(disk.path("hosts"), check=False).stdout
    assert daemon.status()["events_total"] == before


@real_inode
def test_volumes_false_leaves_them_alone(overlay, start, disk):
    daemon = start(marks="backing", extra="")
    daemon.close()
    daemon = start(marks="backing", guard_extra="volumes: false")
    box = Container(overlay, binds=[(disk.mount, "/volume")])
    try:
        assert box.attack("plain", "/volume/mine").ran
        assert not volumes(daemon)
    finally:
        box.close()


@real_inode
def test_volumes_go_with_their_container(fs, image, start, disk):
    daemon = start(marks="backing")
    before = daemon.descriptors()
    for _ in range(10):
        overlay = Overlay(fs, image)
        daemon.rescan()
        box = Container(overlay, binds=[(disk.mount, "/volume")])
        assert not box.attack("plain", "/dev/shm/evil").ran
        box.close()
        overlay.close()
    daemon.rescan()
    assert not volumes(daemon)
    end = time.monotonic() + 20  # leases go 20 ms after their answers
    while daemon.descriptors() > before:
        assert time.monotonic() < end


class Server:
    """A FUSE server of the container's own at /mnt."""

    def __init__(self, overlay, behaviour):
        for name in ("fuse", "payload"):
            shutil.copy(os.path.join(HELPERS, name), overlay.path(f"/tmp/{name}"))
        if not os.path.exists(overlay.path("/dev/fuse")):
            os.mknod(overlay.path("/dev/fuse"), 0o600 | 0o020000, os.makedev(10, 229))
        self.process = subprocess.Popen(
            ["/tmp/fuse", "/mnt", "/tmp/payload", behaviour], stdout=subprocess.PIPE,
            preexec_fn=lambda: (os.chroot(overlay.merged), os.chdir("/")))
        assert self.process.stdout.readline() == b"ready\n"
        self.overlay = overlay

    def close(self):
        run("umount", "-l", self.overlay.path("/mnt"), check=False)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(overlay, start, marks):
    servers = []

    def make(behaviour):
        server = Server(overlay, behaviour)  # before the daemon: it is nobody's program
        servers.append(server)
        return start(marks=marks)
    yield make
    for server in servers:
        server.close()


@pytest.mark.parametrize("behaviour", ["serve", "switch"])
@told
def test_row_16_fuse_is_refused_by_its_type(overlay, serve, behaviour):
    daemon = serve(behaviour)
    assert volumes(daemon)
    for _ in range(20):
        assert overlay.exec("/mnt/prog").errno == 1

    def of_container():
        return [e for e in daemon.events() if e["execward.container_key"] == overlay.upper]
    daemon.wait_for(of_container)  # the kernel has denied before the daemon is told
    assert of_container()[0]["proc.exepath"] == "/mnt"
    # A task that is gone when it is looked at has no container: its denial is told all the same.
    assert {(e["execward.reason"], e["execward.verdict"]) for e in daemon.events()} == {("mutable", "deny")}


@told
def test_row_16_an_approval_does_not_help_a_fuse_file(overlay, serve):
    daemon = serve("serve")
    sha = run("sha256sum", overlay.path("/tmp/payload")).stdout.split()[0].decode()
    daemon.tool("approve", sha, "--reason", "test")
    assert overlay.exec("/mnt/prog").errno == 1


@told
def test_row_16_report_lets_it_run_and_says_so(overlay, serve):
    daemon = serve("serve")
    assert overlay.exec("/mnt/prog").errno == 1
    daemon.tool("mode", "report")
    assert overlay.exec("/mnt/prog").ran
    daemon.wait_for(lambda: any(e["execward.verdict"] == "would_deny" for e in daemon.events()))
    daemon.tool("mode", "enforce")
    assert overlay.exec("/mnt/prog").errno == 1


@told
def test_row_16_a_server_that_stalls_hangs_nobody_else(overlay, serve):
    daemon = serve("stall")
    for _ in range(20):
        assert overlay.exec("/mnt/prog").errno == 1  # the server was never asked
        assert overlay.exec("/bin/one").ran
        assert not overlay.attack("plain", "/tmp/evil").ran
    daemon.rescan()
    daemon.stop()


@told
def test_row_16_arguments_in_a_stalled_mapping_are_not_read(overlay, serve):
    """The memory of the task is a FUSE file that is never served: who read it would hang for ever."""
    daemon = serve("stall-read")
    sha = run("sha256sum", overlay.path("/tmp/fuse")).stdout.split()[0].decode()
    daemon.tool("approve", sha, "--reason", "the attacker's own")
    for _ in range(8):
        result = overlay.exec("/bin/busybox", "timeout", "10", "/tmp/fuse", "/mnt", "/tmp/payload",
                              "argv")
        assert result.output == b"EPERM\n", result
    assert overlay.exec("/bin/one").ran
    event = daemon.event("/tmp/payload")
    assert event["proc.name"] == "payload" and event["execward.reason"] == "dropped_copy"
    daemon.stop()


def approve_attacker(overlay, daemon):
    sha = run("sha256sum", overlay.path("/tmp/fuse")).stdout.split()[0].decode()
    daemon.tool("approve", sha, "--reason", "the attacker's own")


@told
def test_row_16_a_mapping_that_outlives_its_mount_is_not_read(overlay, serve):
    daemon = serve("stall-read")
    approve_attacker(overlay, daemon)
    with subprocess.Popen(["/tmp/fuse", "/mnt", "/tmp/payload", "argv-wait"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE,
                          preexec_fn=lambda: (os.chroot(overlay.merged), os.chdir("/"))) as stuck:
        assert stuck.stdout.readline() == b"mapped\n"
        run("umount", "-l", overlay.path("/mnt"))
        daemon.rescan()
        assert not volumes(daemon)
        assert stuck.communicate(b"\n", timeout=20)[0] == b"EPERM\n"
    daemon.stop()


@told
def test_row_16_a_mount_below_a_stalled_server_is_not_walked_to(overlay, start, marks):
    """A tmpfs on /mnt/x, then FUSE over /mnt: the way to the tmpfs leads through the server."""
    for name in ("fuse", "payload"):
        shutil.copy(os.path.join(HELPERS, name), overlay.path(f"/tmp/{name}"))
    if not os.path.exists(overlay.path("/dev/fuse")):
        os.mknod(overlay.path("/dev/fuse"), 0o600 | 0o020000, os.makedev(10, 229))
    os.makedirs(overlay.path("/mnt/x"), exist_ok=True)
    box = Container(overlay)
    assert box.exec("/bin/mount", "-t", "tmpfs", "t", "/mnt/x").code == 0
    namespace = os.open(f"/proc/{box.init}/ns/mnt", os.O_RDONLY)
    server = subprocess.Popen(["/tmp/fuse", "/mnt", "/tmp/payload", "stall-lookup"], stdout=subprocess.PIPE,
                              preexec_fn=lambda: libc.setns(namespace, 0x20000))
    try:
        assert server.stdout.readline() == b"ready\n"
        daemon = start(marks=marks)
        daemon.rescan()
        assert overlay.exec("/bin/one").ran
        daemon.stop()
    finally:
        server.kill()
        server.wait()
        os.close(namespace)
        box.close()


def test_row_8_a_store_through_a_new_mapping_on_tmpfs_is_seen(container):
    """On tmpfs such a store moves no time: nothing is remembered by times there."""
    box, daemon = container
    with open(os.path.join(HELPERS, "marked"), "rb") as file:
        good = file.read()
    path = f"/proc/{box.init}/root/dev/shm/tool"
    with open(path, "wb") as file:
        file.write(good)
    os.chmod(path, 0o755)
    daemon.tool("approve", hashlib.sha256(good).hexdigest(), "--reason", "test")
    assert b"MARKER-GOOD" in box.exec("/dev/shm/tool").output
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        at = good.index(b"MARKER-GOOD") + 7
        assert mapping[at]  # the page is there before the store
        mapping[at:at + 4] = b"EVIL"
    assert box.exec("/dev/shm/tool").errno == 1


ROOT_FLIPPER = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
merged, other, target = sys.argv[1:4]
libc.unshare(0x20000), libc.mount(b"none", b"/", None, 0x44000, None)
roots = [os.open(p, os.O_RDONLY) for p in (merged, other)]
print("flipping", flush=True)
if os.fork() == 0:
    while True:
        libc.mount(b"t", target.encode(), b"tmpfs", 0, None)
        libc.umount2(target.encode(), 2)
        time.sleep(0.01)
while True:
    for root in roots:
        os.fchdir(root), os.chroot(".")
"""


@real_inode
def test_a_root_that_changes_does_not_take_other_marks_away(fs, overlay, start):
    """The birth mark is the overlay's own: /proc/PID/root may be another filesystem by then."""
    daemon = start(marks="backing")
    overlay.drop("/bin/evil", open(overlay.path("/bin/payload"), "rb").read() + b"evil")
    for name in ("flip", "flip-target"):
        os.makedirs(fs.path(name), exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", ROOT_FLIPPER, overlay.merged, fs.path("flip"),
                           fs.path("flip-target")], stdout=subprocess.PIPE, start_new_session=True) as flipper:
        try:
            assert flipper.stdout.readline() == b"flipping\n"
            for _ in range(100):
                daemon.rescan()
                assert overlay.exec("/bin/evil").errno == 1
        finally:
            os.killpg(flipper.pid, signal.SIGKILL)
