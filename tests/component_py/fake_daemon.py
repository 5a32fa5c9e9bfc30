"""A daemon that speaks docs/control.md and gives what a test tells it to: faults, formats and hostile
text that the real one will not produce on request. The real one is tested in tests/kernel."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXECWARD = os.path.join(ROOT, os.environ.get("EXECWARD_BUILD", "build/dev"), "tools/execward")

SHA = "02293ee2c549c626ef882b0c0343da0198cdc05f84e11e7ca80134861b16efed"
EVENT_ID = "1a20d5fe0a1-000021"


def alert(**fields):
    """An alert of docs/formats.md, with what the tool reads of it."""
    base = {
        "container.name": "web", "container.id": "0123456789ab", "evt.time": 1795520716955919309,
        "execward.container_id": "0123456789ab" + "0" * 52, "execward.container_key": "/var/lib/x/upper",
        "execward.count": 1, "execward.event_id": EVENT_ID, "execward.image": "example/web:1",
        "execward.reason": "dropped", "execward.sha256": SHA, "execward.verdict": "deny",
        "execward.dropped_by": {"pid": 7, "exe": "/usr/bin/curl", "cmdline": "curl -o x", "uid": 0,
                                "time": "2026-11-24T11:45:16.961246172Z", "writer_gone": False},
        "proc.exepath": "/tmp/evil", "proc.pid": 9, "user.name": "root", "user.uid": 0,
    }
    return {"output_fields": base | fields, "priority": "Critical", "time": "2026-11-24T11:45:16Z",
            "rule": "Drop and execute new binary in container"}


def status(**changes):
    base = {
        "ready": True, "version": "0.1.0", "pid": 42, "mode": "enforce", "mode_source": "config",
        "mode_until_ns": 0, "marks": "backing", "config": "/etc/execward/execward.yaml",
        "guarded": [{"fs": "ext4", "kind": "backing", "path": "/var/lib/docker"}],
        "containers": [{"id": "0123456789ab" + "0" * 52, "name": "web", "image": "example/web:1",
                        "overlay": "/var/lib/x/upper", "runtime": "docker", "mounter": "host"}],
        "baselines": {"snapshots": 3, "digests": 4711, "generation": 9, "error": None,
                      "scopes": {"image": 1, "container": 0, "filesystem": 2}},
        "events_total": 12, "creations_total": 3, "alerts_total": 2, "pending": 0, "uptime_s": 3725,
        "rss_bytes": 10 << 20, "verdicts": {"allow": 10, "deny": 2, "would_deny": 0},
        "faults": {"deadline": 0, "sink": 0},
        "kernel": [{"feature": "leases", "present": True, "state": "present", "since": "2.4", "detail": "",
                    "rows": [], "fix": ""}],
    }
    return {"ok": True, "status": base | changes}


def row_of_list(series="example.org/web", **changes):
    """One list of the status, in force."""
    return {"series": series, "version": 7, "in_force": True, "reason": "accepted", "detail": "", "in_grace": False,
            "entries": 12, "bind": "digest", "issued_ns": 1795520097 * 10**9, "expires_ns": 1895520097 * 10**9,
            "installed_ns": 1795520097 * 10**9, "by_uid": 0, "source": "install", "payload": "0" * 64,
            "scope": {"images": [], "namespaces": [], "hosts": []}, "signers": ["1" * 64]} | changes


def lists(*rows, **changes):
    directory = {"path": "/etc/execward/allowlists.d", "watched": True, "error": None, "refused": []}
    return {"installed": len(rows), "in_force": sum(row["in_force"] for row in rows), "in_grace": 0, "entries": 12,
            "generation": 3, "error": None, "directory": directory, "lists": list(rows)} | changes


def trust(**changes):
    return {"keys_dir": "/etc/execward/keys.d", "keys": 2, "usable": 2, "threshold": 1, "revoked_keys": 0,
            "revoked_digests": 0, "error": None, "nobody": None} | changes


def fail(word, message):
    return {"ok": False, "error": word, "message": message}


class FakeDaemon:
    """Answers each request by self.answers[NAME]: an object, bytes, a list of them, or a function of
    the request that gives one of those. None closes the connection without a word."""

    def __init__(self, listen=True):
        # A Unix socket's path is short: pytest's own directories are not.
        self.dir = tempfile.mkdtemp(prefix="execward-cli-")
        os.chmod(self.dir, 0o755)
        self.runtime = os.path.join(self.dir, "run")
        self.path = os.path.join(self.runtime, "control.sock")
        self.config = os.path.join(self.dir, "execward.yaml")
        self.answers, self.requests, self.hold = {}, [], threading.Event()
        self.listener, self.threads = None, []
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"runtime_dir: {self.runtime}\n")
        if listen:
            self.listen()

    def listen(self):
        """As the real one does: the socket appears under its name when it listens."""
        os.makedirs(self.runtime, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path + ".new")
        os.chmod(self.path + ".new", 0o600)
        self.listener.listen(8)
        os.rename(self.path + ".new", self.path)
        self.run(self.accept)

    def run(self, target, *argv):
        thread = threading.Thread(target=target, args=argv, daemon=True)
        thread.start()
        self.threads.append(thread)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.run(self.serve, sock)

    def serve(self, sock):
        try:
            with sock, sock.makefile("rb") as lines:
                for line in lines:
                    request = json.loads(line)
                    self.requests.append(request)
                    if not self.answer(sock, request):
                        return
        except OSError:
            pass  # the tool has gone, as some tests make it

    def answer(self, sock, request):
        answer = self.answers.get(request["request"], fail("unknown_request", "none of this name"))
        if callable(answer):
            answer = answer(request)
        if answer is None:
            return False
        for line in answer if isinstance(answer, list) else [answer]:
            if not isinstance(line, bytes):
                line = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
            sock.sendall(line + b"\n")
        if request.get("follow"):
            self.hold.wait(20)
            return False
        return True

    def events(self, *alerts):
        """What the request `events` gives."""
        self.answers["events"] = lambda request: [{"event": a} for a in alerts] + (
            [] if request.get("follow") else [{"ok": True, "count": len(alerts)}])

    def command(self, *argv):
        return [EXECWARD, "--config", self.config, *argv]

    def tool(self, *argv, **kwargs):
        return subprocess.run(self.command(*argv), capture_output=True, timeout=60, check=False, **kwargs)

    def asked(self, name):
        return [r for r in self.requests if r["request"] == name]

    def close(self):
        self.hold.set()
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        shutil.rmtree(self.dir)
