"""Signed lists: what they name may run from the very next exec on, where they say, for as long as they and
their signers are believed; and not a moment longer."""
import contextlib
import json
import os
import socket
import sqlite3
import time

import pytest

from harness.baselines import PodmanFiles
from harness.container import Container
from harness.fs import SLOW
from harness.host import guard_disks
from harness.lists import SERIES, Room, digest_of, execward, logged, stamp, statement, write

IMAGE, IMAGE_ID = "docker.io/library/web:1", "a" * 64
INSTALLED = "installed, from now on"  # said when a change of the directory is in force

real_inode = pytest.mark.kernel(since="6.5", why="the kernel remembers a verdict on the real inode")


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


@pytest.fixture
def guard(start, room):
    """A daemon that believes the room's keys."""
    def make(trust=None, **kwargs):
        return start(**{"extra": room.config(**(trust or {}))} | kwargs)
    return make


def content(overlay, salt):
    with open(overlay.path("/bin/payload"), "rb") as file:
        return file.read() + salt


def drop(overlay, path, salt=b"a release"):
    """A program that no image has; its (path, digest) as a list names it."""
    made = content(overlay, salt)
    overlay.drop(path, made)
    return path, digest_of(made)


def refused(overlay, path):
    return overlay.exec(path).errno == 1


def install(daemon, envelope, *options):
    lines = daemon.tool("allowlist", "install", envelope, "--json", *options).stdout.splitlines()
    return json.loads(lines[0])


def remove(daemon, series=SERIES):
    daemon.tool("allowlist", "remove", series, "--reason", "a test")


def reload(daemon, ok=True):
    answer = daemon.ask({"request": "reload"})
    assert answer["ok"] == ok, answer
    return answer


def lists(daemon):
    return {row["series"]: row for row in daemon.status()["allowlists"]["lists"]}


def refusals(daemon):
    return {row["file"]: row["reason"] for row in daemon.status()["allowlists"]["directory"]["refused"]}


# --- the next exec --------------------------------------------------------------------------------

