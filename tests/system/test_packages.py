"""A Debian container whose dpkg is trusted: what it unpacks runs at once, its packages' scripts, too;
what anybody else writes does not."""
import os
import pathlib
import shutil

import pytest

from harness.daemon import HELPERS
from harness.fs import run
from harness.runtimes import debian_tree

PACKAGES = ("python3", "perl")  # the same tree as test_debian.py's
TRUST = "trust: {writers: [/usr/bin/dpkg, /usr/bin/dpkg-deb]}\n"
SCRIPTS = {
    "preinst": "#!/bin/sh\nset -e\necho PREINST\n",
    "postinst": "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\n"
                "/usr/bin/scripted >&2 || [ $? = 42 ]\n/usr/lib/scripted/tool >&2\n",
    "config": "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\necho CONFIG >&2\n",
    "prerm": "#!/bin/sh\nset -e\n/usr/bin/scripted || [ $? = 42 ]\n",
    "postrm": "#!/bin/sh\nset -e\necho POSTRM\n",
}


@pytest.fixture(scope="module")
def debian(storage, podman):
    tree = storage.path("debian-packages")
    os.mkdir(tree)
    run("tar", "-C", tree, "-xf", debian_tree(PACKAGES), timeout=300)
    run("find", tree + "/dev", "-type", "b", "-o", "-type", "c", "-delete")
    podman.import_image(tree, "debian-packages")
    run("rm", "-rf", tree)
    return "debian-packages"


def build(folder, version):
    root = folder / f"scripted-{version}"
    for name in ("DEBIAN", "usr/bin", "usr/lib/scripted"):
        (root / name).mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        f"Package: scripted\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@example.org>\n"
        "Depends: debconf\nDescription: has every script\n")
    for name, text in SCRIPTS.items():
        (root / "DEBIAN" / name).write_text(text)
        (root / "DEBIAN" / name).chmod(0o755)
    shutil.copy(os.path.join(HELPERS, "payload"), root / "usr/bin/scripted")
    with open(root / "usr/bin/scripted", "ab") as file:
        file.write(version.encode())
    (root / "usr/lib/scripted/tool").write_text(f"#!/bin/sh\necho TOOL {version}\n")
    (root / "usr/lib/scripted/tool").chmod(0o755)
    run("dpkg-deb", "--root-owner-group", "-b", root, folder / f"scripted-{version}.deb")


@pytest.fixture(scope="module")
def debs(storage):
    """A small real package that the image does not have, and one that has every script, twice. On the
    test's own filesystem: what a container has mounted is marked."""
    folder = pathlib.Path(storage.path("debs"))
    folder.mkdir()
    os.chmod(folder, 0o777)
    run("apt-get", "download", "hello", timeout=300, cwd=folder)
    os.rename(next(folder.glob("hello_*.deb")), folder / "hello.deb")
    for version in ("1", "2"):
        build(folder, version)
    return folder


@pytest.fixture
def trusting(start, podman, marks):
    return start(storage=[podman.storage], marks=marks, extra=TRUST + podman.runtimes_config())


def paths(daemon):
    return [(e["proc.exepath"], e["execward.reason"]) for e in daemon.events()]


def in_container(podman, debian, debs, name, script):
    script = "set -x; cp /deb/*.deb /tmp/; export DEBIAN_FRONTEND=noninteractive; " + script
    return podman.run(name, debian, "/bin/bash", "-c", script, timeout=300,
                      options=("-v", f"{debs}:/deb:ro"))


def test_a_real_package_runs(podman, debian, debs, trusting, marks):
    result = in_container(podman, debian, debs, f"hello-{marks}",
                          "dpkg -i /tmp/hello.deb; hello; echo HELLO $?; "
                          "cp /usr/bin/hello /tmp/copied; cp /bin/ls /tmp/ls; /tmp/ls; echo LS $?")
    assert b"Hello, world!" in result.stdout and b"HELLO 0" in result.stdout, result
    assert b"LS 126" in result.stdout, result
    assert [e["proc.exepath"] for e in trusting.events()] == ["/tmp/ls"]


