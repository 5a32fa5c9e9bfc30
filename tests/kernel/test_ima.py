"""security.ima in verdicts (trust.ima, off unless it is switched on): what a trusted key of use ima has
signed runs, as it was signed and nowhere else than in its content; what an attacker sets does not help."""
import hashlib
import json
import os
import subprocess
import time

import pytest

from harness.fs import run
from harness.host import guard_disks

XATTR = "security.ima"
HASHES = ("sha256", "sha384", "sha512")


class Key:
    """A key of use ima in a directory of trusted ones."""

    def __init__(self, keys, name, algorithm="EC", option="ec_paramgen_curve:P-256"):
        self.keys, self.name = keys, name
        self.private, self.public = f"{keys.private}/{name}.key", f"{keys.dir}/{name}.pem"
        run("openssl", "genpkey", "-quiet", "-out", self.private, "-algorithm", algorithm, "-pkeyopt", option)

    def trust(self, **settings):
        run("openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public)
        self.keys.write(self.name + ".json", {"uses": ["ima"]} | settings)

    def distrust(self):
        os.unlink(self.public)
        os.unlink(self.public.removesuffix("pem") + "json")

    def id(self):
        der = run("openssl", "pkey", "-in", self.private, "-pubout", "-outform", "DER").stdout
        return hashlib.sha256(der).hexdigest()

    def sign(self, path, digest="sha256"):
        """What `evmctl ima_sign` would set, and sets here."""
        attribute = self.signature(path, digest)
        os.setxattr(path, XATTR, attribute)
        return attribute

    def signature(self, path, digest="sha256"):
        """Of a copy: evmctl reads, and on a guarded filesystem nothing of ours does."""
        copy = f"{self.keys.private}/file"
        with open(path, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        run("evmctl", "ima_sign", "-n", "-f", "-a", digest, "-k", self.private, copy)
        with open(copy + ".sig", "rb") as file:
            return file.read()


class Keys:
    def __init__(self, folder):
        self.dir, self.private = str(folder / "keys.d"), str(folder / "private")
        os.mkdir(self.dir, 0o755)
        os.mkdir(self.private, 0o700)
        self.write("trust.json", {})

    def write(self, name, settings):
        with open(os.path.join(self.dir, name), "w", encoding="ascii") as file:
            json.dump(settings, file)
        os.chmod(file.name, 0o644)

    def config(self, on=True):
        return f"trust: {{keys_dir: {self.dir}, ima: {'true' if on else 'false'}}}"


@pytest.fixture
def keys(fs):
    import pathlib
    import tempfile
    # Under /tmp others can write: the directory of keys may not lie there.
    folder = tempfile.mkdtemp(prefix="execward-keys-", dir="/var/lib")
    yield Keys(pathlib.Path(folder))
    run("rm", "-rf", folder)


@pytest.fixture
def key(keys):
    made = Key(keys, "release")
    made.trust()
    return made


@pytest.fixture
def guard(keys, start, marks):
    def make(on=True, **kwargs):
        daemon = start(**{"marks": marks, "extra": keys.config(on)} | kwargs)
        daemon.rescan()
        return daemon
    return make


def drop(overlay, path, salt, size=0):
    """A program that nobody knows, padded to @size: its path on the host."""
    with open(overlay.path("/bin/payload"), "rb") as file:
        content = file.read() + salt.encode()
    overlay.drop(path, content + bytes(max(0, size - len(content))))
    return overlay.path(path)


def reasons(daemon):
    return [(e["execward.verdict"], e["execward.reason"]) for e in daemon.events()]


# --- what runs --------------------------------------------------------------------------------------

@pytest.mark.parametrize("digest", HASHES)
def test_signed_runs_and_unsigned_does_not(overlay, guard, key, digest):
    daemon = guard()
    key.sign(drop(overlay, "/tmp/signed", "1"), digest)
    drop(overlay, "/tmp/unsigned", "2")
    assert overlay.exec("/tmp/signed").ran
    assert overlay.exec("/tmp/unsigned").errno == 1
    assert reasons(daemon) == [("deny", "dropped")]
    assert daemon.status()["faults"].get("hash", 0) == 0


@pytest.mark.parametrize("algorithm, option", [
    ("RSA", "rsa_keygen_bits:2048"), ("RSA", "rsa_keygen_bits:3072"), ("EC", "ec_paramgen_curve:P-384")])
def test_every_kind_of_key(overlay, guard, keys, algorithm, option):
    key = Key(keys, "other", algorithm, option)
    key.trust()
    guard()
    for digest in HASHES:
        key.sign(drop(overlay, f"/tmp/{digest}", digest), digest)
        assert overlay.exec(f"/tmp/{digest}").ran, digest


def test_off_by_default(overlay, guard, keys, key):
    daemon = guard(extra=f"trust: {{keys_dir: {keys.dir}}}")
    key.sign(drop(overlay, "/tmp/signed", "1"))
    assert overlay.exec("/tmp/signed").errno == 1
    assert reasons(daemon) == [("deny", "dropped")]
    # Switched on and off again, in force for the next exec.
    daemon.write_config(extra=keys.config())
    daemon.tool("reload")
    assert overlay.exec("/tmp/signed").ran
    daemon.write_config(extra=keys.config(on=False))
    daemon.tool("reload")
    assert overlay.exec("/tmp/signed").errno == 1


def test_nothing_says_that_it_is_not_in_force(guard, key):
    assert "security.ima" not in guard().read_log()


def test_a_copied_up_program_that_was_edited_and_signed_again(overlay, guard, key):
    daemon = guard()
    path = overlay.path("/bin/one")
    with open(path, "ab") as file:
        file.write(b"edited")
    assert overlay.exec("/bin/one").errno == 1
    key.sign(path)
    assert overlay.exec("/bin/one").ran
    assert reasons(daemon) == [("deny", "modified")]


def test_a_program_on_a_tmpfs_of_the_container(overlay, guard, key):
    """security.* on a tmpfs: the kernel lets root of the host set it."""
    os.makedirs(overlay.path("/shm"), exist_ok=True)
    run("mount", "-t", "tmpfs", "shm", overlay.path("/shm"))
    try:
        daemon = guard(guard_extra="volumes: true")
        key.sign(drop(overlay, "/shm/signed", "1"), "sha512")
        drop(overlay, "/shm/unsigned", "2")
        assert overlay.exec("/shm/unsigned").errno == 1, daemon.events()
        assert overlay.exec("/shm/signed").ran, daemon.events()
    finally:
        run("umount", "-l", overlay.path("/shm"))


def test_a_guarded_host(disk, start, fs, keys, key):
    daemon = guard_disks(start, fs.mount, disk, extra=keys.config())
    disk.drop("bin/unsigned", b"1")
    disk.drop("bin/signed", b"2")
    key.sign(disk.path("bin/signed"), "sha384")
    assert disk.exec("bin/unsigned").errno == 1, daemon.events()
    for _ in range(3):
        assert disk.exec("bin/signed").ran, daemon.events()
    with open(disk.path("bin/signed"), "ab") as file:
        file.write(b"edited")
    assert disk.exec("bin/signed").errno == 1, daemon.events()


def test_reports_and_learning(overlay, guard, key):
    """Signed is neither reported nor learned: somebody vouches."""
    daemon = guard(mode="report")
    key.sign(drop(overlay, "/tmp/signed", "1"))
    assert overlay.exec("/tmp/signed").ran
    assert reasons(daemon) == []
    daemon.tool("mode", "learn", "--for", "1h")
    key.sign(drop(overlay, "/tmp/again", "2"))
    assert overlay.exec("/tmp/again").ran
    assert json.loads(daemon.tool("grants", "--json").stdout) == []


@pytest.mark.parametrize("digest", HASHES)
def test_explain_of_a_file_tells_of_its_signature(overlay, guard, keys, key, digest):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", digest)

    def explained():
        answer = json.loads(daemon.tool("explain", path, "--json").stdout)
        return answer["vouchers"], (answer["would"]["verdict"], answer["would"]["reason"])
    assert explained() == ([], ("deny", "dropped"))
    key.sign(path, digest)
    assert explained() == (["security.ima"], ("allow", "signed"))
    assert b"security.ima" in daemon.tool("explain", path).stdout
    with open(path, "ab") as file:
        file.write(b"edited")
    assert explained() == ([], ("deny", "dropped"))
    key.sign(path, digest)
    daemon.write_config(extra=keys.config(on=False))
    daemon.tool("reload")
    assert explained() == ([], ("deny", "dropped"))


def test_explain_is_not_taken_in_by_nonsense(overlay, guard, key):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", "1")
    good = key.signature(path, "sha512").hex()
    with open(path, "rb") as file:
        content = file.read()
    request = {"request": "explain", "sha256": hashlib.sha256(content).hexdigest(), "ima": good}
    sha512 = hashlib.sha512(content).hexdigest()
    for changes, vouchers in (({"ima_digest": sha512}, ["security.ima"]), ({}, []),
                              ({"ima_digest": sha512[:-2]}, []), ({"ima_digest": sha512 + "00"}, []),
                              ({"ima": "zz", "ima_digest": sha512}, []), ({"ima": good[:-1]}, []),
                              ({"ima": good * 10, "ima_digest": sha512}, [])):
        assert daemon.ask(request | changes)["explain"]["vouchers"] == vouchers, changes


def test_the_denylist_speaks_first(overlay, guard, key):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", "1")
    key.sign(path)
    assert overlay.exec("/tmp/signed").ran
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    daemon.tool("deny", digest, "--reason", "incident")
    assert overlay.exec("/tmp/signed").errno == 1
    assert reasons(daemon) == [("deny", "denylisted")]


# --- what does not ----------------------------------------------------------------------------------

@pytest.mark.parametrize("digest", HASHES)
def test_edited_after_it_was_signed(overlay, guard, key, digest):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", "1")
    key.sign(path, digest)
    assert overlay.exec("/tmp/signed").ran
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(-1, 2)
        file.write(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.getxattr(path, XATTR)
    assert overlay.exec("/tmp/signed").errno == 1
    assert reasons(daemon) == [("deny", "dropped")]


def test_an_untrusted_key(overlay, guard, keys, key):
    guard()
    stranger = Key(keys, "stranger")
    stranger.sign(drop(overlay, "/tmp/signed", "1"))
    assert overlay.exec("/tmp/signed").errno == 1
    # One that may sign lists, and nothing else.
    stranger.trust(uses=["manifest"])
    guard()
    assert overlay.exec("/tmp/signed").errno == 1


def test_a_revoked_key_and_a_revoked_digest(overlay, guard, keys, key):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", "1")
    other = drop(overlay, "/tmp/other", "2")
    key.sign(path)
    key.sign(other)
    for _ in range(3):
        assert overlay.exec("/tmp/signed").ran
    with open(path, "rb") as file:
        keys.write("trust.json", {"revoked_digests": [hashlib.sha256(file.read()).hexdigest()]})
    daemon.tool("reload")
    assert overlay.exec("/tmp/signed").errno == 1
    assert overlay.exec("/tmp/other").ran
    keys.write("trust.json", {"revoked_keys": [key.id()]})
    daemon.tool("reload")
    assert overlay.exec("/tmp/signed").errno == 1
    assert overlay.exec("/tmp/other").errno == 1


def test_a_key_that_is_no_longer_trusted(overlay, guard, keys, key):
    """Remembered verdicts end with a reload: the next exec is denied."""
    daemon = guard()
    key.sign(drop(overlay, "/tmp/signed", "1"))
    for _ in range(3):
        assert overlay.exec("/tmp/signed").ran
    key.distrust()
    Key(keys, "successor").trust()
    daemon.tool("reload")
    assert overlay.exec("/tmp/signed").errno == 1


def test_a_verdict_ends_when_its_key_expires(overlay, guard, keys, key):
    end = int(time.time()) + 4
    key.trust(expires=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
    daemon = guard()
    key.sign(drop(overlay, "/tmp/signed", "1"))
    while time.time() < end - 0.5:
        assert overlay.exec("/tmp/signed").ran, daemon.events()
    while time.time() < end + 2:  # what the kernel remembers is let go within a second or so
        result = overlay.exec("/tmp/signed")
    assert result.errno == 1, daemon.events()


def attributes(good):
    return {
        "bare-digest": b"\x01" + hashlib.sha1(b"x").digest(),
        "digest-ng": b"\x04\x04" + bytes(32),
        "fs-verity": b"\x06" + good[1:],
        "version-1": good[:1] + b"\x01" + good[2:],
        "version-3": good[:1] + b"\x03" + good[2:],
        "other-hash": good[:2] + b"\x02" + good[3:],
        "other-id": good[:3] + bytes(4) + good[7:],
        "truncated": good[:-1],
        "extended": good + b"\0",
        "garbage": os.urandom(len(good)),
        "zeroes": bytes(64),
        "huge": good + bytes(3500),
        "empty": b"",
    }


@pytest.mark.parametrize("name", sorted(attributes(bytes(80))))
def test_row_22_security_ima_set_by_the_attacker(overlay, guard, key, name):
    """Also the true digest of the content under type 04: IMA would appraise it, a signature it is not."""
    daemon = guard()
    path = drop(overlay, "/tmp/evil", name)
    attribute = attributes(key.signature(path))[name]
    if name == "digest-ng":
        with open(path, "rb") as file:
            attribute = b"\x04\x04" + hashlib.sha256(file.read()).digest()
    os.setxattr(path, XATTR, attribute)
    assert overlay.exec("/tmp/evil").errno == 1
    assert reasons(daemon) == [("deny", "dropped")]
    # The same file, well signed: nothing else was in the way.
    key.sign(path)
    assert overlay.exec("/tmp/evil").ran


def test_row_22_a_signature_of_another_file(overlay, guard, key):
    daemon = guard()
    key.sign(drop(overlay, "/tmp/good", "good"))
    drop(overlay, "/tmp/evil", "evil")
    os.setxattr(overlay.path("/tmp/evil"), XATTR, os.getxattr(overlay.path("/tmp/good"), XATTR))
    assert overlay.exec("/tmp/good").ran
    assert overlay.exec("/tmp/evil").errno == 1
    assert reasons(daemon) == [("deny", "dropped")]


@pytest.mark.kernel(since="6.5", why="a lease on the real inode sees who writes it")
def test_what_somebody_can_still_write_is_not_vouched_for(overlay, guard, key):
    daemon = guard()
    path = drop(overlay, "/tmp/signed", "1")
    key.sign(path)
    assert overlay.exec("/tmp/signed").ran
    with open(path, "r+b"):
        result = overlay.exec("/tmp/signed")
    # The kernel itself refuses to execute what is open for writing, when the daemon lets it go on.
    assert result.errno in (1, 26)
    assert ("allow", "signed") not in reasons(daemon)


def test_a_large_file_under_sha512_holds_up_nobody(overlay, guard, key):
    """256 MiB are read twice, in steps; an exec beside it is answered meanwhile."""
    daemon = guard(extra=guard_config(key, deadline="30s"))
    key.sign(drop(overlay, "/tmp/large", "1", size=256 << 20), "sha512")
    drop(overlay, "/tmp/small", "2")
    large = subprocess.Popen(["/bin/sh", "-c", "exec /tmp/large"], preexec_fn=lambda: (
        os.chroot(overlay.merged), os.chdir("/")), stdout=subprocess.PIPE, env={})
    before = time.monotonic()
    assert overlay.exec("/tmp/small").errno == 1
    small = time.monotonic() - before
    out, _ = large.communicate(timeout=60)
    assert b"PAYLOAD-RAN" in out, daemon.events()
    assert small < 5, small


def guard_config(key, deadline):
    return key.keys.config() + f"\ndeadline: {deadline}"


def test_past_the_deadline_on_failure_answers(overlay, guard, key):
    """A sparse file that cannot be hashed in time: no signature is waited for."""
    daemon = guard(extra=guard_config(key, "200ms") + "\non_failure: deny")
    path = drop(overlay, "/tmp/sparse", "1")
    attribute = key.signature(path, "sha512")
    os.truncate(path, 20 << 30)
    os.setxattr(path, XATTR, attribute)
    assert overlay.exec("/tmp/sparse").errno == 1
    assert daemon.event("/tmp/sparse")["execward.fault"] == "deadline"
