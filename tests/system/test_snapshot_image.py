"""Snapshots of images in the storage of podman and Docker, and of what these save: beside what the kernel
shows of the image when its layers are mounted."""
import contextlib
import json
import os
import stat
import subprocess
import sys

import pytest

from harness.fs import run
from harness.runtimes import LIMITS, debian_tree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "component"))

import archives  # noqa: E402
from archives import AMBIGUOUS, CORRUPT, NOTFOUND, UNSUPPORTED, Store, docker_members, file, layer, pack  # noqa: E402
from test_archive import BASE, ELF, MIDDLE, TOP  # noqa: E402

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
         stat.S_IFCHR: "character device", stat.S_IFBLK: "block device"}
SCRIPTS = [
    "rm /usr/bin/env /bin/ls; mv /usr/bin/sort /usr/bin/tros; chmod 4755 /usr/bin/head; rm -r /usr/share/doc",
    "rm -r /usr/share/perl5; mkdir /usr/share/perl5; printf '#!/bin/sh\\n' > /usr/share/perl5/new; "
    "rm -r /etc/cron.d; touch /etc/cron.d; chown 1:2 /usr/bin/wc; ln /usr/bin/id /usr/bin/di",
    "mkdir -p /usr/share/doc/a/b; printf '#!x' > '/usr/share/doc/a/new\nline'; rm /etc/cron.d; mkfifo /etc/cron.d; "
    "rm -r /usr/share/perl5; ln -s /bin /usr/share/perl5; printf '#!/bin/sh\\n:' > /usr/bin/env",
]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def storages(runtime):
    """podman_dir, docker_dir"""
    return (runtime.storage, None) if runtime.name == "podman" else (None, runtime.storage)


def snapshot(store, runtime, reference, *words):
    return store.image(reference, *storages(runtime), *words)


def load(runtime, images):
    """Real images of archives that were made by hand."""
    result = subprocess.run([*runtime.argv(), "load"], input=pack(docker_members(images)), capture_output=True,
                            timeout=300, check=False)
    assert result.returncode == 0, result


@pytest.fixture
def built(runtime):
    """A Debian with three layers above it."""
    image = "built:1"
    if runtime.call("image", "inspect", image, check=False).returncode != 0:
        runtime.call("import", debian_tree(("python3", "perl")), "layer0", timeout=300)
        for i, script in enumerate(SCRIPTS):
            runtime.call("run", "--name", "making", "--network", "none", *LIMITS, f"layer{i}", "/bin/sh", "-ec",
                         script)
            runtime.call("commit", "making", f"layer{i + 1}")
            runtime.call("rm", "making")
        runtime.call("tag", f"layer{len(SCRIPTS)}", image)
    return image


@contextlib.contextmanager
def mounted(runtime, image, place):
    """The layers as the kernel merges them, without anything that a container would add."""
    if runtime.name == "podman":
        yield runtime.call("image", "mount", image).stdout.decode().strip()
        runtime.call("image", "umount", image)
        return
    data = json.loads(runtime.call("image", "inspect", image).stdout)[0]["GraphDriver"]["Data"]
    lowers = [data["UpperDir"], *data.get("LowerDir", "").split(":")]
    os.mkdir(place)
    if len(lowers) > 1 and lowers[1]:
        run("mount", "-t", "overlay", "-o", "ro,lowerdir=" + ":".join(lowers), "overlay", place)
    else:
        run("mount", "--bind", lowers[0], place)
    yield os.fspath(place)
    run("umount", place)


