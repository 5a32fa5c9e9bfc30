"""The package and its unit under a real systemd: refusal, start, reload, watchdog, crash, stop, and a denial.

A box is a pid namespace, so the daemon must refuse to start there; with the documented switch it does
start, and everything that systemd has to do with it is shown for real. One box serves the module; each
test brings the service into the state that it needs.
"""

import json
import re
import time

import pytest

from harness.lists import Room, digest_of
from systemd_box import SystemdBox, make_package

UNIT = "execwardd.service"
CONFIG = "/etc/execward/execward.yaml"
ENFORCE = "mode: enforce\nguard:\n  storage: [/var/lib/layers]\noutputs:\n  - {type: journald}\n"


@pytest.fixture(name="box", scope="module")
def fixture_box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systemd")
    with SystemdBox(folder, make_package(folder / "package")) as box:
        yield box


@pytest.fixture(name="guarded")
def fixture_guarded(box):
    """The box with the service allowed, started afresh and ready, in mode enforce."""
    box.run("systemctl", "stop", UNIT)
    box.run("systemctl", "reset-failed", UNIT, check=False)
    box.run("rm", "-f", "/etc/execward/disabled", "/etc/systemd/system/execwardd.service.d/watchdog.conf")
    box.run("mkdir", "-p", "/var/lib/layers")
    box.write(CONFIG, ENFORCE)
    box.allow_pid_namespace()
    box.start(UNIT)
    return box


def main_pid(box):
    return int(box.show(UNIT, "MainPID"))


def in_proc(box, name):
    return box.run("cat", f"/proc/{main_pid(box)}/{name}")


def test_refuses_a_foreign_pid_namespace(box):
    """Runs first, on the boot as the package left it: enabled, and refused with the reason."""
    assert box.show(UNIT, "UnitFileState") == "enabled"
    box.wait(lambda: box.show(UNIT, "ActiveState") == "failed", 20, "the unit did not fail")
    assert box.show(UNIT, "Result") == "exit-code"
    assert box.show(UNIT, "ExecMainStatus") == "77"
    assert box.show(UNIT, "NRestarts") == "0"
    assert "pid namespace" in box.journal(UNIT)


def test_directories_and_unit_file(box):
    listing = box.run("stat", "--format", "%a %U %n", "/var/lib/execward", "/etc/execward/keys.d",
                      "/etc/execward/allowlists.d")
    assert listing.splitlines() == ["700 root /var/lib/execward", "755 root /etc/execward/keys.d",
                                    "755 root /etc/execward/allowlists.d"]
    assert box.run("getent", "group", "execward").startswith("execward:")
    assert box.run("systemd-analyze", "verify", "--man=no", UNIT) == ""
    assert re.search(r"^docker\.service$|docker\.service", box.show(UNIT, "Before"))


def test_starts_and_says_ready(guarded):
    assert guarded.show(UNIT, "ActiveState") == "active"
    assert guarded.show(UNIT, "SubState") == "running"
    assert guarded.run("stat", "--format", "%F %a", "/run/execward/control.sock").strip() == "socket 600"
    assert guarded.run("stat", "--format", "%a", "/var/lib/execward").strip() == "700"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_a_signed_list_is_read_under_the_unit(guarded, tmp_path):
    """The process that reads it gives up its user and its capabilities, with those that the unit leaves."""
    room = Room(tmp_path)
    envelope = room.envelope([("/usr/bin/tool", digest_of(b"a tool"))])
    guarded.write("/etc/execward/keys.d/alice.pem", read(room.keys_dir + "/alice.pem"))
    guarded.run("systemctl", "reload", UNIT)
    try:
        guarded.write("/etc/execward/allowlists.d/tool.dsse", read(envelope))
        guarded.wait(lambda: "installed, from now on" in guarded.journal(UNIT), 20,
                     f"the list was not installed: {guarded.journal(UNIT)}")
        lists = json.loads(guarded.run("execward", "status", "--json"))["allowlists"]
        assert (lists["installed"], lists["in_force"], lists["directory"]["refused"]) == (1, 1, [])
        assert json.loads(guarded.run("execward", "allowlist", "list", "--json"))[0]["version"] == 1
    finally:
        guarded.run("rm", "/etc/execward/keys.d/alice.pem", "/etc/execward/allowlists.d/tool.dsse")


def test_keeps_the_hosts_mount_namespace_and_drops_the_rest(guarded):
    mine = guarded.run("readlink", f"/proc/{main_pid(guarded)}/ns/mnt")
    assert mine == guarded.run("readlink", "/proc/1/ns/mnt")
    status = dict(re.findall(r"^(\w+):\s+(.*)$", in_proc(guarded, "status"), re.M))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    # linux/capability.h: DAC_OVERRIDE 1, DAC_READ_SEARCH 2, SETGID 6, SETUID 7, SYS_PTRACE 19, SYS_ADMIN 21, SYS_NICE 23, LEASE 28
    assert int(status["CapBnd"], 16) == sum(1 << bit for bit in (1, 2, 6, 7, 19, 21, 23, 28))
    # Asked of systemd, since a test machine whose init lacks CAP_SYS_RESOURCE cannot grant them.
    assert guarded.show(UNIT, "OOMScoreAdjust") == "-900"
    assert guarded.show(UNIT, "LimitNOFILE") == "1048576"


