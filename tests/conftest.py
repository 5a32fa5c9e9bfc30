"""Fixtures of the kernel and system tiers. They need root, and run in a mount namespace of their
own."""
import collections
import os
import sys
import zlib

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import fs as fslib, image as imagelib  # noqa: E402
from harness.daemon import Daemon  # noqa: E402


LEFT_OUT = pytest.StashKey()
MARKS = ("backing", "overlay")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the kernel and system tiers need root", 77)
    fslib.enter_namespace()


@pytest.hookimpl(hookwrapper=True)
def pytest_sessionfinish(session, exitstatus):
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and reporter.stats.get("skipped"):
        session.exitstatus = 1  # in CI a skip is a failure


def pytest_configure(config):
    config.addinivalue_line("markers", "kernel(since, why): needs that release of Linux")


def needed_kernel(item):
    """The newest release that a test asks for, and why; none asked for is (0, 0)."""
    needs = [(fslib.kernel_release(mark.kwargs["since"]), mark.kwargs["why"]) for mark in item.iter_markers("kernel")]
    return max(needs, default=((0, 0), ""))


def is_of_one_mark(item):
    """Of a test that there is for both mark modes, one: which one differs from test to test."""
    marks = item.callspec.params.get("marks") if hasattr(item, "callspec") else None
    if marks not in MARKS:
        return True
    rest = sorted((key, str(value)) for key, value in item.callspec.params.items() if key != "marks")
    return marks == MARKS[zlib.crc32(repr((item.nodeid.split("[")[0], rest)).encode()) % 2]


def pytest_collection_modifyitems(config, items):
    """What this kernel cannot do is left out, and listed: a skip would not say that it never can."""
    left_out = [item for item in items if needed_kernel(item)[0] > fslib.kernel_release()]
    if os.environ.get("EXECWARD_ONE_MARK"):
        items[:] = [item for item in items if is_of_one_mark(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = left_out


def pytest_terminal_summary(terminalreporter, config):
    count = collections.Counter()
    for item in config.stash.get(LEFT_OUT, []):
        (major, minor), why = needed_kernel(item)
        count[f"{item.nodeid.split('[')[0]}: needs Linux {major}.{minor}, {why}"] += 1
    for text, number in count.items():
        terminalreporter.write_line(f"LEFT OUT {number} of {text}")


@pytest.fixture(scope="session")
def fs():
    filesystem = fslib.LoopFs()
    imagelib.make(filesystem.path("image"))
    yield filesystem
    filesystem.close()


@pytest.fixture(scope="session")
def image(fs):
    return fs.path("image")


@pytest.fixture(params=[
    pytest.param("backing", marks=pytest.mark.kernel(since="6.5", why="events of the real inode")),
    "overlay"])
def marks(request):
    return request.param


@pytest.fixture
def overlay(fs, image):
    made = fslib.Overlay(fs, image)
    yield made
    made.close()


@pytest.fixture
def start(fs):
    """Starts daemons that guard the test's filesystem; all are stopped, and must exit 0."""
    started = []

    def make(**kwargs):
        kwargs.setdefault("storage", [fs.mount])
        daemon = Daemon(**kwargs)
        started.append(daemon)
        return daemon
    yield make
    for daemon in started:
        daemon.close()
