"""Host filesystems: guard.paths. Who executes a file there is the host's, whatever root or namespaces it
has, unless it is in a container; its baseline is bound to the UUID."""
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
from harness.fs import run
from harness.host import host_events, paths_of, quiet

CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000



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
