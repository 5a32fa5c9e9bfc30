"""Snapshots of archives: what comes out against a model, and archives that are not what they say."""
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

import archives
from archives import (AMBIGUOUS, CORRUPT, NOTFOUND, SOURCES, UNSUPPORTED, Corrupt, Store, config_of, device,
                      directory, docker_members, expected, fifo, file, hardlink, layer, oci_members, pack,
                      sha256, symlink)

ELF = b"\x7fELF" + bytes(60)
CAPS = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep
BASE = [
    directory("./"), directory("./bin"), directory("./etc", 0o700, 1, 2), directory("./usr"),
    directory("./usr/bin"), file("./bin/sh", ELF + b"sh", 0o755), file("./bin/script", b"#!/bin/sh\n", 0o644),
    file("./etc/passwd", b"root:x:0:0\n"), file("./usr/bin/su", ELF + b"su", 0o4755, 3, 4),
    file("./usr/bin/ping", ELF + b"ping", 0o755, xattrs={"security.capability": CAPS}),
    symlink("./usr/bin/vi", "../../bin/sh"), hardlink("./usr/bin/dash", "./bin/sh", 0o755),
    fifo("./etc/pipe"), device("./etc/null", 1, 3), device("./etc/sda", 8, 0, tarfile.BLKTYPE),
    file("./usr/bin/empty", b"", 0o755), file("./usr/new\nline", b"#!x"), file(b"./usr/\xff\xfe", ELF),
    file("./usr/naïve", ELF), file("./usr/data", b"d" * 300000),
]
MIDDLE = [
    directory("bin"), file("bin/.wh.script"), directory("etc"), file("etc/.wh..wh..opq"),
    file("etc/shadow", b"#!secret", 0o600), file("usr/.wh.bin"), file("usr/lib", b"#!a file"),
]
TOP = [directory("usr"), directory("usr/lib"), file("usr/lib/tool", ELF + b"tool", 0o755),
       file("bin/sh", ELF + b"sh2", 0o755), file(".wh.nothing")]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def check(store, result, layers, all_files=True):
    assert result["result"] == 0, result
    found, wanted = store.entries(result["id"]), expected(layers, all_files)
    assert found.keys() == wanted.keys()
    for path, record in wanted.items():
        assert found[path] == record, path
    assert result["entries"] == len(wanted)
    assert result["files"] == sum(r[0] == "file" for r in wanted.values())
    assert result["executables"] == sum(r[6] & 1 for r in wanted.values())
    assert result["bytes"] == sum(r[4] for r in wanted.values())


def assert_clean(store):
    """Nothing of what failed is left, published or not."""
    assert store.published() == []
    assert store.sql("SELECT count(*) FROM entry") == [(0,)]


# --- what comes out -------------------------------------------------------------------------------

@pytest.mark.parametrize("all_files", [False, True])
@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_layers_are_merged(store, all_files, fmt):
    layers = [BASE, MIDDLE, TOP]
    if fmt == tarfile.GNU_FORMAT:  # which has no extended attributes
        layers = [[dict(e, xattrs={}) for e in entries] for entries in layers]
    tars = [layer(*entries, fmt=fmt) for entries in layers]
    words = ["x:1"] + ["all"] * all_files
    result = store.archive(pack(docker_members([(["x:1"], tars)])), *words)
    check(store, result, layers, all_files)
    assert (result["layers"], result["layers_hashed"], result["layers_shared"]) == (3, 3, 0)
    assert result["kind"] == "archive" and result["scope"] == "image"
    assert result["name"] == result["scope_value"] == "docker.io/library/x:1"
    assert result["image_id"] == sha256(config_of(tars))


