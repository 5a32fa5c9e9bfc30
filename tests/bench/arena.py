"""Where a benchmark runs: an ext4 of its own with an image, overlays on it, programs in both, and the
guards that are compared. All of it is gone after a `with`, also after a failure or Ctrl-C; the mounts
live in a mount namespace of the benchmark's own, which ends with it at the latest."""
import contextlib
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile

import common  # noqa: F401  it makes the harness importable
from harness import fs as fslib, image as imagelib
from harness.daemon import HELPERS, Daemon
from harness.fs import run

DEADLINE = 3600  # seconds a guard may live: the longest cell of a race takes many minutes
BATCH = 1000     # programs an execbench is given: the arguments of an exec are limited
QUICK = os.path.join(HELPERS, "quick")

FAPOLICYD_RULES = "allow perm=any all : all\n"
FAPOLICYD_CONFIG = """permissive = 0
nice_val = 14
q_size = 640
uid = root
gid = root
do_stat_report = 0
detailed_report = 0
db_max_size = 50
subj_cache_size = 1549
obj_cache_size = 8191
watch_fs = overlay
trust = file
integrity = none
allow_filesystem_mark = 0
"""


# --- the place --------------------------------------------------------------------------------------

class Arena:
    def __init__(self, size="4G"):
        self.stack = contextlib.ExitStack()
        fslib.enter_namespace()
        self.fs = fslib.LoopFs(size)
        self.stack.callback(self.fs.close)
        with self.undone_on_failure():
            self.image = imagelib.make(self.fs.path("image"))
            for name in ("execbench", "quick"):
                shutil.copy(os.path.join(HELPERS, name), self.image + "/bin")

    @contextlib.contextmanager
    def undone_on_failure(self):
        try:
            yield
        except BaseException:
            self.stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    @contextlib.contextmanager
    def overlay(self, **options):
        overlay = fslib.Overlay(self.fs, self.image, **options)
        try:
            yield overlay
        finally:
            overlay.close()

    def copies(self, source, name, count):
        """@count copies of a program in the image: the paths inside."""
        paths = [f"/bin/{name}{number}" for number in range(count)]
        for path in paths:
            shutil.copy(source, self.image + path)
        return paths

    def add_host_program(self, path):
        """What a dynamic program of this host needs, at the same places in the image."""
        for library in re.findall(r"(/\S+) \(0x", run("ldd", path).stdout.decode()):
            os.makedirs(os.path.dirname(self.image + library), exist_ok=True)
            shutil.copy(os.path.realpath(library), self.image + library)


# --- programs ---------------------------------------------------------------------------------------

def tiny_program(number):
    """A whole ELF program that calls _exit(0), in 137 bytes; another one for each number."""
    code = b"\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05"  # xor edi, edi; mov eax, 60; syscall
    base, head = 0x400000, 64 + 56
    size = head + len(code) + 8
    elf = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1, base + head, 64,
                      0, 0, 64, 56, 1, 0, 0, 0)
    # PT_LOAD, readable and executable
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return elf + segment + code + struct.pack("<Q", number)


def write_program(path, content, size=0):
    """@size: as long as that, with a hole before the last bytes, which are the content's last."""
    with open(path, "wb") as file:
        file.write(content)
        if size > len(content):
            file.seek(size - 8)
            file.write(content[-8:])
    os.chmod(path, 0o755)


def write_tiny(root, folder, count, first=0, size=0):
    """@count programs that differ in @folder below @root: the paths inside."""
    os.makedirs(root + folder, exist_ok=True)
    paths = [f"{folder}/{number}" for number in range(first, first + count)]
    for number, path in enumerate(paths, first):
        write_program(root + path, tiny_program(number), size)
    return paths


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def execbench(overlay, programs, count=None, processes=1):
    """The command line of an execbench in the overlay, by a program of the host that is not asked about."""
    assert len(programs) <= BATCH
    return ["chroot", overlay.merged, "/bin/execbench", str(processes), str(count or len(programs)),
            *programs]


