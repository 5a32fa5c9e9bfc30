#!/usr/bin/python3
"""A signed allowlist of 400,000 entries, about the largest that an envelope of 64 MiB holds: what each step
takes, and what it needs of memory, processes that it starts included.

create   out of the output of sha256sum
sign     with an Ed25519 key
verify   whether it is to be believed; beside it base64 -d and openssl's SHA-256 of the same payload
install  verified again, into the database, and in force in a daemon that runs, whose memory is looked at
"""
import base64
import hashlib
import json
import os
import resource
import subprocess
import tempfile
import time

import common
from arena import Arena, execwardd
from common import Result, progress, spread
from harness.daemon import EXECWARD
from harness.lists import SERIES, Room

ROUNDS = common.rounds(3)
ENTRIES = common.scaled(400000, 2000)
MIB = 1 << 20


def step(*argv, stdin=None):
    """(seconds, MiB at most in one process) of a program that has to succeed."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(stdin or os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(argv[0], [str(word) for word in argv])
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, (argv, status)
    return time.monotonic() - began, usage.ru_maxrss / 1024


def sums(path):
    with open(path, "w", encoding="ascii") as file:
        for number in range(ENTRIES):
            file.write(f"{hashlib.sha256(b'%d' % number).hexdigest()}  usr/bin/p{number}\n")


def peer(envelope, folder):
    """What a program that decodes and hashes the payload cannot do without."""
    with open(envelope, "rb") as file:
        payload = json.load(file)["payload"]
    encoded = os.path.join(folder, "payload.b64")
    with open(encoded, "w", encoding="ascii") as file:
        file.write(payload)
    began = time.monotonic()
    subprocess.run(["sh", "-c", 'base64 -d "$1" | openssl dgst -sha256', "sh", encoded], check=True, capture_output=True)
    return time.monotonic() - began, len(base64.b64decode(payload))


def once(arena, number):
    found = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        room = Room(folder)
        listed, body, envelope = (os.path.join(folder, name) for name in ("sums", "body", "list.dsse"))
        sums(listed)
        found["create"] = step(EXECWARD, "allowlist", "create", "--sums", listed, "--series", SERIES, "--version", "1",
                               "--valid-for", "30d", "-o", body)
        found["sign"] = step(EXECWARD, "sign", "-k", os.path.join(folder, "private/alice.key"), "-o", envelope, body)
        found["verify"] = step(EXECWARD, "verify", envelope, "--keys", room.keys_dir)
        found["peer"] = peer(envelope, folder)[0], 0
        found["envelope_mib"] = os.path.getsize(envelope) / MIB
        guard = execwardd(arena.fs.mount, extra=room.config())()
        guard.start()
        try:
            before = guard.status()["rss_bytes"]
            found["install"] = step(EXECWARD, "--config", guard.config, "allowlist", "install", envelope)
            found["daemon"] = (guard.status()["rss_bytes"] - before) / MIB
            lists = guard.ask({"request": "status"})["status"]["allowlists"]
            assert str(ENTRIES) in json.dumps(lists), lists
        finally:
            guard.stop(limit=60)
            guard.close()
    progress(f"round {number}: {found}")
    return found


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    result = Result("lists", f"A signed allowlist of {ENTRIES:,} entries", ROUNDS)
    with Arena() as arena:
        rounds = [once(arena, number) for number in range(ROUNDS)]
    wanted = {"verify": "<= 3", "install": "<= 10"}
    for name in ("create", "sign", "verify", "install"):
        beside = {"base64 -d, openssl sha256": spread([r["peer"][0] for r in rounds], 2)} if name == "verify" else {}
        result.figure(f"{name}, time", spread([r[name][0] for r in rounds], 2), "s", wanted.get(name), beside)
        result.figure(f"{name}, memory of the largest process", spread([r[name][1] for r in rounds], 1), "MiB",
                      "<= 128" if name in wanted else None)
    result.figure("daemon, memory that is added", spread([r["daemon"] for r in rounds], 2), "MiB")
    result.row("envelope", {"mib": round(rounds[0]["envelope_mib"], 1), "entries": ENTRIES})
    result.chart("seconds", ["create", "sign", "verify", "install"], {
        "execward": [round(spread([r[name][0] for r in rounds])["value"], 2)
                     for name in ("create", "sign", "verify", "install")]})
    result.finish()


if __name__ == "__main__":
    common.main(main)
