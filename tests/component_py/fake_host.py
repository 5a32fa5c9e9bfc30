"""A host for execward doctor: EXECWARD_TEST_ROOT goes in front of every file that doctor looks at, so a
directory with a /proc, an /etc and a /var of its own stands for the host. The variable is honoured by
doctor alone, which only reads."""
import json
import os

from fake_daemon import FakeDaemon, status

OK, NOTE, WEAK = "ok", "note", "weak"
PID = 42

# name: (values that are as wanted, values that are not, level of those, rows, level when absent)
SETTINGS = {
    "fs.leases-enable": (["1"], ["0"], WEAK, [9, 10], WEAK),
    "fs.lease-break-time": (["5", "45"], ["4", "0"], NOTE, [9, 10], NOTE),
    "vm.memfd_noexec": (["2"], ["0", "1"], WEAK, [15], WEAK),
    "kernel.unprivileged_userns_clone": (["0"], ["1"], WEAK, [6, 8], OK),
    "user.max_user_namespaces": (["0"], ["1", "96364"], WEAK, [6, 8], OK),
    "kernel.io_uring_disabled": (["2"], ["0", "1"], NOTE, [3, 16], NOTE),
    "fs.fanotify.max_user_groups": (["128", "1024"], ["127", "0"], WEAK, [19], OK),
    "fs.fanotify.max_user_marks": (["8192", "205039"], ["8191"], NOTE, [19], OK),
    "fs.fanotify.max_queued_events": (["16384", "1048576"], ["16383"], NOTE, [19], OK),
    "kernel.yama.ptrace_scope": (["1", "2", "3"], ["0"], NOTE, [], NOTE),
}

MOUNTS = """\
22 1 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 254:1 / /data rw,nosuid,noexec shared:1 - xfs /dev/vdb rw
29 27 0:50 / /mnt/remote rw - nfs4 server:/x rw
30 27 0:51 / /mnt/fuse rw - fuse.sshfs s rw
"""
LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max processes             96364                96364                processes
Max open files            {}               1048576              files
"""


class Host:
    """A host on which nothing is weak, with a daemon that guards its root filesystem."""

    def __init__(self, root):
        self.root, self.daemon = str(root), FakeDaemon()
        self.answer()
        for name, row in SETTINGS.items():
            self.setting(name, row[0][0])
        self.write("/proc/self/mountinfo", MOUNTS)
        self.write("/proc/cmdline", "BOOT_IMAGE=/vmlinuz quiet\n")
        self.write(f"/proc/{PID}/limits", LIMITS.format(1048576))
        self.write(f"/proc/{PID}/oom_score_adj", "-900\n")
        self.write(f"/proc/{PID}/cgroup", "0::/system.slice/execwardd.service\n")

    def answer(self, **changes):
        base = {"guarded": [{"fs": "ext4", "kind": "backing", "path": "/"}], "pid": PID}
        self.daemon.answers["status"] = status(**(base | changes))

    def path(self, name):
        return self.root + name

    def make(self, name):
        os.makedirs(self.path(name), exist_ok=True)

    def write(self, name, text):
        self.make(os.path.dirname(name))
        with open(self.path(name), "wb") as file:
            file.write(text.encode("latin-1" if "\xff" in text else "utf-8"))

    def remove(self, name):
        os.unlink(self.path(name))

    def setting(self, name, value):
        self.write(self.file_of(name), value + "\n")

    @staticmethod
    def file_of(name):
        return "/proc/sys/" + name.replace(".", "/")

    def mounts(self, *lines):
        self.write("/proc/self/mountinfo", MOUNTS + "".join(line + "\n" for line in lines))

    def config(self, text):
        with open(self.daemon.config, "a", encoding="utf-8") as file:
            file.write(text)

    def run(self, *argv):
        return self.daemon.tool("doctor", *argv, env=os.environ | {"EXECWARD_TEST_ROOT": self.root})

    def findings(self, code=None):
        result = self.run("--json")
        assert b"Sanitizer" not in result.stderr
        found = json.loads(result.stdout)
        weak = any(f["level"] == WEAK for f in found)
        assert result.returncode == (weak if code is None else code)
        return found

    def find(self, check, section=None, code=None):
        found = [f for f in self.findings(code) if f["check"] == check and section in (None, f["section"])]
        assert len(found) == 1, (check, found)
        return found[0]

    def checks(self):
        return {f["check"] for f in self.findings()}