def test_what_a_list_names_runs_at_the_next_exec(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    subject = drop(overlay, "/tmp/released")
    drop(overlay, "/tmp/other", b"no release")
    assert refused(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    assert overlay.exec("/tmp/released").ran
    assert refused(overlay, "/tmp/other")
    status = daemon.status()["allowlists"]
    assert (status["installed"], status["in_force"], status["entries"], status["error"]) == (1, 1, 1, None)
    row = status["lists"][0]
    assert (row["series"], row["version"], row["in_force"], row["reason"]) == (SERIES, 1, True, "accepted")
    assert row["signers"] == [room.ids["alice"]]
    remove(daemon)
    assert refused(overlay, "/tmp/released")
    reasons = [e["execward.reason"] for e in daemon.events()]
    assert set(reasons) == {"dropped"}, reasons


@real_inode
def test_a_hundred_rounds_of_install_and_remove(overlay, room, guard):
    """The kernel remembers that it may run; a removal makes it forget before it answers."""
    daemon = guard(marks="backing")
    subject = drop(overlay, "/tmp/released")
    before = daemon.descriptors()
    for version in range(1, 101):
        install(daemon, room.envelope([subject], version=version))
        assert overlay.exec("/tmp/released").ran and overlay.exec("/tmp/released").ran, version
        remove(daemon)
        assert refused(overlay, "/tmp/released"), version
    assert daemon.descriptors() <= before + 4


@real_inode
def test_a_verdict_by_a_list_is_remembered_by_the_kernel(overlay, room, guard):
    daemon = guard(marks="backing")
    install(daemon, room.envelope([drop(overlay, "/tmp/released")]))
    assert overlay.exec("/tmp/released").ran
    asked = daemon.status()["events_total"]
    assert daemon.status()["leases"] == 1
    for _ in range(5):
        assert overlay.exec("/tmp/released").ran
    assert daemon.status()["events_total"] == asked


def test_a_newer_list_takes_the_place_of_the_older(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    old, new = drop(overlay, "/tmp/old", b"old"), drop(overlay, "/tmp/new", b"new")
    install(daemon, room.envelope([old], version=1))
    assert overlay.exec("/tmp/old").ran and refused(overlay, "/tmp/new")
    install(daemon, room.envelope([new], version=2))
    assert overlay.exec("/tmp/new").ran and refused(overlay, "/tmp/old")


def test_lists_are_there_after_a_restart(overlay, room, guard):
    daemon = guard()
    install(daemon, room.envelope([drop(overlay, "/tmp/released")]))
    daemon.stop()
    daemon.start()
    assert overlay.exec("/tmp/released").ran


# --- who speaks for what --------------------------------------------------------------------------

def test_a_list_speaks_for_a_program_that_was_modified(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    edited = content(overlay, b"edited")
    with open(overlay.path("/bin/one"), "wb") as file:
        file.write(edited)
    assert refused(overlay, "/bin/one")
    install(daemon, room.envelope([("/bin/one", digest_of(edited))], bind="path"))
    assert overlay.exec("/bin/one").ran


def test_a_list_speaks_for_a_volume(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    box = Container(overlay)
    try:
        assert not box.attack("plain", "/dev/shm/tool").ran
        digest = daemon.event("/dev/shm/tool")["execward.sha256"]
        install(daemon, room.envelope([("/dev/shm/tool", digest)]))
        assert box.exec("/dev/shm/tool").ran
        remove(daemon)
        assert not box.exec("/dev/shm/tool").ran
    finally:
        box.close()


def test_a_list_speaks_for_a_guarded_host_filesystem(disk, fs, room, start):
    """Where it is bound to no image: the host has none."""
    daemon = guard_disks(start, fs.mount, disk, path_mode="enforce", extra=room.config())
    digest = disk.drop("tmp/released", b"host")
    assert disk.exec("tmp/released").errno == 1
    install(daemon, room.envelope([(disk.path("tmp/released"), digest)], version=1, scope={"images": ["*"]}))
    assert disk.exec("tmp/released").errno == 1
    install(daemon, room.envelope([("/tmp/released", digest)], version=2))
    assert disk.exec("tmp/released").ran and disk.exec("tmp/released").ran
    remove(daemon)
    assert disk.exec("tmp/released").errno == 1


def test_nobody_speaks_for_what_can_still_be_written(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    install(daemon, room.envelope([drop(overlay, "/tmp/released")]))
    with open(overlay.path("/tmp/released"), "r+b"):
        assert not overlay.exec("/tmp/released").ran
    assert overlay.exec("/tmp/released").ran


def test_a_list_may_name_a_copy_of_the_images_own_program(overlay, room, guard, marks):
    """Somebody has signed for this content anywhere: unlike a baseline, which only has seen it."""
    daemon = guard(marks=marks)
    copy = content(overlay, b"")
    overlay.drop("/tmp/copy", copy)
    assert refused(overlay, "/tmp/copy")
    assert daemon.event("/tmp/copy")["execward.reason"] == "dropped_copy"
    install(daemon, room.envelope([("/usr/bin/payload", digest_of(copy))], version=1))
    assert overlay.exec("/tmp/copy").ran
    install(daemon, room.envelope([("/usr/bin/payload", digest_of(copy))], version=2, bind="path"))
    assert refused(overlay, "/tmp/copy")


def test_the_denylist_speaks_before_lists(overlay, room, guard):
    daemon = guard()
    path, digest = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([(path, digest)]))
    assert overlay.exec(path).ran
    assert daemon.ask({"request": "approve", "sha256": digest, "reason": "bad", "deny": True})["ok"]
    assert refused(overlay, path)


# --- bind and scope -------------------------------------------------------------------------------

def test_a_path_that_is_bound_holds_for_that_path_alone(overlay, room, guard, marks):
    """Also for the very inode that has just run under the right name."""
    daemon = guard(marks=marks)
    os.makedirs(overlay.path("/usr/bin"), exist_ok=True)
    subject = drop(overlay, "/usr/bin/hello")
    drop(overlay, "/tmp/hello")
    install(daemon, room.envelope([subject], bind="path"))
    for _ in range(3):
        assert overlay.exec("/usr/bin/hello").ran
        assert refused(overlay, "/tmp/hello")
    os.rename(overlay.path("/usr/bin/hello"), overlay.path("/tmp/moved"))
    assert refused(overlay, "/tmp/moved")
    os.rename(overlay.path("/tmp/moved"), overlay.path("/usr/bin/hello"))
    assert overlay.exec("/usr/bin/hello").ran


@pytest.fixture
def podman(fs):
    files = PodmanFiles(fs)
    yield files
    files.close()


@pytest.mark.parametrize("scope, labels, runs", [
    ({"images": ["docker.io/library/web:*"]}, [], True),
    ({"images": ["docker.io/library/db:*"]}, [], False),
    ({"namespaces": ["*"]}, [], False),  # it has none
    ({"hosts": ["web"]}, [], False),
    ({"hosts": ["web"]}, ["db", "web"], True),
    ({"hosts": ["web"], "images": ["docker.io/library/db:*"]}, ["web"], False),
    ({"hosts": ["w*"], "images": ["*"]}, ["web"], True)])
def test_a_list_vouches_where_its_scope_says(podman, image, room, guard, scope, labels, runs):
    app = podman.container("one", image, IMAGE, IMAGE_ID)
    daemon = guard(extra=podman.config() + "\n" + room.config(labels=labels))
    install(daemon, room.envelope([drop(app, "/tmp/released")], scope=scope))
    assert app.exec("/tmp/released").ran == runs
    if not runs:
        row = explain(daemon, daemon.event("/tmp/released")["execward.sha256"])["allowlists"][0]
        assert row["in_force"] and not row["in_scope"]


def explain(daemon, sha256):
    return json.loads(daemon.tool("explain", sha256, "--json").stdout)


def test_explain_names_the_list(overlay, room, guard):
    daemon = guard()
    path, digest = drop(overlay, "/tmp/released")
    assert refused(overlay, path)
    install(daemon, room.envelope([(path, digest)], version=7))
    answer = explain(daemon, digest)
    assert answer["vouchers"] == ["allowlist"] and answer["would"]["reason"] == "allowlisted"
    row = answer["allowlists"][0]
    assert (row["series"], row["version"], row["in_scope"]) == (SERIES, 7, True)
    text = daemon.tool("explain", digest).stdout.decode()
    assert SERIES in text and "in allowlists: 1" in text


# --- whom the host believes -----------------------------------------------------------------------

def test_a_revoked_key_ends_its_lists(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    assert overlay.exec(path).ran
    room.settings(revoked_keys=[room.ids["alice"]])
    reload(daemon)
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "revoked_key"
    room.settings()
    reload(daemon)
    assert overlay.exec(path).ran


def test_a_revoked_digest_is_vouched_for_by_no_list(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    path, digest = subject = drop(overlay, "/tmp/released")
    other = drop(overlay, "/tmp/other", b"another")
    install(daemon, room.envelope([subject, other]))
    assert overlay.exec(path).ran
    room.settings(revoked_digests=[digest])
    reload(daemon)
    assert refused(overlay, path) and overlay.exec("/tmp/other").ran
    assert explain(daemon, digest)["revoked"]
    # An operator's own word is not a list's.
    assert daemon.ask({"request": "approve", "sha256": digest, "reason": "a test"})["ok"]
    assert overlay.exec(path).ran


def test_a_revoked_list_ends(overlay, room, guard):
    daemon = guard()
    path, digest = drop(overlay, "/tmp/released")
    body = statement([(path, digest)])
    install(daemon, room.sign(body))
    assert overlay.exec(path).ran
    room.settings(revoked_digests=[digest_of(body)])
    reload(daemon)
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "revoked_digest"


def test_a_key_whose_file_is_gone_counts_no_more(overlay, room, guard):
    daemon = guard()
    room.trust("bob")
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    assert overlay.exec(path).ran
    os.unlink(os.path.join(room.keys_dir, "alice.pem"))
    reload(daemon)
    assert refused(overlay, path)


def test_the_threshold_counts_for_what_is_installed(overlay, room, guard, marks):
    for name in ("bob", "carol"):
        room.trust(name)
    daemon = guard(marks=marks, trust={"threshold": 2})
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject], signers=("alice", "bob")))
    assert overlay.exec(path).ran
    daemon.write_config(extra=room.config(threshold=3))
    reload(daemon)
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "threshold_not_met"
    daemon.write_config(extra=room.config(threshold=2))
    reload(daemon)
    assert overlay.exec(path).ran


def test_a_floor_ends_what_is_below_it(overlay, room, guard):
    daemon = guard()
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject], version=3))
    room.settings(floors={SERIES: 4})
    reload(daemon)
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "below_floor"


def test_a_faulty_keys_directory_refuses_the_reload(overlay, room, guard):
    daemon = guard()
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    for name, spoil, mend in (
            ("alice.json", lambda p: write(p, b'{"series": ["example.org/other"], "sereis": []}'), os.unlink),
            ("stranger.txt", lambda p: write(p, b""), os.unlink),
            ("", lambda p: os.chmod(p, 0o777), lambda p: os.chmod(p, 0o755))):
        spoil(os.path.join(room.keys_dir, name))
        answer = reload(daemon, ok=False)
        assert answer["error"] == "invalid_config" and os.path.join(room.keys_dir, name).rstrip("/") in answer["message"]
        assert overlay.exec(path).ran  # as before
        mend(os.path.join(room.keys_dir, name))
    reload(daemon)
    assert overlay.exec(path).ran


def test_a_faulty_keys_directory_at_the_start_believes_nobody(overlay, room, guard):
    daemon = guard()
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    daemon.stop()
    os.chmod(room.keys_dir, 0o777)
    daemon.start()
    assert refused(overlay, path)
    assert "NO ALLOWLIST IS IN FORCE" in daemon.read_log()
    assert room.keys_dir in daemon.status()["trust"]["error"]
    assert "NO LIST IS IN FORCE" in daemon.tool("status").stdout.decode()
    doctor = json.loads(daemon.tool("doctor", "--json", check=False).stdout)
    assert any(f["section"] == "trust" and f["level"] == "weak" and room.keys_dir in f["state"]
               for f in doctor), doctor
    os.chmod(room.keys_dir, 0o755)
    reload(daemon)
    assert overlay.exec(path).ran


def test_without_keys_there_are_no_lists_and_no_fault(overlay, room, guard):
    daemon = guard(trust={"keys_dir": os.path.join(room.path, "nowhere")})
    trust = daemon.status()["trust"]
    assert trust["error"] is None and trust["nobody"] and trust["usable"] == 0
    room.put(room.envelope([drop(overlay, "/tmp/released")]))
    assert refused(overlay, "/tmp/released")


# --- time -----------------------------------------------------------------------------------------

def wait_until(moment_ns):
    """The time itself is what is waited for."""
    left = (moment_ns - time.time_ns()) / 1e9
    if left > 0:
        time.sleep(left)


def test_an_expired_list_ends_though_the_kernel_remembers(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject], expires=4 * SLOW))
    expires_ns = lists(daemon)[SERIES]["expires_ns"]
    assert overlay.exec(path).ran
    with logged(daemon, "IS NOT IN FORCE (expired)"):
        pass
    wait_until(expires_ns)
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "expired"


