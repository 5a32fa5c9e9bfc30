"""podman and Docker, with their storage on a filesystem of the test, and containers in them. The flags
are those that a machine without CAP_SYS_RESOURCE and with a hybrid cgroup hierarchy needs."""
import os
import select
import subprocess

from .fs import run

LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


class Runtime:
    """argv + verb; .run() gives the finished process."""

    name, storage = None, None

    def argv(self):
        raise NotImplementedError

    def call(self, *words, timeout=120, check=True):
        result = subprocess.run([*self.argv(), *words], timeout=timeout, capture_output=True,
                                check=False)
        assert not check or result.returncode == 0, (words, result)
        return result

    def import_image(self, tree, image):
        """An image out of a directory."""
        tar = subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([*self.argv(), "import", "-", image], stdin=tar.stdout, check=True,
                       timeout=300, capture_output=True)
        assert tar.wait() == 0

    def run(self, name, image, *command, timeout=120, options=()):
        return self.call("run", "--rm", "--name", name, "--network", "none", *LIMITS, *options, image,
                         *command, timeout=timeout, check=False)

    def runtimes_config(self):
        raise NotImplementedError


class Podman(Runtime):
    name = "podman"

    def __init__(self, fs):
        self.storage, self.state = fs.path("podman"), fs.path("podman-run")

    def argv(self):
        return ["podman", "--root", self.storage, "--runroot", self.state, "--runtime", "runc",
                "--cgroup-manager", "cgroupfs"]

    def runtimes_config(self):
        return f"runtimes: {{podman: {self.storage}, podman_run: {self.state}}}"

    def close(self):
        self.call("rm", "-fa", check=False)


class Docker(Runtime):
    name = "docker"

    def __init__(self, fs):
        self.storage, self.dir = fs.path("docker"), fs.path("docker-run")
        os.mkdir(self.dir)
        self.socket = self.dir + "/sock"
        self.log = open(self.dir + "/log", "wb")
        # The readiness signal of dockerd is sd_notify(3): a datagram socket of ours.
        import socket
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self.dir + "/notify")
        self.daemon = subprocess.Popen(
            ["timeout", "--foreground", "-s", "KILL", "900", "dockerd", "--iptables=false",
             "--ip6tables=false", "--bridge=none", "--data-root", self.storage, "--exec-root",
             self.dir + "/exec", "--pidfile", self.dir + "/pid", "-H", "unix://" + self.socket],
            stdout=self.log, stderr=self.log, env=dict(os.environ, NOTIFY_SOCKET=self.dir + "/notify"))
        ready = b""
        while b"READY=1" not in ready:
            assert select.select([notify], [], [], 60)[0], open(self.dir + "/log", "rb").read()
            ready = notify.recv(4096)
        notify.close()

    def argv(self):
        return ["docker", "-H", "unix://" + self.socket]

    def runtimes_config(self):
        return f"runtimes: {{docker: {self.storage}}}"

    def close(self):
        with open(self.dir + "/pid", encoding="ascii") as file:
            pid = int(file.read())
        os.kill(pid, 15)
        self.daemon.wait(timeout=60)
        self.log.close()


def debian_tree(packages=()):
    """A minimal Debian in a tar under /var/cache; the mirror is the one that this machine's apt uses."""
    import hashlib
    cache = "/var/cache/execward-tests"
    key = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:16]
    tar = f"{cache}/image-bookworm-{key}.tar"
    if not os.path.exists(tar):
        os.makedirs(cache, exist_ok=True)
        query = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                 "Origin: Debian", "Codename: bookworm")
        mirror = run(*query).stdout.decode().split()
        if not mirror:
            run("apt-get", "update", timeout=300)
            mirror = run(*query).stdout.decode().split()
        tree = f"{cache}/tree-{key}-{os.getpid()}"
        run("debootstrap", "--variant=minbase", "--include=" + ",".join(packages), "bookworm", tree,
            mirror[0], timeout=900)
        run("tar", "-C", tree, "-cf", tar + ".tmp", ".", timeout=300)
        os.rename(tar + ".tmp", tar)
        run("rm", "-rf", tree)
    return tar
