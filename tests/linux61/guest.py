"""What the guest is made of: Debian's cloud kernel of this release, a root disk with python, pytest and the
libraries that execward links to, and a disk with the build under test and the tests.

The kernel is taken out of its package, never installed here: its scripts would make this machine's
boot loader know it. Kernel and root disk are kept in CACHE; the root disk is never written to.
"""
import hashlib
import os
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from harness.fs import run  # noqa: E402
from harness.runtimes import debian_tree  # noqa: E402

HERE = Path(__file__).resolve().parent
CACHE = Path("/var/cache/execward-tests")
KERNEL = "linux-image-cloud-amd64"
# In the order in which they load; ext4, the serial lines and fanotify are built in.
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
           "virtio_blk", "loop", "overlay")
PACKAGES = ("python3", "python3-pytest", "busybox-static", "e2fsprogs", "iproute2", "procps",
            "libsystemd0", "libcap-ng0", "libyaml-0-2", "libsqlite3-0", "libssl3", "libjansson4", "libmount1",
            "libarchive13", "libblkid1", "libcurl4", "libseccomp2")
BUILT = ("daemon/execwardd", "tools/execward", "helpers")


def text_of(*argv, **options):
    return run(*argv, **options).stdout.decode()


def kernel_package():
    """The package behind Debian's name for the newest kernel of the release."""
    for attempt in ("known", "after an update"):
        if attempt != "known":
            run("apt-get", "update", timeout=300)
        for line in text_of("apt-cache", "depends", KERNEL, check=False).splitlines():
            word, _, name = line.strip().partition(" ")
            if word == "Depends:" and name.startswith("linux-image-"):
                return name
    raise SystemExit(f"linux61: apt knows no {KERNEL}")


def unpack_kernel(package, target):
    """The kernel and its modules, in a folder that appears whole or not at all."""
    work = Path(f"{target}-{os.getpid()}")
    work.mkdir(parents=True)
    os.chmod(work, 0o777)  # apt downloads as a user of its own
    try:
        download = ("apt-get", "download", package)
        if run(*download, cwd=work, timeout=300, check=False).returncode != 0:
            run("apt-get", "update", timeout=300)
            run(*download, cwd=work, timeout=300)
        run("dpkg-deb", "-x", next(work.glob("*.deb")), work / "tree")
        (work / "kept").mkdir()
        shutil.move(next(work.glob("tree/boot/vmlinuz-*")), work / "kept/vmlinuz")
        for name in MODULES:
            shutil.move(next(work.glob(f"tree/lib/modules/*/kernel/**/{name}.ko")), work / "kept")
        os.rename(work / "kept", target)
    finally:
        shutil.rmtree(work)


def kernel():
    """Folder with vmlinuz and the modules."""
    package = kernel_package()
    folder = CACHE / f"{package}-{digest(*sorted(MODULES))}"
    if not folder.exists():
        unpack_kernel(package, folder)
    return folder


def digest(*words):
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def make_disk(image, tree, size):
    """An ext4 of a directory; nothing is mounted for it."""
    run("truncate", "-s", size, image)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, image, timeout=300)


def root_disk():
    """A Debian that is unpacked, with its python compiled, and an empty place for the second disk."""
    tar = Path(debian_tree(PACKAGES))
    image = CACHE / f"linux61-{tar.stem}.ext4"
    if not image.exists():
        work = Path(f"{image}-{os.getpid()}")
        tree = work / "tree"
        tree.mkdir(parents=True)
        try:
            run("tar", "-C", tree, "-xf", tar, timeout=300)
            (tree / "execward").mkdir()
            folders = ["/" + str(path.relative_to(tree)) for path in tree.glob("usr/lib/python3*")]
            # Not all of it compiles: there are templates among it. What does not is read as text.
            run("chroot", tree, "python3", "-m", "compileall", "-q", *folders, timeout=300, check=False)
            make_disk(work / "disk", tree, "1G")
            os.rename(work / "disk", image)
        finally:
            shutil.rmtree(work)
    return image


def payload_disk(folder, build, settings):
    """The build and the tests, with what the guest's first program is told."""
    tree = folder / "payload"
    (tree / "build").mkdir(parents=True)
    for name in BUILT:
        run("cp", "-a", "--parents", name, tree / "build", cwd=build)
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=shutil.ignore_patterns("corpus", "__pycache__"))
    run(sys.executable, "-m", "compileall", "-q", tree / "tests")
    (tree / "settings").write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in settings.items()))
    make_disk(folder / "payload.ext4", tree, "256M")
    return folder / "payload.ext4"


def initramfs(folder, modules):
    tree = folder / "initramfs"
    for name in ("bin", "modules", "proc", "sys", "dev", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin")
    shutil.copy(HERE / "init", tree)
    for name in MODULES:
        shutil.copy(modules / f"{name}.ko", tree / "modules")
    (tree / "modules/order").write_text("".join(f"{name}\n" for name in MODULES))
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    packed = run("cpio", "-o", "-H", "newc", "--quiet", cwd=tree, input=names.encode()).stdout
    (folder / "initramfs.cpio").write_bytes(packed)
    return folder / "initramfs.cpio"
