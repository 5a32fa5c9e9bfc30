"""execward doctor on hosts that it is told of (fake_host.py): every line that it can say, good and bad."""
import json
import os
import pty
import re
import shutil
import subprocess
import time

import pytest

from fake_daemon import ROOT, FakeDaemon, fail, lists, row_of_list, trust
from fake_host import LIMITS, MOUNTS, NOTE, OK, PID, SETTINGS, WEAK, Host

HOSTILE = "a\x1b[2J\nb\u202ec\\d"

USERNS = {"kernel.unprivileged_userns_clone", "user.max_user_namespaces"}
GARBAGE = ["", "\n", "abc", "2x", "0x2", "-", "1 1", "99999999999999999999", "\xff\xfe", HOSTILE, "7" * 300000,
           "\0\0"]

FAULTS = {
    WEAK: {"deadline", "queue_full", "memory", "mark", "event_fd", "shutdown", "store", "recorder_full", "sink",
           "queue_overflow", "baseline", "lease_late", "allowlist"},
    NOTE: {"probe", "hash", "file_changed", "file_too_long", "layer_unknown", "task_gone", "read", "reply",
           "writer_gone", "creation_late", "metadata"},
}
GRAVE = ("permission_events", "backing_events", "overlay_handles", "leases", "exec_denies_write")


@pytest.fixture
def host(tmp_path):
    made = Host(os.path.realpath(tmp_path))
    yield made
    made.daemon.close()


def threat_rows():
    with open(os.path.join(ROOT, "docs/threats.md"), encoding="utf-8") as file:
        return {int(n) for n in re.findall(r"^\| (\d+) \|", file.read(), re.M)}


# --- the whole ------------------------------------------------------------------------------------

def test_nothing_weak_is_0_and_says_nothing_to_mend(host):
    found = host.findings(code=0)
    assert {f["level"] for f in found} == {OK}
    assert all(f["good"] and not f["weakens"] and not f["fix"] and not f["rows"] for f in found)
    assert {f["check"] for f in found} >= set(SETTINGS) | {"daemon", "leases", "descriptors", "overlays", "runtimes"}


def test_the_shape_of_json(host):
    for name in SETTINGS:
        host.setting(name, "0" if SETTINGS[name][0] != ["0"] else "9")
    found = host.findings(code=1)
    for f in found:
        assert set(f) == {"section", "check", "state", "level", "good", "weakens", "rows", "fix"}
        assert f["good"] == (f["level"] != WEAK)
        assert (f["level"] == OK) == (not f["weakens"]) == (not f["fix"])
        assert set(f["rows"]) <= threat_rows()
    order = [f["section"] for f in found]
    assert list(dict.fromkeys(order)) == ["daemon", "kernel", "settings", "mounts", "runtimes", "limits"]
    assert order == sorted(order, key=list(dict.fromkeys(order)).index)


def test_text_has_what_json_has(host):
    host.setting("vm.memfd_noexec", "0")
    result, found = host.run(), host.findings()
    text = result.stdout.decode()
    assert result.returncode == 1 and f"{len(found)} checks, 1 weak" in text
    for f in found:
        assert f["check"] in text and f["state"] in text
    assert "row 15: a program in memory" in text and "fix: sysctl -w vm.memfd_noexec=2; to keep it: echo" in text
    assert [line for line in text.splitlines() if line and line[0] != " "][:-1] == [
        "daemon", "kernel", "settings", "mounts", "runtimes", "limits"]
    assert b"\x1b" not in result.stdout


def test_colour_is_for_terminals(host):
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"EXECWARD_TEST_ROOT": host.root}
    subprocess.run(host.daemon.command("doctor"), stdout=slave, stderr=slave, env=env, timeout=60, check=False)
    os.close(slave)
    assert b"\x1b[32mok" in os.read(master, 4096)
    os.close(master)


