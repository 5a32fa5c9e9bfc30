"""The command line of execward: exit codes, formats, and what it asks of the daemon."""
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import pytest

from fake_daemon import EVENT_ID, EXECWARD, SHA, FakeDaemon, alert, fail, lists, row_of_list, status, trust

os.environ["TZ"] = "UTC"  # the tool shows local time

VERBS = ("status", "events", "show", "explain", "approve", "revoke", "deny", "grants", "mode", "reload",
         "report", "doctor", "selftest", "keygen", "pubkey", "sign", "verify", "inspect", "pae", "attach", "merge",
         "export")
HOSTILE = "a\x1b[2J\nb\u202ec\\d"
GRANT = {"kind": "approved", "sha256": SHA, "image": "example/web:1", "path": "/tmp/evil", "reason": "why",
         "by_uid": 0, "created_ns": 1795520716955919309, "expires_ns": 0}
EXPLAIN = {"ok": True, "explain": {
    "target": "/tmp/evil", "sha256": SHA, "paths": ["/tmp/evil", "/tmp/other"], "origin": "dropped",
    "copy_of": None, "grants": [GRANT], "drops": [], "events": [alert()], "vouchers": ["approved"],
   "baselines": [{"snapshot": 7, "kind": "image", "name": "example/web:1", "path": "/bin/evil", "scope": "image",
                  "scope_value": "example/web:1", "image_id": None, "created_ns": 1, "in_scope": True},
                 {"snapshot": 8, "kind": "host", "name": "/usr", "path": "/usr/bin/x", "scope": "filesystem",
                  "scope_value": "5f0c", "image_id": None, "created_ns": 1, "in_scope": False}],
    "would": {"verdict": "allow", "reason": "approved", "mode": "enforce"}}}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@pytest.fixture
def daemon():
    fake = FakeDaemon()
    fake.answers.update(
        status=status(), explain=EXPLAIN, approve={"ok": True, "grant": GRANT},
        revoke={"ok": True, "removed": 1}, grants={"ok": True, "grants": [GRANT]}, reload={"ok": True},
        mode={"ok": True, "mode": "learn", "source": "operator", "until_ns": 1795520716955919309,
              "fallback": "report"})
    fake.events(alert())
    yield fake
    fake.close()


def run(*argv, **kwargs):
    return subprocess.run([EXECWARD, *argv], capture_output=True, timeout=60, check=False, **kwargs)


# --- usage ----------------------------------------------------------------------------------------

def test_help_names_every_verb_and_goes_to_stdout():
    result = run("--help")
    assert result.returncode == 0 and not result.stderr
    for verb in VERBS:
        assert f"\n  {verb} ".encode() in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_without_a_daemon(verb):
    for argv in ((verb, "--help"), ("--help", verb), (verb, "-h")):
        result = run(*argv)
        assert result.returncode == 0 and result.stdout.startswith(f"usage: execward {verb}".encode())
        assert b"--json" in result.stdout and not result.stderr


def test_version():
    result = run("--version")
    assert result.returncode == 0 and result.stdout.startswith(b"execward ")


@pytest.mark.parametrize("argv, near", [
    (["stauts"], b"did you mean status"), (["stat"], b"did you mean status"),
    (["aprove"], b"did you mean approve"), (["events", "--folow"], b"did you mean --follow"),
    (["events", "-follow"], b"did you mean --follow"), (["zzzzzz"], b"unknown verb"),
    (["snapshot", "chek"], b"did you mean check"), (["kegen"], b"did you mean keygen"),
    (["sign", "-kk"], b"unknown option"), (["sign", "-j"], b"unknown option"), (["x" * 5000], b"unknown verb")])
def test_a_misspelt_word_is_refused_with_the_nearest(argv, near):
    result = run(*argv)
    assert result.returncode == 64 and near in result.stderr and not result.stdout


