"""Snapshots of digests that a test says, published as `execward snapshot create` would; and containers
that have an image, by files of podman's that a test lays out."""
import hashlib
import json
import os
import subprocess

from .daemon import HELPERS
from .fs import SLOW, Overlay

PUBLISH = os.path.join(HELPERS, "publish")


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def publish(daemon, digests, name, scope, value="", image_id="", kind="import", tell=True):
    """Its id. @tell: the daemon is told, and has it when this returns."""
    lines = "".join(digest + "\n" for digest in digests).encode()
    done = subprocess.run([PUBLISH, daemon.state, kind, name, scope, value, image_id], input=lines,
                          capture_output=True, check=False, timeout=600 * SLOW)
    assert done.returncode == 0, done
    if tell:
        answer = daemon.ask({"request": "baselines"})
        assert answer["ok"], answer
    return int(done.stdout)


def remove(daemon, snapshot, tell=True):
    done = subprocess.run([PUBLISH, daemon.state, "remove", str(snapshot)], capture_output=True, check=False,
                          timeout=600 * SLOW)
    assert done.returncode == 0, done
    if tell:
        answer = daemon.ask({"request": "baselines"})
        assert answer["ok"], answer


class PodmanOverlay(Overlay):
    """The overlay of a container that podman's storage names."""

    UPPER = "diff"

    def __init__(self, podman, name, image, reference, image_id, lowers=None):
        layer = digest_of(b"layer " + name.encode())
        super().__init__(podman.fs, image, lowers, name=f"podman/overlay/{layer}")
        podman.add(name, layer, reference, image_id)


class PodmanFiles:
    """What podman would have written of the containers in it."""

    def __init__(self, fs):
        self.fs, self.containers, self.overlays = fs, [], []
        for path in ("podman/overlay", "podman/overlay-containers", "podman-run"):
            os.makedirs(fs.path(path), exist_ok=True)

    def config(self):
        return (f"runtimes: {{podman: {self.fs.path('podman')}, podman_run: {self.fs.path('podman-run')}, "
                f"docker: {self.fs.path('none')}}}")

    def add(self, name, layer, reference, image_id):
        metadata = {"image-name": reference, "image-id": image_id, "name": name, "created-at": 1795520097}
        self.containers.append({"id": digest_of(name.encode()), "names": [name], "image": image_id,
                                "layer": layer, "metadata": json.dumps(metadata)})
        with open(self.fs.path("podman/overlay-containers/containers.json"), "w", encoding="utf-8") as file:
            json.dump(self.containers, file)

    def container(self, name, image, reference, image_id, **options):
        overlay = PodmanOverlay(self, name, image, reference, image_id, **options)
        self.overlays.append(overlay)
        return overlay

    def close(self):
        for overlay in self.overlays:
            overlay.close()
        if self.containers:
            os.unlink(self.fs.path("podman/overlay-containers/containers.json"))
