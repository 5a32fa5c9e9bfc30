"""What can go wrong, one by one: the daemon says why and exits with its code, or goes on."""
import os
import signal
import sqlite3
import subprocess
import time

import pytest

from harness.daemon import EXECWARDD, HELPERS
from harness.fs import Overlay, kernel_release


def refused(daemon, code, *words):
    daemon.spawn()
    got = daemon.process.wait(timeout=30)
    log = daemon.read_log()
    assert got == code, (got, log)
    for word in words:
        assert word in log, log
    daemon.process = None


def test_no_cap_sys_admin(start):
    daemon = start(ready=False, prefix=["setpriv", "--bounding-set", "-sys_admin",
                                        "--inh-caps", "-sys_admin"])
    refused(daemon, 77, "CAP_SYS_ADMIN")


def test_foreign_pid_namespace(start):
    daemon = start(ready=False, prefix=["unshare", "-p", "-f", "--mount-proc"])
    refused(daemon, 77, "pid namespace")


def test_state_directory_missing(start):
    daemon = start(ready=False)
    os.rmdir(daemon.state)
    refused(daemon, 73, daemon.state, "does not exist")


@pytest.mark.parametrize("spoil", ["owner", "mode", "symlink"])
def test_state_directory_not_roots_alone(start, spoil):
    daemon = start(ready=False)
    if spoil == "owner":
        os.chown(daemon.state, 1000, 1000)
    elif spoil == "mode":
        os.chmod(daemon.state, 0o777)
    else:
        os.symlink("/etc/passwd", daemon.state + "/baseline.db")
    refused(daemon, 77, "belong to root")


def test_second_daemon(start):
    first = start()
    second = start(ready=False)
    second.settings["extra"] = ""
    with open(second.config, encoding="utf-8") as file:
        text = file.read()
    with open(second.config, "w", encoding="utf-8") as file:
        file.write(text.replace(second.runtime, first.runtime))
    refused(second, 69, "another execwardd")
    assert first.status()["ready"]


def test_corrupt_database(start):
    daemon = start(ready=False)
    with open(daemon.state + "/baseline.db", "wb") as file:
        file.write(b"this is not a database, but it is long enough to be looked at" * 100)
    os.chmod(daemon.state + "/baseline.db", 0o600)
    refused(daemon, 74, "baseline.db", "corrupt")


