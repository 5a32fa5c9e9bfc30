"""allowlist create: each source, with real packages and a real image; what cannot be listed; what is hostile."""
import functools
import hashlib
import json
import os
import shutil
import struct
import subprocess

import pytest

from envelopes import Signer, fine, openssl, run

SCRIPT = b"#!/bin/sh\n"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for podman's storage and dpkg --root")
EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tool(*argv, out="-", env=None, **kwargs):
    return run("allowlist", "create", "--series", "example.org/web", "--valid-for", "90d", "-o", out, *argv,
               env=EPOCH | (env or {}), **kwargs)


def listed(*argv, code=0, **kwargs):
    """{name: digest} of the list that is written."""
    result = tool(*argv, **kwargs)
    assert result.returncode == code, result.stderr
    body = json.loads(result.stdout)
    names = [subject["name"] for subject in body["subject"]]
    assert names == sorted(names, key=os.fsencode)
    return {subject["name"]: subject["digest"]["sha256"] for subject in body["subject"]}


def put(path, data, mode=0o755):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    put(tree / "usr/bin/script", SCRIPT)
    put(tree / "usr/bin/elf", b"\x7fELF" + b"x" * 200000, 0o644)
    put(tree / "usr/share/data", b"data", 0o644)
    os.symlink("script", tree / "usr/bin/link")
    return tree


# --- trees ----------------------------------------------------------------------------------------

def test_rootfs(tree, tmp_path):
    expected = {"/usr/bin/script": sha256(SCRIPT), "/usr/bin/elf": sha256(b"\x7fELF" + b"x" * 200000)}
    assert listed("--rootfs", tree) == expected
    assert listed("--rootfs", tree, "--all-files") == expected | {"/usr/share/data": sha256(b"data")}
    # The same whatever the order, how often it is named, and where it lies.
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy, symlinks=True)
    first = tool("--rootfs", tree, "--rootfs", copy).stdout
    assert first == tool("--rootfs", copy).stdout == tool("--rootfs", tree).stdout
    assert tool("--rootfs", tmp_path / "none").returncode == 66
    assert tool("--rootfs", tree / "usr/bin/script").returncode == 66
    os.mkdir(tmp_path / "empty")
    assert tool("--rootfs", tmp_path / "empty", out=tmp_path / "no").returncode == 66
    assert not os.path.exists(tmp_path / "no")


def test_names_that_no_list_can_have(tree):
    put(os.fsencode(tree / "usr/bin") + b"/new\nline", SCRIPT)
    put(os.fsencode(tree / "usr/bin") + b"/esc\x1b[2J", SCRIPT)
    put(os.fsencode(tree / "usr/bin") + b"/latin\xe9", SCRIPT)
    result = tool("--rootfs", tree)
    assert result.returncode == 1 and len(json.loads(result.stdout)["subject"]) == 2
    for text in (rb"left out: /usr/bin/new\x0aline: has a control character",
                 rb"left out: /usr/bin/esc\x1b[2J: has a control character",
                 rb"left out: /usr/bin/latin\xe9: is not UTF-8"):
        assert text in result.stderr
    assert b"\x1b" not in result.stderr
    for i in range(25):
        put(os.fsencode(tree / "usr/bin") + b"/c\x07%d" % i, SCRIPT)
    result = tool("--rootfs", tree, "--json", out=tree / "o")
    assert b"and 8 more were left out" in result.stderr
    assert result.returncode == 1 and json.loads(result.stdout)["left_out"] == 28


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    """A podman with a storage of its own, and an image in it."""
    place = tmp_path_factory.mktemp("podman")
    root = place / "root"
    put(root / "usr/bin/tool", SCRIPT + b"1")
    put(root / "usr/share/data", b"data", 0o644)
    subprocess.run(["tar", "-C", root, "-cf", place / "root.tar", "."], check=True)
    call = functools.partial(subprocess.run, check=True, capture_output=True, timeout=120)
    call.words = ["podman", "--root", str(place / "storage"), "--runroot", str(place / "run")]
    call([*call.words, "import", place / "root.tar", "localhost/tool:1"])
    call([*call.words, "save", "-o", place / "docker.tar", "localhost/tool:1"])
    call([*call.words, "save", "--format", "oci-archive", "-o", place / "oci.tar", "localhost/tool:1"])
    (place / "config.yaml").write_text(f"runtimes:\n  podman: {place}/storage\nstate_dir: {place}/state\n")
    yield place
    call([*call.words, "rmi", "-f", "localhost/tool:1"])
    subprocess.run(["umount", place / "storage/overlay"], check=False, capture_output=True)


