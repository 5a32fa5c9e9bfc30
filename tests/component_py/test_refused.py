"""What is refused, in the order in which the threat matrix (row 22) and the formats name it: each through `allowlist
install`, with its exit code and its reason, and each leaves the list that is in force. The parsers' own tests have the
finer cases."""
import json
import os

import pytest

from envelopes import GOLDEN, TYPE, Signer, envelope, openssl, pae, run, stamp, statement
from fake_daemon import FakeDaemon


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signers")
    return {kind: Signer(folder, kind) for kind in ("ed25519", "p256", "rsa3072")}


class Host:
    def __init__(self, folder, signers):
        self.folder, self.keys, self.signers = folder, folder / "keys.d", signers
        self.daemon = FakeDaemon(listen=False)
        self.keys.mkdir(mode=0o755)
        (folder / "state").mkdir(mode=0o700)
        for name, signer in signers.items():
            (self.keys / f"{name}.pem").write_bytes(open(signer.pem, "rb").read())
        self.config = folder / "execward.yaml"
        self.configure(1)
        self.first = signers["ed25519"]
        assert self.install(self.signed(version=7)) == (0, "accepted")
        self.before = self.lists()

    def configure(self, threshold):
        self.config.write_text(f"state_dir: {self.folder / 'state'}\nruntime_dir: {self.daemon.runtime}\n"
                               f"trust: {{keys_dir: {self.keys}, threshold: {threshold}}}\n")

    def tool(self, *argv):
        return run("--config", self.config, *argv)

    def lists(self):
        """What is installed. Whether it is in force now is another question: some tests take its keys away."""
        rows = json.loads(self.tool("allowlist", "list", "--json").stdout)
        return [(row["series"], row["version"], row["payload_sha256"], row["signers"]) for row in rows]

    def signed(self, kind="ed25519", **predicate):
        return self.by(statement(**predicate), kind)

    def by(self, body, *kinds):
        """Signed by openssl: the tool itself would sign none of this."""
        return envelope(body, *[(self.signers[kind].id, self.signers[kind].raw(pae(body), self.folder))
                                for kind in kinds or ("ed25519",)])

    def install(self, data, *argv):
        path = self.folder / "envelope"
        path.write_bytes(data)
        done = self.tool("allowlist", "install", path, "--json", *argv)
        # A line for the envelope, and one for the daemon where a list has changed.
        return done.returncode, json.loads(done.stdout.split(b"\n")[0])["reason"] if done.stdout else done.stderr

    def refuses(self, data, reason, code=1):
        assert self.install(data) == (code, reason)
        assert self.lists() == self.before


@pytest.fixture
def host(tmp_path, signers):
    made = Host(tmp_path, signers)
    yield made
    made.daemon.close()


def test_thresholds(host):
    host.configure(0)
    code, said = host.install(host.signed(version=8))
    assert code == 78 and b"trust.threshold" in said
    host.configure(4)  # more than there are keys
    assert host.install(host.signed(version=8)) == (1, "bad_threshold")
    # A key that has signed twice, with two signatures that differ, is one.
    host.configure(2)
    body = statement(version=8)
    twice = [(hint, host.signers["p256"].raw(pae(body), host.folder)) for hint in ("a", "b", "c")]
    assert len({signature for _, signature in twice}) == 3
    host.refuses(envelope(body, *twice), "threshold_not_met")
    host.refuses(host.by(body, "ed25519", "ed25519"), "threshold_not_met")
    assert host.install(host.by(body, "ed25519", "p256")) == (0, "accepted")


def test_one_key_in_two_files_is_one(host):
    (host.keys / "again.pem").write_bytes((host.keys / "ed25519.pem").read_bytes())
    host.configure(2)
    host.refuses(host.signed(version=8), "threshold_not_met")


@pytest.mark.parametrize("change, reason", [
    (lambda text: text.replace('"critical":[]', '"critical":["nonsense"]'), "unknown_critical"),
    (lambda text: text.replace('"version":8', '"version":8,"version":9'), "bad_statement"),
    (lambda text: text + "x", "bad_statement"), (lambda text: text + "{}", "bad_statement"),
    (lambda text: text.replace("/usr/bin/hello", "/usr/bin/hel\\nlo"), "bad_statement"),
    (lambda text: text.replace("/usr/bin/hello", "/usr/bin/\\u001b[2J"), "bad_statement"),
    (lambda text: text.replace("/usr/bin/hello", "/usr/bin/\\u009b"), "bad_statement"),
    (lambda text: text.replace("/usr/bin/hello", "/usr/../bin"), "bad_statement"),
    (lambda text: text.replace("example.org/demo", "a\\nb"), "bad_statement"),
    (lambda text: text.replace('"version":8', '"version":0'), "bad_statement"),
    (lambda text: text.replace('"version":8', '"version":8.0'), "bad_statement")])
