"""execward snapshot reconcile: what trusted writers wrote, and the package database accounts for, becomes
part of the snapshot of the host; nothing else does."""
import hashlib
import json
import os
import shutil
import sqlite3

import pytest

from harness.daemon import HELPERS
from harness.host import Disk


@pytest.fixture
def disk():
    made = Disk("1G")
    shutil.copy(os.path.join(HELPERS, "writer"), made.path("bin/pkg"))
    os.makedirs(made.path("var/lib/dpkg/info"))
    install(made, {})
    yield made
    made.close()


def install(disk, packages):
    """The package database says so: {name: {path: content or None}}."""
    status = ""
    for name in os.listdir(disk.path("var/lib/dpkg/info")):
        os.unlink(disk.path("var/lib/dpkg/info", name))
    for package, (version, files) in packages.items():
        status += (f"Package: {package}\nStatus: install ok installed\nArchitecture: amd64\n"
                   f"Version: {version}\n\n")
        disk.write(f"var/lib/dpkg/info/{package}.list", "/.\n" + "".join(f"{path}\n" for path in files))
        disk.write(f"var/lib/dpkg/info/{package}.md5sums", "".join(
            f"{hashlib.md5(content).hexdigest()}  {path[1:]}\n" for path, content in files.items()))
    disk.write("var/lib/dpkg/status", status)


def content(disk, salt):
    return open(disk.path("bin/payload"), "rb").read() + salt.encode()


def unpack(disk, target, salt, program="bin/pkg"):
    result = disk.exec(program, "unpack", target, salt, chroot=True)
    assert result.code == 0, result
    return content(disk, salt)


@pytest.fixture
def daemon(disk, start, fs):
    made = start(ready=False, storage=[fs.mount], guard_extra=f"paths: {json.dumps([{'path': disk.mount}])}",
                 extra="trust: {writers: [/bin/pkg]}")
    assert made.tool("snapshot", "create", "--host", disk.mount).returncode == 0
    made.start()
    return made


def reconcile(daemon, disk, code=0):
    result = daemon.tool("snapshot", "reconcile", "--host", disk.mount, "--json", check=False)
    assert result.returncode == code, result
    return json.loads(result.stdout) if result.stdout else None


def taken(answer, disk):
    return [(row["change"], row["path"].removeprefix(disk.mount), row["package"]) for row in answer["accepted"]]


def without_writers(daemon):
    """What runs now, runs by the snapshot."""
    daemon.write_config(extra="")
    daemon.tool("reload")


def test_what_a_package_brought_becomes_part_of_the_snapshot(disk, daemon):
    hello = unpack(disk, "/bin/hello", "hello")
    one = unpack(disk, "/bin/one", "one, upgraded")
    install(disk, {"hello": ("1.2-3", {"/bin/hello": hello, "/bin/one": one})})
    answer = reconcile(daemon, disk)
    assert taken(answer, disk) == [("added", "/bin/hello", "hello 1.2-3"), ("changed", "/bin/one", "hello 1.2-3")]
    assert (answer["added"], answer["changed"], answer["removed"]) == (1, 1, 0)
    without_writers(daemon)
    assert disk.exec("bin/hello").ran and disk.exec("bin/one").ran
    assert daemon.tool("snapshot", "check", check=False).returncode == 0
    shown = daemon.tool("snapshot", "show", disk.mount).stdout.decode()
    assert "package hello 1.2-3" in shown, shown
    assert reconcile(daemon, disk)["accepted"] == []


def test_neither_alone_will_do(disk, daemon):
    unpack(disk, "/bin/unlisted", "unlisted")
    other = unpack(disk, "/bin/other-content", "other content")
    install(disk, {"p": ("1", {"/bin/other-content": other + b"?", "/bin/foreign": content(disk, "foreign")})})
    disk.drop("bin/foreign", b"foreign")
    answer = reconcile(daemon, disk)
    assert answer["accepted"] == [] and answer["left"] >= 3, answer
    without_writers(daemon)
    for name in ("unlisted", "other-content", "foreign"):
        assert disk.exec(f"bin/{name}").errno == 1, name


