"""A host that is guarded for real: a Debian on a loop ext4, booted with its own systemd, all of it in enforce
by its baseline. apt installs, upgrades and reinstalls under it; what nobody shipped is denied; it boots again."""
import json
import shutil

import pytest

from harness import fs as fslib
from harness.daemon import Daemon
from systemd_box import SystemdBox, base_tree, checked

BASE = ["apt", "cron", "login", "passwd"]
# less and logrotate have maintainer scripts; sed is essential, and everything around it uses it.
PACKAGES = ("hello", "less", "logrotate", "libpopt0", "sed")
WRITERS = ("/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/apt-extracttemplates")
POSTINST = """#!/bin/sh
set -e
/usr/lib/upgraded/helper --from-postinst
"""
HELPER = "#!/bin/sh\necho helper of version {version} >> /var/log/upgraded\n"


def make_package(repository, folder, version):
    """A package whose scripts run what it has just unpacked; each version with another content."""
    tree = folder / f"upgraded-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/lib/upgraded").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: upgraded\nVersion: {version}\nArchitecture: all\n"
                                         "Maintainer: nobody <nobody@example.org>\nDescription: test\n")
    for name in ("preinst", "postinst"):
        script = tree / "DEBIAN" / name
        script.write_text(POSTINST if name == "postinst" else f"#!/bin/sh\n: {version}\n")
        script.chmod(0o755)
    helper = tree / "usr/lib/upgraded/helper"
    helper.write_text(HELPER.format(version=version))
    helper.chmod(0o755)
    checked("dpkg-deb", "--root-owner-group", "--build", tree, repository)


def index(repository):
    with (repository / "Packages").open("wb") as file:
        file.write(checked("dpkg-scanpackages", "--multiversion", ".", cwd=repository).split("dpkg-scanpackages: ")[0]
                   .encode())


class GuardedBox(SystemdBox):
    """The tree lies on a filesystem that is mounted here, where the daemon marks it."""

    def make_image(self):
        self.fs = fslib.LoopFs("4G")
        self.root = self.folder / "host"
        self.root.mkdir()
        fslib.run("mount", "--bind", self.fs.mount, self.root)
        checked("tar", "-C", self.root, "-xf", base_tree(BASE), timeout=300)
        repository = self.root / "repo"
        repository.mkdir()
        # apt's own user reads it
        repository.chmod(0o755)
        checked("apt-get", "download", *PACKAGES, cwd=repository, timeout=300)
        make_package(repository, self.folder, "1.0")
        index(repository)
        (self.root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/repo ./\n")

    def boot(self):
        self.launch(*self.nspawn(self.root))

    def apt(self, *words):
        return self.run("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                        "apt-get", "-q", "-y", *words, timeout=300)

    def close(self):
        self.stop()
        fslib.run("umount", "-l", self.root, check=False)
        self.fs.close()


@pytest.fixture
def box(tmp_path):
    made = GuardedBox(tmp_path, tmp_path / "none.deb")
    made.make_image()
    yield made
    made.close()


@pytest.fixture
def daemon(box):
    made = Daemon(storage=[str(box.root)], ready=False, deadline=900, mode="report",
                  guard_extra=json.dumps({"paths": [{"path": str(box.root), "mode": "enforce"}]})[1:-1],
                  extra=f"trust: {{writers: [{', '.join(WRITERS)}]}}")
    yield made
    made.close()


def enforced(daemon):
    (path,) = daemon.status()["guard"]["paths"]
    assert path["enforced"], path
    return path


def denials(daemon):
    return [event for event in daemon.events() if event["execward.verdict"] != "allow"]


def told(events):
    return sorted((event["proc.exepath"], event["execward.reason"], event["execward.origin"], event["proc.cmdline"]) for event in events)


def packages_come_and_go(box, daemon):
    box.apt("update")
    box.apt("install", "hello", "less", "logrotate", "upgraded")
    box.apt("install", "--reinstall", "sed")
    assert "Hello, world!" in box.run("/usr/bin/hello")
    make_package(box.root / "repo", box.folder, "2.0")
    index(box.root / "repo")
    box.apt("update")
    box.apt("upgrade")
    assert box.run("cat", "/var/log/upgraded").split()[-1] == "2.0"
    box.apt("remove", "logrotate")
    assert told(denials(daemon)) == []


def strangers_are_denied(box, daemon):
    box.write("/usr/local/bin/stranger", "#!/bin/sh\necho stranger\n")
    box.run("chmod", "755", "/usr/local/bin/stranger")
    assert box.exit_code("/usr/local/bin/stranger") == 126
    box.run("/bin/sh", "-c", "echo >> /usr/bin/who")
    assert box.exit_code("/usr/bin/who") == 126
    found = {(event["proc.exepath"].removeprefix(str(box.root)), event["execward.origin"])
             for event in denials(daemon)}
    assert found == {("/usr/local/bin/stranger", "host"), ("/usr/bin/who", "host")}, found


def test_a_debian_is_guarded_while_apt_works_and_boots_again(box, daemon, tmp_path):
    shutil.copy(box.root / "usr/bin/who", tmp_path / "who")
    created = daemon.tool("snapshot", "create", "--host", str(box.root), timeout=120)
    assert created.returncode == 0, created
    daemon.start()
    enforced(daemon)
    box.boot()
    assert told(denials(daemon)) == []
    failed = box.run("systemctl", "--failed", "--plain", "--no-legend", check=False)
    packages_come_and_go(box, daemon)
    strangers_are_denied(box, daemon)
    shutil.copy(tmp_path / "who", box.root / "usr/bin/who")
    daemon.tool("snapshot", "reconcile", "--host", str(box.root), timeout=120)
    box.power_off()
    daemon.stop()
    daemon.start()
    enforced(daemon)
    seen = len(denials(daemon))
    box.boot()
    assert box.run("systemctl", "--failed", "--plain", "--no-legend", check=False) == failed
    assert "Hello, world!" in box.run("/usr/bin/hello")
    assert box.exit_code("/usr/local/bin/stranger") == 126
    assert len(denials(daemon)) <= seen + 1
