"""Without a daemon each attack works: an attack that never runs tests nothing."""
import pytest

o_tmpfile = pytest.mark.kernel(since="6.10", why="O_TMPFILE on an overlay")
DROPS = ["plain", "execveat", "opath", "procfd", "vfork", "rename", "link",
         pytest.param("tmpfile", marks=o_tmpfile), pytest.param("tmpfile-link", marks=o_tmpfile),
         "unlinked", "script"]
EDITS = ["edit-write", "edit-mmap", "edit-truncate", "edit-copy-range", "edit-splice",
         "edit-io-uring"]


@pytest.mark.parametrize("technique", DROPS + ["rename-over", "directory"] + EDITS + ["touched"])
def test_attack_runs_unguarded(overlay, technique):
    target = {"directory": "/made/later/x", "rename-over": "/bin/one"}.get(
        technique, "/bin/two" if technique.startswith("edit") or technique == "touched"
        else f"/bin/x-{technique}")
    result = overlay.attack(technique, target)
    assert result.ran, result