def test_statements(host, change, reason):
    text = statement(version=8).decode()
    assert change(text) != text
    host.refuses(host.by(change(text).encode()), reason)


def test_an_empty_list(host):
    host.refuses(host.by(statement(names=(), version=8)), "empty")


@pytest.mark.parametrize("text", ["====", "AAA", "AA=A", "AAAA====", "+/-_", "AB==", "AAB=", " AAA", "AA\\nA"])
def test_base64(host, text):
    """Padding, both alphabets, bits that are left over, white space: in the payload and in a signature."""
    good = json.loads(host.signed(version=8))
    for broken in (good | {"payload": text}, good | {"signatures": [{"keyid": host.first.id, "sig": text}]}):
        host.refuses(json.dumps(broken).replace("\\\\n", "\\n").encode(), "bad_base64", code=65)


def test_envelopes(host):
    good = host.signed(version=8).decode()
    rows = [(good + "x", "not_json"), (good + good, "not_json"), (good[:-1], "not_json"), ("", "not_json"),
            (good.replace('{"payload"', '{"payload": "", "payload"'), "not_json"), ("[]", "not_an_envelope"),
            (good.replace(TYPE, "application/json"), "other_payload_type"),
            (good.replace('"signatures": [', '"signatures": [' + '{"sig": "AAAA"}, ' * 32), "bad_signatures"),
            (good.ljust(64 << 20) + " ", "envelope_too_large")]
    for text, word in rows:
        host.refuses(text.encode(), word, code=65)
    host.refuses(json.dumps(json.loads(good) | {"signatures": []}).encode(), "unsigned")


def test_too_many_subjects(host):
    """A million subjects and one are more than an envelope can hold."""
    body = statement(names=["/a"] * 1000001, version=8)
    host.refuses(host.by(body), "envelope_too_large", code=65)
    (host.folder / "body").write_bytes(body)
    done = host.tool("sign", host.folder / "body", "-k", host.first.key, "-o", host.folder / "x")
    assert done.returncode == 65 and b"too large" in done.stderr


@pytest.mark.parametrize("name, said", [
    ("refused-explicit", b"curve"), ("refused-explicit-p384", b"curve"), ("refused-rsa1024", b"2048"),
    ("refused-rsa2047", b"2048"), ("refused-pss", b"PSS"), ("refused-compressed", b"point")])
def test_keys(host, name, said):
    """One such key, and the directory is not believed at all."""
    with open(os.path.join(GOLDEN, name + ".pem"), "rb") as file:
        (host.keys / "x.pem").write_bytes(file.read())
    code, message = host.install(host.signed(version=8))
    assert code == 78 and said in message and b"x.pem" in message and host.lists() == host.before


def test_signatures_of_another_kind(host):
    """By the trusted keys, over the very bytes, and not as the key's one scheme says."""
    body = statement(version=8)
    (host.folder / "pae").write_bytes(pae(body))
    rsa, p256 = host.signers["rsa3072"], host.signers["p256"]
    for argv, signer in (
            (["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sign", rsa.key], rsa),
            (["dgst", "-sha512", "-sign", rsa.key], rsa), (["dgst", "-sha1", "-sign", rsa.key], rsa),
            (["dgst", "-sha384", "-sign", p256.key], p256)):
        made = openssl(*argv, host.folder / "pae")
        assert made.returncode == 0 and made.stdout
        host.refuses(envelope(body, (signer.id, made.stdout)), "tampered")
    # Over the body alone, over another type, under another key's id.
    for signature in (rsa.raw(body, host.folder), rsa.raw(pae(body, "application/json"), host.folder)):
        host.refuses(envelope(body, (rsa.id, signature)), "tampered")
    host.refuses(envelope(body, (rsa.id, p256.raw(pae(statement()), host.folder))), "tampered")


def test_a_scheme_that_is_not_the_keys(host):
    (host.keys / "ed25519.json").write_text('{"scheme": "rsa-pkcs1-sha256"}')
    code, said = host.install(host.signed(version=8))
    assert code == 78 and b"scheme" in said and host.lists() == host.before


def test_a_key_for_lists_and_for_files(host):
    for text in ('{"uses": ["manifest", "ima"]}', '{"uses": ["ima"]}'):
        (host.keys / "p256.json").write_text(text)
        (host.keys / "twin.pem").write_bytes((host.keys / "p256.pem").read_bytes())
        code, said = host.install(host.signed(version=8))
        assert code == 78 and b"both" in said and host.lists() == host.before
    # For files alone it signs no list.
    (host.keys / "twin.pem").unlink()
    host.refuses(host.signed(kind="p256", version=8), "unknown_key")


