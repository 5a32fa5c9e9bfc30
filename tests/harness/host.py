"""A filesystem that a daemon guards for the host (guard.paths), with a small system on it."""
import json
import os
import subprocess
import time

from .baselines import digest_of, publish
from .fs import LoopFs, Result, libc, run
from .image import make as make_image

PROGRAMS = ("bin/busybox", "bin/payload", "bin/attack", "bin/one", "bin/two", "bin/three", "bin/dynamic",
            "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6")


class Disk(LoopFs):
    """A filesystem that is guarded for the host, with a small system on it."""

    def __init__(self, size="200M"):
        super().__init__(size)
        make_image(self.mount)
        self.uuid = run("blkid", "-o", "value", "-s", "UUID", self.image).stdout.decode().strip()
        self.device = run("findmnt", "-no", "SOURCE", self.mount).stdout.decode().strip()

    def digests(self, *names):
        return [digest_of(open(self.path(name), "rb").read()) for name in names or PROGRAMS]

    def drop(self, name, salt, mode=0o755):
        content = open(self.path("bin/payload"), "rb").read() + salt
        self.write(name, content, mode)
        return digest_of(content)

    def write(self, name, content, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(self.path(name), mode)

    def exec(self, name, *argv, chroot=False, flags=0, env=None):
        """In our own root, or in a chroot there; in namespaces of its own with @flags."""
        def enter():
            if flags and libc.unshare(flags) != 0:
                os._exit(77)
            if chroot:
                os.chroot(self.mount)
                os.chdir("/")
        path = "/" + name if chroot else self.path(name)
        try:
            done = subprocess.run([path, *argv], preexec_fn=enter, capture_output=True, timeout=30,
                                  env=env or {"PATH": "/bin"})
        except OSError as error:
            return Result(argv, error.errno, None, b"")
        return Result(argv, None, done.returncode, done.stdout + done.stderr)

    def attack(self, technique, target, chroot=True):
        return self.exec("bin/attack", technique, "/bin/payload", target, f"{technique} {target}", chroot=chroot)


def guard_disks(start, storage, *disks, path_mode=None, baseline=True, known=(), **kwargs):
    """A daemon of start() that guards disks for the host, and no container's filesystem but @storage; their
    baselines are their programs and @known."""
    paths = [{"path": d.mount} | ({"mode": path_mode} if path_mode else {}) for d in disks]
    kwargs.setdefault("marks", "auto")
    kwargs.setdefault("storage", [storage])
    daemon = start(ready=False, guard_extra=f"paths: {json.dumps(paths)}", **kwargs)
    if baseline:
        # The database is made by a daemon's first start.
        daemon.start()
        for d in disks:
            publish(daemon, d.digests(*PROGRAMS, *known), d.mount, "filesystem", d.uuid, kind="host")
        daemon.stop()
    daemon.start()
    return daemon


def paths_of(daemon):
    return {row["path"]: row for row in daemon.status()["guard"]["paths"]}


def host_events(daemon):
    return [e for e in daemon.events() if e["execward.container_key"] is None]


def quiet(daemon, call, times=20):
    """No exec of it is asked about any more, once the kernel remembers."""
    end = time.monotonic() + 20
    while True:
        before = daemon.status()["events_total"]
        for _ in range(times):
            call()
        if daemon.status()["events_total"] == before:
            return True
        assert time.monotonic() < end, "asked about again and again"
