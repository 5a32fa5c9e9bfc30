"""A program of the image costs one event: the kernel remembers, until a digest is denied."""
import hashlib
import os
import time

import pytest

from harness.fs import Overlay

# What the kernel remembers is the real inode.
real_inode = pytest.mark.kernel(since="6.5", why="events of the real inode")


@real_inode
@real_inode
def test_a_known_program_is_asked_about_once(overlay, start):
    daemon = start(marks="backing")
    for _ in range(3):
        assert overlay.exec("/bin/one").ran
    before = daemon.status()["events_total"]
    for _ in range(300):
        assert overlay.exec("/bin/one").ran
    assert daemon.status()["events_total"] == before


def test_what_is_remembered_is_forgotten_when_it_is_denied(overlay, start, marks):
    daemon = start(marks=marks)
    sha = hashlib.sha256(open(overlay.path("/bin/one"), "rb").read()).hexdigest()
    for _ in range(30):
        assert overlay.exec("/bin/one").ran
        assert daemon.ask({"request": "approve", "sha256": sha, "deny": True, "reason": "t"})["ok"]
        assert overlay.exec("/bin/one").errno == 1
        assert daemon.ask({"request": "revoke", "sha256": sha, "deny": True})["ok"]


@real_inode
@real_inode
def test_an_edit_of_a_remembered_program_is_seen(overlay, start):
    daemon = start(marks="backing")
    for _ in range(3):
        assert overlay.exec("/bin/two").ran
    assert not overlay.attack("edit-write", "/bin/two").ran
    assert not overlay.attack("edit-mmap", "/bin/three").ran
    assert {e["execward.reason"] for e in daemon.events()} == {"modified"}


@real_inode
@real_inode
def test_a_drop_over_a_remembered_program_is_seen(overlay, start):
    daemon = start(marks="backing")
    assert overlay.exec("/bin/one").ran and overlay.exec("/bin/one").ran
    assert not overlay.attack("rename-over", "/bin/one").ran
    assert daemon.event("/bin/one")["execward.reason"] == "dropped"