def look(path):
    """The entry of one file, as archives.Store.entries() has it."""
    st = os.lstat(path)
    kind, mode = KINDS[stat.S_IFMT(st.st_mode)], stat.S_IMODE(st.st_mode)
    flags, digest, caps, target = 0, "-", "", b""
    if kind == "file":
        with open(path, "rb") as content:
            head = content.read(4)
        if mode & 0o111 or head[:2] == b"#!" or head == b"\x7fELF":
            flags = archives.EXECUTABLE
        with contextlib.suppress(OSError):
            caps = os.getxattr(path, "security.capability").hex()
    elif kind == "symlink":
        target = os.readlink(path)
    rdev = f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}" if "device" in kind else "0:0"
    return [kind, None if kind == "symlink" else mode, st.st_uid, st.st_gid, st.st_size if kind == "file" else 0,
            rdev, flags, digest, caps, target]


def walk(root):
    """find and sha256sum, as anybody would."""
    root = os.fsencode(root)
    found = {}
    names = subprocess.run(["find", root, "-mindepth", "1", "-print0"], capture_output=True, check=True).stdout
    for name in names.split(b"\0")[:-1]:
        found[name[len(root):]] = look(name)
    files = b"\0".join(root + name for name, record in found.items() if record[0] == "file")
    sums = subprocess.run(["xargs", "-0", "sha256sum", "-z"], input=files, capture_output=True, check=True).stdout
    for line in sums.split(b"\0")[:-1]:
        found[line[66 + len(root):]][7] = line[:64].decode()
    return {name: tuple(record) for name, record in found.items()}


def same(found, wanted):
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    assert [(p, found[p], wanted[p]) for p in wanted if found[p] != wanted[p]] == []


def test_an_image_is_what_the_kernel_shows(runtime, built, store, tmp_path):
    result = snapshot(store, runtime, built, "all")
    assert result["result"] == 0 and result["kind"] == "image" and result["layers"] == 4, result
    with mounted(runtime, built, tmp_path / "mnt") as root:
        wanted = walk(root)
    assert len(wanted) > 5000
    same(store.entries(result["id"]), wanted)
    # Executables alone: the same layers serve, and their digests.
    few = snapshot(store, runtime, built)
    assert few["layers_shared"] == 4 and few["hashed"] == 0
    same(store.entries(few["id"]), {p: r for p, r in wanted.items() if r[6] & archives.EXECUTABLE})
    fresh = Store(tmp_path / "fresh")
    assert snapshot(fresh, runtime, built)["digest"] == few["digest"]


def test_whiteouts_devices_and_capabilities(runtime, store, tmp_path):
    load(runtime, [(["localhost/odd:1"], [layer(*entries) for entries in (BASE, MIDDLE, TOP)])])
    result = snapshot(store, runtime, "localhost/odd:1", "all")
    assert result["result"] == 0, result
    with mounted(runtime, "localhost/odd:1", tmp_path / "mnt") as root:
        wanted = walk(root)
    same(store.entries(result["id"]), wanted)
    # The model that archives are tested by says the same.
    same(wanted, archives.expected([BASE, MIDDLE, TOP]))


def test_what_is_saved_is_what_is_there(runtime, built, tmp_path):
    there = {words: snapshot(Store(tmp_path / f"image{len(words)}"), runtime, built, *words)
             for words in ((), ("all",))}
    for form in ("docker-archive", "oci-archive") if runtime.name == "podman" else ("docker",):
        saved = tmp_path / f"{form}.tar"
        runtime.call("save", *(["--format", form] if form != "docker" else []), "-o", saved, built, timeout=300)
        for words, wanted in there.items():
            result = json.loads(Store(tmp_path / f"{form}{len(words)}").call("archive", saved, "-", *words))
            assert result["result"] == 0, result
            assert result["digest"] == wanted["digest"]
            assert result["image_id"] == wanted["image_id"]
            assert (result["layers"], result["layers_hashed"]) == (4, 4)
            # Nor is it hashed again where the image is known.
            again = json.loads(Store(tmp_path / f"image{len(words)}").call("archive", saved, "-", *words))
            assert again["digest"] == wanted["digest"] and again["layers_hashed"] == 0
        os.unlink(saved)


