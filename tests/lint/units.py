"""systemd reads the units without complaint, and the daemon's keeps what the kernel facts ask of it.

A setting that gives the service a mount namespace of its own would take the daemon off the host's
mount, where its ignore mark silences the host's execs.
"""

import re
import tempfile
from pathlib import Path

from tree import output

UNIT = "systemd/execwardd.service"
FETCH = "systemd/execward-fetch.service"
TIMER = "systemd/execward-fetch.timer"
# systemd.exec(5), 252: each implies a private mount namespace.
UNSHARES_MOUNTS = re.compile(
    r"^(ProtectSystem|ProtectHome|PrivateTmp|PrivateDevices|PrivateMounts|PrivateIPC|ProtectKernelTunables|"
    r"ProtectKernelModules|ProtectKernelLogs|ProtectControlGroups|ProtectProc|ProcSubset|MountFlags|"
    r"ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|BindPaths|BindReadOnlyPaths|"
    r"TemporaryFileSystem|RootDirectory|RootImage|MountAPIVFS|DynamicUser|PrivateUsers|LogNamespace)=", re.M)
# systemd cannot look into openat2(2)'s argument, and answers all of them with ENOSYS.
NO_OPENAT2 = re.compile(r"^RestrictSUIDSGID=", re.M)
# What talks to servers as root is shut in.
SHUT_IN = ("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes",
           "SystemCallFilter=@system-service seccomp", "CapabilityBoundingSet=CAP_SETUID CAP_SETGID")
GOOD = "[Unit]\nDescription=x\n[Service]\nType=notify\nExecStart=/usr/sbin/execwardd\n"
GOOD_FETCH = "[Unit]\nDescription=x\n[Service]\nType=oneshot\nExecStart=/usr/bin/execward\n" + "\n".join(SHUT_IN) + "\n"
GOOD_TIMER = "[Unit]\nDescription=x\n[Timer]\nOnCalendar=hourly\nRandomizedDelaySec=30min\nPersistent=true\n"
ALL = [(UNIT, GOOD), (FETCH, GOOD_FETCH), (TIMER, GOOD_TIMER)]


class Units:
    NAME = "units"
    PLANTS = [[(UNIT, GOOD + "PrivateTmp=yes\n"), *ALL[1:]], [(UNIT, GOOD + "NoSuchSetting=1\n"), *ALL[1:]],
              [(UNIT, GOOD + "Restart=sometimes\n"), *ALL[1:]], [("systemd/other.service", GOOD), *ALL[1:]],
              [*ALL[:2], (TIMER, GOOD_TIMER + "OnCalendar=sometimes\n")], ALL[:2],
              [*ALL[:2], (TIMER, GOOD_TIMER.replace("Persistent=true\n", ""))],
              [ALL[0], (FETCH, GOOD_FETCH.replace("ProtectSystem=strict\n", "")), ALL[2]],
              [ALL[0], (FETCH, GOOD_FETCH + "RestrictSUIDSGID=yes\n"), ALL[2]],
              [(UNIT, GOOD + "RestrictSUIDSGID=yes\n"), *ALL[1:]]]
    CLEAN = ALL

    @staticmethod
    def check(tree):
        missing = [f"{name} is missing" for name, _ in ALL if not (tree.root / name).exists()]
        if missing:
            return missing
        texts = {name: (tree.root / name).read_text(encoding="utf-8") for name, _ in ALL}
        findings = [f"{UNIT}: {match.group(1)} gives the daemon a mount namespace of its own"
                    for match in UNSHARES_MOUNTS.finditer(texts[UNIT])]
        findings += [f"{name}: RestrictSUIDSGID takes openat2(2) away: keys could not be read"
                     for name, text in texts.items() if NO_OPENAT2.search(text)]
        findings += [f"{FETCH}: lacks {line}" for line in SHUT_IN if line not in texts[FETCH].splitlines()]
        findings += [f"{TIMER}: lacks {line}" for line in ("RandomizedDelaySec=30min", "Persistent=true")
                     if line not in texts[TIMER].splitlines()]
        return findings + Units.verify(texts)

    @staticmethod
    def verify(texts):
        """The programs are not installed where the tree is checked: any program stands in for them."""
        with tempfile.TemporaryDirectory() as folder:
            units = []
            for name, text in texts.items():
                units.append(Path(folder) / Path(name).name)
                units[-1].write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
            code, said = output("systemd-analyze", "verify", "--man=no", *units)
        findings = [f"systemd: {line}" for line in said.splitlines()
                    if folder in line or any(unit.name in line for unit in units)]
        if code != 0 and not findings:
            findings.append(f"systemd-analyze verify: exit {code}: {said.strip()}")
        return findings


RULES = (Units,)