@ROOT
def test_image(podman, tmp_path):
    expected = {"/usr/bin/tool": sha256(SCRIPT + b"1")}
    scratch = {"TMPDIR": str(tmp_path)}
    assert listed("--image", "tool:1", "--config", podman / "config.yaml", env=scratch) == expected
    for name in ("docker.tar", "oci.tar"):
        assert listed("--archive", podman / name, env=scratch) == expected
        with open(podman / name, "rb") as file:
            assert listed("--archive", "-", "--all-files", stdin=file, env=scratch) == \
                   expected | {"/usr/share/data": sha256(b"data")}
    result = tool("--image", "none:1", "--config", podman / "config.yaml", env=scratch)
    assert result.returncode == 66 and b"none:1" in result.stderr
    assert os.listdir(tmp_path) == []  # nothing is left behind
    assert not os.path.exists(podman / "state")  # and the daemon's database not touched


def test_bad_archives(tmp_path, tree):
    assert tool("--archive", tmp_path / "none").returncode == 66
    assert tool("--archive", put(tmp_path / "bad", b"no archive"), env={"TMPDIR": str(tmp_path)}).returncode == 65
    assert tool("--archive", tree, env={"TMPDIR": str(tmp_path)}).returncode == 74
    assert tool("--archive", tmp_path / "bad", env={"TMPDIR": str(tmp_path / "none")}).returncode == 73
    assert sorted(os.listdir(tmp_path)) == ["bad", "tree"]


