"""A whole Debian, unmodified: it starts and works under enforce without one alert; what dpkg unpacks is
denied at its first new program in enforce, and reported in report."""
import os

import pytest

from harness.fs import run
from harness.runtimes import debian_tree

PACKAGES = ("python3", "perl")
PROGRAMS = 200


@pytest.fixture(scope="module")
def debian(storage, podman):
    tree = storage.path("debian-tree")
    if not os.path.exists(tree):
        os.mkdir(tree)
        run("tar", "-C", tree, "-xf", debian_tree(PACKAGES), timeout=300)
        run("find", tree + "/dev", "-type", "b", "-o", "-type", "c", "-delete")
    podman.import_image(tree, "debian-unmodified")
    return "debian-unmodified"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A small real package that the image does not have."""
    folder = tmp_path_factory.mktemp("deb")
    os.chmod(folder, 0o777)
    run("apt-get", "download", "hello", timeout=300, cwd=folder)
    return next(folder.glob("hello_*.deb"))


# Every program is started with --version, which none of these refuses to end by.
SWEEP = r"""
n=0
for p in /usr/bin/* /usr/sbin/*; do
  [ $n -ge %d ] && break
  [ -L "$p" ] && continue
  [ -f "$p" ] && [ -x "$p" ] || continue
  timeout 5 "$p" --version </dev/null >/dev/null 2>/tmp/err
  if grep -q 'Operation not permitted' /tmp/err && [ ! -s /tmp/ok ]; then echo "REFUSED $p"; fi
  n=$((n+1))
done
echo "SWEPT $n"
"""


def test_an_unmodified_image_works_without_one_alert(podman, debian, start):
    daemon = start(storage=[podman.storage], extra=podman.runtimes_config())
    result = podman.run("sweep", debian, "/bin/bash", "-c", SWEEP % PROGRAMS, timeout=300)
    assert f"SWEPT {PROGRAMS}".encode() in result.stdout, result
    assert b"REFUSED" not in result.stdout, result.stdout
    work = ("set -e; python3 -c 'import json, os; print(json.dumps({\"pid\": os.getpid()}))'; "
            "perl -MFile::Temp -e 'print \"perl $]\\n\"'; dpkg -l | tail -1; dpkg -S /bin/bash; "
            "apt-cache policy bash; find /etc -name '*.conf' | sort | head; id; "
            "bash -c 'for i in 1 2 3; do echo $i | sed s/1/one/ | awk \"{print}\"; done'; "
            "chmod 700 /usr/bin/find; find /etc -maxdepth 0; tar -cf - /etc 2>/dev/null | gzip | wc -c; "
            "echo WORKED")
    result = podman.run("work", debian, "/bin/bash", "-c", work, timeout=120)
    assert b"WORKED" in result.stdout, result
    assert daemon.events() == []
    assert daemon.status()["verdicts"]["deny"] == 0
    assert daemon.status()["events_total"] > PROGRAMS


@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_dpkg_of_a_real_package(podman, debian, package, start, mode):
    daemon = start(storage=[podman.storage], mode=mode, extra=podman.runtimes_config())
    script = ("cp /deb/hello.deb /tmp/ && dpkg -i /tmp/hello.deb; echo INSTALLED $?; hello; "
              "echo HELLO $?")
    folder = os.path.dirname(package)
    link = os.path.join(folder, "hello.deb")
    if not os.path.exists(link):
        os.link(package, link)
    result = podman.run(f"dpkg-{mode}", debian, "/bin/bash", "-c", script, timeout=120,
                        options=("-v", f"{folder}:/deb:ro"))
    assert b"INSTALLED 0" in result.stdout, result
    events = [e for e in daemon.events() if e["proc.exepath"] == "/usr/bin/hello"]
    assert len(events) == 1, daemon.events()
    if mode == "enforce":
        assert b"HELLO 126" in result.stdout, result
        assert events[0]["execward.verdict"] == "deny"
    else:
        assert b"HELLO 0" in result.stdout and b"Hello, world!" in result.stdout, result
        assert events[0]["execward.verdict"] == "would_deny"
    writer = events[0]["execward.dropped_by"]
    assert writer["writer_gone"] or writer["exe"] == "/usr/bin/dpkg-deb" or \
        writer["exe"] == "/usr/bin/dpkg", writer
