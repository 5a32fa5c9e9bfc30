"""execward allowlist fetch against a real web server over TLS: what is taken, what is refused, and that whatever a
server does, or does not do, the lists in force stand."""
import json
import os
import shutil
import subprocess
import threading

import pytest

import https_server
from envelopes import TYPE, Signer, envelope, pae, run, stamp, statement
from fake_daemon import EXECWARD, FakeDaemon

LIMIT = 64 << 20  # bytes of an envelope


class Host:
    """What fetches: a configuration, keys, a database, and a daemon to tell."""

    def __init__(self, folder, signer):
        self.folder, self.state, self.keys = folder, folder / "state", folder / "keys.d"
        self.state.mkdir(mode=0o700)
        self.keys.mkdir(mode=0o755)
        self.daemon = FakeDaemon()
        self.daemon.answers["allowlists"] = {"ok": True}
        self.config = folder / "execward.yaml"
        (self.keys / "a.pem").write_bytes(open(signer.pem, "rb").read())
        self.configure()

    def configure(self, fetch="[]", threshold=1):
        self.config.write_text(
            f"state_dir: {self.state}\nruntime_dir: {self.daemon.runtime}\n"
            f"trust: {{keys_dir: {self.keys}, threshold: {threshold}, fetch: {fetch}}}\n")

    def tool(self, *argv, **kwargs):
        # What the machine that runs the tests needs to reach the world has no part in them.
        none = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"), "")
        return run("--config", self.config, *argv, env=none | kwargs.pop("env", {}), **kwargs)

    def fetch(self, *argv, **kwargs):
        """(exit code, the rows of --json, stderr)."""
        done = self.tool("allowlist", "fetch", "--json", *argv, **kwargs)
        return done.returncode, json.loads(done.stdout)["lists"] if done.stdout else None, done.stderr

    def lists(self):
        """{series: version} of what is installed."""
        done = self.tool("allowlist", "list", "--json")
        assert done.returncode == 0, done.stderr
        return {row["series"]: row["version"] for row in json.loads(done.stdout)}

    def told(self):
        return len(self.daemon.asked("allowlists"))


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    server = https_server.Server(tmp_path_factory.mktemp("web") / "tls")
    yield server
    server.close()


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def host(tmp_path, signer):
    made = Host(tmp_path, signer)
    yield made
    made.daemon.close()


@pytest.fixture
def server(web, signer, tmp_path):
    web.files, web.answers = {"/list": signed(signer, tmp_path)}, {}
    web.requests.clear()
    return web


def signed(signer, folder, **predicate):
    return signer.sign(statement(**predicate), folder, "served").read_bytes()


def row(result):
    code, rows, _ = result
    assert len(rows) == 1
    return code, rows[0]["result"], rows[0]["reason"]


def fetched(host, server):
    """A host that has the list of the server."""
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "installed", "accepted")
    assert host.lists() == {"example.org/demo": 7}
    server.requests.clear()
    return host


# --- what is taken --------------------------------------------------------------------------------

def test_a_list_is_installed_and_the_daemon_told(host, server):
    code, rows, stderr = host.fetch(f"{server.url}/list", "--cacert", server.ca)
    assert code == 0 and not stderr
    (only,) = rows
    assert only["url"] == f"{server.url}/list" and only["result"] == "installed"
    assert (only["series"], only["version"], only["entries"]) == ("example.org/demo", 7, 1)
    assert host.lists() == {"example.org/demo": 7} and host.told() == 1
    (path, headers), = server.requests
    assert path == "/list" and headers["User-Agent"].startswith("execward/") and "If-None-Match" not in headers
    # Nothing is left of the download.
    assert not [name for name in os.listdir(host.state) if name.startswith("#")]
    assert os.stat(host.state / "fetch.json").st_mode & 0o7777 == 0o600


def test_what_has_not_changed_is_not_sent_again(host, server, signer, tmp_path):
    fetched(host, server)
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert "If-None-Match" in server.requests[-1][1] and host.told() == 1
    done = host.tool("allowlist", "fetch", f"{server.url}/list", "--cacert", server.ca)
    assert done.returncode == 0 and b"unchanged" in done.stdout
    server.files["/list"] = signed(signer, tmp_path, version=8)
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "installed", "accepted")
    assert host.lists() == {"example.org/demo": 8} and host.told() == 2