def digest_of(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def wait_for_leases(daemon, count):
    """What is remembered is so a moment after the answer; each look is a question to the daemon."""
    end = time.monotonic() + 20
    while daemon.status()["leases"] != count:
        assert time.monotonic() < end, daemon.status()["leases"]


def approved(overlay, daemon, path, salt):
    """A dropped program that an operator approved."""
    overlay.drop(path, open(overlay.path("/bin/payload"), "rb").read() + salt)
    daemon.tool("approve", digest_of(overlay.path(path)), "--reason", "test")
    assert overlay.exec(path).ran


@real_inode
def test_an_approved_drop_is_asked_about_once(overlay, start):
    daemon = start(marks="backing")
    approved(overlay, daemon, "/tmp/known", b"known")
    wait_for_leases(daemon, 1)
    before = daemon.status()["events_total"]
    for _ in range(300):
        assert overlay.exec("/tmp/known").ran
    status = daemon.status()
    assert status["events_total"] == before and status["leases"] == 1


@real_inode
def test_revoked_means_the_very_next_exec(overlay, start):
    daemon = start(marks="backing")
    overlay.drop("/tmp/known", open(overlay.path("/bin/payload"), "rb").read() + b"revoke")
    sha = digest_of(overlay.path("/tmp/known"))
    for number in range(1000):
        assert daemon.ask({"request": "approve", "sha256": sha, "reason": "t"})["ok"]
        assert overlay.exec("/tmp/known").ran, number
        assert daemon.ask({"request": "revoke", "sha256": sha})["ok"]
        assert overlay.exec("/tmp/known").errno == 1, number


@pytest.mark.parametrize("technique", ["edit-write", "edit-mmap", "edit-truncate"])
def test_an_edit_of_a_remembered_drop_is_denied(overlay, start, marks, technique):
    daemon = start(marks=marks)
    approved(overlay, daemon, "/tmp/known", technique.encode())
    assert overlay.exec("/tmp/known").ran
    assert not overlay.attack(technique, "/tmp/known").ran
    assert daemon.event("/tmp/known")["execward.reason"] == "dropped"
    assert daemon.status()["leases"] <= 2  # the attack's own program is not approved


@real_inode
def test_a_writer_of_a_remembered_drop_does_not_wait_long(overlay, start):
    daemon = start(marks="backing")
    approved(overlay, daemon, "/tmp/known", b"writer")
    wait_for_leases(daemon, 1)
    before = time.monotonic()
    with open(overlay.path("/tmp/known"), "r+b") as file:
        file.write(b"\x7f")
    assert time.monotonic() - before < 1  # fs.lease-break-time is 45 s
    assert overlay.exec("/tmp/known").ran  # the same content


def test_mutable_while_somebody_has_it_open(overlay, start, marks):
    daemon = start(marks=marks)
    approved(overlay, daemon, "/tmp/known", b"mutable")
    with open(overlay.path("/tmp/known"), "r+b"):
        assert overlay.exec("/tmp/known").errno in (1, 26)  # EPERM, or ETXTBSY of the kernel's own
    assert overlay.exec("/tmp/known").ran


@real_inode
def test_an_expired_approval_is_not_remembered(overlay, start):
    daemon = start(marks="backing")
    overlay.drop("/tmp/known", open(overlay.path("/bin/payload"), "rb").read() + b"expiry")
    sha = digest_of(overlay.path("/tmp/known"))
    assert daemon.ask({"request": "approve", "sha256": sha, "reason": "t", "expires_ns":
                       time.time_ns() + 2 * 10**9})["ok"]
    while overlay.exec("/tmp/known").ran:  # each is an exec by the kernel's memory, then by ours
        pass
    assert daemon.event("/tmp/known")["execward.reason"] == "dropped"
    wait_for_leases(daemon, 0)


@real_inode
def test_leases_are_bounded_and_go_with_their_container(fs, image, start):
    daemon = start(marks="backing", extra="limits: {leases: 4}")
    overlay = Overlay(fs, image)
    daemon.rescan()
    for number in range(8):
        approved(overlay, daemon, f"/tmp/known{number}", b"bound %d" % number)
        wait_for_leases(daemon, min(number + 1, 4))
    other = Overlay(fs, image)
    daemon.rescan()
    approved(other, daemon, "/tmp/known", b"fair")
    assert overlay.exec("/tmp/known7").ran
    overlay.close()
    daemon.rescan()
    wait_for_leases(daemon, 1)  # the other container's
    other.close()
    daemon.rescan()
    wait_for_leases(daemon, 0)


@real_inode
def test_a_denylist_does_not_make_the_image_slow(overlay, start):
    daemon = start(marks="backing")
    assert daemon.ask({"request": "approve", "sha256": "0" * 64, "deny": True, "reason": "t"})["ok"]
    for _ in range(3):
        assert overlay.exec("/bin/one").ran
    before = daemon.status()["events_total"]
    for _ in range(100):
        assert overlay.exec("/bin/one").ran
    assert daemon.status()["events_total"] == before


@pytest.mark.parametrize("change", ["reload", "mode", "deny"])
@real_inode
def test_what_could_deny_makes_the_kernel_forget(overlay, start, change):
    daemon = start(marks="backing")
    approved(overlay, daemon, "/tmp/known", change.encode())
    wait_for_leases(daemon, 1)
    if change == "reload":
        assert daemon.ask({"request": "reload"})["ok"]
    elif change == "mode":
        daemon.tool("mode", "report")
    else:
        assert daemon.ask({"request": "approve", "sha256": "1" * 64, "deny": True, "reason": "t"})["ok"]
    wait_for_leases(daemon, 0)
    before = daemon.status()["events_total"]
    assert overlay.exec("/tmp/known").ran
    wait_for_leases(daemon, 1)
    assert daemon.status()["events_total"] == before + 1
    wait_for_leases(daemon, 1)


@real_inode
def test_a_copied_program_is_remembered_too(overlay, start):
    daemon = start(marks="backing")
    os.chmod(overlay.path("/bin/one"), 0o711)  # copied up, the same content
    assert overlay.exec("/bin/one").ran
    wait_for_leases(daemon, 1)
    before = daemon.status()["events_total"]
    for _ in range(20):
        assert overlay.exec("/bin/one").ran
    assert daemon.status()["events_total"] == before
    assert not overlay.attack("edit-mmap", "/bin/one").ran
    assert daemon.event("/bin/one")["execward.reason"] == "modified"
