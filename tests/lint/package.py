"""The Debian package holds the programs, the unit and the configuration, and nothing from the build."""

import re

from tree import output

HOLDS = (r"\./usr/sbin/execwardd", r"\./usr/bin/execward", r"\./(usr/)?lib/systemd/system/execwardd\.service",
         r"\./(usr/)?lib/systemd/system/execward-fetch\.service", r"\./(usr/)?lib/systemd/system/execward-fetch\.timer",
         r"\./(usr/)?lib/systemd/system-preset/50-execward\.preset",
         r"\./usr/share/man/man1/execward-allowlist\.1(\.gz)?",
         r"\./usr/lib/sysusers\.d/execward\.conf", r"\./usr/lib/tmpfiles\.d/execward\.conf",
         r"\./etc/execward/execward\.yaml", r"\./etc/apt/apt\.conf\.d/90execward", r"\./usr/share/doc/execward/copyright")
FOREIGN = re.compile(r"\./(usr/local|build|work|home|root|tmp)(/|$)|\.(a|o|h)$")


def judge(listing):
    names = [line.split()[5] for line in listing.splitlines() if len(line.split()) >= 6]
    findings = [f"package: lacks {wanted}" for wanted in HOLDS
                if not any(re.fullmatch(wanted, name) for name in names)]
    return findings + [f"package: holds {name}" for name in names if FOREIGN.search(name)]


class Package:
    NAME = "package"
    PLANTS = [[("build/listing", "")],
              [("build/listing", "-rw-r--r-- root/root 1 2026-01-01 00:00 ./usr/local/bin/execward\n")]]
    CLEAN = [("build/listing", "".join(
        f"-rw-r--r-- root/root 1 2026-01-01 00:00 {name}\n" for name in (
            "./usr/sbin/execwardd", "./usr/bin/execward", "./usr/lib/systemd/system/execwardd.service",
            "./usr/lib/systemd/system/execward-fetch.service", "./usr/lib/systemd/system/execward-fetch.timer",
            "./usr/lib/systemd/system-preset/50-execward.preset", "./usr/share/man/man1/execward-allowlist.1",
            "./usr/lib/sysusers.d/execward.conf", "./usr/lib/tmpfiles.d/execward.conf",
            "./etc/execward/execward.yaml", "./etc/apt/apt.conf.d/90execward", "./usr/share/doc/execward/copyright")))]

    @staticmethod
    def check(tree):
        planted = tree.build / "listing"
        if planted.exists():
            return judge(planted.read_text(encoding="utf-8"))
        found = sorted(tree.build.glob("execward_*.deb"))
        if not found:
            return ["package: no execward_*.deb in the build directory: run cpack first"]
        code, text = output("dpkg-deb", "--contents", found[-1])
        return judge(text) if code == 0 else [text]


RULES = (Package,)
