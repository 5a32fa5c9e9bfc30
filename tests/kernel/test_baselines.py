"""Baselines: what a snapshot of an image or a container has may run there, and nowhere else, from the
very next exec on; not a copy of the image's own program."""
import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from harness.baselines import PodmanFiles, digest_of, publish, remove
from harness.container import Container
from harness.fs import Overlay

A, B = "registry.example/app:1", "registry.example/other:1"
ID_A, ID_B = "a" * 64, "b" * 64

real_inode = pytest.mark.kernel(since="6.5", why="events of the real inode")


def payload(overlay, salt):
    with open(overlay.path("/bin/payload"), "rb") as file:
        return file.read() + salt


def drop(overlay, path, salt):
    """A program that no image has: its digest."""
    content = payload(overlay, salt)
    overlay.drop(path, content)
    return digest_of(content)


def refused(overlay, path):
    return overlay.exec(path).errno == 1


@pytest.fixture
def podman(fs):
    files = PodmanFiles(fs)
    yield files
    files.close()


@pytest.fixture
def guard(podman, start):
    """A daemon that knows the names of podman's containers."""
    return lambda **kwargs: start(**{"extra": podman.config()} | kwargs)


@pytest.fixture
def app(podman, image):
    return podman.container("one", image, A, ID_A)


# --- scope ----------------------------------------------------------------------------------------

def test_row_24_a_digest_of_an_image_runs_in_containers_of_that_image_only(podman, app, image, guard, marks):
    other = podman.container("other", image, B, ID_B)
    again = podman.container("again", image, A, ID_A)
    daemon = guard(marks=marks)
    digest = drop(app, "/tmp/known", b"row 24")
    drop(other, "/tmp/known", b"row 24")
    drop(again, "/opt", b"row 24")
    assert refused(app, "/tmp/known")
    publish(daemon, [digest], A, "image", A, ID_A)
    assert app.exec("/tmp/known").ran
    assert again.exec("/opt").ran
    assert refused(other, "/tmp/known")
    drop(app, "/tmp/unknown", b"another")
    assert refused(app, "/tmp/unknown")
    assert [(e["container.name"], e["execward.reason"]) for e in daemon.events()] == [
        ("one", "dropped"), ("other", "dropped"), ("one", "dropped")]


@pytest.mark.parametrize("reference, image_id, runs", [
    (A, ID_A, True),    # both say the same
    (A, ID_B, False),   # the tag has moved on: the id is what counts
    (B, ID_A, True),    # another name of the same image
    (A, "", True),      # the snapshot knows no id: an archive's, an allowlist's
    (B, "", False),
    ("app:1", "", False)])  # the same name without a registry is another image
def test_an_image_is_known_by_its_id_else_by_its_reference(app, guard, reference, image_id, runs):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"by id")
    publish(daemon, [digest], "some name", "image", reference, image_id)
    assert app.exec("/tmp/known").ran == runs


def test_a_container_without_a_name_is_no_image(overlay, guard):
    daemon = guard()
    digest = drop(overlay, "/tmp/known", b"nameless")
    publish(daemon, [digest], A, "image", A, ID_A)
    assert refused(overlay, "/tmp/known")


def test_the_scope_of_a_container_is_that_container(fs, image, overlay, start):
    other = Overlay(fs, image)
    try:
        daemon = start()
        digest = drop(overlay, "/tmp/known", b"container")
        drop(other, "/tmp/known", b"container")
        publish(daemon, [digest], "one", "container", os.path.realpath(overlay.upper))
        assert overlay.exec("/tmp/known").ran
        assert refused(other, "/tmp/known")
    finally:
        other.close()


def test_scopes_that_are_none_vouch_for_nothing(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"nowhere")
    publish(daemon, [digest], A, "none", image_id=ID_A)
    publish(daemon, [digest], "b", "filesystem", A)
    publish(daemon, [digest], "c", "container", A)
    assert refused(app, "/tmp/known")
    assert daemon.status()["baselines"]["snapshots"] == 2


# --- copies ---------------------------------------------------------------------------------------

