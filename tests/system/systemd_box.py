"""A small Debian with a real systemd, booted by systemd-nspawn on a loop ext4 that is made for the test.

The tree comes from debootstrap, with the mirror that this machine's apt uses, and is kept as a tar in CACHE.
The image is mounted in a mount namespace of its own, so that nothing stays behind when the processes
are gone; timeout(1) ends the box when a test hangs. nspawn gives the box a pid namespace, which
execwardd refuses by design: see allow_pid_namespace().
"""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/execward-tests")
RELEASE = "bookworm"
BASE_PACKAGES = ["systemd", "systemd-sysv", "init-system-helpers", "util-linux", "mount"]
LIFETIME = 600          # seconds, of a whole box
IMAGE_BYTES = 2 << 30   # sparse


def checked(*command, timeout=120, **options):
    """Output of a program that must succeed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout, check=False, **options)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def build_directory():
    return Path(ROOT, os.environ.get("EXECWARD_BUILD", "build/dev"))


def make_package(folder):
    """The package of the build under test; cpack copies what is built, and builds nothing."""
    checked("cpack", "-G", "DEB", "-B", folder, "--config", "CPackConfig.cmake", cwd=build_directory())
    return next(Path(folder).glob("execward_*.deb"))


def mirror():
    """The address this machine's own apt takes Debian from."""
    query = ("apt-get", "indextargets", "--format", "$(REPO_URI)",
             "Created-By: Packages", "Origin: Debian", f"Codename: {RELEASE}")
    found = checked(*query).split()
    if not found:
        checked("apt-get", "update", timeout=300)
        found = checked(*query).split()
    assert found, f"apt knows no Debian {RELEASE} mirror"
    return found[0]


def dependencies(package):
    """Package names from Depends, of alternatives the first."""
    fields = checked("dpkg-deb", "-f", package, "Depends").strip().split(",")
    return [re.split(r"[ (:|]", field.strip())[0] for field in fields if field.strip()]


def base_tree(packages):
    """The tar of a minimal Debian with systemd and these packages."""
    wanted = sorted(set(BASE_PACKAGES + packages))
    key = hashlib.sha256(" ".join([RELEASE, *wanted]).encode()).hexdigest()[:16]
    tar = CACHE / f"{RELEASE}-{key}.tar"
    if not tar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            checked("debootstrap", "--variant=minbase", "--include=" + ",".join(wanted), RELEASE,
                    folder + "/tree", mirror(), timeout=600)
            checked("tar", "-C", folder + "/tree", "-cf", folder + "/tar", ".", timeout=300)
            Path(folder, "tar").rename(tar)
    return tar


class SystemdBox:
    """with SystemdBox(folder, package) as box: box.run("systemctl", "start", ...)"""

    def __init__(self, folder, package):
        self.folder = Path(folder)
        self.package = Path(package)
        self.process = None
        self.init = None

    def __enter__(self):
        try:
            self.make_image()
            self.boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def make_image(self):
        image, mount = self.folder / "box.ext4", self.folder / "root"
        mount.mkdir()
        with image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        checked("mkfs.ext4", "-q", image)
        checked("unshare", "--mount", "--propagation", "private", "sh", "-euc",
                'mount -o loop "$1" "$2"; tar -C "$2" -xf "$3"; cp "$4" "$2/root/execward.deb"; '
                'chroot "$2" dpkg -i /root/execward.deb; umount "$2"', "sh",
                image, mount, base_tree(dependencies(self.package)), self.package, timeout=900)

    def boot(self):
        self.launch("unshare", "--mount", "--propagation", "slave", "sh", "-euc",
                    'mount -o loop "$1" "$2"; shift 2; exec "$@"', "sh", self.folder / "box.ext4",
                    self.folder / "root", *self.nspawn(self.folder / "root"))

    @staticmethod
    def nspawn(root):
        """The command that boots what lies at @root."""
        return ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--capability=all",
                "--console=pipe", f"--directory={root}"]

    def launch(self, *command):
        with (self.folder / "console.log").open("wb") as console:
            self.process = subprocess.Popen(
                ["timeout", "--kill-after=5", str(LIFETIME), *map(str, command)],
                # nspawn's own system call filter knows no fanotify_init(2); the box has no part in that.
                env={**os.environ, "SYSTEMD_SECCOMP": "0"},
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        self.wait(lambda: self.find_init() and self.state() in ("running", "degraded"), 90,
                  "the box did not come up")

    def find_init(self):
        """Pid, seen from here, of the first process below nspawn in another pid namespace."""
        own = os.readlink("/proc/self/ns/pid")
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != own:
                    self.init = pid
                    return True
                waiting += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                continue
        return False

    def state(self):
        return self.run("systemctl", "is-system-running", check=False).strip()

    def run(self, *command, check=True, timeout=60, stdin=None):
        """Output of a program in the box, in init's namespaces."""
        done = subprocess.run(["nsenter", "--target", str(self.init), "--all", *map(str, command)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                              input=stdin, check=False)
        assert done.returncode == 0 or not check, f"{command}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def exit_code(self, *command, timeout=60):
        return subprocess.run(["nsenter", "--target", str(self.init), "--all", *map(str, command)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout,
                              check=False).returncode

    def write(self, path, text):
        self.run("sh", "-euc", 'mkdir -p "${1%/*}"; cat >"$1"', "sh", path, stdin=text)

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "--output", "cat", "--unit", unit)

    def wait(self, condition, seconds, message):
        """Polls until the condition holds; the box's console is part of the failure."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        console = (self.folder / "console.log").read_text(errors="replace")
        raise AssertionError(f"{message} within {seconds} s\n{console[-2000:]}")

    def start(self, unit):
        said = self.run("systemctl", "start", unit, check=False)
        assert self.show(unit, "ActiveState") == "active", f"{unit} did not start: {said}{self.journal(unit)}"

    def allow_pid_namespace(self):
        """The documented switch for this test: inside, events carry real pids of the box's own tasks."""
        self.write("/etc/systemd/system/execwardd.service.d/test.conf",
                   "[Service]\nEnvironment=EXECWARD_TEST_PID_NAMESPACE=1\n")
        self.run("systemctl", "daemon-reload")

    def stop(self):
        # An image is some hundred megabytes, and pytest keeps the folders of its last runs.
        (self.folder / "box.ext4").unlink(missing_ok=True)
        self.power_off()

    def power_off(self):
        if not self.process:
            return
        if self.init and self.process.poll() is None:
            # SIGRTMIN+4 asks systemd, which runs as pid 1, to power off: no bus is needed for it.
            os.kill(self.init, signal.SIGRTMIN + 4)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(30)
        self.process = self.init = None