def test_every_script_of_a_package_runs(podman, debian, debs, trusting, marks):
    """Installed, configured, upgraded, removed."""
    result = in_container(podman, debian, debs, f"scripted-{marks}", "for v in 1 2; do "
                          "dpkg -i /tmp/scripted-$v.deb; echo INSTALLED $?; done; "
                          "dpkg -r scripted; echo REMOVED $?")
    assert paths(trusting) == [], result
    assert result.stdout.count(b"INSTALLED 0") == 2 and b"REMOVED 0" in result.stdout, result
    assert b"TOOL 1" in result.stderr and b"TOOL 2" in result.stderr, result
    assert b"CONFIG" in result.stderr, result


def test_dpkg_may_replace_itself(podman, debian, debs, trusting, marks):
    """Repacked as it is in the image: the next release of dpkg is as trusted as the one before."""
    result = in_container(
        podman, debian, debs, f"self-{marks}",
        "cd /tmp; mkdir -p r/DEBIAN; set +x; for f in $(dpkg -L dpkg); do "
        "[ -f $f ] && cp -a --parents $f r/; done; set -x; "
        "echo >> r/usr/bin/dpkg; echo >> r/usr/bin/dpkg-deb; "
        "printf 'Package: dpkg\\nVersion: 9.0\\nArchitecture: amd64\\nEssential: yes\\n"
        "Maintainer: t <t@example.org>\\nDescription: d\\n' > r/DEBIAN/control; "
        "/usr/bin/dpkg-deb -b r dpkg9.deb; dpkg -i --force-all /tmp/dpkg9.deb; echo SELF $?; "
        "dpkg -i /tmp/scripted-1.deb; echo INSTALLED $?; dpkg -i /tmp/hello.deb; hello")
    assert paths(trusting) == [], result
    assert b"SELF 0" in result.stdout and b"INSTALLED 0" in result.stdout, result
    assert b"Hello, world!" in result.stdout, result


@pytest.mark.parametrize("user", ["1000", "0"])
def test_who_uses_a_writer_must_be_root(podman, debian, debs, trusting, marks, user):
    """Anybody can run dpkg on a directory of his own."""
    result = in_container(
        podman, debian, debs, f"user-{user}-{marks}",
        "mkdir /tmp/u /tmp/u/info /tmp/u/updates /tmp/u/triggers; touch /tmp/u/status /tmp/u/available; "
        "chown -R 1000:1000 /tmp/u; chmod 644 /tmp/*.deb; "
        f"setpriv --reuid {user} --clear-groups dpkg --force-not-root --force-bad-path --root=/tmp/u "
        "--admindir=/tmp/u --log=/dev/null -i /tmp/hello.deb; find /tmp/u/usr/bin; "
        "/tmp/u/usr/bin/hello; echo HELLO $?")
    ran = b"Hello, world!" in result.stdout
    assert ran == (user == "0"), result
    assert [e["proc.exepath"] for e in trusting.events()] == ([] if ran else ["/tmp/u/usr/bin/hello"])


def test_an_unpacked_program_outlives_the_daemon(podman, debian, debs, start, marks):
    """What is vouched for is on record, for that container only."""
    daemon = start(storage=[podman.storage], marks=marks, extra=TRUST + podman.runtimes_config())
    podman.call("run", "-d", "--name", f"lasting-{marks}", "--network", "none", "-v", f"{debs}:/deb:ro",
                "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", debian, "sleep", "1000")
    try:
        def inside(*words):
            return podman.call("exec", f"lasting-{marks}", *words, check=False)
        assert inside("dpkg", "-i", "/deb/hello.deb").returncode == 0
        assert inside("hello").returncode == 0
        daemon.stop()
        daemon.start()
        assert b"Hello" in inside("hello").stdout
        assert inside("sh", "-c", "cp /usr/bin/hello /tmp/x; /tmp/x").returncode == 0
        other = in_container(podman, debian, debs, f"other-{marks}",
                             "cd /; dpkg-deb --fsys-tarfile /tmp/hello.deb | tar -x ./usr/bin/hello; hello; "
                             "echo HELLO $?")
        assert b"HELLO 126" in other.stdout, other
        assert len(daemon.events()) == 1
    finally:
        podman.call("rm", "-f", "-t", "0", f"lasting-{marks}")