def execute(overlay, programs, count=None, processes=1, timeout=600):
    """(nanoseconds in all, nanoseconds of each) of @count execs, the programs in turn."""
    lines = run(*execbench(overlay, programs, count, processes), timeout=timeout).stdout.split()
    return int(lines[0]), [int(line) for line in lines[1:]]


def execute_each(overlay, programs, timeout=600):
    """All of them once, however many: nanoseconds of each."""
    return [took for at in range(0, len(programs), BATCH)
            for took in execute(overlay, programs[at:at + BATCH], timeout=timeout)[1]]


# --- guards -----------------------------------------------------------------------------------------

class Fapolicyd:
    """Debian's fapolicyd with a configuration and a database of its own, bind-mounted in our namespace."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="execward-fapolicyd-", dir="/var/tmp")
        self.process = None
        for name, text in (("etc/fapolicyd.conf", FAPOLICYD_CONFIG), ("etc/compiled.rules", FAPOLICYD_RULES),
                           ("etc/rules.d/10-allow.rules", FAPOLICYD_RULES), ("etc/fapolicyd.trust", "")):
            path = os.path.join(self.dir, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        for name in ("etc/trust.d", "lib"):
            os.mkdir(os.path.join(self.dir, name))

    def start(self):
        run("mount", "--bind", self.dir + "/etc", "/etc/fapolicyd")
        run("mount", "--bind", self.dir + "/lib", "/var/lib/fapolicyd")
        self.process = subprocess.Popen(["timeout", "--foreground", "-s", "KILL", str(DEADLINE),
                                         "fapolicyd", "--debug-deny"], stderr=subprocess.PIPE)
        seen = b""
        while b"Starting to listen for events" not in seen:
            line = self.process.stderr.readline()
            assert line, "fapolicyd does not start: " + seen.decode()
            seen += line

    def close(self):
        if self.process:
            for pid in children(self.process.pid):
                os.kill(pid, 15)
            self.process.stderr.read()
            self.process.wait(timeout=30)
        for path in ("/etc/fapolicyd", "/var/lib/fapolicyd"):
            run("umount", path, check=False)
        shutil.rmtree(self.dir)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def execwardd(storage, **options):
    options.setdefault("deadline", DEADLINE)
    return lambda: Daemon(storage=[storage], ready=False, **options)


def guards(arena, **options):
    """{name: what makes the guard, or None}: nothing, execward in both ways, and fapolicyd where it is
    installed."""
    found = {"unguarded": None}
    for marks in ("backing", "overlay"):
        found[f"execward, {marks} marks"] = execwardd(arena.fs.mount, marks=marks, **options)
    if shutil.which("fapolicyd"):
        found["fapolicyd"] = Fapolicyd
    return found


@contextlib.contextmanager
def guarded(make):
    """The guard of make(), at work on every overlay that is mounted; None without one."""
    guard = make() if make else None
    try:
        if guard:
            guard.start()
        if isinstance(guard, Daemon):
            guard.rescan()
        yield guard
    finally:
        if guard:
            end(guard)


def end(guard):
    try:
        if isinstance(guard, Daemon) and guard.process:
            guard.stop(limit=60)  # how fast it ends is for the tests to judge
    finally:
        guard.close()


def events_of(guard):
    """Events that reached the daemon; None where there is no such figure."""
    return guard.status()["events_total"] if isinstance(guard, Daemon) else None


def approve(guard, digests):
    if isinstance(guard, Daemon):
        for digest in digests:
            answer = guard.ask({"request": "approve", "sha256": digest, "reason": "benchmark"})
            assert answer["ok"], answer


def fapolicyd_of(ratios):
    """What a figure of fapolicyd is shown as beside ours, from {guard: figure}."""
    return {name: value for name, value in ratios.items() if name == "fapolicyd"}
