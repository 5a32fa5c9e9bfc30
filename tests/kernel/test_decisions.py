"""Approvals, rules, modes, windows: what operators say is in force for the very next exec."""
import json
import subprocess

import pytest




@pytest.fixture
def evil(overlay):
    content = open(overlay.path("/bin/payload"), "rb").read()
    overlay.drop("/bin/evil", content + b"evil")
    return overlay


def test_approve_and_revoke_take_effect_at_once(evil, start):
    daemon = start()
    assert evil.exec("/bin/evil").errno == 1
    sha = daemon.event("/bin/evil")["execward.sha256"]
    for _ in range(50):
        assert daemon.ask({"request": "approve", "sha256": sha, "reason": "test"})["ok"]
        assert evil.exec("/bin/evil").ran
        assert daemon.ask({"request": "revoke", "sha256": sha})["ok"]
        assert evil.exec("/bin/evil").errno == 1


def test_approve_by_path_through_the_tool(evil, start):
    daemon = start()
    assert evil.exec("/bin/evil").errno == 1
    daemon.tool("approve", "/bin/evil", "--reason", "tested")
    assert evil.exec("/bin/evil").ran
    explain = json.loads(daemon.tool("explain", "/bin/evil", "--json").stdout)
    assert explain["vouchers"] == ["approved"] and explain["would"]["verdict"] == "allow"
    daemon.tool("revoke", "/bin/evil")
    assert evil.exec("/bin/evil").errno == 1
    assert daemon.tool("revoke", "/bin/evil", check=False).returncode == 1


def test_an_approval_of_another_image_does_not_count(evil, start):
    daemon = start()
    evil.exec("/bin/evil")
    daemon.tool("approve", "/bin/evil", "--image", "example/other:1", "--reason", "other image")
    assert evil.exec("/bin/evil").errno == 1