def test_the_same_list_from_elsewhere_is_unchanged(host, server):
    fetched(host, server)
    server.files["/copy"] = server.files["/list"]
    assert row(host.fetch(f"{server.url}/copy", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert row(host.fetch(f"{server.url}/copy", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert [("If-None-Match" in headers) for _, headers in server.requests] == [False, True]


def test_the_etag_is_not_asked_with_when_the_list_is_not_in_force(host, server, signer):
    """304 would say that all is well."""
    fetched(host, server)
    (host.keys / "trust.json").write_text(json.dumps({"revoked_keys": [signer.id]}))
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (1, "refused", "revoked_key")
    (host.keys / "trust.json").unlink()
    assert "If-None-Match" not in server.requests[-1][1]
    assert host.tool("allowlist", "remove", "example.org/demo", "--reason", "test").returncode == 0
    assert host.fetch(f"{server.url}/list", "--cacert", server.ca)[0] == 0
    assert "If-None-Match" not in server.requests[-1][1] and host.lists() == {"example.org/demo": 7}
    # Another series than the one that is wanted from there now.
    code = row(host.fetch(f"{server.url}/list", "--cacert", server.ca, "--series", "example.org/x"))
    assert code == (1, "refused", "unwanted_series") and "If-None-Match" not in server.requests[-1][1]


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"a":1}', b"{" + b" " * (2 << 20) + b"}", b'{"x":{"etag":1}}'],
                         ids=["empty", "list", "cut", "foreign", "large", "odd"])
def test_a_faulty_memory_costs_a_download(host, server, text):
    fetched(host, server)
    (host.state / "fetch.json").write_bytes(text)
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert "If-None-Match" not in server.requests[-1][1]
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert "If-None-Match" in server.requests[-1][1]


@pytest.mark.parametrize("etag", ['"a\x01b"', "unquoted", '"' + "x" * 1100 + '"', '"a b"', 'W/"', '"'])
def test_an_odd_etag_is_not_kept(host, server, etag):
    data = server.files["/list"]
    server.answers["/list"] = lambda handler: handler.answer(200, data, ("ETag", etag))
    fetched(host, server)
    assert json.loads((host.state / "fetch.json").read_text()) == {}
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (0, "unchanged", "unchanged")
    assert "If-None-Match" not in server.requests[-1][1]


def test_the_memory_is_bounded(host, server):
    fetched(host, server)
    kept = json.loads((host.state / "fetch.json").read_text())
    (entry,) = kept.values()
    many = {f"{i:064x}": entry | {"fetched_ns": i} for i in range(256)}
    (host.state / "fetch.json").write_text(json.dumps(many))
    host.fetch(f"{server.url}/list", "--cacert", server.ca)
    kept = json.loads((host.state / "fetch.json").read_text())
    assert len(kept) == 256 and f"{0:064x}" not in kept and f"{1:064x}" in kept


def test_the_configuration_names_them(host, server, signer, tmp_path):
    server.files["/other"] = signed(signer, tmp_path, series="example.org/other", version=1)
    host.configure(f'["{server.url}/list", {{url: "{server.url}/other", series: example.org/other}}, '
                   f'{{url: "{server.url}/list", series: example.org/no}}, "{server.url}/none"]')
    code, rows, stderr = host.fetch("--cacert", server.ca)
    # Each on its own; the worst is told.
    assert code == 69 and b"/none: the server answers with status 404" in stderr
    assert [(r["result"], r["reason"]) for r in rows] == [
        ("installed", "accepted"), ("installed", "accepted"), ("refused", "unwanted_series"),
        ("unavailable", "unavailable")]
    assert host.lists() == {"example.org/demo": 7, "example.org/other": 1} and host.told() == 1
    assert rows[3]["status"] == 404
    # A URL on the command line stands for them.
    server.requests.clear()
    host.fetch(f"{server.url}/other", "--cacert", server.ca)
    assert [path for path, _ in server.requests] == ["/other"]


def test_a_redirect_to_https_is_followed(host, server):
    server.answers["/moved"] = lambda handler: handler.answer(302, b"", ("Location", "/list"), ("ETag", '"moved"'))
    assert row(host.fetch(f"{server.url}/moved", "--cacert", server.ca)) == (0, "installed", "accepted")
    assert b"moved" not in (host.state / "fetch.json").read_bytes()
    assert row(host.fetch(f"{server.url}/moved", "--cacert", server.ca)) == (0, "unchanged", "unchanged")


# --- what is not ----------------------------------------------------------------------------------

def unavailable(result, said, host):
    code, rows, stderr = result
    assert code == 69 and said in stderr and b"the lists in force stand" in stderr
    assert [r["result"] for r in rows] == ["unavailable"]
    assert host.lists() == {"example.org/demo": 7} and host.told() == 1


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503, 204, 206, 304, 300])
def test_errors_leave_what_is_in_force(host, server, status):
    fetched(host, server)
    (host.state / "fetch.json").unlink()
    server.answers["/list"] = lambda handler: handler.answer(status, b"" if status in (204, 304) else b"x" * 100)
    unavailable(host.fetch(f"{server.url}/list", "--cacert", server.ca), b"status %d" % status, host)


