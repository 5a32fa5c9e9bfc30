"""systemd reads the unit without complaint, and the unit keeps what the kernel facts ask of it.

A setting that gives the service a mount namespace of its own would take the daemon off the host's
mount, where its ignore mark silences the host's execs.
"""

import re
import tempfile
from pathlib import Path

from tree import output

UNIT = "systemd/execwardd.service"
# systemd.exec(5), 252: each implies a private mount namespace.
UNSHARES_MOUNTS = re.compile(
    r"^(ProtectSystem|ProtectHome|PrivateTmp|PrivateDevices|PrivateMounts|PrivateIPC|ProtectKernelTunables|"
    r"ProtectKernelModules|ProtectKernelLogs|ProtectControlGroups|ProtectProc|ProcSubset|MountFlags|"
    r"ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|BindPaths|BindReadOnlyPaths|"
    r"TemporaryFileSystem|RootDirectory|RootImage|MountAPIVFS|DynamicUser|PrivateUsers|LogNamespace)=", re.M)
# systemd's seccomp filter cannot look into openat2(2)'s arguments, and answers ENOSYS (252, seccomp-util.c).
TAKES_OPENAT2 = re.compile(r"^RestrictSUIDSGID=(yes|true|1|on)\b", re.M)
GOOD = "[Unit]\nDescription=x\n[Service]\nType=notify\nExecStart=/usr/sbin/execwardd\n"


class Units:
    NAME = "units"
    PLANTS = [[(UNIT, GOOD + "PrivateTmp=yes\n")], [(UNIT, GOOD + "RestrictSUIDSGID=yes\n")], [(UNIT, GOOD + "NoSuchSetting=1\n")],
              [(UNIT, GOOD + "Restart=sometimes\n")], [("systemd/other.service", GOOD)]]
    CLEAN = [(UNIT, GOOD)]

    @staticmethod
    def check(tree):
        path = tree.root / UNIT
        if not path.exists():
            return [f"{UNIT} is missing"]
        text = path.read_text(encoding="utf-8")
        findings = [f"{UNIT}: {match.group(1)} gives the daemon a mount namespace of its own"
                    for match in UNSHARES_MOUNTS.finditer(text)]
        if TAKES_OPENAT2.search(text):
            findings.append(f"{UNIT}: RestrictSUIDSGID takes openat2(2) from the daemon")
        # The program is not installed where the tree is checked: any program stands in for it.
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder) / path.name
            unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
            code, said = output("systemd-analyze", "verify", "--man=no", unit)
        findings += [f"{UNIT}: {line}" for line in said.splitlines() if path.name in line or folder in line]
        if code != 0 and not findings:
            findings.append(f"{UNIT}: systemd-analyze verify: exit {code}: {said.strip()}")
        return findings


RULES = (Units,)