def digests_of_image(overlay):
    return sorted({digest_of(open(overlay.path("/bin/" + name), "rb").read())
                   for name in ("payload", "busybox", "attack", "one")})


def test_a_copy_of_the_images_own_program_stays_denied(app, guard, marks):
    daemon = guard(marks=marks)
    publish(daemon, digests_of_image(app), A, "image", A, ID_A)
    assert app.exec("/bin/one").ran
    app.drop("/tmp/copy", payload(app, b""))
    assert refused(app, "/tmp/copy")
    event = daemon.event("/tmp/copy")
    assert event["execward.reason"] == "dropped_copy" and event["execward.copy_of"]
    daemon.write_config(extra="copies: allow\n" + daemon.settings["extra"])
    assert daemon.ask({"request": "reload"})["ok"]
    assert app.exec("/tmp/copy").ran
    daemon.write_config(extra=daemon.settings["extra"].replace("copies: allow\n", ""))
    assert daemon.ask({"request": "reload"})["ok"]
    assert refused(app, "/tmp/copy")
    daemon.tool("approve", digest_of(payload(app, b"")), "--reason", "somebody said so")
    assert app.exec("/tmp/copy").ran


def test_an_image_program_with_the_content_of_another_stays_denied(app, guard, marks):
    """What a copy is under a name of its own, this is under a trusted one."""
    daemon = guard(marks=marks)
    publish(daemon, digests_of_image(app), A, "image", A, ID_A)
    with open(app.path("/bin/attack"), "wb") as file:
        file.write(payload(app, b""))
    assert refused(app, "/bin/attack")
    assert daemon.event("/bin/attack")["execward.reason"] == "modified"
    with open(app.path("/bin/attack"), "wb") as file:
        file.write(payload(app, b"upgrade"))
    assert refused(app, "/bin/attack")
    publish(daemon, [digest_of(payload(app, b"upgrade"))], "newer", "image", A, ID_A)
    assert app.exec("/bin/attack").ran


@real_inode
def test_a_copy_in_a_volume_stays_denied(app, guard):
    daemon = guard()
    publish(daemon, digests_of_image(app) + [digest_of(payload(app, b"volume"))], A, "image", A, ID_A)
    container = Container(app)
    try:
        daemon.rescan()
        shm = f"/proc/{container.init}/root/dev/shm"
        for name, salt in (("copy", b""), ("known", b"volume"), ("unknown", b"x")):
            with open(f"{shm}/{name}", "wb") as file:
                file.write(payload(app, salt))
            os.chmod(f"{shm}/{name}", 0o755)
        assert container.exec("/dev/shm/known").ran
        assert container.exec("/dev/shm/copy").errno == 1
        assert container.exec("/dev/shm/unknown").errno == 1
        assert {e["execward.reason"] for e in daemon.events()} == {"volume"}
    finally:
        container.close()


def test_where_a_copy_cannot_be_told_no_baseline_vouches(fs, image, podman, guard):
    """More programs of one size than are compared."""
    lower = fs.path("many")
    os.makedirs(lower + "/bin", exist_ok=True)
    for number in range(70):
        with open(f"{lower}/bin/x{number}", "wb") as file:
            file.write(b"#!%60d\n" % number)
        os.chmod(f"{lower}/bin/x{number}", 0o755)
    script = b"#!/bin/payload".ljust(62) + b"\n"
    app = podman.container("many", image, A, ID_A, lowers=[lower, image])
    app2 = podman.container("few", image, A, ID_A)
    daemon = guard()
    publish(daemon, [digest_of(script)], A, "image", A, ID_A)
    app.drop("/tmp/same-size", script)
    app2.drop("/tmp/same-size", script)
    assert refused(app, "/tmp/same-size")
    assert app2.exec("/tmp/same-size").ran


# --- at once --------------------------------------------------------------------------------------

def wait_for_leases(daemon, count):
    end = time.monotonic() + 20
    while daemon.status()["leases"] != count:
        assert time.monotonic() < end, daemon.status()["leases"]


