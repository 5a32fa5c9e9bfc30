"""Fixtures of the kernel and system tiers. They need root, and run in a mount namespace of their
own."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import fs as fslib, image as imagelib  # noqa: E402
from harness.daemon import Daemon  # noqa: E402


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


@pytest.fixture(scope="session")
def fs():
    filesystem = fslib.LoopFs()
    imagelib.make(filesystem.path("image"))
    yield filesystem
    filesystem.close()


@pytest.fixture(scope="session")
def image(fs):
    return fs.path("image")


@pytest.fixture(params=["backing", "overlay"])
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