def test_without_a_daemon_the_host_is_looked_at_all_the_same(host):
    fake = FakeDaemon(listen=False)
    host.daemon.close()
    host.daemon = fake
    host.make("/var/lib/docker")
    found = {f["check"]: f for f in host.findings(code=69)}
    assert found["daemon"]["level"] == WEAK and "does not answer" in found["daemon"]["state"]
    assert set(SETTINGS) <= set(found)
    assert found["/var/lib/docker"]["level"] == NOTE and "nobody to ask" in found["/var/lib/docker"]["state"]
    assert not {"leases", "ready", "overlays", "descriptors", "guarded filesystems"} & set(found)
    assert host.run().returncode == 69


def test_a_daemon_that_refuses_is_no_diagnosis(host):
    host.daemon.answers["status"] = fail("denied", "only root")
    result = host.run("--json")
    assert result.returncode == 77 and not result.stdout


# --- the daemon -----------------------------------------------------------------------------------

@pytest.mark.parametrize("check, changes, level", [
    ("ready", {"ready": True}, OK), ("ready", {"ready": False}, WEAK),
    ("mode", {"mode": "enforce"}, OK), ("mode", {"mode": "report"}, NOTE), ("mode", {"mode": "learn"}, NOTE),
    ("marks", {"marks": "backing"}, OK), ("marks", {"marks": "overlay"}, NOTE),
    ("guarded filesystems", {"guarded": []}, WEAK), ("guarded filesystems", {}, OK),
    ("guarded filesystems", {"guarded": [], "marks": "overlay"}, OK),
    ("faults", {"faults": {"sink": 0}}, OK)])
def test_what_the_daemon_says_of_itself(host, check, changes, level):
    host.answer(**changes)
    found = host.find(check)
    assert found["level"] == level and (level == OK or found["rows"])


def test_no_containers_guarded_by_configuration_is_weak(host):
    host.config("guard: {containers: false}\n")
    host.answer(guarded=[], marks="overlay")
    assert host.find("guarded filesystems")["level"] == WEAK


@pytest.mark.parametrize("level, name", [(level, name) for level, names in FAULTS.items() for name in sorted(names)])
def test_each_fault_that_was_seen(host, level, name):
    host.answer(faults={name: 3, "other": 0})
    found = host.find(f"fault {name}")
    assert found["level"] == level and found["state"] == "3 since the start"
    assert bool(found["rows"]) == (level == WEAK) and set(found["rows"]) <= threat_rows()
    assert "fault other" not in host.checks() and "faults" not in host.checks()


def test_a_fault_of_a_later_daemon_is_shown(host):
    host.answer(faults={"strange\x1b": 1})
    assert host.find("fault strange\x1b")["level"] == NOTE
    assert b"\x1b" not in host.run().stdout


def test_every_fault_of_the_daemon_has_advice():
    with open(os.path.join(ROOT, "daemon/faults.c"), encoding="utf-8") as file:
        names = set(re.findall(r'\[FAULT_\w+\] = \{"(\w+)"', file.read())) - {"none"}
    assert names <= FAULTS[WEAK] | FAULTS[NOTE]


@pytest.mark.parametrize("line, said", [
    ("execward.off", True), ("quiet execward.off", True), ("quiet xexecward.off", False), ("quiet", False)])
def test_the_switch_on_the_kernels_command_line(host, line, said):
    host.write("/proc/cmdline", line + "\n")
    assert ("execward.off" in host.checks()) == said


def test_the_switch_in_etc(host):
    assert "/etc/execward/disabled" not in host.checks()
    host.write("/etc/execward/disabled", "")
    assert host.find("/etc/execward/disabled")["level"] == WEAK


# --- the kernel -----------------------------------------------------------------------------------

def feature(name, present, **more):
    return {"feature": name, "present": present, "state": "present" if present else "absent", "since": "6.5",
            "detail": "" if present else "slower", "rows": [] if present else [9, 10],
            "fix": "" if present else "Linux 6.5 or later"} | more


@pytest.mark.parametrize("name", [*GRAVE, "mount_ignore", "mount_events", "unique_mount_id", "pidfd", "fine_ctime",
                                  "of_a_later_daemon"])
