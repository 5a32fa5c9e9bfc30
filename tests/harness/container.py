"""A container as a runtime makes it, without the runtime: a mount namespace of its own, the
overlay as root, a /dev/shm, and whatever else is to be mounted in it."""
import ctypes
import os
import signal
import subprocess

from .fs import Result, libc, run

CLONE_NEWNS = 0x00020000
SYS_PIVOT_ROOT = 155  # x86_64
MNT_DETACH = 2


def check(value, what):
    if value != 0:
        raise OSError(ctypes.get_errno(), what)


class Container:
    """Runs `init` (a program of the image) in it; close() ends it."""

    def __init__(self, overlay, init=("/bin/sleep", "1000"), binds=()):
        self.overlay = overlay
        os.makedirs(overlay.path("/dev/shm"), exist_ok=True)
        read, write = os.pipe()
        self.init = os.fork()
        if self.init == 0:
            try:
                self.child(init, binds)
            finally:
                os._exit(70)
        os.close(write)
        with os.fdopen(read) as pipe:
            assert pipe.read() == ""  # ends when init has been executed

    def child(self, init, binds):
        check(libc.unshare(CLONE_NEWNS), "unshare")
        merged = self.overlay.merged
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "shm", merged + "/dev/shm")
        for source, target in binds:
            os.makedirs(merged + target, exist_ok=True)
            run("mount", "--bind", source, merged + target)
        run("mount", "--rbind", "/proc", merged + "/proc")
        run("mount", "--bind", merged, merged, "-o", "rbind")
        os.chdir(merged)
        check(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
        check(libc.umount2(b".", MNT_DETACH), "umount")
        os.chdir("/")
        null = os.open("/", os.O_RDONLY)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execve(init[0], list(init), {})

    def exec(self, *argv, timeout=20, env=None):
        """What `docker exec` does: into the namespaces, then the program."""
        namespace = os.open(f"/proc/{self.init}/ns/mnt", os.O_RDONLY)
        try:
            result = subprocess.run(argv, preexec_fn=lambda: check(
                libc.setns(namespace, CLONE_NEWNS), "setns"), timeout=timeout, capture_output=True,
                env=env or {"PATH": "/bin"})
        except OSError as error:
            return Result(argv, error.errno, None, b"")
        finally:
            os.close(namespace)
        return Result(argv, None, result.returncode, result.stdout + result.stderr)

    def attack(self, technique, target, source="/bin/payload"):
        return self.exec("/bin/attack", technique, source, target, f"{technique} {target}")

    def close(self):
        os.kill(self.init, signal.SIGKILL)
        os.waitpid(self.init, 0)
