"""The root of a small image: busybox and our static helpers, no libc."""
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
    # Programs to be edited, each on its own.
    for name in ("one", "two", "three", "four", "five", "six", "seven", "eight"):
        shutil.copy(os.path.join(HELPERS, "payload"), os.path.join(path, "bin", name))
    with open(os.path.join(path, "etc/passwd"), "w", encoding="utf-8") as file:
        file.write("root:x:0:0:root:/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    return path
