"""Archives of images made by hand, and what is in them by a model of its own: layers are unpacked into
trees of nodes as a runtime does on a disk, and laid over each other by recursion."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

SOURCES = os.path.join(os.environ.get("EXECWARD_BUILD", "build/dev"), "helpers", "sources")
NOTFOUND, AMBIGUOUS, UNSUPPORTED, CORRUPT = 64, 65, 66, 67
EXECUTABLE, IMA = 1, 4  # enum entry_flag
LINKS_MAX = 40


class Corrupt(Exception):
    """The layer is none that a runtime could unpack."""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- layers ---------------------------------------------------------------------------------------

def file(name, data=b"", mode=0o644, uid=0, gid=0, xattrs=None):
    return {"name": name, "type": tarfile.REGTYPE, "data": data, "mode": mode, "uid": uid, "gid": gid,
            "xattrs": xattrs or {}}


def directory(name, mode=0o755, uid=0, gid=0):
    return {"name": name, "type": tarfile.DIRTYPE, "mode": mode, "uid": uid, "gid": gid}


def symlink(name, target):
    return {"name": name, "type": tarfile.SYMTYPE, "target": target, "mode": 0o777}


def hardlink(name, target, mode=0o644, uid=0, gid=0):
    return {"name": name, "type": tarfile.LNKTYPE, "target": target, "mode": mode, "uid": uid, "gid": gid}


def device(name, major, minor, kind=tarfile.CHRTYPE, mode=0o600):
    return {"name": name, "type": kind, "major": major, "minor": minor, "mode": mode}


def fifo(name, mode=0o600):
    return {"name": name, "type": tarfile.FIFOTYPE, "mode": mode}


def layer(*entries, fmt=tarfile.PAX_FORMAT):
    """The tar of entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=fmt, encoding="utf-8", errors="surrogateescape") as tar:
        for entry in entries:
            info = tarfile.TarInfo(os.fsdecode(entry["name"]))
            info.type, info.mode = entry["type"], entry["mode"]
            info.uid, info.gid = entry.get("uid", 0), entry.get("gid", 0)
            info.linkname = os.fsdecode(entry.get("target", ""))
            info.devmajor, info.devminor = entry.get("major", 0), entry.get("minor", 0)
            info.size = len(entry.get("data", b""))
            info.pax_headers = {f"SCHILY.xattr.{key}": value.decode("latin-1") if value.isascii() else
                                value.decode("utf-8", "surrogateescape")
                                for key, value in entry.get("xattrs", {}).items()}
            tar.addfile(info, io.BytesIO(entry.get("data", b"")))
    return out.getvalue()


# --- the model ------------------------------------------------------------------------------------

class Node:
    def __init__(self, kind, mode=0o755, uid=0, gid=0, data=b"", target=b"", rdev="0:0", xattrs=None):
        self.kind, self.mode, self.uid, self.gid = kind, mode, uid, gid
        self.data, self.target, self.rdev, self.xattrs = data, target, rdev, xattrs or {}
        self.children, self.opaque = {}, False


KINDS = {tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink", tarfile.FIFOTYPE: "fifo",
         tarfile.CHRTYPE: "character device", tarfile.BLKTYPE: "block device", tarfile.REGTYPE: "file"}


def names_of(path):
    names = [n for n in os.fsencode(path).split(b"/") if n not in (b"", b".")]
    if b".." in names:
        raise Corrupt(path)
    return names


def enter(root, names):
    """The node of a directory, made where it is missing, through the links of the layer."""
    todo, trail, links = list(names), [root], 0
    while todo:
        name = todo.pop(0)
        if name in (b"", b"."):
            continue
        if name == b"..":
            trail = trail[:-1] or [root]
            continue
        child = trail[-1].children.get(name)
        if child is None or child.kind == "whiteout":
            made = Node("directory")
            made.opaque = child is not None
            child = trail[-1].children[name] = made
        if child.kind == "symlink":
            links += 1
            if links > LINKS_MAX:
                raise Corrupt(names)
            if child.target.startswith(b"/"):
                trail = [root]
            todo = child.target.split(b"/") + todo
        elif child.kind != "directory":
            raise Corrupt(names)
        else:
            trail.append(child)
    return trail[-1]