def test_each_feature_present_and_missing(host, name):
    host.answer(kernel=[feature(name, True)])
    assert host.find(name)["level"] == OK
    for state in ("absent", "unprobed"):
        host.answer(kernel=[feature(name, False, state=state)])
        found = host.find(name)
        assert found["level"] == (WEAK if name in GRAVE else NOTE) and found["state"] == f"{state} (Linux 6.5)"
        assert (found["rows"], found["weakens"], found["fix"]) == ([9, 10], "slower", "Linux 6.5 or later")


def test_a_daemon_that_says_less_or_nonsense(host):
    old = {k: v for k, v in feature("pidfd", False).items() if k not in ("rows", "fix")}
    host.answer(kernel=[old])
    found = host.find("pidfd")
    assert found["rows"] == [] and found["fix"] == "a kernel that has it: Linux 6.5"
    host.answer(kernel=[feature("pidfd", False, rows=[0, -1, 256, "x", None, 7, *range(1, 99)])])
    assert host.find("pidfd")["rows"] == [7, 1, 2, 3, 4, 5, 6]
    for nonsense in (None, {}, "x", [None, 1, "x", {}]):
        host.answer(kernel=nonsense, guarded=nonsense, faults=nonsense, marks=nonsense, pid=nonsense)
        host.findings()


def test_the_daemons_table_names_rows_that_exist():
    with open(os.path.join(ROOT, "daemon/kernel.c"), encoding="utf-8") as file:
        table = re.search(r"rows\[_KERNEL_FEATURE_MAX\] = \{(.*?)\n\};", file.read(), re.S).group(1)
    features = re.findall(r'\{"(\w+)",.*?\{([\d, ]+)\}\}', table, re.S)
    assert len(features) == table.count("[KERNEL_") == 10
    rows = {name: [int(n) for n in text.split(",") if n.strip() != "0"] for name, text in features}
    assert rows["leases"] == rows["exec_denies_write"] == [9, 10] and rows["fine_ctime"] == []
    assert set(sum(rows.values(), [])) <= threat_rows()


def test_status_says_which_rows_are_weakened(host):
    host.answer(kernel=[feature("leases", False, detail="a file can change"), feature("pidfd", True),
                        feature("fine_ctime", False, rows=[]), feature("backing_events", False, rows=[25])])
    text = host.daemon.tool("status").stdout.decode()
    assert "weakened: rows 9, 10: leases: a file can change\n" in text
    assert "weakened: row 25: backing_events: slower\n" in text
    assert "slower: fine_ctime: slower\n" in text and "pidfd" not in text
    assert json.loads(host.daemon.tool("status", "--json").stdout)["kernel"][0]["rows"] == [9, 10]


# --- settings -------------------------------------------------------------------------------------

def alone(host, name):
    """The other of the two switches of user namespaces is open, so that this one is judged."""
    for other in USERNS - {name}:
        if name in USERNS:
            host.setting(other, "1")


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_as_wanted_and_not(host, name):
    good, bad, level, rows, _ = SETTINGS[name]
    alone(host, name)
    for value in good:
        host.setting(name, value)
        found = host.find(name)
        assert found["level"] == OK and found["state"] == value and not found["rows"]
    for value in bad:
        host.setting(name, value)
        found = host.find(name)
        assert (found["level"], found["rows"], found["section"]) == (level, rows, "settings")
        assert found["state"].startswith(f"{value}, wanted ") and found["weakens"]
        want = found["state"].split()[-1]
        assert want in good and found["fix"].startswith(
            f"sysctl -w {name}={want}; to keep it: echo '{name} = {want}' >> /etc/sysctl.d/60-execward.conf")


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_that_this_kernel_lacks(host, name):
    _, _, _, rows, level = SETTINGS[name]
    alone(host, name)
    host.remove(host.file_of(name))
    found = host.find(name)
    assert found["level"] == level and found["state"].startswith("not in this kernel")
    if level == OK:
        assert len(found["state"]) > len("not in this kernel: ")
    else:
        assert found["weakens"] and found["fix"] and found["rows"] == rows and "sysctl -w" not in found["fix"]


