"""Host filesystems of a test, and daemons that guard them."""
import functools

import pytest

from harness.host import Disk, guard_disks


@pytest.fixture
def disk():
    made = Disk()
    yield made
    made.close()


@pytest.fixture
def other():
    made = Disk()
    yield made
    made.close()


@pytest.fixture
def guard(start, fs):
    return functools.partial(guard_disks, start, fs.mount)