def test_nobody_there(host, server):
    fetched(host, server)
    unavailable(host.fetch(f"https://localhost:{https_server.closed_port()}/list", "--cacert", server.ca), b"connect",
                host)
    unavailable(host.fetch("https://none.invalid/list", "--timeout", "5s"), b"resolve", host)


def test_a_server_that_is_not_who_it_should_be(host, server, tmp_path):
    fetched(host, server)
    # By an authority that nobody here knows: the system's, and another one.
    unavailable(host.fetch(f"{server.url}/list"), b"certificate", host)
    other = https_server.authority(tmp_path, "other")[0]
    unavailable(host.fetch(f"{server.url}/list", "--cacert", other), b"certificate", host)
    # Another name than the certificate's.
    unavailable(host.fetch(f"https://127.0.0.1:{server.port}/list", "--cacert", server.ca), b"match", host)
    assert not server.requests
    code, _, stderr = host.fetch(f"{server.url}/list", "--cacert", tmp_path / "none")
    assert code in (66, 69) and b"none" in stderr


def test_no_http(host, server, tmp_path):
    fetched(host, server)
    plain = https_server.Server(tmp_path / "plain", tls=False)
    try:
        plain.files["/list"] = server.files["/list"]
        for url in (f"{plain.url}/list", "HTTP://localhost/", "ftp://localhost/x", "file:///etc/passwd", "localhost/x",
                    "https://", "https:///x", "https://example.org/a b", "https://@example.org/", "https://example.org/\n", "-"):
            done = host.tool("allowlist", "fetch", "--cacert", server.ca, "--", url)
            assert done.returncode == 64 and b"https://" in done.stderr or b"ASCII" in done.stderr, url
        server.answers["/down"] = lambda handler: handler.answer(301, b"", ("Location", f"{plain.url}/list"))
        unavailable(host.fetch(f"{server.url}/down", "--cacert", server.ca), b"http", host)
        server.answers["/file"] = lambda handler: handler.answer(301, b"", ("Location", "file:///etc/passwd"))
        unavailable(host.fetch(f"{server.url}/file", "--cacert", server.ca), b"file", host)
        assert not plain.requests
    finally:
        plain.close()


def test_redirects_without_end(host, server):
    fetched(host, server)
    server.answers["/round"] = lambda handler: handler.answer(302, b"", ("Location", "/round"))
    unavailable(host.fetch(f"{server.url}/round", "--cacert", server.ca), b"redirect", host)
    assert len(server.requests) == 6


def stream(handler, size, chunked=True, sent=None, block=b" " * 65536):
    """So many bytes, of which the server says nothing before; what was taken of them into sent."""
    handler.send_response(200)
    handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
    handler.end_headers()
    sent = sent if sent is not None else []
    while sum(sent) < size:
        piece = block[:size - sum(sent)]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        sent[:] = [sum(sent) + len(piece)]
    if chunked:
        handler.wfile.write(b"0\r\n\r\n")
    else:
        handler.close_connection = True


@pytest.mark.parametrize("how", ["announced", "chunked", "until close"])
def test_too_large(host, server, how):
    """Held by what arrives, not by what is announced; an endless body is cut off."""
    fetched(host, server)
    sent = [0]
    if how == "announced":
        def answer(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(LIMIT + 1))
            handler.end_headers()
            handler.wfile.write(b" " * 65536)
    else:
        def answer(handler):
            stream(handler, 16 * LIMIT, how == "chunked", sent)
    server.answers["/large"] = answer
    assert row(host.fetch(f"{server.url}/large", "--cacert", server.ca)) == (1, "refused", "envelope_too_large")
    assert host.lists() == {"example.org/demo": 7} and host.told() == 1
    assert sum(sent) < LIMIT + (16 << 20)  # what sockets hold


def test_the_largest_is_read(host, server):
    """64 MiB and no byte more: then it is its content that is wrong."""
    head, tail = b'{"payload":"', f'","payloadType":"{TYPE}","signatures":[]}}'.encode()
    size = (LIMIT - len(head + tail)) // 4 * 4
    full = head + b"A" * size + tail.ljust(LIMIT - len(head) - size)
    assert len(full) == LIMIT
    server.files["/full"] = full
    assert row(host.fetch(f"{server.url}/full", "--cacert", server.ca)) == (1, "refused", "unsigned")
    server.files["/full"] = full + b" "
    assert row(host.fetch(f"{server.url}/full", "--cacert", server.ca)) == (1, "refused", "envelope_too_large")


