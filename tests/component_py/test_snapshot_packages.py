"""snapshot check --packages: real packages in a tree of their own, upgraded, diverted, tampered with."""
import hashlib
import os
import shutil
import subprocess

import pytest

from test_snapshot_check import NET_RAW, SCRIPT, Box, by_path

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for dpkg"),
              pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg")]


def build(box, name, version, files, arch="all", conffiles=(), extra=""):
    """A package with files: path -> (data, mode), or a link's target."""
    root = os.path.join(box.path, f"build-{name}-{version}")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root + "/DEBIAN", 0o755)
    sums = ""
    for path, what in files.items():
        at = os.path.join(root, path)
        os.makedirs(os.path.dirname(at), 0o755, exist_ok=True)
        if isinstance(what, str):
            os.symlink(what, at)
            continue
        with open(at, "wb") as file:
            file.write(what[0])
        os.chmod(at, what[1])
        # What is built in one second has one time, which looks like somebody put it back.
        os.utime(at, (1767225600 + int(version[0]), 1767225600 + int(version[0])))
        if "/" + path not in conffiles:
            sums += f"{hashlib.md5(what[0]).hexdigest()}  {path}\n"
    with open(root + "/DEBIAN/control", "w", encoding="utf-8") as file:
        file.write(f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: a <a@example.org>\n"
                   f"Description: test\n{extra}")
    with open(root + "/DEBIAN/md5sums", "w", encoding="utf-8") as file:
        file.write(sums)
    if conffiles:
        with open(root + "/DEBIAN/conffiles", "w", encoding="utf-8") as file:
            file.write("".join(f"{path}\n" for path in conffiles))
    deb = f"{root}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, deb], check=True, capture_output=True)
    return deb


def install(box, *debs):
    subprocess.run(["dpkg", f"--root={box.tree}", "--force-not-root", "--force-script-chrootless", "--force-confnew",
                    "-i", *debs], check=True, capture_output=True)


@pytest.fixture
def box(tmp_path):
    box = Box(tmp_path)
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin", "usr/sbin", "usr/lib", "etc"):
        os.makedirs(box.at(name))
    for name in ("bin", "sbin", "lib"):
        os.symlink(f"usr/{name}", box.at(name))
    for name in ("status", "available", "diversions"):
        box.write(f"var/lib/dpkg/{name}", b"", 0o644)
    box.write("etc/passwd", b"root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n", 0o644)
    box.write("etc/group", b"root:x:0:\nweb:x:33:\n", 0o644)
    return box


def version(n):
    return {"usr/bin/tool": (SCRIPT + b"# %d" % n, 0o755), "bin/merged": (SCRIPT + b"# m%d" % n, 0o755),
            "usr/lib/tool.so": (b"\x7fELF%d" % n, 0o644), "etc/tool.conf": (b"v=%d\n" % n, 0o644),
            "usr/bin/tool-link": f"tool-{n}"}


def upgrade(box):
    install(box, build(box, "tool", "1.0", version(1), conffiles=("/etc/tool.conf",)))
    box.create("--all-files")
    install(box, build(box, "tool", "2.0", version(2) | {"usr/bin/newtool": (SCRIPT + b"new", 0o755),
                                                        "usr/lib/tool.d/x": (b"data", 0o644)},
                       conffiles=("/etc/tool.conf",)))


def check(box):
    return by_path(box.json("check", "--packages", code=None)["reports"][0])


def test_an_upgrade_is_accounted_for(box):
    upgrade(box)
    found = check(box)
    for path in ("/usr/bin/tool", "/usr/bin/merged", "/usr/lib/tool.so", "/etc/tool.conf", "/usr/bin/newtool",
                 "/usr/lib/tool.d", "/usr/lib/tool.d/x"):
        kind, difference = found[path]
        assert difference["accounted"] and difference["package"] == "tool 2.0", (path, difference)
        assert kind in ("added", "changed")
    link = found["/usr/bin/tool-link"][1]
    assert not link["accounted"] and link["package"] == "tool 2.0"
    assert not any(d["accounted"] for p, (_, d) in found.items() if p.startswith("/var/lib/dpkg"))


