"""Single files, by `execward verify` and `sigtool`: vouched for by an installed list, by FILE.sig or by
security.ima, and by nothing else."""
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess

import pytest

from envelopes import EXECWARD, Signer, fine, openssl, run, statement

SIGTOOL = os.path.join(os.path.dirname(EXECWARD), "sigtool")
XATTR = "security.ima"
KINDS = {"rsa2048": ("RSA", "rsa_keygen_bits:2048"), "rsa3072": ("RSA", "rsa_keygen_bits:3072"),
         "p256": ("EC", "ec_paramgen_curve:P-256"), "p384": ("EC", "ec_paramgen_curve:P-384")}
HASHES = ("sha256", "sha384", "sha512")
# docs/formats.md: the vector of security.ima.
VECTOR_KEY = ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaA6W+MMwCA7oJOTWb8d5NCiZmrjFKhn5q2rTxBwc9729ceMVveQS++Y7D8oFHiboY67h"
              "JZmoE6ZVu+xzNvmhEA==")
VECTOR = bytes.fromhex("030204e0bba7da0047304502203d5f17ac53c8c4dbe4e6a557eb803b755a989731d6d648dc192a58411d0835d7022100"
                       "80583c3153c75dbaeff72d55f44ec3688ca26b1ec48d5a64e5d787dcfa659108")
VECTOR_FILE = b"hello world\n"