def test_published_and_removed_mean_the_very_next_exec(app, guard, marks):
    """Also where the kernel has remembered it: it runs twice before it is taken away."""
    daemon = guard(marks=marks)
    digest = drop(app, "/tmp/known", b"next exec")
    for number in range(100):
        snapshot = publish(daemon, [digest], A, "image", A, ID_A)
        assert app.exec("/tmp/known").ran and app.exec("/tmp/known").ran, number
        if number % 2:
            remove(daemon, snapshot)
        else:
            publish(daemon, [digest_of(b"%d" % number)], A, "image", A, ID_A)  # supersedes it
        assert refused(app, "/tmp/known"), number


@real_inode
def test_what_a_baseline_vouches_for_is_asked_about_once(app, guard):
    daemon = guard(marks="backing")
    digest = drop(app, "/tmp/known", b"remembered")
    snapshot = publish(daemon, [digest], A, "image", A, ID_A)
    assert app.exec("/tmp/known").ran
    wait_for_leases(daemon, 1)
    before = daemon.status()["events_total"]
    for _ in range(100):
        assert app.exec("/tmp/known").ran
    assert daemon.status()["events_total"] == before
    remove(daemon, snapshot)
    assert daemon.status()["leases"] == 0
    assert refused(app, "/tmp/known")


def test_an_approval_stays_when_the_baseline_goes(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"both")
    snapshot = publish(daemon, [digest], A, "image", A, ID_A)
    daemon.tool("approve", digest, "--reason", "test")
    remove(daemon, snapshot)
    assert app.exec("/tmp/known").ran


def test_a_restart_and_a_reload_know_what_was_published(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"restart")
    snapshot = publish(daemon, [digest], A, "image", A, ID_A, tell=False)
    assert refused(app, "/tmp/known")  # nobody has told it
    daemon.stop()
    daemon.start()
    assert app.exec("/tmp/known").ran
    remove(daemon, snapshot, tell=False)
    daemon.tool("reload")
    assert refused(app, "/tmp/known")
    publish(daemon, [digest], A, "image", A, ID_A, tell=False)
    before = daemon.status()["baselines"]["generation"]
    daemon.signal(signal.SIGHUP)
    while daemon.status()["baselines"]["generation"] == before:
        pass  # each look is a question to the daemon
    assert app.exec("/tmp/known").ran


def index_files(daemon):
    """Files without a name in the state directory; other descriptors come and go meanwhile."""
    folder, found = f"/proc/{daemon.pid}/fd/", []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(folder + name).startswith(daemon.state + "/#"):
                found.append(folder + name)
    return found


def test_unchanged_snapshots_keep_their_files(app, guard):
    daemon = guard()

    def indexes():
        return {os.stat(path).st_ino for path in index_files(daemon)}
    digest = drop(app, "/tmp/known", b"shared")
    publish(daemon, [digest], A, "image", A, ID_A)
    first = indexes()
    assert len(first) == 1
    second = publish(daemon, [digest_of(b"x")], B, "image", B, ID_B)
    assert len(indexes()) == 2 and first < indexes()
    remove(daemon, second)
    assert indexes() == first
    assert sorted(os.listdir(daemon.state)) == sorted(n for n in os.listdir(daemon.state) if n.startswith("baseline."))
    assert app.exec("/tmp/known").ran


# --- faults ---------------------------------------------------------------------------------------

def spoil(daemon):
    """A row out of range, as a disk may give it."""
    with sqlite3.connect(daemon.state + "/baseline.db") as db:
        db.execute("UPDATE snapshot SET kind = 99 WHERE state = 1")
    db.close()


def test_a_damaged_database_is_refused_and_the_old_baselines_stay(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"damaged")
    publish(daemon, [digest], A, "image", A, ID_A)
    before = daemon.status()["baselines"]
    assert before["error"] is None and before["snapshots"] == 1
    spoil(daemon)
    answer = daemon.ask({"request": "baselines"})
    assert not answer["ok"] and answer["error"] == "internal" and "corrupt" in answer["message"]
    assert app.exec("/tmp/known").ran
    status = daemon.status()
    assert status["baselines"] == before | {"error": "the database is corrupt"}
    assert status["faults"]["baseline"] == 1
    assert b"the newest baselines cannot be loaded" in daemon.tool("status").stdout
    answer = daemon.ask({"request": "reload"})
    assert not answer["ok"] and "the new configuration is in force" in answer["message"]
    assert app.exec("/tmp/known").ran
    daemon.tool("approve", digest, "--reason", "a ruling of other grants")
    daemon.tool("revoke", digest)
    assert app.exec("/tmp/known").ran


