"""Real containers of podman and Docker: the same promises as in the kernel tier, and names."""
import json
import re

import pytest

from names import NAMES

SCENARIO = "/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-6OeIOw"
ROWS = [  # row, script; each must not print the payload's marker
    (1, "cp /bin/payload /tmp/x; echo {n} >> /tmp/x; /tmp/x"),
    (1, "/bin/attack execveat /bin/payload /tmp/x {n}"),
    (1, "/bin/attack opath /bin/payload /tmp/x {n}"),
    (1, "/bin/attack vfork /bin/payload /tmp/x {n}"),
    (1, "/bin/attack procfd /bin/payload /tmp/x {n}"),
    (2, "/bin/attack rename /bin/payload /tmp/x {n}"),
    (2, "/bin/attack rename-over /bin/payload /bin/one {n}"),
    (2, "/bin/attack link /bin/payload /bin/x {n}"),
    (2, "/bin/attack tmpfile /bin/payload /tmp/x {n}"),
    (2, "/bin/attack tmpfile-link /bin/payload /tmp/x {n}"),
    (2, "/bin/attack unlinked /bin/payload /tmp/x {n}"),
    (2, "/bin/attack directory /bin/payload /made/later/x {n}"),
    (3, "/bin/attack edit-write /bin/payload /bin/two {n}"),
    (3, "/bin/attack edit-mmap /bin/payload /bin/two {n}"),
    (3, "/bin/attack edit-truncate /bin/payload /bin/two {n}"),
    (3, "/bin/attack edit-copy-range /bin/payload /bin/two {n}"),
    (3, "/bin/attack edit-splice /bin/payload /bin/two {n}"),
    (5, "/bin/attack script /bin/payload /tmp/x {n}"),
]


@pytest.mark.parametrize("marks", ["backing", "overlay"])
def test_rows_1_to_5(runtime, guard, marks):
    daemon = guard(marks=marks)
    for number, (row, script) in enumerate(ROWS):
        result = runtime.run(f"row{row}-{number}", "alpha", "/bin/sh", "-c",
                             script.format(n=f"{runtime.name}{marks}{number}"))
        assert b"PAYLOAD-RAN" not in result.stdout, (row, script, result)
    result = runtime.run("row4", "alpha", "/bin/sh", "-c",
                         "chmod 711 /bin/four && chown 1:1 /bin/four && touch /bin/four && /bin/four")
    assert b"PAYLOAD-RAN" in result.stdout, result
    events = daemon.events()
    assert {e["execward.reason"] for e in events} == {"dropped", "modified"}
    assert len(events) == len(ROWS)
    assert all(e["execward.image"] in NAMES["alpha"] for e in events), events
    assert [e["container.name"] for e in events] == [f"row{r}-{n}" for n, (r, _) in enumerate(ROWS)]


def test_report_mode(runtime, guard):
    daemon = guard(mode="report")
    result = runtime.run("reported", "alpha", "/bin/sh", "-c",
                         "cp /bin/payload /tmp/x; echo r >> /tmp/x; /tmp/x")
    assert b"PAYLOAD-RAN" in result.stdout
    assert daemon.event("/tmp/x")["execward.verdict"] == "would_deny"


def test_row_24_a_digest_of_one_image_does_not_vouch_in_another(runtime, guard):
    daemon = guard()
    script = "cp /bin/payload /tmp/x; echo 24 >> /tmp/x; /tmp/x"
    runtime.run("first", "alpha", "/bin/sh", "-c", script)
    sha = daemon.event("/tmp/x")["execward.sha256"]
    daemon.tool("approve", sha, "--image", "alpha", "--reason", "needed there")
    result = runtime.run("second", "alpha", "/bin/sh", "-c", script)
    assert b"PAYLOAD-RAN" in result.stdout, result
    result = runtime.run("third", "beta", "/bin/sh", "-c", script)
    assert b"PAYLOAD-RAN" not in result.stdout, result
    assert [e["container.name"] for e in daemon.events()] == ["first", "third"]


