"""Rows 6 and 7: other roots, other namespaces, other paths to the same file. The inode decides."""
import ctypes
import os
import signal
import subprocess

import pytest

from harness.fs import Overlay, libc, run

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER = 0x00020000, 0x20000000, 0x10000000


def unshare(flags):
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


@pytest.fixture
def guarded(overlay, start, marks):
    daemon = start(marks=marks)
    overlay.drop("/bin/evil", open(overlay.path("/bin/payload"), "rb").read() + b"evil")
    daemon.rescan()
    return overlay, daemon


def denied(result, daemon, reason="dropped"):
    assert not result.ran, result
    assert result.errno == 1 or result.code in (1, 126), result
    assert daemon.events()[-1]["execward.reason"] == reason, daemon.events()


def test_unshare_mount_namespace(guarded):
    overlay, daemon = guarded
    denied(overlay.exec("/bin/evil", preexec=lambda: unshare(CLONE_NEWNS)), daemon)


def test_pid_namespace(guarded):
    overlay, daemon = guarded
    result = overlay.exec("/bin/unshare", "-p", "-f", "/bin/evil")
    denied(result, daemon)


def test_bind_mount_of_a_subdirectory(guarded):
    overlay, daemon = guarded
    result = overlay.exec("/bin/sh", "-c", "mount -o bind /bin /mnt && /mnt/evil",
                          preexec=lambda: unshare(CLONE_NEWNS))
    denied(result, daemon)


def test_chroot_inside(guarded):
    overlay, daemon = guarded
    result = overlay.exec("/bin/sh", "-c", "mkdir -p /jail/bin && mount -o bind /bin /jail/bin && "
                          "chroot /jail /bin/evil", preexec=lambda: unshare(CLONE_NEWNS))
    denied(result, daemon)


def test_pivot_root(guarded):
    overlay, daemon = guarded

    def pivot():
        unshare(CLONE_NEWNS)
        run("mount", "--bind", overlay.merged, overlay.merged)
        os.chdir(overlay.merged)
        if libc.syscall(155, b".", b".") != 0:  # pivot_root(".", "."), x86_64
            raise OSError(ctypes.get_errno(), "pivot_root")
        libc.umount2(b".", 2)
    result = overlay.exec("/bin/evil", preexec=pivot, root="/")
    denied(result, daemon)


def test_setns_into_another_containers_namespace(fs, image, guarded):
    overlay, daemon = guarded
    other = Overlay(fs, image)
    try:
        daemon.rescan()
        sleeper = subprocess.Popen(
            ["sleep", "60"], preexec_fn=lambda: (unshare(CLONE_NEWNS),))
        try:
            ns = os.open(f"/proc/{sleeper.pid}/ns/mnt", os.O_RDONLY)

            def enter():
                if libc.setns(ns, CLONE_NEWNS) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            denied(overlay.exec("/bin/evil", preexec=enter), daemon)
        finally:
            sleeper.kill()
            sleeper.wait()
            os.close(ns)
    finally:
        other.close()


def test_another_containers_path_through_proc(fs, image, guarded):
    overlay, daemon = guarded
    other = Overlay(fs, image)
    try:
        daemon.rescan()
        sleeper = subprocess.Popen(["/bin/sleep", "60"], env={},
                                   preexec_fn=lambda: (os.chroot(overlay.merged), os.chdir("/")))
        try:
            denied(other.exec(f"/proc/{sleeper.pid}/root/bin/evil"), daemon)
        finally:
            sleeper.kill()
            sleeper.wait()
    finally:
        other.close()


# Before, only a mark on the new overlay sees it, and nothing tells of a mount in another namespace.
through_both = pytest.mark.kernel(since="6.5", why="the overlay below raises events, too")


@through_both
def test_nested_overlay(fs, guarded):
    overlay, daemon = guarded
    script = ("mkdir -p /nest/l /nest/m && mount -t tmpfs t /tmp && mkdir /tmp/u /tmp/w && "
              "cp /bin/evil /nest/l/evil && "
              "mount -t overlay o -o lowerdir=/nest/l,upperdir=/tmp/u,workdir=/tmp/w /nest/m && "
              "/nest/m/evil")
    result = overlay.exec("/bin/sh", "-c", script, preexec=lambda: unshare(CLONE_NEWNS))
    assert not result.ran, result