@pytest.mark.parametrize("argv", [
    [], ["show"], ["explain"], ["approve", SHA], ["approve", "--reason", "x"], ["deny", SHA],
    ["approve", SHA, "--reason"], ["approve", SHA, "--reason", ""], ["approve", SHA, "--reason", "x", "--image="],
    ["approve", SHA, "--reason", "x", "--image", "a", "--image", "b"], ["approve", SHA, "--reason", "x", "y"],
    ["approve", "", "--reason", "x"], ["status", "extra"], ["status", "--json=1"], ["status", "--follow"],
    ["deny", SHA, "--reason", "x", "--image", "a"], ["approve", SHA, "--reason", "x", "--for", "0s"],
    ["approve", SHA, "--reason", "x", "--for", "-1h"], ["events", "--limit", "0"], ["events", "--limit", "9x"],
    ["events", "--limit", "99999999999999999999"], ["events", "--since", "yesterday"], ["mode", "learn"],
    ["mode", "lern"], ["mode", "--for", "1h"], ["status", "--wait-ready", "x"], ["status", "--wait-ready", "-1"],
    ["status", "--wait-ready", "nan"], ["explain", "tmp/x", "--container", "web"]])
def test_usage_errors_are_64_and_ask_the_daemon_nothing(daemon, argv):
    result = daemon.tool(*argv)
    assert result.returncode == 64 and result.stderr and not result.stdout
    assert not daemon.requests


def test_hostile_words_of_the_command_line_are_escaped():
    result = run(HOSTILE)
    assert result.returncode == 64 and b"\x1b" not in result.stderr and result.stderr.count(b"\n") == 1


# --- configuration and connection -----------------------------------------------------------------

def test_a_faulty_configuration_is_78_with_its_place(daemon):
    with open(daemon.config, "a", encoding="utf-8") as file:
        file.write("nonsense: 1\n")
    result = daemon.tool("status")
    assert result.returncode == 78 and f"{daemon.config}:2:1: ".encode() in result.stderr
    assert run("--config", daemon.dir + "/none.yaml", "status").returncode == 78


@pytest.mark.parametrize("verb", ["status", "events", "report", "grants", "mode", "reload", "doctor", "selftest"])
def test_no_daemon_is_69(verb):
    fake = FakeDaemon(listen=False)
    result = fake.tool(verb)
    assert result.returncode == (77 if verb == "selftest" and os.geteuid() != 0 else 69)
    assert b"no daemon answers" in result.stderr or verb == "selftest"
    fake.close()


def test_a_stale_socket_is_69(daemon):
    daemon.listener.close()
    os.unlink(daemon.path)
    daemon.listener = None
    stale = FakeDaemon()
    os.rename(stale.path, daemon.path)
    stale.close()
    assert daemon.tool("status").returncode == 69


@as_root
def test_who_may_not_ask_gets_77(daemon):
    if run("--version", user=65534).returncode != 0:
        pytest.skip("the build directory is closed to others")
    result = daemon.tool("status", user=65534)
    assert result.returncode == 77 and b"only root" in result.stderr
    assert daemon.tool("selftest", user=65534).returncode == 77


@pytest.mark.parametrize("word, code", [
    ("not_found", 1), ("ambiguous", 1), ("bad_request", 64), ("too_large", 65), ("unavailable", 69),
    ("unknown_request", 69), ("internal", 70), ("a new word", 70), ("denied", 77), ("invalid_config", 78)])
def test_each_failure_has_its_exit_code_and_its_message(daemon, word, code):
    for verb, request in (("reload", "reload"), ("events", "events")):
        daemon.answers[request] = fail(word, "because " + HOSTILE)
        result = daemon.tool(verb)
        assert result.returncode == code and not result.stdout
        assert b"because a\\x1b[2J" in result.stderr and b"\x1b" not in result.stderr


@pytest.mark.parametrize("answer", [
    None, b"", b"nonsense", b"[]", b"{}", b'{"ok":1}', b'{"ok":true,"ok":true}', b'{"event":', b"\xff\xfe", b"null"])