@pytest.mark.parametrize("how", [None, "gzip", "zstd", "xz", "bzip2"])
def test_oci_layouts(store, how):
    if how not in (None, "gzip") and not shutil.which(how):
        pytest.skip(f"no {how} here")
    tars = [layer(*entries) for entries in (BASE, MIDDLE, TOP)]
    result = store.archive(pack(oci_members([("localhost/x:2", tars)], how)), "-", "all")
    check(store, result, [BASE, MIDDLE, TOP])
    assert result["name"] == "localhost/x:2" and result["image_id"] == sha256(config_of(tars))


@pytest.mark.parametrize("how", ["gzip", "xz", "zstd", "bzip2"])
def test_an_archive_that_is_compressed_as_a_whole(store, how):
    if how != "gzip" and not shutil.which(how):
        pytest.skip(f"no {how} here")
    data = archives.compressed(pack(docker_members([(["x"], [layer(*BASE)])])), how)
    check(store, store.archive(data, "-", "all"), [BASE])


def test_every_way_gives_the_same_digest(store, tmp_path):
    tars = [layer(*entries) for entries in (BASE, MIDDLE, TOP)]
    docker, oci = docker_members([(["x:1"], tars)]), oci_members([("x:1", tars)])
    ways = [pack(docker), pack(docker[::-1]), pack(oci), pack(oci[::-1]), gzip.compress(pack(docker))]
    results = [Store(tmp_path / str(i)).archive(data, piped=bool(i % 2)) for i, data in enumerate(ways)]
    assert {r["result"] for r in results} == {0}
    assert len({r["digest"] for r in results}) == 1
    assert len({r["image_id"] for r in results}) == 1


def test_links_to_layers_as_podman_saves_them(store):
    tars = [layer(*BASE), layer(*MIDDLE)]
    config = config_of(tars)
    manifest = [{"Config": f"{sha256(config)}.json", "RepoTags": ["localhost/x:latest"],
                 "Layers": [f"{sha256(tars[0])}.tar", "b/layer.tar"]}]
    members = [(f"{sha256(tars[0])}.tar", tars[0]), (f"{sha256(tars[1])}.tar", tars[1]),
               ("a/layer.tar", f"../{sha256(tars[0])}.tar"), ("a/json", b"{}"),
               ("b/layer.tar", f"../{sha256(tars[1])}.tar"), (f"{sha256(config)}.json", config),
               ("repositories", b"{}"), ("manifest.json", json.dumps(manifest).encode())]
    check(store, store.archive(pack(members), "-", "all"), [BASE, MIDDLE])


def test_new_docker_save_has_both_lists(store):
    tars = [layer(*BASE), layer(*TOP)]
    oci = oci_members([("docker.io/library/x:1", tars)], how=None)
    config = config_of(tars)
    manifest = [{"Config": f"blobs/sha256/{sha256(config)}", "RepoTags": ["x:1"],
                 "Layers": [f"blobs/sha256/{sha256(t)}" for t in tars]}]
    check(store, store.archive(pack([*oci, ("manifest.json", json.dumps(manifest).encode())]), "x:1", "all"),
          [BASE, TOP])
    other = [{"Config": f"blobs/sha256/{sha256(config)}", "RepoTags": ["x:1"], "Layers": manifest[0]["Layers"]}]
    liar = oci_members([("docker.io/library/x:1", tars[:1])], how=None)
    blobs = [m for m in oci if m[0].startswith("blobs/")]
    both = dict([*blobs, *liar, ("manifest.json", json.dumps(other).encode())])
    result = store.archive(pack(both.items()), "x:1")
    assert result["result"] == CORRUPT and "do not agree" in result["message"]


def test_index_in_index_and_attestations(store):
    tars = [layer(*BASE)]
    members = dict(oci_members([(None, tars)], how="gzip"))
    inner = json.loads(members["index.json"])
    inner["manifests"].append({"digest": inner["manifests"][0]["digest"],
                               "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    inner["manifests"].append({"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm"}})
    inner = json.dumps(inner).encode()
    members.update([archives.blob(inner)])
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{
        "digest": "sha256:" + sha256(inner), "annotations": {"io.containerd.image.name": "localhost/y:1"}}]}).encode()
    result = store.archive(pack(members.items()), "y:1", "all")
    check(store, result, [BASE])
    assert result["name"] == "localhost/y:1"


