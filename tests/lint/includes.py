"""Who may include what: a header that belongs to one room, and the layers that depend one way."""

import re

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
FOLDERS = ("lib", "daemon", "tools")
C_FILES = (".c", ".h")

# header -> the files that may include it
ROOMS = (
    (r"(linux|sys)/fanotify\.h", r"daemon/(fan\w*|kernel\w*)\.[ch]"),
    (r"sqlite3\.h", r"lib/store/.*"),
    (r"openssl/.*", r"lib/crypto/.*"),
    (r"c?yaml(/.*|\.h)", r"lib/config/.*"),
    (r"curl/.*", r"tools/allowlist_fetch_http\.c"),
)
# folder -> the folders of this project that it may name
LAYERS = {
    "lib/base": {"base"},
    "lib/core": {"base", "core"},
    "lib/crypto": {"base", "core", "crypto"},
    "lib/config": {"base", "core", "config"},
    "lib/store": {"base", "core", "store"},
    "lib/snapshot": {"base", "core", "crypto", "store", "snapshot"},
    "lib/allowlists": {"base", "core", "crypto", "store", "allowlists"},
    "daemon": {"base", "core", "crypto", "config", "store", "snapshot", "allowlists", "daemon"},
    "tools": {"base", "core", "crypto", "config", "store", "snapshot", "allowlists", "tools"},
}


def inclusions(tree):
    for name, text in tree.texts(FOLDERS, C_FILES):
        for match in INCLUDE.finditer(text):
            yield name, text.count("\n", 0, match.start(2)) + 1, match.group(1), match.group(2)


class Rooms:
    NAME = "rooms"
    PLANTS = [
        [("daemon/engine.c", "#include <sys/fanotify.h>\n")],
        [("lib/core/facts.h", "# include <linux/fanotify.h>\n")],
        [("daemon/recorder.c", "#include <sqlite3.h>\n")],
        [("tools/keygen.c", "#include <openssl/evp.h>\n")],
        [("daemon/main.c", "#include <yaml.h>\n")],
        [("tools/allowlist_fetch.c", "#include <curl/curl.h>\n")],
        [("lib/store/store.c", "#include <cyaml/cyaml.h>\n")],
    ]
    CLEAN = [("daemon/fan_groups.c", "#include <sys/fanotify.h>\n#include <stdio.h>\n"),
             ("lib/store/store.c", "#include <sqlite3.h>\n")]

    @staticmethod
    def check(tree):
        return [f"{name}:{line}: {header} belongs to {owner}"
                for name, line, _, header in inclusions(tree)
                for room, owner in ROOMS
                if re.fullmatch(room, header) and not re.fullmatch(owner, name)]


class Layers:
    NAME = "layers"
    PLANTS = [
        [("lib/base/hex.c", '#include "core/types.h"\n')],
        [("lib/core/policy.c", '#include "config/config.h"\n')],
        [("lib/config/config.c", '#include "store/store.h"\n')],
        [("lib/store/store.c", '#include "daemon/log.h"\n')],
        [("tools/status.c", '#include "daemon/control.h"\n')],
        [("lib/core/policy.c", '#include "policy.h"\n')],
    ]
    CLEAN = [("lib/store/store.c", '#include "base/hex.h"\n#include "core/types.h"\n#include <stdio.h>\n')]

    @staticmethod
    def check(tree):
        findings = []
        for name, line, mark, header in inclusions(tree):
            if mark != '"':
                continue
            layer = next((folder for folder in LAYERS if name.startswith(folder + "/")), None)
            if "/" not in header:
                findings.append(f"{name}:{line}: {header} is named without its folder")
            elif layer is None or header.split("/")[0] not in LAYERS[layer]:
                findings.append(f"{name}:{line}: {layer} may not include {header}")
        return findings


RULES = (Rooms, Layers)
