"""Trusted writers on a guarded host filesystem: the package manager is one by its digest in the baseline
of that filesystem, and what it unpacks runs there."""
import functools
import os
import shutil

import pytest

from harness.daemon import HELPERS
from harness.host import Disk

MANAGERS = ("bin/pkg", "bin/other")


def make_disk():
    made = Disk("1G")
    for name in MANAGERS:
        shutil.copy(os.path.join(HELPERS, "writer"), made.path(name))
        with open(made.path(name), "ab") as file:
            file.write(name.encode())  # each has a digest of its own
    return made


@pytest.fixture
def disk():
    made = make_disk()
    yield made
    made.close()


@pytest.fixture
def other():
    made = make_disk()
    yield made
    made.close()


@pytest.fixture
def guard(guard):
    return functools.partial(guard, known=MANAGERS, extra="trust: {writers: [/bin/pkg]}")


def unpack(disk, program="bin/pkg", target="/bin/hello", verb="unpack"):
    return disk.exec(program, verb, target, f"salt {target}", chroot=True)


def reasons(daemon):
    return [(e["proc.exepath"].rsplit("/", 1)[1], e["execward.reason"]) for e in daemon.events()
            if e["execward.container_key"] is None]


def test_what_a_writer_unpacks_runs(disk, guard):
    daemon = guard(disk)
    assert unpack(disk).code == 0
    assert disk.exec("bin/hello", chroot=True).ran
    assert disk.exec("bin/hello").ran
    assert unpack(disk, verb="run", target="/bin/run").ran
    assert reasons(daemon) == []


def test_thousands(disk, guard):
    daemon = guard(disk)
    result = disk.exec("bin/pkg", "many", "/tmp", "500", chroot=True)
    assert b"FAILED 0" in result.output, result
    assert reasons(daemon) == []


def test_another_program_does_not(disk, guard):
    daemon = guard(disk)
    assert unpack(disk, program="bin/other").code == 0
    assert disk.exec("bin/hello", chroot=True).errno == 1
    assert reasons(daemon) == [("hello", "host")]


def test_a_writer_that_no_baseline_knows(disk, guard):
    """Its digest is what makes it one: enforce would not let it run at all."""
    daemon = guard(disk, known=("bin/other",), mode="report")
    assert unpack(disk).code == 0
    assert disk.exec("bin/hello", chroot=True).ran
    assert ("hello", "host") in reasons(daemon)


def test_a_known_program_in_the_writers_place(disk, guard):
    """Its content is known, its path is another's: a baseline has no paths for the daemon."""
    daemon = guard(disk)
    os.rename(disk.path("bin/other"), disk.path("bin/elsewhere"))
    assert unpack(disk, program="bin/elsewhere").code == 0
    assert disk.exec("bin/hello", chroot=True).errno == 1
    assert reasons(daemon) == [("hello", "host")]


def test_an_edit_afterwards(disk, guard):
    daemon = guard(disk)
    unpack(disk)
    assert disk.exec("bin/hello").ran
    with open(disk.path("bin/hello"), "ab") as file:
        file.write(b"evil")
    assert disk.exec("bin/hello").errno == 1
    assert reasons(daemon) == [("hello", "host")]


def test_the_same_content_on_another_filesystem(disk, other, guard):
    daemon = guard(disk, other)
    unpack(disk)
    assert disk.exec("bin/hello").ran
    shutil.copy(disk.path("bin/hello"), other.path("bin/hello"))
    assert other.exec("bin/hello").errno == 1
    shutil.copy(disk.path("bin/hello"), disk.path("tmp/copy"))
    assert disk.exec("tmp/copy").ran
    assert reasons(daemon) == [("hello", "host")]


def test_a_writer_that_replaces_itself(disk, guard):
    """What it has unpacked at its own place is as trusted as itself."""
    daemon = guard(disk)
    os.link(disk.path("bin/pkg"), disk.path("bin/pkg.before"))
    content = open(disk.path("bin/pkg"), "rb").read() + b"next"
    shutil.copy(disk.path("bin/payload"), disk.path("tmp/payload.before"))
    # The helper unpacks /bin/payload: for once that is the next release of itself.
    with open(disk.path("bin/payload"), "wb") as file:
        file.write(content)
    assert unpack(disk, target="/bin/pkg").code == 0
    os.rename(disk.path("tmp/payload.before"), disk.path("bin/payload"))
    assert unpack(disk).code == 0
    assert disk.exec("bin/hello").ran
    assert reasons(daemon) == []


def test_what_a_writer_unpacked_is_known_to_the_preflight(disk, guard):
    """What cron would start at the next boot, before anybody has reconciled anything."""
    daemon = guard(disk)
    os.makedirs(disk.path("etc/cron.daily"))
    unpack(disk, target="/etc/cron.daily/job")
    assert disk.exec("etc/cron.daily/job").ran
    daemon.stop()
    daemon.start()
    (row,) = daemon.status()["guard"]["paths"]
    assert row["enforced"] and row["unknown"] == [], row