def test_an_edit_after_the_writer_is_not_taken(disk, daemon):
    hello = unpack(disk, "/bin/hello", "hello")
    with open(disk.path("bin/hello"), "ab") as file:
        file.write(b"evil")
    install(disk, {"hello": ("1", {"/bin/hello": hello + b"evil"})})  # MD5 can be forged, and the list
    assert reconcile(daemon, disk)["accepted"] == []


def test_what_goes_with_its_package(disk, daemon):
    first, second = unpack(disk, "/bin/first", "first"), unpack(disk, "/bin/second", "second")
    install(disk, {"p": ("1", {"/bin/first": first, "/bin/second": second})})
    assert reconcile(daemon, disk)["added"] == 2
    install(disk, {"p": ("2", {"/bin/first": first})})
    for name in ("bin/first", "bin/second", "bin/three"):
        os.unlink(disk.path(name))
    answer = reconcile(daemon, disk)
    # The package still has one; nobody knows whose the third was.
    assert taken(answer, disk) == [("removed", "/bin/second", "p 1")] and answer["left"] == 2, answer
    assert daemon.tool("snapshot", "check", check=False).returncode == 2


def test_scripts_and_what_a_removed_package_leaves(disk, daemon):
    script, conffile = (unpack(disk, path, path) for path in ("/bin/x.postinst", "/etc/p.cron"))
    edited = unpack(disk, "/etc/edited", "edited")
    install(disk, {"p": ("1", {}), "r": ("3", {})})
    for name in ("p.postinst", "p:amd64.prerm", "p.unheard", "q.postinst"):
        shutil.copy(disk.path("bin/x.postinst"), disk.path("var/lib/dpkg/info", name))
    sums = [hashlib.md5(text).hexdigest() for text in (conffile, edited + b"?")]
    with open(disk.path("var/lib/dpkg/status"), "r+", encoding="utf-8") as file:
        text = file.read().replace("Package: r\nStatus: install ok installed", "Package: r\nStatus: deinstall ok "
                                   f"config-files\nConffiles:\n /etc/p.cron {sums[0]}\n /etc/edited {sums[1]}")
        file.seek(0)
        file.write(text)
    answer = reconcile(daemon, disk)
    assert taken(answer, disk) == [("added", "/etc/p.cron", "r 3"), ("added", "/var/lib/dpkg/info/p.postinst", "p 1"),
                                   ("added", "/var/lib/dpkg/info/p:amd64.prerm", "p 1")], answer
    assert script


def test_without_a_snapshot_there_is_nothing_to_do(disk, daemon, start):
    answer = reconcile(daemon, Other(disk))
    assert answer["snapshot"] is None and answer["accepted"] == []
    fresh = start(ready=False)
    os.rmdir(fresh.state)
    assert reconcile(fresh, disk)["snapshot"] is None


class Other:
    def __init__(self, disk):
        self.mount = disk.path("bin")


def test_a_snapshot_that_was_tampered_with_is_refused(disk, daemon):
    hello = unpack(disk, "/bin/hello", "hello")
    install(disk, {"hello": ("1", {"/bin/hello": hello})})
    with sqlite3.connect(os.path.join(daemon.state, "baseline.db")) as database:
        database.execute("UPDATE entry SET mode = mode | 4095 WHERE path LIKE '%/bin/one'")
    database.close()
    result = daemon.tool("snapshot", "reconcile", "--host", disk.mount, check=False)
    assert result.returncode == 65 and b"one" not in result.stdout, result


def test_usage(daemon):
    assert daemon.tool("snapshot", "reconcile", "--host", "/a", "/b", check=False).returncode == 64
    assert daemon.tool("snapshot", "reconcile", "--host", "/none", check=False).returncode == 66
