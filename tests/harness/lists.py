"""Signed lists: keys that a host trusts, statements with times a few seconds away, envelopes, and the
directory that a daemon watches. Made with the tool under test, as a release team would."""
import contextlib
import datetime
import hashlib
import json
import os
import select
import subprocess
import time

from .daemon import EXECWARD
from .fs import SLOW

SERIES = "example.org/web"


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def stamp(seconds):
    """A time so many seconds from now, as statements write it: whole seconds, rounded down."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def statement(subjects, series=SERIES, version=1, issued=-3600, expires=86400, bind="digest", scope=None):
    """@subjects: (path, SHA-256) pairs."""
    predicate = {"series": series, "version": version, "issued": stamp(issued), "expires": stamp(expires),
                 "bind": bind, "critical": ["scope"] if scope else []}
    if scope:
        predicate["scope"] = scope
    return json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": "urn:execward:allowlist:v1", "predicate": predicate}).encode()


def execward(*argv, **kwargs):
    done = subprocess.run([EXECWARD, *map(str, argv)], capture_output=True, timeout=60 * SLOW, check=False, **kwargs)
    assert done.returncode == 0, (argv, done)
    return done.stdout


class Room:
    """Keys, lists, and the two directories of a daemon's configuration."""

    def __init__(self, path, keys=("alice",)):
        self.path = str(path)
        self.keys_dir, self.lists_dir = os.path.join(self.path, "keys.d"), os.path.join(self.path, "lists.d")
        self.ids, self.count = {}, 0
        for name in (self.keys_dir, self.lists_dir, os.path.join(self.path, "private"), os.path.join(self.path, "made")):
            os.mkdir(name, 0o755)
        for name in keys:
            self.trust(name)

    def config(self, **trust):
        """The `trust:` line of a configuration, for the daemon's extra."""
        settings = {"keys_dir": self.keys_dir, "allowlists_dir": self.lists_dir} | trust
        return f"trust: {json.dumps(settings)}"

    def private(self, name):
        return os.path.join(self.path, "private", name + ".key")

    def make_key(self, name):
        if not os.path.exists(self.private(name)):
            made = execward("keygen", "--type", "ed25519", "--out", self.private(name)[:-4], "--unencrypted", "--json")
            self.ids[name] = json.loads(made)["key_id"]

    def trust(self, name, **settings):
        self.make_key(name)
        pem = self.private(name)[:-4] + ".pem"
        with open(pem, "rb") as public:
            write(os.path.join(self.keys_dir, name + ".pem"), public.read())
        if settings:
            write(os.path.join(self.keys_dir, name + ".json"), json.dumps(settings).encode())

    def settings(self, **settings):
        """trust.json"""
        write(os.path.join(self.keys_dir, "trust.json"), json.dumps(settings).encode())

    def sign(self, body, signers=("alice",)):
        """The path of an envelope."""
        self.count += 1
        path = os.path.join(self.path, "made", f"{self.count}.dsse")
        for i, name in enumerate(signers):
            self.make_key(name)
            if i == 0:
                execward("sign", "-k", self.private(name), "-o", path, "-", input=body)
            else:
                execward("sign", "--append", "-k", self.private(name), "-o", path, path)
        return path

    def envelope(self, *args, signers=("alice",), **kwargs):
        return self.sign(statement(*args, **kwargs), signers)

    def put(self, envelope, name="list.dsse"):
        """Into the watched directory, whole, as it should be done."""
        target = os.path.join(self.lists_dir, name)
        with open(envelope, "rb") as file:
            write(target + ".tmp", file.read())
        os.rename(target + ".tmp", target)

    def delete(self, name="list.dsse"):
        os.unlink(os.path.join(self.lists_dir, name))


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o644)


@contextlib.contextmanager
def logged(daemon, *texts, timeout=20):
    """What the daemon says of what happens inside: ends when a line has come with each of the texts."""
    from_here = f"+{os.path.getsize(daemon.log) + 1}"
    with subprocess.Popen(["tail", "-c", from_here, "-F", daemon.log], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as tail:
        try:
            yield
            end, text = time.monotonic() + timeout * SLOW, b""
            while any(t.encode() not in text for t in texts):
                left = end - time.monotonic()
                assert left > 0 and select.select([tail.stdout], [], [], left)[0], (texts, text)
                text += os.read(tail.stdout.fileno(), 65536)
        finally:
            tail.kill()

