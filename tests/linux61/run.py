#!/usr/bin/python3
"""run.py [PYTEST-ARGUMENT...]: the kernel tier on Linux 6.1, in a guest without KVM.

The guest's first serial line is the kernel's and goes to a file; the second one is pytest's and is shown as
it comes. It fails when the guest's pytest does, when the kernel oopses, panics or warns, and when
the guest is not done in time.
"""
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import guest

LIFETIME = int(os.environ.get("EXECWARD_LINUX61_SECONDS", "1400"))
# What an older kernel may do differently: events, marks, leases, mounts, /proc. Who vouches for a digest
# (baselines, trusted writers, lists, signatures) is decided above that, alike on every kernel. The whole
# tier: run.py tests/kernel.
WHAT = [f"tests/kernel/test_{name}.py" for name in (
    "controls", "decisions", "faults", "loader", "matrix", "races", "remembered", "sidesteps", "volumes")]
LAST_WORD = re.compile(rb"^EXECWARD-GUEST-EXIT (\d+)\r?$", re.M)
TROUBLE = re.compile(r"Kernel panic|\bOops\b|\bBUG:|WARNING: CPU|Call Trace|blocked for more than|"
                     r"Out of memory", re.I)
# A busy host stops a guest for longer than these watchdogs wait.
APPEND = "mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
SETTINGS = {"EXECWARD_TEST_SLOW": "10", "EXECWARD_RACE_TRIES": "50"}


def qemu(kernel, initramfs, root, payload, console):
    # What an emulator is slow at is left away: wide vectors, five levels of page tables, mitigations.
    return ["setpriv", "--pdeathsig", "KILL",
            "qemu-system-x86_64", "-M", "q35", "-cpu", "max,-avx,-avx2,-la57",
            "-accel", "tcg,thread=multi,tb-size=256", "-smp", "2", "-m", "2G",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initramfs),
            "-append", "console=ttyS0 loglevel=5 panic=-1 oops=panic " + APPEND,
            "-drive", f"if=virtio,format=raw,snapshot=on,file={root}",
            "-drive", f"if=virtio,format=raw,snapshot=on,file={payload}",
            "-serial", f"file:{console}", "-serial", "stdio"]


def show(process, deadline):
    """Passes the guest's pytest through: (all that it said, whether it ended before the deadline)."""
    said = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return said, False
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            return said, True
        said += chunk
        sys.stdout.buffer.write(chunk.replace(b"\r\n", b"\n"))
        sys.stdout.flush()


def boot(command):
    """show() of a guest that is gone afterwards."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            return show(process, time.monotonic() + LIFETIME)
        finally:
            process.kill()


def trouble(said, ended, console):
    """What went wrong beside the tests, a line each."""
    found = [f"kernel: {line}" for line in console.splitlines() if TROUBLE.search(line)]
    if not ended:
        found.append(f"the guest was not done after {LIFETIME} s")
    elif not LAST_WORD.search(said):
        found.append("the guest ended before its pytest")
    return found


def run_guest(folder, arguments):
    """(what pytest said, whether the guest came to its end, what its kernel said)"""
    build = guest.ROOT / os.environ.get("EXECWARD_BUILD", "build/dev")
    kernel, root, console = guest.kernel(), guest.root_disk(), folder / "console"
    settings = {**SETTINGS, "PYTEST_ADDOPTS": shlex.join(arguments)}
    payload = guest.payload_disk(folder, build, settings)
    initramfs = guest.initramfs(folder, kernel)
    said, ended = boot(qemu(kernel / "vmlinuz", initramfs, root, payload, console))
    return said, ended, console.read_text(errors="replace")


def main():
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="execward-linux61-", dir="/var/tmp") as folder:
        said, ended, console = run_guest(Path(folder), sys.argv[1:] or WHAT)
    found = trouble(said, ended, console)
    last = LAST_WORD.search(said)
    if not found and int(last.group(1)) == 0:
        return 0
    print("the guest's console ended with:", *console.splitlines()[-60:], sep="\n")
    for line in found:
        print(f"linux61: {line}")
    if found:  # the guest's own closing line, if there is one, does not know of it
        print(f"1 failed in {time.monotonic() - began:.2f}s")
    return 1


if __name__ == "__main__":
    sys.exit(main())