def test_an_answer_that_is_none_is_an_error_and_no_crash(daemon, answer):
    for verb in ("status", "events", "grants", "report"):
        daemon.answers[verb if verb != "report" else "events"] = answer
        result = daemon.tool(verb)
        assert result.returncode in (69, 70) and result.stderr and b"Sanitizer" not in result.stderr


@pytest.mark.parametrize("verb", ["status", "grants", "mode", "doctor", "explain x", "approve x --reason y"])
def test_an_answer_without_its_fields_is_shown_without_a_crash(daemon, verb):
    argv = [SHA if word == "x" else word for word in verb.split()]
    daemon.answers[argv[0] if argv[0] != "doctor" else "status"] = {"ok": True}
    for extra in ([], ["--json"]):
        result = daemon.tool(*argv, *extra)
        assert result.returncode in (0, 1, 70) and b"Sanitizer" not in result.stderr


def test_output_that_cannot_be_written_is_74(daemon):
    with open("/dev/full", "wb") as full:
        for verb in ("status", "events", "grants"):
            result = subprocess.run(daemon.command(verb), stdout=full, stderr=subprocess.PIPE, check=False)
            assert result.returncode == 74 and b"stdout" in result.stderr


# --- status ---------------------------------------------------------------------------------------

def test_status_text_and_json(daemon):
    assert json.loads(daemon.tool("status", "--json").stdout) == status()["status"]
    text = daemon.tool("status").stdout.decode()
    for part in ("enforce, by the configuration", "up 1 h 02 min 05 s", "/var/lib/docker", "example/web:1",
                 "0123456789ab ", "allow 10, deny 2, would deny 0", "faults: none",
                 "baselines: 3 snapshots (1 for images, 0 for containers, 2 for filesystems), 4711 digests\n"):
        assert part in text
    assert "weakened" not in text


def test_baselines_that_cannot_be_loaded_are_said(daemon):
    daemon.answers["status"] = status(baselines=status()["status"]["baselines"] | {"error": "corrupt\x1b[2J"})
    text = daemon.tool("status").stdout.decode()
    assert "weakened: the newest baselines cannot be loaded: corrupt" in text and "\x1b" not in text


def test_lists_and_keys_are_shown(daemon):
    daemon.answers["status"] = status(trust=trust(), allowlists=lists(
        row_of_list("a"), row_of_list("b", reason="revoked_key", in_force=False), row_of_list("c", in_grace=True)))
    text = daemon.tool("status").stdout.decode()
    assert "allowlists: 3 installed, 2 in force, 12 digests" in text and "keys: 2 of use manifest, 1 must sign" in text
    for series, state in (("a", "in force"), ("b", "revoked_key"), ("c", "expired, in grace")):
        assert re.search(rf"^ *{series} +7 +{state} ", text, re.M), text


def test_what_is_wrong_with_lists_is_said(daemon):
    directory = lists()["directory"] | {"error": "a symlink\x1b[2J leads to it", "refused": [
        {"file": "x\x1b[2J.dsse", "reason": "unsafe", "detail": "is a FIFO", "time_ns": 1}]}
    daemon.answers["status"] = status(trust=trust(error="keys.d/x\x1b[2J: faulty", usable=0),
                                      allowlists=lists(directory=directory, error="the disk is full"))
    text = daemon.tool("status").stdout.decode()
    for part in ("NO LIST IS IN FORCE: keys.d/x", "not watched: a symlink", "unsafe", "is a FIFO",
                 "weakened: the newest allowlists cannot be loaded: the disk is full"):
        assert part in text, part
    assert "\x1b" not in text
    daemon.answers["status"] = status(trust=trust(nobody="the directory has no key", usable=0), allowlists=lists())
    assert "the directory has no key: no list is in force" in daemon.tool("status").stdout.decode()


def test_columns_line_up(daemon):
    long = status()["status"]["containers"][0] | {"name": "a-very-long-name-" + "x" * 40}
    wide = status()["status"]["containers"][0] | {"name": "gr\u00fc\u00dfe"}
    daemon.answers["status"] = status(containers=[long, wide])
    lines = [line for line in daemon.tool("status").stdout.decode().splitlines() if "IMAGE" in line or "example" in line]
    columns = {line.find("IMAGE") if "IMAGE" in line else line.find("example/") for line in lines}
    assert len(lines) == 3 and len(columns) == 1