def test_the_exit_code_stays_and_the_rest_is_on_top(box):
    upgrade(box)
    box.write("usr/bin/evil")
    report = box.json("check", "--packages", code=None)["reports"][0]
    assert report["mask"] & 5 == 5
    assert [d["path"] for d in report["added"] if not d["accounted"]][0] == "/usr/bin/evil"
    assert report["added"][0]["path"] == "/usr/bin/evil"
    assert report["packages"][0] == {"manager": "dpkg", "result": "read", "installed": 1,
                                     "accounted": report["counts"]["accounted"]}
    text = box.run("check", "--packages", code=None).stdout.decode()
    assert text.index("/usr/bin/evil") < text.index("Added, as packages have it") < text.index("/usr/bin/newtool")
    assert not any(d["accounted"] for _, d in by_path(box.check(code=report["mask"])).values())


@pytest.mark.parametrize("tamper", ["content", "setuid", "world", "cap", "owner", "time"])
def test_what_is_not_as_the_package_has_it_is_not_accounted_for(box, tamper):
    upgrade(box)
    tool, new = box.at("usr/bin/tool"), box.at("usr/bin/newtool")
    if tamper == "content":
        for path in (tool, new):
            with open(path, "ab") as file:
                file.write(b"evil")
    for path in (tool, new):
        if tamper == "setuid":
            os.chmod(path, 0o4755)
        if tamper == "world":
            os.chmod(path, 0o777)
        if tamper == "cap":
            os.setxattr(path, "security.capability", NET_RAW)
    if tamper == "owner":
        os.chown(tool, 33, 33)
        new = tool
    if tamper == "time":
        # The same size and mtime as in the snapshot: an upgrade does not do that.
        row = box.sql("SELECT mtime_ns, size FROM entry WHERE path = '/usr/bin/tool'")[0]
        assert row[1] == os.stat(tool).st_size
        os.utime(tool, ns=(row[0], row[0]))
        new = tool
    found = check(box)
    for path in (tool, new):
        difference = found[path.removeprefix(box.tree)][1]
        assert not difference["accounted"] and difference["package"] == "tool 2.0" and difference["remark"]
    assert found["/usr/lib/tool.so"][1]["accounted"]


def test_a_statoverride_accounts_for_a_mode(box):
    install(box, build(box, "tool", "1.0", version(1)))
    box.create("--all-files")
    os.chmod(box.at("usr/bin/tool"), 0o4750)
    os.chown(box.at("usr/bin/tool"), 0, 33)
    os.chmod(box.at("usr/bin/tool"), 0o4750)
    assert not check(box)["/usr/bin/tool"][1]["accounted"]
    box.write("var/lib/dpkg/statoverride", b"root web 4750 /usr/bin/tool\n", 0o644)
    assert check(box)["/usr/bin/tool"][1]["accounted"]
    box.write("var/lib/dpkg/statoverride", b"root web 0755 /usr/bin/tool\n", 0o644)
    assert not check(box)["/usr/bin/tool"][1]["accounted"]


def test_a_diversion_moves_what_a_package_has(box):
    install(box, build(box, "tool", "1.0", version(1)))
    box.create("--all-files")
    subprocess.run(["dpkg-divert", "--root", box.tree, "--package", "other", "--divert", "/usr/bin/tool.real",
                    "--rename", "--add", "/usr/bin/tool"], check=True, capture_output=True)
    install(box, build(box, "other", "3", {"usr/bin/tool": (SCRIPT + b"wrapper", 0o755)}))
    found = check(box)
    assert found["/usr/bin/tool.real"][1]["accounted"] and found["/usr/bin/tool.real"][1]["package"] == "tool 1.0"
    assert found["/usr/bin/tool"][1]["accounted"] and found["/usr/bin/tool"][1]["package"] == "other 3"


def test_a_package_that_is_gone_accounts_for_nothing(box):
    upgrade(box)
    status = box.at("var/lib/dpkg/status")
    with open(status, encoding="utf-8") as file:
        text = file.read()
    box.write("var/lib/dpkg/status", text.replace("install ok installed", "deinstall ok config-files").encode(), 0o644)
    assert not any(d["accounted"] for _, d in check(box).values())


