"""Rows 9 and 10: content that changes while it is decided on. One content is approved, the other is not,
and attackers switch between them: what runs is what was approved."""
import hashlib
import os
import re
import shutil

import pytest

from harness.daemon import HELPERS

TRIES = int(os.environ.get("EXECWARD_RACE_TRIES", "1000"))


@pytest.fixture
def arena(overlay):
    for name in ("race", "marked"):
        # Programs of the attacker's own: only the target is approved.
        shutil.copy(os.path.join(HELPERS, name), overlay.path(f"/tmp/{name}"))
        os.chmod(overlay.path(f"/tmp/{name}"), 0o755)
    return overlay


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def race(arena, method, attackers, pace):
    result = arena.exec("/tmp/race", method, "/tmp/marked", str(TRIES), str(attackers),
                        str(pace), timeout=200)
    assert result.code == 0, result
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", result.output.decode())}


@pytest.mark.parametrize("attackers,pace", [(1, 3000), (1, 300), (8, 0)])
@pytest.mark.parametrize("method", ["write", "mmap", "rename"])
def test_rows_9_and_10_only_the_approved_content_runs(arena, start, marks, method, attackers, pace):
    daemon = start(marks=marks)
    for name in ("race", "marked"):
        daemon.tool("approve", digest_of(arena.path(f"/tmp/{name}")), "--reason", "race")
    counts = race(arena, method, attackers, pace)
    print(f"\n{marks} {method} x{attackers} pace {pace} us: {counts}")
    assert counts["evil"] == 0, counts
    assert counts["denied"] + counts["good"] + counts["busy"] > 0


@pytest.mark.parametrize("method", ["write", "mmap", "rename"])
def test_the_race_is_won_unguarded(arena, method):
    """Without the daemon both contents run: the attack is real."""
    counts = race(arena, method, 2, 300)
    assert counts["evil"] > 0, counts
