"""Keys on a token, with softhsm2 in the place of hardware: signed through OpenSSL's engine, verified as any
other. And libp11's failure for a token that holds an Ed25519 key."""
import os
import shutil
import subprocess

import pytest

from envelopes import fine, run, statement, verdict

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
BODY = statement()
PIN = "1234"
# An engine that has failed keeps some memory of its own, and nobody looks for leaks under strace.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}

pytestmark = pytest.mark.skipif(
    not (os.path.exists(MODULE) and shutil.which("softhsm2-util") and shutil.which("pkcs11-tool")),
    reason="needs softhsm2, opensc and libengine-pkcs11-openssl")


class Token:
    def __init__(self, folder):
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
        self.env = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf"), "PKCS11_MODULE_PATH": MODULE, "PIN": PIN,
                    **NO_LEAKS}
        self.call("softhsm2-util", "--init-token", "--free", "--label", "box", "--pin", PIN, "--so-pin", "5678")

    def call(self, *argv):
        subprocess.run(argv, env=os.environ | self.env, check=True, capture_output=True, timeout=60)

    def make(self, kind, label, number):
        self.call("pkcs11-tool", "--module", MODULE, "--token-label", "box", "-l", "--pin", PIN, "--keypairgen",
                  "--key-type", kind, "--label", label, "--id", number)


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    made = Token(tmp_path_factory.mktemp("token"))
    made.make("rsa:2048", "rsa", "01")
    made.make("EC:prime256v1", "p256", "02")
    return made


@pytest.mark.parametrize("label, scheme", [("rsa", b"rsa-pkcs1-sha256"), ("p256", b"ecdsa-sha256")])
def test_a_tokens_key_signs(tmp_path, token, label, scheme):
    uri, how = f"pkcs11:token=box;object={label};type=private", ["--passin", "env:PIN"]
    result = fine("pubkey", "-k", uri, *how, "-o", tmp_path / "k.pem", env=token.env)
    assert scheme in result.stdout
    fine("sign", "-k", uri, *how, "-o", tmp_path / "x", "-", input=BODY, env=token.env)
    assert verdict(tmp_path / "x", "--keys", tmp_path / "k.pem") == (0, "accepted")


def test_faults_say_what_is_wrong_and_never_the_pin(token):
    uri = "pkcs11:token=box;object=rsa"
    rows = [(uri, {"PIN": "9999"}, b"PIN is wrong"), ("pkcs11:token=box;object=none", {}, b"no such key"),
            (uri, {"PKCS11_MODULE_PATH": "/none"}, b"PKCS11_MODULE_PATH"),
            (uri, {"OPENSSL_ENGINES": "/none"}, b"libengine-pkcs11-openssl")]
    for where, env, said in rows:
        result = run("pubkey", "-k", where, "--passin", "env:PIN", env=token.env | env)
        assert result.returncode == 69 and said in result.stderr and not result.stdout
    result = run("pubkey", "-k", uri + "?pin-value=4321", env=token.env)
    assert result.returncode == 69 and b"4321" not in result.stderr
    # Nobody to ask for a PIN: an error, and no wait.
    assert run("pubkey", "-k", uri, env=token.env).returncode == 66


def test_a_token_with_an_ed25519_key_is_explained(tmp_path):
    made = Token(tmp_path)
    made.make("rsa:2048", "rsa", "01")
    argv = ["pubkey", "-k", "pkcs11:token=box;object=rsa", "--passin", "env:PIN"]
    assert run(*argv, env=made.env).returncode == 0
    made.make("EC:edwards25519", "ed", "03")
    result = run(*argv, env=made.env)
    if result.returncode == 0:
        return  # a libp11 that has learned it
    assert result.returncode == 69
    assert b"Ed25519" in result.stderr and b"execward pae" in result.stderr


def test_the_environment_loads_nothing_where_it_is_not_asked_to(tmp_path):
    """OPENSSL_CONF could name an engine or a provider; the tool reads no configuration of OpenSSL's."""
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = init\n[init]\nengines = list\nproviders = prov\n[list]\nx = engine\n[engine]\n"
                      "engine_id = pkcs11\ninit = 1\n[prov]\nlegacy = on\n[on]\nactivate = 1\n")
    done = subprocess.run(["strace", "-f", "-e", "trace=open,openat", "--", *argv_of("keygen", tmp_path)],
                          env=os.environ | NO_LEAKS | {"OPENSSL_CONF": str(config)}, capture_output=True, timeout=60, check=False,
                          ) if shutil.which("strace") else pytest.skip("needs strace")
    assert done.returncode == 0
    assert b"openssl.cnf" not in done.stderr and b"engines-3" not in done.stderr and b"ossl-modules" not in done.stderr


def argv_of(verb, folder):
    from fake_daemon import EXECWARD
    return [EXECWARD, verb, "--unencrypted", "--out", str(folder / "k")]