def test_a_changed_program_loses_its_approval(evil, start):
    """Row 11: content, not name, size or time."""
    import os
    daemon = start()
    evil.exec("/bin/evil")
    daemon.tool("approve", "/bin/evil", "--reason", "t")
    assert evil.exec("/bin/evil").ran
    before = os.stat(evil.path("/bin/evil"))
    with open(evil.path("/bin/evil"), "r+b") as file:
        file.seek(-1, 2)
        file.write(b"X")
    os.utime(evil.path("/bin/evil"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert evil.exec("/bin/evil").errno == 1


def test_denylist_stops_a_program_of_the_image(overlay, start):
    import hashlib
    daemon = start()
    sha = hashlib.sha256(open(overlay.path("/bin/attack"), "rb").read()).hexdigest()
    assert overlay.exec("/bin/attack").code == 64
    daemon.tool("deny", sha, "--reason", "incident 7")
    assert overlay.exec("/bin/attack").errno == 1
    assert overlay.exec("/bin/one").ran
    assert daemon.event("/bin/attack")["execward.reason"] == "denylisted"
    daemon.tool("revoke", "--deny", sha)
    assert overlay.exec("/bin/attack").code == 64


def test_rules(evil, start):
    daemon = start(rules="rules:\n- {match: {path: '/bin/ev*'}, action: allow, reason: tested}")
    assert evil.exec("/bin/evil").ran
    evil.exec("/bin/sh", "-c", "cp /bin/evil /tmp/evil")
    assert evil.exec("/tmp/evil").errno == 1
    daemon.write_config(rules="rules:\n- {match: {path: '/bin/ev*'}, action: allow, reason: t, "
                              "expires: 2020-01-01}")
    daemon.tool("reload")
    assert evil.exec("/bin/evil").errno == 1
    daemon.write_config(rules="rules:\n- {match: {path: '/bin/**', user: root}, mode: report, reason: t}")
    daemon.tool("reload")
    assert evil.exec("/bin/evil").ran
    assert daemon.events()[-1]["execward.verdict"] == "would_deny"
    assert evil.exec("/tmp/evil").errno == 1


def test_learn_has_an_end_and_then_the_learned_runs(evil, start):
    daemon = start()
    assert daemon.tool("mode", "learn", check=False).returncode == 64
    daemon.tool("mode", "learn", "--for", "1h")
    assert evil.exec("/bin/evil").ran
    assert daemon.event("/bin/evil")["execward.reason"] == "learning"
    daemon.tool("mode", "enforce")
    assert evil.exec("/bin/evil").ran
    evil.drop("/bin/other", open(evil.path("/bin/evil"), "rb").read() + b"2")
    assert evil.exec("/bin/other").errno == 1
    grants = json.loads(daemon.tool("grants", "--json").stdout)
    assert [g["kind"] for g in grants] == ["learned"]


def test_mode_changes_survive_a_restart_until_the_file_says_otherwise(evil, start):
    daemon = start(mode="report")
    daemon.tool("mode", "enforce")
    assert evil.exec("/bin/evil").errno == 1
    daemon.stop()
    daemon.start()
    assert daemon.status()["mode"] == "enforce"
    daemon.tool("mode", "config")
    assert daemon.status()["mode"] == "report"
    assert evil.exec("/bin/evil").ran


def test_row_12_a_thousand_tries_are_one_alert(evil, start):
    daemon = start(extra="limits: {alert_window: 1h}")
    script = "i=0; while [ $i -lt 16 ]; do /bin/evil; i=$((i+1)); done 2>/dev/null; exit 0"
    processes = [subprocess.Popen(["/bin/sh", "-c", script], env={}, stdout=subprocess.PIPE,
                                  preexec_fn=_enter(evil)) for _ in range(62)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert b"PAYLOAD-RAN" not in output
    for _ in range(1000 - 62 * 16):
        assert evil.exec("/bin/evil").errno == 1
    events = daemon.events()
    assert len(events) == 1 and events[0]["execward.count"] == 1000, events
    assert daemon.status()["verdicts"]["deny"] == 1000
    assert len(daemon.alerts()) == 1
    daemon.stop()
    assert [a["output_fields"]["execward.count"] for a in daemon.alerts()] == [1, 1000]


def _enter(overlay):
    import os

    def enter():
        os.chroot(overlay.merged)
        os.chdir("/")
    return enter


HOSTILE = [b"new\nline", b"esc\x1b[31m\x07", b"utf8-\xff\xfe\xc3(", b"quote\"back\\slash", b"spa ce",
           b"rtl-\xe2\x80\xae", b"x" * 250]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_row_20_hostile_names(overlay, start, name):
    import os
    daemon = start()
    content = open(overlay.path("/bin/payload"), "rb").read() + name
    path = overlay.path("/tmp").encode() + b"/" + name
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o755)
    assert overlay.exec(b"/tmp/" + name, b"arg\n" + name, b"\x1b]0;owned\x07").errno == 1
    assert len(daemon.events()) == 1
    alerts = daemon.alerts()  # every line of the file is JSON
    assert len(alerts) == 1
    event = alerts[0]["output_fields"]
    assert event["execward.reason"] == "dropped"
    assert event["proc.exepath"] == "/tmp/" + name.decode("utf-8", "replace") or b"\xff" in name
    assert event["proc.cmdline"].startswith("/tmp/")
    for verb in (["events"], ["show", event["execward.event_id"]], ["report"], ["status"],
                 ["explain", event["execward.event_id"]]):
        text = daemon.tool(*verb).stdout
        assert b"\x1b" not in text and b"\x07" not in text and b"\xe2\x80\xae" not in text
        text.decode("utf-8")


def test_row_20_a_path_of_4000_bytes(overlay, start):
    import os
    daemon = start()
    overlay.exec("/bin/sh", "-c", "cd /tmp; i=0; while [ $i -lt 19 ]; do "
                 f"mkdir {'d' * 200} && cd {'d' * 200}; i=$((i+1)); done; "
                 "cp /bin/payload ./evil; echo evil >> ./evil; ./evil")
    event = daemon.events()[-1]
    assert event["execward.verdict"] == "deny" and len(event["proc.exepath"]) > 3800


def test_drops_are_on_record_with_their_writer(overlay, start):
    daemon = start(mode="report")
    overlay.exec("/bin/sh", "-c", "echo '#!/bin/sh' > /tmp/s; echo text > /tmp/text; "
                 "cp /bin/payload /tmp/p; echo more >> /tmp/p")
    drops = []
    import socket
    import os
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(daemon.runtime, "control.sock"))
        sock.sendall(b'{"request":"drops"}\n')
        for line in sock.makefile():
            answer = json.loads(line)
            if "ok" in answer:
                break
            drops.append(answer["drop"])
    by_path = {d["path"]: d for d in drops}
    assert set(by_path) == {"/tmp/s", "/tmp/p"}  # text is no program
    assert by_path["/tmp/s"]["kind"] == "script" and by_path["/tmp/p"]["kind"] == "elf"
    writer = by_path["/tmp/s"]["writer"]
    assert writer["gone"] or (writer["exe"].endswith("/bin/busybox") and writer["uid"] == 0)


def test_writers_that_are_missed_are_said(overlay, start):
    """The share of writers that were gone, under a storm of cp; never a wrong one."""
    daemon = start(mode="report")
    overlay.exec("/bin/sh", "-c", "i=0; while [ $i -lt 500 ]; do cp /bin/payload /tmp/c$i; "
                 "i=$((i+1)); done", timeout=60)
    import os
    import socket
    gone = known = 0
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(daemon.runtime, "control.sock"))
        sock.sendall(b'{"request":"drops","limit":1000}\n')
        for line in sock.makefile():
            answer = json.loads(line)
            if "ok" in answer:
                break
            writer = answer["drop"]["writer"]
            if writer["gone"]:
                gone += 1
                assert writer["exe"] is None
            else:
                known += 1
                # busybox runs its own applets without an exec: the shell's command line is true.
                assert writer["exe"].endswith("/bin/busybox")
                assert writer["cmdline"].startswith(("cp /bin/payload /tmp/c", "/bin/sh -c"))
    assert gone + known == 500
    print(f"\nwriters missed under a storm of cp: {gone} of 500")