@pytest.mark.parametrize("name", SETTINGS)
def test_garbage_in_a_setting_is_as_bad_as_the_wrong_value(host, name):
    level, rows = SETTINGS[name][2:4]
    alone(host, name)
    for value in GARBAGE:
        host.setting(name, value)
        found = host.find(name)
        assert (found["level"], found["rows"]) == (level, rows) and len(found["state"]) < 400
        text = host.run().stdout
        assert b"\x1b" not in text and b"\xff" not in text and name.encode() in text


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_a_setting_that_is_no_file(host, kind):
    path = host.path(host.file_of("vm.memfd_noexec"))
    os.unlink(path)
    if kind == "directory":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink("/dev/zero", path)
    found = host.find("vm.memfd_noexec")
    assert found["level"] == WEAK and found["state"].startswith("cannot be read: ")


@pytest.mark.parametrize("closed", sorted(USERNS))
def test_one_switch_of_user_namespaces_is_enough(host, closed):
    other, = USERNS - {closed}
    host.setting(closed, "0")
    host.setting(other, "1")
    found = host.find(other)
    assert found["level"] == OK and found["state"] == f"1, closed by {closed}"


def test_the_man_page_names_every_setting():
    with open(os.path.join(ROOT, "docs/man/execward.1.scd"), encoding="utf-8") as file:
        page = file.read().replace("\\_", "_")
    assert [name for name in SETTINGS if name not in page] == []


# --- mounts ---------------------------------------------------------------------------------------

def test_storage_on_a_guarded_filesystem(host):
    host.make("/var/lib/docker")
    assert host.find("/var/lib/docker", "mounts") | {"section": ""} == {
        "section": "", "check": "/var/lib/docker", "state": "ext4 at /, guarded", "level": OK, "good": True,
        "weakens": "", "rows": [], "fix": ""}


def test_storage_on_a_filesystem_without_a_mark(host):
    host.config("guard: {storage: [/data/containers, /data/none]}\n")
    host.make("/data/containers")
    found = host.find("/data/containers", "mounts")
    assert found["level"] == WEAK and found["state"] == "xfs at /data, not guarded" and 25 in found["rows"]
    assert "add /data/containers to guard.storage in /etc/execward/execward.yaml" in found["fix"]
    assert host.find("/data/none")["level"] == NOTE
    host.answer(guarded=[{"fs": "xfs", "kind": "backing", "path": "/data"}])
    assert host.find("/data/containers", "mounts")["level"] == OK


def test_any_mount_of_a_guarded_filesystem_counts(host):
    host.mounts("40 27 254:1 /sub /srv rw - xfs /dev/vdb rw")
    host.config("guard: {storage: [/srv/containers]}\n")
    host.make("/srv/containers")
    host.answer(guarded=[{"fs": "xfs", "kind": "backing", "path": "/data"}])
    assert host.find("/srv/containers", "mounts")["level"] == OK


def test_what_is_mounted_over_a_guarded_filesystem_is_not_guarded(host):
    """/srv is the filesystem that is hidden below the new one at /data."""
    host.mounts("40 27 254:1 / /srv rw - xfs /dev/vdb rw", "41 28 254:9 / /data rw - xfs /dev/vdc rw")
    host.config("guard: {storage: [/data/containers]}\n")
    host.make("/data/containers")
    host.answer(guarded=[{"fs": "xfs", "kind": "backing", "path": "/srv"}])
    assert host.find("/data/containers", "mounts")["level"] == WEAK


def test_a_name_that_begins_like_a_mount_point_is_not_below_it(host):
    host.config("guard: {storage: [/database]}\n")
    host.make("/database")
    assert host.find("/database")["state"] == "ext4 at /, guarded"


def test_storage_behind_a_link_is_judged_where_it_lies(host):
    host.make("/data/docker")
    host.make("/var/lib")
    os.symlink(host.path("/data/docker"), host.path("/var/lib/docker"))
    assert "xfs at /data, not guarded" in host.find("/var/lib/docker", "mounts")["state"]


