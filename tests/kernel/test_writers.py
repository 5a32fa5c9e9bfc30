"""Trusted writers: what a package manager of the image unpacks runs at once; what anybody else has
written, or written into it, does not."""
import hashlib
import json
import mmap
import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from harness.container import Container
from harness.daemon import HELPERS
from harness.fs import Overlay, libc, run

WRITERS = "trust: {writers: [/bin/pkg, /usr/bin/dpkg-deb]}"
PROGRAMS = 2000
NOTES = 65536  # TRUSTED_NOTES_MAX


@pytest.fixture(scope="module")
def packaged(fs, image):
    """The image with a package manager in it, and the same program under a name that nobody trusts."""
    path = fs.path("image-writers")
    shutil.copytree(image, path, symlinks=True)
    for name in ("bin/pkg", "bin/other"):
        shutil.copy(os.path.join(HELPERS, "writer"), os.path.join(path, name))
    return path


@pytest.fixture
def box(fs, packaged):
    made = Overlay(fs, packaged)
    yield made
    made.close()


@pytest.fixture
def trusting(box, start, marks):
    """A daemon that guards the box already: a writer's whole life is seen."""
    daemon = start(marks=marks, extra=WRITERS)
    daemon.rescan()
    return daemon


class Held:
    """A writer that waits where it is told to."""

    def __init__(self, box, target, salt, verb="hold"):
        def enter():
            os.chroot(box.merged)
            os.chdir("/")
        self.process = subprocess.Popen(["/bin/pkg", verb, target, salt], preexec_fn=enter,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.expect(b"OPEN")

    def expect(self, word):
        assert self.process.stdout.readline().strip() == word

    def go_on(self, word=None):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        if word:
            self.expect(word)

    def finish(self):
        self.go_on(b"CLOSED")
        self.go_on(b"RENAMED")
        self.end()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0


def faults(daemon):
    return {name: count for name, count in daemon.status()["faults"].items() if count}


def refused(daemon, box, path, reason="dropped"):
    result = box.exec(path)
    assert result.errno in (1, 26) and not result.ran, result
    if result.errno == 1:
        assert daemon.event(path)["execward.reason"] == reason


@pytest.mark.parametrize("how", ["unpack", "safe"])
def test_what_a_writer_unpacks_runs(trusting, box, how):
    box.exec("/bin/pkg", how, "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    assert trusting.events() == []


def test_the_same_from_another_program_does_not(trusting, box):
    box.exec("/bin/other", "unpack", "/bin/hello", "hello")
    refused(trusting, box, "/bin/hello")


def test_nobody_is_trusted_by_default(box, start, marks):
    daemon = start(marks=marks)
    daemon.rescan()
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    refused(daemon, box, "/bin/hello")


def test_a_writer_executes_what_it_has_just_unpacked(trusting, box):
    for number in range(100):
        result = box.exec("/bin/pkg", "run", f"/bin/p{number}", f"run {number}")
        assert result.ran, (number, result)
    assert trusting.events() == []


def test_thousands_are_unpacked_and_executed_at_once(trusting, box):
    result = box.exec("/bin/pkg", "many", "/tmp", str(PROGRAMS), timeout=120)
    assert b"FAILED 0" in result.output, (result, trusting.events()[:3], faults(trusting))
    assert trusting.events() == [] and faults(trusting) == {}


#
# What somebody else does to a file before, while or after it is written.
#
EVIL = b"evil"


def payload(box):
    with open(box.path("/bin/payload"), "rb") as file:
        return file.read()


def test_a_descriptor_that_was_open_before_the_close(trusting, box):
    held = Held(box, "/bin/hello", "hello")
    fd = os.open(box.path("/bin/hello.new"), os.O_RDWR)
    held.finish()
    refused(trusting, box, "/bin/hello", "mutable")
    os.pwrite(fd, EVIL, os.fstat(fd).st_size)
    os.close(fd)
    result = box.exec("/bin/hello")
    assert result.errno == 1 and not result.ran


def test_a_descriptor_that_was_open_and_wrote_nothing(trusting, box):
    """When in doubt: not trusted."""
    held = Held(box, "/bin/hello", "hello")
    fd = os.open(box.path("/bin/hello.new"), os.O_RDWR)
    held.finish()
    os.close(fd)
    refused(trusting, box, "/bin/hello")


def test_a_descriptor_that_was_closed_before_the_writers(trusting, box):
    held = Held(box, "/bin/hello", "hello")
    os.close(os.open(box.path("/bin/hello.new"), os.O_RDWR))
    held.finish()
    refused(trusting, box, "/bin/hello")


@pytest.mark.parametrize("when", ["while it is written", "after"])
def test_a_store_through_a_mapping(trusting, box, when):
    """The descriptor is closed; under an overlay mark nothing tells of the mapping's end."""
    held = Held(box, "/bin/hello", "hello")
    if when == "after":
        held.go_on(b"CLOSED")
    fd = os.open(box.path("/bin/hello.new"), os.O_RDWR)
    if when != "after":
        os.ftruncate(fd, 4096)
    mapping = mmap.mmap(fd, 4096)
    os.close(fd)
    if when != "after":
        mapping[9] = 1  # the page is writable from now on
        held.go_on(b"CLOSED")
    held.go_on(b"RENAMED")
    held.end()
    mapping[9] = 0x55  # padding of e_ident
    mapping.close()
    assert box.exec("/bin/hello").errno == 1
    assert trusting.event("/bin/hello")["execward.reason"] == "dropped"


def test_another_file_under_the_name(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    box.drop("/tmp/own", payload(box) + EVIL)
    os.rename(box.path("/tmp/own"), box.path("/bin/hello"))
    refused(trusting, box, "/bin/hello")


def test_another_file_linked_to_the_name(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    box.drop("/tmp/own", payload(box) + EVIL)
    os.unlink(box.path("/bin/hello"))
    os.link(box.path("/tmp/own"), box.path("/bin/hello"))
    refused(trusting, box, "/bin/hello")


def test_an_edit_afterwards(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    with open(box.path("/bin/hello"), "ab") as file:
        file.write(EVIL)
    refused(trusting, box, "/bin/hello")


def test_truncated_with_size_and_times_restored(trusting, box):
    """truncate(2) closes nothing, but what was closed has been vouched for once."""
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    path = box.path("/bin/hello")
    before = os.stat(path)
    os.truncate(path, before.st_size - 3)
    os.truncate(path, before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns
    refused(trusting, box, "/bin/hello")


def test_written_again_by_the_writer(trusting, box):
    """Each close of a writer vouches anew."""
    for number in range(3):
        box.exec("/bin/pkg", "safe", "/bin/hello", f"hello {number}")
        assert box.exec("/bin/hello").ran
    assert trusting.events() == []


def test_a_file_that_was_begun_before_the_daemon_saw(box, start, marks):
    held = Held(box, "/bin/hello", "hello")
    daemon = start(marks=marks, extra=WRITERS)
    daemon.rescan()
    held.finish()
    refused(daemon, box, "/bin/hello")


def test_a_file_that_was_begun_before_its_overlay_was_seen(fs, packaged, start):
    """Nothing is marked yet: what else has been done to it then, nobody knows."""
    daemon = start(marks="overlay", extra=WRITERS)
    pid = daemon.pid
    os.kill(pid, signal.SIGSTOP)
    box = Overlay(fs, packaged)
    try:
        held = Held(box, "/bin/hello", "hello")
        os.kill(pid, signal.SIGCONT)
        daemon.rescan()
        held.finish()
        refused(daemon, box, "/bin/hello")
        box.exec("/bin/pkg", "unpack", "/bin/later", "later")
        assert box.exec("/bin/later").ran
    finally:
        os.kill(pid, signal.SIGCONT)
        box.close()


def test_a_writer_that_is_gone_before_anything_of_it_is_seen(trusting, box):
    """It was seen when it was executed."""
    held = Held(box, "/bin/hello", "hello", verb="later")
    pid = trusting.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        held.go_on()
        held.end()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert box.exec("/bin/hello").ran
    assert trusting.events() == []


def test_what_is_forgotten_is_not_trusted(trusting, box):
    """Who pushes the record of his own doing out has made everything older untrusted."""
    held = Held(box, "/bin/hello", "hello")
    os.close(os.open(box.path("/bin/hello.new"), os.O_RDWR))
    directory = box.path("/tmp/flood")
    os.mkdir(directory)
    for number in range(NOTES + 100):
        os.close(os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT))
    held.finish()
    refused(trusting, box, "/bin/hello")
    box.exec("/bin/pkg", "unpack", "/bin/later", "later")
    assert box.exec("/bin/later").ran


def test_the_same_content_in_the_same_container(trusting, box):
    """The digest is what is vouched for, wherever it lies in that container."""
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/sh", "-c", "cp /bin/hello /tmp/copy; /tmp/copy").ran
    assert trusting.events() == []


def test_the_same_content_in_another_container(trusting, box, fs, packaged):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    other = Overlay(fs, packaged)
    try:
        trusting.rescan()
        other.exec("/bin/other", "unpack", "/bin/hello", "hello")
        refused(trusting, other, "/bin/hello")
    finally:
        other.close()


def test_a_writer_of_another_container(trusting, box, fs, packaged):
    """It writes here through a path of the host's; here it is nobody."""
    other = Overlay(fs, packaged)
    try:
        trusting.rescan()
        run("mkdir", "-p", other.path("/mnt/box"))
        run("mount", "--bind", box.merged, other.path("/mnt/box"))
        other.exec("/bin/pkg", "unpack", "/mnt/box/bin/hello", "hello")
        run("umount", other.path("/mnt/box"))
        refused(trusting, box, "/bin/hello")
    finally:
        other.close()


#
# Who is a writer.
#
@pytest.fixture
def reporting(box, start, marks):
    """Lets the impostor run, which enforce would not."""
    daemon = start(marks=marks, mode="report", extra=WRITERS)
    daemon.rescan()
    return daemon


def not_trusted(daemon, box, path):
    assert box.exec(path).ran
    assert daemon.event(path)["execward.reason"] == "dropped"


def test_a_copy_of_a_writer(reporting, box):
    box.exec("/bin/sh", "-c", "mkdir -p /tmp/bin; cp /bin/pkg /tmp/bin/pkg; "
             "/tmp/bin/pkg unpack /bin/hello hello")
    not_trusted(reporting, box, "/bin/hello")


def test_an_edited_writer(reporting, box):
    box.exec("/bin/sh", "-c", "echo >> /bin/pkg; /bin/pkg unpack /bin/hello hello")
    not_trusted(reporting, box, "/bin/hello")


def test_another_program_renamed_to_the_writer(reporting, box):
    box.exec("/bin/sh", "-c", "mv /bin/other /bin/pkg; /bin/pkg unpack /bin/hello hello")
    not_trusted(reporting, box, "/bin/hello")


def test_a_writer_that_was_only_touched(trusting, box):
    """Copied up, and the same."""
    box.exec("/bin/sh", "-c", "chmod 711 /bin/pkg; /bin/pkg unpack /bin/hello hello")
    assert box.exec("/bin/hello").ran
    assert trusting.events() == []


def test_another_program_mounted_over_the_writer(trusting, box):
    """Its name is what /proc says then."""
    run("mount", "--bind", box.path("/bin/other"), box.path("/bin/pkg"))
    try:
        box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    finally:
        run("umount", box.path("/bin/pkg"))
    refused(trusting, box, "/bin/hello")


def test_another_program_that_is_called_like_the_writer(trusting, box):
    subprocess.run(["/bin/pkg", "unpack", "/bin/hello", "hello"], executable="/bin/other",
                   preexec_fn=lambda: os.chroot(box.merged), check=True, timeout=20)
    refused(trusting, box, "/bin/hello")


def test_who_becomes_a_writer_after_the_close(trusting, box):
    """What the process has closed before is seen while it is what it was then."""
    for number in range(30):
        box.exec("/bin/other", "then", f"/bin/p{number}", f"then {number}", "/bin/pkg")
        assert box.exec(f"/bin/p{number}").errno == 1, number
    assert {e["execward.reason"] for e in trusting.events()} == {"dropped"}


def test_a_writer_that_is_traced(trusting, box):
    def enter():
        os.chroot(box.merged)
        os.chdir("/")
        assert libc.ptrace(0, 0, 0, 0) == 0  # PTRACE_TRACEME
    pid = os.fork()
    if pid == 0:
        enter()
        os.execv("/bin/pkg", ["/bin/pkg", "unpack", "/bin/hello", "hello"])
    while True:
        status = os.waitpid(pid, 0)[1]
        if os.WIFEXITED(status):
            break
        assert libc.ptrace(7, pid, 0, 0) == 0  # PTRACE_CONT
    assert os.WEXITSTATUS(status) == 0
    refused(trusting, box, "/bin/hello")


def test_a_writer_of_another_user(trusting, box):
    """Anybody may execute it; only root, or whom it belongs to, is trusted to."""
    os.mkdir(box.path("/tmp/user"))
    os.chown(box.path("/tmp/user"), 1000, 1000)

    def leave():
        os.chroot(box.merged)
        os.setgid(1000)
        os.setuid(1000)
    subprocess.run(["/bin/pkg", "unpack", "/tmp/user/hello", "hello"], preexec_fn=leave,
                   check=False, timeout=20)
    os.chown(box.path("/tmp/user/hello"), 0, 0)
    refused(trusting, box, "/tmp/user/hello")


def test_a_file_of_another_user_that_a_writer_closes_last(trusting, box):
    """An inherited descriptor: what is in the file is the user's."""
    fd = os.open(box.path("/tmp/inherited"), os.O_RDWR | os.O_CREAT, 0o755)
    os.write(fd, payload(box) + EVIL)
    os.fchown(fd, 1000, 1000)
    process = subprocess.Popen(["/bin/pkg", "unpack", "/bin/hello", "hello"], pass_fds=[fd],
                               preexec_fn=lambda: os.chroot(box.merged))
    os.close(fd)
    assert process.wait(timeout=20) == 0
    refused(trusting, box, "/tmp/inherited")


def test_a_volume(trusting, box):
    """Only the container's own layer: what else is mounted has another past, and other users."""
    container = Container(box)
    try:
        assert container.exec("/bin/pkg", "unpack", "/bin/hello", "hello").code == 0
        assert container.exec("/bin/hello").ran
        container.exec("/bin/pkg", "unpack", "/dev/shm/hello", "elsewhere")
        result = container.exec("/dev/shm/hello")
        assert result.errno == 1 and not result.ran
    finally:
        container.close()


def test_a_writer_that_is_not_trusted_any_more(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    for _ in range(3):
        assert box.exec("/bin/hello").ran
    trusting.write_config(extra="trust: {writers: [/usr/bin/dpkg-deb]}")
    trusting.tool("reload")
    refused(trusting, box, "/bin/hello")
    trusting.write_config(extra=WRITERS)
    trusting.tool("reload")
    assert box.exec("/bin/hello").ran


def test_what_is_vouched_for_outlives_the_daemon(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    trusting.stop()
    trusting.start()
    trusting.rescan()
    assert box.exec("/bin/hello").ran
    assert box.exec("/bin/sh", "-c", "cp /bin/hello /tmp/copy; /tmp/copy").ran
    assert trusting.events() == []


def test_explain_names_the_writer(trusting, box):
    box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
    assert box.exec("/bin/hello").ran
    with open(box.path("/bin/hello"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    answer = json.loads(trusting.tool("explain", digest, "--json").stdout)
    assert answer["vouchers"] == ["trusted_writer"], answer
    assert answer["would"]["reason"] == "trusted_writer" and answer["would"]["trusted_writer"]["exe"] == "/bin/pkg"


def rows(daemon):
    """Of a daemon that is stopped."""
    with sqlite3.connect(os.path.join(daemon.state, "baseline.db")) as database:
        found = database.execute("SELECT scope_value, path, writer FROM provenance").fetchall()
    database.close()
    return found


def test_what_is_on_record_goes_with_its_container(trusting, fs, packaged):
    kept, gone = Overlay(fs, packaged), Overlay(fs, packaged)
    trusting.rescan()
    try:
        for box in (kept, gone):
            box.exec("/bin/pkg", "unpack", "/bin/hello", "hello")
            assert box.exec("/bin/hello").ran
    finally:
        gone.close()
    trusting.stop()
    assert {row[0] for row in rows(trusting)} == {kept.upper, gone.upper}
    trusting.start()
    trusting.rescan()
    try:
        kept.exec("/bin/pkg", "unpack", "/bin/later", "later")  # something to write down
        assert kept.exec("/bin/later").ran and kept.exec("/bin/hello").ran
        trusting.stop()
        assert {row[0] for row in rows(trusting)} == {kept.upper}
        assert all(row[2] == "/bin/pkg" for row in rows(trusting))
    finally:
        kept.close()
