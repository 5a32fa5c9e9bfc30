"""Without a daemon each attack works: an attack that never runs tests nothing."""
import pytest

DROPS = ["plain", "execveat", "opath", "procfd", "vfork", "rename", "link", "tmpfile",
         "tmpfile-link", "unlinked", "script"]
EDITS = ["edit-write", "edit-mmap", "edit-truncate", "edit-copy-range", "edit-splice",
         "edit-io-uring"]


@pytest.mark.parametrize("technique", DROPS + ["rename-over", "directory"] + EDITS + ["touched"])
def test_attack_runs_unguarded(overlay, technique):
    target = {"directory": "/made/later/x", "rename-over": "/bin/one"}.get(
        technique, "/bin/two" if technique.startswith("edit") or technique == "touched"
        else f"/bin/x-{technique}")
    result = overlay.attack(technique, target)
    assert result.ran, result