@ROOT
def test_snapshot(tree, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    config = tmp_path / "config.yaml"
    config.write_text(f"state_dir: {tmp_path}/state\nruntime_dir: {tmp_path}/run\n")
    fine("--config", config, "snapshot", "create", "--rootfs", tree, "--name", "web")
    assert listed("--config", config, "--snapshot", "web") == listed("--rootfs", tree)
    assert tool("--config", config, "--snapshot", "none").returncode == 66
    # export is the same by another way.
    argv = ("--series", "example.org/web", "--valid-for", "90d", "-o", "-", "--scope", "host=a", "--version", "4")
    exported = fine("--config", config, "snapshot", "export", "web", *argv, env=EPOCH).stdout
    assert exported == tool("--rootfs", tree, "--scope", "host=a", "--version", "4").stdout


# --- names and sums -------------------------------------------------------------------------------

def test_files(tree, tmp_path):
    script = os.path.realpath(tree / "usr/bin/script")
    data = os.path.realpath(tree / "usr/share/data")
    expected = {script: sha256(SCRIPT), data: sha256(b"data")}
    assert listed(tree / "usr/bin/link", tree / "usr/share/data") == expected
    names = f"{script}\n\n{data}\n".encode()
    assert listed("--files", put(tmp_path / "names", names)) == expected
    assert listed("--files", "-", input=names[:-1]) == expected
    assert listed("--files", "-", input=f"{script}\0{data}\0".encode()) == expected
    assert listed(script, "--files", "-", input=data.encode()) == expected
    for argv in ([tree / "none"], [tree / "usr"], ["/dev/null"], ["--files", tmp_path / "none"]):
        result = tool(*argv)
        assert result.returncode == 66 and str(argv[-1]).encode() in result.stderr
    assert tool("--files", "-", input=b"/none\n").returncode == 66
    assert tool("--files", "-", input=b"").returncode == 66


def test_sums_of_sha256sum(tree):
    """What the real program writes, in all its ways."""
    put(os.fsencode(tree / "usr/bin") + b"/back\\slash", SCRIPT)
    put(os.fsencode(tree / "usr/bin") + b"/new\nline", SCRIPT)
    shell = functools.partial(subprocess.run, shell=True, check=True, capture_output=True, cwd=tree)
    for options in ("", "--binary", "--tag"):
        sums = shell(f"find . -type f -print0 | xargs -0 sha256sum {options}").stdout
        found = listed("--sums", "-", code=1, input=sums)
        assert found["/usr/bin/back\\slash"] == sha256(SCRIPT) and found["/usr/share/data"] == sha256(b"data")
        assert len(found) == 4
    found = listed("--sums", "-", input=shell("sha256sum usr/bin/script").stdout)
    assert found == {"/usr/bin/script": sha256(SCRIPT)}
    result = tool("--sums", "-", input=shell("md5sum usr/bin/script").stdout)
    assert result.returncode == 65 and b"stdin: line 1: a sum that is not SHA-256" in result.stderr


@pytest.mark.parametrize("line", [
    b"x", b"\0", sha256(b"").encode(), sha256(b"").encode() + b"  ", sha256(b"").encode() + b" /a",
    b"g" + sha256(b"").encode()[1:] + b"  /a", b"\\" + sha256(b"").encode() + b"  /a\\x",
    b"\\" + sha256(b"").encode() + b"  /a\\", sha256(b"").encode() + b"  /a\0b",
    sha256(b"").encode() + b"  /" + b"a" * 5000, b"SHA256 (/a) = 00", b"SHA512 (/a) = " + b"0" * 128])
def test_bad_sums(tmp_path, line):
    result = tool("--sums", put(tmp_path / "sums", sha256(b"x").encode() + b"  /good\n" + line + b"\n"),
                  out=tmp_path / "out")
    assert result.returncode == 65 and b"line 2" in result.stderr
    assert not os.path.exists(tmp_path / "out")


def test_sums_whose_names_climb(tmp_path):
    sums = "".join(f"{sha256(b'x')}  {name}\n" for name in ("../etc/x", "/a/../b", "a//b", "/good", "./.", "."))
    result = tool("--sums", put(tmp_path / "sums", sums.encode()))
    assert result.returncode == 1
    assert [subject["name"] for subject in json.loads(result.stdout)["subject"]] == ["/good"]


# --- bills of materials ---------------------------------------------------------------------------

H, OTHER = sha256(b"x"), sha256(b"y")


def cyclonedx(*components):
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": list(components)}


def component(name, *hashes, **more):
    return {"type": "file", "name": name,
            "hashes": [{"alg": alg, "content": content} for alg, content in hashes]} | more


def spdx(*files):
    return {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "files": [
        {"fileName": name, "checksums": [{"algorithm": alg, "checksumValue": value} for alg, value in sums]}
        for name, *sums in files]}


def sbom(tmp_path, document):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return put(tmp_path / "sbom.json", text)


def test_sbom(tmp_path):
    bill = cyclonedx(component("/usr/bin/a", ("MD5", "00"), ("SHA-256", H)),
                     {"type": "library", "name": "lib", "hashes": [{"alg": "SHA-256", "content": OTHER}],
                      "components": [component("usr/bin/b", ("SHA-256", H.upper()))]})
    assert listed("--sbom", sbom(tmp_path, bill)) == {"/usr/bin/a": H, "/usr/bin/b": H}
    bill = spdx(("./usr/bin/a", ("SHA1", "0" * 40), ("SHA256", H)), ("/usr/bin/b", ("SHA256", OTHER)))
    assert listed("--sbom", "-", input=json.dumps(bill).encode()) == {"/usr/bin/a": H, "/usr/bin/b": OTHER}


def test_sbom_without_sha256(tmp_path):
    result = tool("--sbom", sbom(tmp_path, cyclonedx(
        component("/good", ("SHA-256", H)), component("/weak", ("MD5", "0" * 32), ("SHA-1", "0" * 40)),
        component("/strong", ("SHA-1", "0" * 40), ("SHA-512", "0" * 128)), component("/bare"),
        component("/c\x1b", ("SHA-256", H)))), "--json", out=tmp_path / "out")
    assert result.returncode == 1
    assert json.loads(result.stdout)["left_out"] == 4 and json.loads(result.stdout)["subjects"] == 1
    for text in (b"left out: /weak: its only digests are weak", b"left out: /strong: it has no SHA-256, and a list",
                 b"left out: /bare: it has no digest", rb"left out: /c\x1b: has a control character"):
        assert text in result.stderr
    assert tool("--sbom", sbom(tmp_path, cyclonedx(component("/weak", ("MD5", "0" * 32))))).returncode == 66


def deep(levels):
    document = bottom = cyclonedx()
    for _ in range(levels):
        bottom["components"].append(component("/a", ("SHA-256", H), components=[]))
        bottom = bottom["components"][0]
    return document


@pytest.mark.parametrize("document", [
    b"", b"[]", b"{}", b"x", b"\xff", b'{"bomFormat":"Other"}', {"spdxVersion": "SPDX-3.0"}, {"@graph": []},
    json.dumps(cyclonedx(component("/a", ("SHA-256", H)))).encode() + b"x",
    b'{"bomFormat":"CycloneDX","components":[],"components":[]}',
    b'{"bomFormat":"CycloneDX","components":[{"type":"file","name":"/a","name":"/b"}]}',
    cyclonedx(component("/a", ("SHA-256", H[:-1]))), cyclonedx(component("/a", ("SHA-256", "g" + H[1:]))),
    cyclonedx(component("/a", ("SHA-256", H), ("SHA-256", OTHER))), cyclonedx(component("/a", ("SHA-256", None))),
    cyclonedx(component(None, ("SHA-256", H))), cyclonedx(component("", ("SHA-256", H))),
    cyclonedx(component("/" + "a" * 5000, ("SHA-256", H))), cyclonedx(component("/a", (None, H))),
    cyclonedx("a"), cyclonedx() | {"components": {}}, cyclonedx(component("/a") | {"hashes": H}),
    spdx() | {"files": {}}, spdx() | {"files": ["a"]}, spdx(("/a", ("SHA256", "0"))), deep(16)])
def test_bad_sboms(tmp_path, document):
    result = tool("--sbom", sbom(tmp_path, document), out=tmp_path / "out")
    assert result.returncode == 65 and b"sbom.json: " in result.stderr
    assert not os.path.exists(tmp_path / "out")


def test_deep_and_huge_sboms(tmp_path):
    assert listed("--sbom", sbom(tmp_path, deep(15))) == {"/a": H}
    for bomb in (b"[" * 1000000, b'{"a":' * 1000000):
        assert tool("--sbom", sbom(tmp_path, bomb)).returncode == 65
    with open(tmp_path / "huge", "wb") as file:
        file.truncate((64 << 20) + 1)
    result = tool("--sbom", tmp_path / "huge")
    assert result.returncode == 65 and b"too large" in result.stderr


# --- packages -------------------------------------------------------------------------------------

def build_deb(tmp_path, files, name="tool", compression="xz"):
    root = tmp_path / f"deb-{name}"
    for path, (data, mode) in files.items():
        put(root / path, data, mode)
    put(root / "DEBIAN/control", f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n"
                                 f"Description: test\n".encode(), 0o644)
    os.chmod(root / "DEBIAN", 0o755)
    return root, tmp_path / f"{name}.deb", compression


def pack(root, deb, compression):
    subprocess.run(["dpkg-deb", "--root-owner-group", f"-Z{compression}", "-b", root, deb], check=True,
                   capture_output=True)
    return deb


FILES = {"usr/bin/tool": (SCRIPT, 0o755), "usr/share/doc/tool/copyright": (b"free", 0o644)}


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_deb(tmp_path, compression):
    root, deb, _ = build_deb(tmp_path, FILES)
    os.link(root / "usr/bin/tool", root / "usr/bin/again")
    os.symlink("tool", root / "usr/bin/link")
    pack(root, deb, compression)
    expected = {"/usr/bin/tool": sha256(SCRIPT), "/usr/bin/again": sha256(SCRIPT)}
    assert listed("--package-file", deb) == expected
    with open(deb, "rb") as file:
        assert listed("--package-file", "-", "--all-files", stdin=file) == \
               expected | {"/usr/share/doc/tool/copyright": sha256(b"free")}


def build_rpm(tmp_path, payload="w9.gzdio"):
    spec = tmp_path / "tool.spec"
    spec.write_text("Name: tool\nVersion: 1\nRelease: 1\nSummary: t\nLicense: t\nBuildArch: noarch\n"
                    "%description\nt\n%install\nmkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share\n"
                    "printf '#!/bin/sh\\n' > %{buildroot}/usr/bin/tool\nchmod 755 %{buildroot}/usr/bin/tool\n"
                    "ln %{buildroot}/usr/bin/tool %{buildroot}/usr/bin/again\n"
                    "ln %{buildroot}/usr/bin/tool %{buildroot}/usr/bin/more\n"
                    "ln -s tool %{buildroot}/usr/bin/link\necho data > %{buildroot}/usr/share/data\n"
                    "%files\n/usr/bin/tool\n/usr/bin/again\n/usr/bin/more\n/usr/bin/link\n/usr/share/data\n")
    subprocess.run(["rpmbuild", "--quiet", "-bb", "--define", f"_topdir {tmp_path}/rpm", "--define",
                    f"_binary_payload {payload}", "--define", "__os_install_post %{nil}", spec], check=True,
                   capture_output=True)
    return tmp_path / "rpm/RPMS/noarch/tool-1-1.noarch.rpm"


@pytest.mark.parametrize("payload", ["w9.gzdio", "w2.xzdio", "w3.zstdio", "w9.bzdio"])
def test_rpm(tmp_path, payload):
    rpm = build_rpm(tmp_path, payload)
    expected = {name: sha256(SCRIPT) for name in ("/usr/bin/tool", "/usr/bin/again", "/usr/bin/more")}
    assert listed("--package-file", rpm) == expected
    assert listed("--package-file", rpm, "--all-files") == expected | {"/usr/share/data": sha256(b"data\n")}


def test_damaged_packages(tmp_path):
    deb = pack(*build_deb(tmp_path, FILES))
    data = deb.read_bytes()
    for name, bad in (("empty", b""), ("text", b"no package"), ("ar", b"!<arch>\n"), ("cut", data[:-100]),
                      ("rpm", b"\xed\xab\xee\xdb" + b"\0" * 200),
                      ("flipped", data[:-40] + bytes([data[-40] ^ 0xff]) + data[-39:])):
        result = tool("--package-file", put(tmp_path / name, bad), out=tmp_path / "out")
        assert result.returncode == 65, (name, result)
        assert not os.path.exists(tmp_path / "out")
    assert tool("--package-file", tmp_path / "none").returncode == 66


@pytest.mark.parametrize("member", ["../../etc/evil", "usr/../../evil", "x/" * 10000 + "y"],
                         ids=["up", "within", "long"])
def test_debs_whose_names_climb(tmp_path, member):
    """A path bomb: an ar with a tar that dpkg-deb would never write."""
    put(tmp_path / "file", SCRIPT)
    subprocess.run(["tar", "-C", tmp_path, "-cPf", tmp_path / "data.tar", f"--transform=s,^file$,{member},", "file"],
                   check=True)
    put(tmp_path / "debian-binary", b"2.0\n", 0o644)
    subprocess.run(["ar", "r", tmp_path / "bomb.deb", tmp_path / "debian-binary", tmp_path / "data.tar"], check=True,
                   capture_output=True)
    result = tool("--package-file", tmp_path / "bomb.deb")
    assert result.returncode == 65 and b"no name that a file can have" in result.stderr


@pytest.fixture
def root(tmp_path):
    """A tree with an empty dpkg database, /bin merged into /usr."""
    root = tmp_path / "root"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin", "etc"):
        os.makedirs(root / name)
    os.symlink("usr/bin", root / "bin")
    for name in ("status", "available", "diversions"):
        put(root / "var/lib/dpkg" / name, b"", 0o644)
    return root


@ROOT
def test_installed_package(root, tmp_path):
    deb = pack(*build_deb(tmp_path, FILES | {"bin/old": (SCRIPT + b"2", 0o755)}))
    subprocess.run(["dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "-i", deb], check=True,
                   capture_output=True)
    put(root / "usr/bin/other", SCRIPT)  # not of the package
    expected = {"/usr/bin/tool": sha256(SCRIPT), "/usr/bin/old": sha256(SCRIPT + b"2")}
    assert listed("--package", "tool", "--rootfs", root) == expected
    assert listed("--rootfs", root, "--package", "tool:all") == expected
    for name in ("tool:amd64", "too", "tools", "../tool", "tool:", ""):
        assert tool("--package", name, "--rootfs", root).returncode == (66 if name else 64)
    os.unlink(root / "usr/bin/old")
    result = tool("--package", "tool", "--rootfs", root)
    assert result.returncode == 0 and b"1 of its files are not there" in result.stderr
    # A link that somebody put into the way is no way out of the tree.
    os.rename(root / "usr/bin", root / "usr/moved")
    os.symlink("/usr/bin", root / "usr/bin")
    result = tool("--package", "tool", "--rootfs", root)
    assert result.returncode == 66 and b"there is a link on the way to it" in result.stderr


def test_installed_package_of_this_host():
    owner = subprocess.run(["dpkg", "-S", os.path.realpath("/usr/bin/env")], capture_output=True, check=True, text=True)
    package = owner.stdout.split(":")[0]
    with open("/usr/bin/env", "rb") as file:
        assert listed("--package", package)["/usr/bin/env"] == sha256(file.read())


@ROOT
def test_installed_rpm(tmp_path):
    rpm = build_rpm(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["rpm", f"--root={root}", "--dbpath=/var/lib/rpm", "--initdb"], check=True, capture_output=True)
    subprocess.run(["rpm", f"--root={root}", "--dbpath=/var/lib/rpm", "--nodeps", "--noscripts", "-i", rpm], check=True,
                   capture_output=True)
    assert listed("--package", "tool", "--rootfs", root) == {
        name: sha256(SCRIPT) for name in ("/usr/bin/tool", "/usr/bin/again", "/usr/bin/more")}
    assert tool("--package", "none", "--rootfs", root).returncode == 66


def test_no_database(tmp_path):
    result = tool("--package", "tool", "--rootfs", tmp_path)
    assert result.returncode == 66 and b"no package database" in result.stderr


# --- signatures of single files -------------------------------------------------------------------

class Ima:
    """Somebody who signs files with evmctl, and a directory in which that key is trusted."""

    def __init__(self, folder):
        self.key, self.keys = folder / "ima.key", folder / "keys"
        self.keys.mkdir(mode=0o755)
        pem = self.keys / "ima.pem"
        for argv in (["genpkey", "-quiet", "-out", self.key, "-algorithm", "EC", "-pkeyopt",
                      "ec_paramgen_curve:P-256"], ["pkey", "-in", self.key, "-pubout", "-out", pem]):
            assert openssl(*argv).returncode == 0
        self.trust()

    def trust(self, **settings):
        (self.keys / "ima.json").write_text(json.dumps({"uses": ["ima"]} | settings))

    def sign(self, path, digest="sha256"):
        """Leaves PATH.sig."""
        subprocess.run(["evmctl", "ima_sign", "-n", "-f", "-a", digest, "-k", self.key, path], check=True,
                       capture_output=True, timeout=60)
        return open(f"{path}.sig", "rb").read()

    def ask(self):
        return "--require-signature", "--keys", self.keys


@pytest.fixture
def ima(tmp_path):
    return Ima(tmp_path)


@ROOT
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_signed_files_alone(tree, ima, digest):
    script, elf = tree / "usr/bin/script", tree / "usr/bin/elf"
    assert tool("--rootfs", tree, *ima.ask()).returncode == 66
    ima.sign(script, digest)
    result = tool("--rootfs", tree, *ima.ask())
    assert result.returncode == 1 and b"left out: /usr/bin/elf: " in result.stderr
    assert [s["name"] for s in json.loads(result.stdout)["subject"]] == ["/usr/bin/script"]
    os.setxattr(elf, "security.ima", ima.sign(elf, digest))
    os.unlink(f"{elf}.sig")
    assert len(listed("--rootfs", tree, *ima.ask())) == 2
    assert len(listed(script, elf, *ima.ask())) == 2
    # Changed after it was signed, or by nobody who is trusted any more.
    put(script, SCRIPT + b"x")
    assert list(listed("--rootfs", tree, *ima.ask(), code=1)) == ["/usr/bin/elf"]
    ima.trust(revoked=True)
    assert tool(elf, *ima.ask()).returncode in (66, 78)


@ROOT
def test_a_revoked_file_is_not_listed(tree, ima):
    ima.sign(tree / "usr/bin/script")
    (ima.keys / "trust.json").write_text(json.dumps({"revoked_digests": [sha256(SCRIPT)]}))
    result = tool(tree / "usr/bin/script", *ima.ask())
    assert result.returncode == 66, result.stderr
    assert b"revoked" in result.stderr


def with_signatures(rpm, signatures):
    """What `rpmsign --signfiles` does, which Debian's is built without: RPMSIGTAG_FILESIGNATURES."""
    data = rpm.read_bytes()
    at, tag, strings = 96, 274, 8
    n, size = struct.unpack(">II", data[at + 8:at + 16])
    index, store = data[at + 16:at + 16 + 16 * n], data[at + 16 + 16 * n:at + 16 + 16 * n + size]
    rest = data[(at + 16 + 16 * n + size + 7) & ~7:]
    index += struct.pack(">IIII", tag, strings, len(store), len(signatures))
    store += b"".join(signature.hex().encode() + b"\0" for signature in signatures)
    header = data[at:at + 8] + struct.pack(">II", n + 1, len(store)) + index + store
    rpm.write_bytes(data[:at] + header + bytes(-(at + len(header)) % 8) + rest)


def test_signatures_of_an_rpm(tmp_path, ima):
    rpm = build_rpm(tmp_path)
    result = tool("--package-file", rpm, *ima.ask())
    assert result.returncode == 66 and b"the package has no signature of it" in result.stderr
    names = subprocess.run(["rpm", "-qlp", rpm], check=True, capture_output=True, text=True).stdout.split()
    good = ima.sign(put(tmp_path / "script", SCRIPT))
    bad = ima.sign(put(tmp_path / "other", SCRIPT + b"x"))
    with_signatures(rpm, [{"/usr/bin/tool": good, "/usr/bin/again": bad}.get(name, b"") for name in names])
    result = tool("--package-file", rpm, *ima.ask())
    assert result.returncode == 1, result.stderr
    assert [s["name"] for s in json.loads(result.stdout)["subject"]] == ["/usr/bin/tool"]
    assert len(listed("--package-file", rpm)) == 3
    with subprocess.Popen(["cat", rpm], stdout=subprocess.PIPE) as pipe:
        assert tool("--package-file", "-", *ima.ask(), stdin=pipe.stdout).returncode == 64
    deb = pack(*build_deb(tmp_path, FILES))
    assert tool("--package-file", deb, *ima.ask()).returncode == 66


def test_signatures_of_what_has_none(tmp_path, ima):
    for argv in (["--sums", "-"], ["--sbom", "-"], ["--archive", "-"]):
        result = tool(*argv, *ima.ask(), input=b"")
        assert result.returncode == 64 and b"--require-signature looks at files" in result.stderr
    assert tool("--sums", "-", "--keys", ima.keys, input=b"").returncode == 64
    assert tool(put(tmp_path / "x", SCRIPT), "--require-signature", "--keys", tmp_path / "none").returncode in (66, 78)


# --- the head -------------------------------------------------------------------------------------

def test_head(tree):
    body = json.loads(tool("--rootfs", tree, "--version", "12", "--bind", "path", "--scope", "host=web", "--scope",
                           "image=docker.io/library/web:*", "--scope", "image=a", "--scope", "namespace=prod",
                           "--scope", "host=web").stdout)
    assert body["predicate"] == {
        "series": "example.org/web", "version": 12, "issued": "2026-01-01T00:00:00Z",
        "expires": "2026-04-01T00:00:00Z", "bind": "path", "critical": ["bind", "scope"],
        "scope": {"images": ["a", "docker.io/library/web:*"], "namespaces": ["prod"], "hosts": ["web"]}}
    assert json.loads(tool("--rootfs", tree, "--list-version", "3").stdout)["predicate"]["version"] == 3
    plain = json.loads(tool("--rootfs", tree).stdout)["predicate"]
    assert plain["critical"] == [] and "scope" not in plain and plain["version"] == 1


def test_what_is_signed_says_its_scope(tree, tmp_path):
    tool("--rootfs", tree, "--scope", "host=web", out=tmp_path / "list", env={"SOURCE_DATE_EPOCH": ""})
    signer = Signer(tmp_path)
    made = signer.sign((tmp_path / "list").read_bytes(), tmp_path)
    assert b"scope      hosts web\n" in fine("verify", made, "--keys", signer.pem).stdout


@pytest.mark.parametrize("argv, text", [
    ([], b"a list of what?"), (["--version", "0"], b"--version"), (["--version", "x"], b"--version"),
    (["--version", "1", "--list-version", "1"], b"the same"), (["--bind", "x"], b"--bind"),
    (["--scope", "web"], b"--scope web: image=GLOB"), (["--scope", "pod=web"], b"--scope pod=web"),
    (["--scope", "host="], b"is empty"), (["--scope", "host=["], b"is no pattern"),
    (["--scope", "host=a\nb"], rb"host=a\x0ab: has a control"), (["--sums", "-", "--sbom", "-"], b"stdin"),
    (["--rootfs", "/a", "--rootfs", "/b", "--package", "c"], b"one --rootfs"), (["--host"], b"unknown option"),
    (["--rootfs", "/a", "--bind", "path", "--bind", "path"], b"given twice"),
    ([word for i in range(65) for word in ("--scope", f"host=a{i}")], b"too many"),
    (["--sums", "/dev/null"] * 257, b"one too many")], ids=range(16))
def test_usage(tree, argv, text):
    more = ["--rootfs", tree] if argv and argv[0] in ("--version", "--bind", "--scope") else []
    result = tool(*argv, *more)
    assert result.returncode == 64 and text in result.stderr, result.stderr


def test_needs_no_rights_and_no_configuration(tree, tmp_path):
    """A release engineer's CI: nobody's home, a configuration that only root may read."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    sums = f"{sha256(b'x')}  /usr/bin/x\n".encode()
    result = tool("--sums", "-", input=sums, user=65534, group=65534, extra_groups=[], cwd="/")
    assert result.returncode == 0, result.stderr
    config = put(tmp_path / "config", b"", 0o600)
    assert tool("--sums", "-", "--config", config, input=sums, user=65534, group=65534, extra_groups=[],
                cwd="/").returncode in (77, 78)


def test_too_long(tmp_path):
    """Refused before anything is written, with the cure."""
    digest = sha256(b"x")
    with open(tmp_path / "many", "w", encoding="ascii") as file:
        file.writelines(f"{digest}  /{i}\n" for i in range(1000001))
    result = tool("--sums", tmp_path / "many", out=tmp_path / "out")
    assert result.returncode == 65 and b"more than 1000000 files" in result.stderr and b"several" in result.stderr
    with open(tmp_path / "long", "w", encoding="ascii") as file:
        file.writelines(f"{digest}  /{'d' * 250}/{'e' * 250}/{i}\n" for i in range(90000))
    result = tool("--sums", tmp_path / "long", out=tmp_path / "out")
    assert result.returncode == 65 and b"longer than 64 MiB" in result.stderr and b"several" in result.stderr
    assert not os.path.exists(tmp_path / "out")


def test_writes_in_one_step(tree, tmp_path):
    out = put(tmp_path / "out", b"before")
    assert tool("--sums", put(tmp_path / "bad", b"x"), out=out).returncode == 65
    assert open(out, "rb").read() == b"before"
    result = tool("--rootfs", tree, "--json", out=out)
    assert json.loads(result.stdout) | {"out": ""} == {
        "out": "", "subjects": 2, "entries": 2, "left_out": 0, "series": "example.org/web", "version": 1,
        "issued": "2026-01-01T00:00:00Z", "expires": "2026-04-01T00:00:00Z", "bind": "digest", "scope": None}
    assert tool("--rootfs", tree, out=tmp_path / "none/out").returncode == 73
    assert tool("--rootfs", tree, out="/dev/full").returncode == 73
