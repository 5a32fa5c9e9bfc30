"""A release from end to end: a list made of an image on a build host, signed by two release engineers, put
in force on a host that enforces; what it names runs in real containers of another image, for exactly as long
as the two of them are believed."""
import hashlib
import json
import os
import shutil
import subprocess

import pytest

from harness.lists import Room, execward, logged, statement

SERIES = "example.org/tool"
BODY = b"#!/bin/sh\necho RELEASED-TOOL-RAN\n"


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path, keys=("anna", "bert"))


@pytest.fixture
def built(runtime, storage, room):
    """The list of an image that has the release in it, and none of the host's, signed by nobody yet."""
    tree = storage.path("release-" + runtime.name)
    if not os.path.exists(tree):
        shutil.copytree(storage.path("tree"), tree, symlinks=True)
        os.makedirs(os.path.join(tree, "opt"))
        program(os.path.join(tree, "opt/tool"))
        runtime.import_image(tree, "release")
    config, out = os.path.join(room.path, "build.yaml"), os.path.join(room.path, "tool.json")
    os.mkdir(os.path.join(room.path, "build"), 0o700)
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"state_dir: {room.path}/build\n{runtime.runtimes_config()}\n")
    execward("--config", config, "allowlist", "create", "--image", "release", "--series", SERIES, "--version", "1",
             "--valid-for", "30d", "--out", out)
    with open(out, "rb") as file:
        return file.read()


def program(path):
    with open(path, "wb") as file:
        file.write(BODY)
    os.chmod(path, 0o755)


def attempt(runtime, name):
    """Drops the tool into a container of alpha, and executes it there."""
    argv = [*runtime.argv(), "run", "-i", "--rm", "--name", name, "--network", "none", "--ulimit", "nofile=1024:1024",
            "--ulimit", "nproc=1000:1000", "alpha", "/bin/sh", "-c",
            "cat > /tmp/tool && chmod 755 /tmp/tool && exec /tmp/tool"]
    done = subprocess.run(argv, input=BODY, capture_output=True, timeout=120, check=False)
    return b"RELEASED-TOOL-RAN" in done.stdout


def install(daemon, envelope, ok=True):
    done = daemon.tool("allowlist", "install", envelope, "--json", check=False)
    assert (done.returncode == 0) == ok, done
    return json.loads(done.stdout.splitlines()[0])


def reload(daemon):
    answer = daemon.ask({"request": "reload"})
    assert answer["ok"], answer


def test_a_release_from_image_to_container_and_back(runtime, guard, room, built):
    daemon = guard(extra=room.config(threshold=2))
    assert not attempt(runtime, "before")
    install(daemon, room.sign(built, ("anna",)), ok=False)
    assert not attempt(runtime, "signed-by-one")
    signed = room.sign(built, ("anna", "bert"))
    assert install(daemon, signed)["version"] == 1
    assert attempt(runtime, "installed")
    # Threshold 3: not enough, though three are trusted.
    room.trust("cora")
    daemon.write_config(extra=room.config(threshold=3) + "\n" + runtime.runtimes_config())
    reload(daemon)
    assert not attempt(runtime, "three-wanted")
    daemon.write_config(extra=room.config(threshold=2) + "\n" + runtime.runtimes_config())
    reload(daemon)
    assert attempt(runtime, "two-wanted")
    # Bert's key has leaked.
    room.settings(revoked_keys=[room.ids["bert"]])
    reload(daemon)
    assert not attempt(runtime, "revoked")
    assert install(daemon, signed, ok=False)["reason"] in ("revoked_key", "threshold_not_met")
    # Cora takes his place: the same list, signed anew.
    assert install(daemon, room.sign(built, ("anna", "cora")))
    assert attempt(runtime, "rotated")
    daemon.tool("allowlist", "remove", SERIES, "--reason", "withdrawn")
    assert not attempt(runtime, "removed")
    assert {e["execward.reason"] for e in daemon.events()} == {"dropped"}


def test_a_release_by_the_watched_directory(runtime, guard, room, built):
    """As a configuration management or an air-gapped site would do it."""
    daemon = guard(extra=room.config(threshold=2))
    with logged(daemon, "installed, from now on"):
        room.put(room.sign(built, ("anna", "bert")), "tool.dsse")
    assert attempt(runtime, "put")
    newer = statement([("/opt/tool", "0" * 64)], series=SERIES, version=2)
    with logged(daemon, "installed, from now on"):
        room.put(room.sign(newer, ("bert", "anna")), "tool.dsse")
    assert not attempt(runtime, "replaced")
    with logged(daemon, "REFUSED (rolled_back)"):
        room.put(room.sign(built, ("anna", "bert")), "tool.dsse")
    assert not attempt(runtime, "rolled-back")


def test_the_scope_of_an_image_is_its_containers(runtime, guard, room, built):
    daemon = guard(extra=room.config())
    subjects = [("/tmp/tool", hashlib.sha256(BODY).hexdigest())]
    for version, (images, runs) in enumerate(((["*beta*"], False), (["*alpha*"], True)), 1):
        install(daemon, room.sign(statement(subjects, series=SERIES, version=version, scope={"images": images}), ("anna",)))
        assert attempt(runtime, f"scope-{version}") == runs
