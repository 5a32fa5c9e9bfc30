"""execward-fetch.service and its timer under a real systemd: off as installed, and what the unit is shut in from does not
keep it from its work. The server is the test's own, reached through the network that the box shares; what a server can
do wrong is tests/component_py/test_allowlist_fetch.py's."""
import datetime
import json
import os
import sys

import pytest

from systemd_box import SystemdBox, build_directory, checked, make_package

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "component_py"))
import https_server  # noqa: E402

SERVICE, TIMER = "execward-fetch.service", "execward-fetch.timer"
SERIES = "example.org/web"


@pytest.fixture(scope="module", name="web")
def fixture_web(tmp_path_factory):
    server = https_server.Server(tmp_path_factory.mktemp("web") / "tls")
    yield server
    server.close()


@pytest.fixture(scope="module", name="release")
def fixture_release(tmp_path_factory):
    """A key, and a function that signs a version of the list."""
    folder, tool = tmp_path_factory.mktemp("release"), build_directory() / "tools/execward"
    checked(tool, "keygen", "--unencrypted", "--out", folder / "a")

    def make(version):
        now = datetime.datetime.now(datetime.timezone.utc)
        times = [(now + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (-1, 90)]
        (folder / "body").write_text(json.dumps({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:execward:allowlist:v1",
            "subject": [{"name": "/usr/bin/web", "digest": {"sha256": f"{version:064x}"}}],
            "predicate": {"series": SERIES, "version": version, "issued": times[0], "expires": times[1],
                          "bind": "digest", "critical": []}}))
        checked(tool, "sign", folder / "body", "-k", folder / "a.key", "-o", folder / "list")
        return (folder / "list").read_bytes()
    make.key = (folder / "a.pem").read_text()
    return make


@pytest.fixture(scope="module", name="box")
def fixture_box(tmp_path_factory, web, release):
    folder = tmp_path_factory.mktemp("systemd")
    with SystemdBox(folder, make_package(folder / "package")) as box:
        box.write("/etc/ssl/certs/ca-certificates.crt", web.ca.read_text())
        box.write("/etc/execward/keys.d/a.pem", release.key)
        yield box


def lists(box):
    return {row["series"]: row["version"] for row in json.loads(box.run("execward", "allowlist", "list", "--json"))}


def fetch(box):
    """Exit code of the unit's program, and whether systemd took it for a failure."""
    box.run("systemctl", "start", SERVICE, check=False, timeout=120)
    return int(box.show(SERVICE, "ExecMainStatus")), box.show(SERVICE, "Result")


def test_off_as_installed(box):
    assert box.run("systemctl", "is-enabled", TIMER, check=False).strip() == "disabled"
    assert box.run("systemd-analyze", "verify", "--man=no", SERVICE, TIMER) == ""
    assert fetch(box) == (78, "exit-code")
    assert "nothing to fetch" in box.journal(SERVICE)


def test_the_unit_fetches(box, web, release):
    web.files["/web.dsse"] = release(1)
    box.write("/etc/execward/execward.yaml",
              f'trust: {{fetch: [{{url: "{web.url}/web.dsse", series: {SERIES}}}]}}\n')
    assert fetch(box) == (0, "success"), box.journal(SERVICE)
    assert lists(box) == {SERIES: 1}
    assert fetch(box) == (0, "success"), box.journal(SERVICE)
    assert [("If-None-Match" in headers) for _, headers in web.requests] == [False, True]
    web.files["/web.dsse"] = release(2)
    assert fetch(box) == (0, "success"), box.journal(SERVICE)
    assert lists(box) == {SERIES: 2}


def test_a_server_that_is_away_is_a_failed_unit_and_no_more(box, web):
    web.answers["/web.dsse"] = lambda handler: handler.answer(503)
    assert fetch(box) == (69, "exit-code") and "the lists in force stand" in box.journal(SERVICE)
    assert lists(box) == {SERIES: 2}
    del web.answers["/web.dsse"]


def test_the_timer(box):
    box.run("systemctl", "enable", "--now", TIMER)
    assert box.show(TIMER, "ActiveState") == "active" and box.show(TIMER, "Persistent") == "yes"
    assert box.show(TIMER, "NextElapseUSecRealtime") not in ("", "n/a")
    assert box.show(TIMER, "RandomizedDelayUSec") == "30min"