OVERLAY = """
cd /var/lib/layers
rm -rf lower upper work merged; mkdir -p lower upper work merged
mkdir lower/bin lower/proc; cp /bin/true lower/bin/shipped
for path in $(ldd /bin/true | grep -o '/[^ ]*'); do mkdir -p "lower${path%/*}"; cp "$path" "lower$path"; done
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
"""


def unmount_overlay(box):
    box.run("umount", "/var/lib/layers/merged")


def test_denies_a_dropped_program(guarded):
    """What the unit's capabilities and system call filter must leave possible, from mark to denial."""
    guarded.run("unshare", "--mount", "--propagation", "unchanged", "sh", "-euc", OVERLAY)
    try:
        guarded.run("sh", "-euc", "cp /bin/true /var/lib/layers/merged/bin/dropped; "
                    "echo changed >>/var/lib/layers/merged/bin/dropped")
        guarded.wait(lambda: guarded.exit_code("chroot", "/var/lib/layers/merged", "/bin/dropped") == 126, 10,
                     "the dropped program was not denied")
        assert guarded.exit_code("chroot", "/var/lib/layers/merged", "/bin/shipped") == 0
        assert guarded.exit_code("/bin/true") == 0
    finally:
        unmount_overlay(guarded)
    guarded.wait(lambda: "dropped" in guarded.journal(UNIT), 10, "no alert in the journal")


def test_tool_is_installed_and_answers(guarded):
    guarded.run("execward", "status", "--wait-ready", "10")
    status = json.loads(guarded.run("execward", "status", "--json"))
    status = status.get("status", status)
    assert status["ready"] is True
    assert status["mode"] == "enforce"


def test_reload_keeps_the_process(guarded):
    pid = main_pid(guarded)
    guarded.run("systemctl", "reload", UNIT)
    guarded.wait(lambda: "configuration reloaded" in guarded.journal(UNIT), 10, "no word of the reload")
    assert main_pid(guarded) == pid
    guarded.write(CONFIG, "mode: enforce\nmoode: report\n")
    guarded.run("systemctl", "reload", UNIT, check=False)
    guarded.wait(lambda: "execward.yaml:2:1" in guarded.journal(UNIT), 10, "the faulty line was not named")
    assert guarded.show(UNIT, "ActiveState") == "active"
    assert main_pid(guarded) == pid


def test_watchdog(guarded):
    guarded.write("/etc/systemd/system/execwardd.service.d/watchdog.conf", "[Service]\nWatchdogSec=2\n")
    guarded.run("systemctl", "daemon-reload")
    guarded.run("systemctl", "restart", UNIT)
    pid = main_pid(guarded)
    time.sleep(5)
    assert main_pid(guarded) == pid, "the daemon did not keep the watchdog quiet"
    guarded.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", UNIT)
    guarded.wait(lambda: main_pid(guarded) not in (0, pid) and guarded.show(UNIT, "ActiveState") == "active", 30,
                 "a daemon that hung was not replaced")
    assert "Watchdog timeout" in guarded.journal(UNIT)


def test_restarts_after_a_crash(guarded):
    pid = main_pid(guarded)
    guarded.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    guarded.wait(lambda: main_pid(guarded) not in (0, pid) and guarded.show(UNIT, "ActiveState") == "active", 15,
                 "a daemon that died was not replaced")


def test_stops_cleanly(guarded):
    began = time.monotonic()
    guarded.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 4
    assert guarded.show(UNIT, "ActiveState") == "inactive"
    assert guarded.show(UNIT, "Result") == "success"
    assert guarded.show(UNIT, "ExecMainStatus") == "0"
    assert guarded.exit_code("test", "-e", "/run/execward/control.sock") == 1


def test_disabled_by_file(guarded):
    guarded.run("systemctl", "stop", UNIT)
    guarded.run("touch", "/etc/execward/disabled")
    guarded.run("systemctl", "start", UNIT)
    assert guarded.show(UNIT, "ConditionResult") == "no"
    assert guarded.show(UNIT, "ActiveState") == "inactive"


def test_faulty_configuration_is_a_failure_and_no_loop(guarded):
    guarded.run("systemctl", "stop", UNIT)
    guarded.write(CONFIG, "moode: report\n")
    guarded.run("systemctl", "start", UNIT, check=False)
    assert guarded.show(UNIT, "ActiveState") == "failed"
    assert guarded.show(UNIT, "ExecMainStatus") == "78"
    assert guarded.show(UNIT, "NRestarts") == "0"


def test_removal_and_purge(guarded):
    guarded.run("dpkg", "--remove", "execward")
    assert guarded.show(UNIT, "ActiveState") in ("inactive", "failed")
    assert guarded.exit_code("test", "-d", "/var/lib/execward") == 0
    guarded.run("dpkg", "--purge", "execward")
    for path in ("/var/lib/execward", CONFIG, "/usr/sbin/execwardd"):
        assert guarded.exit_code("test", "-e", path) == 1, path