@pytest.mark.parametrize("where, row", [("/mnt/fuse", 16), ("/mnt/remote", 9)])
def test_storage_on_fuse_or_a_network_filesystem_is_weak(host, where, row):
    host.config(f"guard: {{storage: [{where}/x]}}\n")
    host.make(where + "/x")
    found = host.find(where + "/x")
    assert found["level"] == WEAK and row in found["rows"] and "local filesystem" in found["fix"]
    assert where in found["state"]


def test_nothing_behind_fuse_is_touched(host):
    """There is no such directory, and doctor does not know: it did not ask the server."""
    host.config("guard: {storage: [/mnt/fuse/none]}\nruntimes: {docker: /mnt/fuse/docker}\n")
    host.write("/run/docker.sock", "")
    assert host.find("/mnt/fuse/none")["level"] == WEAK
    assert "fuse.sshfs at /mnt/fuse" in host.find("docker")["state"]


def test_overlay_marks_guard_storage_without_a_mark_of_its_own(host):
    host.make("/var/lib/docker")
    host.answer(guarded=[], marks="overlay")
    found = host.find("/var/lib/docker", "mounts")
    assert found["level"] == OK and "overlays are marked as they appear" in found["state"]


OVERLAY = "5{0} 27 0:9{0} / /run/c{0} rw - overlay overlay rw,lowerdir=/l,upperdir={1},workdir=/w"


def test_overlays_without_a_mark_are_counted(host):
    assert host.find("overlays")["state"] == "none mounted here"
    host.mounts(OVERLAY.format(1, "/u1"), OVERLAY.format(2, "/u2"), OVERLAY.format(3, "/u3"))
    marked = [{"fs": "overlay", "kind": "overlay", "path": "/run/c1"}]
    host.answer(marks="overlay", guarded=marked)
    found = host.find("overlays")
    assert found["level"] == WEAK and found["state"] == "2 of 3 not guarded: /run/c2" and 25 in found["rows"]
    host.answer(marks="overlay", guarded=[marked[0] | {"path": f"/run/c{i}"} for i in (1, 2, 3)])
    found = host.find("overlays")
    assert found["level"] == OK and found["state"] == "3 mounted here, all guarded"


def test_with_backing_marks_the_upper_layer_counts(host):
    host.make("/u1")
    host.make("/data/u2")
    host.mounts(OVERLAY.format(1, "/u1"), "60 27 0:99 / /run/ro rw - overlay overlay ro,lowerdir=/a:/b")
    assert host.find("overlays")["level"] == OK
    host.mounts(OVERLAY.format(1, "/u1"), OVERLAY.format(2, "/data/u2"))
    assert host.find("overlays")["state"] == "1 of 2 not guarded: /run/c2"
    host.answer(guarded=[{"fs": "ext4", "kind": "backing", "path": "/"},
                         {"fs": "overlay", "kind": "overlay", "path": "/run/c2"}])
    assert host.find("overlays")["level"] == OK


def test_fuse_overlayfs_is_weak(host):
    assert "fuse-overlayfs" not in host.checks()
    host.mounts("70 27 0:98 / /home/u/merged rw - fuse.fuse-overlayfs fuse-overlayfs rw")
    assert host.find("fuse-overlayfs")["level"] == WEAK


@pytest.mark.parametrize("text", ["", "garbage\n", "\0" * 5000, "1 2 3:4 /\n" * 1000, MOUNTS[:-20], "x" * 200000],
                         ids=range(6))
def test_garbage_in_the_mount_table(host, text):
    host.make("/var/lib/docker")
    host.write("/proc/self/mountinfo", text)
    host.findings()
    host.remove("/proc/self/mountinfo")
    assert host.find("mount table")["level"] == NOTE


def test_ten_thousand_overlays_take_no_time(host):
    lines = [f"{i} 27 7:{i} / /run/c{i} rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w"
             for i in range(1000, 11000)]
    host.mounts(*lines)
    host.answer(marks="overlay", guarded=[{"fs": "overlay", "kind": "overlay", "path": f"/run/c{i}"}
                                          for i in range(1001, 11000)])
    began = time.monotonic()
    assert host.find("overlays")["state"] == "1 of 10000 not guarded: /run/c1000"
    assert time.monotonic() - began < 20