def test_status_names_the_container(runtime, guard):
    daemon = guard()
    started = runtime.call("run", "-d", "--name", "named", "--network", "none", "--ulimit",
                           "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "alpha", "/bin/sleep",
                           "60").stdout.decode().strip()
    try:
        daemon.rescan()
        container = [c for c in daemon.status()["containers"] if c["name"] == "named"]
        assert len(container) == 1
        assert container[0]["id"] == started
        assert container[0]["image"] in NAMES["alpha"]
        assert container[0]["runtime"] == runtime.name
        # A program that is executed later in the running container is decided like any other.
        result = runtime.call("exec", "named", "/bin/one", check=False)
        assert b"PAYLOAD-RAN" in result.stdout, result
        result = runtime.call("exec", "named", "/bin/attack", "plain", "/bin/payload", "/tmp/late",
                              check=False)
        assert b"PAYLOAD-RAN" not in result.stdout, result
        assert daemon.event("/tmp/late")["container.name"] == "named"
        by_name = daemon.events("--container", "named")
        by_id = daemon.events("--container", started[:12])
        assert len(by_name) == 1 and by_name == by_id
    finally:
        runtime.call("rm", "-f", "named", check=False)


def test_a_container_that_runs_before_the_daemon(runtime, guard):
    runtime.call("run", "-d", "--name", "early", "--network", "none", "--ulimit", "nofile=1024:1024",
                 "--ulimit", "nproc=1000:1000", "alpha", "/bin/sleep", "60")
    try:
        daemon = guard()
        assert "early" in [c["name"] for c in daemon.status()["containers"]]
        result = runtime.call("exec", "early", "/bin/attack", "plain", "/bin/payload", "/tmp/x",
                              check=False)
        assert b"PAYLOAD-RAN" not in result.stdout, result
        assert daemon.event("/tmp/x")["execward.verdict"] == "deny"
    finally:
        runtime.call("rm", "-f", "early", check=False)


def test_the_scenario_of_the_falco_alert(storage, runtime, guard):
    """In a container named peaceful_mestorf, root's event-generator writes a copy of ls and executes it.
    Falco says so afterwards; we say it before, and it does not run."""
    import os
    import shutil
    tree = storage.path("generator-tree")
    if not os.path.exists(tree):
        shutil.copytree(storage.path("tree"), tree, symlinks=True)
        shutil.copy(tree + "/bin/attack", tree + "/bin/event-generator")
        os.unlink(tree + "/bin/ls")
        shutil.copy(tree + "/bin/payload", tree + "/bin/ls")
        with open(tree + "/bin/ls", "ab") as file:
            file.write(b"ls of this image")
    runtime.import_image(tree, "falcosecurity/event-generator:latest")
    daemon = guard()
    result = runtime.run("peaceful_mestorf", "falcosecurity/event-generator:latest",
                         "/bin/event-generator", "plain", "/bin/ls", SCENARIO, "",
                         options=("--workdir", "/"))
    assert b"PAYLOAD-RAN" not in result.stdout and b"errno=1" in result.stdout, result
    alerts = daemon.alerts()
    assert len(alerts) == 1
    alert = alerts[0]
    assert alert["rule"] == "Drop and execute new binary in container"
    assert alert["priority"] == "Critical"
    assert alert["source"] == "syscall"
    assert alert["tags"] == ["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable",
                             "mitre_persistence", "process"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", alert["time"])
    assert re.match(r"\d\d:\d\d:\d\d\.\d{9}: Critical Executing binary not part of base image", alert["output"])
    fields = alert["output_fields"]
    expected = {
        "container.name": "peaceful_mestorf",
        "container.image.tag": "latest",
        "evt.type": "execve",
        "evt.arg.flags": "EXE_WRITABLE|EXE_UPPER_LAYER",
        "evt.res": "EPERM",
        "proc.exepath": SCENARIO,
        "proc.exe": SCENARIO,
        "proc.name": "falco-event-gen",
        "proc.cwd": "/",
        "user.name": "root",
        "user.uid": 0,
        "user.loginuid": -1,
        "execward.verdict": "deny",
        "execward.reason": "dropped_copy",
        "execward.copy_of": "/bin/ls",
        "execward.origin": "dropped",
    }
    for key, value in expected.items():
        assert fields[key] == value, (key, fields[key], value)
    assert fields["container.image.repository"].endswith("falcosecurity/event-generator")
    assert re.fullmatch(r"[0-9a-f]{12}", fields["container.id"])
    assert fields["execward.caller"]["name"] == "event-generator"
    assert fields["execward.caller"]["exepath"] == "/bin/event-generator"
    assert fields["proc.pname"], fields
    writer = fields["execward.dropped_by"]
    assert writer["exe"] == "/bin/event-generator" and writer["uid"] == 0
    assert writer["cmdline"].startswith("/bin/event-generator plain /bin/ls")
    assert fields["execward.age_ms"] >= 0
    assert list(fields) == sorted(fields) and json.dumps(alert)