class Ima:
    """A key that evmctl signs with, and its public half in a directory of trusted keys."""

    def __init__(self, folder, kind="p256", name=None):
        self.name = name or kind
        self.key, self.pem = folder / f"{self.name}.key", folder / f"{self.name}.public"
        algorithm, option = KINDS[kind]
        assert openssl("genpkey", "-quiet", "-out", self.key, "-algorithm", algorithm, "-pkeyopt",
                       option).returncode == 0
        assert openssl("pkey", "-in", self.key, "-pubout", "-out", self.pem).returncode == 0

    def id(self):
        return hashlib.sha256(openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER").stdout).hexdigest()

    def trust(self, keys, **settings):
        shutil.copy(self.pem, keys / f"{self.name}.pem")
        (keys / f"{self.name}.json").write_text(json.dumps({"uses": ["ima"]} | settings))

    def sign(self, path, digest="sha256"):
        """Leaves PATH.sig."""
        done = subprocess.run(["evmctl", "ima_sign", "-n", "-f", "-a", digest, "-k", self.key, path],
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done
        return path.with_name(path.name + ".sig").read_bytes()


@pytest.fixture(scope="module")
def ima(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ima")
    return {kind: Ima(folder, kind) for kind in KINDS}


@pytest.fixture
def keys(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def trusted(keys, ima):
    ima["p256"].trust(keys)
    return keys


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF a program")
    path.chmod(0o755)
    return path


def sidecar(path):
    return path.with_name(path.name + ".sig")


def ask(*argv):
    """(exit code, the answers)"""
    result = run("verify", "--json", *argv)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(a["accepted"] is (a["reason"] == "accepted") for a in answers), answers
    assert (result.returncode == 0) == (bool(answers) and all(a["accepted"] for a in answers)), result
    return result.returncode, answers


def reason(path, keys):
    code, [answer] = ask(path, "--keys", keys)
    assert code == (0 if answer["accepted"] else 1), answer
    return answer["reason"]


# --- signatures -------------------------------------------------------------------------------------

@pytest.mark.parametrize("digest", HASHES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_evmctl_signs_is_taken(keys, ima, program, kind, digest):
    key = ima[kind]
    key.trust(keys)
    signature = key.sign(program, digest)
    code, [answer] = ask(program, "--keys", keys)
    assert code == 0 and answer["source"] == "sidecar" and answer["key_id"] == key.id()
    assert answer["sha256"] == hashlib.sha256(program.read_bytes()).hexdigest()
    assert answer["name"] == kind and answer["ima_key_id"] == signature[3:7].hex()
    assert answer["kind"] == "file" and answer["file"] == str(program)
    # The same bytes as the attribute.
    os.setxattr(program, XATTR, signature)
    sidecar(program).unlink()
    code, [answer] = ask(program, "--keys", keys)
    assert code == 0 and answer["source"] == "xattr"
    # One key by its file, as the signer has it.
    assert reason(program, key.pem) == "accepted"
    program.write_bytes(program.read_bytes() + b"x")
    assert reason(program, keys) == "bad_signature"


def test_the_vector(tmp_path, keys):
    (keys / "vector.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{VECTOR_KEY[:64]}\n{VECTOR_KEY[64:]}\n"
                                     "-----END PUBLIC KEY-----\n")
    (keys / "vector.json").write_text('{"uses": ["ima"]}')
    path = tmp_path / "hello"
    path.write_bytes(VECTOR_FILE)
    sidecar(path).write_bytes(VECTOR)
    assert reason(path, keys) == "accepted"
    assert base64.b64decode(VECTOR_KEY)


def mutants(good):
    """Each class of byte, and what is said of it."""
    def put(at, value):
        return good[:at] + bytes([value]) + good[at + 1:]
    yield "type 1", put(0, 1), "digest_only"
    yield "type 4", put(0, 4), "digest_only"
    yield "type 6", put(0, 6), "unsupported"
    yield "version 1", put(1, 1), "obsolete"
    yield "version 3", put(1, 3), "unsupported"
    yield "sha1", put(2, 2), "unsupported"
    yield "sha384 of sha256", put(2, 5), "bad_signature"
    yield "another key's id", put(6, good[6] ^ 1), "unknown_key"
    yield "length", put(8, good[8] ^ 1), "malformed"
    yield "truncated", good[:-1], "malformed"
    yield "header alone", good[:9], "malformed"
    yield "extended", good + b"\0", "malformed"
    yield "empty", b"", "malformed"
    yield "huge", good + bytes(4096), "malformed"
    yield "DER", put(9, good[9] ^ 1), "bad_signature"
    yield "r", put(14, good[14] ^ 1), "bad_signature"
    yield "last byte", put(len(good) - 1, good[-1] ^ 1), "bad_signature"


def test_mutants_are_refused_with_the_right_reason(program, trusted, ima):
    good = ima["p256"].sign(program)
    for name, data, word in mutants(good):
        sidecar(program).write_bytes(data)
        assert reason(program, trusted) == word, name
        if data and len(data) < 4000:
            os.setxattr(program, XATTR, data)
            sidecar(program).unlink()
            assert reason(program, trusted) == word, name
            os.removexattr(program, XATTR)
    # Every bit of it.
    for i in range(len(good) * 8):
        data = bytearray(good)
        data[i // 8] ^= 1 << i % 8
        if i % 17 == 0:  # one in each byte at least
            sidecar(program).write_bytes(data)
            assert reason(program, trusted) != "accepted", i


def test_an_attribute_too_large_to_read(program, trusted, ima):
    os.setxattr(program, XATTR, ima["p256"].sign(program) + bytes(3500))
    sidecar(program).unlink()
    assert reason(program, trusted) == "malformed"


def test_the_garbage_that_evmctl_writes_for_ed25519(tmp_path, keys, program):
    key = tmp_path / "e.key"
    assert openssl("genpkey", "-quiet", "-algorithm", "ED25519", "-out", key).returncode == 0
    done = subprocess.run(["evmctl", "ima_sign", "-n", "-f", "-a", "sha256", "-k", key, program],
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:  # other releases than 1.4 say so themselves
        return
    public = tmp_path / "e.pem"
    assert openssl("pkey", "-in", key, "-pubout", "-out", public).returncode == 0
    assert reason(program, public) in ("bad_signature", "unknown_key", "malformed")


def test_a_good_one_beside_a_bad_one_vouches(program, trusted, ima):
    good = ima["p256"].sign(program)
    os.setxattr(program, XATTR, good[:-1] + b"\0")
    assert reason(program, trusted) == "accepted"
    os.setxattr(program, XATTR, good)
    sidecar(program).write_bytes(b"nonsense")
    code, [answer] = ask(program, "--keys", trusted)
    assert code == 0 and answer["source"] == "xattr"
    os.setxattr(program, XATTR, good[:-1] + b"\0")
    assert reason(program, trusted) == "unsupported"  # of the sidecar, which comes first


def test_keys_that_do_not_do(program, keys, trusted, ima):
    key = ima["p256"]
    key.sign(program)
    assert reason(program, trusted) == "accepted"
    rows = [({"uses": ["manifest"]}, {}, "unknown_key"),
            ({"uses": ["ima"], "expires": "2020-01-01T00:00:00Z"}, {}, "expired_key"),
            ({"uses": ["ima"]}, {"revoked_keys": [key.id()]}, "revoked_key"),
            ({"uses": ["ima"]},
             {"revoked_digests": [hashlib.sha256(program.read_bytes()).hexdigest()]}, "revoked_digest")]
    for settings, trust, word in rows:
        key.trust(keys, **settings)
        (keys / "trust.json").write_text(json.dumps(trust))
        assert reason(program, keys) == word
    (keys / "trust.json").write_text("{}")
    # Whoever else is trusted does not matter.
    ima["p384"].trust(keys)
    (keys / "p256.pem").unlink()
    (keys / "p256.json").unlink()
    assert reason(program, keys) == "unknown_key"


def test_the_id_of_a_certificate(program, keys, ima):
    key = ima["p256"]
    good = key.sign(program)
    sidecar(program).write_bytes(good[:3] + bytes.fromhex("01020304") + good[7:])
    key.trust(keys)
    assert reason(program, keys) == "unknown_key"
    key.trust(keys, ima_key_ids=["01020304"])
    assert reason(program, keys) == "accepted"


# --- the command ------------------------------------------------------------------------------------

def test_every_file_must_be_vouched_for(tmp_path, program, trusted, ima):
    ima["p256"].sign(program)
    other = tmp_path / "other"
    other.write_bytes(b"#!/bin/sh\n")
    code, answers = ask(program, other, "--keys", trusted)
    assert code == 1 and [a["reason"] for a in answers] == ["accepted", "no_signature"]
    code, answers = ask(program, program, "--keys", trusted)
    assert code == 0 and len(answers) == 2
    # What could not be told comes before what was refused, and the rest is answered all the same.
    code, answers = ask(other, tmp_path / "none", program, "--keys", trusted)
    assert code == 66
    assert [a["reason"] for a in answers] == ["no_signature", "unreadable", "accepted"]
    assert run("verify", "--keys", trusted).returncode == 64


def test_text(program, trusted, ima):
    ima["p256"].sign(program)
    text = fine("verify", program, "--keys", trusted).stdout.decode()
    assert "vouched for\n" in text and "the .sig beside it" in text and ima["p256"].id() in text
    sidecar(program).unlink()
    result = run("verify", program, "--keys", trusted)
    assert result.returncode == 1 and b"NOT VOUCHED FOR (no_signature)" in result.stdout
    assert not result.stderr
    hostile = program.with_name("a\x1b[2Jb\n")
    hostile.write_bytes(b"x")
    result = run("verify", hostile, "--keys", trusted)
    assert b"\x1b" not in result.stdout and result.stdout.count(b"\n") == 2
    assert json.loads(run("verify", hostile, "--keys", trusted, "--json").stdout)["file"] == str(hostile)
    raw = os.fsencode(program) + b"\xff"
    with open(raw, "wb"):
        pass
    answer = json.loads(subprocess.run([EXECWARD, "verify", raw, "--keys", trusted, "--json"], timeout=60,
                                       capture_output=True, check=False).stdout)
    assert answer["file_hex"] == raw.hex()


def test_what_is_no_regular_file(tmp_path, trusted):
    assert run("verify", tmp_path, "--keys", trusted).returncode == 66
    assert run("verify", "/dev/null", "--keys", trusted).returncode == 65  # read as an envelope, which is empty


@pytest.mark.parametrize("make", ["fifo", "directory", "dangling"])
def test_a_sidecar_that_is_no_file_hangs_nobody(program, trusted, make):
    path = sidecar(program)
    if make == "fifo":
        os.mkfifo(path)
    elif make == "directory":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    assert reason(program, trusted) == ("no_signature" if make == "dangling" else "malformed")


def test_an_unreadable_file_is_an_error(program, trusted, ima):
    ima["p256"].sign(program)
    program.chmod(0)

    def as_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    # With a name of its own: the directories above are not everybody's.
    shutil.copy(ima["p256"].pem, program.with_name("key.pem"))
    program.with_name("key.pem").chmod(0o644)
    program.parent.chmod(0o755)
    result = subprocess.run([EXECWARD, "verify", "program", "--keys", "key.pem", "--json"], cwd=program.parent,
                            preexec_fn=as_nobody, capture_output=True, timeout=60, check=False)
    assert result.returncode == 77, result
    assert result.stdout, result
    assert json.loads(result.stdout)["reason"] == "unreadable"


def bytes_read(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


@pytest.mark.parametrize("digest, after", [("sha256", 16 << 20), ("sha512", (1 << 30) + (16 << 20))])
def test_a_file_that_changes_while_it_is_read(tmp_path, trusted, ima, digest, after):
    """Stopped within its first digest, or within the second that SHA-512 takes; changed, and let go on."""
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    ima["p256"].sign(path, digest)
    tool = subprocess.Popen([EXECWARD, "verify", path, "--keys", trusted, "--json"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    try:
        while tool.poll() is None and bytes_read(tool.pid) < after:
            pass  # the digest is under way
        assert tool.returncode is None
        os.kill(tool.pid, signal.SIGSTOP)
        with open(path, "r+b") as file:
            file.seek((1 << 30) - 1)
            file.write(b"x")
        os.kill(tool.pid, signal.SIGCONT)
        out, err = tool.communicate(timeout=60)
    finally:
        tool.kill()
    assert tool.returncode == 74 and json.loads(out)["reason"] == "changed" and b"changed" in err


def test_names_that_look_like_options(tmp_path, trusted, ima, program):
    ima["p256"].sign(program)
    odd = program.with_name("--json")
    shutil.copy(program, odd)
    result = subprocess.run([EXECWARD, "verify", "--keys", trusted, "--", "--json"], cwd=tmp_path, timeout=60,
                            capture_output=True, check=False)
    assert result.returncode == 1 and b"no_signature" in result.stdout


# --- lists ------------------------------------------------------------------------------------------

@pytest.fixture
def signer(tmp_path):
    return Signer(tmp_path, "ed25519", "team")


def listing(signer, folder, *paths, name="list.dsse", **predicate):
    subjects = [{"name": str(p), "digest": {"sha256": hashlib.sha256(p.read_bytes()).hexdigest()}} for p in paths]
    body = json.loads(statement(**predicate))
    body["subject"] = subjects
    return signer.sign(json.dumps(body, separators=(",", ":")).encode(), folder, name)


def test_a_list_that_is_named(tmp_path, keys, signer, program):
    """Off the host: the list is verified first, then the files are looked up in it."""
    shutil.copy(signer.pem, keys / "team.pem")
    made = listing(signer, tmp_path, program)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    code, answers = ask(program, other, "--keys", keys, "--allowlist", made)
    assert code == 1 and [a["reason"] for a in answers] == ["accepted", "no_signature"]
    assert answers[0]["source"] == "allowlist" and answers[0]["series"] == "example.org/demo"
    assert answers[0]["version"] == 7
    # The one key by its file, and a list that it did not sign.
    assert ask(program, "--keys", signer.pem, "--allowlist", made)[0] == 0
    stranger = listing(Signer(tmp_path, "ed25519", "stranger"), tmp_path, program, name="s.dsse")
    result = run("verify", program, "--keys", keys, "--allowlist", stranger)
    assert result.returncode == 1 and b"unknown_key" in result.stderr
    # Bound to paths.
    bound = listing(signer, tmp_path, program, name="b.dsse", bind="path")
    assert ask(program, "--keys", keys, "--allowlist", bound)[0] == 0
    moved = tmp_path / "moved"
    shutil.copy(program, moved)
    assert ask(moved, "--keys", keys, "--allowlist", bound)[0] == 1
    assert ask(moved, "--keys", keys, "--allowlist", made)[0] == 0
    # A link to it is the file where it lies.
    link = tmp_path / "link"
    link.symlink_to(program)
    assert ask(link, "--keys", keys, "--allowlist", bound)[0] == 0


def test_an_envelope_is_no_program_to_sigtool(tmp_path, keys, signer):
    """A member that nobody signed may be a shell command: valid as a list, and no answer for a program."""
    made = listing(signer, tmp_path, tmp_path / "team.pem")
    polyglot = tmp_path / "polyglot"
    polyglot.write_bytes(b'{"x":"$(touch /tmp/owned)",' + made.read_bytes()[1:])
    assert ask(polyglot, "--keys", signer.pem)[0] == 0
    host = Host(tmp_path, keys)
    shutil.copy(signer.pem, keys / "team.pem")
    assert host.sigtool("-v", polyglot).returncode == 1


class Host:
    """A host's configuration, seen at /etc/execward in a mount namespace of its own."""

    def __init__(self, folder, keys, **trust):
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir()
        self.state.mkdir(mode=0o700)
        self.config = self.etc / "execward.yaml"
        settings = {"keys_dir": str(keys)} | trust
        self.config.write_text(f"state_dir: {self.state}\nruntime_dir: {folder}/run\ntrust: {json.dumps(settings)}\n")

    def inside(self, *command, env=None):
        """Runs a program where /etc holds this host's configuration and nothing else."""
        script = ('mount -t tmpfs tmpfs /etc && mkdir /etc/execward && cp "$1" /etc/execward/execward.yaml && '
                  'shift && exec "$@"')
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", self.config, *map(str, command)],
                              capture_output=True, timeout=60, check=False,
                              env=os.environ | {"PATH": os.path.dirname(SIGTOOL) + ":" + os.environ["PATH"]} | (env or {}))

    def sigtool(self, *argv):
        return self.inside("sigtool", *argv)

    def tool(self, *argv):
        return run("--config", self.config, *argv)

    def ask(self, *paths):
        result = self.tool("verify", "--json", *paths)
        assert result.returncode in (0, 1), result
        return [(a["reason"], a.get("source")) for a in map(json.loads, result.stdout.splitlines())]


@pytest.fixture
def host(tmp_path, trusted, signer):
    shutil.copy(signer.pem, trusted / "team.pem")
    return Host(tmp_path, trusted)


def install(host, envelope):
    result = host.tool("allowlist", "install", envelope)
    assert result.returncode == 0, result


def test_an_installed_list_vouches(tmp_path, host, signer, program, trusted):
    assert host.ask(program) == [("no_signature", "none")]
    install(host, listing(signer, tmp_path, program))
    assert host.ask(program) == [("accepted", "allowlist")]
    moved = tmp_path / "moved"
    shutil.copy(program, moved)
    assert host.ask(moved) == [("accepted", "allowlist")]
    # A newer one that binds to the path.
    install(host, listing(signer, tmp_path, program, version=8, bind="path"))
    assert host.ask(program, moved) == [("accepted", "allowlist"), ("other_path", "allowlist")]
    # Elsewhere only.
    install(host, listing(signer, tmp_path, program, version=9, scope={"hosts": ["db-*"]}, critical=["scope"]))
    assert host.ask(program) == [("other_scope", "allowlist")]
    host.config.write_text(host.config.read_text().replace('"keys_dir"', '"labels": ["db-1"], "keys_dir"'))
    assert host.ask(program) == [("accepted", "allowlist")]
    # Its signer is revoked: it stays installed and vouches for nothing.
    (trusted / "trust.json").write_text(json.dumps({"revoked_keys": [signer.id]}))
    assert host.ask(program)[0][0] in ("revoked_key", "unknown_key", "threshold_not_met")
    (trusted / "trust.json").write_text(
        json.dumps({"revoked_digests": [hashlib.sha256(program.read_bytes()).hexdigest()]}))
    assert host.ask(program)[0][0] == "revoked_digest"


def test_the_denylist_of_the_host(tmp_path, host, signer, program, ima):
    import sqlite3
    install(host, listing(signer, tmp_path, program))
    ima["p256"].sign(program)
    assert host.ask(program) == [("accepted", "allowlist")]
    # As the daemon writes it for `execward deny`.
    database = sqlite3.connect(host.state / "baseline.db")
    database.execute("INSERT INTO grant_ (kind, sha256, image, reason, by_uid, created_ns, expires_ns) "
                     "VALUES (3, ?, '', 'incident', 0, 1, 0)",
                     (hashlib.sha256(program.read_bytes()).digest(),))
    database.commit()
    database.close()
    assert host.ask(program)[0][0] == "denied"


def test_the_configured_threshold_is_asked_of_installed_lists(tmp_path, host, signer, program, trusted):
    install(host, listing(signer, tmp_path, program))
    shutil.copy(Signer(tmp_path, "p256", "second").pem, trusted / "second.pem")
    host.config.write_text(host.config.read_text().replace('"keys_dir"', '"threshold": 2, "keys_dir"'))
    assert host.ask(program) == [("threshold_not_met", "allowlist")]


def test_what_only_root_may_read_is_not_passed_over(host, program, ima, tmp_path, signer):
    """Without the denylist nothing can be told: whoever is not root says --keys."""
    install(host, listing(signer, tmp_path, program))
    os.chmod(host.etc, 0o755)
    ima["p256"].sign(program)
    for folder in [program.parent, *program.parent.parents][:-1]:
        os.chmod(folder, os.stat(folder).st_mode | 0o055)
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sigtool", "-v", program]
    result = host.inside(*command)
    assert result.returncode == 77, result


# --- sigtool ----------------------------------------------------------------------------------------

def test_the_script_of_the_field_runs_unchanged(host, program, ima):
    script = program.with_name("script")
    script.write_text('FILE="$1"\nif ! sigtool -v "$FILE"; then exit 1; fi\n')
    assert host.inside("sh", script, program).returncode == 1
    ima["p256"].sign(program)
    result = host.inside("sh", script, program)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    program.write_bytes(b"#!/bin/sh\nevil\n")
    assert host.inside("sh", script, program).returncode == 1
    assert host.inside("sh", script, program.with_name("none")).returncode == 1
    assert host.inside("sh", script, "").returncode == 1
    # Word for word.
    assert host.inside("sh", "-c", f"if ! sigtool -v {program}; then exit 1; fi").returncode == 1
    ima["p256"].sign(program)
    assert host.inside("sh", "-c", f"if ! sigtool -v {program}; then exit 1; fi").returncode == 0


def test_sigtool(host, program, ima, signer, tmp_path):
    ima["p256"].sign(program)
    for argv in (("-v", program), ("--verify", program), (f"--verify={program}",), ("-v", program, program)):
        result = host.sigtool(*argv)
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b""), argv
    sidecar(program).unlink()
    result = host.sigtool("-v", program)
    assert result.returncode == 1 and not result.stdout and b"sigtool: " in result.stderr
    assert b"no_signature" in result.stderr
    install(host, listing(signer, tmp_path, program))
    assert host.sigtool("-v", program).returncode == 0
    assert host.sigtool("-v", program, tmp_path / "none").returncode == 66
    assert host.sigtool("-v", tmp_path).returncode == 66
    assert host.sigtool("-v", "-").returncode == 66


@pytest.mark.parametrize("argv", [
    (), ("-v",), ("--verify",), ("--verify=",), ("--info=main.cvd",), ("-i", "x"), ("--md5", "x"), ("--sha256", "x"),
    ("-u", "x"), ("--unpack-current=daily",), ("--list-sigs",), ("--build=x",), ("x",), ("--quiet", "-v", "x"), ("",)])
def test_sigtool_is_not_clamavs(host, argv):
    result = host.sigtool(*argv)
    assert result.returncode == 64 and not result.stdout
    assert b"execward's sigtool" in result.stderr or argv == ("--verify=",)


@pytest.mark.parametrize("name", ["--help", "-h", "--version", "-V"])
def test_a_file_is_never_an_option(host, name):
    """`sigtool -v "$FILE"` with such a name must not exit 0."""
    assert host.sigtool("-v", name).returncode == 66
    assert host.sigtool("--verify", name).returncode == 66
    assert host.sigtool("-v", "/nonexistent", name).returncode == 66
    assert host.sigtool(name).returncode == 0  # asked for by itself