def test_the_tool_looks_where_the_daemon_looks():
    def table(name):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            return re.findall(r'"(.*?)"', re.search(r"default_storage\[\] = \{(.*?)\};", file.read(), re.S).group(1))
    assert table("tools/doctor_mounts.c") == table("daemon/sighting.c")


# --- runtimes -------------------------------------------------------------------------------------

RUNTIMES = {
    "podman": ("/usr/bin/podman", "/var/lib/containers/storage"),
    "docker": ("/usr/sbin/dockerd", "/var/lib/docker"),
    "containerd": ("/run/containerd/containerd.sock", "/var/lib/containerd"),
    "cri-o": ("/run/crio/crio.sock", "/var/lib/containers/storage"),
    "k3s": ("/usr/local/bin/k3s", "/var/lib/rancher/k3s/agent/containerd"),
    "rke2": ("/usr/local/bin/rke2", "/var/lib/rancher/rke2/agent/containerd"),
}


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_runtime_by_its_sign_and_its_storage(host, name):
    sign, storage = RUNTIMES[name]
    assert host.find("runtimes")["state"] == "none found"
    host.write(sign, "not a program")
    found = host.find(name)
    assert found["level"] == OK and found["state"] == f"{storage}: no containers yet; {sign}"
    host.make(storage)
    assert host.find(name)["state"] == f"{storage}: ext4 at /, guarded; {sign}"
    host.answer(guarded=[{"fs": "xfs", "kind": "backing", "path": "/data"}])
    assert host.find(name)["level"] == WEAK
    seccomp = host.find(f"{name} seccomp")
    assert seccomp["level"] == NOTE and 15 in seccomp["rows"]
    host.remove(sign)
    assert (name in host.checks()) == (name not in ("podman", "cri-o"))


@pytest.mark.parametrize("name, file, text", [
    ("docker", "/etc/docker/daemon.json", '{\n  "debug": true,\n  "data-root": "/data/moved"\n}\n'),
    ("docker", "/etc/docker/daemon.json", '{"data-root":"/data/moved"}'),
    ("podman", "/etc/containers/storage.conf", '[storage]\n# graphroot = "/no"\ngraphroot = "/data/moved"\n'),
    ("containerd", "/etc/containerd/config.toml", 'version = 2\nroot = "/data/moved"\n[plugins]\n  root = "/x"\n'),
    ("cri-o", "/etc/crio/crio.conf", '[crio]\nroot="/data/moved"\n')])
def test_storage_that_the_runtime_has_moved(host, name, file, text):
    host.write(RUNTIMES[name][0], "")
    host.write(file, text)
    host.make("/data/moved")
    found = host.find(name)
    assert found["level"] == WEAK and found["state"].startswith("/data/moved: xfs at /data, not guarded")
    moved = host.find(f"{name} storage")
    assert moved["level"] == NOTE and moved["state"] == f"/data/moved, by {file}"
    key = {"cri-o": "podman"}.get(name, name)
    assert moved["fix"].startswith(f"runtimes.{key}: /data/moved in execward.yaml")
    host.config(f"runtimes: {{{key}: /data/moved}}\n")
    assert f"{name} storage" not in host.checks()


@pytest.mark.parametrize("text", ["", "\n" * 70000, '"data-root', '"data-root"', '"data-root":', '"data-root": "',
                                  '"data-root": "/x', '"data-root": 1', '"data-root": "relative"', "\0\xff",
                                  '"data-rooted": "/x"', "data-root" * 100000],
                         ids=range(12))
def test_garbage_in_a_runtimes_configuration(host, text):
    host.write("/usr/sbin/dockerd", "")
    host.write("/etc/docker/daemon.json", text)
    assert host.find("docker")["state"].startswith("/var/lib/docker: ")


@pytest.mark.parametrize("name, driver", [
    ("docker", "vfs/dir"), ("docker", "btrfs/subvolumes"), ("docker", "zfs/graph"), ("docker", "fuse-overlayfs/l"),
    ("podman", "vfs/dir"), ("cri-o", "vfs/dir"), ("containerd", "io.containerd.snapshotter.v1.native/snapshots"),
    ("k3s", "io.containerd.snapshotter.v1.btrfs/active"),
    ("rke2", "io.containerd.snapshotter.v1.fuse-overlayfs/snapshots")])