def test_grace_lets_an_expired_list_go_on_loudly_and_then_ends(overlay, room, guard):
    daemon = guard(trust={"grace": f"{3 * SLOW}s"})
    path, _ = subject = drop(overlay, "/tmp/released")
    with logged(daemon, "HAS EXPIRED and goes on", timeout=30):
        install(daemon, room.envelope([subject], expires=2 * SLOW))
    row = lists(daemon)[SERIES]
    assert row["in_force"] and row["in_grace"] and daemon.status()["allowlists"]["in_grace"] == 1
    assert overlay.exec(path).ran
    assert daemon.ask({"request": "allowlists"})["ok"]  # looked at again, not said again
    with logged(daemon, "IS NOT IN FORCE (expired)", timeout=30):
        pass
    assert refused(overlay, path)
    assert daemon.read_log().count("HAS EXPIRED and goes on") == 1


def test_a_key_that_expires_ends_its_lists(overlay, room, guard):
    room.trust("alice", expires=stamp(4 * SLOW))
    daemon = guard()
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    assert overlay.exec(path).ran
    with logged(daemon, "IS NOT IN FORCE (expired_key)", timeout=30):
        pass
    assert refused(overlay, path)


def test_a_clock_that_was_later_once_revives_nothing(overlay, room, guard):
    """As if it had been turned back: the database knows a later now than there is."""
    daemon = guard()
    path, _ = subject = drop(overlay, "/tmp/released")
    install(daemon, room.envelope([subject]))
    assert overlay.exec(path).ran
    daemon.stop()
    later = time.time_ns() + 3600 * 10**9
    set_trusted_now(daemon, later)
    daemon.start()
    assert refused(overlay, path)
    assert lists(daemon)[SERIES]["reason"] == "clock_turned_back"
    daemon.stop()
    # Within the skew it goes on.
    daemon.write_config(extra=room.config(skew="2h"))
    daemon.start()
    assert overlay.exec(path).ran