def test_wait_ready_sees_a_daemon_that_comes(daemon):
    late = FakeDaemon(listen=False)
    late.answers["status"] = status()
    timer = threading.Timer(0.7, late.listen)
    timer.start()
    began = time.monotonic()
    result = late.tool("status", "--json", "--wait-ready", "20")
    assert result.returncode == 0 and json.loads(result.stdout)["ready"]
    assert 0.5 < time.monotonic() - began < 5
    late.close()


def test_wait_ready_asks_until_it_is_ready(daemon):
    began = time.monotonic()
    daemon.answers["status"] = lambda _: status(ready=time.monotonic() - began > 0.5)
    assert daemon.tool("status", "--wait-ready", "20").returncode == 0
    assert 2 <= len(daemon.requests) < 20


def test_wait_ready_survives_a_daemon_that_dies_at_first(daemon):
    daemon.answers["status"] = lambda _: status() if len(daemon.requests) > 2 else None
    assert daemon.tool("status", "--wait-ready", "20").returncode == 0


@pytest.mark.parametrize("how", ["absent", "not ready", "silent"])
def test_wait_ready_ends_with_69_in_time(how):
    fake = FakeDaemon(listen=how != "absent")
    fake.answers["status"] = status(ready=False) if how == "not ready" else lambda _: time.sleep(3)
    began = time.monotonic()
    result = fake.tool("status", "--wait-ready", "0.6")
    assert result.returncode == 69 and b"is ready after 0.6 s" in result.stderr and not result.stdout
    assert time.monotonic() - began < 2.5
    fake.close()


# --- events, show ---------------------------------------------------------------------------------

def test_events_json_is_what_was_sent_byte_by_byte(daemon):
    odd = b'{"a":1.50,"b":"\\u00e9\\/","output_fields":{},"z":[1,2]}'
    daemon.answers["events"] = [b'{"event":' + odd + b"}", {"ok": True, "count": 1}]
    assert daemon.tool("events", "--json").stdout == odd + b"\n"


def test_events_text_names_what_matters_and_escapes_the_rest(daemon):
    daemon.events(alert(**{"execward.count": 5}), alert(**{"proc.exepath": HOSTILE, "container.name": HOSTILE}))
    out = daemon.tool("events").stdout
    first, second = out.decode().splitlines()
    for part in ("deny", "dropped", "web", "/tmp/evil", "root", "/usr/bin/curl", "x5", EVENT_ID):
        assert part in first
    assert b"\x1b" not in out and "\u202e" not in second and "\\u{202e}" in second


def test_events_asks_what_it_was_told(daemon):
    daemon.tool("events", "--container", "web", "--path=/tmp/evil", "--sha256", SHA, "--limit", "7",
                "--since", "2026-11-24T10:00:00Z")
    assert daemon.requests == [{"request": "events", "container": "web", "path": "/tmp/evil", "sha256": SHA,
                                "limit": 7, "since_ns": 1795514400 * 10**9}]
    daemon.tool("events", "--since", "10m")
    assert abs(daemon.requests[-1]["since_ns"] - (time.time() - 600) * 1e9) < 30e9


