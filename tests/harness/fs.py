"""Filesystems that a test makes for itself, in the mount namespace of the test run: nothing else is
ever marked. Everything here is undone by close(), also after a failure half-way."""
import ctypes
import os
import re
import subprocess
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
SLOW = int(os.environ.get("EXECWARD_TEST_SLOW", "1"))  # an emulated machine: every wait is that much longer


def kernel_release(text=None):
    """(major, minor) of a release, or of the kernel that runs."""
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", text or os.uname().release).groups()))


def run(*argv, timeout=60, check=True, **kwargs):
    return subprocess.run([str(a) for a in argv], timeout=timeout * SLOW, check=check,
                          capture_output=True, **kwargs)


def enter_namespace():
    """A mount namespace of our own, from which nothing propagates."""
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


class LoopFs:
    """An ext4 in a file."""

    def __init__(self, size="2G"):
        self.dir = tempfile.mkdtemp(prefix="execward-fs-", dir="/var/tmp")
        self.image = os.path.join(self.dir, "image")
        self.mount = os.path.join(self.dir, "mnt")
        os.mkdir(self.mount)
        run("truncate", "-s", size, self.image)
        run("mkfs.ext4", "-qF", self.image)
        run("mount", "-o", "loop", self.image, self.mount)

    def path(self, *names):
        return os.path.join(self.mount, *names)

    def close(self):
        run("umount", "-l", self.mount, check=False)
        run("rm", "-rf", self.dir, check=False)


def escape(path):
    """A path as overlayfs wants it in its options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


class Overlay:
    """An overlay with its layers on a filesystem, and what runs in it (chroot)."""

    count = 0
    UPPER = "upper"  # its directory's name

    def __init__(self, fs, image, lowers=None, options="", name=None, proc=True):
        Overlay.count += 1
        self.base = fs.path(name or f"overlay{Overlay.count}")
        os.mkdir(self.base)
        self.lowers = lowers or [image]
        self.upper, self.work, self.merged = (os.path.join(self.base, n)
                                              for n in (self.UPPER, "work", "merged"))
        for path in (self.upper, self.work, self.merged):
            os.mkdir(path)
        mount_options = "lowerdir=%s,upperdir=%s,workdir=%s" % (
            ":".join(escape(low) for low in self.lowers), escape(self.upper), escape(self.work))
        run("mount", "-t", "overlay", "overlay", "-o",
            mount_options + ("," + options if options else ""), self.merged)
        if proc:
            os.makedirs(self.path("/proc"), exist_ok=True)
            run("mount", "-t", "proc", "proc", self.path("/proc"))

    def path(self, inside):
        return self.merged + inside

    def exec(self, *argv, timeout=20, root=None, preexec=None):
        """Runs a program inside; .errno is set when the exec itself was refused."""
        root = root or self.merged

        def enter():
            if preexec:
                preexec()
            os.chroot(root)
            os.chdir("/")
        try:
            result = subprocess.run(argv, preexec_fn=enter, timeout=timeout * SLOW,
                                    capture_output=True, env={"PATH": "/bin"})
        except OSError as error:
            return Result(argv, error.errno, None, b"")
        return Result(argv, None, result.returncode, result.stdout + result.stderr)

    def attack(self, technique, target, source="/bin/payload", salt=None, **kwargs):
        return self.exec("/bin/attack", technique, source, target,
                         salt or f"{technique} {target}", **kwargs)

    def drop(self, inside, content, mode=0o755):
        with open(self.path(inside), "wb") as file:
            file.write(content)
        os.chmod(self.path(inside), mode)

    def close(self):
        run("umount", "-l", self.path("/proc"), check=False)
        run("umount", "-l", self.merged, check=False)
        run("rm", "-rf", self.base, check=False)


class Result:
    def __init__(self, argv, errno, code, output):
        self.argv, self.errno, self.code = argv, errno, code
        self.output = output
        for line in output.decode(errors="replace").splitlines():
            if line.startswith("errno="):
                self.errno = int(line[6:].split()[0])

    @property
    def ran(self):
        return b"PAYLOAD-RAN" in self.output

    def __repr__(self):
        return f"<{self.argv} errno={self.errno} code={self.code} {self.output[-200:]!r}>"