def test_versions(host):
    host.refuses(host.signed(version=6), "rolled_back")
    host.refuses(host.signed(version=7, expires=stamp(80)), "equal_version_other_content")
    (host.keys / "trust.json").write_text('{"floors": {"example.org/demo": 9}}')
    host.refuses(host.signed(version=8), "below_floor")


@pytest.mark.parametrize("predicate, reason", [
    ({"issued": stamp(-100), "expires": stamp(-1)}, "expired"), ({"issued": stamp(1)}, "not_yet_valid"),
    ({"expires": stamp(500)}, "validity_too_long")])
def test_times(host, predicate, reason):
    host.refuses(host.signed(version=8, **predicate), reason)


def test_keys_that_have_ended(host):
    data = host.signed(version=8)
    (host.keys / "ed25519.json").write_text(json.dumps({"expires": stamp(-1)}))
    host.refuses(data, "expired_key")
    (host.keys / "ed25519.json").write_text(json.dumps({"series": ["example.com/*"]}))
    host.refuses(data, "other_series")
    (host.keys / "trust.json").write_text(json.dumps({"revoked_keys": [host.first.id]}))
    host.refuses(data, "revoked_key")
    (host.keys / "ed25519.json").unlink()
    (host.keys / "ed25519.pem").unlink()  # and stays so when its file is gone
    assert host.install(data)[0] == 1 and host.lists() == host.before


def test_a_payload_that_was_revoked(host):
    import hashlib
    body = statement(version=8)
    (host.keys / "trust.json").write_text(json.dumps({"revoked_digests": [hashlib.sha256(body).hexdigest()]}))
    host.refuses(host.by(body), "revoked_digest")


@pytest.mark.parametrize("change", [
    lambda keys: os.chmod(keys, 0o777), lambda keys: os.chmod(keys, 0o775), lambda keys: os.chmod(keys.parent, 0o777),
    lambda keys: os.chmod(keys / "p256.pem", 0o666), lambda keys: os.symlink("p256.pem", keys / "x.pem"),
    lambda keys: (os.rename(keys, f"{keys}.real"), os.symlink(f"{keys}.real", keys))])
def test_directories_that_others_could_write(host, change):
    data = host.signed(version=8)
    change(host.keys)
    code, said = host.install(data)
    os.chmod(host.folder, 0o700)
    assert code == 78 and (b"chmod go-w" in said or b"symlink" in said or b"above it" in said)
    assert host.lists() == host.before


def test_a_symlink_for_an_envelope(host):
    """Somebody else could have it lead elsewhere after it was looked at."""
    (host.folder / "real").write_bytes(host.signed(version=8))
    os.symlink("real", host.folder / "link")
    done = host.tool("allowlist", "install", host.folder / "link")
    assert done.returncode == 66 and b"symbolic link" in done.stderr


def test_the_database_is_lost(host):
    """With it went the versions: an old list must not come back by that."""
    for name in os.listdir(host.folder / "state"):
        if name.startswith("baseline.db"):
            os.unlink(host.folder / "state" / name)
    assert host.install(host.signed(version=6)) == (1, "state_lost")
    assert host.install(host.signed(version=8)) == (1, "state_lost")
    assert host.lists() == []
    assert host.tool("allowlist", "rollback-state", "--reset", "--reason", "test").returncode == 0
    assert host.install(host.signed(version=8)) == (0, "accepted")


def test_the_clock_is_turned_back(host):
    """faketime(1) is not needed: the later time is what the host has trusted once."""
    import sqlite3
    with sqlite3.connect(host.folder / "state" / "baseline.db") as db:
        names = [name for name, in db.execute("SELECT name FROM setting") if "now" in name]
        assert len(names) == 1, names
        db.execute("UPDATE setting SET value = value + 86400000000000 WHERE name = ?", names)
    db.close()
    host.refuses(host.signed(version=8), "clock_turned_back")


def test_flipped_bytes(host):
    """No byte of an envelope can be another and a new content come of it."""
    good = host.signed(version=8)
    payload = json.loads(good)["payload"]
    place = good.index(payload.encode())
    for at in range(place, place + len(payload), 37):
        mutant = bytearray(good)
        mutant[at] ^= 1
        code, reason = host.install(bytes(mutant))
        assert (code, reason) in ((1, "tampered"), (65, "bad_base64"), (65, "not_json")), reason
        assert host.lists() == host.before
