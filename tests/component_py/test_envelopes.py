"""Keys and envelopes from the command line: other people's tools both ways, the vectors of docs/formats.md,
and what must never be accepted."""
import base64
import hashlib
import json
import os
import pty
import resource
import subprocess
import sys

import pytest

from envelopes import (EXAMPLE, EXAMPLE_PAE, EXAMPLE_SIGNATURES, GOLDEN, PASSPHRASE, SCHEMES, TYPE, TYPES, Signer,
                       envelope, fine, openssl, pae, run, stamp, statement, verdict)
from fake_daemon import EXECWARD

BODY = statement()


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signers")
    return {kind: Signer(folder, kind) for kind in TYPES}


@pytest.fixture
def first(signers):
    return signers["ed25519"]


@pytest.fixture
def second(signers):
    return signers["p256"]


@pytest.fixture
def trusted(tmp_path, first, second):
    return keys(tmp_path, a=first, b=second)


def keys(folder, **members):
    made = folder / "keys.d"
    made.mkdir(mode=0o755)
    for name, signer in members.items():
        (made / f"{name}.pem").write_bytes(open(signer.pem, "rb").read())
    return made


# --- keys -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", TYPES)
def test_keygen_makes_what_openssl_reads(tmp_path, kind):
    signer = Signer(tmp_path, kind, encrypted=True)
    assert os.stat(signer.key).st_mode & 0o7777 == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in open(signer.key, "rb").read()
    assert signer.scheme == SCHEMES[kind]
    assert openssl("pkey", "-in", signer.key, "-passin", "pass:wrong", "-noout").returncode != 0
    public = openssl("pkey", "-in", signer.key, "-passin", f"pass:{PASSPHRASE}", "-pubout")
    assert public.stdout == open(signer.pem, "rb").read()
    der = openssl("pkey", "-pubin", "-in", signer.pem, "-outform", "DER").stdout
    assert signer.id == hashlib.sha256(der).hexdigest()
    assert fine("pubkey", "-k", signer.key, "--passin", "env:PASS").stdout == public.stdout
    # AES-256 under PBKDF2 with 600000 turns of HMAC-SHA-256.
    parsed = openssl("asn1parse", "-in", signer.key).stdout
    for word in (b"PBKDF2", b"hmacWithSHA256", b"aes-256-cbc", b"0927C0"):
        assert word in parsed


def test_keygen_never_writes_over_anything(tmp_path):
    signer = Signer(tmp_path)
    before = open(signer.key, "rb").read(), open(signer.pem, "rb").read()
    assert run("keygen", "--unencrypted", "--out", signer.prefix).returncode == 73
    os.unlink(signer.key)
    assert run("keygen", "--unencrypted", "--out", signer.prefix).returncode == 73
    assert not os.path.exists(signer.key) and open(signer.pem, "rb").read() == before[1]
    os.unlink(signer.pem)
    os.symlink("/dev/null", signer.key)
    assert run("keygen", "--unencrypted", "--out", signer.prefix).returncode == 73
    assert run("keygen", "--unencrypted", "--out", tmp_path / "none" / "x").returncode == 73
    assert sorted(os.listdir(tmp_path)) == ["ed25519.key"]


