"""Host filesystems: guard.paths. Who executes a file there is the host's, whatever root or namespaces it
has, unless it is in a container; its baseline is bound to the UUID; nothing is enforced before what is
needed there is known to be known."""
import json
import mmap
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from harness.baselines import digest_of, publish, remove
from harness.container import Container
from harness.daemon import BUILD, EXECWARDD, HELPERS
from harness.fs import LoopFs, Result, libc, run
from harness.image import make as make_image

PROGRAMS = ("bin/busybox", "bin/payload", "bin/attack", "bin/one", "bin/two", "bin/three", "bin/dynamic",
            "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6")
CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000


class Disk(LoopFs):
    """A filesystem that is guarded for the host, with a small system on it."""

    def __init__(self, size="200M"):
        super().__init__(size)
        make_image(self.mount)
        self.uuid = run("blkid", "-o", "value", "-s", "UUID", self.image).stdout.decode().strip()
        self.device = run("findmnt", "-no", "SOURCE", self.mount).stdout.decode().strip()

    def digests(self, *names):
        return [digest_of(open(self.path(name), "rb").read()) for name in names or PROGRAMS]

    def drop(self, name, salt, mode=0o755):
        content = open(self.path("bin/payload"), "rb").read() + salt
        self.write(name, content, mode)
        return digest_of(content)

    def write(self, name, content, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(self.path(name), mode)

    def exec(self, name, *argv, chroot=False, flags=0, env=None):
        """In our own root, or in a chroot there; in namespaces of its own with @flags."""
        def enter():
            if flags and libc.unshare(flags) != 0:
                os._exit(77)
            if chroot:
                os.chroot(self.mount)
                os.chdir("/")
        path = "/" + name if chroot else self.path(name)
        try:
            done = subprocess.run([path, *argv], preexec_fn=enter, capture_output=True, timeout=30,
                                  env=env or {"PATH": "/bin"})
        except OSError as error:
            return Result(argv, error.errno, None, b"")
        return Result(argv, None, done.returncode, done.stdout + done.stderr)

    def attack(self, technique, target, chroot=True):
        return self.exec("bin/attack", technique, "/bin/payload", target, f"{technique} {target}", chroot=chroot)


@pytest.fixture
def disk():
    made = Disk()
    yield made
    made.close()


@pytest.fixture
def other():
    made = Disk()
    yield made
    made.close()


@pytest.fixture
def guard(start, fs):
    """A daemon that guards disks for the host, and no container's filesystem but the session's."""
    def make(*disks, path_mode=None, baseline=True, **kwargs):
        paths = [{"path": d.mount} | ({"mode": path_mode} if path_mode else {}) for d in disks]
        kwargs.setdefault("marks", "auto")
        kwargs.setdefault("storage", [fs.mount])
        daemon = start(ready=False, guard_extra=f"paths: {json.dumps(paths)}", **kwargs)
        if baseline:
            # The database is made by a daemon's first start.
            daemon.start()
            for d in disks:
                publish(daemon, d.digests(), d.mount, "filesystem", d.uuid, kind="host")
            daemon.stop()
        daemon.start()
        return daemon
    return make


def paths_of(daemon):
    return {row["path"]: row for row in daemon.status()["guard"]["paths"]}


def host_events(daemon):
    return [e for e in daemon.events() if e["execward.container_key"] is None]


def quiet(daemon, call, times=20):
    """No exec of it is asked about any more, once the kernel remembers."""
    end = time.monotonic() + 20
    while True:
        before = daemon.status()["events_total"]
        for _ in range(times):
            call()
        if daemon.status()["events_total"] == before:
            return True
        assert time.monotonic() < end, "asked about again and again"


# --- what is denied -------------------------------------------------------------------------------

@pytest.mark.parametrize("chroot", [True, False])
@pytest.mark.parametrize("flags", [0, CLONE_NEWNS, CLONE_NEWNS | CLONE_NEWPID])
def test_whoever_asks_is_the_host(disk, guard, chroot, flags):
    daemon = guard(disk)
    assert paths_of(daemon)[disk.mount]["enforced"], paths_of(daemon)
    assert disk.exec("bin/one", chroot=chroot, flags=flags).ran
    disk.drop("tmp/evil", b"whoever")
    assert disk.exec("tmp/evil", chroot=chroot, flags=flags).errno == 1
    event = host_events(daemon)[-1]
    assert (event["execward.reason"], event["execward.verdict"]) == ("host", "deny"), event
    assert event["container.name"] == "host"
    assert disk.exec("bin/one", chroot=chroot, flags=flags).ran


@pytest.mark.parametrize("technique", ["plain", "execveat", "rename", "unlinked", "vfork", "script"])
def test_what_is_dropped_is_denied(disk, guard, technique):
    daemon = guard(disk)
    result = disk.attack(technique, "/tmp/evil")
    assert not result.ran and result.errno == 1, result
    assert host_events(daemon)[-1]["execward.reason"] == "host"


def test_who_dropped_it_is_on_record(disk, guard):
    daemon = guard(disk)
    assert not disk.attack("plain", "/tmp/evil").ran
    event = host_events(daemon)[-1]
    assert event["execward.dropped_by"]["exe"].endswith("/bin/attack"), event


def edit_write(path):
    with open(path, "r+b") as file:
        content = file.read()
        file.seek(content.index(b"PAYLOAD-RAN"))
        file.write(b"PAYLOAD-RUN")


def edit_mmap(path):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        at = mapping.find(b"PAYLOAD-RAN")
        mapping[at:at + 11] = b"PAYLOAD-RUN"


def rename_over(path):
    shutil.copy(path, path + ".new")
    edit_write(path + ".new")
    os.rename(path + ".new", path)


@pytest.mark.parametrize("edit", [edit_write, edit_mmap, rename_over])
def test_an_edit_is_denied_at_the_very_next_exec(disk, guard, edit):
    daemon = guard(disk)
    assert quiet(daemon, lambda: disk.exec("bin/one"))
    edit(disk.path("bin/one"))
    assert disk.exec("bin/one").errno == 1
    assert host_events(daemon)[-1]["execward.reason"] == "host"


def test_a_script_needs_a_digest_of_its_own(disk, guard):
    daemon = guard(disk)
    disk.write("bin/script", "#!/bin/sh\necho PAYLOAD-RAN\n", 0o755)
    assert disk.exec("bin/script", chroot=True).errno == 1
    daemon.tool("approve", disk.digests("bin/script")[0], "--reason", "test")
    assert disk.exec("bin/script", chroot=True).ran


def test_report_lets_it_run_and_says_so(disk, guard):
    daemon = guard(disk, path_mode="report")
    disk.drop("tmp/evil", b"report")
    assert disk.exec("tmp/evil").ran
    event = host_events(daemon)[-1]
    assert (event["execward.reason"], event["execward.verdict"]) == ("host", "would_deny")
    row = paths_of(daemon)[disk.mount]
    assert (row["mode"], row["enforced"], row["filesystem"]) == ("report", False, disk.uuid)


def test_a_path_has_a_mode_of_its_own(disk, guard, overlay):
    """Beside the global one, in both directions, and at a reload."""
    daemon = guard(disk, path_mode="enforce", mode="report")
    disk.drop("tmp/evil", b"its own")
    assert disk.exec("tmp/evil").errno == 1
    assert overlay.attack("plain", "/tmp/evil").ran
    daemon.write_config(mode="enforce", guard_extra=f'paths: [{{path: {disk.mount}, mode: report}}]')
    daemon.tool("reload")
    assert disk.exec("tmp/evil").ran
    assert not overlay.attack("plain", "/tmp/evil2").ran


def test_an_operators_report_ends_all_denials(disk, guard):
    daemon = guard(disk, path_mode="enforce")
    disk.drop("tmp/evil", b"operator")
    assert disk.exec("tmp/evil").errno == 1
    daemon.tool("mode", "report")
    assert disk.exec("tmp/evil").ran
    assert daemon.tool("mode", "enforce", check=False).returncode == 0
    assert disk.exec("tmp/evil").errno == 1


def test_a_baseline_is_bound_to_its_filesystem(disk, other, guard):
    daemon = guard(disk, other)
    digest = disk.drop("tmp/known", b"bound")
    other.drop("tmp/known", b"bound")
    publish(daemon, disk.digests() + [digest], disk.mount, "filesystem", disk.uuid, kind="host")
    assert disk.exec("tmp/known").ran
    assert other.exec("tmp/known").errno == 1


def test_what_is_in_no_baseline_any_more_is_denied(disk, guard):
    daemon = guard(disk)
    digest = disk.drop("tmp/known", b"once")
    publish(daemon, disk.digests() + [digest], disk.mount, "filesystem", disk.uuid, kind="host")
    assert quiet(daemon, lambda: disk.exec("tmp/known"))
    publish(daemon, disk.digests(), disk.mount, "filesystem", disk.uuid, kind="host")
    assert disk.exec("tmp/known").errno == 1


def test_without_its_baseline_nothing_is_denied(disk, guard):
    """A mistake with `snapshot prune` must not take the host down."""
    daemon = guard(disk, baseline=False)
    snapshot = publish(daemon, disk.digests(), disk.mount, "filesystem", disk.uuid, kind="host")
    assert daemon.tool("mode", "enforce", check=False).returncode == 0
    disk.drop("tmp/evil", b"pruned")
    assert disk.exec("tmp/evil").errno == 1
    remove(daemon, snapshot)
    assert disk.exec("tmp/evil").ran and disk.exec("bin/one").ran
    row = paths_of(daemon)[disk.mount]
    assert not row["enforced"] and "baseline" in row["why"]


# --- what costs nothing -----------------------------------------------------------------------------

@pytest.mark.parametrize("chroot", [True, False])
def test_a_known_program_is_asked_about_once(disk, guard, chroot):
    daemon = guard(disk)
    assert disk.exec("bin/one", chroot=chroot).ran
    assert quiet(daemon, lambda: disk.exec("bin/one", chroot=chroot), times=300)
    assert disk.exec("bin/busybox", "true", chroot=chroot).code == 0
    assert quiet(daemon, lambda: disk.exec("bin/busybox", "true", chroot=chroot), times=300)


def test_a_writer_does_not_wait_long(disk, guard):
    daemon = guard(disk)
    assert quiet(daemon, lambda: disk.exec("bin/one"))
    before = time.monotonic()
    with open(disk.path("bin/one"), "r+b") as file:
        file.write(b"\x7f")
    assert time.monotonic() - before < 1
    assert disk.exec("bin/one").ran  # the same content


def wait_for_leases(daemon, count):
    end = time.monotonic() + 20
    while daemon.status()["leases"] != count:
        assert time.monotonic() < end, daemon.status()["leases"]


def test_containers_and_the_host_do_not_push_each_other_out(disk, guard, overlay, fs, image):
    daemon = guard(disk, extra="limits: {leases: 8}")
    host = []
    for number in range(12):
        host.append(disk.drop(f"tmp/h{number}", b"host %d" % number))
    publish(daemon, disk.digests() + host, disk.mount, "filesystem", disk.uuid, kind="host")
    for number in range(12):
        assert disk.exec(f"tmp/h{number}").ran
    wait_for_leases(daemon, 8)
    for number in range(12):
        content = open(overlay.path("/bin/payload"), "rb").read() + b"container %d" % number
        overlay.drop(f"/tmp/c{number}", content)
        daemon.tool("approve", digest_of(content), "--reason", "test")
        assert overlay.exec(f"/tmp/c{number}").ran
    wait_for_leases(daemon, 8)
    # The newest four of each are remembered.
    before = daemon.status()["events_total"]
    for number in (8, 9, 10, 11):
        assert disk.exec(f"tmp/h{number}").ran
        assert overlay.exec(f"/tmp/c{number}").ran
    assert daemon.status()["events_total"] == before


def test_programs_that_were_replaced_do_not_stay_on_the_disk(disk, guard):
    daemon = guard(disk)
    digests = [disk.drop(f"tmp/v{number}", b"version %d" % number) for number in range(6)]
    publish(daemon, disk.digests() + digests, disk.mount, "filesystem", disk.uuid, kind="host")
    for number in range(6):
        os.rename(disk.path(f"tmp/v{number}"), disk.path("bin/tool"))
        assert disk.exec("bin/tool").ran
    assert disk.exec("bin/two").ran
    wait_for_leases(daemon, 2)


# --- containers on the same filesystem ----------------------------------------------------------------

def test_containers_on_a_guarded_filesystem_are_containers(guard, start, fs, image, overlay):
    """The session's filesystem holds layers and is guarded for the host: its mounts are not silenced."""
    fs.uuid = run("blkid", "-o", "value", "-s", "UUID", fs.image).stdout.decode().strip()
    paths = json.dumps([{"path": fs.mount, "mode": "enforce"}])
    daemon = start(marks="auto", guard_extra=f"paths: {paths}")
    tool = os.path.join(fs.mount, "tool")
    shutil.copy(os.path.join(HELPERS, "payload"), tool)
    digest = digest_of(open(tool, "rb").read())
    publish(daemon, [digest], fs.mount, "filesystem", fs.uuid, kind="host")
    assert daemon.tool("mode", "enforce", check=False).returncode == 0, daemon.read_log()
    # The host.
    assert b"PAYLOAD-RAN" in run(tool, check=False).stdout
    evil = os.path.join(fs.mount, "evil")
    with open(evil, "wb") as file:
        file.write(open(tool, "rb").read() + b"evil")
    os.chmod(evil, 0o755)
    with pytest.raises(PermissionError):
        run(evil)
    assert host_events(daemon)[-1]["execward.reason"] == "host"
    # A container: its image's programs run; what the host's baseline knows does not help it.
    box = Container(overlay, binds=[(fs.mount, "/volume")])
    try:
        assert box.exec("/bin/one").ran
        assert not box.attack("plain", "/tmp/evil").ran
        assert daemon.event("/tmp/evil")["execward.reason"] == "dropped"
        os.makedirs(fs.path("volume"), exist_ok=True)
        copy = os.path.join(fs.mount, "copy")
        shutil.copy(tool, copy)
        assert box.exec("/volume/copy").errno == 1
        assert daemon.event("/volume/copy")["execward.reason"] == "volume"
        assert box.exec("/bin/one").ran
    finally:
        box.close()
        for path in (tool, evil, copy):
            os.unlink(path)


def test_a_container_with_a_guarded_disk_as_volume(disk, guard, overlay):
    daemon = guard(disk)
    box = Container(overlay, binds=[(disk.mount, "/volume")])
    try:
        assert not box.attack("plain", "/volume/evil").ran
        assert daemon.event("/volume/evil")["execward.reason"] == "volume"
        # Its own mount is not silenced either: the host is asked about still.
        disk.drop("tmp/evil", b"beside a container")
        assert disk.exec("tmp/evil").errno == 1
    finally:
        box.close()


def test_containers_false_leaves_them_alone(start, fs, overlay):
    """The mark for the host asks about the containers on its filesystem, too."""
    paths = json.dumps([{"path": fs.mount, "mode": "report"}])
    daemon = start(marks="auto", guard_extra=f"containers: false, paths: {paths}")
    assert overlay.attack("plain", "/tmp/evil").ran
    evil = fs.path("evil")
    shutil.copy(os.path.join(HELPERS, "payload"), evil)
    assert b"PAYLOAD-RAN" in run(evil, check=False).stdout
    os.unlink(evil)
    assert [(e["execward.reason"], e["proc.exepath"]) for e in daemon.events()] == [("host", evil)]


def test_a_denied_digest_is_denied_on_the_host(disk, guard):
    daemon = guard(disk)
    assert quiet(daemon, lambda: disk.exec("bin/one"))
    daemon.tool("deny", disk.digests("bin/one")[0], "--reason", "test")
    assert disk.exec("bin/one").errno == 1


@pytest.mark.parametrize("scoped", ["host", "container"])
def test_what_is_learned_is_learned_for_one_side(disk, guard, overlay, scoped):
    daemon = guard(disk)
    content = open(disk.path("bin/payload"), "rb").read() + b"learn " + scoped.encode()
    disk.write("tmp/tool", content, 0o755)
    overlay.drop("/tmp/tool", content)
    daemon.tool("mode", "learn", "--for", "1h")
    first = (lambda: disk.exec("tmp/tool")) if scoped == "host" else (lambda: overlay.exec("/tmp/tool"))
    second = (lambda: overlay.exec("/tmp/tool")) if scoped == "host" else (lambda: disk.exec("tmp/tool"))
    assert first().ran
    daemon.wait_for(lambda: daemon.ask({"request": "grants"})["grants"])
    grant, = daemon.ask({"request": "grants"})["grants"]
    assert grant["image"] == (f"fs:{disk.uuid}" if scoped == "host" else overlay.upper)
    assert daemon.tool("mode", "enforce", check=False).returncode == 0
    assert first().ran
    assert second().errno == 1


# --- preflight ----------------------------------------------------------------------------------------

def refused(daemon, disk):
    """`execward mode enforce` exits 1 and lists what is not known: {path: why}."""
    result = daemon.tool("mode", "enforce", check=False)
    assert result.returncode == 1, result
    assert b"NOT enforced" in result.stderr
    row = paths_of(daemon)[disk.mount]
    assert not row["enforced"] and row["mode"] == "report" and row["why"]
    listed = {item["path"]: item["why"] for item in row["unknown"]}
    for path in listed:
        assert path.encode() in result.stderr
    disk.drop("tmp/denied", b"by accident")
    assert disk.exec("tmp/denied").ran  # nothing is denied
    os.unlink(disk.path("tmp/denied"))
    return listed


def test_without_a_baseline_enforce_is_refused_with_the_cure(disk, guard):
    daemon = guard(disk, baseline=False)
    log = daemon.read_log()
    assert f"execward snapshot create --host {disk.mount}" in log and "execward mode enforce" in log
    assert refused(daemon, disk) == {}
    assert "snapshot create --host" in paths_of(daemon)[disk.mount]["why"]


UNIT = "[Service]\nExecStart=-/bin/busybox true\nExecStartPost=@{} name --flag\n"


PLANTS = {
    "static unit": ("usr/lib/systemd/system/x.service", UNIT),
    "enabled unit": ("etc/systemd/system/x.service", UNIT + "[Install]\nWantedBy=multi-user.target\n"),
    "drop-in": ("etc/systemd/system/cron.service.d/x.conf", UNIT),
    "shell in a unit": ("run/systemd/system/x.service", "[Service]\nExecStart=/bin/sh -c 'cd / && exec {}'\n"),
    "argument": ("usr/lib/systemd/system/x.service", "[Service]\nExecStart=/bin/env {} -x\n"),
    "crontab": ("etc/crontab", "PATH=/bin\n17 * * * * root cd / && {} --all\n"),
    "cron.d": ("etc/cron.d/x", "@reboot root {}\n"),
    "user's crontab": ("var/spool/cron/crontabs/alice", "* * * * 1-5 FOO=1 {} % input\n"),
    "shell": ("etc/passwd", "root:x:0:0:root:/:/bin/sh\nx:x:1:1::/:{}\n"),
}


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_preflight_finds_what_will_be_started(disk, guard, plant):
    path, text = PLANTS[plant]
    digest = disk.drop("opt/unknown", plant.encode())
    disk.write(path, text.format("/opt/unknown"))
    if plant == "enabled unit":
        os.makedirs(disk.path("etc/systemd/system/multi-user.target.wants"))
        os.symlink("/etc/systemd/system/x.service",
                   disk.path("etc/systemd/system/multi-user.target.wants/x.service"))
    daemon = guard(disk, mode="report")
    assert list(refused(daemon, disk)) == ["/opt/unknown"]
    row = paths_of(daemon)[disk.mount]
    assert row["unknown"][0]["sha256"] == digest and row["unknown_total"] == 1
    publish(daemon, disk.digests() + [digest], disk.mount, "filesystem", disk.uuid, kind="host")
    assert daemon.tool("mode", "enforce", check=False).returncode == 0
    row = paths_of(daemon)[disk.mount]
    assert row["enforced"] and row["why"] is None and row["checked"] > 0


@pytest.mark.parametrize("plant", ["user's crontab", "static unit"])
def test_preflight_looks_behind_bind_mounts(disk, guard, plant):
    """As ProtectSystem= of a unit makes them."""
    path, text = PLANTS[plant]
    disk.drop("opt/unknown", b"bind")
    disk.write(path, text.format("/opt/unknown"))
    run("mount", "--bind", disk.path("opt"), disk.path("opt"))
    try:
        daemon = guard(disk, mode="report")
        assert list(refused(daemon, disk)) == ["/opt/unknown"]
    finally:
        run("umount", disk.path("opt"))


def test_preflight_leaves_units_alone_that_nothing_starts(disk, guard):
    disk.drop("opt/unknown", b"disabled")
    disk.write("usr/lib/systemd/system/x.service",
               UNIT.format("/opt/unknown") + "[Install]\nWantedBy=multi-user.target\n")
    disk.write("usr/lib/systemd/system/masked.service", UNIT.format("/opt/unknown"))
    os.makedirs(disk.path("etc/systemd/system"))
    os.symlink("/dev/null", disk.path("etc/systemd/system/masked.service"))
    daemon = guard(disk)
    assert paths_of(daemon)[disk.mount]["enforced"]


@pytest.mark.parametrize("where", ["etc/cron.daily/x", "usr/lib/systemd/system-generators/x", "usr/bin/sudo"])
def test_preflight_finds_programs_by_their_place(disk, guard, where):
    os.makedirs(disk.path("usr/lib/systemd"), exist_ok=True)
    disk.drop(where, where.encode())
    daemon = guard(disk, mode="report")
    assert list(refused(daemon, disk)) == ["/" + where]


def test_preflight_follows_interpreters(disk, guard):
    disk.drop("opt/shell", b"interpreter")
    disk.write("etc/cron.daily/x", "#! /opt/shell -e\n", 0o755)
    disk.write("etc/cron.daily/y", "#!/bin/env tool\n", 0o755)
    disk.drop("bin/tool", b"of env")
    daemon = guard(disk, mode="report")
    assert set(refused(daemon, disk)) == {"/opt/shell", "/etc/cron.daily/x", "/etc/cron.daily/y", "/bin/tool"}
    publish(daemon, disk.digests(*PROGRAMS, "etc/cron.daily/x", "etc/cron.daily/y"), disk.mount, "filesystem",
            disk.uuid, kind="host")
    assert set(refused(daemon, disk)) == {"/opt/shell", "/bin/tool"}


def test_preflight_follows_the_loader(disk, guard):
    disk.write("etc/cron.d/x", "@daily root /bin/dynamic\n")
    daemon = guard(disk, mode="report", baseline=False)
    known = disk.digests(*(name for name in PROGRAMS if "ld-linux" not in name))
    publish(daemon, known, disk.mount, "filesystem", disk.uuid, kind="host")
    assert list(refused(daemon, disk)) == ["/lib64/ld-linux-x86-64.so.2"]


@pytest.mark.parametrize("unlink", [True, False])
@pytest.mark.parametrize("chroot", [True, False])
def test_preflight_finds_what_runs(disk, guard, unlink, chroot):
    daemon = guard(disk, mode="report")
    disk.drop("tmp/running", b"running")
    argv = ["/tmp/running" if chroot else disk.path("tmp/running"), "wait"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE,
                          preexec_fn=(lambda: os.chroot(disk.mount)) if chroot else None) as process:
        assert process.stdout.readline() == b"PAYLOAD-RAN\n"
        if unlink:
            os.unlink(disk.path("tmp/running"))
        try:
            (path, why), = refused(daemon, disk).items()
            assert "tmp/running" in path and why.startswith("running (pid ")
            assert path.endswith(" (deleted)") == unlink
        finally:
            process.kill()
    assert daemon.tool("mode", "enforce", check=False).returncode == 0


def test_preflight_at_start_and_at_reload(disk, guard):
    digest = disk.drop("opt/unknown", b"start")
    disk.write("etc/cron.d/x", "@daily root /opt/unknown\n")
    daemon = guard(disk, path_mode="enforce")
    row = paths_of(daemon)[disk.mount]
    assert not row["enforced"] and [i["path"] for i in row["unknown"]] == ["/opt/unknown"]
    log = daemon.read_log()
    assert "NOT ENFORCED" in log and "not known: /opt/unknown, crontab /etc/cron.d/x" in log
    disk.drop("tmp/evil", b"evil at start")
    assert disk.exec("tmp/evil").ran
    doctor = daemon.tool("doctor", "--json", check=False)
    found = {f["check"]: f for f in json.loads(doctor.stdout)}
    assert found[f"{disk.mount} preflight"]["level"] == "weak"
    assert found[f"{disk.mount} filesystem"]["state"].startswith(disk.uuid)
    assert found[f"{disk.mount} baseline"]["level"] == "ok"
    daemon.tool("approve", digest, "--reason", "test")
    daemon.tool("reload")
    assert paths_of(daemon)[disk.mount]["enforced"]
    assert disk.exec("tmp/evil").errno == 1
    # Enforced, it stays so: nobody can plant what would end it.
    disk.drop("opt/later", b"later")
    disk.write("var/spool/cron/crontabs/alice", "* * * * * /opt/later\n")
    daemon.tool("reload")
    assert paths_of(daemon)[disk.mount]["enforced"]
    assert disk.exec("tmp/evil").errno == 1


def test_what_came_in_the_meantime_is_looked_at_again(disk, guard):
    daemon = guard(disk)
    assert paths_of(daemon)[disk.mount]["enforced"]
    daemon.tool("mode", "report")
    disk.drop("opt/unknown", b"meantime")
    disk.write("etc/cron.d/x", "@daily root /opt/unknown\n")
    assert list(refused(daemon, disk)) == ["/opt/unknown"]


def test_a_path_that_is_left_out_is_let_go_of(disk, guard):
    daemon = guard(disk, path_mode="enforce")
    disk.drop("tmp/evil", b"left out")
    assert disk.exec("tmp/evil").errno == 1
    daemon.write_config(guard_extra="")
    daemon.tool("reload")
    assert disk.exec("tmp/evil").ran
    assert "restart" in paths_of(daemon)[disk.mount]["why"]


def test_a_rule_cannot_enforce_what_was_refused(disk, guard):
    daemon = guard(disk, baseline=False,
                   rules='rules: [{match: {container: "host"}, mode: enforce, reason: t}]')
    disk.drop("tmp/evil", b"by a rule")
    assert disk.exec("tmp/evil").ran
    event = host_events(daemon)[-1]
    assert event["execward.verdict"] == "would_deny"


def test_a_rule_may_let_it_run(disk, guard):
    daemon = guard(disk, rules=f'rules: [{{match: {{container: "host", path: "{disk.mount}/opt/*"}}, '
                               'action: allow, reason: t}]')
    disk.drop("opt/tool", b"by a rule")
    disk.drop("tmp/tool", b"by no rule")
    assert disk.exec("opt/tool").ran
    assert disk.exec("tmp/tool").errno == 1
    assert daemon.status()["faults"]["deadline"] == 0


def test_hostile_units_and_crontabs(disk, guard):
    """Bounded, and never a crash: megabytes, NULs, FIFOs, links in circles."""
    disk.write("usr/lib/systemd/system/big.service", b"[Service]\nExecStart=" + b"/x " * 400000)
    disk.write("usr/lib/systemd/system/nul.service", b"[Service]\nExecStart=/bin/\0one \\x00 \"\n")
    disk.write("etc/crontab", b"* * * * * root \0" + b"'\"" * 100000)
    os.mkfifo(disk.path("etc/cron.d"))
    os.makedirs(disk.path("etc/cron.daily"))
    os.mkfifo(disk.path("etc/cron.daily/fifo"), 0o755)
    os.symlink("loop", disk.path("etc/cron.daily/loop"))
    os.symlink("../../../../../../../../bin/ls", disk.path("etc/cron.daily/out"))
    daemon = guard(disk, mode="report")
    daemon.tool("mode", "enforce", check=False)
    row = paths_of(daemon)[disk.mount]
    assert not row["enforced"] and "too much" in row["why"]  # a unit longer than what is read: no proof


# --- break-glass --------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["file", "cmdline"])
def test_break_glass(disk, guard, overlay, way, tmp_path):
    daemon = guard(disk, path_mode="enforce")
    disk.drop("tmp/evil", b"glass")
    assert disk.exec("tmp/evil").errno == 1
    daemon.stop()
    flag = os.path.join(daemon.dir, "disabled")
    if way == "file":
        with open(flag, "w", encoding="utf-8"):
            pass
    else:
        os.makedirs(tmp_path / "proc")
        (tmp_path / "proc/cmdline").write_text("quiet execward.offer ro\n")
        daemon.env = {"EXECWARD_TEST_ROOT": str(tmp_path)}
        daemon.start()
        assert daemon.status()["disabled"] is None
        daemon.stop()
        (tmp_path / "proc/cmdline").write_text("quiet execward.off ro\n")
    daemon.start()
    status = daemon.status()
    assert status["mode"] == "report" and status["disabled"]
    assert "SWITCHED OFF" in daemon.read_log()
    assert b"SWITCHED OFF" in daemon.tool("status").stdout
    assert disk.exec("tmp/evil").ran
    assert overlay.attack("plain", "/tmp/evil").ran
    result = daemon.tool("mode", "enforce", check=False)
    assert result.returncode != 0 and b"remove it, then: execward reload" in result.stderr
    assert disk.exec("tmp/evil").ran
    if way == "file":
        os.unlink(flag)
    else:
        (tmp_path / "proc/cmdline").write_text("quiet ro\n")
    daemon.tool("reload")
    assert daemon.status()["disabled"] is None
    assert disk.exec("tmp/evil").errno == 1
    assert not overlay.attack("plain", "/tmp/evil2").ran


# --- mounts, restart, faults ----------------------------------------------------------------------------

def wait_guarded(daemon, disk, guarded=True):
    """Each look is a question; the kernel's event on the mount wakes the daemon."""
    end = time.monotonic() + 20
    while (paths_of(daemon)[disk.mount]["mode"] != "unguarded") != guarded:
        assert time.monotonic() < end, paths_of(daemon)


def test_umount_and_mount_again(disk, guard):
    daemon = guard(disk)
    disk.drop("tmp/evil", b"again")
    assert disk.exec("tmp/evil").errno == 1 and disk.exec("bin/one").ran
    for _ in range(5):
        run("umount", "-l", disk.mount)  # the leases of what the kernel remembers keep it busy
        wait_guarded(daemon, disk, False)
        wait_for_leases(daemon, 0)
        assert "not mounted" in paths_of(daemon)[disk.mount]["why"]
        run("mount", "-o", "loop", disk.image, disk.mount)
        wait_guarded(daemon, disk)
        assert disk.exec("tmp/evil").errno == 1
        assert disk.exec("bin/one").ran
    assert paths_of(daemon)[disk.mount]["enforced"]


def test_it_can_be_unmounted_after_a_reload(disk, guard):
    daemon = guard(disk)
    assert quiet(daemon, lambda: disk.exec("bin/one"))
    daemon.tool("reload")
    end = time.monotonic() + 20
    while run("umount", disk.mount, check=False).returncode:
        assert time.monotonic() < end


def test_another_disk_at_the_same_place_does_not_inherit(disk, other, guard):
    daemon = guard(disk)
    run("umount", "-l", disk.mount)
    wait_guarded(daemon, disk, False)
    wait_for_leases(daemon, 0)
    run("umount", other.mount)
    run("mount", "-o", "loop", other.image, disk.mount)
    wait_guarded(daemon, disk)
    row = paths_of(daemon)[disk.mount]
    assert row["filesystem"] == other.uuid and not row["enforced"] and not row["baseline"]
    assert disk.exec("bin/one").ran
    assert host_events(daemon)[-1]["execward.verdict"] == "would_deny"


def test_another_disk_under_the_same_number_does_not_inherit(disk, other, guard):
    """A device number is no name: swapped while the daemon was not looking, only the UUID tells."""
    daemon = guard(disk)
    run("umount", other.mount)
    daemon.tool("reload")
    wait_for_leases(daemon, 0)
    pid = daemon.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        end = time.monotonic() + 10
        while run("umount", disk.mount, check=False).returncode:
            assert time.monotonic() < end
        while run("losetup", disk.device, other.image, check=False).returncode:  # it is let go of after the umount
            assert time.monotonic() < end
        run("mount", disk.device, disk.mount)
    finally:
        os.kill(pid, signal.SIGCONT)
    try:
        end = time.monotonic() + 20
        while paths_of(daemon)[disk.mount]["filesystem"] != other.uuid:
            assert time.monotonic() < end, paths_of(daemon)
        assert not paths_of(daemon)[disk.mount]["enforced"]
        assert disk.exec("bin/one").ran
        assert host_events(daemon)[-1]["execward.verdict"] == "would_deny"
    finally:
        run("umount", "-l", disk.mount)
        run("losetup", "-d", disk.device, check=False)


def test_a_daemon_that_is_started_again_enforces_at_once(disk, guard):
    daemon = guard(disk)
    disk.drop("tmp/evil", b"restart")
    for _ in range(3):
        assert disk.exec("tmp/evil").errno == 1 and disk.exec("bin/one").ran
        daemon.stop()
        assert disk.exec("tmp/evil").ran
        daemon.start()
    assert disk.exec("tmp/evil").errno == 1


def test_a_path_that_is_not_there_is_said_and_not_guarded(disk, start, fs):
    daemon = start(marks="auto", guard_extra='paths: [{path: /nonexistent/x, mode: enforce}]')
    row, = daemon.status()["guard"]["paths"]
    assert row["mode"] == "unguarded" and "No such file" in row["why"]
    assert daemon.tool("mode", "enforce", check=False).returncode == 1


@pytest.mark.parametrize("mode, errno", [("enforce", 1), ("report", None)])
def test_on_failure_deny_is_for_what_is_enforced(disk, guard, mode, errno):
    daemon = guard(disk, path_mode=mode, extra="on_failure: deny\ndeadline: 10ms\nlimits: {hash_threads: 1}")
    with open(disk.path("tmp/large"), "wb") as file:
        shutil.copyfileobj(open(disk.path("bin/payload"), "rb"), file)
        file.truncate(150 << 20)
    os.chmod(disk.path("tmp/large"), 0o755)
    result = disk.exec("tmp/large")
    assert result.errno == errno and result.ran == (errno is None)
    assert daemon.status()["faults"]["deadline"] > 0


def test_state_and_socket_on_the_guarded_filesystem(disk, start, fs):
    """The daemon writes its database and log there, and the tool that asks is executed from there."""
    shutil.copy(os.path.join(HELPERS, "../tools/execward"), disk.path("bin/execward"))
    state, runtime = disk.path("state"), disk.path("run")
    os.mkdir(state, 0o700)
    paths = json.dumps([{"path": disk.mount, "mode": "enforce"}])
    daemon = start(ready=False, guard_extra=f"paths: {paths}")
    daemon.state, daemon.runtime = state, runtime
    daemon.write_config()
    daemon.start()
    publish(daemon, disk.digests(), disk.mount, "filesystem", disk.uuid, kind="host")
    daemon.tool("reload")
    assert paths_of(daemon)[disk.mount]["enforced"]
    for number in range(50):
        disk.drop(f"tmp/evil{number}", b"state %d" % number)
        assert disk.exec(f"tmp/evil{number}").errno == 1
        assert disk.exec("bin/one").ran
    assert len(host_events(daemon)) >= 50
    daemon.stop()


def test_sigterm_answers_what_waits(disk, guard):
    daemon = guard(disk, extra="limits: {hash_threads: 1}")
    with open(disk.path("tmp/large"), "wb") as file:
        shutil.copyfileobj(open(disk.path("bin/payload"), "rb"), file)
        file.truncate(150 << 20)
    os.chmod(disk.path("tmp/large"), 0o755)
    waiting = [subprocess.Popen([sys.executable, "-c", "import os,sys; os.execv(sys.argv[1], sys.argv[1:])",
                                 disk.path("tmp/large")], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for _ in range(8)]
    daemon.signal(signal.SIGTERM)
    for process in waiting:
        process.wait(timeout=20)
    assert daemon.process.wait(timeout=20) == 0


@pytest.mark.parametrize("guarded", [True, False])
def test_a_guard_of_the_host_leaves_no_core(disk, start, guarded, tmp_path):
    """The program that takes a core (core_pattern) would wait for the daemon, and the daemon for it."""
    paths = json.dumps([{"path": disk.mount}] if guarded else [])
    daemon = start(ready=False, guard_extra=f"paths: {paths}")
    daemon.process = subprocess.Popen(
        [EXECWARDD, "--config", daemon.config], stderr=subprocess.DEVNULL, cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
    daemon.tool("status", "--wait-ready", "20")
    os.kill(daemon.process.pid, signal.SIGABRT)
    _, status = os.waitpid(daemon.process.pid, 0)
    daemon.process = None
    # A sanitizer leaves none of its own accord.
    assert os.WIFSIGNALED(status) and os.WCOREDUMP(status) == (not guarded and "asan" not in BUILD)
