"""Images in storage that is made by hand: how they are named, and storage that is not what it should be."""
import hashlib
import json
import os

import pytest

from archives import AMBIGUOUS, CORRUPT, NOTFOUND, UNSUPPORTED, Store, config_of, sha256

ELF = b"\x7fELF"


def hexid(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Podman:
    """containers/storage: images of (names, [layer names])."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.images, self.layers = [], {}
        for name in ("overlay-images", "overlay-layers"):
            os.makedirs(f"{self.path}/{name}", exist_ok=True)

    def layer(self, name, parent=None, **more):
        if name not in self.layers:
            self.layers[name] = {"id": hexid("layer" + name), "diff-digest": "sha256:" + hexid("diff" + name)}
            os.makedirs(f"{self.path}/overlay/{hexid('layer' + name)}/diff")
            with open(f"{self.path}/overlay/{hexid('layer' + name)}/diff/{name}", "wb") as file:
                file.write(ELF + name.encode())
        self.layers[name].update(more)
        if parent:
            self.layers[name]["parent"] = hexid("layer" + parent)

    def image(self, image_id, names, layers, **more):
        for at, name in enumerate(layers):
            self.layer(name, layers[at - 1] if at else None)
        self.images.append({"id": image_id, "names": names, "layer": hexid("layer" + layers[-1]), **more})
        return self.write()

    def write(self, images=None, layers=None):
        for name, data in (("images", images or self.images), ("layers", layers or list(self.layers.values()))):
            with open(f"{self.path}/overlay-{name}/{name}.json", "w", encoding="utf-8") as file:
                file.write(data if isinstance(data, str) else json.dumps(data))
        return self


class Docker:
    """Docker's image store and overlay2."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.names = {}
        os.makedirs(f"{self.path}/image/overlay2/imagedb/content/sha256")
        self.write()

    def put(self, path, text):
        os.makedirs(os.path.dirname(f"{self.path}/{path}"), exist_ok=True)
        with open(f"{self.path}/{path}", "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def image(self, names, layers):
        config = config_of([name.encode() for name in layers])
        image_id, chain = sha256(config), ""
        self.put(f"image/overlay2/imagedb/content/sha256/{image_id}", config)
        for name in layers:
            diff = "sha256:" + sha256(name.encode())
            chain = "sha256:" + hexid(f"{chain} {diff}") if chain else diff
            place = f"image/overlay2/layerdb/sha256/{chain[7:]}"
            self.put(place + "/diff", diff)
            self.put(place + "/cache-id", hexid("cache" + name))
            self.put(f"overlay2/{hexid('cache' + name)}/diff/{name}", ELF + name.encode())
        for name in names:
            self.names.setdefault(name.split("@")[0].rsplit(":", 1)[0], {})[name] = "sha256:" + image_id
        self.write()
        return image_id, place

    def write(self):
        self.put("image/overlay2/repositories.json", json.dumps({"Repositories": self.names}))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def paths(store, result):
    assert result["result"] == 0, result
    return sorted(store.entries(result["id"]))


# --- names ----------------------------------------------------------------------------------------

A, B = "a" * 64, "a" * 20 + "b" * 44
MANIFEST = "sha256:" + "d" * 64


def test_podmans_names(store, tmp_path):
    podman = Podman(tmp_path / "podman")
    podman.image(A, ["docker.io/library/debian:latest", "localhost/mine:2"], ["base", "top"], digest=MANIFEST)
    podman.image(B, ["docker.io/library/mine:latest", "example.org:5000/a/b:c"], ["base", "other"])
    podman.image("c" * 64, ["localhost/mine:latest"], ["base"], **{"big-data-digests": {"manifest": MANIFEST}})
    podman.image("e" * 64, None, ["base"])
    for reference, image, name in (
            ("debian", A, "docker.io/library/debian:latest"), ("debian:latest", A, "docker.io/library/debian:latest"),
            ("docker.io/debian", A, "docker.io/library/debian:latest"),
            ("docker.io/library/debian", A, "docker.io/library/debian:latest"),
            ("library/debian", A, "docker.io/library/debian:latest"),
            ("mine", "c" * 64, "localhost/mine:latest"),  # before docker.io, as podman does
            ("mine:2", A, "localhost/mine:2"), ("docker.io/mine", B, "docker.io/library/mine:latest"),
            ("example.org:5000/a/b:c", B, "example.org:5000/a/b:c"),
            (f"debian@{MANIFEST}", A, "docker.io/library/debian:latest"),
            (f"mine:9@{MANIFEST}", A, "localhost/mine:2"),
            (A, A, "docker.io/library/debian:latest"), (B[:24], B, "docker.io/library/mine:latest"),
            ("e" * 12, "e" * 64, "e" * 64)):
        result = store.image(reference, podman.path, None)
        assert (result["result"], result.get("image_id"), result.get("name")) == (0, image, name), (reference, result)
        assert result["scope_value"] == name
    for reference in ("debian:1", "example.org:5000/a/b", "b:c", "example.org/debian", "d" * 64, "e" * 11,
                      "other@" + MANIFEST, "debian@sha256:" + "e" * 64, "Debian", "../debian", "*"):
        assert store.image(reference, podman.path, None)["result"] == NOTFOUND, reference
    assert store.image("a" * 12, podman.path, None)["result"] == AMBIGUOUS


def test_dockers_names(store, tmp_path):
    docker = Docker(tmp_path / "docker")
    one, _ = docker.image(["debian:latest", "debian:12", f"debian@{MANIFEST}"], ["base", "top"])
    two, _ = docker.image(["user/x:1", "example.org:5000/a/b:c"], ["base", "other"])
    three, _ = docker.image([], ["base"])
    for reference, image, name in (
            ("debian", one, "debian:latest"), ("docker.io/library/debian:12", one, "debian:12"),
            (f"debian@{MANIFEST}", one, f"debian@{MANIFEST}"), ("user/x:1", two, "user/x:1"),
            ("example.org:5000/a/b:c", two, "example.org:5000/a/b:c"), (one, one, "debian:12"),
            (two[:12], two, "example.org:5000/a/b:c"), ("sha256:" + three, three, three)):
        result = store.image(reference, None, docker.path)
        assert (result["result"], result.get("image_id"), result.get("name")) == (0, image, name), (reference, result)
    for reference in ("debian:1", "x:1", "localhost/debian", one[:11], "user/x", "f" * 64):
        assert store.image(reference, None, docker.path)["result"] == NOTFOUND, reference


def test_layers_are_shared_between_runtimes(store, tmp_path):
    podman, docker = Podman(tmp_path / "podman"), Docker(tmp_path / "docker")
    docker.image(["x:1"], ["base", "top"])
    podman.image(A, ["localhost/y:1"], ["base", "mine"])
    podman.layer("base", **{"diff-digest": "sha256:" + sha256(b"base")})
    podman.write()
    first = store.image("x:1", podman.path, docker.path)
    second = store.image("y:1", podman.path, docker.path)
    assert (first["layers_hashed"], second["layers_hashed"], second["layers_shared"]) == (2, 1, 1)
    assert paths(store, second) == [b"/base", b"/mine"]


def test_the_same_name_in_both(store, tmp_path):
    podman, docker = Podman(tmp_path / "podman"), Docker(tmp_path / "docker")
    image_id, _ = docker.image(["x:1"], ["base"])
    podman.image(A, ["docker.io/library/x:1"], ["other"])
    result = store.image("x:1", podman.path, docker.path)
    assert result["result"] == AMBIGUOUS and A in result["message"] and image_id in result["message"]
    assert store.image(A[:12], podman.path, docker.path)["image_id"] == A
    assert store.image(image_id, podman.path, docker.path)["image_id"] == image_id
    podman.images[0]["id"] = image_id
    podman.write()
    assert store.image("x:1", podman.path, docker.path)["image_id"] == image_id


def test_a_layer_that_is_there_twice(store, tmp_path):
    docker = Docker(tmp_path / "docker")
    docker.image(["x:1"], ["base", "empty", "top", "empty"])
    result = store.image("x:1", None, docker.path, "rehash")
    assert (result["layers"], result["layers_hashed"], result["layers_shared"]) == (4, 3, 1)
    assert paths(store, result) == [b"/base", b"/empty", b"/top"]


def test_a_layer_without_a_diff_id(store, tmp_path):
    podman = Podman(tmp_path / "podman").image(A, ["localhost/x:1"], ["base"])
    del podman.layers["base"]["diff-digest"]
    podman.write()
    assert store.image("x:1", podman.path, None)["layers_hashed"] == 1
    assert store.image("x:1", podman.path, None)["layers_shared"] == 1


def test_what_is_superseded(store, tmp_path):
    podman = Podman(tmp_path / "podman").image(A, ["localhost/x:1"], ["base"])
    first = store.image("x:1", podman.path, None)
    podman.images[0].update(id=B, layer=hexid("layertop"))
    podman.layer("top", "base")
    podman.write()
    second = store.image("localhost/x:1", podman.path, None)
    assert second["image_id"] == B and second["layers_hashed"] == 1
    assert store.sql("SELECT id FROM snapshot WHERE state = 1 AND kind = 1") == [(second["id"],)]
    assert store.sql("SELECT id FROM snapshot WHERE state = 2 AND kind = 1") == [(first["id"],)]


# --- storage that is not what it should be --------------------------------------------------------

def breakages():
    def parent(podman, value):
        podman.layers["base"]["parent"] = value
        podman.write()
    yield "images.json is cut", lambda p: p.write(images=json.dumps(p.images)[:-1]), CORRUPT
    yield "images.json is no list", lambda p: p.write(images='{"a": 1}'), CORRUPT
    yield "images.json is deep", lambda p: p.write(images="[" * 3000 + "]" * 3000), CORRUPT
    yield "images.json has a key twice", lambda p: p.write(images=json.dumps(p.images).replace(
        '"names"', '"names": [], "names"')), CORRUPT
    yield "layers.json is cut", lambda p: p.write(layers="[{"), CORRUPT
    yield "layers.json is gone", lambda p: os.unlink(p.path + "/overlay-layers/layers.json"), -2
    yield "id is a path", lambda p: p.write(images=[{**p.images[0], "id": "../../etc"}]), CORRUPT
    yield "layer is a path", lambda p: p.write(images=[{**p.images[0], "layer": "../../etc"}]), CORRUPT
    yield "parent is not there", lambda p: parent(p, "f" * 64), CORRUPT
    yield "parents in a circle", lambda p: parent(p, hexid("layertop")), CORRUPT
    yield "directory is gone", lambda p: os.rename(
        f"{p.path}/overlay/{hexid('layertop')}/diff", p.path + "/away"), CORRUPT
    yield "directory is a link", lambda p: (
        os.rename(f"{p.path}/overlay/{hexid('layertop')}/diff", p.path + "/away"),
        os.symlink(p.path + "/away", f"{p.path}/overlay/{hexid('layertop')}/diff")), -20
    yield "composefs", lambda p: os.mkdir(f"{p.path}/overlay/{hexid('layertop')}/composefs-data"), UNSUPPORTED
    yield "no layer", lambda p: p.write(images=[{**p.images[0], "layer": ""}]), UNSUPPORTED


@pytest.mark.parametrize("what,breakage,outcome", breakages(), ids=[b[0] for b in breakages()])
def test_podmans_storage_is_broken(store, tmp_path, what, breakage, outcome):
    podman = Podman(tmp_path / "podman").image(A, ["localhost/x:1"], ["base", "top"])
    breakage(podman)
    result = store.image("x:1", podman.path, None)
    assert result["result"] == outcome and (outcome < 0 or result["message"]), (what, result)
    # A layer that was whole may be there; the image is not.
    assert store.sql("SELECT id FROM snapshot WHERE kind <> 7") == []


OTHER = config_of([b"base"]).decode()  # of an image that is there in part


@pytest.mark.parametrize("what,change,outcome", [
    ("repositories.json is cut", ("image/overlay2/repositories.json", "{"), CORRUPT),
    ("repositories.json is no object", ("image/overlay2/repositories.json", "[]"), CORRUPT),
    ("configuration is none", ("image/overlay2/imagedb/content/sha256/ID", "{}"), CORRUPT),
    ("configuration is another", ("image/overlay2/imagedb/content/sha256/ID", "CONFIG"), CORRUPT),
    ("diff id is another", ("CHAIN/diff", "sha256:" + "f" * 64), CORRUPT),
    ("diff id is none", ("CHAIN/diff", "x"), CORRUPT),
    ("cache id is a path", ("CHAIN/cache-id", "../../../etc"), CORRUPT),
    ("cache id is empty", ("CHAIN/cache-id", ""), CORRUPT),
    ("cache id is long", ("CHAIN/cache-id", "a" * 200), CORRUPT),
    ("cache id has two lines", ("CHAIN/cache-id", "a\nb"), CORRUPT),
    ("cache id leads nowhere", ("CHAIN/cache-id", "abc"), CORRUPT),
])
def test_dockers_storage_is_broken(store, tmp_path, what, change, outcome):
    docker = Docker(tmp_path / "docker")
    image_id, chain = docker.image(["x:1"], ["base", "top"])
    docker.put(change[0].replace("ID", image_id).replace("CHAIN", chain), change[1].replace("CONFIG", OTHER))
    result = store.image("x:1", None, docker.path)
    assert result["result"] == outcome and result["message"], (what, result)
    assert store.sql("SELECT id FROM snapshot WHERE kind <> 7") == []


def test_storage_of_other_drivers(store, tmp_path):
    podman, docker = tmp_path / "podman", tmp_path / "docker"
    (podman / "vfs-images").mkdir(parents=True)
    (podman / "vfs-images" / "images.json").write_text("[]")
    result = store.image("x", os.fspath(podman), None)
    assert result["result"] == UNSUPPORTED and "vfs" in result["message"]
    (docker / "image" / "btrfs").mkdir(parents=True)
    (docker / "image" / "btrfs" / "repositories.json").write_text("{}")
    result = store.image("x", None, os.fspath(docker))
    assert result["result"] == UNSUPPORTED and "btrfs" in result["message"]
    # What the one does not have, the other may.
    good = Docker(tmp_path / "good")
    good.image(["x:latest"], ["base"])
    assert store.image("x", os.fspath(podman), good.path)["result"] == 0
    result = store.image("y", os.fspath(tmp_path / "nothing"), None)
    assert result["result"] == NOTFOUND and "nothing" in result["message"]


def test_what_cannot_be_read_serves_this_image_only(store, tmp_path):
    """A path of a layer is too long: it is left out, and the layer is read again for the next image."""
    podman = Podman(tmp_path / "podman").image(A, ["localhost/x:1"], ["base", "top"])
    place = os.open(f"{podman.path}/overlay/{hexid('layertop')}/diff", os.O_RDONLY)
    for _ in range(40):
        os.mkdir("d" * 250, dir_fd=place)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("tool", os.O_WRONLY | os.O_CREAT, 0o755, dir_fd=place))
    os.close(place)
    for shared in (0, 1):
        result = store.image("x:1", podman.path, None)
        assert result["result"] == 0 and result["too_long"] > 0
        assert (result["layers_hashed"], result["layers_shared"]) == (2 - shared, shared)
        assert paths(store, result) == [b"/base", b"/top"]
    assert store.sql("SELECT count(*) FROM snapshot WHERE kind = 7") == [(1,)]
