"""Text that has no place in the tree: shells behind our back, unfinished work, hosts to download from."""

import re

from tree import line_of, without_comments

SHELLS = re.compile(r"(?<![\w.>])(system|popen)\s*\(")
# Written in pieces, so that this file passes its own rule.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# Hosts are told by their shape, since naming them here would be what the rule forbids. An image's
# reference begins with docker.io in every runtime's own metadata: that is data.
SERVERS = re.compile(
    r"\b(?:registry(?:-\d+)?|deb|debian|ftp|mirrors?|proxy|index|files|packages?|snapshot|archive|hub|static)"
    r"\.[a-z0-9-]+(?:\.[a-z0-9-]+)*\.?(?:org|com|io|net|dev)\b"
    r"|\b(?:[a-z0-9-]+cr|qua\w|pypi|crates|npmjs)\.(?:org|com|io|net|dev)\b", re.I)
LINKS = re.compile(r"\bhttps?://([A-Za-z0-9.-]+)")
LINKED = {"www.w3.org",  # names of XML vocabularies, in pictures
          "localhost", "127.0.0.1", "in-toto.io", "json-schema.org", "www.apache.org",
          "keepachangelog.com", "semver.org", "www.kernel.org", "docs.kernel.org", "falco.org",
          "slsa.dev", "www.debian.org", "www.rfc-editor.org"}


class Shells:
    NAME = "shells"
    PLANTS = [[("daemon/task.c", 'int f(void)\n{\n\treturn system("id");\n}\n')],
              [("lib/base/file.c", 'static void f(void) { FILE *p = popen (x, "r"); }\n')],
              [("tools/doctor.c", "int r = system(command);\n")]]
    CLEAN = [("daemon/task.c", "/* never system(): a shell */\nint file_system(int x); int y = a.system(1);\n")]

    @staticmethod
    def check(tree):
        findings = []
        for name, text in tree.texts(("lib", "daemon", "tools"), (".c", ".h")):
            code = without_comments(text)
            findings += [f"{name}:{line_of(code, match.start())}: {match.group(1)}() starts a shell"
                         for match in SHELLS.finditer(code)]
        return findings


class Unfinished:
    NAME = "unfinished"
    PLANTS = [[("lib/core/policy.c", "/* TO" "DO: the rest */\n")],
              [("docs/threats.md", "FIX" "ME\n")],
              [("dev", "# XX" "X\n")]]
    CLEAN = [("lib/base/file.c", 'static const char template[] = "x.XXXXXX";\n')]

    @staticmethod
    def check(tree):
        return [f"{name}:{line_of(text, match.start())}: {match.group(1)}"
                for name, text in tree.texts() for match in UNFINISHED.finditer(text)]


class Hosts:
    NAME = "hosts"
    PLANTS = [[("dev", "curl registry" ".example.com/x\n")],
              [("tests/system/conftest.py", 'MIRROR = "http:' '//deb' '.invalid.org/debian"\n')],
              [("packaging/Dockerfile", "FROM gh" "cr.io/a/b\n")],
              [("README.md", "see https:" "//downloads.vendor.net/file\n")]]
    CLEAN = [("README.md", "docker.io/library/gcc, https://example.org/x, http://127.0.0.1:8080/\n")]

    @staticmethod
    def check(tree):
        findings = []
        for name, text in tree.texts():
            if name == "LICENSE":
                continue
            findings += [f"{name}:{line_of(text, match.start())}: names the server {match.group(0)}"
                         for match in SERVERS.finditer(text)]
            findings += [f"{name}:{line_of(text, match.start())}: links to {match.group(1)}"
                         for match in LINKS.finditer(text) if not Hosts.known(match.group(1))]
        return findings

    @staticmethod
    def known(host):
        reserved = re.fullmatch(r"(.*\.)?(example|invalid|test|localhost)|(.*\.)?example\.(org|com|net)", host)
        return reserved is not None or host.rstrip(".") in LINKED


RULES = (Shells, Unfinished, Hosts)