@pytest.mark.parametrize("how", ["length", "chunked", "tls"])
def test_a_body_that_is_cut_off(host, server, how, signer, tmp_path):
    fetched(host, server)
    data = signed(signer, tmp_path, version=8)

    def answer(handler):
        handler.send_response(200)
        if how == "length":
            handler.send_header("Content-Length", str(len(data)))
        elif how == "chunked":
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write((b"%x\r\n" % len(data) if how == "chunked" else b"") + data[:-100])
        handler.wfile.flush()
        handler.close_connection = True
        if how == "tls":
            os.close(handler.connection.detach())  # without TLS's farewell
    server.answers["/list"] = answer
    code, rows, _ = host.fetch(f"{server.url}/list", "--cacert", server.ca, "--timeout", "20s")
    assert (code, rows[0]["result"]) in ((69, "unavailable"), (1, "refused"))
    assert how == "tls" or code == 69
    assert host.lists() == {"example.org/demo": 7} and host.told() == 1


@pytest.mark.parametrize("where", ["handshake", "headers", "body"])
def test_a_server_that_stalls(host, server, where):
    """--timeout is for all of it."""
    fetched(host, server)
    over = threading.Event()

    def answer(handler):
        if where == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"x")
            handler.wfile.flush()
        over.wait(60)
    server.answers["/slow"] = answer
    url = f"{server.url}/slow"
    silent = None
    if where == "handshake":
        silent = https_server.socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://localhost:{silent.getsockname()[1]}/"
    try:
        unavailable(host.fetch(url, "--cacert", server.ca, "--timeout", "500ms"), b"imed out", host)
    finally:
        over.set()
        if silent:
            silent.close()


def test_refused_lists_leave_the_old_one(host, server, signer, tmp_path):
    fetched(host, server)
    stranger = Signer(tmp_path, "p256")
    good = json.loads(server.files["/list"])
    rows = [
        (stranger.sign(statement(version=9), tmp_path).read_bytes(), "unknown_key"),
        (json.dumps(good | {"signatures": []}).encode(), "unsigned"),
        (envelope(statement(version=9), (signer.id, signer.raw(pae(statement()), tmp_path))), "tampered"),
        (signed(signer, tmp_path, version=6), "rolled_back"),
        (signed(signer, tmp_path, version=7, expires=stamp(80)), "equal_version_other_content"),
        (signed(signer, tmp_path, version=9, issued=stamp(-100), expires=stamp(-1)), "expired"),
        (signed(signer, tmp_path, version=9, issued=stamp(2)), "not_yet_valid"),
        (signed(signer, tmp_path, version=9, expires=stamp(900)), "validity_too_long"),
    ]
    for data, reason in rows:
        server.files["/list"] = data
        assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (1, "refused", reason)
        # Nothing was kept of it: the next fetch looks again.
        assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (1, "refused", reason)
    for data in (b"", b"<html>hello</html>", b"{}", server.files["/list"][:-2], b"\0" * 1000):
        server.files["/list"] = data
        code, result, _ = row(host.fetch(f"{server.url}/list", "--cacert", server.ca))
        assert (code, result) == (1, "refused")
    done = host.tool("allowlist", "fetch", f"{server.url}/list", "--cacert", server.ca)
    assert done.returncode == 1 and b"REFUSED" in done.stdout
    assert host.lists() == {"example.org/demo": 7} and host.told() == 1


def test_the_threshold_is_the_hosts(host, server, signer, tmp_path):
    second = Signer(tmp_path, "p256")
    (host.keys / "b.pem").write_bytes(open(second.pem, "rb").read())
    host.configure(threshold=2)
    assert row(host.fetch(f"{server.url}/list", "--cacert", server.ca)) == (1, "refused", "threshold_not_met")
    assert host.lists() == {}


