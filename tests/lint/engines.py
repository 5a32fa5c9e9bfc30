"""Who decides what runs loads no foreign code: no engine, no provider, no configuration of OpenSSL's.

Asked of the objects: every archive of lib/ but the signing tool's own (libexecward-crypto-token.a), and the
daemon as it was linked.
"""

import re

from archives import archives, compile_archive
from tree import output

LOADS = re.compile(r"(ENGINE_\w+|OSSL_PROVIDER_(load|try_load)\w*|CONF_modules_load\w*|OPENSSL_config|"
                   r"OSSL_LIB_CTX_load_config|key_token_open)(@.*)?")
TOKEN = "libexecward-crypto-token.a"
FOLDERS = ("base", "core", "crypto", "config", "store", "snapshot")


def programs(tree):
    for path in tree.files((tree.build / "daemon",)):
        if path.name in ("execwardd", "libexecward-daemon.a"):
            yield path


class Engines:
    NAME = "engines"
    PLANTS = [
        [("lib/crypto/a.c", "void *ENGINE_by_id(const char *);\nvoid *f(void);\n"
          "void *f(void) { return ENGINE_by_id(\"x\"); }\n")],
        [("lib/crypto/a.c", "void *OSSL_PROVIDER_load(void *, const char *);\nvoid *f(void);\n"
          "void *f(void) { return OSSL_PROVIDER_load(0, \"x\"); }\n")],
        [("lib/snapshot/a.c", "int key_token_open(void);\nint f(void);\nint f(void) { return key_token_open(); }\n")],
    ]
    CLEAN = [("lib/crypto/a.c", "int EVP_DigestInit(void);\nint f(void);\nint f(void) { return EVP_DigestInit(); }\n")]
    prepare = staticmethod(compile_archive)

    @staticmethod
    def check(tree):
        findings = []
        found = [path for path in archives(tree, FOLDERS) if path.name != TOKEN] + list(programs(tree))
        if not found:
            return ["no archive of lib/ under the build directory: build first"]
        for path in found:
            code, text = output("nm", "-u", *(["-D"] if path.suffix != ".a" else []), path)
            if code != 0:
                return [text]
            findings += [f"{path.name}: calls {line.split()[-1]}" for line in text.splitlines()
                         if " U " in line and LOADS.fullmatch(line.split()[-1])]
        return findings


RULES = (Engines,)