def test_the_user_is_named_by_the_containers_own_passwd(evil, start):
    import os
    daemon = start()

    def become_alice():
        os.chroot(evil.merged)
        os.setgid(1000)
        os.setuid(1000)
    result = subprocess.run(["/bin/sh", "-c", "/bin/evil"], env={}, preexec_fn=become_alice,
                            capture_output=True, timeout=20, check=False)
    assert b"PAYLOAD-RAN" not in result.stdout
    event = daemon.event("/bin/evil")
    assert (event["user.name"], event["user.uid"]) == ("alice", 1000)


def test_containers_can_be_left_alone(evil, start, marks):
    daemon = start(marks=marks)
    daemon.write_config()
    text = open(daemon.config, encoding="utf-8").read().replace(
        "storage:", "containers: false, storage:")
    daemon.stop()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(text)
    daemon.start()
    daemon.rescan()
    assert daemon.status()["guarded"] == []
    assert evil.exec("/bin/evil").ran


def test_a_drop_that_is_made_executable_afterwards_has_its_digest(overlay, start):
    import hashlib
    daemon = start()
    overlay.exec("/bin/sh", "-c", "echo '#!/bin/payload' > /tmp/s; chmod 755 /tmp/s")
    assert overlay.exec("/tmp/s").errno == 1
    explain = json.loads(daemon.tool("explain", "/tmp/s", "--json").stdout)
    sha = hashlib.sha256(open(overlay.path("/tmp/s"), "rb").read()).hexdigest()
    assert explain["sha256"] == sha and explain["drops"][0]["sha256"] == sha