def test_keygen_usage(tmp_path):
    for argv in (["--type", "rsa1024"], ["--type", "unset"], ["--unencrypted", "--passin", "env:PASS"],
                 ["--passin", "pass:x"], ["--passin", "env:"], ["--passin", "fd:x"], ["--passin", "fd:-1"]):
        assert run("keygen", "--out", tmp_path / "x", *argv).returncode == 64
    assert run("keygen", "--unencrypted", "--out", "-").returncode == 64
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("source", ["none", "env", "file", "empty", "long", "fd", "stdin"])
def test_passphrases_come_from_where_they_are_said_to(tmp_path, source):
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode() + b"\nrest")
    os.close(write)
    (tmp_path / "file").write_text(PASSPHRASE + "\r\nmore\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("x" * 2000)
    how = {"none": [], "env": ["--passin", "env:PASS"], "fd": ["--passin", f"fd:{read}"],
           "stdin": ["--passin", "stdin"]}.get(source, ["--passin", f"file:{tmp_path / source}"])
    more = {"input": (PASSPHRASE + "\n").encode()} if source == "stdin" else {}
    result = run("keygen", "--out", tmp_path / "k", *how, pass_fds=[read], **more)
    os.close(read)
    refused = source in ("none", "empty", "long")
    assert result.returncode == (66 if refused else 0), result.stderr
    assert os.path.exists(tmp_path / "k.key") != refused
    if not refused:
        fine("pubkey", "-k", tmp_path / "k.key", "--passin", "env:PASS")
        assert run("pubkey", "-k", tmp_path / "k.key", "--passin", "env:HOME").returncode == 77
        assert run("pubkey", "-k", tmp_path / "k.key", "--passin", "env:NONE_SUCH").returncode == 66
        assert run("pubkey", "-k", tmp_path / "k.key").returncode == 66


def on_terminal(argv, answers):
    """Runs with a terminal of its own: what was shown there, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(EXECWARD, [EXECWARD, *map(str, argv)])
    shown = b""
    for prompt, answer in answers:
        while prompt not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, answer + b"\n")
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_terminal_is_asked_without_an_echo(tmp_path):
    secret = PASSPHRASE.encode()
    argv = ["keygen", "--out", tmp_path / "k"]
    shown, code = on_terminal(argv, [(b"Passphrase", secret), (b"Again", secret + b"x")])
    assert code == 66 and b"not the same" in shown and not os.listdir(tmp_path)
    shown, code = on_terminal(argv, [(b"Passphrase", secret), (b"Again", secret)])
    assert code == 0 and secret not in shown
    shown, code = on_terminal(["pubkey", "-k", tmp_path / "k.key"], [(b"Passphrase", secret)])
    assert code == 0 and secret not in shown and b"BEGIN PUBLIC KEY" in shown


@pytest.mark.parametrize("name", sorted(name for name in os.listdir(GOLDEN) if name.startswith("refused-")))
def test_keys_that_are_refused(tmp_path, first, name):
    path = os.path.join(GOLDEN, name)
    result = run("pubkey", "-k", path)
    assert result.returncode == 65 and not result.stdout and name.encode() in result.stderr
    signed = first.sign(BODY, tmp_path)
    if name.endswith(".pem"):
        assert run("verify", signed, "--keys", path).returncode == 78
    assert run("sign", "-k", path, "-o", tmp_path / "x", "-", input=BODY).returncode == 65


def test_a_key_that_others_can_read_is_warned_about(tmp_path):
    signer = Signer(tmp_path)
    os.chmod(signer.key, 0o644)
    result = fine("sign", "-k", signer.key, "-o", "-", "-", input=BODY)
    assert b"chmod 0600" in result.stderr


# --- ours read by others, theirs by us ------------------------------------------------------------

@pytest.mark.parametrize("kind", TYPES)
def test_openssl_takes_ours(tmp_path, signers, kind):
    signer = signers[kind]
    made = json.loads(signer.sign(BODY, tmp_path).read_bytes())
    assert made["payloadType"] == TYPE and base64.b64decode(made["payload"]) == BODY
    assert [entry["keyid"] for entry in made["signatures"]] == [signer.id]
    signature = base64.b64decode(made["signatures"][0]["sig"])
    assert signer.checks(pae(BODY), signature, tmp_path)
    assert not signer.checks(pae(BODY) + b"x", signature, tmp_path)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("how", ["bytes", "base64"])
def test_we_take_openssls(tmp_path, signers, kind, how):
    signer, body, out = signers[kind], tmp_path / "body", tmp_path / "out.dsse"
    body.write_bytes(BODY)
    fine("pae", body, "-o", tmp_path / "pae")
    assert (tmp_path / "pae").read_bytes() == pae(BODY)
    signature = signer.raw(pae(BODY), tmp_path)
    (tmp_path / "s").write_bytes(signature if how == "bytes" else base64.b64encode(signature) + b"\n")
    fine("attach", body, "-k", signer.pem, "--signature", tmp_path / "s", "-o", out)
    assert verdict(out, "--keys", signer.pem) == (0, "accepted")
    # Over something else, and by somebody else.
    (tmp_path / "s").write_bytes(signer.raw(BODY, tmp_path))
    argv = ["attach", body, "--signature", tmp_path / "s", "-o", tmp_path / "no", "-k"]
    assert run(*argv, signer.pem).returncode == 1
    (tmp_path / "s").write_bytes(signature)
    other = signers["p256" if kind == "ed25519" else "ed25519"]
    assert run(*argv, other.pem).returncode == 1
    assert run(*argv, signer.key).returncode == 65  # a private key has no business there
    assert not (tmp_path / "no").exists()


def sslib_key(signer, private=False):
    keys_module = pytest.importorskip("securesystemslib.keys", reason="needs python3-securesystemslib")
    text = open(signer.key if private else signer.pem, encoding="ascii").read()
    if signer.kind == "rsa3072":
        read = keys_module.import_rsakey_from_private_pem if private else keys_module.import_rsakey_from_public_pem
        return keys_module, read(text, scheme="rsa-pkcs1v15-sha256")
    if signer.kind == "p256":
        if private:
            return keys_module, keys_module.import_ecdsakey_from_private_pem(text)
        return keys_module, keys_module.import_ecdsakey_from_public_pem(text)
    from cryptography.hazmat.primitives import serialization as s
    loaded = (s.load_pem_private_key(text.encode(), None) if private else s.load_pem_public_key(text.encode()))
    public = (loaded.public_key() if private else loaded).public_bytes(s.Encoding.Raw, s.PublicFormat.Raw).hex()
    secret = loaded.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, s.NoEncryption()).hex() if private else ""
    return keys_module, {"keytype": "ed25519", "scheme": "ed25519", "keyid": signer.id,
                         "keyval": {"public": public, "private": secret}}


@pytest.mark.parametrize("kind", ["ed25519", "p256", "rsa3072"])
def test_securesystemslib_both_ways(tmp_path, signers, kind):
    """Debian 12's release has the keys and schemes, and no envelopes yet: those are json's here."""
    signer = signers[kind]
    made = json.loads(signer.sign(BODY, tmp_path).read_bytes())
    library, public = sslib_key(signer)
    ours = {"keyid": public["keyid"], "sig": base64.b64decode(made["signatures"][0]["sig"]).hex()}
    assert library.verify_signature(public, ours, pae(base64.b64decode(made["payload"])))
    library, private = sslib_key(signer, private=True)
    theirs = library.create_signature(private, pae(BODY))
    path = tmp_path / "theirs.dsse"
    path.write_bytes(envelope(BODY, (theirs["keyid"], bytes.fromhex(theirs["sig"]))))
    assert verdict(path, "--keys", signer.pem) == (0, "accepted")
    path.write_bytes(envelope(statement(version=8), (theirs["keyid"], bytes.fromhex(theirs["sig"]))))
    assert verdict(path, "--keys", signer.pem)[0] == 1


def test_the_worked_example(tmp_path):
    path = tmp_path / "example.dsse"
    path.write_bytes(envelope(EXAMPLE, *[("hint", base64.b64decode(sig)) for sig in EXAMPLE_SIGNATURES.values()]))
    made = fine("pae", path)
    assert len(made.stdout) == 386 and hashlib.sha256(made.stdout).hexdigest() == EXAMPLE_PAE
    for name in EXAMPLE_SIGNATURES:
        result = run("verify", path, "--keys", os.path.join(GOLDEN, name + ".pem"), "--json")
        answer = json.loads(result.stdout)
        # Signed well; but its predicate is not ours.
        assert result.returncode == 1 and answer["reason"] == "bad_statement" and answer["signers"] == 1
        fine("export", path, "-k", os.path.join(GOLDEN, name + ".pem"), "-o", tmp_path / name)
        exported = json.loads((tmp_path / name).read_bytes())
        assert [entry["sig"] for entry in exported["signatures"]] == [EXAMPLE_SIGNATURES[name]]


@pytest.mark.parametrize("kind, half", [("p256", 32), ("p384", 48)])
def test_raw_r_and_s_are_taken(tmp_path, signers, kind, half):
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    signer = signers[kind]
    r, s = decode_dss_signature(signer.raw(pae(BODY), tmp_path))
    path = tmp_path / "raw.dsse"
    raw = r.to_bytes(half, "big") + s.to_bytes(half, "big")
    for signature, good in ((raw, True), (raw[:-1], False), (raw + b"\0", False), (b"\0" + raw, False),
                            (bytes(2 * half), False), (raw[half:] + raw[:half], False)):
        path.write_bytes(envelope(BODY, ("", signature)))
        assert verdict(path, "--keys", signer.pem)[0] == (0 if good else 1)


def test_pss_is_no_signature_of_a_pkcs1_key(tmp_path, signers):
    signer = signers["rsa3072"]
    (tmp_path / "pae").write_bytes(pae(BODY))
    made = openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sign", signer.key, tmp_path / "pae")
    path = tmp_path / "pss.dsse"
    path.write_bytes(envelope(BODY, (signer.id, made.stdout)))
    assert len(made.stdout) == 384 and verdict(path, "--keys", signer.pem) == (1, "tampered")


@pytest.mark.parametrize("kind, digest", [("p256", "sha384"), ("p384", "sha256"), ("rsa3072", "sha512"),
                                          ("rsa3072", "sha1")])
def test_another_hash_than_the_keys_own_is_refused(tmp_path, signers, kind, digest):
    (tmp_path / "pae").write_bytes(pae(BODY))
    made = openssl("dgst", "-" + digest, "-sign", signers[kind].key, tmp_path / "pae")
    path = tmp_path / "x.dsse"
    path.write_bytes(envelope(BODY, ("", made.stdout)))
    assert made.stdout and verdict(path, "--keys", signers[kind].pem)[0] == 1


# --- signing --------------------------------------------------------------------------------------

def test_a_signer_sees_what_is_signed(tmp_path, first):
    result = fine("sign", "-k", first.key, "-o", tmp_path / "x", "-", "--json", input=BODY)
    for word in ("example.org/demo", "version    7", "entries    1", "expires    " + stamp(90)[:10], first.id):
        assert word.encode() in result.stderr
    answer = json.loads(result.stdout)
    assert answer["key_id"] == first.id and answer["series"] == "example.org/demo" and answer["entries"] == 1


def test_confirm_asks_a_terminal_and_signs_nothing_else(tmp_path, first):
    body, out = tmp_path / "body", tmp_path / "out"
    body.write_bytes(BODY)
    argv = ["sign", "-k", first.key, "-o", out, "--confirm", body]
    assert run(*argv).returncode == 66 and not out.exists()
    for answer in (b"no", b"", b"y", b"yes please"):
        shown, code = on_terminal(argv, [(b"Type yes", answer)])
        assert code == 1 and b"example.org/demo" in shown and not out.exists()
    assert on_terminal(argv, [(b"Type yes", b"yes")])[1] == 0
    assert verdict(out, "--keys", first.pem) == (0, "accepted")
    out.unlink()
    assert b"example.org/demo" in fine(*argv, "--yes").stderr
    assert verdict(out, "--keys", first.pem) == (0, "accepted")


@pytest.mark.parametrize("body, code", [
    (b"", 65), (b"{}", 65), (b"x", 65), (statement(names=()), 65), (statement(predicate_type="x"), 65),
    (BODY + b"x", 65), (EXAMPLE, 65), (statement(critical=["nonsense"]), 65), (statement(names=("bin/x",)), 65),
    (statement(names=("/a/../b",)), 65), (statement(names=("/a\nb",)), 65), (statement(expires=stamp(-2)), 65)])
def test_only_a_statement_is_signed(tmp_path, first, body, code):
    result = run("sign", "-k", first.key, "-o", tmp_path / "x", "-", input=body)
    assert result.returncode == code and not (tmp_path / "x").exists() and result.stderr


def test_an_envelope_is_not_taken_for_a_statement(tmp_path, first, second):
    made = first.sign(BODY, tmp_path)
    result = run("sign", "-k", second.key, "-o", tmp_path / "x", made)
    assert result.returncode == 65 and b"--append" in result.stderr
    assert run("sign", "-k", second.key, "--append", "-o", tmp_path / "x", "-", input=BODY).returncode == 65
    # What is both is an envelope to every verb, and its payload is what they show.
    both = json.loads(statement(series="example.org/shown")) | json.loads(made.read_bytes())
    (tmp_path / "both").write_text(json.dumps(both))
    result = run("pae", tmp_path / "both")
    assert result.stdout == pae(BODY) and b"example.org/demo" in result.stderr and b"shown" not in result.stderr
    assert run("sign", "-k", second.key, "-o", tmp_path / "x", tmp_path / "both").returncode == 65


def test_append_keeps_the_content_and_adds_one(tmp_path, first, second, trusted):
    made = first.sign(BODY, tmp_path)
    fine("sign", "-k", second.key, "--append", made, "-o", made)
    assert verdict(made, "--keys", trusted, "--threshold", "2") == (0, "accepted")
    before = made.read_bytes()
    again = fine("sign", "-k", second.key, "--append", made, "-o", made)
    assert b"already" in again.stderr and made.read_bytes() == before


def test_pipes(first, second):
    made = fine("sign", "-k", first.key, "-o", "-", "-", input=BODY).stdout
    both = fine("sign", "-k", second.key, "--append", "-o", "-", "-", input=made).stdout
    assert run("verify", "-", "--keys", second.pem, input=both).returncode == 0
    assert b"UNVERIFIED" in fine("inspect", "-", input=both).stdout
    assert run("sign", "-k", first.key, "-o", "-", "-", "--passin", "stdin", input=BODY).returncode == 64


def test_merge_and_export(tmp_path, first, second, trusted):
    one, two = first.sign(BODY, tmp_path, "1"), second.sign(BODY, tmp_path, "2")
    fine("merge", one, two, one, "-o", tmp_path / "both")
    assert len(json.loads((tmp_path / "both").read_bytes())["signatures"]) == 2
    assert verdict(tmp_path / "both", "--keys", trusted, "--threshold", "2") == (0, "accepted")
    fine("export", tmp_path / "both", "-k", second.pem, "-o", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == two.read_bytes()
    assert run("export", one, "-k", second.pem, "-o", tmp_path / "none").returncode == 1
    other = first.sign(statement(version=8), tmp_path, "3")
    assert run("merge", one, other, "-o", tmp_path / "none").returncode == 1
    assert not (tmp_path / "none").exists()


def test_output_is_whole_or_absent(tmp_path, first):
    body = tmp_path / "body"
    body.write_bytes(BODY)
    os.mkfifo(tmp_path / "fifo")
    for out, code in (("fifo", 73), ("none/x", 73), (".", 73)):
        assert run("sign", "-k", first.key, "-o", tmp_path / out, body).returncode == code
    os.symlink("body", tmp_path / "link")
    assert run("sign", "-k", first.key, "-o", tmp_path / "link", body).returncode == 73
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))  # noqa: E731
    out = tmp_path / "out"
    out.write_text("before")
    assert run("sign", "-k", first.key, "-o", out, body, preexec_fn=limit).returncode == 74
    assert out.read_text() == "before" and sorted(os.listdir(tmp_path)) == ["body", "fifo", "link", "out"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_signers_need_no_configuration(tmp_path, first):
    """The daemon's is root's alone, and release engineers are not root on a host that has one."""
    if run("--version", user=65534).returncode != 0:
        pytest.skip("the build directory is closed to others")
    config = tmp_path / "execward.yaml"
    config.write_text("nonsense: 1\n")
    argv = ["sign", "-k", first.key, "-o", "-", "-"]
    assert run(*argv, input=BODY).returncode == 0
    assert run("--config", config, *argv, input=BODY).returncode == 78


# --- verifying ------------------------------------------------------------------------------------

def test_words(tmp_path, first, second, signers, trusted):
    made = first.sign(BODY, tmp_path)
    changed = json.loads(made.read_bytes())
    changed["payload"] = base64.b64encode(statement(version=8)).decode()
    (tmp_path / "changed").write_text(json.dumps(changed))
    changed["signatures"] = []
    (tmp_path / "unsigned").write_text(json.dumps(changed))
    rows = [
        (made, ["--keys", trusted], (0, "accepted")),
        (made, ["--keys", trusted, "--series", "example.org/demo"], (0, "accepted")),
        (made, ["--keys", trusted, "--series", "example.org/other"], (1, "unwanted_series")),
        (made, ["--keys", signers["p384"].pem], (1, "unknown_key")),
        (made, ["--keys", trusted, "--threshold", "2"], (1, "threshold_not_met")),
        (made, ["--keys", trusted, "--threshold", "3"], (1, "bad_threshold")),
        (tmp_path / "changed", ["--keys", trusted], (1, "tampered")),
        (tmp_path / "unsigned", ["--keys", trusted], (1, "unsigned"))]
    for path, argv, expected in rows:
        assert verdict(path, *argv) == expected
    for text in ("0", "-1", "x", "33", "1x", "99999999999999999999"):
        assert run("verify", made, "--keys", trusted, "--threshold", text).returncode == 64


@pytest.mark.parametrize("predicate, word", [
    ({"issued": stamp(-100), "expires": stamp(-1)}, "expired"), ({"issued": stamp(1)}, "not_yet_valid"),
    ({"issued": stamp(-1), "expires": stamp(500)}, "validity_too_long"), ({"issued": stamp(0)}, "accepted")])
def test_time(tmp_path, first, predicate, word):
    made = first.sign(statement(**predicate), tmp_path)
    assert verdict(made, "--keys", first.pem) == (0 if word == "accepted" else 1, word)


def bare(signer, body, tmp_path):
    """Signed by openssl: the tool itself would not."""
    path = tmp_path / "bare.dsse"
    path.write_bytes(envelope(body, (signer.id, signer.raw(pae(body), tmp_path))))
    return path


@pytest.mark.parametrize("body, word", [
    (statement(names=()), "empty"), (statement(critical=["nonsense"]), "unknown_critical"),
    (statement(critical=["scope"], scope={"pods": ["a"]}), "unknown_critical")])
def test_what_restricts_unknown_or_lists_nothing_is_refused(tmp_path, first, body, word):
    assert verdict(bare(first, body, tmp_path), "--keys", first.pem) == (1, word)


def test_scope_is_shown(tmp_path, first):
    body = statement(critical=["scope"], scope={"hosts": ["web-*"], "images": ["a:*", "b:1"]})
    made = first.sign(body, tmp_path)
    for argv in (["inspect", made], ["verify", made, "--keys", first.pem]):
        assert b"scope      images a:*, b:1; hosts web-*\n" in fine(*argv).stdout
        assert json.loads(fine(*argv, "--json").stdout)["scope"] == {"hosts": ["web-*"], "images": ["a:*", "b:1"]}
    assert b"scope      everywhere\n" in fine("inspect", first.sign(BODY, tmp_path)).stdout


@pytest.mark.parametrize("body", [
    statement(scope={"hosts": ["a"]}), statement(critical=["scope"], scope={}), statement(critical=["scope"]),
    statement(names=("/a\x07b",)), b"", b"{}", b"[]",
    BODY[:-1] + b',"_type":"https://in-toto.io/Statement/v1"}', BODY + b"{}", statement(version=0),
    statement(version=1.5)])
def test_a_well_signed_fault_is_refused(tmp_path, first, body):
    assert verdict(bare(first, body, tmp_path), "--keys", first.pem) == (1, "bad_statement")


@pytest.mark.parametrize("body, word", [
    (statement(names=()), "empty"), (statement(critical=["nonsense"]), "unknown_critical")])
def test_a_well_signed_list_that_is_refused_by_a_word_of_its_own(tmp_path, first, body, word):
    assert verdict(bare(first, body, tmp_path), "--keys", first.pem) == (1, word)


def test_trust_settings(tmp_path, first, second, trusted):
    made = first.sign(BODY, tmp_path)
    fine("sign", "-k", second.key, "--append", made, "-o", made)

    def judged(*argv, **files):
        for name in ("a", "b", "trust"):
            path = trusted / f"{name}.json"
            path.unlink(missing_ok=True)
            if name in files:
                path.write_text(json.dumps(files[name]))
        return verdict(made, "--keys", trusted, *argv)

    both = ["--threshold", "2"]
    payload = hashlib.sha256(BODY).hexdigest()
    assert judged(*both) == (0, "accepted")
    assert judged(*both, a={"series": ["example.org/*"], "scheme": "ed25519", "uses": ["manifest"]}) == (0, "accepted")
    assert judged(*both, a={"series": ["example.com/*"]}) == (1, "threshold_not_met")
    assert judged(a={"series": ["example.com/*"]}, b={"series": ["x"]}) == (1, "other_series")
    assert judged(*both, a={"expires": "2026-01-01T00:00:00Z"}) == (1, "bad_threshold")
    assert judged(a={"expires": "2026-01-01T00:00:00Z"}, b={"expires": "2026-01-01T00:00:00Z"}) == (1, "expired_key")
    assert judged(b={"uses": ["ima"]}) == (0, "accepted")
    assert judged(*both, b={"uses": ["ima"]}) == (1, "bad_threshold")
    assert judged(trust={"revoked_keys": [first.id]}) == (0, "accepted")
    assert judged(trust={"revoked_keys": [first.id, second.id]}) == (1, "revoked_key")
    assert judged(trust={"revoked_digests": [payload]}) == (1, "revoked_digest")
    assert judged(trust={"floors": {"example.org/demo": 7}}) == (0, "accepted")
    assert judged(trust={"floors": {"example.org/demo": 8}}) == (1, "below_floor")


@pytest.mark.parametrize("change, code, said", [
    (lambda d: os.chmod(d, 0o777), 78, b"chmod go-w"), (lambda d: os.chmod(d / "a.pem", 0o666), 78, b"chmod go-w"),
    (lambda d: os.symlink("a.pem", d / "c.pem"), 78, b"symlink"), (lambda d: (d / "x").write_text(""), 78, b"belong"),
    (lambda d: [(d / n).unlink() for n in ("a.pem", "b.pem")], 78, b"no key"),
    (lambda d: (d / "a.json").write_text('{"sheme":"x"}'), 78, b"sheme")])
def test_an_unsafe_or_faulty_directory_is_no_trust(tmp_path, first, trusted, change, code, said):
    made = first.sign(BODY, tmp_path)
    change(trusted)
    result = run("verify", made, "--keys", trusted)
    assert result.returncode == code and said in result.stderr and not result.stdout
    os.symlink(trusted, tmp_path / "link")
    assert run("verify", made, "--keys", tmp_path / "link").returncode == 78
    assert run("verify", made, "--keys", tmp_path / "none").returncode == 66


def test_faulty_envelopes_are_65_with_a_word(tmp_path, first):
    good = first.sign(BODY, tmp_path).read_bytes()
    path = tmp_path / "x"
    text = good.decode().rstrip()
    rows = [(good[:-3], "not_json"), (good + b"x", "not_json"), (b'{"payload":1}', "not_an_envelope"),
            (text.replace(TYPE, "application/json").encode(), "other_payload_type"),
            (text.replace('"payload":"', '"payload":"====').encode(), "bad_base64"),
            (text.replace('{"payload"', '{"payload":"","payload"').encode(), "not_json"),
            (text.replace('"signatures":[', '"signatures":[' + '{"sig":"AAAA"},' * 32).encode(), "bad_signatures"),
            (text.encode() + b" " * (64 << 20), "envelope_too_large")]
    for data, word in rows:
        path.write_bytes(data)
        assert verdict(path, "--keys", first.pem) == (65, word)
        assert run("inspect", path).returncode == 65 and run("sign", "-k", first.key, "--append", path, "-o", tmp_path / "n").returncode == 65
    # What does not even claim to have a payload is a file that nobody answers for.
    for data in (b"", b"{}", b" " * (64 << 20) + b"x"):
        path.write_bytes(data)
        assert verdict(path, "--keys", first.pem) == (1, "no_signature")
        assert run("inspect", path).returncode == 65
    assert run("verify", tmp_path / "none", "--keys", first.pem).returncode == 66
    assert run("verify", tmp_path, "--keys", first.pem).returncode == 66


def test_inspect_says_unverified_and_shows_hostile_text_harmlessly(tmp_path, first):
    path = tmp_path / "x"
    path.write_bytes(envelope(BODY, ("\x1b[2Jhint", b"x" * 64)))
    result = fine("inspect", path)
    assert result.stdout.startswith(b"UNVERIFIED") and b"\x1b" not in result.stdout and b"series" in result.stdout
    answer = json.loads(fine("inspect", path, "--json").stdout)
    assert answer["verified"] is False and answer["payload_sha256"] == hashlib.sha256(BODY).hexdigest()


def test_every_flipped_byte_of_an_envelope(tmp_path, first):
    """Accepted is only what still decodes to the very bytes that were signed."""
    good = first.sign(BODY, tmp_path).read_bytes()
    path, accepted = tmp_path / "x", 0
    for at in range(len(good)):
        mutant = bytearray(good)
        mutant[at] ^= 1 << at % 7
        path.write_bytes(mutant)
        result = run("verify", path, "--keys", first.pem)
        assert result.returncode in (0, 1, 65)
        if result.returncode == 0:
            accepted += 1
            assert base64.b64decode(json.loads(mutant)["payload"]) == BODY
    assert 0 < accepted < 100  # the hint, and blanks


# Linux counts the pages of whoever forked into a child's peak: measured from a small process.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime)
"""


def test_the_largest_list_in_bounded_memory(tmp_path, first):
    """64 MiB of envelope hold 48 MiB of statement, which is 400,000 entries."""
    names = [f"/usr/lib/example/{i:06d}" for i in range(400000)]
    body = statement(names)
    assert 44 << 20 < len(body) < 48 << 20
    path = first.sign(body, tmp_path)
    done = subprocess.run([sys.executable, "-c", MEASURE, EXECWARD, "verify", path, "--keys", first.pem],
                          capture_output=True, timeout=120, check=True)
    code, rss_kib, seconds = done.stdout.split(b"\n")[-2].split()
    print(f"{len(names)} entries, {len(body)} bytes: {int(rss_kib) >> 10} MiB, {float(seconds):.2f} s of CPU")
    assert code == b"0"
    if "asan" not in EXECWARD:
        assert int(rss_kib) < 96 << 10 and float(seconds) < 10