def test_five_images_that_share_fifteen_layers(runtime, store):
    common = [layer(file(f"common{i}", ELF + bytes([i]), 0o755)) for i in range(15)]
    own = [[layer(file(f"own{image}-{i}", ELF + bytes([image, i]), 0o755)) for i in range(5)] for image in range(5)]
    load(runtime, [([f"localhost/shared{image}:1"], common + own[image]) for image in range(5)])
    results = [snapshot(store, runtime, f"localhost/shared{image}:1") for image in range(5)]
    assert [r["result"] for r in results] == [0] * 5, results
    assert [r["layers"] for r in results] == [20] * 5
    assert [(r["layers_hashed"], r["layers_shared"], r["hashed"]) for r in results] == [(20, 0, 20)] + [(5, 15, 5)] * 4
    assert {r["executables"] for r in results} == {20}
    again = snapshot(store, runtime, "localhost/shared0:1", "rehash")
    assert (again["layers_hashed"], again["digest"]) == (20, results[0]["digest"])


def test_references(runtime, built, store):
    whole = snapshot(store, runtime, built)
    name = "localhost/built:1" if runtime.name == "podman" else "built:1"
    image_id = runtime.call("image", "inspect", "-f", "{{.Id}}", built).stdout.decode().strip().split(":")[-1]
    assert whole["name"] == whole["scope_value"] == name and whole["image_id"] == image_id
    # A container of it is called the same by its runtime.
    runtime.call("create", "--name", "called", "--network", "none", *LIMITS, built, "/bin/true")
    inspected = json.loads(runtime.call("inspect", "called").stdout)[0]
    runtime.call("rm", "called")
    assert (inspected.get("ImageName") or inspected["Config"]["Image"]) == name
    assert inspected["Image"].split(":")[-1] == image_id
    for reference in (image_id, "sha256:" + image_id, image_id[:12]):
        found = snapshot(store, runtime, reference)
        assert (found["result"], found["image_id"], found["digest"]) == (0, image_id, whole["digest"])
    for reference in (image_id[:11], "built", "built:2", "example.org/built:1", "a/../b", "/", "", "sha256:"):
        found = snapshot(store, runtime, reference or "?")
        assert found["result"] == NOTFOUND and found["message"], reference


def test_the_same_name_in_both(podman, docker, store):
    for number, runtime in enumerate((podman, docker)):
        load(runtime, [(["docker.io/library/both:1"], [layer(file("a", ELF + bytes([number])))]),
                       (["docker.io/library/equal:1"], [layer(file("a", ELF + b"equal"))])])
    assert store.image("both:1", podman.storage, docker.storage)["result"] == AMBIGUOUS
    equal = store.image("equal:1", podman.storage, docker.storage)
    assert equal["result"] == 0 and equal["name"] == "docker.io/library/equal:1"


def test_storage_that_is_not_whole(podman, store):
    """A layer's directory goes: nothing is published for what is left."""
    load(podman, [(["localhost/gone:1"], [layer(file("a", ELF)), layer(file("gone", ELF))])])
    with open(podman.storage + "/overlay-images/images.json", encoding="utf-8") as images:
        top = [i["layer"] for i in json.load(images) if "localhost/gone:1" in i.get("names", [])][0]
    place = f"{podman.storage}/overlay/{top}/diff"
    os.rename(place, place + ".away")
    try:
        result = snapshot(store, podman, "localhost/gone:1")
    finally:
        os.rename(place + ".away", place)
    assert result["result"] == CORRUPT and top in result["message"]
    assert store.published() == []
    assert snapshot(store, podman, "localhost/gone:1")["result"] == 0


def test_containerds_image_store(docker, store, tmp_path):
    (tmp_path / "docker" / "containers").mkdir(parents=True)
    result = store.image("debian", None, str(tmp_path / "docker"))
    assert result["result"] == UNSUPPORTED and "containerd" in result["message"]
    # An image that Docker's own store lacks is just not there.
    assert snapshot(store, docker, "nothing:1")["result"] == NOTFOUND