def hide(parent, name):
    there = parent.children.get(name)
    if there is None:
        parent.children[name] = Node("whiteout")
    elif there.kind == "directory":
        there.opaque = True


def unpack_entry(root, entry):
    names = names_of(entry["name"])
    base = names[-1] if names else b""
    if base == b".wh..wh..opq":
        if len(names) == 1:
            root.opaque = True
            return
        parent = enter(root, names[:-2])
        there = parent.children.get(names[-2])
        if there is not None and there.kind not in ("directory", "whiteout"):
            raise Corrupt(names)
        if there is None or there.kind == "whiteout":
            there = parent.children[names[-2]] = Node("directory")
        there.opaque = True
        return
    if base.startswith(b".wh..wh."):
        return
    if base.startswith(b".wh."):
        if base[4:] in (b"", b".", b".."):
            raise Corrupt(names)
        hide(enter(root, names[:-1]), base[4:])
        return
    put(root, names, entry)


def put(root, names, entry):
    if entry["type"] == tarfile.LNKTYPE:
        target = names_of(entry["target"])
        node = enter(root, target[:-1]).children.get(target[-1]) if target else root
        if node is None or node.kind in ("directory", "whiteout"):
            raise Corrupt(names)
        node.uid, node.gid = entry["uid"], entry["gid"]
        if node.kind != "symlink":
            node.mode = entry["mode"]
        # A copy: whoever changes one name afterwards does it by another link.
        made = Node(node.kind, node.mode, node.uid, node.gid, node.data, node.target, node.rdev, node.xattrs)
    else:
        made = Node(KINDS[entry["type"]], entry["mode"], entry.get("uid", 0), entry.get("gid", 0),
                    entry.get("data", b""), os.fsencode(entry.get("target", "")),
                    f"{entry.get('major', 0)}:{entry.get('minor', 0)}", entry.get("xattrs"))
    if not names:
        if made.kind != "directory":
            raise Corrupt(names)
        return
    parent = enter(root, names[:-1])
    before = parent.children.get(names[-1])
    if made.kind == "character device" and made.rdev == "0:0":
        hide(parent, names[-1])
        return
    if made.kind == "directory" and before is not None:
        made.opaque = before.kind == "whiteout" or before.opaque
        made.children = before.children if before.kind == "directory" else {}
    parent.children[names[-1]] = made


def unpack(entries):
    root = Node("directory")
    for entry in entries:
        unpack_entry(root, entry)
    return root


def lay(upper, lower):
    """What is seen of a directory that is in both."""
    if upper.opaque:
        lower = Node("directory")
    seen = Node(upper.kind, upper.mode, upper.uid, upper.gid)
    for name in upper.children.keys() | lower.children.keys():
        above, below = upper.children.get(name), lower.children.get(name)
        if above is None:
            seen.children[name] = below
        elif above.kind == "whiteout":
            continue
        elif above.kind == "directory":
            both = below is not None and below.kind == "directory"
            seen.children[name] = lay(above, below if both else Node("directory"))
        else:
            seen.children[name] = above
    return seen


def records(node, path=b""):
    for name, child in node.children.items():
        here = path + b"/" + name
        runs = child.kind == "file" and (child.mode & 0o111 or child.data[:2] == b"#!" or
                                         child.data[:4] == b"\x7fELF")
        flags = (EXECUTABLE if runs else 0) | (IMA if "security.ima" in child.xattrs else 0)
        yield here, (child.kind, None if child.kind == "symlink" else child.mode, child.uid, child.gid,
                     len(child.data), child.rdev if "device" in child.kind else "0:0", flags,
                     sha256(child.data) if child.kind == "file" else "-",
                     child.xattrs.get("security.capability", b"").hex(), child.target)
        yield from records(child, here)


def expected(layers, all_files=True):
    """What the entries of an image of these layers, lowest first, are."""
    seen = Node("directory")
    for entries in layers:
        seen = lay(unpack(entries), seen)
    return {path: record for path, record in records(seen) if all_files or record[6] & EXECUTABLE}