def test_a_start_with_damaged_baselines_guards_without_them(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"start")
    publish(daemon, [digest], A, "image", A, ID_A)
    daemon.stop()
    spoil(daemon)
    daemon.start()
    assert refused(app, "/tmp/known")
    status = daemon.status()
    assert status["baselines"]["snapshots"] == 0 and status["baselines"]["error"] == "the database is corrupt"
    assert "none is in force" in daemon.read_log()


def test_an_index_that_cannot_be_read_vouches_for_nothing(app, guard):
    daemon = guard()
    digest = drop(app, "/tmp/known", b"short")
    publish(daemon, [digest], A, "image", A, ID_A)
    [index] = index_files(daemon)
    os.truncate(index, 10)
    assert refused(app, "/tmp/known")
    assert daemon.status()["faults"]["baseline"] >= 1
    assert daemon.event("/tmp/known")["execward.reason"] == "dropped"


# --- what is said ---------------------------------------------------------------------------------

def test_status_and_the_answer_count(app, guard):
    daemon = guard()
    assert daemon.status()["baselines"] == {"snapshots": 0, "digests": 0, "generation": 0, "error": None,
                                            "scopes": {"image": 0, "container": 0, "filesystem": 0}}
    digests = [digest_of(b"%d" % number) for number in range(300)]
    publish(daemon, digests, A, "image", A, ID_A)
    publish(daemon, digests[:7], "x", "container", "/x/upper")
    publish(daemon, digests[:2], "/usr", "filesystem", "5f0c", kind="host")
    answer = daemon.ask({"request": "baselines"})
    assert answer == {"ok": True, "snapshots": 3, "digests": 309, "generation": 3}
    assert daemon.status()["baselines"] == {"snapshots": 3, "digests": 309, "generation": 3, "error": None,
                                            "scopes": {"image": 1, "container": 1, "filesystem": 1}}
    assert daemon.ask({"request": "baselines", "image": A})["error"] == "bad_request"
    assert (b"baselines: 3 snapshots (1 for images, 1 for containers, 1 for filesystems), 309 digests"
            in daemon.tool("status").stdout)


def test_explain_says_which_snapshot_and_where_it_ends(podman, app, image, guard):
    other = podman.container("other", image, B, ID_B)
    daemon = guard()
    digest = drop(app, "/tmp/known", b"explain")
    drop(other, "/tmp/known", b"explain")
    snapshot = publish(daemon, [digest], A, "image", A, ID_A)
    assert app.exec("/tmp/known").ran
    explain = json.loads(daemon.tool("explain", digest, "--container", "one", "--json").stdout)
    [row] = explain["baselines"]
    assert row.pop("created_ns") > 0
    assert row == {"snapshot": snapshot, "kind": "import", "name": A, "scope": "image", "scope_value": A,
                   "image_id": ID_A, "path": "/bin/0", "in_scope": True}
    assert explain["vouchers"] == ["baseline"] and explain["would"]["reason"] == "baseline"
    assert refused(other, "/tmp/known")
    explain = json.loads(daemon.tool("explain", digest, "--container", "other", "--json").stdout)
    assert not explain["baselines"][0]["in_scope"] and explain["vouchers"] == []
    assert explain["would"] == {"verdict": "deny", "reason": "dropped", "mode": "enforce"}
    text = daemon.tool("explain", digest, "--container", "other").stdout.decode()
    assert f"containers of image {ID_A[:12]} {A}" in text
    # By reference alone, as somebody asks who has only that.
    explain = json.loads(daemon.tool("explain", digest, "--image", A, "--json").stdout)
    assert explain["vouchers"] == ["baseline"]
