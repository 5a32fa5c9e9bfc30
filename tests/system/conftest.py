"""podman and Docker on a loop ext4, with a small image in each."""
import pytest

from harness import fs as fslib, image as imagelib
from harness.runtimes import Docker, Podman


@pytest.fixture(scope="session")
def storage():
    filesystem = fslib.LoopFs("6G")
    imagelib.make(filesystem.path("tree"))
    yield filesystem
    filesystem.close()


@pytest.fixture(scope="session")
def podman(storage):
    runtime = Podman(storage)
    runtime.import_image(storage.path("tree"), "alpha")
    runtime.import_image(storage.path("tree"), "beta")
    yield runtime
    runtime.close()


@pytest.fixture(scope="session")
def docker(storage):
    runtime = Docker(storage)
    runtime.import_image(storage.path("tree"), "alpha")
    runtime.import_image(storage.path("tree"), "beta")
    yield runtime
    runtime.close()


@pytest.fixture(params=["podman", "docker"])
def runtime(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def guard(start, runtime):
    """A daemon that guards the runtime's storage."""
    def make(**kwargs):
        kwargs["extra"] = kwargs.get("extra", "") + "\n" + runtime.runtimes_config()
        return start(storage=[runtime.storage], **kwargs)
    return make
