"""Allowlists from the command line: what is installed, what is refused and why, what a host remembers."""
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess

import pytest

from envelopes import (GOLDEN, TYPE, Signer, envelope, openssl, pae, stamp, statement)
from fake_daemon import EXECWARD, FakeDaemon

ENVELOPE_MAX = 64 << 20
SERIES = "example.org/demo"


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signers")
    return {name: Signer(folder, kind, name) for name, kind in
            (("a", "ed25519"), ("b", "p256"), ("c", "ed25519"), ("rsa", "rsa3072"), ("p384", "p384"))}


class Host:
    """A host's keys, database and configuration."""

    def __init__(self, folder, signers, *names):
        self.folder, self.signers = folder, signers
        self.keys, self.state = folder / "keys.d", folder / "state"
        self.keys.mkdir(mode=0o755)
        self.state.mkdir(mode=0o700)
        self.config = folder / "execward.yaml"
        self.configure()
        for name in names:
            self.trust(name)

    def configure(self, threshold=1, runtime=None):
        self.config.write_text(f"state_dir: {self.state}\nruntime_dir: {runtime or self.folder / 'run'}\n"
                               f"trust:\n  keys_dir: {self.keys}\n  threshold: {threshold}\n")

    def trust(self, name, **settings):
        (self.keys / f"{name}.pem").write_bytes(open(self.signers[name].pem, "rb").read())
        if settings:
            (self.keys / f"{name}.json").write_text(json.dumps(settings))

    def settings(self, **members):
        (self.keys / "trust.json").write_text(json.dumps(members))

    def tool(self, *argv, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        if "input" in kwargs:
            del kwargs["stdin"]
        return subprocess.run([EXECWARD, "--config", str(self.config), "allowlist", *map(str, argv)],
                              capture_output=True, timeout=120, check=False, **kwargs)

    def file(self, text, name="list.dsse"):
        path = self.folder / name
        path.write_bytes(text)
        return path

    def install(self, text, *argv):
        """(exit code, reason) of an envelope's text."""
        return self.install_file(self.file(text), *argv)

    def install_file(self, path, *argv):
        result = self.tool("install", path, "--json", *argv)
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        return result.returncode, answers[0]["reason"] if answers else result.stderr.decode()

    def lists(self):
        result = self.tool("list", "--json")
        return json.loads(result.stdout)

    def sql(self, statement_):
        with sqlite3.connect(self.state / "baseline.db") as db:
            return db.execute(statement_).fetchall()


@pytest.fixture
def host(tmp_path, signers):
    return Host(tmp_path, signers, "a", "b")


def signed(host, body, *names, kind=TYPE):
    """An envelope that openssl(1) has signed: it takes bodies that the tool would not sign."""
    return envelope(body, *((host.signers[name].id, host.signers[name].raw(pae(body, kind), host.folder))
                            for name in names), kind=kind)


# --- what is installed ----------------------------------------------------------------------------

def test_install_list_remove(host):
    body = statement(["/usr/bin/one", "/usr/bin/two"])
    text = signed(host, body, "a")
    result = host.tool("install", host.file(text))
    assert result.returncode == 0, result.stderr
    assert b"installed" in result.stdout and b"version 7, 2 entries" in result.stdout
    assert b"No daemon could be told" in result.stdout
    (row,) = host.lists()
    assert (row["series"], row["version"], row["entries"]) == (SERIES, 7, 2)
    assert (row["in_force"], row["reason"], row["source"]) == (True, "accepted", "install")
    assert row["signers"] == [host.signers["a"].id]
    assert row["payload_sha256"] == hashlib.sha256(body).hexdigest()
    assert host.install(text) == (0, "unchanged")
    shown = host.tool("list").stdout.decode()
    assert SERIES in shown and "in force" in shown and "install" in shown
    assert host.tool("remove", SERIES).returncode == 64
    assert host.tool("remove", "none", "--reason", "x").returncode == 66
    result = host.tool("remove", SERIES, "--reason", "not wanted", "--json")
    assert json.loads(result.stdout.splitlines()[0]) == {"removed": SERIES, "version": 7}
    assert host.lists() == []
    assert host.sql("SELECT act, series, version, reason FROM allowlist_act") == [
        ("removed", SERIES, 7, "not wanted")]
    # The version is remembered; the same list can come back, an older one cannot.
    assert host.install(signed(host, statement(version=6), "a")) == (1, "rolled_back")
    assert host.install(text) == (0, "accepted")
    assert len(host.lists()) == 1


def test_nothing_is_there(host):
    assert host.tool("list").returncode == 66
    assert host.tool("rollback-state").returncode == 66
    assert host.tool("install").returncode == 64
    assert host.tool("install", host.folder / "none").returncode == 66
    shutil.rmtree(host.state)
    assert host.tool("install", host.file(b"{}")).returncode == 66


def test_many_at_once_and_stdin(host):
    good = host.file(signed(host, statement(series="one"), "a"), "good")
    bad = host.file(signed(host, statement(series="two", expires=stamp(-0.5)), "a"), "bad")
    result = host.tool("install", "--json", bad, "-", good, input=signed(host, statement(series="three"), "b"))
    assert result.returncode == 1
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [a["reason"] for a in answers[:3]] == ["expired", "accepted", "accepted"]
    assert answers[3] == {"event": "daemon", "in_force": False}
    assert [row["series"] for row in host.lists()] == ["one", "three"]


def test_dry_run_stores_nothing(host):
    text = signed(host, statement(), "a")
    assert host.install(text, "--dry-run") == (0, "accepted")
    assert host.lists() == [] and not (host.state / "allowlists.witness").exists()
    assert host.sql("SELECT * FROM allowlist_memory") == []
    assert host.install(signed(host, statement(version=9), "a"))[0] == 0
    assert host.install(text, "--dry-run") == (1, "rolled_back")


def test_a_daemon_is_told(host):
    daemon = FakeDaemon()
    try:
        host.configure(runtime=daemon.runtime)
        daemon.answers["allowlists"] = {"ok": True, "generation": 1}
        result = host.tool("install", host.file(signed(host, statement(), "a")))
        assert result.returncode == 0 and b"The daemon knows" in result.stdout
        assert daemon.asked("allowlists") == [{"request": "allowlists"}]
        # What was refused or is the same changes nothing.
        assert host.install(signed(host, statement(version=1), "a")) == (1, "rolled_back")
        assert len(daemon.asked("allowlists")) == 1
        daemon.answers["allowlists"] = {"ok": False, "error": "internal", "message": "no"}
        assert host.tool("remove", SERIES, "--reason", "x").returncode >= 64
    finally:
        daemon.close()


def test_signed_again_after_a_rotation(host):
    """The same list under a new key: it has both signers, and stays when the old key is revoked."""
    host.trust("c")
    body = statement()
    assert host.install(signed(host, body, "a")) == (0, "accepted")
    assert host.install(signed(host, body, "c")) == (0, "accepted")
    assert host.install(signed(host, body, "c")) == (0, "unchanged")
    assert host.lists()[0]["signers"] == sorted([host.signers["a"].id, host.signers["c"].id])
    host.settings(revoked_keys=[host.signers["a"].id])
    assert host.lists()[0]["in_force"]
    host.settings(revoked_keys=[host.signers["a"].id, host.signers["c"].id])
    assert host.lists()[0]["reason"] == "revoked_key"


def test_scope_is_kept(host):
    scope = {"images": ["docker.io/library/web:*"], "hosts": ["web"]}
    body = statement(scope=scope, critical=["scope"])
    assert host.install(signed(host, body, "a")) == (0, "accepted")
    assert host.lists()[0]["scope"] == scope | {"namespaces": []}


@pytest.mark.parametrize("change,reason", [
    (lambda h: h.settings(revoked_keys=[h.signers["a"].id]), "revoked_key"),
    (lambda h: h.settings(floors={SERIES: 8}), "below_floor"),
    (lambda h: h.trust("a", expires=stamp(-1)), "expired_key"),
    (lambda h: h.trust("a", series=["other/*"]), "other_series"),
    (lambda h: (h.keys / "a.pem").unlink(), "unknown_key"),
    (lambda h: h.configure(threshold=2), "threshold_not_met"),
    (lambda h: os.chmod(h.keys, 0o777), "no_keys"),
    (lambda h: h.sql("UPDATE allowlist SET issued_ns = 1, expires_ns = 2"), "expired"),
    (lambda h: h.sql("UPDATE setting SET value = '4000000000000000000' WHERE name = 'allowlist.now'"),
     "clock_turned_back"),
])
def test_what_is_installed_and_not_in_force(host, change, reason):
    assert host.install(signed(host, statement(), "a")) == (0, "accepted")
    change(host)
    (row,) = host.lists()
    assert (row["in_force"], row["reason"]) == (False, reason)
    assert reason in host.tool("list").stdout.decode()


def test_a_revoked_list_is_not_in_force(host):
    body = statement()
    assert host.install(signed(host, body, "a")) == (0, "accepted")
    host.settings(revoked_digests=[hashlib.sha256(body).hexdigest()])
    assert host.lists()[0]["reason"] == "revoked_digest"


# --- what is refused: the statement ---------------------------------------------------------------

BAD_BODIES = [
    ("expired", 1, dict(issued=stamp(-30), expires=stamp(-1))),
    ("not_yet_valid", 1, dict(issued=stamp(1))),
    ("validity_too_long", 1, dict(expires=stamp(900))),
    ("unknown_critical", 1, dict(critical=["moon"], moon=1)),
    ("bad_statement", 1, dict(critical=["series", "series"])),
    ("bad_statement", 1, dict(version=0)),
    ("bad_statement", 1, dict(version=1.5)),
    ("bad_statement", 1, dict(bind="anything")),
    ("bad_statement", 1, dict(series="a\nb")),
    ("bad_statement", 1, dict(expires="tomorrow")),
    ("empty", 1, dict(names=[])),
    ("bad_statement", 1, dict(names=["/usr/bin/a\x1b[2J"])),
    ("bad_statement", 1, dict(names=["/usr/bin/../a"])),
    ("bad_statement", 1, dict(names=["relative"])),
    ("bad_statement", 1, dict(names=["/good", "/" + "x" * 5000])),
    ("bad_statement", 1, dict(predicate_type="https://example.org/other")),
]


@pytest.mark.parametrize("reason,code,predicate", BAD_BODIES)
def test_refused_statements(host, reason, code, predicate):
    assert host.install(signed(host, statement(**predicate), "a")) == (code, reason)
    assert host.lists() == []


@pytest.mark.parametrize("change", [
    lambda body: body.replace(b'"version":7', b'"version":7,"version":8'),
    lambda body: body.replace(b'{"_type"', b'{"_type":"x","_type"'),
    lambda body: body + b" x",
    lambda body: body + b"\0",
    lambda body: body[:-1],
    lambda body: b"\xef\xbb\xbf" + body,
])
def test_refused_bodies(host, change):
    assert host.install(signed(host, change(statement()), "a")) == (1, "bad_statement")


# --- what is refused: the envelope ----------------------------------------------------------------

def payload_as(change):
    def with_payload(text):
        fields = json.loads(text)
        return json.dumps(fields | {"payload": change(fields["payload"])}).encode()
    return with_payload


@pytest.mark.parametrize("word,change", [
    ("not_json", lambda text: text + b"x"),
    ("not_json", lambda text: text + b"\0"),
    ("not_json", lambda text: text + text),
    ("not_json", lambda text: text.replace(b'{"payload"', b'{"payload":"e30=","payload"')),
    ("not_json", lambda text: b""),
    ("not_json", lambda text: b"[" * 100 + b"]" * 100),
    ("not_an_envelope", lambda text: b"{}"),
    ("bad_base64", payload_as(lambda payload: "====")),
    ("bad_base64", payload_as(lambda payload: payload + "=")),
    ("bad_base64", payload_as(lambda payload: payload[:-4] + "+_==")),
    ("bad_base64", payload_as(lambda payload: "e31=")),  # bits behind the last byte
    ("bad_base64", payload_as(lambda payload: "e 30=")),
])
def test_no_envelope(host, word, change):
    code, reason = host.install(change(signed(host, statement(), "a")))
    assert code == 65, reason
    assert reason == word


def test_of_another_type(host):
    assert host.install(signed(host, statement(), "a", kind="text/plain")) == (65, "other_payload_type")


def test_the_largest_and_one_byte_more(host):
    text = signed(host, statement(), "a")
    assert host.install(text + b" " * (ENVELOPE_MAX + 1 - len(text))) == (65, "envelope_too_large")
    assert host.lists() == []


@pytest.mark.parametrize("kind,word", [("symlink", "symbolic_link"), ("fifo", "no_regular_file"),
                                       ("directory", "no_regular_file"), ("device", "no_regular_file")])
def test_files_that_are_none(host, kind, word):
    real, path = host.file(signed(host, statement(), "a"), "real"), host.folder / "x"
    if kind == "symlink":
        path.symlink_to(real)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path = "/dev/zero"
    assert host.install_file(path) == (66, word)


# --- what is refused: the signatures --------------------------------------------------------------

def test_unsigned_unknown_tampered(host):
    body, other = statement(), statement(["/usr/bin/evil"])
    good = host.signers["a"].raw(pae(body), host.folder)
    assert host.install(envelope(body)) == (1, "unsigned")
    assert host.install(signed(host, body, "c")) == (1, "unknown_key")
    assert host.install(envelope(other, (host.signers["a"].id, good))) == (1, "tampered")
    # A hint decides nothing: a wrong one, or somebody else's, does not help and does not hurt.
    assert host.install(envelope(body, (host.signers["b"].id, good))) == (0, "accepted")


def test_thresholds(host):
    body = statement()
    one = host.signers["a"].raw(pae(body), host.folder)
    twice = envelope(body, (host.signers["a"].id, one), ("", one))
    assert host.install(signed(host, body, "a"), "--threshold", "0") == (1, "bad_threshold")
    assert host.install(signed(host, body, "a"), "--threshold", "3") == (1, "bad_threshold")
    assert host.install(signed(host, body, "a"), "--threshold", "2") == (1, "threshold_not_met")
    assert host.install(twice, "--threshold", "2") == (1, "threshold_not_met")
    assert host.install(signed(host, body, "a", "c"), "--threshold", "2") == (1, "threshold_not_met")
    assert host.tool("install", host.file(twice), "--threshold", "33").returncode == 64
    assert host.tool("install", host.file(twice), "--threshold", "-1").returncode == 64
    host.configure(threshold=2)
    assert host.install(signed(host, body, "a")) == (1, "threshold_not_met")
    assert host.install(signed(host, body, "a", "b")) == (0, "accepted")


def test_signatures_are_told(host):
    body = statement()
    host.file(signed(host, body, "a", "c"))
    answer = json.loads(host.tool("install", host.folder / "list.dsse", "--json").stdout.splitlines()[0])
    assert answer["signatures"] == [{"good": True, "key_id": host.signers["a"].id}, {"good": False}]


def test_pss_where_pkcs1_is_bound(host):
    host.trust("rsa")
    body = statement()
    (host.folder / "data").write_bytes(pae(body))
    signature = openssl("dgst", "-sha256", "-sign", host.signers["rsa"].key, "-sigopt", "rsa_padding_mode:pss",
                        host.folder / "data").stdout
    assert host.install(envelope(body, (host.signers["rsa"].id, signature))) == (1, "tampered")
    assert host.install(signed(host, body, "rsa")) == (0, "accepted")


@pytest.mark.parametrize("name", ["a", "b", "rsa", "p384"])
def test_each_kind_of_key(host, name):
    """Inside the reader nothing can be opened or loaded any more."""
    host.trust(name)
    body = statement()
    signature = host.signers[name].raw(pae(body), host.folder)
    for broken in (signature[:-1] + bytes([signature[-1] ^ 1]), signature[:-1], signature + b"x"):
        assert host.install(envelope(body, (host.signers[name].id, broken))) == (1, "tampered")
    assert host.install(envelope(body, (host.signers[name].id, signature))) == (0, "accepted")


@pytest.mark.parametrize("settings,reason", [
    (dict(expires=stamp(-1)), "expired_key"), (dict(series=["example.org/other*"]), "other_series"),
])
def test_keys_that_do_not_count(host, settings, reason):
    host.trust("a", **settings)
    assert host.install(signed(host, statement(), "a")) == (1, reason)


def test_trust_settings(host):
    body = statement()
    host.settings(revoked_keys=[host.signers["a"].id])
    assert host.install(signed(host, body, "a")) == (1, "revoked_key")
    host.settings(revoked_digests=[hashlib.sha256(body).hexdigest()])
    assert host.install(signed(host, body, "a")) == (1, "revoked_digest")
    host.settings(floors={SERIES: 8})
    assert host.install(signed(host, body, "a")) == (1, "below_floor")
    host.settings()
    assert host.install(signed(host, body, "a"), "--series", "example.org/other") == (1, "unwanted_series")
    assert host.install(signed(host, body, "a"), "--series", SERIES) == (0, "accepted")


# --- what is refused: the keys --------------------------------------------------------------------

def world_writable(host):
    os.chmod(host.keys, 0o777)


def writable_key(host):
    os.chmod(host.keys / "a.pem", 0o666)


def wrong_scheme(host):
    host.trust("a", scheme="rsa-pkcs1-sha256")


def both_uses(host):
    host.trust("a", uses=["manifest", "ima"])


def both_uses_in_two_files(host):
    (host.keys / "again.pem").write_bytes((host.keys / "a.pem").read_bytes())
    (host.keys / "again.json").write_text('{"uses": ["ima"]}')


def refused(name):
    def spoil(host):
        (host.keys / "spoilt.pem").write_bytes(open(os.path.join(GOLDEN, f"refused-{name}.pem"), "rb").read())
    spoil.__name__ = name
    return spoil


def unknown_setting(host):
    host.trust("a", serie=["x"])


def symlinked_key(host):
    (host.keys / "link.pem").symlink_to("a.pem")


@pytest.mark.parametrize("spoil", [world_writable, writable_key, wrong_scheme, both_uses, both_uses_in_two_files,
                                   unknown_setting, symlinked_key, refused("rsa1024"), refused("rsa2047"),
                                   refused("explicit"), refused("explicit-p384"), refused("pss"), refused("secp256k1"),
                                   refused("two")])
def test_refused_keys(host, spoil):
    text = signed(host, statement(), "b")
    spoil(host)
    result = host.tool("install", host.file(text))
    assert result.returncode == 78, result.stderr
    assert str(host.keys).encode() in result.stderr
    assert not (host.state / "baseline.db").exists()


def test_no_keys(host):
    text = host.file(signed(host, statement(), "a"))
    assert host.tool("install", text, "--keys", host.folder / "none").returncode == 66
    (host.folder / "empty").mkdir(mode=0o755)
    assert host.tool("install", text, "--keys", host.folder / "empty").returncode == 78
    # Only for the other use.
    (host.keys / "a.pem").unlink()
    host.trust("b", uses=["ima"])
    assert host.install_file(text) == (1, "no_keys")


def test_other_keys(host, tmp_path):
    other = tmp_path / "other.d"
    other.mkdir(mode=0o755)
    (other / "c.pem").write_bytes(open(host.signers["c"].pem, "rb").read())
    text = signed(host, statement(), "c")
    assert host.install(text) == (1, "unknown_key")
    assert host.install(text, "--keys", other) == (0, "accepted")


# --- what a host remembers ------------------------------------------------------------------------

def test_versions(host):
    assert host.install(signed(host, statement(version=7), "a")) == (0, "accepted")
    assert host.install(signed(host, statement(version=6), "a")) == (1, "rolled_back")
    assert host.install(signed(host, statement(["/usr/bin/x"], version=7), "a")) == (
        1, "equal_version_other_content")
    assert host.install(signed(host, statement(version=8), "a")) == (0, "accepted")
    assert host.lists()[0]["version"] == 8
    # Another series has versions of its own.
    assert host.install(signed(host, statement(version=1, series="other"), "a")) == (0, "accepted")
    state = json.loads(host.tool("rollback-state", "--json").stdout)
    assert [(s["series"], s["version"]) for s in state["series"]] == [(SERIES, 8), ("other", 1)]
    assert state["state_lost"] is False and state["trusted_now"]
    state = json.loads(host.tool("rollback-state", "other", "--json").stdout)
    assert [s["series"] for s in state["series"]] == ["other"]


def test_a_refused_one_leaves_everything(host):
    assert host.install(signed(host, statement(["/a", "/b"], version=7), "a")) == (0, "accepted")
    before = host.sql("SELECT * FROM allowlist_memory"), host.sql("SELECT name FROM allowlist_subject")
    for predicate in (dict(version=6), dict(version=9, names=["/c", "bad"]), dict(version=9, expires=stamp(-0.5))):
        assert host.install(signed(host, statement(**predicate), "a"))[0] == 1
    assert before == (host.sql("SELECT * FROM allowlist_memory"), host.sql("SELECT name FROM allowlist_subject"))


def test_the_clock_that_was_turned_back(host):
    assert host.install(signed(host, statement(version=1), "a")) == (0, "accepted")
    host.sql("UPDATE setting SET value = '4000000000000000000' WHERE name = 'allowlist.now'")
    assert host.install(signed(host, statement(version=2), "a")) == (1, "clock_turned_back")
    result = host.tool("rollback-state", "--reset", "--reason", "the clock was wrong")
    assert result.returncode == 0, result.stderr
    assert host.install(signed(host, statement(version=2), "a")) == (0, "accepted")


def test_the_database_that_was_lost(host):
    assert host.install(signed(host, statement(version=7), "a")) == (0, "accepted")
    assert os.stat(host.state / "allowlists.witness").st_mode & 0o7777 == 0o600
    for name in ("baseline.db", "baseline.db-wal", "baseline.db-shm"):
        (host.state / name).unlink(missing_ok=True)
    assert host.install(signed(host, statement(version=6), "a")) == (1, "state_lost")
    assert host.install(signed(host, statement(version=8), "a")) == (1, "state_lost")
    assert host.install(signed(host, statement(version=1, series="new"), "a")) == (1, "state_lost")
    result = host.tool("rollback-state", "--json")
    assert result.returncode == 1 and json.loads(result.stdout)["state_lost"]
    assert b"trust.json" in host.tool("rollback-state").stderr
    # One series alone, or without a reason, is not enough.
    assert host.tool("rollback-state", SERIES, "--reset", "--reason", "x").returncode == 65
    assert host.tool("rollback-state", "--reset").returncode == 64
    assert host.tool("rollback-state", "--reason", "x").returncode == 64
    assert host.install(signed(host, statement(version=8), "a")) == (1, "state_lost")
    assert host.tool("rollback-state", "--reset", "--reason", "disk died").returncode == 0
    assert host.sql("SELECT act, series, reason FROM allowlist_act") == [("reset", None, "disk died")]
    assert host.tool("rollback-state").returncode == 0
    assert host.install(signed(host, statement(version=8), "a")) == (0, "accepted")


def test_forgetting_one_series(host):
    for series in ("one", "two"):
        assert host.install(signed(host, statement(version=7, series=series), "a")) == (0, "accepted")
    assert host.tool("rollback-state", "one", "--reset", "--reason", "bad release").returncode == 0
    assert host.tool("rollback-state", "none", "--reset", "--reason", "x").returncode == 66
    assert host.install(signed(host, statement(version=6, series="one"), "a")) == (0, "accepted")
    assert host.install(signed(host, statement(version=6, series="two"), "a")) == (1, "rolled_back")


# --- the largest ----------------------------------------------------------------------------------

def largest(version):
    """A body of 400,000 entries, whose envelope is just below the bound."""
    head, tail = statement(["/x"], version=version).split(b'"subject":[')
    tail = tail.split(b"}}]", 1)[1]
    rows = b",".join(b'{"name":"/usr/bin/t%06d","digest":{"sha256":"%s"}}'
                     % (i, hashlib.sha256(b"%d" % i).hexdigest().encode()) for i in range(400000))
    return head + b'"subject":[' + rows + b"]" + tail


def test_the_largest_list(host):
    body = largest(1)
    path = host.file(signed(host, body, "a"))
    assert ENVELOPE_MAX * 0.9 < path.stat().st_size <= ENVELOPE_MAX
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert host.install_file(path) == (0, "accepted")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"400000 entries: {spent:.1f} s of processor time")
    assert host.lists()[0]["entries"] == 400000
    if "asan" not in EXECWARD:
        assert spent <= 10