def test_an_image_without_a_name_is_called_by_its_file(store):
    result = store.archive(pack(docker_members([(None, [layer(*BASE)])])))
    assert result["result"] == 0 and result["name"].endswith("/image.tar")
    assert result["scope"] == "image" and result["scope_value"] == result["image_id"]


# --- layers are shared ----------------------------------------------------------------------------

@pytest.mark.parametrize("make", [docker_members, oci_members])
def test_layers_are_hashed_once(store, make):
    common = [layer(file(f"common{i}", ELF + bytes([i]), 0o755)) for i in range(15)]
    hashed = shared = 0
    for image in range(5):
        own = [layer(file(f"own{image}.{i}", ELF + bytes([image, i]), 0o755)) for i in range(5)]
        name = f"image{image}:1"
        result = store.archive(pack(make([([name] if make == docker_members else name, common + own)])))
        assert result["result"] == 0 and result["executables"] == 20
        hashed += result["layers_hashed"]
        shared += result["layers_shared"]
    assert (hashed, shared) == (15 + 5 * 5, 4 * 15)
    assert store.sql("SELECT count(*) FROM snapshot WHERE kind = 7") == [(40,)]


def test_a_layer_that_is_known_by_name_is_not_read_again(store):
    tars = [layer(*BASE)]
    first = store.archive(pack(oci_members([("x:1", tars)], how=None)), "-", "all")
    second = store.archive(pack(oci_members([("y:1", tars)], how=None)), "-", "all")
    assert (second["layers_hashed"], second["layers_shared"], second["hashed"]) == (0, 1, 0)
    assert second["digest"] == first["digest"]
    again = store.archive(pack(oci_members([("y:1", tars)], how=None)), "-", "all", "rehash")
    assert (again["layers_hashed"], again["hashed"]) == (1, first["hashed"])


def test_a_layer_that_has_only_executables_does_not_serve_all_files(store):
    data = pack(docker_members([(["x"], [layer(*BASE)])]))
    assert store.archive(data)["layers_hashed"] == 1
    result = store.archive(data, "-", "all")
    assert result["layers_hashed"] == 1
    check(store, result, [BASE])
    assert store.archive(data)["layers_shared"] == 1


def test_a_known_name_on_other_content(store):
    """A layer that nobody looks into is still digested."""
    known, other = layer(file("a", ELF)), layer(file("b", ELF))
    assert store.archive(pack(docker_members([(["x"], [known])])))["result"] == 0
    config = config_of([other])
    manifest = [{"Config": "c.json", "RepoTags": ["y"], "Layers": [f"{sha256(other)}/{sha256(known)}.tar"]}]
    result = store.archive(pack([(f"{sha256(other)}/{sha256(known)}.tar", other), ("c.json", config),
                                 ("manifest.json", json.dumps(manifest).encode())]))
    assert result["result"] == CORRUPT and "not what its name says" in result["message"]


# --- which image ----------------------------------------------------------------------------------

def test_several_images(store):
    one, two = [layer(*BASE)], [layer(*BASE), layer(*TOP)]
    data = pack(docker_members([(["x:1", "x:latest"], one), (["localhost/y:1"], two)]))
    result = store.archive(data)
    assert result["result"] == AMBIGUOUS
    assert "docker.io/library/x:1" in result["message"] and "localhost/y:1" in result["message"]
    assert_clean(store)
    for reference, layers, name in (("x", [BASE], "docker.io/library/x:latest"), ("y:1", [BASE, TOP], "localhost/y:1"),
                                    ("docker.io/library/x:1", [BASE], "docker.io/library/x:1"),
                                    (sha256(config_of(two))[:12], [BASE, TOP], "localhost/y:1"),
                                    ("sha256:" + sha256(config_of(one)), [BASE], "docker.io/library/x:1")):
        result = store.archive(data, reference, "all")
        check(store, result, layers)
        assert result["name"] == name
    for reference in ("z", "x:2", "example.org/x:1", sha256(config_of(two))[:11], "", "x y", "@", "x@sha256:0"):
        result = store.archive(data, reference or "?")
        assert result["result"] == NOTFOUND, (reference, result)


