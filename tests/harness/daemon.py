"""A daemon under test: started with a deadline of its own, since its death frees every exec that
waits for it; asked through the execward tool, as an operator would."""
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time

from .fs import SLOW

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("EXECWARD_BUILD", "build/dev"))
EXECWARDD = os.path.join(BUILD, "daemon/execwardd")
EXECWARD = os.path.join(BUILD, "tools/execward")
HELPERS = os.path.join(BUILD, "helpers")
DEADLINE = 300 * SLOW  # seconds a daemon may live, unless a test asks for more


class Daemon:
    def __init__(self, storage=(), marks="auto", mode="enforce", extra="", ready=True, rules="",
                 env=None, prefix=(), state_mode=0o700, guard_extra="", deadline=DEADLINE):
        self.dir = tempfile.mkdtemp(prefix="execward-", dir="/var/tmp")
        self.state = os.path.join(self.dir, "state")
        self.runtime = os.path.join(self.dir, "run")
        self.alerts_path = os.path.join(self.dir, "alerts.json")
        self.config = os.path.join(self.dir, "execward.yaml")
        self.log = os.path.join(self.dir, "log")
        os.mkdir(self.state, state_mode)
        os.chmod(self.state, state_mode)
        self.settings = dict(storage=list(storage), marks=marks, mode=mode, extra=extra, rules=rules,
                             guard_extra=guard_extra)
        self.env, self.prefix, self.deadline = env, list(prefix), deadline
        self.process = None
        self.write_config()
        if ready:
            self.start()

    def write_config(self, **changes):
        self.settings.update(changes)
        s = self.settings
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"mode: {s['mode']}\nstate_dir: {self.state}\nruntime_dir: {self.runtime}\n"
                       f"guard: {{marks: {s['marks']}, storage: {json.dumps(s['storage'])}"
                       f"{', ' + s['guard_extra'] if s['guard_extra'] else ''}}}\n"
                       f"outputs: [{{type: file, path: {self.alerts_path}}}]\n"
                       f"{s['rules']}\n{self.deadline_line()}{s['extra']}\n")

    def deadline_line(self):
        """An emulator needs longer for a verdict; a test that is about the deadline says its own."""
        return f"deadline: {5 * SLOW}s\n" if SLOW > 1 and "deadline" not in self.settings["extra"] else ""

    def start(self):
        self.spawn()
        result = self.tool("status", "--wait-ready", str(20 * SLOW), check=False)
        assert result.returncode == 0, self.read_log() + result.stderr.decode()

    def spawn(self):
        env = dict(os.environ, **(self.env or {}))
        with open(self.log, "ab") as log:
            # timeout(1) is the parent that kills it; --foreground keeps our signals simple.
            self.process = subprocess.Popen(
                ["timeout", "--foreground", "-s", "KILL", str(self.deadline), *self.prefix,
                 EXECWARDD, "--config", self.config], stderr=log, stdout=log,
                stdin=subprocess.DEVNULL, env=env)

    @property
    def pid(self):
        return self.status()["pid"]

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tool(self, *argv, check=True, timeout=60):
        result = subprocess.run([EXECWARD, "--config", self.config, *argv], timeout=timeout * SLOW,
                                capture_output=True, check=False)
        if check:
            assert result.returncode == 0, (argv, result)
        return result

    def status(self):
        return self.ask({"request": "status"})["status"]

    def rescan(self):
        """Every overlay that is mounted now is guarded when this returns."""
        return self.ask({"request": "rescan"})

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30 * SLOW)
            sock.connect(os.path.join(self.runtime, "control.sock"))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile() as stream:
                return json.loads(stream.readline())

    def events(self, *argv):
        """Of our own containers: overlay marks see every container of the host."""
        out = self.tool("events", "--json", *argv).stdout
        events = [json.loads(line)["output_fields"] for line in out.splitlines()]
        return [e for e in events if self.is_ours(e["execward.container_key"])]

    def is_ours(self, key):
        return key is None or any(key.startswith(path) for path in self.settings["storage"])

    def event(self, path):
        found = [e for e in self.events() if e["proc.exepath"] == path]
        assert len(found) == 1, (path, found, self.events())
        return found[0]

    def alerts(self):
        with open(self.alerts_path, encoding="utf-8") as file:
            alerts = [json.loads(line) for line in file]
        return [a for a in alerts if self.is_ours(a["output_fields"]["execward.container_key"])]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_for(self, predicate, timeout=20):
        """Waits by following events: each one is a reason to look again."""
        follower = subprocess.Popen([EXECWARD, "--config", self.config, "events", "--follow",
                                     "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + timeout * SLOW
            while not predicate():
                left = end - time.monotonic()
                assert left > 0, "timed out"
                if select.select([follower.stdout], [], [], left)[0]:
                    os.read(follower.stdout.fileno(), 65536)
        finally:
            follower.kill()
            follower.wait()

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, limit=2.0):
        """SIGTERM: answers what is pending and exits 0 in time."""
        if self.process.poll() is None:
            pid = self.pid
            before = time.monotonic()
            os.kill(pid, signal.SIGTERM)
            code = self.process.wait(timeout=30 * SLOW)
            assert code == 0, (code, self.read_log())
            # A sanitizer slows everything down.
            factor = 5 if "asan" in BUILD or "tsan" in BUILD else SLOW
            assert time.monotonic() - before < limit * factor

    def kill(self):
        """The daemon first, then timeout(1) above it."""
        if not self.process or self.process.poll() is not None:
            return
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            for pid in file.read().split():
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait(timeout=20 * SLOW)

    def close(self):
        try:
            if self.process:
                self.stop()
            text = self.read_log() if os.path.exists(self.log) else ""
            assert "ERROR: AddressSanitizer" not in text and "runtime error" not in text, text
        finally:
            self.kill()
            subprocess.run(["rm", "-rf", self.dir], check=False)