# --- archives -------------------------------------------------------------------------------------

def config_of(tars, **extra):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                       "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(t) for t in tars]},
                       **extra}).encode()


def pack(members):
    """A tar of (name, bytes) or (name, link target as str)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def docker_members(images):
    """[(tags, tars)] as docker save writes them: the manifest comes last."""
    members, manifest, seen = [], [], set()
    for tags, tars in images:
        config = config_of(tars)
        for tar in tars:
            if sha256(tar) not in seen:
                members.append((f"{sha256(tar)[::-1]}/layer.tar", tar))
            seen.add(sha256(tar))
        if f"{sha256(config)}.json" not in [name for name, _ in members]:
            members.append((f"{sha256(config)}.json", config))
        manifest.append({"Config": f"{sha256(config)}.json", "RepoTags": tags,
                         "Layers": [f"{sha256(tar)[::-1]}/layer.tar" for tar in tars]})
    return members + [("manifest.json", json.dumps(manifest).encode())]


def blob(data):
    return f"blobs/sha256/{sha256(data)}", data


def compressed(data, how):
    if callable(how):
        return how(data)
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if how:
        return subprocess.run([how, "-c", "-1"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def oci_members(images, how="gzip"):
    """[(name, tars)] as an OCI layout; @how is a program, or a function of the tar's bytes."""
    members, index = {}, []
    for name, tars in images:
        config, blobs = config_of(tars), [compressed(tar, how) for tar in tars]
        suffix = f"+{how}" if how else ""
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": "sha256:" + sha256(config), "size": len(config)},
            "layers": [{"mediaType": f"application/vnd.oci.image.layer.v1.tar{suffix}",
                        "digest": "sha256:" + sha256(b), "size": len(b)} for b in blobs]}).encode()
        members.update(blob(b) for b in [config, manifest, *blobs])
        annotations = {"org.opencontainers.image.ref.name": name} if name else {}
        index.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "annotations": annotations,
                      "digest": "sha256:" + sha256(manifest), "size": len(manifest)})
    return [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
            ("index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode()), *members.items()]


# --- the helper -----------------------------------------------------------------------------------

class Store:
    """A database in a directory, and what is done with it."""

    def __init__(self, path):
        self.path = os.fspath(path)
        os.makedirs(self.path, mode=0o700, exist_ok=True)

    def call(self, *words, **kwargs):
        result = subprocess.run([SOURCES, self.path, *words], capture_output=True, timeout=120, check=False,
                                **kwargs)
        assert result.returncode in (0, 1) and not result.stderr, result
        return result.stdout

    def archive(self, data, *words, piped=False):
        """What the snapshot of an archive's bytes says."""
        if piped:
            return json.loads(self.call("archive", "-", *words, input=data))
        name = self.path + "/image.tar"
        with open(name, "wb") as out:
            out.write(data)
        try:
            return json.loads(self.call("archive", name, *words))
        finally:
            os.unlink(name)

    def image(self, reference, podman, docker, *words):
        return json.loads(self.call("image", reference, podman or "-", docker or "-", *words))

    def entries(self, snapshot):
        parts = self.call("entries", str(snapshot)).split(b"\0")
        assert parts[-1] == b""
        found = {}
        for head, target in zip(parts[0::2], parts[1::2]):
            kind, mode, uid, gid, size, rdev, flags, content, digest, caps, path = head.split(b"|", 10)
            kind = kind.decode()
            assert path not in found and (content == b"known") == (digest != b"-")
            found[path] = (kind, None if kind == "symlink" else int(mode, 8), int(uid), int(gid), int(size),
                           rdev.decode(), int(flags), digest.decode(), caps.decode(), target)
        return found

    def sql(self, statement):
        import sqlite3
        with sqlite3.connect(self.path + "/baseline.db") as db:
            return db.execute(statement).fetchall()

    def published(self):
        """(kind, state) of all rows, also those that nobody sees."""
        return self.sql("SELECT kind, state FROM snapshot")