# --- what is not what it says ---------------------------------------------------------------------

def changed(members, name, data):
    assert name in dict(members)
    return [(n, data if n == name else d) for n, d in members]


def docker_with(tars, layers=None, **manifest):
    members = docker_members([(["x"], tars)])
    entry = json.loads(dict(members)["manifest.json"])[0]
    entry.update(manifest)
    if layers is not None:
        members = [*layers, *[m for m in members if "layer.tar" not in m[0]]]
    return changed(members, "manifest.json", json.dumps([entry]).encode())


def bad_archives():
    tar = layer(*BASE)
    good, oci = docker_members([(["x"], [tar])]), oci_members([("x:1", [tar])])
    path = good[0][0]
    config = good[1][0]
    yield "nothing", b""
    yield "zeros", bytes(10240)
    yield "no archive", b"#!/bin/sh\n" * 1000
    yield "a container's export", layer(*BASE)
    yield "no manifest", pack(good[:-1])
    yield "manifest is no list", pack(changed(good, "manifest.json", b"{}"))
    yield "manifest is no JSON", pack(changed(good, "manifest.json", b"[{]"))
    yield "manifest is deep", pack(changed(good, "manifest.json", b"[" * 100000 + b"]" * 100000))
    yield "manifest is deeper than any is", pack(changed(good, "manifest.json", json.dumps([
        {**json.loads(dict(good)["manifest.json"])[0], "x": json.loads("[" * 40 + "]" * 40)}]).encode()))
    yield "a key twice", pack(changed(good, "manifest.json", json.dumps([{
        "Config": config, "Layers": [path]}]).replace('"Layers"', '"Layers": [], "Layers"').encode()))
    yield "manifest is compressed", pack(changed(good, "manifest.json", gzip.compress(dict(good)["manifest.json"])))
    yield "other layer", pack(changed(good, path, layer(*BASE, file("more"))))
    yield "layer is missing", pack(good[1:])
    yield "config is missing", pack([good[0], good[2]])
    yield "config is misnamed", pack(changed(good, config, dict(good)[config] + b" "))
    yield "layer is no tar", pack(changed(good, path, b"x" * 4096))
    yield "more layers than diff ids", pack(docker_with([tar], Layers=[path, path]))
    yield "fewer layers than diff ids", pack(docker_with([tar], Layers=[]))
    yield "layers are no list", pack(docker_with([tar], Layers={}))
    yield "layers are numbers", pack(docker_with([tar], Layers=[1]))
    yield "a member twice", pack([*good, good[0]])
    yield "member above the root", pack([("../x", b"x"), *good])
    yield "links in a circle", pack([("a", "b"), ("b", "a"), *docker_with([tar], layers=[], Layers=["a"])])
    yield "blob is misnamed", pack([*oci, ("blobs/sha256/" + "0" * 64, b"x")])
    yield "index is no object", pack(changed(oci, "index.json", b"[]"))
    yield "index in itself", pack([("index.json", json.dumps({"manifests": 1}).encode())])
    yield "cut in the middle", pack(good)[:len(tar) // 2]
    yield "cut before the manifest", pack(good)[:-20000]
    yield "cut in the gzip", gzip.compress(pack(good))[:-4000]
    yield "layer cut in the middle", pack(docker_members([(["x"], [tar[:len(tar) // 2 + 100]])]))
    for how in (lambda t: gzip.compress(t, 1)[:-40], lambda t: gzip.compress(t, 1)[:-2000],
                lambda t: gzip.compress(t[:2000]), lambda t: gzip.compress(gzip.compress(t))):
        yield f"layer's gzip is cut or doubled {len(how(tar))}", pack(oci_members([("x:1", [tar])], how))


BAD = dict(bad_archives())


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("what", BAD)
def test_bad_archives(store, what, piped):
    result = store.archive(BAD[what], piped=piped)
    assert result["result"] == CORRUPT and result["message"], result
    assert_clean(store)


@pytest.mark.parametrize("what,entries", [
    ("parent in a name", [file("a/../../x")]), ("parent alone", [file("..")]),
    ("parent in a hard link", [file("a"), hardlink("b", "../a")]),
    ("hard link to nothing", [hardlink("b", "a")]), ("hard link before its target", [hardlink("b", "a"), file("a")]),
    ("hard link to a directory", [directory("a"), hardlink("b", "a")]),
    ("hard link to what is hidden", [file(".wh.a"), hardlink("b", "a")]),
    ("beneath a file", [file("a"), file("a/b")]), ("beneath a device", [device("a", 1, 3), file("a/b/c")]),
    ("links in a circle", [symlink("a", "b"), symlink("b", "a"), file("a/c")]),
    ("whiteout of the directory itself", [file("a/.wh..")]), ("whiteout of the parent", [file("a/.wh...")]),
    ("whiteout of no name", [file(".wh.")]), ("opaque file", [file("a"), file("a/.wh..wh..opq")]),
    ("root is a file", [file("./.", b"x")]), ("link to nothing", [symlink("a", "")]),
    ("capabilities too long", [file("a", ELF, 0o755, xattrs={"security.capability": b"x" * 25})]),
    ("owner too large", [file("a", uid=1 << 32)]),
])
def test_bad_layers(store, what, entries):
    if what not in ("root is a file", "link to nothing", "capabilities too long", "owner too large"):
        with pytest.raises(Corrupt):
            expected([entries])
    result = store.archive(pack(docker_members([(["x"], [layer(*entries)])])))
    assert result["result"] == CORRUPT and result["message"], (what, result)
    assert_clean(store)


def test_no_layers(store):
    result = store.archive(pack(docker_members([(["x"], [])])))
    assert result["result"] == UNSUPPORTED
    assert_clean(store)


def test_good_layers_that_look_odd(store):
    layers = [
        [file("a/b/c", ELF), file("a", b"#!now a file"), directory("d"), file("d/e", ELF), file("d", ELF)],
        [directory("a"), file("a/x", ELF), file(".wh.d"), file("d/f", ELF), symlink("l", "/a/./../a"),
         file("l/through", ELF)],
        [file("{", ELF), file("[", ELF), file("////z//./y", ELF), directory("z", 0o711)],
        [file("a/.wh..wh.plnk"), file("a/.wh.x"), file("a/x", b"#!back"), device("z", 0, 0)],
        [file("twice", b"#!1"), file("twice", b"#!2", 0o755), hardlink("thrice", "twice", 0o4711, 5, 6)],
        [],
    ]
    tars = [layer(*entries) for entries in layers]
    check(store, store.archive(pack(docker_members([(["x"], tars)])), "-", "all"), layers)


def test_marks_before_and_after_their_directory(store):
    """A directory that is named after its mark is as opaque as one that is named before it."""
    low = [file(f"{d}/hidden", ELF) for d in "abcdef"]
    layers = [low, [file("a/.wh..wh..opq"), directory("a", 0o711), directory("b"), file("b/.wh..wh..opq"),
                    file("c/.wh..wh..opq"), file(".wh.d"), directory("d"), directory("e"), file(".wh.e"),
                    file(".wh.f"), file("f/x", ELF)]]
    check(store, store.archive(pack(docker_members([(["x"], [layer(*e) for e in layers])])), "-", "all"), layers)
    assert expected(layers).keys() == {b"/a", b"/b", b"/c", b"/d", b"/e", b"/f", b"/f/x"}


def test_what_was_beneath_a_file_does_not_come_back(store):
    layers = [[file("d/x", ELF), file("d/e/y", ELF), file("d", ELF), directory("d"), file("d/z", ELF)]]
    check(store, store.archive(pack(docker_members([(["x"], [layer(*e) for e in layers])])), "-", "all"), layers)
    assert expected(layers).keys() == {b"/d", b"/d/z"}


def test_hard_links_with_a_body(store):
    """Some readers take it for the content, some for the next header."""
    for fmt in (tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT):
        info = tarfile.TarInfo("b")
        info.type, info.linkname, info.size = tarfile.LNKTYPE, "a", 512
        info.pax_headers = {"comment": "pax"}
        tar = layer(file("a", ELF), fmt=fmt)[:1024] + info.tobuf(fmt) + ELF.ljust(512, b"x") + bytes(1024)
        result = store.archive(pack(docker_members([(["x"], [tar])])))
        assert result["result"] == CORRUPT, fmt
        assert_clean(store)


def test_files_of_holes(store, tmp_path):
    """A few bytes that say they are very many."""
    with open(tmp_path / "holes", "wb") as out:
        out.write(ELF)
        out.truncate(1_200_000_000)
    tar = subprocess.run(["tar", "-S", "--mode=755", "-C", tmp_path, "-c", "holes"], check=True,
                         capture_output=True).stdout
    assert len(tar) < 20_000
    result = store.archive(pack(docker_members([(["x"], [tar])])))
    assert result["result"] == CORRUPT and "holes" in result["message"]
    assert_clean(store)


def test_opaque_root(store):
    layers = [BASE, [file(".wh..wh..opq"), file("only", ELF)]]
    check(store, store.archive(pack(docker_members([(["x"], [layer(*e) for e in layers])])), "-", "all"), layers)


def test_hashes_of_sparse_files(store, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    with open(tree / "sparse", "wb") as out:
        out.write(ELF)
        out.seek(5_000_000)
        out.write(b"end")
        out.truncate(9_000_000)
    for fmt in ("gnu", "pax"):
        tar = subprocess.run(["tar", "-S", f"--format={fmt}", "-C", tree, "-c", "sparse"], check=True,
                             capture_output=True).stdout
        assert len(tar) < 100_000
        result = Store(tmp_path / fmt).archive(pack(docker_members([(["x"], [tar])])))
        assert result["result"] == 0 and result["bytes"] == 9_000_000
        found = Store(tmp_path / fmt).entries(result["id"])[b"/sparse"]
        assert found[7] == sha256((tree / "sparse").read_bytes())


def test_names_that_are_too_long_are_left_out(store):
    long = "/".join(["d" * 200] * 50)
    tars = [layer(file(long, ELF), file("here", ELF), symlink("link", "x" * 9000))]
    result = store.archive(pack(docker_members([(["x"], tars)])), "-", "all")
    assert result["result"] == 0 and result["too_long"] == 2
    assert store.entries(result["id"]).keys() == {b"/here"}
    # What is not whole serves nobody else.
    assert store.sql("SELECT count(*) FROM snapshot WHERE kind = 7") == [(0,)]


def many(names):
    """The tar of small scripts, each with its name in it; tarfile takes a minute for so many."""
    info = tarfile.TarInfo("")
    info.mode = 0o755
    template = info.tobuf(tarfile.USTAR_FORMAT)
    out = []
    for name in names:
        data = b"#!" + name.encode()
        head = bytearray(template)
        head[:len(name)], head[124:136] = name.encode(), b"%011o\0" % len(data)
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        out += [bytes(head), data, bytes(-len(data) % 512)]
    return b"".join([*out, bytes(1024)])


def test_many_entries(store):
    names = [f"d{i % 100}/f{i}" for i in range(100_000)]
    random.Random(1).shuffle(names)
    data = pack(docker_members([(["x"], [many(names), layer(file("d7/.wh..wh..opq"))])]))
    result = store.archive(data)
    assert result["result"] == 0 and result["executables"] == 99_000
    paths = store.entries(result["id"])
    assert paths.keys() == {b"/" + n.encode() for n in names if not n.startswith("d7/")}
    assert paths[b"/d8/f8"][7] == sha256(b"#!d8/f8")


def test_a_directory_of_very_many_becomes_a_file(store):
    entries = [file(f"d/f{i}", ELF) for i in range(3000)] + [file("e", ELF), file("d", ELF)]
    check(store, store.archive(pack(docker_members([(["x"], [layer(*entries)])])), "-", "all"), [entries])


def test_an_end_by_signal_leaves_nothing(store):
    tar = layer(*[file(f"f{i}", ELF + bytes([i]) * 40_000) for i in range(50)])
    head = pack(docker_members([(["x"], [tar])]))[:len(tar) // 2]
    with subprocess.Popen([SOURCES, store.path, "archive", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdin.write(head)
        process.stdin.flush()
        # It waits for more: it has begun when its row is there.
        deadline = time.monotonic() + 30
        while not (os.path.exists(store.path + "/baseline.db") and process.poll() is None and
                   store.sql("SELECT name FROM sqlite_master WHERE name = 'snapshot'") and store.published()):
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        out = process.stdout.read()
        process.stdin.close()
        assert process.wait(30) == 1
    assert json.loads(out)["result"] == -125  # ECANCELED
    assert_clean(store)


# --- any archive ----------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "a.", "a\n"]


def random_entries(rng):
    entries = []
    for _ in range(rng.randrange(12)):
        path = "/".join(rng.choice(NAMES) for _ in range(rng.randrange(1, 4)))
        target = "/".join(rng.choice([*NAMES, "..", "."]) for _ in range(rng.randrange(1, 3)))
        base = path.rsplit("/", 1)
        entries.append(rng.choice([
            lambda p=path: file(p, rng.choice([ELF, b"#!x", b"data"]) + bytes([rng.randrange(4)]),
                                rng.choice([0o644, 0o755, 0o4755])),
            lambda p=path: directory(p, rng.choice([0o755, 0o700]), rng.randrange(3)),
            lambda p=path, t=target: symlink(p, rng.choice(["", "/"]) + t),
            lambda p=path: hardlink(p, rng.choice(entries)["name"] if entries else "a"),
            lambda b=base: file("/".join([*b[:-1], ".wh." + b[-1]])),
            lambda p=path: file(p + "/.wh..wh..opq"),
            lambda p=path: device(p, rng.randrange(2), 0),
        ])())
    return entries


def test_any_archive_is_as_the_model_says(tmp_path):
    rng = random.Random(int(os.environ.get("EXECWARD_ARCHIVE_SEED", "4")))
    good = bad = 0
    for i in range(int(os.environ.get("EXECWARD_ARCHIVE_RUNS", "100"))):
        layers = [random_entries(rng) for _ in range(rng.randrange(1, 5))]
        store = Store(tmp_path / str(i))
        result = store.archive(pack(docker_members([(["x"], [layer(*entries) for entries in layers])])), "-", "all")
        try:
            expected(layers)
        except Corrupt:
            assert result["result"] == CORRUPT, (i, layers)
            bad += 1
            continue
        assert result["result"] == 0, (i, layers, result)
        check(store, result, layers)
        good += 1
        shutil.rmtree(store.path)
    assert good > 20 and bad > 10


def test_a_hard_link_that_makes_a_program(store):
    entries = [file("a", b"data"), hardlink("b", "a", 0o755)]
    data = pack(docker_members([(["x"], [layer(*entries)])]))
    assert store.archive(data)["result"] == CORRUPT
    assert_clean(store)
    check(store, store.archive(data, "-", "all"), [entries])
