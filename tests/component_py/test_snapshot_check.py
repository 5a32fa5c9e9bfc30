"""snapshot check, diff, accept, export, import against real trees: what was planted is found, and
nothing else; reports stay whole whatever names and contents an attacker chose."""
import json
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
from html.parser import HTMLParser

import pytest

from fake_daemon import EXECWARD, FakeDaemon

os.environ["TZ"] = "UTC"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for owners and capabilities")

SCRIPT = b"#!/bin/sh\nexit 0\n"
NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
HTML = "<img src=x onerror=alert(1)>&\"'"
NEWLINE = "new\nline"
ESCAPE = "esc\x1b[2Jape"
BIDI = "bi\u202edi"
LATIN = os.fsdecode(b"latin\xe9\xff")


class Box:
    """A tree, a database and a configuration in a directory of their own."""

    def __init__(self, path):
        self.path = str(path)
        self.tree = os.path.join(self.path, "tree")
        self.state = os.path.join(self.path, "state")
        self.config = os.path.join(self.path, "execward.yaml")
        self.runtime = os.path.join(self.path, "run")
        os.makedirs(self.state, 0o700)
        os.makedirs(self.tree)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"state_dir: {self.state}\nruntime_dir: {self.runtime}\n")

    def run(self, *argv, code=0, env=None):
        result = subprocess.run([EXECWARD, "--config", self.config, "snapshot", *argv], capture_output=True,
                                timeout=120, check=False, env=os.environ | (env or {}))
        assert code is None or result.returncode == code, (result.returncode, result.stdout, result.stderr)
        return result

    def json(self, *argv, code=0):
        return json.loads(self.run(*argv, "--json", code=code).stdout)

    def check(self, *argv, code):
        answer = self.json("check", *argv, code=code)
        assert answer["exit"] == code and len(answer["reports"]) == 1
        return answer["reports"][0]

    def create(self, *argv):
        return self.run("create", "--rootfs", self.tree, *argv)

    def at(self, name):
        return os.path.join(self.tree, name)

    def write(self, name, data=SCRIPT, mode=0o755):
        path = self.at(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    def sql(self, *statement):
        with sqlite3.connect(os.path.join(self.state, "baseline.db")) as db:
            return db.execute(*statement).fetchall()


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def by_path(report):
    """path -> (kind, difference)"""
    return {os.fsdecode(bytes.fromhex(d["path_hex"])) if "path_hex" in d else d["path"]: (kind, d)
            for kind in ("added", "removed", "changed") for d in report[kind]}


# --- the planted changes --------------------------------------------------------------------------

def plant_before(box):
    for name in ("content", "hidden", "setuid", "setgid", "owner", "cap", "uncap", "gone", "moved", "plainmode",
                 "world", "nox", "becomeslink", "same", "grown", NEWLINE, ESCAPE, LATIN, HTML):
        box.write(f"usr/bin/{name}", SCRIPT + name.encode("utf-8", "surrogateescape"))
    box.write("usr/bin/binary", b"\x7fELF" + b"\0" * 100)
    box.write("etc/plain", b"plain\n", 0o644)
    os.setxattr(box.at("usr/bin/uncap"), "security.capability", NET_RAW)
    os.symlink("same", box.at("usr/bin/link"))
    os.mkfifo(box.at("usr/fifo"))


def plant(box):
    """The changes, and for each path the kind, the words of change and the alarms that must be told."""
    bin_ = box.at("usr/bin")
    box.write("usr/bin/content", SCRIPT + b"other content")
    before = os.stat(f"{bin_}/hidden")
    box.write("usr/bin/hidden", SCRIPT + b"HIDDEN")
    os.utime(f"{bin_}/hidden", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.chmod(f"{bin_}/setuid", 0o4755)
    os.chmod(f"{bin_}/setgid", 0o2755)
    os.chown(f"{bin_}/owner", 1000, 1000)
    os.setxattr(f"{bin_}/cap", "security.capability", NET_RAW)
    os.removexattr(f"{bin_}/uncap", "security.capability")
    os.unlink(f"{bin_}/gone")
    os.rename(f"{bin_}/moved", f"{bin_}/moved-away")
    os.chmod(f"{bin_}/plainmode", 0o700)
    os.chmod(f"{bin_}/world", 0o777)
    os.chmod(f"{bin_}/nox", 0o644)
    os.unlink(f"{bin_}/becomeslink")
    os.symlink("same", f"{bin_}/becomeslink")
    with open(f"{bin_}/grown", "ab") as file:
        file.write(b"more")
    box.write("usr/bin/added")
    box.write("usr/bin/added-setuid", SCRIPT, 0o4755)
    for name in (NEWLINE, ESCAPE, LATIN, HTML):
        box.write(f"usr/bin/{name}", SCRIPT + b"changed")
    box.write(f"usr/bin/{HTML}2")
    box.write("etc/plain", b"other\n", 0o644)
    os.unlink(box.at("usr/bin/link"))
    os.symlink("/etc/shadow", box.at("usr/bin/link"))
    os.unlink(box.at("usr/fifo"))
    box.write("usr/fifo", b"a file now", 0o644)
    return {
        "/usr/bin/content": ("changed", {"content"}, {"program_changed"}),
        "/usr/bin/hidden": ("changed", {"content"}, {"program_changed", "times_restored"}),
        "/usr/bin/setuid": ("changed", {"mode"}, {"setuid"}),
        "/usr/bin/setgid": ("changed", {"mode"}, {"setuid"}),
        "/usr/bin/owner": ("changed", {"owner"}, {"owner"}),
        "/usr/bin/cap": ("changed", {"capabilities"}, {"capability"}),
        "/usr/bin/uncap": ("changed", {"capabilities"}, set()),
        "/usr/bin/gone": ("removed", set(), {"program_gone"}),
        "/usr/bin/moved": ("removed", set(), {"program_gone"}),
        "/usr/bin/moved-away": ("added", set(), {"new_program"}),
        "/usr/bin/plainmode": ("changed", {"mode"}, set()),
        "/usr/bin/world": ("changed", {"mode"}, {"world_writable"}),
        "/usr/bin/nox": ("changed", {"mode"}, set()),
        "/usr/bin/becomeslink": ("changed", {"type", "mode"}, {"no_longer_executable", "link"}),
        "/usr/bin/grown": ("changed", {"content"}, {"program_changed"}),
        "/usr/bin/added": ("added", set(), {"new_program"}),
        "/usr/bin/added-setuid": ("added", set(), {"new_program", "setuid"}),
        f"/usr/bin/{NEWLINE}": ("changed", {"content"}, {"program_changed"}),
        f"/usr/bin/{ESCAPE}": ("changed", {"content"}, {"program_changed"}),
        f"/usr/bin/{LATIN}": ("changed", {"content"}, {"program_changed"}),
        f"/usr/bin/{HTML}": ("changed", {"content"}, {"program_changed"}),
        f"/usr/bin/{HTML}2": ("added", set(), {"new_program"}),
        "/etc/plain": ("changed", {"content"}, set()),
        "/usr/bin/link": ("changed", {"target"}, {"link"}),
        "/usr/fifo": ("changed", {"type", "mode"}, set()),
    }


# What only a snapshot of all files has.
ONLY_ALL = {"/etc/plain", "/usr/bin/link", "/usr/fifo"}


@pytest.mark.parametrize("all_files", [True, False], ids=["all files", "executables"])
def test_what_was_planted_is_found_and_nothing_else(box, all_files):
    plant_before(box)
    box.create(*(["--all-files"] if all_files else []))
    assert box.check(code=0)["counts"]["entries"] > 15
    expected = plant(box)
    if not all_files:
        expected = {path: what for path, what in expected.items() if path not in ONLY_ALL}
    report = box.check(code=7)
    found = by_path(report)
    directories = {p for p, (_, d) in found.items() if (d["now"] or d["before"])["type"] == "directory"}
    assert not directories and set(found) == set(expected)
    for path, (kind, changes, alarms) in expected.items():
        assert found[path][0] == kind, path
        difference = found[path][1]
        wanted = changes - ({"mode"} if "type" in changes and "mode" not in difference["changes"] else set())
        assert (set(difference["changes"]), set(difference["alarms"])) == (wanted, alarms), path
    counts = report["counts"]
    assert [counts[kind] for kind in ("added", "removed", "changed")] == \
        [len(report[kind]) for kind in ("added", "removed", "changed")]
    assert found["/usr/bin/cap"][1]["now"]["capabilities"] == "cap_net_raw=ep"
    assert found["/usr/bin/setuid"][1]["now"]["mode"] == "4755"
    assert found["/usr/bin/moved-away"][1]["moved"] == "/usr/bin/moved"
    assert found["/usr/bin/moved"][1]["moved"] == "/usr/bin/moved-away"
    assert report["changed"][0]["alarms"][0] == "setuid", "the most dangerous first"


def test_the_mask_is_aides(box):
    box.write("usr/bin/a")
    box.write("usr/bin/b")
    box.create()
    box.check(code=0)
    box.write("usr/bin/c")
    box.check(code=1)
    os.unlink(box.at("usr/bin/a"))
    box.check(code=3)
    os.unlink(box.at("usr/bin/c"))
    box.check(code=2)
    box.write("usr/bin/a")
    box.write("usr/bin/b", SCRIPT + b"x")
    box.check(code=4)
    box.write("usr/bin/c")
    box.check(code=5)
    os.unlink(box.at("usr/bin/a"))
    box.check(code=7)


def test_text_stays_on_its_lines_and_names_what_matters(box):
    plant_before(box)
    box.create("--all-files")
    plant(box)
    result = box.run("check", code=7)
    assert b"\x1b" not in result.stdout and b"\xff" not in result.stdout
    text = result.stdout.decode()
    assert "new\\x0aline" in text and "esc\\x1b[2Jape" in text and "latin\\xe9\\xff" in text
    assert "mode          0755 -> 4755 setuid" in text and "none -> cap_net_raw=ep" in text
    assert "same -> /etc/shadow" in text and "as it was recorded" in text
    assert text.index("/usr/bin/added-setuid") < text.index("/usr/bin/added\n")


class Page(HTMLParser):
    """What a browser would make of it: elements, attributes, and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text, self.stack = [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "input", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.text += data


def test_the_page_is_whole_alone_and_harmless(box):
    plant_before(box)
    box.create("--all-files")
    plant(box)
    page = os.path.join(box.path, "report.html")
    box.run("check", "--html", page, code=7)
    with open(page, encoding="utf-8") as file:
        text = file.read()
    parsed = Page(text)
    assert not parsed.stack and "img" not in parsed.elements and parsed.elements.count("script") == 1
    assert not [a for a in parsed.attributes if a[0] in ("src", "href", "onerror", "action", "srcset")]
    assert HTML in parsed.text and "new\\x0aline" in parsed.text and "0755 \u2192 4755 setuid" in parsed.text
    assert "default-src 'none'" in text and "http://" not in text and "https://" not in text
    assert os.stat(page).st_mode & 0o777 == 0o600
    assert box.run("check", "--html", box.path + "/none/x.html", code=73).stderr


def test_a_name_with_bidi_controls_is_spelled(box):
    box.write("usr/bin/a")
    box.create()
    box.write(f"usr/bin/{BIDI}")
    page = os.path.join(box.path, "report.html")
    text = box.run("check", "--html", page, code=1).stdout.decode()
    with open(page, encoding="utf-8") as file:
        assert "\u202e" not in text + file.read() and "bi\\u{202e}di" in text


# --- the database ---------------------------------------------------------------------------------

def test_a_changed_database_is_said_and_never_covered_up(box):
    box.write("usr/bin/a")
    box.write("usr/bin/b")
    box.create()
    box.write("usr/bin/a", SCRIPT + b"evil")
    evil = subprocess.run(["sha256sum", box.at("usr/bin/a")], capture_output=True, check=True).stdout.split()[0]
    box.sql("UPDATE entry SET sha256 = ?, size = ? WHERE path = '/usr/bin/a'",
            (bytes.fromhex(evil.decode()), len(SCRIPT + b"evil")))
    answer = box.json("check", code=65)
    report = answer["reports"][0]
    assert report["digest"]["result"] == "changed" and report["digest"]["stored"] != report["digest"]["computed"]
    assert report["mask"] == 0, "the attacker made entry and file agree: only the digest tells"
    assert b"database was changed" in box.run("check", code=65).stderr
    assert box.run("accept", "1", "--all", "--reason", "x", code=65).stderr
    assert box.json("check", code=65)["exit"] == 65


def test_nothing_to_check_is_an_error(box):
    assert box.run("check", code=66).stderr
    box.write("usr/bin/a")
    box.create()
    assert box.run("check", "nosuch", code=66).stderr
    shutil.rmtree(box.tree)
    assert box.run("check", code=66).stderr
    box.run("check", "--threads", "0", code=64)


def test_several_snapshots_give_one_answer(box):
    box.write("usr/bin/a")
    box.create()
    box.create("--name", "second")
    box.write("usr/bin/b")
    answer = box.json("check", code=1)
    assert len(answer["reports"]) == 2
    assert len(box.json("check", "second", "rootfs:second", "2", code=1)["reports"]) == 1


def test_unreadable_entries_are_not_called_unchanged(box):
    box.write("usr/bin/a")
    box.create()
    box.sql("UPDATE entry SET content = 3, sha256 = NULL")
    report = box.json("check", code=65)["reports"][0]
    assert report["counts"]["unread"] + report["counts"]["changed"] == 1


# --- accept ---------------------------------------------------------------------------------------

def test_accept_needs_a_reason_and_says_what(box):
    box.write("usr/bin/a")
    box.create()
    for name in ("b", "c", "d"):
        box.write(f"usr/bin/{name}")
    box.run("accept", "1", "--all", code=64)
    box.run("accept", "1", "--reason", "x", code=64)
    box.run("accept", "1", "/x", "--all", "--reason", "x", code=64)
    box.run("accept", "1", "/usr/bin/[", "--reason", "x", code=64)
    box.run("accept", "1", "/usr/lib/*", "--reason", "x", code=66)
    first = box.json("show", "1")["sha256"]
    generation = box.sql("SELECT value FROM setting WHERE name = 'baseline.generation'")
    answer = box.json("accept", "1", "/usr/bin/b", "--reason", "we built it")
    assert [a["path"] for a in answer["accepted"]] == ["/usr/bin/b"] and answer["snapshot"]["sha256"] != first
    assert box.sql("SELECT value FROM setting WHERE name = 'baseline.generation'") != generation
    assert {d["path"] for d in box.check(code=1)["added"]} == {"/usr/bin/c", "/usr/bin/d"}
    assert box.run("accept", "1", "--all", "--reason", "the rest").stdout.count(b"accepted /usr/bin/") == 2
    box.check(code=0)
    shown = box.json("show", "1")
    assert [a["reason"] for a in shown["acceptances"]] == ["the rest", "the rest", "we built it"]
    assert shown["executables"] == 4 and shown["acceptances"][0]["by_uid"] == 0
    again = box.json("explain", "/usr/bin/b")["snapshots"][0]
    assert again["acceptances"][0]["reason"] == "we built it" and again["same_content"] is False


def test_accept_takes_removals_and_changes(box):
    plant_before(box)
    box.create("--all-files")
    plant(box)
    box.run("accept", "1", "--all", "--reason", "all of it")
    assert box.check(code=0)["digest"]["result"] == "intact"
    box.create("--all-files", "--rehash", "--name", "fresh")
    assert box.json("diff", "1", "rootfs:fresh")["exit"] == 0
    assert box.json("show", "1")["sha256"] == box.json("show", "rootfs:fresh")["sha256"]


def test_accept_tells_the_daemon(tmp_path):
    fake = FakeDaemon()
    fake.answers["baselines"] = {"ok": True}
    box = Box(tmp_path)
    with open(box.config, "w", encoding="utf-8") as file:
        file.write(f"state_dir: {box.state}\nruntime_dir: {fake.runtime}\n")
    box.write("usr/bin/a")
    box.create()
    box.write("usr/bin/b")
    fake.requests.clear()
    box.run("check", code=1)
    assert not fake.requests, "looking changes nothing"
    box.run("accept", "1", "--all", "--reason", "x")
    assert [r["request"] for r in fake.requests] == ["baselines"]
    fake.close()


def test_a_script_that_loses_everything_that_made_it_run(box):
    box.write("usr/bin/a")
    box.write("usr/bin/x", b"no magic\n")
    box.create()
    os.chmod(box.at("usr/bin/x"), 0o644)
    report = box.check(code=4)
    assert report["changed"][0]["alarms"] == ["no_longer_executable"] and not report["removed"]
    box.run("accept", "1", "/usr/bin/x", "--reason", "a text")
    box.check(code=0)
    assert box.json("show", "1")["entries"] == 1


# --- diff, list, prune ----------------------------------------------------------------------------

def test_diff_is_check_by_the_database_alone(box):
    plant_before(box)
    box.create("--all-files")
    plant(box)
    checked = box.check(code=7)
    box.create("--all-files", "--name", "after")
    shutil.rmtree(box.tree)
    report = box.json("diff", "1", "after", code=7)["reports"][0]
    strip = [{kind: d for kind in ("added", "removed", "changed") for d in r[kind]} for r in (report, checked)]
    assert strip[0] == strip[1]
    assert report["against"]["name"] == "after"
    back = box.json("diff", "after", "1", code=7)["reports"][0]
    assert len(back["added"]) == len(report["removed"]) and len(back["removed"]) == len(report["added"])
    box.run("diff", "1", code=64)
    box.run("diff", "1", "nosuch", code=66)


def test_diff_of_executables_against_all_files_compares_executables(box):
    plant_before(box)
    box.create("--name", "some")
    box.create("--all-files", "--name", "all")
    assert box.json("diff", "some", "all")["exit"] == 0
    assert box.json("diff", "all", "some")["exit"] == 0


def test_list_show_prune(box):
    assert box.run("list", code=66).stderr
    box.write("usr/bin/a")
    box.create()
    for n in range(3):
        box.write("usr/bin/a", SCRIPT + bytes([n]))
        box.create()
    assert [s["state"] for s in box.json("list")] == ["current"]
    assert [s["id"] for s in box.json("list", "--all")] == [4, 3, 2, 1]
    assert box.json("diff", f"{box.tree}@1", box.tree, code=4)["exit"] == 4
    assert box.json("prune") == {"removed": 2}
    assert [s["id"] for s in box.json("list", "--all")] == [4, 3]
    box.run("prune", "--keep", "x", code=64)
    assert b"vouches         nowhere" in box.run("show", "4").stdout


# --- export, import -------------------------------------------------------------------------------

EXPORT = ("--series", "example.org/web", "--valid-for", "180d")


def export(box, out, *argv, code=0, epoch="1767225600"):
    return box.run("export", "1", "--out", out, *EXPORT, *argv, code=code, env={"SOURCE_DATE_EPOCH": epoch})


def test_export_is_sorted_reproducible_and_as_the_format_says(box):
    for name in ("usr/bin/b", "usr/bin/a", "usr/bin-x", "sbin/z"):
        box.write(name)
    box.write("etc/data", b"data", 0o644)
    box.create("--all-files")
    out = os.path.join(box.path, "list.json")
    export(box, out)
    with open(out, "rb") as file:
        first = file.read()
    export(box, out)
    with open(out, "rb") as file:
        assert file.read() == first
    assert export(box, "-").stdout == first
    body = json.loads(first)
    names = [s["name"] for s in body["subject"]]
    assert names == sorted(names) == ["/sbin/z", "/usr/bin-x", "/usr/bin/a", "/usr/bin/b"]
    assert body["predicate"] == {"series": "example.org/web", "version": 1, "issued": "2026-01-01T00:00:00Z",
                                 "expires": "2026-06-30T00:00:00Z", "bind": "digest", "critical": []}
    assert body["_type"] == "https://in-toto.io/Statement/v1" and body["predicateType"] == "urn:execward:allowlist:v1"
    bound = json.loads(export(box, "-", "--bind", "path", "--list-version", "7").stdout)["predicate"]
    assert (bound["bind"], bound["critical"], bound["version"]) == ("path", ["bind"], 7)


@pytest.mark.parametrize("argv", [("--bind", "x"), ("--list-version", "0"), ("--list-version", "-1"),
                                  ("--list-version", "9" * 30)])
def test_export_refuses_what_no_list_can_say(box, argv):
    box.write("usr/bin/a")
    box.create()
    export(box, "-", *argv, code=64)
    export(box, "-", code=64, epoch="x")
    box.run("export", "1", "--out", "-", "--series", "a\nb", "--valid-for", "1d", code=64)
    box.run("export", "1", "--out", "-", "--series", "a", "--valid-for", "0s", code=64)
    box.run("export", "1", "--series", "a", "--valid-for", "1d", code=64)
    export(box, box.path + "/none/x", code=73)


def test_export_says_what_it_leaves_out(box):
    box.write("usr/bin/a")
    box.write(f"usr/bin/{NEWLINE}")
    box.write(f"usr/bin/{LATIN}")
    box.create()
    result = export(box, "-", code=1)
    assert [s["name"] for s in json.loads(result.stdout)["subject"]] == ["/usr/bin/a"]
    assert result.stderr.count(b"left out: ") == 2 and b"\xff" not in result.stderr


def test_import_gives_back_what_export_wrote(box):
    box.write("usr/bin/a")
    box.write("usr/bin/b", SCRIPT + b"b", 0o4755)
    box.create()
    out = os.path.join(box.path, "list.json")
    box.run("export", "1", "--out", out, *EXPORT)
    info = box.json("import", out, "--scope", "image:example/web:1")
    assert (info["kind"], info["name"], info["scope"], info["scope_value"]) == \
        ("import", "example.org/web", "image", "example/web:1")
    assert box.json("diff", "1", "example.org/web")["exit"] == 0
    assert box.json("diff", "example.org/web", "1")["exit"] == 0
    known = box.json("explain", box_digest(box, "usr/bin/a"))["snapshots"]
    assert any(k["vouches"] == "in containers of the image example/web:1" for k in known)
    box.write("usr/bin/a", SCRIPT + b"evil")
    box.create()
    report = box.json("diff", "example.org/web", box.tree, code=4)["reports"][0]
    assert [d["path"] for d in report["changed"]] == ["/usr/bin/a"]
    assert box.run("check", "example.org/web", code=66).stderr


def box_digest(box, name):
    return subprocess.run(["sha256sum", box.at(name)], capture_output=True, check=True).stdout.split()[0].decode()


def body(**changes):
    statement = {"_type": "https://in-toto.io/Statement/v1",
                 "subject": [{"name": "/a", "digest": {"sha256": "0" * 64}}],
                 "predicateType": "urn:execward:allowlist:v1",
                 "predicate": {"series": "s", "version": 1, "issued": "2026-01-01T00:00:00Z",
                               "expires": "2200-01-01T00:00:00Z", "bind": "digest", "critical": []}}
    predicate = statement["predicate"] | changes.pop("predicate", {})
    return statement | {"predicate": predicate} | changes


SUBJECT = {"name": "/a", "digest": {"sha256": "0" * 64}}


@pytest.mark.parametrize("text", [
    b"", b"{", b"[]", json.dumps(body()).encode() + b"x", json.dumps(body(subject=[])).encode(),
    json.dumps(body(subject=[SUBJECT, SUBJECT])).encode(),
    json.dumps(body(subject=[SUBJECT | {"name": "/a/../b"}])).encode(),
    json.dumps(body(subject=[SUBJECT | {"name": "a"}])).encode(),
    json.dumps(body(predicateType="https://example.org/exec-allowlist/v1")).encode(),
    json.dumps(body(predicate={"critical": ["scope"]})).encode(),
    json.dumps({"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}).encode()])
def test_import_of_nonsense_leaves_nothing_behind(box, text):
    box.write("usr/bin/a")
    box.create()
    path = os.path.join(box.path, "list.json")
    with open(path, "wb") as file:
        file.write(text)
    result = box.run("import", path, code=65)
    assert result.stderr.count(b"\n") == 1 and not result.stdout
    assert len(box.json("list", "--all")) == 1 and not box.sql("SELECT 1 FROM snapshot WHERE kind = 6")


def test_import_never_widens(box):
    box.write("usr/bin/a")
    box.create()
    path = os.path.join(box.path, "list.json")
    for predicate in ({"bind": "path", "critical": ["bind"]}, {"expires": "2026-01-02T00:00:00Z"},
                      {"scope": {"hosts": ["a"]}, "critical": ["scope"]}):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(body(predicate=predicate), file)
        box.run("import", path, "--scope", "image:x", code=65)
        box.run("import", path)
    box.run("import", path, "--scope", "image:", code=64)
    box.run("import", path, "--scope", "everything", code=64)
    box.run("import", box.path + "/none", code=66)


def test_explain_asks_the_daemon(tmp_path):
    fake = FakeDaemon()
    fake.answers["baselines"] = {"ok": True}
    fake.answers["explain"] = {"ok": True, "explain": {"would": {"verdict": "deny", "reason": "dropped"}}}
    box = Box(tmp_path)
    with open(box.config, "w", encoding="utf-8") as file:
        file.write(f"state_dir: {box.state}\nruntime_dir: {fake.runtime}\n")
    box.write("usr/bin/a")
    box.create()
    assert b"deny (dropped)" in box.run("explain", "/usr/bin/a").stdout
    assert box.json("explain", "/usr/bin/a")["daemon"]["would"]["verdict"] == "deny"
    box.run("explain", "usr/bin/a", code=64)
    box.run("explain", "/nowhere", code=1)
    box.run("explain", "0" * 64, code=1)
    fake.close()


def test_sockets_and_fifos_are_never_opened(box):
    box.write("usr/bin/a")
    os.mkfifo(box.at("fifo"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(box.at("s"))
        box.create("--all-files")
        box.check(code=0)
        os.unlink(box.at("fifo"))
        box.check(code=2)