def test_layers_that_are_no_overlays(host, name, driver):
    sign, storage = RUNTIMES[name]
    host.write(sign, "")
    host.make(f"{storage}/{driver}")
    assert f"{name} driver" not in host.checks()
    host.make(f"{storage}/{driver}/1")
    found = host.find(f"{name} driver")
    assert found["level"] == WEAK and found["state"] == f"{storage}/{driver}" and found["rows"] == [1, 2, 3, 5]


# --- limits ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("value, level", [
    ("1048576", OK), ("5120", OK), ("5119", WEAK), ("1024", WEAK), ("0", WEAK), ("unlimited", OK), ("x", NOTE)])
def test_descriptors_of_the_daemon(host, value, level):
    host.write(f"/proc/{PID}/limits", LIMITS.format(value))
    assert host.find("descriptors")["level"] == level


def test_descriptors_wanted_follow_the_configuration(host):
    host.config("limits: {pending: 100000}\n")
    host.write(f"/proc/{PID}/limits", LIMITS.format(65536))
    found = host.find("descriptors")
    assert found["level"] == WEAK and found["state"] == "65536, wanted at least 101024" and found["rows"] == [19]


@pytest.mark.parametrize("value, level", [("-1000", OK), ("-900", OK), ("-899", NOTE), ("0", NOTE), ("x", NOTE)])
def test_the_oom_killer(host, value, level):
    host.write(f"/proc/{PID}/oom_score_adj", value + "\n")
    assert host.find("oom_score_adj")["level"] == level


@pytest.mark.parametrize("text, level", [
    ("0::/system.slice/execwardd.service\n", OK), ("1:name=systemd:/system.slice/execwardd.service\n", OK),
    ("0::/user.slice/session-1.scope\n", NOTE), ("", NOTE)])
def test_the_unit(host, text, level):
    host.write(f"/proc/{PID}/cgroup", text)
    assert host.find("unit")["level"] == level


def test_a_daemon_whose_proc_is_not_here(host):
    shutil.rmtree(host.path(f"/proc/{PID}"))
    for check in ("descriptors", "oom_score_adj", "unit"):
        found = host.find(check)
        assert found["level"] == NOTE and found["state"] == "cannot be read"


# --- host filesystems -----------------------------------------------------------------------------

PATH = {"path": "/srv", "filesystem": "2f3c-9a04", "fs": "ext4", "mode": "enforce", "wanted": "enforce",
        "enforced": True, "baseline": True, "why": None, "checked": 42, "unknown_total": 0, "unknown": []}


def guarded(host, **changes):
    host.answer(guard={"paths": [PATH | changes]})
    return {f["check"]: f for f in host.findings() if f["section"] == "host"}


def test_a_guarded_path_that_is_enforced(host):
    found = guarded(host)
    assert {f["level"] for f in found.values()} == {OK}
    assert set(found) == {"/srv filesystem", "/srv baseline", "/srv preflight"}
    assert "2f3c-9a04" in found["/srv filesystem"]["state"] and "42" in found["/srv preflight"]["state"]


def test_a_guarded_path_that_is_refused(host):
    found = guarded(host, mode="report", enforced=False, why="7 of 42 " + HOSTILE, unknown_total=7)
    assert found["/srv preflight"]["level"] == WEAK and "7 of 42" in found["/srv preflight"]["state"]
    found = guarded(host, mode="report", enforced=False, why="none", baseline=False)
    assert found["/srv baseline"]["level"] == NOTE
    assert "execward snapshot create --host /srv" in found["/srv baseline"]["fix"]


def test_a_guarded_path_that_is_only_reported(host):
    found = guarded(host, mode="report", wanted="report", enforced=False, filesystem=None, baseline=False)
    assert {f["level"] for f in found.values()} == {NOTE}