def test_what_a_package_has_and_is_gone_is_said(box):
    install(box, build(box, "tool", "1.0", version(1)))
    box.create("--all-files")
    os.unlink(box.at("usr/bin/tool"))
    kind, difference = check(box)["/usr/bin/tool"]
    assert (kind, difference["accounted"], difference["package"]) == ("removed", False, "tool 1.0")


def test_a_tree_without_a_database_has_none(tmp_path):
    box = Box(tmp_path)
    box.write("usr/bin/a")
    box.create()
    box.write("usr/bin/b")
    report = box.check("--packages", code=1)
    assert [p["result"] for p in report["packages"]] == ["none", "none"]
    assert not report["added"][0]["accounted"]


def test_a_hostile_database_is_only_not_believed(box):
    box.write("usr/bin/a")
    box.create()
    box.write("usr/bin/b")
    os.symlink("/etc/passwd", box.at("var/lib/dpkg/info/x.list"))
    box.write("var/lib/dpkg/status", b"Package: x\nStatus: install ok installed\nVersion: \x1b[2J\nArchitecture: all\n\n"
              b"Package: ../../../etc\nStatus: install ok installed\nArchitecture: all\n\n" + b"\xff\x00" * 1000, 0o644)
    report = box.check("--packages", code=1)
    assert report["packages"][0]["result"] == "failed" and not report["added"][0]["accounted"]
    os.unlink(box.at("var/lib/dpkg/info/x.list"))
    box.write("var/lib/dpkg/info/x.list", b"/usr/bin/b\n/../etc\n\0\n", 0o644)
    box.write("var/lib/dpkg/info/x.md5sums", b"0" * 32 + b"  usr/bin/b\n", 0o644)
    text = box.run("check", "--packages", code=1).stdout
    assert b"x \\x1b[2J: its content is not the file of the package" in text and b"\x1b" not in text


RPM = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="needs rpmbuild")


def rpm(box, n):
    spec = os.path.join(box.path, f"tool-{n}.spec")
    with open(spec, "w", encoding="utf-8") as file:
        file.write(f"""Name: tool
Version: {n}
Release: 1
Summary: test
License: test
BuildArch: noarch
%description
test
%install
mkdir -p %{{buildroot}}/usr/bin
printf '#!/bin/sh\\n# {n}\\n' >%{{buildroot}}/usr/bin/tool
touch -d 2026-01-0{n} %{{buildroot}}/usr/bin/tool
ln -s tool-{n} %{{buildroot}}/usr/bin/tool-link
%files
%defattr(-,root,root)
%attr(4755,root,root) /usr/bin/tool
/usr/bin/tool-link
""")
    subprocess.run(["rpmbuild", "-bb", "--define", f"_topdir {box.path}/rpmbuild", "--define", "_build_id_links none",
                    spec], check=True, capture_output=True)
    subprocess.run(["rpm", "--root", box.tree, "--dbpath", "/var/lib/rpm", "-U", "--nodeps", "--noscripts",
                    f"{box.path}/rpmbuild/RPMS/noarch/tool-{n}-1.noarch.rpm"], check=True, capture_output=True)


@RPM
def test_rpm_accounts_for_content_modes_and_links(tmp_path):
    box = Box(tmp_path)
    box.write("usr/bin/other")
    rpm(box, 1)
    box.create("--all-files")
    rpm(box, 2)
    box.write("usr/bin/evil")
    report = box.json("check", "--packages", code=None)["reports"][0]
    found = by_path(report)
    assert report["packages"][1]["result"] == "read" and report["packages"][1]["installed"] == 1
    for path in ("/usr/bin/tool", "/usr/bin/tool-link"):
        assert found[path][1]["accounted"] and found[path][1]["package"] == "tool-2-1.noarch", found[path]
    assert not found["/usr/bin/evil"][1]["accounted"]
    os.chmod(box.at("usr/bin/tool"), 0o755)
    assert not by_path(box.json("check", "--packages", code=None)["reports"][0])["/usr/bin/tool"][1]["accounted"]
