"""docs/signing.md does what it says: its shell blocks run in their order, in one directory, as its own text
promises. What stands for a host is a configuration and directories of the test's; the daemon is fake_daemon.py's,
and the real one's part (what runs then) is tested in tests/system/test_signed_release.py."""
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

import https_server
from fake_daemon import EXECWARD, ROOT, FakeDaemon

DOC = os.path.join(ROOT, "docs/signing.md")
FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.M | re.S)
NEEDS = {"softhsm": os.path.exists("/usr/lib/softhsm/libsofthsm2.so") and bool(shutil.which("softhsm2-util"))
                    and bool(shutil.which("pkcs11-tool")),
         "server": True, "systemd": False}


class Block:
    def __init__(self, match, text):
        indent, self.kind, words, body = match.groups()
        self.line = text.count("\n", 0, match.start()) + 1
        self.options = dict(word.split("=") for word in words.split())
        self.text = "".join(line.removeprefix(indent) for line in body.splitlines(True))

    def __repr__(self):
        return f"line-{self.line}"


def blocks():
    with open(DOC, encoding="utf-8") as file:
        text = file.read()
    return [Block(match, text) for match in FENCE.finditer(text)]


def jobs(block):
    """The scripts of a CI configuration that need no foreign action."""
    tree = yaml.safe_load(block.text)
    if "jobs" in tree:
        return [step["run"] for job in tree["jobs"].values() for step in job["steps"] if "run" in step]
    return [line for job in tree.values() if isinstance(job, dict) and "script" in job for line in job["script"]]


class Place:
    """A release team's directory, and a host."""

    def __init__(self, folder):
        self.daemon = FakeDaemon()
        self.daemon.answers |= {"reload": {"ok": True}, "allowlists": {"ok": True}}
        self.work, self.etc, self.bin = folder / "work", folder / "etc", folder / "bin"
        for path in (self.work, self.etc / "keys.d", self.etc / "allowlists.d", self.bin, folder / "state", folder / "tmp"):
            path.mkdir(parents=True, mode=0o755)
        (folder / "state").chmod(0o700)
        with open(os.path.join(ROOT, "config/execward.yaml"), encoding="utf-8") as file:
            text = file.read().replace("/etc/execward", str(self.etc)).replace("/var/lib/execward", str(folder / "state"))
        config = self.etc / "execward.yaml"
        config.write_text(re.sub(r"(?m)^runtime_dir: .*", f"runtime_dir: {self.daemon.runtime}", text))
        wrapper = self.bin / "execward"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(EXECWARD)} --config {shlex.quote(str(config))} "$@"\n')
        wrapper.chmod(0o755)
        self.env = os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}", "KEYPASS": "correct horse battery",
                                 "VERSION": "3", "CI_PIPELINE_IID": "3", "RUNNER_TEMP": str(folder / "tmp"),
                                 "ALLOWLIST_KEY": str(self.work / "ci.key")}
        self.server = https_server.Server(folder / "server")

    def run(self, text, **kwargs):
        text = text.replace("/etc/execward", str(self.etc))
        text = text.replace("fetch https://lists.example.org",
                            f"fetch --cacert {self.server.ca} {self.server.url}".rstrip("/"))
        if (self.work / "ci.key").exists():
            self.env["CI_KEY"] = (self.work / "ci.key").read_text()
        return subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=self.work, env=self.env, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, **kwargs)

    def takes_configuration(self, text):
        path = self.work / "part.yaml"
        path.write_text(text)
        done = subprocess.run([os.path.join(os.path.dirname(EXECWARD), "../daemon/execwardd"), "--check-config",
                               "--config", path], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def close(self):
        self.server.close()
        self.daemon.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("signing"))
    yield made
    made.close()


def run_block(place, block):
    done = place.run(block.text)
    said = done.stdout + done.stderr
    assert done.returncode == int(block.options.get("exit", "0")), said.decode()
    assert block.options.get("says", "").encode() in said, said.decode()


def run_job(place, text):
    """As the CI would, without what it brings itself: its expressions are in the environment here."""
    done = place.run(text)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("block", blocks(), ids=repr)
def test_the_blocks_run(place, block):
    needs = block.options.get("needs")
    if needs == "systemd":
        return  # tests/system; the unit's own shape is a lint rule's
    if needs and not NEEDS[needs]:
        pytest.skip(f"needs {needs}")
    if needs == "server":
        place.server.files["/web.dsse"] = (place.work / "web-5001.dsse").read_bytes()
    if block.kind == "sh":
        run_block(place, block)
        return
    scripts = jobs(block)
    for script in scripts:
        run_job(place, script)
    if not scripts:
        place.takes_configuration(block.text)


def test_no_list_is_in_force_that_the_text_does_not_say(place):
    done = place.run("execward allowlist list --json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["series"], row["version"], row["in_force"]) for row in rows] == [("example.org/web", 5001, True)]
    assert {"reload", "allowlists"} <= {request["request"] for request in place.daemon.requests}


def test_nothing_is_left_out():
    """Every block is of a kind that is run, and the text has not lost them."""
    kinds = [block.kind for block in blocks()]
    assert set(kinds) == {"sh", "yaml"} and kinds.count("sh") > 20 and kinds.count("yaml") == 4
    assert sum(len(jobs(block)) > 0 for block in blocks() if block.kind == "yaml") == 2