@through_both
def test_nested_overlay_on_the_overlays_own_directories(guarded):
    overlay, daemon = guarded
    script = ("mkdir -p /nest/m && "
              "mount -t overlay o -o lowerdir=/bin:/etc /nest/m && /nest/m/evil")
    result = overlay.exec("/bin/sh", "-c", script, preexec=lambda: unshare(CLONE_NEWNS))
    assert not result.ran, result


def test_overlay_of_a_user_namespace(fs, image, start, marks):
    """Rootless: the overlay is mounted by nobody in particular, in a user namespace of its own."""
    import shutil
    daemon = start(marks=marks)
    base = fs.path(f"rootless-{marks}")
    for name in ("upper", "work", "merged"):
        os.makedirs(os.path.join(base, name))
    script = (f"mount -t overlay o -o userxattr,lowerdir={image},upperdir={base}/upper,"
              f"workdir={base}/work {base}/merged && cp {base}/merged/bin/payload "
              f"{base}/merged/bin/evil && echo evil >> {base}/merged/bin/evil && echo mounted && "
              f"read go && chroot {base}/merged /bin/evil; chroot {base}/merged /bin/one")
    process = subprocess.Popen(["unshare", "-Urm", "sh", "-c", script], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout.readline() == b"mounted\n"
        daemon.rescan()
        output, _ = process.communicate(b"go\n", timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
    # The image's program runs, the dropped one does not.
    assert output.count(b"PAYLOAD-RAN") == 1, [(e["proc.exepath"], e["execward.reason"], e["execward.host_path"]) for e in daemon.events()] + [{k: v for k, v in daemon.status()["faults"].items() if v}]
    assert daemon.event("/bin/evil")["execward.verdict"] == "deny"
    shutil.rmtree(base, ignore_errors=True)


def test_a_user_namespace_that_spells_the_images_path(fs, image, start, marks):
    """An overlay of a tmpfs that is mounted where the image's layer lies, in a namespace of one's own."""
    daemon = start(marks=marks)
    script = (f"cp {image}/bin/payload {image}/bin/busybox /tmp/ && mount -t tmpfs t {image} && "
              f"mkdir {image}/bin && cp /tmp/payload {image}/bin/one && echo evil >> {image}/bin/one && "
              "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && "
              f"mount -t overlay o -o userxattr,lowerdir={image},upperdir=/mnt/u,workdir=/mnt/w /mnt/m && "
              "echo mounted && read go && chroot /mnt/m /bin/one")
    process = subprocess.Popen(["unshare", "-Urm", "sh", "-c", "mount -t tmpfs t /tmp; " + script],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout.readline() == b"mounted\n"
        daemon.rescan()
        output, _ = process.communicate(b"go\n", timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
    assert b"PAYLOAD-RAN" not in output, output


def test_row_7_the_upper_directory_by_its_host_path(guarded):
    """A container that has the storage bind-mounted runs its drop by the path on the host."""
    overlay, daemon = guarded
    result = overlay.exec("/bin/sh", "-c", "/volume/bin/evil",
                          preexec=lambda: (unshare(CLONE_NEWNS), run(
                              "mount", "--bind", overlay.upper, overlay.path("/volume"))))
    denied(result, daemon)


def test_row_21_a_forged_cgroup_names_nobody_and_decides_nothing(guarded):
    overlay, daemon = guarded
    forged = "/sys/fs/cgroup/pids/docker-" + "ab" * 32 + ".scope"
    os.mkdir(forged)
    try:
        def join():
            with open(forged + "/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
        denied(overlay.exec("/bin/evil", preexec=join), daemon)
        assert overlay.exec("/bin/one", preexec=join).ran
        assert daemon.events()[-1]["execward.container_key"] == overlay.upper
    finally:
        os.rmdir(forged)


def test_row_21_a_task_that_is_killed_while_it_waits(guarded):
    """The verdict and the alert survive the task."""
    overlay, daemon = guarded
    overlay.exec("/bin/sh", "-c", "/bin/head -c 50000000 /dev/zero > /bin/big; chmod 755 /bin/big")
    for _ in range(20):
        process = subprocess.Popen(["/bin/sh", "-c", "echo started; exec /bin/big"], env={},
                                   stdout=subprocess.PIPE,
                                   preexec_fn=lambda: (os.chroot(overlay.merged), os.chdir("/")))
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    assert daemon.status()["ready"]


@pytest.mark.kernel(since="6.5", why="events of the real inode")
def test_the_runtimes_init_is_no_volume(fs, overlay, start):
    """docker run --init executes a program of the host that is bind-mounted into the container."""
    import shutil
    os.makedirs(fs.path("host"), exist_ok=True)
    for name in ("init", "other"):
        shutil.copy(overlay.path("/bin/payload"), fs.path("host", name))
        os.chmod(fs.path("host", name), 0o755)
    place = "/usr/bin/tini"
    made = not os.path.exists(place)
    if made:
        open(place, "w", encoding="ascii").close()
    run("mount", "--bind", fs.path("host", "init"), place)
    try:
        daemon = start(marks="backing")

        def mount():
            unshare(CLONE_NEWNS)
            run("mount", "--bind", fs.path("host"), overlay.path("/volume"))
        assert overlay.exec("/bin/sh", "-c", "/volume/init", preexec=mount).ran
        denied(overlay.exec("/bin/sh", "-c", "/volume/other", preexec=mount), daemon, "volume")
        # Changed, it is the host's no more.
        with open(fs.path("host", "init"), "ab") as file:
            file.write(b"x")
        denied(overlay.exec("/bin/sh", "-c", "/volume/init", preexec=mount), daemon, "volume")
    finally:
        run("umount", place)
        if made:
            os.unlink(place)


class OwnOverlay:
    """An overlay in a user and mount namespace of its own; `script` goes on for each line it is sent."""

    def __init__(self, script):
        self.process = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs t /tmp; mount -t tmpfs t /mnt; " + script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def expect(self, word):
        line = self.process.stdout.readline()
        assert line == word + b"\n", line

    def proceed(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def end(self):
        output, _ = self.process.communicate(b"go\n", timeout=20)
        return output

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.kernel(since="6.5", why="events of the real inode")
def test_a_layer_path_that_leads_elsewhere_later_vouches_for_nothing(image, start):
    """The first look sees the attacker's own directory, the second one the storage: at one rank."""
    daemon = start(marks="backing")
    box = OwnOverlay(
        "mkdir -p /mnt/u /mnt/w /mnt/m /mnt/l2 /mnt/dummy /mnt/sub /mnt/real/l1/bin; ln -s real /mnt/s; "
        f"cp {image}/bin/payload /mnt/real/l1/bin/one; echo evil >>/mnt/real/l1/bin/one; "
        f"ln -s {image} /mnt/sub/l1; mount -t overlay o -o userxattr,lowerdir=/mnt/s/l1:/mnt/l2,"
        "upperdir=/mnt/u,workdir=/mnt/w /mnt/m && mv /mnt/l2 /mnt/l2x && echo mounted && read go; "
        "ln -sfn sub /mnt/s && mount -t tmpfs t /mnt/dummy && echo flipped && read go; "
        "chroot /mnt/m /bin/one")
    try:
        box.expect(b"mounted")
        daemon.rescan()
        box.proceed()
        box.expect(b"flipped")
        daemon.rescan()
        assert b"PAYLOAD-RAN" not in box.end()
    finally:
        box.close()


@pytest.mark.kernel(since="6.5", why="events of the real inode")
def test_layers_that_appear_later_are_counted(image, start):
    daemon = start(marks="backing")
    box = OwnOverlay(
        "mkdir /mnt/u /mnt/w /mnt/m /mnt/l1 /mnt/l2 /mnt/l3 && mount -t overlay o -o userxattr,"
        "lowerdir=/mnt/l1:/mnt/l2:/mnt/l3,upperdir=/mnt/u,workdir=/mnt/w /mnt/m && "
        "mv /mnt/l1 /mnt/k1 && mv /mnt/l2 /mnt/k2 && mv /mnt/l3 /mnt/k3 && echo mounted && read go; "
        f"ln -s {image} /mnt/l1; ln -s {image} /mnt/l2; mkdir /mnt/d; mount -t tmpfs t /mnt/d; "
        "echo flipped; read go")
    try:
        box.expect(b"mounted")
        daemon.rescan()
        box.proceed()
        box.expect(b"flipped")
        daemon.rescan()
        assert daemon.status()["ready"]
    finally:
        box.close()
