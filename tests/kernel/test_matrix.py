"""Rows 1 to 5 of the threat matrix, in both mark modes: what was dropped or edited does not run, and
nothing of the image is refused."""
import hashlib

import pytest

from harness.fs import Overlay
from test_controls import DROPS, EDITS

NAMED = [technique for technique in DROPS if technique != "unlinked"]
NAMELESS = pytest.param("unlinked", marks=pytest.mark.kernel(
    since="6.6", why="the origin of a file without a name is told by its handle"))
ENTRY = {"directory": "/made/later/x", "rename-over": "/bin/one"}


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@pytest.fixture
def guarded(overlay, start, marks):
    daemon = start(marks=marks)
    daemon.rescan()
    return overlay, daemon


@pytest.mark.parametrize("technique", NAMED + [NAMELESS, "rename-over", "directory"])
def test_rows_1_2_5_dropped_is_denied(guarded, technique):
    overlay, daemon = guarded
    target = ENTRY.get(technique, f"/bin/x-{technique}")
    result = overlay.attack(technique, target)
    assert not result.ran and result.errno == 1, result
    events = daemon.events()
    assert len(events) == 1, events
    event = events[0]
    assert event["execward.verdict"] == "deny"
    assert event["execward.reason"] == "dropped"
    assert event["execward.origin"] == "dropped"
    assert event["evt.res"] == "EPERM"
    assert event["evt.arg.flags"] == "EXE_WRITABLE|EXE_UPPER_LAYER"
    if technique not in ("tmpfile", "unlinked"):  # those have no name to be hashed by
        assert event["proc.exepath"] == target
        assert event["execward.sha256"] == digest_of(overlay.path(target))
    assert event["execward.dropped_by"] is not None
    writer = event["execward.dropped_by"]
    assert writer["writer_gone"] or writer["exe"].endswith("/bin/attack"), writer
    assert writer["uid"] in (0, None)
    assert event["execward.age_ms"] >= 0


def test_row_2_what_has_no_name_is_denied_on_every_kernel(guarded):
    overlay, daemon = guarded
    result = overlay.attack("unlinked", "/bin/x-unlinked")
    assert not result.ran and result.errno == 1, result
    assert [e["execward.reason"] for e in daemon.events()][0] in ("dropped", "unknown_origin")


@pytest.mark.parametrize("technique", EDITS)
def test_row_3_edited_image_program_is_denied(guarded, technique):
    overlay, daemon = guarded
    result = overlay.attack(technique, "/bin/two")
    assert not result.ran and result.errno == 1, result
    event = daemon.event("/bin/two")
    assert (event["execward.verdict"], event["execward.reason"]) == ("deny", "modified")
    # The others of the same image still run.
    assert overlay.exec("/bin/three").ran


def test_row_4_metadata_only_is_no_alarm(guarded):
    overlay, daemon = guarded
    result = overlay.attack("touched", "/bin/four")
    assert result.ran, result
    result = overlay.exec("/bin/sh", "-c", "chmod 755 /bin/five && mv /bin/five /bin/moved && /bin/moved")
    assert result.ran, result
    assert daemon.events() == []


def test_image_programs_run_without_alerts(guarded):
    overlay, daemon = guarded
    for name in ("one", "two", "payload"):
        assert overlay.exec(f"/bin/{name}").ran
    for applet in ("ls", "id", "true", "cat"):
        assert overlay.exec(f"/bin/{applet}", "/etc/passwd").code == (1 if applet == "id" else 0)
    assert daemon.events() == []
    assert daemon.status()["verdicts"]["deny"] == 0


def test_copy_of_an_image_program(overlay, start, marks):
    daemon = start(marks=marks)
    result = overlay.exec("/bin/sh", "-c", "cp /bin/attack /bin/disguise; /bin/disguise x")
    assert result.code == 126, result
    event = daemon.event("/bin/disguise")
    assert event["execward.reason"] == "dropped_copy"
    assert event["execward.copy_of"] == "/bin/attack"
    daemon.write_config(extra="copies: allow")
    daemon.tool("reload")
    assert overlay.exec("/bin/disguise", "x").code == 64  # its own complaint: it ran
    # Edited, it is no copy any more.
    overlay.exec("/bin/sh", "-c", "echo >> /bin/disguise")
    assert overlay.exec("/bin/disguise", "x").errno == 1


def test_report_mode_runs_and_says_would_deny(overlay, start, marks):
    daemon = start(marks=marks, mode="report")
    for technique in ("plain", "rename", "script"):
        assert overlay.attack(technique, f"/bin/x-{technique}").ran
    assert overlay.attack("edit-write", "/bin/two").ran
    assert {e["execward.verdict"] for e in daemon.events()} == {"would_deny"}
    assert len(daemon.events()) == 4
    assert daemon.status()["verdicts"]["deny"] == 0


@pytest.mark.parametrize("options", ["", "userxattr", "metacopy=on", "redirect_dir=on", "index=on",
                                     "xino=on", "metacopy=on,redirect_dir=on,index=on",
                                     "volatile"])
def test_every_mount_mode_tells_the_origin(fs, image, start, marks, options):
    daemon = start(marks=marks)
    overlay = Overlay(fs, image, options=options)
    try:
        daemon.rescan()
        assert overlay.exec("/bin/one").ran
        assert overlay.attack("touched", "/bin/four").ran
        assert not overlay.attack("plain", "/bin/x").ran
        assert not overlay.attack("edit-write", "/bin/two").ran
        assert {e["execward.reason"] for e in daemon.events()} == {"dropped", "modified"}
    finally:
        overlay.close()


def test_several_lowers_and_links(fs, image, start, marks):
    import os
    import shutil
    upper_layer = fs.path(f"layer-{marks}")
    os.makedirs(upper_layer + "/bin")
    shutil.copy(image + "/bin/payload", upper_layer + "/bin/second")
    link = fs.path(f"l-{marks}")
    os.symlink(upper_layer, link)
    daemon = start(marks=marks)
    overlay = Overlay(fs, image, lowers=[link, image])
    try:
        daemon.rescan()
        assert overlay.exec("/bin/second").ran
        assert overlay.exec("/bin/one").ran
        assert not overlay.attack("plain", "/bin/x").ran
        assert not overlay.attack("edit-write", "/bin/second").ran
        assert {e["execward.reason"] for e in daemon.events()} == {"dropped", "modified"}
    finally:
        overlay.close()


def test_files_that_are_open_for_writing_do_not_run(guarded):
    overlay, daemon = guarded
    result = overlay.attack("still-open", "/bin/x-open")
    assert not result.ran, result