def test_newer_database(start):
    daemon = start()
    daemon.stop()
    with sqlite3.connect(daemon.state + "/baseline.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    refused(daemon, 74, "later release")


def test_invalid_configuration(start):
    daemon = start(ready=False, extra="nonsense: 1")
    refused(daemon, 78, f"{daemon.config}:", "nonsense")
    result = subprocess.run([EXECWARDD, "--check-config", "--config", daemon.config],
                            capture_output=True, timeout=20, check=False)
    assert result.returncode == 78
    daemon.write_config(extra="")
    result = subprocess.run([EXECWARDD, "--check-config", "--config", daemon.config],
                            capture_output=True, timeout=20, check=False)
    assert result.returncode == 0, result


def test_a_broken_reload_keeps_the_old_configuration(overlay, start):
    daemon = start()
    overlay.drop("/bin/evil", open(overlay.path("/bin/payload"), "rb").read() + b"e")
    daemon.write_config(mode="report", extra="nonsense: 1")
    result = daemon.tool("reload", check=False)
    assert result.returncode == 78 and b"nonsense" in result.stderr
    daemon.signal(signal.SIGHUP)
    assert overlay.exec("/bin/evil").errno == 1
    daemon.write_config(mode="report", extra="")
    daemon.tool("reload")
    assert overlay.exec("/bin/evil").ran


def test_sigterm_under_load(overlay, start):
    daemon = start()
    overlay.drop("/bin/evil", open(overlay.path("/bin/payload"), "rb").read() + b"e")
    script = "while :; do /bin/one >/dev/null; /bin/evil 2>/dev/null; done"

    def enter():
        os.chroot(overlay.merged)
        os.chdir("/")
        os.setsid()
    loads = [subprocess.Popen(["/bin/sh", "-c", script], env={}, preexec_fn=enter,
                              stdout=subprocess.DEVNULL) for _ in range(32)]
    try:
        daemon.wait_for(lambda: daemon.status()["events_total"] > 500)
        daemon.stop()
        # Nobody is left waiting: a program of the image runs at once.
        assert overlay.exec("/bin/one", timeout=5).ran
    finally:
        for load in loads:
            os.killpg(load.pid, signal.SIGKILL)
            load.wait(timeout=20)


@pytest.mark.parametrize("on_failure", ["allow", "deny"])
def test_a_file_that_never_ends_meets_the_deadline(overlay, start, on_failure):
    daemon = start(extra=f"deadline: 1s\non_failure: {on_failure}")
    with open(overlay.path("/bin/huge"), "wb") as file:
        file.write(open(overlay.path("/bin/payload"), "rb").read())
        file.truncate(50 << 30)
    os.chmod(overlay.path("/bin/huge"), 0o755)
    begin = time.monotonic()

    def enter():
        os.chroot(overlay.merged)
        os.chdir("/")
    slow = subprocess.Popen(["/bin/sh", "-c", "/bin/huge"], env={}, preexec_fn=enter,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # The image's programs do not wait for it.
    while slow.poll() is None and time.monotonic() - begin < 10:
        assert overlay.exec("/bin/one", timeout=5).ran
    output, _ = slow.communicate(timeout=20)
    assert (b"PAYLOAD-RAN" in output) == (on_failure == "allow")
    assert daemon.status()["faults"]["deadline"] == 1
    event = daemon.events()[-1]
    assert event["execward.reason"] == "fault" and event["execward.fault"] == "deadline"


def test_containers_that_come_and_go_leave_nothing(fs, image, start, marks):
    daemon = start(marks=marks)
    content = open(image + "/bin/payload", "rb").read()

    def one(number):
        overlay = Overlay(fs, image)
        overlay.drop("/bin/evil", content + str(number).encode())
        daemon.rescan()
        assert overlay.exec("/bin/one").ran
        assert overlay.exec("/bin/evil").errno == 1
        overlay.close()
    for number in range(10):
        one(number)
    daemon.rescan()
    before = daemon.descriptors()
    for number in range(10, 60):
        one(number)
    daemon.rescan()
    assert daemon.descriptors() <= before + 2
    assert [c for c in daemon.status()["containers"] if c["overlay"].startswith(fs.mount)] == []


def test_a_container_that_vanishes_between_event_and_lookup(fs, image, start, marks):
    daemon = start(marks=marks)
    content = open(image + "/bin/payload", "rb").read()
    for number in range(60):
        overlay = Overlay(fs, image)
        overlay.drop("/bin/evil", content + os.urandom(8) + b"\0" * 3_000_000)
        if marks == "overlay":
            daemon.rescan()

        def enter(overlay=overlay):
            os.chroot(overlay.merged)
            os.chdir("/")
        process = subprocess.Popen(["/bin/sh", "-c", "echo go; exec /bin/evil"], env={},
                                   preexec_fn=enter, stdout=subprocess.PIPE)
        process.stdout.readline()
        overlay.close()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    assert daemon.status()["ready"]
    assert b"PAYLOAD-RAN" not in (process.stdout.read() or b"")


def test_only_root_may_ask(start):
    import json
    import socket
    daemon = start()
    os.chmod(daemon.dir, 0o755)
    os.chmod(daemon.runtime + "/control.sock", 0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "print(s.makefile().readline())")
    result = subprocess.run(["/usr/bin/python3", "-c", code, daemon.runtime + "/control.sock"],
                            user=65534, group=65534, capture_output=True, timeout=20, check=True)
    assert json.loads(result.stdout)["error"] == "denied"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(daemon.runtime + "/control.sock")
        sock.sendall(b"x" * 70000)
        assert json.loads(sock.makefile().readline())["error"] == "too_large"
    for bad in (b"[]", b"{", b'{"request":"nothing"}', b'{"request":"approve","sha":"x"}',
                b'{"request":"events","limit":-1}', b'{"request":"mode","mode":7}'):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(daemon.runtime + "/control.sock")
            sock.sendall(bad + b"\n")
            assert json.loads(sock.makefile().readline())["ok"] is False


def test_the_selftest_passes_in_every_mode(start, marks):
    for mode in ("enforce", "report"):
        daemon = start(marks=marks, mode=mode)
        result = daemon.tool("selftest", check=False)
        assert result.returncode == 0, result.stdout.decode()
        daemon.stop()


def test_a_kernel_without_permission_events(start):
    daemon = start(ready=False, prefix=[os.path.join(HELPERS, "nofanotify"), "38"])  # ENOSYS
    refused(daemon, 69, "FAN_OPEN_EXEC_PERM")


def test_backing_marks_are_refused_where_they_would_see_nothing(start):
    daemon = start(ready=False, marks="backing")
    if kernel_release() < (6, 5):
        refused(daemon, 69, "guard.marks", "Linux 6.5")
    else:
        daemon.start()


def test_no_fanotify_group_left(start):
    daemon = start(ready=False, prefix=[os.path.join(HELPERS, "nofanotify"), "24"])  # EMFILE
    refused(daemon, 69)


def test_stdout_gets_the_alert_too(overlay, start):
    daemon = start(ready=False)
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(text.replace("outputs: [", "outputs: [{type: stdout}, "))
    daemon.start()
    overlay.attack("plain", "/bin/x")
    assert daemon.event("/bin/x")["execward.verdict"] == "deny"
    lines = [line for line in daemon.read_log().splitlines() if line.startswith("{")]
    assert len(lines) == 1 and '"proc.exepath":"/bin/x"' in lines[0]