def test_many_and_long_events_arrive_whole(daemon):
    daemon.events(*[alert(**{"proc.cmdline": "x" * (i % 7) * 9000}) for i in range(2000)])
    lines = daemon.tool("events", "--json").stdout.splitlines()
    assert len(lines) == 2000 and all(json.loads(line)["rule"] for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_follow_prints_at_once_filters_and_ends_cleanly(daemon, number):
    daemon.events(alert(**{"container.name": "other", "execward.container_id": "f" * 64}), alert())
    with subprocess.Popen(daemon.command("events", "--follow", "--container", "web"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert b"/tmp/evil" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0 and not out and not err


def test_follow_ends_when_nobody_reads_any_more(daemon):
    with subprocess.Popen(daemon.command("events", "--follow"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=10) == 0 and not process.stderr.read()


def test_follow_says_when_the_daemon_ends(daemon):
    daemon.hold.set()
    result = daemon.tool("events", "--follow")
    assert result.returncode == 69 and b"closed the connection" in result.stderr and b"/tmp/evil" in result.stdout


def test_colour_only_on_a_terminal_and_without_no_color(daemon):
    def on_terminal(**env):
        master, slave = pty.openpty()
        subprocess.run(daemon.command("events"), stdout=slave, stderr=slave, check=True,
                       env={"PATH": os.environ["PATH"]} | env)
        os.close(slave)
        out = os.read(master, 65536)
        os.close(master)
        return out
    assert b"\x1b[1;31mdeny" in on_terminal()
    assert b"\x1b[1;31mdeny" in on_terminal(NO_COLOR="")
    assert b"\x1b" not in on_terminal(NO_COLOR="1")
    assert b"\x1b" not in daemon.tool("events").stdout


def test_show_gives_the_command_line_to_copy(daemon):
    out = daemon.tool("show", EVENT_ID).stdout.decode()
    assert f"execward approve {SHA} --image example/web:1 --reason 'WHY'" in out
    for part in ("what", "where", "who ran it", "who dropped it", "/usr/bin/curl", "Critical"):
        assert part in out
    assert json.loads(daemon.tool("show", EVENT_ID, "--json").stdout) == alert()


@pytest.mark.parametrize("image, word", [
    ("a b'; rm -rf /", "--image 'a b'\"'\"'; rm -rf /'"), ("$(id)", "--image '$(id)'"), ("-x", "--image '-x'")])
def test_an_image_of_any_name_is_one_word_of_the_shell(daemon, image, word):
    daemon.events(alert(**{"execward.image": image}))
    assert word in daemon.tool("show", EVENT_ID).stdout.decode()


def test_what_cannot_be_typed_is_not_offered(daemon):
    daemon.events(alert(**{"execward.image": HOSTILE}))
    assert "--image" not in daemon.tool("show", EVENT_ID).stdout.decode()
    daemon.events(alert(**{"execward.sha256": None}))
    assert "nothing can vouch" in daemon.tool("show", EVENT_ID).stdout.decode()


def test_show_of_nothing_is_1(daemon):
    daemon.events()
    assert daemon.tool("show", "abc-def").returncode == 1


# --- explain, approve, deny, revoke ---------------------------------------------------------------

def test_explain(daemon):
    assert json.loads(daemon.tool("explain", SHA, "--json").stdout) == EXPLAIN["explain"]
    out = daemon.tool("explain", SHA, "--image", "i", "--container", "c").stdout.decode()
    for part in (SHA, "/tmp/evil, /tmp/other", "vouched for by", "allow (approved, mode enforce)", "no end", EVENT_ID,
                 "in snapshots: 2", "containers of image example/web:1", "the filesystem 5f0c"):
        assert part in out
    assert daemon.requests[-1] == {"request": "explain", "sha256": SHA, "image": "i", "container": "c"}
    daemon.tool("explain", EVENT_ID)
    assert daemon.requests[-1] == {"request": "explain", "event_id": EVENT_ID}


def test_explain_shows_the_lists_that_name_it(daemon):
    explain = EXPLAIN["explain"] | {"revoked": True, "allowlists": [
        row_of_list("here") | {"in_scope": True}, row_of_list("elsewhere") | {"in_scope": False},
        row_of_list("over", reason="expired", in_force=False) | {"in_scope": True}]}
    daemon.answers["explain"] = {"ok": True, "explain": explain}
    text = daemon.tool("explain", SHA).stdout.decode()
    assert "in allowlists: 3" in text and "no list and no signature vouches for it" in text
    for series, vouches in (("here", "yes"), ("elsewhere", "no"), ("over", "no")):
        assert re.search(rf"^ *{series} .* {vouches}$", text, re.M), text


def test_a_digest_is_sent_as_one(daemon):
    out = daemon.tool("approve", SHA, "--reason", "why", "--image", "example/web:1", "--for", "24h").stdout.decode()
    assert out == f"approved {SHA} (/tmp/evil) in example/web:1\n"
    request = daemon.requests[-1]
    assert abs(request.pop("expires_ns") - (time.time() + 86400) * 1e9) < 60e9
    assert request == {"request": "approve", "sha256": SHA, "reason": "why", "image": "example/web:1"}


def test_an_event_is_approved_for_its_own_image(daemon):
    daemon.tool("approve", EVENT_ID, "--reason", "why")
    assert daemon.asked("events") == [{"request": "events", "event_id": EVENT_ID}]
    assert daemon.requests[-1] == {"request": "approve", "sha256": SHA, "path": "/tmp/evil", "reason": "why",
                                   "image": "example/web:1"}
    daemon.events(alert(**{"execward.image": None}))
    daemon.tool("approve", EVENT_ID, "--reason", "why")
    assert daemon.requests[-1]["image"] == "/var/lib/x/upper"
    daemon.tool("deny", EVENT_ID, "--reason", "why")
    assert daemon.requests[-1] == {"request": "approve", "sha256": SHA, "path": "/tmp/evil", "reason": "why",
                                   "deny": True}


def test_an_event_that_cannot_be_approved(daemon):
    daemon.events(alert(**{"execward.sha256": None}))
    assert daemon.tool("approve", EVENT_ID, "--reason", "why").returncode == 65
    daemon.events()
    assert daemon.tool("approve", EVENT_ID, "--reason", "why").returncode == 1
    assert not daemon.asked("approve")


def test_a_path_that_the_daemon_knows_is_the_container_s(daemon):
    daemon.tool("approve", "/bin/ls", "--reason", "why")
    assert daemon.requests == [{"request": "explain", "path": "/bin/ls"},
                               {"request": "approve", "path": "/bin/ls", "reason": "why"}]
    daemon.answers["explain"] = fail("ambiguous", "several")
    assert daemon.tool("approve", "/bin/ls", "--reason", "why").returncode == 1
    assert len(daemon.asked("approve")) == 1


def test_a_path_with_a_scope_is_the_container_s_without_asking(daemon):
    daemon.tool("approve", "/bin/ls", "--reason", "why", "--container", "web")
    daemon.tool("approve", "/bin/ls", "--reason", "why", "--image", "i")
    assert [r["path"] for r in daemon.requests] == ["/bin/ls"] * 2 and not daemon.asked("explain")


def test_a_file_of_the_host_is_hashed_here(daemon):
    daemon.answers["explain"] = fail("not_found", "nothing")
    path = os.path.join(daemon.dir, "prog ram")
    with open(path, "wb") as file:
        file.write(b"hello\n")
    sha = hashlib.sha256(b"hello\n").hexdigest()
    for argv in ((path,), ("./prog ram",), ("prog ram",)):
        daemon.tool("approve", *argv, "--reason", "why", cwd=daemon.dir)
        assert daemon.requests[-1] == {"request": "approve", "sha256": sha, "path": path, "reason": "why"}
    daemon.tool("revoke", path)
    assert daemon.requests[-1] == {"request": "revoke", "sha256": sha, "path": path}
    daemon.answers["explain"] = lambda r: EXPLAIN if "sha256" in r else fail("not_found", "nothing")
    daemon.tool("explain", path)
    assert daemon.requests[-1] == {"request": "explain", "sha256": sha}


def test_files_of_the_host_that_are_none(daemon):
    daemon.answers["explain"] = fail("not_found", "nothing")
    os.mkfifo(os.path.join(daemon.dir, "fifo"))
    for name, code in (("./none", 66), ("./fifo", 65), (".", 65)):
        assert daemon.tool("approve", name, "--reason", "why", cwd=daemon.dir).returncode == code
    assert not daemon.asked("approve")


def test_text_that_json_cannot_carry_is_refused(daemon):
    assert daemon.tool("approve", SHA, "--reason", b"\xff").returncode == 64
    assert daemon.tool("explain", b"/tmp/\xff").returncode == 64
    assert not daemon.requests


def test_a_word_behind_dashes_is_an_argument(daemon):
    assert daemon.tool("explain", "--", "--help").returncode == 66


def test_revoke_and_deny(daemon):
    assert daemon.tool("revoke", SHA, "--image", "i").stdout == b"revoked: 1\n"
    assert daemon.requests[-1] == {"request": "revoke", "sha256": SHA, "image": "i"}
    daemon.tool("revoke", SHA, "--deny")
    assert daemon.requests[-1] == {"request": "revoke", "sha256": SHA, "deny": True}
    assert daemon.tool("deny", SHA, "--reason", "bad").stdout.startswith(b"denied " + SHA.encode())
    assert daemon.requests[-1] == {"request": "approve", "sha256": SHA, "reason": "bad", "deny": True}
    daemon.answers["revoke"] = fail("not_found", "nothing to revoke")
    assert daemon.tool("revoke", SHA).returncode == 1


def test_grants(daemon):
    assert json.loads(daemon.tool("grants", "--json").stdout) == [GRANT]
    assert SHA in daemon.tool("grants").stdout.decode()


# --- mode, reload, report, selftest -------------------------------------------------------

def test_a_mode_that_is_not_in_force_everywhere(daemon):
    unknown = {"path": "/bin/x\x1b[2J", "why": "unit y", "sha256": SHA, "fault": None}
    row = {"path": "/srv", "why": "1 of 2", "unknown": [unknown], "unknown_total": 3}
    daemon.answers["mode"] = {"ok": True, "mode": "enforce", "source": "operator", "until_ns": 0,
                              "fallback": "report", "not_enforced": [row]}
    result = daemon.tool("mode", "enforce")
    assert result.returncode == 1 and result.stdout == b"enforce, by an operator\n"
    assert b"/srv is NOT enforced" in result.stderr and SHA.encode() in result.stderr
    assert b"\x1b" not in result.stderr and b"unit y" in result.stderr and b"2 more" in result.stderr
    assert json.loads(daemon.tool("mode", "--json").stdout)["not_enforced"] == [row]


def test_a_mode_that_is_switched_off(daemon):
    daemon.answers["mode"] = fail("disabled", "enforcement is switched off: x exists")
    result = daemon.tool("mode", "enforce")
    assert result.returncode == 78 and b"x exists" in result.stderr


def test_status_says_what_the_host_guards(daemon):
    row = {"path": "/srv", "filesystem": "2f3c", "mode": "report", "wanted": "enforce", "enforced": False,
           "baseline": True, "why": "1 of 2 are not known", "unknown": []}
    daemon.answers["status"] = status(guard={"paths": [row]}, disabled="x exists")
    out = daemon.tool("status").stdout
    assert b"SWITCHED OFF: x exists" in out and b"1 of 2 are not known" in out and b"2f3c" in out


def test_mode(daemon):
    out = daemon.tool("mode", "learn", "--for", "24h").stdout.decode()
    assert out.startswith("learn, by an operator, until 2026-11-24 ") and out.endswith(", then report\n")
    assert daemon.requests == [{"request": "mode", "mode": "learn", "for_ns": 86400 * 10**9}]
    assert daemon.tool("mode").returncode == 0 and daemon.requests[-1] == {"request": "mode"}
    assert json.loads(daemon.tool("mode", "--json").stdout)["mode"] == "learn"


def test_reload_shows_the_place_of_the_fault(daemon):
    assert daemon.tool("reload").stdout == b"reloaded\n"
    daemon.answers["reload"] = fail("invalid_config", "/etc/execward/execward.yaml:3:1: unknown key")
    result = daemon.tool("reload")
    assert result.returncode == 78 and b"execward.yaml:3:1: unknown key" in result.stderr


def test_report_counts_execs_and_is_reproducible(daemon):
    daemon.events(alert(**{"execward.count": 5}), alert(**{"container.name": "db", "execward.verdict": "would_deny"}),
                  alert(**{"execward.verdict": "allow", "execward.count": 99}))
    report = json.loads(daemon.tool("report", "--since", "2026-11-24", "--json").stdout)
    assert report["since_ns"] == 1795478400 * 10**9 and not report["truncated"]
    assert (report["execs"], report["denied"]) == (6, 5)
    assert report["containers"] == [{"execs": 5, "name": "web"}, {"execs": 1, "name": "db"}]
    assert report["writers"] == [{"execs": 6, "name": "/usr/bin/curl"}]
    text = daemon.tool("report").stdout.decode()
    assert "6 execs that nobody vouched for: 5 denied, 1 reported" in text and "by who dropped it" in text


def test_a_long_report_shows_the_first_rows(daemon):
    daemon.events(*[alert(**{"proc.exepath": f"/tmp/{i:03}"}) for i in range(40)])
    text = daemon.tool("report").stdout.decode()
    assert "/tmp/009" in text and "/tmp/010" not in text and "and 30 more" in text
    assert len(json.loads(daemon.tool("report", "--json").stdout)["programs"]) == 40


def selftest(daemon, prepare=lambda tool: None):
    """The report and exit code. A real daemon that enforces on this host refuses the drops too, and
    then it is tried again: this is about what the tool makes of what it sees."""
    for _ in range(10):
        with subprocess.Popen(daemon.command("selftest", "--json"), stdout=subprocess.PIPE) as tool:
            prepare(tool)
            report = json.loads(tool.communicate(timeout=60)[0])
        if not any(r["got"].startswith("EPERM") for r in report["results"]):
            break
        time.sleep(1)
    return report, tool.returncode


@as_root
def test_selftest_fails_when_the_daemon_does_nothing(daemon):
    """A daemon that guards nothing: every technique that should be seen FAILED, the image's own is ok."""
    daemon.events()
    daemon.answers["rescan"] = {"ok": True, "containers": 0}
    report, code = selftest(daemon)
    ok = {r["technique"] for r in report["results"] if r["ok"]}
    assert code == 1 and report["mode"] == "enforce" and report["failed"] >= 14
    assert ok == {"a program of the image", "chmod and touch an image program"}
    assert all(r["got"] == "runs, no alert" for r in report["results"] if r["result"] != "skipped")
    assert not os.path.exists(os.path.join(daemon.runtime, "selftest"))
    text = daemon.tool("selftest").stdout.decode()
    assert "FAILED" in text and "KERNEL" in text


@as_root
def test_selftest_believes_no_alert_without_its_deed(daemon):
    """In enforce an alert alone is not enough: the program must not have run."""
    daemon.answers["rescan"] = {"ok": True, "containers": 1}

    def prepare(tool):
        def events(_):
            box = os.path.join(f"/proc/{tool.pid}/root", daemon.runtime.lstrip("/"), "selftest")
            names = [os.path.join(d, f) for d, _, files in os.walk(box) for f in files if "/upper/" in d + "/"]
            return [{"event": alert(**{"proc.exepath": n})} for n in names] + [{"ok": True, "count": len(names)}]
        daemon.answers["events"] = events
    report, _ = selftest(daemon, prepare)
    dropped = [r for r in report["results"] if r["technique"] == "drop, execve"][0]
    assert dropped["got"] == "runs, deny dropped" and dropped["result"] == "FAILED"


@as_root
def test_a_second_selftest_waits_its_turn(daemon):
    inside = threading.Event()

    def rescan(_):
        inside.set()
        time.sleep(2)
        return {"ok": True, "containers": 0}
    daemon.events()
    daemon.answers["rescan"] = rescan
    with subprocess.Popen(daemon.command("selftest"), stdout=subprocess.DEVNULL) as first:
        assert inside.wait(20)
        second = daemon.tool("selftest")
        assert second.returncode == 73 and b"another one is running" in second.stderr
        assert first.wait(timeout=60) == 1