def set_trusted_now(daemon, now_ns):
    with contextlib.closing(sqlite3.connect(os.path.join(daemon.state, "baseline.db"))) as database:
        changed = database.execute("UPDATE setting SET value = ? WHERE name = 'allowlist.now'", (str(now_ns),))
        assert changed.rowcount == 1
        database.commit()


# --- the directory --------------------------------------------------------------------------------

def test_the_directory_is_watched(overlay, room, guard, marks):
    daemon = guard(marks=marks)
    one, two = drop(overlay, "/tmp/one", b"1"), drop(overlay, "/tmp/two", b"2")
    with logged(daemon, INSTALLED):
        room.put(room.envelope([one], version=1))
    assert overlay.exec("/tmp/one").ran and refused(overlay, "/tmp/two")
    assert lists(daemon)[SERIES]["source"] == "directory:list.dsse"
    with logged(daemon, INSTALLED):  # replaced
        room.put(room.envelope([two], version=2))
    assert refused(overlay, "/tmp/one") and overlay.exec("/tmp/two").ran
    with logged(daemon, INSTALLED):
        room.delete()
    assert refused(overlay, "/tmp/two") and not lists(daemon)
    # What is remembered of the series stays.
    with logged(daemon, "REFUSED (rolled_back)"):
        room.put(room.envelope([one], version=1))
    assert refused(overlay, "/tmp/one")
    assert refusals(daemon) == {"list.dsse": "rolled_back"}
    with logged(daemon, INSTALLED):  # the same again is fine
        room.put(room.envelope([one], version=3))
    assert overlay.exec("/tmp/one").ran and refusals(daemon) == {}


