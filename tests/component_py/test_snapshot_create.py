"""execward snapshot create on real trees and a real database: what is recorded, what is read again, what
an interruption, a full disk or an unreadable file leaves behind."""
import contextlib
import hashlib
import json
import os
import pty
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time

import pytest

from fake_daemon import FakeDaemon, fail

ELF = b"\x7fELF and so on"
SCRIPT = b"#!/bin/sh\nexit 0\n"
NOBODY = 65534
BUILDING, CURRENT, SUPERSEDED = 0, 1, 2

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Place:
    """A database of its own, and a tree."""

    def __init__(self):
        self.daemon = FakeDaemon(listen=False)
        # Not pytest's own directory, which is closed to others.
        self.top = tempfile.mkdtemp(prefix="execward-snapshot-")
        os.chmod(self.top, 0o755)
        self.state, self.tree = self.top + "/state", self.top + "/tree"
        os.mkdir(self.state, 0o700)
        os.mkdir(self.tree)
        self.configure(state_dir=self.state)

    def configure(self, **keys):
        with open(self.daemon.config, "a", encoding="utf-8") as file:
            for key, value in keys.items():
                file.write(f"{key}: {json.dumps(value)}\n")

    def path(self, name):
        return os.path.join(self.tree, name)

    def write(self, name, data=ELF, mode=0o755):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)
        os.chmod(self.path(name), mode)

    def settle(self):
        """A change time of the clock's last tick proves nothing, so the clock has to move on first."""
        newest = max(os.lstat(os.path.join(base, name)).st_ctime_ns
                     for base, _, names in os.walk(self.tree) for name in names)
        while (left_ns := newest + 50_000_000 - time.time_ns()) > 0:
            time.sleep(left_ns / 1e9)

    def run(self, *argv, **kwargs):
        return self.daemon.tool("snapshot", "create", *argv, **kwargs)

    def rootfs(self, *argv, code=0, **kwargs):
        """The event of the one snapshot."""
        result = self.run("--rootfs", self.tree, "--json", *argv, **kwargs)
        assert result.returncode == code, result
        assert b"Sanitizer" not in result.stderr
        found = [event for event in events(result) if event["event"] == "snapshot"]
        assert len(found) == 1
        return found[0]

    def query(self, sql, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/baseline.db?mode=ro", uri=True)) as db:
            db.text_factory = bytes
            return db.execute(sql, values).fetchall()

    def paths(self, snapshot):
        return [path for (path,) in self.query("SELECT path FROM entry WHERE snapshot = ? ORDER BY key", snapshot)]

    def states(self):
        return self.query("SELECT id, state FROM snapshot ORDER BY id")


def events(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def place():
    made = Place()
    yield made
    made.daemon.close()
    shutil.rmtree(made.top)


@pytest.fixture
def programs(place):
    place.write("usr/bin/one")
    place.write("usr/bin/two", SCRIPT, 0o644)
    place.write("usr/bin/three", b"MZ")
    place.write("etc/config", b"a=b", 0o644)
    place.settle()
    return place


# --- what is recorded ------------------------------------------------------------------------------

def test_executables_are_recorded(programs):
    event = programs.rootfs()
    assert programs.paths(event["id"]) == [b"/usr/bin/one", b"/usr/bin/three", b"/usr/bin/two"]
    assert event["kind"] == "rootfs" and event["name"] == programs.tree
    assert (event["executables"], event["files"], event["entries"]) == (3, 3, 3)
    assert event["bytes"] == event["hashed_bytes"] == len(ELF) + len(SCRIPT) + 2
    assert event["scope"] == "none" and event["scope_value"] is None and event["root"] == programs.tree
    digests = programs.query("SELECT path, sha256 FROM entry ORDER BY key")
    assert digests[0] == (b"/usr/bin/one", hashlib.sha256(ELF).digest())
    assert programs.states() == [(event["id"], CURRENT)]


def test_all_files_are_recorded(programs):
    os.symlink("/outside", programs.path("link"))
    os.mkfifo(programs.path("fifo"))
    os.mknod(programs.path("socket"), stat.S_IFSOCK | 0o644)
    event = programs.rootfs("--all-files")
    assert event["entries"] == 11 and event["files"] == 4 and event["hashed"] == 4
    assert programs.paths(event["id"])[:3] == [b"/", b"/etc", b"/etc/config"]
    assert programs.query("SELECT target FROM entry WHERE path = '/link'") == [(b"/outside",)]


def test_the_digest_is_of_the_tree_and_of_nothing_else(programs):
    event = programs.rootfs("--all-files")
    other = programs.top + "/elsewhere"
    subprocess.run(["cp", "-a", programs.tree, other], check=True)
    os.utime(other + "/usr/bin/one", (1, 1))
    result = programs.run("--rootfs", other, "--all-files", "--json", "--threads", "1")
    copy = [e for e in events(result) if e["event"] == "snapshot"][0]
    assert copy["sha256"] == event["sha256"] and copy["id"] != event["id"]
    os.chmod(programs.path("usr/bin/one"), 0o4755)
    assert programs.rootfs("--all-files")["sha256"] != event["sha256"]


def test_text(programs):
    result = programs.run("--rootfs", programs.tree, "--name", "web\x1b[2J")
    assert result.returncode == 0 and not result.stderr and b"\x1b" not in result.stdout
    for word in (b"published", b"3 executables", b"vouches", b"for comparison only", b"sha256",
                 b"No daemon could be told"):
        assert word in result.stdout


def test_hostile_names(place):
    name = b"new\nline\xff\x1b[2J"
    with open(os.path.join(os.fsencode(place.tree), name), "wb") as file:
        file.write(SCRIPT)
    event = place.rootfs()
    assert place.paths(event["id"]) == [b"/" + name]


def test_scopes(programs):
    assert programs.rootfs("--scope", "image:example/web:1")["scope_value"] == "example/web:1"
    assert programs.rootfs("--scope", "container:/var/lib/x/upper")["scope"] == "container"
    uuid = "c0ffee00-0000-4000-8000-000000000001"
    assert programs.rootfs("--scope", "filesystem:" + uuid)["scope_value"] == uuid
    assert programs.rootfs("--scope", "none")["scope"] == "none"
    for wrong in ("image:", "imag:x", "image", "x"):
        assert programs.run("--rootfs", programs.tree, "--scope", wrong).returncode == 64


# --- again -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--all-files"]])
def test_what_is_unchanged_stands(programs, options):
    first = programs.rootfs(*options)
    second = programs.rootfs(*options)
    assert second["unchanged"] and second["hashed"] == 0 and second["id"] == first["id"]
    assert second["entries"] == first["entries"] and second["sha256"] == first["sha256"]
    assert programs.states() == [(first["id"], CURRENT)]


def edit(place):
    place.write("usr/bin/one", ELF[::-1])


def edit_and_put_the_time_back(place):
    before = os.stat(place.path("usr/bin/one"))
    place.write("usr/bin/one", ELF[:-1] + b"N")
    os.utime(place.path("usr/bin/one"), ns=(before.st_atime_ns, before.st_mtime_ns))


def rename_another_over_it(place):
    place.write("new", ELF[:-1] + b"R")
    os.rename(place.path("new"), place.path("usr/bin/one"))


@pytest.mark.parametrize("change", [edit, edit_and_put_the_time_back, rename_another_over_it])
@pytest.mark.parametrize("options", [[], ["--all-files"]])
def test_what_has_changed_is_read_again(programs, change, options):
    first = programs.rootfs(*options)
    change(programs)
    second = programs.rootfs(*options)
    assert not second["unchanged"] and second["hashed"] == 1 and second["id"] != first["id"]
    assert second["files"] == first["files"] and second["sha256"] != first["sha256"]
    content = open(programs.path("usr/bin/one"), "rb").read()
    assert programs.query("SELECT sha256 FROM entry WHERE snapshot = ? AND path = '/usr/bin/one'",
                          second["id"]) == [(hashlib.sha256(content).digest(),)]
    assert programs.states() == [(first["id"], SUPERSEDED), (second["id"], CURRENT)]
    clean = programs.rootfs(*options, "--rehash")
    assert clean["sha256"] == second["sha256"] and clean["hashed"] == clean["files"]


def remove(place):
    os.unlink(place.path("usr/bin/one"))


def add(place):
    place.write("usr/bin/four")


def make_executable(place):
    os.chmod(place.path("etc/config"), 0o755)


def change_owner(place):
    os.chown(place.path("usr/bin/one"), NOBODY, NOBODY)


@pytest.mark.parametrize("change, files", [
    (remove, 2), (add, 4), (make_executable, 4), pytest.param(change_owner, 3, marks=as_root)])
def test_every_difference_makes_a_new_snapshot(programs, change, files):
    first = programs.rootfs()
    change(programs)
    second = programs.rootfs()
    assert not second["unchanged"] and second["id"] != first["id"] and second["files"] == files


def test_directories_and_links_count_with_all_files(programs):
    os.symlink("a", programs.path("link"))
    first = programs.rootfs("--all-files")
    os.unlink(programs.path("link"))
    os.symlink("b", programs.path("link"))
    second = programs.rootfs("--all-files")
    assert second["id"] != first["id"] and second["hashed"] == 0
    os.chmod(programs.path("etc"), 0o700)
    assert programs.rootfs("--all-files")["id"] != second["id"]


def test_another_way_of_looking_is_another_snapshot(programs):
    first = programs.rootfs()
    every = programs.rootfs("--all-files")
    assert not every["unchanged"] and every["hashed"] == 1
    scoped = programs.rootfs("--all-files", "--scope", "image:x")
    assert not scoped["unchanged"] and scoped["hashed"] == 0
    assert len({first["id"], every["id"], scoped["id"]}) == 3


def test_rehash_reads_everything(programs):
    first = programs.rootfs()
    second = programs.rootfs("--rehash")
    assert not second["unchanged"] and second["hashed"] == 3 and second["sha256"] == first["sha256"]


# --- the host --------------------------------------------------------------------------------------

def test_host_paths(programs):
    result = programs.run("--host", programs.path("usr"), programs.path("usr/bin/one"), "--json")
    assert result.returncode == 0, result
    usr, one = [e for e in events(result) if e["event"] == "snapshot"]
    assert usr["kind"] == "host" and usr["name"] == programs.path("usr")
    assert programs.paths(usr["id"])[0] == programs.path("usr/bin/one").encode()
    assert one["files"] == 1 and one["name"] == programs.path("usr/bin/one")
    assert usr["scope"] == "filesystem" or usr["warning"]


def test_host_leaves_out_the_state_and_the_containers(place):
    for name in ("tree/bin/one", "docker/overlay2/x/diff/two", "podman/overlay/x/diff/three"):
        place.write("../" + name)
    place.write("../state/four")
    place.configure(runtimes={"docker": place.top + "/docker", "podman": place.top + "/podman"})
    result = place.run("--host", place.top, "--json")
    assert result.returncode == 0, result
    event = events(result)[-2]
    assert place.paths(event["id"]) == [place.path("bin/one").encode()]


@pytest.mark.parametrize("argv, code, word", [
    (["--host"], 64, b"of which paths"), ([], 64, b"snapshot of what"),
    (["--host", "--rootfs", "/"], 64, b"one snapshot"), (["--rootfs", "/", "x"], 64, b"only --host"),
    (["--host", "/none/such"], 66, b"No such file"), (["--rootfs", "/none/such"], 66, b"No such file"),
    (["--host", "/usr", "--name", "x"], 64, b"--name"), (["--host", "/usr", "--scope", "none"], 64, b"--scope"),
    (["--rootfs", "/usr", "--threads", "0"], 64, b"--threads"), (["--rootfs", "/usr", "--threads", "x"], 64, b"256"),
    (["--container", "none-such"], 66, b"no runtime knows it"), (["--container", "x", "--scope", "none"], 64, b"")])
def test_usage(place, argv, code, word):
    result = place.run(*argv)
    assert result.returncode == code and word in result.stderr and not result.stdout
    assert not place.query("SELECT id FROM snapshot") if os.path.exists(place.state + "/baseline.db") else True


def test_a_link_is_named_by_where_it_leads(place):
    place.write("real/one")
    os.symlink("real", place.path("link"))
    result = place.run("--host", place.path("link"))
    assert result.returncode == 66 and place.path("real").encode() in result.stderr


def test_nothing_to_record_is_no_snapshot(place):
    assert place.run("--rootfs", place.tree).returncode == 66
    place.write("data", b"data", 0o644)
    result = place.run("--rootfs", place.tree)
    assert result.returncode == 66 and b"no executables found" in result.stderr
    assert place.states() == []
    assert place.rootfs("--all-files")["files"] == 1


# --- faults ----------------------------------------------------------------------------------------

@as_root
def test_what_cannot_be_read_is_said_and_counted(programs):
    os.chown(programs.state, NOBODY, NOBODY)
    programs.write("usr/bin/secret", ELF, 0o711)
    kwargs = {"user": NOBODY, "group": NOBODY}
    if programs.daemon.tool("--version", **kwargs).returncode != 0:
        pytest.skip("the build directory is closed to others")
    result = programs.run("--rootfs", programs.tree, "--json", **kwargs)
    assert result.returncode == 1 and b"/usr/bin/secret: unreadable: Permission denied" in result.stderr
    event = [e for e in events(result) if e["event"] == "snapshot"][0]
    assert event["unreadable"] == 1 and event["files"] == 4 and event["executables"] == 4
    # Nor does it become readable by standing.
    again = programs.run("--rootfs", programs.tree, "--json", **kwargs)
    assert again.returncode == 1 and b"secret" in again.stderr
    assert [e for e in events(again) if e["event"] == "snapshot"][0]["id"] == event["id"]


def interrupt(place, number):
    """The tool, and what it returned, after a signal that comes while it reads."""
    process = subprocess.Popen(place.daemon.command("snapshot", "create", "--rootfs", place.tree, "--json"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line)["bytes"] > 0:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_old_one(programs, number):
    first = programs.rootfs()
    programs.write("huge")
    os.truncate(programs.path("huge"), 1 << 40)  # sparse; hours to read
    code, err = interrupt(programs, number)
    assert code == 74 and b"the snapshot before stands" in err
    assert programs.states() == [(first["id"], CURRENT)]
    assert programs.query("SELECT count(*) FROM entry WHERE snapshot <> ?", first["id"]) == [(0,)]
    os.unlink(programs.path("huge"))
    assert programs.rootfs()["id"] == first["id"]


def test_a_killed_one_is_swept_by_the_next(programs):
    first = programs.rootfs()
    programs.write("huge")
    os.truncate(programs.path("huge"), 1 << 40)
    code, _ = interrupt(programs, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert (first["id"], CURRENT) in programs.states() and len(programs.states()) == 2
    os.unlink(programs.path("huge"))
    programs.write("another")
    second = programs.rootfs()
    assert programs.states() == [(first["id"], SUPERSEDED), (second["id"], CURRENT)]


@as_root
def test_a_full_disk_leaves_the_old_one(programs):
    small = programs.top + "/small"
    os.mkdir(small, 0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,mode=0700", "none", small], check=False).returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        programs.state = small
        with open(programs.daemon.config, "w", encoding="utf-8") as file:
            file.write(f"runtime_dir: {programs.daemon.runtime}\nstate_dir: {small}\n")
        first = programs.rootfs()
        for i in range(5000):
            programs.write(f"many/{i:05}{'x' * 100}", SCRIPT)
        result = programs.run("--rootfs", programs.tree, "--json")
        assert result.returncode == 74 and b"no room" in result.stderr, result
        assert (first["id"], CURRENT) in programs.states()
        shutil.rmtree(programs.path("many"))
        assert programs.rootfs()["sha256"] == first["sha256"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_no_place_for_the_database(programs):
    shutil.rmtree(programs.state)
    result = programs.run("--rootfs", programs.tree)
    assert result.returncode == 73 and programs.state.encode() in result.stderr
    os.mkdir(programs.state, 0o777)
    os.chmod(programs.state, 0o777)
    assert programs.run("--rootfs", programs.tree).returncode == 77


def test_a_damaged_database(programs):
    with open(programs.state + "/baseline.db", "wb") as file:
        file.write(b"no database" * 1000)
    os.chmod(programs.state + "/baseline.db", 0o600)
    result = programs.run("--rootfs", programs.tree)
    assert result.returncode == 65 and b"baseline.db" in result.stderr


def test_progress_on_a_terminal(programs):
    programs.write("huge")
    os.truncate(programs.path("huge"), 1 << 40)
    master, slave = pty.openpty()
    with subprocess.Popen(programs.daemon.command("snapshot", "create", "--rootfs", programs.tree),
                          stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        seen = b""
        while b" left" not in seen:
            seen += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        rest = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while chunk := os.read(master, 4096):
                rest += chunk
    os.close(master)
    assert process.returncode == 74 and not out
    assert b" of 1.1 TB, " in seen and b"B/s" in seen
    lines = (seen + rest).split(b"\r\x1b[K")
    assert lines[0] == b"" and lines[-1].startswith(b"execward: ")  # the bar was cleared before it


# --- the daemon ------------------------------------------------------------------------------------

def test_the_daemon_is_told(programs):
    programs.daemon.listen()
    programs.daemon.answers["baselines"] = {"ok": True}
    result = programs.run("--rootfs", programs.tree, "--json")
    assert events(result)[-1] == {"event": "daemon", "in_force": True}
    assert programs.daemon.requests == [{"request": "baselines"}]
    assert programs.run("--rootfs", programs.tree).returncode == 0
    assert len(programs.daemon.requests) == 1  # nothing new
    programs.daemon.answers["baselines"] = fail("internal", "no")
    result = programs.run("--rootfs", programs.tree, "--rehash", "--json")
    assert result.returncode == 0 and events(result)[-1] == {"event": "daemon", "in_force": False}


# --- a container -----------------------------------------------------------------------------------

CONTAINER = "c0ffee" + "0" * 58
IMAGE_ID = "ab" * 32


class Container:
    """A process whose root is an overlay, as a runtime makes it, and the runtime's own files."""

    def __init__(self, top):
        self.top = str(top)
        for name in ("lower/bin", "upper", "work", "merged"):
            os.makedirs(f"{self.top}/{name}")
        shutil.copy("/bin/busybox", f"{self.top}/lower/bin/busybox")
        with open(f"{self.top}/upper/dropped", "wb") as file:
            file.write(SCRIPT)
        options = f"lowerdir={self.top}/lower,upperdir={self.top}/upper,workdir={self.top}/work"
        script = ('mount --make-rprivate / && mount -t overlay none -o "$1" "$2" && '
                  'exec chroot "$2" /bin/busybox sh -c "echo ready; read x"')
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script, "sh", options, f"{self.top}/merged"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = self.process.stdout.readline() == b"ready\n"

    def docker(self, running=True):
        directory = f"{self.top}/docker/containers/{CONTAINER}"
        os.makedirs(directory, exist_ok=True)
        with open(directory + "/config.v2.json", "w", encoding="utf-8") as file:
            json.dump({"ID": CONTAINER, "Name": "/web", "Image": "sha256:" + IMAGE_ID,
                       "State": {"Running": running, "Pid": self.process.pid if running else 0},
                       "Config": {"Image": "example/web:1"}}, file)
        return f"{self.top}/docker"

    def close(self):
        self.process.communicate(timeout=20)


@pytest.fixture
def container(tmp_path):
    if os.geteuid() != 0 or not os.path.exists("/bin/busybox"):
        pytest.skip("needs root and busybox-static")
    made = Container(tmp_path / "container")
    yield made
    made.close()


def test_a_running_container(place, container):
    if not container.ready:
        pytest.skip("cannot mount an overlay")
    place.configure(runtimes={"docker": container.docker(), "podman": container.top + "/none"})
    for name in ("web", CONTAINER, CONTAINER[:12]):
        result = place.run("--container", name, "--json")
        assert result.returncode == 0, result
    event = [e for e in events(result) if e["event"] == "snapshot"][0]
    assert event["kind"] == "container" and event["name"] == "web" and event["unchanged"]
    assert event["scope"] == "container" and event["scope_value"] == container.top + "/upper"
    assert event["image_id"] == IMAGE_ID
    assert place.paths(event["id"]) == [b"/bin/busybox", b"/dropped"]


def test_a_stopped_container(place, container):
    place.configure(runtimes={"docker": container.docker(running=False), "podman": container.top + "/none"})
    result = place.run("--container", "web")
    assert result.returncode == 69 and b"is not running" in result.stderr