def test_secrets_in_a_url_are_sent_and_never_shown(host, server):
    secret = server.url.replace("://", "://user:hunter2@")
    for path in ("/list", "/none"):
        done = host.tool("allowlist", "fetch", f"{secret}{path}?token=hunter3#hunter4", "--cacert", server.ca)
        assert done.returncode == (0 if path == "/list" else 69)
        assert b"hunter" not in done.stdout + done.stderr and f"{server.url}{path}?...".encode() in done.stdout + done.stderr
        assert server.requests[-1][0] == f"{path}?token=hunter3" and "Authorization" in server.requests[-1][1]
    done = host.tool("allowlist", "list", "--json")
    assert b"hunter" not in done.stdout and b"/list?..." in done.stdout
    for name in os.listdir(host.state):
        assert b"hunter" not in (host.state / name).read_bytes()
    # A secret is of its host.
    other = server.url.replace("localhost", "localhost.")
    server.answers["/away"] = lambda handler: handler.answer(302, b"", ("Location", f"{other}/list"))
    host.tool("allowlist", "fetch", f"{secret}/away", "--cacert", server.ca)
    assert "Authorization" in server.requests[-1][1] or server.requests[-1][0] == "/away"


def test_a_proxy_is_asked_as_the_environment_says(host, server):
    import socketserver

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self):
            lines.append(self.request.recv(4096).split(b"\r\n")[0])
            self.request.sendall(b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")
    lines = []
    fetched(host, server)
    with socketserver.TCPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        env = {"https_proxy": f"http://{'u:hunter2'}@127.0.0.1:{proxy.server_address[1]}"}
        result = host.fetch(f"{server.url}/list", "--cacert", server.ca, env=env)
        unavailable(result, b"403", host)
        assert b"hunter" not in result[2]
        assert lines == [f"CONNECT localhost:{server.port} HTTP/1.1".encode()]
        assert host.fetch(f"{server.url}/list", "--cacert", server.ca, env=env | {"no_proxy": "localhost"})[0] == 0
        proxy.shutdown()


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_the_environment_loads_nothing(host, server, tmp_path):
    """Neither OpenSSL's configuration, which may name engines and providers, nor curl's and netrc's."""
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = init\n[init]\nproviders = list\n[list]\nlegacy = on\n[on]\nactivate = 1\n")
    for name in (".netrc", ".curlrc"):
        (tmp_path / name).write_text("machine localhost login a password hunter2\n")
    done = subprocess.run(["strace", "-f", "-e", "trace=open,openat", EXECWARD, "--config", host.config, "allowlist",
                           "fetch", f"{server.url}/list", "--cacert", server.ca], capture_output=True, timeout=60,
                          env=os.environ | {"OPENSSL_CONF": str(config), "HOME": str(tmp_path), "https_proxy": "",
                                            "ASAN_OPTIONS": "detect_leaks=0"}, check=False)
    assert done.returncode == 0 and b"libcurl" in done.stderr, done.stderr[-2000:]
    for name in (b"openssl.cnf", b"engines-3", b"ossl-modules", b"netrc", b"curlrc"):
        assert name not in done.stderr
    assert "Authorization" not in server.requests[-1][1]


# --- the host -------------------------------------------------------------------------------------

def test_usage(host, server):
    assert host.tool("allowlist", "fetch").returncode == 78
    for argv in (["--timeout", "0s"], ["--timeout", "x"], ["--timeout", "25h"]):
        assert host.tool("allowlist", "fetch", f"{server.url}/list", *argv).returncode == 64
    host.configure(f'["{server.url}/list"]')
    assert host.tool("allowlist", "fetch", "--series", "example.org/demo").returncode == 64
    assert not server.requests


def test_no_trust_no_list(host, server):
    os.chmod(host.keys, 0o777)
    done = host.tool("allowlist", "fetch", f"{server.url}/list", "--cacert", server.ca)
    assert done.returncode == 78 and b"chmod go-w" in done.stderr
    os.chmod(host.keys, 0o755)
    (host.keys / "a.pem").unlink()
    assert host.tool("allowlist", "fetch", f"{server.url}/list", "--cacert", server.ca).returncode == 78
    assert not server.requests


def test_a_full_disk(host, server):
    import resource
    fetched(host, server)
    server.answers["/full"] = lambda handler: stream(handler, LIMIT)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
    code, rows, stderr = host.fetch(f"{server.url}/full", "--cacert", server.ca, preexec_fn=limit)
    assert code == 74 and rows == [] and b"File too large" in stderr
    assert host.lists() == {"example.org/demo": 7}


def test_without_a_daemon(host, server):
    host.daemon.runtime += ".none"
    host.configure()
    fetched(host, server)
    assert not host.daemon.requests


def test_a_daemon_that_cannot_is_told_of(host, server):
    host.daemon.answers["allowlists"] = {"ok": False, "error": "unavailable", "message": "no keys"}
    code, rows, stderr = host.fetch(f"{server.url}/list", "--cacert", server.ca)
    assert code == 69 and rows[0]["result"] == "installed" and b"no keys" in stderr
