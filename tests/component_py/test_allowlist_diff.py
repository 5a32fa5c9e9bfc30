"""allowlist diff: what B adds, removes and changes, and what its head says else."""
import hashlib
import json

import pytest

from envelopes import Signer, run


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def body(files, **predicate):
    """@files: (name, content) pairs."""
    head = {"series": "example.org/web", "version": 7, "issued": "2026-01-01T00:00:00Z",
            "expires": "2026-07-01T00:00:00Z", "bind": "digest", "critical": []}
    return json.dumps({"_type": "https://in-toto.io/Statement/v1",
                       "subject": [{"name": name, "digest": {"sha256": sha256(text)}} for name, text in files],
                       "predicateType": "urn:execward:allowlist:v1", "predicate": head | predicate}).encode()


@pytest.fixture
def diff(tmp_path):
    def call(a, b, *argv):
        (tmp_path / "a").write_bytes(a)
        (tmp_path / "b").write_bytes(b)
        return run("allowlist", "diff", tmp_path / "a", tmp_path / "b", *argv)
    return call


OLD = [("/usr/bin/same", "1"), ("/usr/bin/gone", "2"), ("/usr/bin/changed", "3")]
NEW = [("/usr/bin/changed", "4"), ("/usr/bin/new", "5"), ("/usr/bin/same", "1")]


def test_text(diff):
    result = diff(body(OLD), body(NEW, version=8, critical=["scope"], scope={"hosts": ["web"]}))
    assert result.returncode == 1
    assert result.stdout.decode().splitlines() == [
        "UNVERIFIED: nothing is signed; `execward verify` checks an envelope",
        "  scope      everywhere -> hosts web", "  version    7 -> 8",
        f"~ /usr/bin/changed  {sha256('3')} -> {sha256('4')}", f"- /usr/bin/gone  {sha256('2')}",
        f"+ /usr/bin/new  {sha256('5')}", "1 added, 1 removed, 1 changed; 3 -> 3 entries"]


def test_json(diff):
    result = diff(body(OLD), body(NEW, expires="2026-08-01T00:00:00Z", bind="path", critical=["bind"]), "--json")
    answer = json.loads(result.stdout)
    assert result.returncode == 1 and answer["verified"] is False
    assert answer["added"] == [{"name": "/usr/bin/new", "sha256": sha256("5")}]
    assert answer["removed"] == [{"name": "/usr/bin/gone", "sha256": sha256("2")}]
    assert answer["changed"] == [
        {"name": "/usr/bin/changed", "sha256": sha256("4"), "sha256_before": sha256("3")}]
    assert answer["head"] == {"bind": ["digest", "path"],
                              "expires": ["2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"]}
    assert answer["a"]["entries"] == 3 and answer["a"]["enveloped"] is False


def test_the_same(diff):
    for a, b in ((OLD, OLD), (OLD, OLD[::-1]), (OLD, OLD + OLD[:1])):  # order and repetition say nothing
        result = diff(body(a), body(b))
        assert result.returncode == 0 and b"0 added, 0 removed, 0 changed; 3 -> 3" in result.stdout
    assert diff(body(OLD), body(OLD, version=8)).returncode == 1
    assert diff(body(OLD), body(OLD, series="t")).returncode == 1


def test_names_with_several_digests(diff):
    answer = json.loads(diff(body([("/a", "1"), ("/a", "2")]), body([("/a", "2"), ("/a", "3")]), "--json").stdout)
    assert answer["added"] == [{"name": "/a", "sha256": sha256("3")}]
    assert answer["removed"] == [{"name": "/a", "sha256": sha256("1")}] and answer["changed"] == []
    answer = json.loads(diff(body([("/a", "1")]), body([("/a", "1"), ("/a", "3")]), "--json").stdout)
    assert answer["added"] == [{"name": "/a", "sha256": sha256("3")}] and answer["removed"] == []


def test_envelopes(diff, tmp_path):
    signer = Signer(tmp_path)
    made = signer.sign(body(OLD), tmp_path)
    with open(made, "rb") as file:
        text = file.read()
    result = diff(text, body(NEW))
    assert result.returncode == 1 and result.stdout.startswith(b"UNVERIFIED: no signature was looked at")
    assert diff(text, body(OLD)).returncode == 0
    assert json.loads(diff(text, body(OLD), "--json").stdout)["a"]["enveloped"] is True
    with open(made, "rb") as file:
        assert run("allowlist", "diff", "-", tmp_path / "b", stdin=file).returncode == 0


def test_faults(diff, tmp_path):
    for bad in (b"", b"{}", b"x", body([]), body(OLD, critical=["nonsense"]), body([("/a\x1b", "1")])):
        result = diff(body(OLD), bad)
        assert result.returncode == 65 and b"/b: " in result.stderr and result.stdout == b""
    assert run("allowlist", "diff", tmp_path / "a", tmp_path / "none").returncode == 66
    assert run("allowlist", "diff", "-", "-").returncode == 64
    assert run("allowlist", "diff", tmp_path / "a").returncode == 64


def test_hostile_text(diff):
    """Series are printable, and still may not steer a terminal."""
    result = diff(body(OLD), body(OLD, series="a\u202eb"))
    assert "\u202e" not in result.stdout.decode() and rb"a\u{202e}b" in result.stdout
