"""Nothing is enforced on a host filesystem before what is needed there is known to be known."""
import json
import os
import subprocess

import pytest

from harness.baselines import publish
from harness.fs import run
from harness.host import PROGRAMS, host_events, paths_of


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
