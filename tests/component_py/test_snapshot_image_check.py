"""snapshot check of images: read again out of storage or the archive, with nothing believed of what is known
of their layers."""
import os
import sys

import pytest

from test_snapshot_check import Box

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "component"))

from archives import docker_members, file, layer, pack  # noqa: E402
from test_image import A, ELF, Podman  # noqa: E402

NAME = "example.org/web:1"


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def changes(report):
    return sorted((kind, difference["path"]) for kind in ("added", "changed", "removed") for difference in report[kind])


def archive(box, *programs):
    """An archive of one image whose layer has these (name, content)."""
    with open(os.path.join(box.path, "image.tar"), "wb") as target:
        target.write(pack(docker_members([([NAME], [layer(*(file(name, data, 0o755) for name, data in programs))])])))
    return target.name


def scratch():
    return [name for name in os.listdir("/var/tmp") if name.startswith("execward-check-")]


def test_an_archive(box):
    path = archive(box, ("bin/a", ELF + b"a"), ("bin/b", ELF + b"b"))
    before = scratch()
    box.run("create", "--archive", path)
    assert changes(box.check(NAME, code=0)) == []
    archive(box, ("bin/a", ELF + b"other"), ("bin/c", ELF + b"c"))
    report = box.check(NAME, code=7)
    assert changes(report) == [("added", "/bin/c"), ("changed", "/bin/a"), ("removed", "/bin/b")]
    os.unlink(path)
    assert b"image.tar" in box.run("check", NAME, code=66).stderr
    assert scratch() == before


def test_an_archive_that_came_through_a_pipe(box):
    with open(archive(box, ("bin/a", ELF)), "rb") as stream:
        os.dup2(stream.fileno(), 0)
        box.run("create", "--archive", "-")
    assert b"snapshot diff" in box.run("check", NAME, code=66).stderr


def test_an_image_whose_layer_was_changed_on_disk(box):
    """Its layers are known by their diff ids, and are read all the same."""
    storage = Podman(os.path.join(box.path, "podman")).image(A, [NAME], ["base", "top"])
    with open(box.config, "a", encoding="utf-8") as config:
        config.write(f"runtimes: {{podman: {storage.path}, docker: {box.path}/none}}\n")
    box.run("create", "--image", NAME)
    assert changes(box.check(NAME, code=0)) == []
    place = f"{storage.path}/overlay/{storage.layers['base']['id']}/diff/base"
    with open(place, "r+b") as program:
        program.write(ELF + b"evil")
    assert changes(box.check(NAME, code=4)) == [("changed", "/base")]
    # Under the same reference another image: this one is looked for by its id.
    storage.images[0]["id"] = "b" * 64
    storage.write()
    assert box.run("check", NAME, code=66).stderr


def test_what_an_image_has_no_use_for(box):
    box.run("create", "--archive", archive(box, ("bin/a", ELF)))
    assert b"another one" in box.run("accept", NAME, "--all", "--reason", "x", code=64).stderr
    assert b"--packages" in box.run("check", NAME, "--packages", code=64).stderr
    # Without a name, what has a tree is checked, and an archive may be gone by design.
    box.run("check", code=66)