def test_a_list_is_taken_when_its_file_is_closed_linked_or_moved(overlay, room, guard):
    daemon = guard()
    subject = drop(overlay, "/tmp/released")
    target = os.path.join(room.lists_dir, "web.json")
    with open(room.envelope([subject]), "rb") as file:
        made = file.read()
    with logged(daemon, INSTALLED):
        with open(target, "wb") as file:  # written in place
            file.write(made[:100])
            file.flush()
            file.write(made[100:])
    assert overlay.exec("/tmp/released").ran
    with logged(daemon, INSTALLED):  # moved away
        os.rename(target, os.path.join(room.path, "elsewhere"))
    assert refused(overlay, "/tmp/released")
    with logged(daemon, INSTALLED):
        os.link(os.path.join(room.path, "elsewhere"), target)
    assert overlay.exec("/tmp/released").ran


def test_lists_that_came_or_went_while_nobody_watched(overlay, room, guard):
    one = drop(overlay, "/tmp/one", b"1")
    room.put(room.envelope([one]), "web.dsse")
    daemon = guard()
    assert overlay.exec("/tmp/one").ran  # READY was said after it
    daemon.stop()
    room.delete("web.dsse")
    daemon.start()
    assert refused(overlay, "/tmp/one") and not lists(daemon)


