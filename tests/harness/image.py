"""The root of a small image: busybox and our static helpers, and one dynamic program with its libc."""
import os
import shutil

from .daemon import HELPERS

APPLETS = ("sh", "cat", "cp", "chmod", "mv", "echo", "ls", "sleep", "true", "mkdir", "touch", "id",
           "ln", "rm", "head", "seq", "chroot", "mount", "umount", "unshare", "nsenter", "env")


def make(path):
    for name in ("bin", "tmp", "proc", "etc", "dev", "mnt", "volume"):
        os.makedirs(os.path.join(path, name), exist_ok=True)
    shutil.copy("/bin/busybox", os.path.join(path, "bin/busybox"))
    for name in APPLETS:
        os.symlink("busybox", os.path.join(path, "bin", name))
    for name in ("payload", "attack"):
        shutil.copy(os.path.join(HELPERS, name), os.path.join(path, "bin", name))
    # What ldd(1) says of /usr/bin/echo, which Debian links with nothing else.
    for name in ("lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"):
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        shutil.copy(os.path.join("/", name), os.path.join(path, name))
    shutil.copy("/usr/bin/echo", os.path.join(path, "bin/dynamic"))
    # Programs to be edited, each on its own.
    for name in ("one", "two", "three", "four", "five", "six", "seven", "eight"):
        shutil.copy(os.path.join(HELPERS, "payload"), os.path.join(path, "bin", name))
    with open(os.path.join(path, "etc/passwd"), "w", encoding="utf-8") as file:
        file.write("root:x:0:0:root:/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    return path