def test_a_guarded_path_that_is_not_there(host):
    found = guarded(host, mode="unguarded", wanted=None, filesystem=None, enforced=False, baseline=False,
                    why="No such file or directory")
    assert [f["level"] for f in found.values()] == [WEAK]
    assert "No such file" in found["/srv filesystem"]["state"]


@pytest.mark.parametrize("value", [None, {}, {"paths": None}, {"paths": [1, {}, {"path": 3}]}, []])
def test_a_guard_that_makes_no_sense(host, value):
    host.answer(guard=value)
    host.run()
    assert b"Sanitizer" not in host.run("--json").stderr


def test_a_daemon_that_is_switched_off_says_so(host):
    host.answer(disabled="/x/disabled exists; remove it")
    assert host.find("disabled")["level"] == WEAK


# --- trust ----------------------------------------------------------------------------------------

FAULT = "/etc/execward/keys.d/x.json: is not JSON"


def of_trust(host, **changes):
    host.answer(**changes)
    return {f["check"]: f for f in host.findings() if f["section"] == "trust"}


def test_lists_in_force_are_fine(host):
    found = of_trust(host, allowlists=lists(row_of_list()), trust=trust())
    assert found["keys"]["state"] == "2 usable, 1 must sign" and found["allowlists"]["state"] == "1 installed, 1 in force"
    assert {f["level"] for f in found.values()} == {OK} and set(found) == {"keys", "allowlists"}


def test_a_host_without_keys_and_lists_is_fine(host):
    found = of_trust(host, allowlists=lists(), trust=trust(keys=0, usable=0, nobody="the directory has no key"))
    assert {f["level"] for f in found.values()} == {OK}


@pytest.mark.parametrize("changes, state", [
    ({"error": FAULT, "keys": 0, "usable": 0}, FAULT),
    ({"error": HOSTILE, "keys": 0, "usable": 0}, HOSTILE),
    ({"threshold": 3}, "2 usable, 3 must sign"),
    ({"keys": 2, "usable": 0}, "0 usable, 1 must sign"),  # all have expired
    ({"keys": 0, "usable": 0, "nobody": "the directory does not exist"}, "the directory does not exist")])
def test_keys_by_which_no_list_can_be_in_force_are_weak(host, changes, state):
    found = of_trust(host, allowlists=lists(row_of_list(reason="no_keys", in_force=False)), trust=trust(**changes))
    assert found["keys"]["level"] == WEAK and state in found["keys"]["state"] and found["keys"]["fix"]


def test_each_list_that_is_not_in_force_is_weak(host):
    found = of_trust(host, trust=trust(), allowlists=lists(
        row_of_list("a"), row_of_list("b", reason="expired", in_force=False, detail="it has expired"),
        row_of_list("c", in_grace=True), row_of_list(HOSTILE, reason="revoked_key", in_force=False)))
    assert "series a" not in found
    assert found["series b"]["level"] == WEAK and "version 7, expired" in found["series b"]["state"]
    assert "it has expired" in found["series b"]["weakens"]
    assert found["series c"]["level"] == WEAK and "grace" in found["series c"]["weakens"]
    assert found["series " + HOSTILE]["level"] == WEAK and "\x1b" not in host.run().stdout.decode()


def test_files_that_were_refused_and_a_directory_that_is_not_watched(host):
    directory = {"path": "/etc/execward/allowlists.d", "watched": False, "error": "a symlink leads to it",
                 "refused": [{"file": HOSTILE, "reason": "unsafe", "detail": "is a FIFO", "time_ns": 1}]}
    found = of_trust(host, allowlists=lists(directory=directory), trust=trust())
    assert found["/etc/execward/allowlists.d"]["level"] == NOTE
    assert found[HOSTILE]["level"] == WEAK and "refused: unsafe" in found[HOSTILE]["state"]
    assert "\x1b" not in host.run().stdout.decode()


@pytest.mark.parametrize("odd", [None, [], 7, "x", {}, {"lists": 7, "directory": []}, {"lists": [7, None, {}]}])
def test_a_daemon_that_says_something_odd_of_lists(host, odd):
    host.answer(allowlists=odd, trust=odd)
    host.findings()