def test_an_end_does_not_wait_for_a_large_list(overlay, room, guard):
    """Which the next start takes up."""
    daemon = guard()
    path, digest = drop(overlay, "/tmp/released")
    others = [(f"/usr/bin/{n:06}", digest_of(b"%d" % n)) for n in range(200000)]
    room.put(room.envelope([(path, digest), *others]))
    daemon.stop()  # within 2 s
    daemon.start()
    if not lists(daemon):  # a slow machine: READY waits for it for 20 s only
        with logged(daemon, INSTALLED, timeout=60):
            pass
    assert overlay.exec(path).ran and lists(daemon)[SERIES]["entries"] == 200001


def test_a_list_of_another_series_in_the_same_file_ends_the_first(overlay, room, guard):
    daemon = guard()
    one, two = drop(overlay, "/tmp/one", b"1"), drop(overlay, "/tmp/two", b"2")
    with logged(daemon, INSTALLED):
        room.put(room.envelope([one], series="example.org/one"))
    with logged(daemon, INSTALLED):
        room.put(room.envelope([two], series="example.org/two"))
    assert set(lists(daemon)) == {"example.org/two"}
    assert refused(overlay, "/tmp/one") and overlay.exec("/tmp/two").ran


def test_a_refused_file_leaves_what_is_in_force(overlay, room, guard):
    daemon = guard()
    room.trust("bob")  # after the start: nobody has reloaded
    subject = drop(overlay, "/tmp/released")
    with logged(daemon, INSTALLED):
        room.put(room.envelope([subject], version=5))
    with open(room.envelope([subject], version=6), "rb") as file:
        tampered = json.load(file)
    tampered["signatures"][0]["sig"] = "A" * 86 + "=="
    for bad, reason in (
            (room.envelope([subject], version=4), "rolled_back"),
            (room.envelope([subject], version=5, expires=1000), "equal_version_other_content"),
            (room.envelope([subject], version=6, issued=-7200, expires=-3600), "expired"),
            (room.envelope([subject], version=6, issued=3600), "not_yet_valid"),
            (room.envelope([subject], version=6, expires=500 * 86400), "validity_too_long"),
            (room.envelope([subject], version=6, signers=("mallory",)), "unknown_key"),
            (room.envelope([subject], version=6, signers=("bob",)), "unknown_key")):
        with logged(daemon, f"REFUSED ({reason})"):
            room.put(bad)
        assert refusals(daemon) == {"list.dsse": reason}
        assert lists(daemon)[SERIES]["version"] == 5 and overlay.exec("/tmp/released").ran
    write(os.path.join(room.path, "tampered"), json.dumps(tampered).encode())
    with logged(daemon, "REFUSED (tampered)"):
        room.put(os.path.join(room.path, "tampered"))
    assert overlay.exec("/tmp/released").ran
    doctor = json.loads(daemon.tool("doctor", "--json", check=False).stdout)
    assert any(f["section"] == "trust" and f["check"] == "list.dsse" for f in doctor)
    assert "REFUSED" in daemon.tool("status").stdout.decode()


