"""Envelopes as other people's tools make and read them, and the tool under test."""
import base64
import datetime
import hashlib
import json
import os
import subprocess

from fake_daemon import EXECWARD, ROOT

TYPE = "application/vnd.in-toto+json"
GOLDEN = os.path.join(ROOT, "tests/golden/keys")
PASSPHRASE = "correct horse battery"
TYPES = ("ed25519", "p256", "p384", "rsa3072")
SCHEMES = dict(zip(TYPES, ("ed25519", "ecdsa-sha256", "ecdsa-sha384", "rsa-pkcs1-sha256")))
# docs/formats.md: the worked example.
EXAMPLE = (b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"/usr/bin/hello","digest":{"sha256":'
           b'"a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"}}],"predicateType":'
           b'"https://example.org/exec-allowlist/v1","predicate":{"series":"example.org/demo","version":7,'
           b'"issued":"2026-01-01T00:00:00Z","expires":"2026-07-01T00:00:00Z"}}')
EXAMPLE_PAE = "e5a934cdfa526b208fd5bc4c1cf644f7d31a0d6ed4c357865fe7ed29ca5ef870"
EXAMPLE_SIGNATURES = {
    "ed25519": "nnNOFqy276PVV/1nvnNblIIkVLlGUURh1fxWk74P0RByV6itrNEfXsed5rcrvnf3gsGVRjMyNT4k+hoT9KMlCA==",
    "ed25519-2": "P1YuFlKdcJwFsC0NE1vrsI9xFHI3u4n2Qe6GvdbE0Gp9gAUUNfQhxm4bySvaMxBSNINj7q0VRltkyVEkgk5WDA=="}


def run(*argv, env=None, **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    if "input" in kwargs:
        del kwargs["stdin"]
    # A session of its own has no terminal to ask.
    return subprocess.run([EXECWARD, *map(str, argv)], capture_output=True, timeout=60, check=False,
                          start_new_session=True, env=os.environ | {"PASS": PASSPHRASE} | (env or {}), **kwargs)


def fine(*argv, **kwargs):
    result = run(*argv, **kwargs)
    assert result.returncode == 0, result.stderr
    return result


def openssl(*argv, **kwargs):
    return subprocess.run(["openssl", *map(str, argv)], capture_output=True, timeout=60, check=False, **kwargs)


def stamp(days):
    """A time so many days from now, as statements write it."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def statement(names=("/usr/bin/hello",), predicate_type="urn:execward:allowlist:v1", **predicate):
    base = {"series": "example.org/demo", "version": 7, "issued": stamp(-1), "expires": stamp(90), "bind": "digest",
            "critical": []}
    subjects = [{"name": name, "digest": {"sha256": hashlib.sha256(name.encode()).hexdigest()}} for name in names]
    return json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": subjects,
                       "predicateType": predicate_type, "predicate": base | predicate},
                      separators=(",", ":")).encode()


def pae(body, kind=TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)


def envelope(body, *signatures, kind=TYPE):
    """An envelope of (keyid, signature) pairs."""
    return json.dumps({"payload": base64.b64encode(body).decode(), "payloadType": kind, "signatures": [
        {"keyid": keyid, "sig": base64.b64encode(sig).decode()} for keyid, sig in signatures]}).encode()


def verdict(path, *argv):
    """(exit code, reason) of a verification."""
    result = run("verify", path, "--json", *argv)
    assert result.returncode in (0, 1, 65), result.stderr
    answer = json.loads(result.stdout)
    assert answer["accepted"] == (result.returncode == 0)
    return result.returncode, answer["reason"]


class Signer:
    """A pair of keys that the tool has made."""

    def __init__(self, folder, kind="ed25519", name=None, encrypted=False):
        self.kind, self.prefix = kind, str(folder / (name or kind))
        self.key, self.pem = self.prefix + ".key", self.prefix + ".pem"
        how = ["--passin", "env:PASS"] if encrypted else ["--unencrypted"]
        made = json.loads(fine("keygen", "--type", kind, "--out", self.prefix, "--json", *how).stdout)
        self.id, self.scheme = made["key_id"], made["scheme"]

    def sign(self, body, folder, name="list.dsse"):
        path = folder / name
        fine("sign", "-k", self.key, "-o", path, "-", input=body)
        return path

    def raw(self, data, folder):
        """A signature by openssl(1) over these bytes."""
        (folder / "data").write_bytes(data)
        if self.kind == "ed25519":
            how = ("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", folder / "data")
        else:
            how = ("dgst", "-sha384" if self.kind == "p384" else "-sha256", "-sign", self.key, folder / "data")
        result = openssl(*how)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def checks(self, data, signature, folder):
        """Whether openssl(1) takes a signature of ours."""
        (folder / "data").write_bytes(data)
        (folder / "sig").write_bytes(signature)
        if self.kind == "ed25519":
            how = ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.pem, "-sigfile", folder / "sig", "-in",
                   folder / "data")
        else:
            how = ("dgst", "-sha384" if self.kind == "p384" else "-sha256", "-verify", self.pem, "-signature",
                   folder / "sig", folder / "data")
        return openssl(*how).returncode == 0
