"""A program of the image costs one event: the kernel remembers, until a digest is denied."""
import hashlib



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


def test_an_edit_of_a_remembered_program_is_seen(overlay, start):
    daemon = start(marks="backing")
    for _ in range(3):
        assert overlay.exec("/bin/two").ran
    assert not overlay.attack("edit-write", "/bin/two").ran
    assert not overlay.attack("edit-mmap", "/bin/three").ran
    assert {e["execward.reason"] for e in daemon.events()} == {"modified"}


def test_a_drop_over_a_remembered_program_is_seen(overlay, start):
    daemon = start(marks="backing")
    assert overlay.exec("/bin/one").ran and overlay.exec("/bin/one").ran
    assert not overlay.attack("rename-over", "/bin/one").ran
    assert daemon.event("/bin/one")["execward.reason"] == "dropped"