def test_hostile_files_in_the_directory(overlay, room, guard, tmp_path):
    """None is opened that is not a regular file, none stops the others."""
    daemon = guard()
    subject = drop(overlay, "/tmp/released")
    good = room.envelope([subject])
    place = room.lists_dir

    def put(name, make):
        made = os.path.join(room.path, "hostile")
        make(made)
        os.rename(made, os.path.join(place, name))

    def listen(path):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)

    def huge(path):
        with open(path, "wb") as file:
            file.truncate(1 << 40)

    cases = [
        ("link.dsse", lambda p: os.symlink(good, p), "unsafe"),
        ("fifo.dsse", os.mkfifo, "unsafe"),
        ("dir.dsse", os.mkdir, "unsafe"),
        ("socket.dsse", listen, "unsafe"),
        ("null.dsse", lambda p: os.mknod(p, 0o20600, os.makedev(1, 3)), "unsafe"),
        ("empty.dsse", lambda p: write(p, b""), None),
        ("garbage.dsse", lambda p: write(p, os.urandom(65536)), None),
        ("deep.json", lambda p: write(p, b"[" * 1000000), None),
        ("huge.dsse", huge, None),
        ("\x1b[2J.dsse", lambda p: write(p, b"{}"), "unsafe"),
        ("two\nlines.json", lambda p: write(p, b"{}"), "unsafe")]
    for name, make, reason in cases:
        with logged(daemon, "REFUSED"):
            put(name, make)
        assert name in refusals(daemon), name
        assert reason in (None, refusals(daemon)[name])
    assert "\x1b" not in daemon.read_log()
    for name in (".hidden.dsse", "README", "list.dsse.tmp", "list.pem"):
        put(name, lambda p: write(p, b"{}"))
    with logged(daemon, INSTALLED):
        room.put(good)
    assert overlay.exec("/tmp/released").ran
    assert set(refusals(daemon)) == {name for name, _, _ in cases}
    text = daemon.tool("status").stdout.decode()
    assert "\x1b[2J" not in text and "fifo.dsse" in text
    daemon.stop()
    daemon.start()
    assert overlay.exec("/tmp/released").ran and set(refusals(daemon)) == {name for name, _, _ in cases}


def test_the_directory_itself_must_be_roots(overlay, room, guard):
    daemon = guard()
    subject = drop(overlay, "/tmp/released")
    with logged(daemon, "can be written by others"):
        os.chmod(room.lists_dir, 0o777)
    room.put(room.envelope([subject]))
    assert "can be written by others" in daemon.status()["allowlists"]["directory"]["error"]
    assert refused(overlay, "/tmp/released")
    os.chmod(room.lists_dir, 0o755)
    reload(daemon)  # which looks at what is there
    assert overlay.exec("/tmp/released").ran
    os.symlink(room.lists_dir, room.lists_dir + ".link")
    daemon.write_config(extra=room.config(allowlists_dir=room.lists_dir + ".link"))
    reload(daemon)
    assert "symlink" in daemon.status()["allowlists"]["directory"]["error"]
    assert overlay.exec("/tmp/released").ran  # nobody has deleted it


def test_a_directory_that_goes_takes_its_lists_with_it(overlay, room, guard):
    daemon = guard()
    with logged(daemon, INSTALLED):
        room.put(room.envelope([drop(overlay, "/tmp/released")]))
    with logged(daemon, INSTALLED):
        os.rename(room.lists_dir, room.lists_dir + ".old")
    assert refused(overlay, "/tmp/released")
    os.rename(room.lists_dir + ".old", room.lists_dir)
    reload(daemon)
    assert overlay.exec("/tmp/released").ran


def test_a_list_that_was_installed_by_hand_is_not_the_directorys(overlay, room, guard):
    daemon = guard()
    install(daemon, room.envelope([drop(overlay, "/tmp/released")]))
    with logged(daemon, "REFUSED"):
        room.put(__file__, "noise.json")
    reload(daemon)
    assert overlay.exec("/tmp/released").ran


def test_many_changes_in_a_row_leave_nothing_behind(overlay, room, guard):
    """Replaced in place, over and over: the last one is what counts."""
    daemon = guard()
    subject = drop(overlay, "/tmp/released")
    made = [room.envelope([subject], version=n) for n in range(1, 21)]
    before = daemon.descriptors()
    for envelope in made:
        room.put(envelope)
    reload(daemon)
    assert lists(daemon)[SERIES]["version"] == 20
    assert overlay.exec("/tmp/released").ran
    assert daemon.descriptors() <= before + 6
    assert execward("--config", daemon.config, "status", "--json")
