"""What the compiled libraries tell: core calls no I/O, clock or environment; lib/ has no mutable state.

Asked of the objects, not of the text: a macro or an inline function hides nothing here. A const table of
pointers is .data.rel.ro, which relro makes read-only, and no state.
"""

import re

from tree import output

IMPURE = re.compile(
    r"_*(open|openat|openat2|creat|read|readv|pread|preadv|write|writev|pwrite|close|dup\d?|fcntl|ioctl|"
    r"f?l?stat|fstatat|statx|statfs|fstatfs|access|faccessat|readlink|readlinkat|realpath|getcwd|chdir|"
    r"fopen|freopen|fdopen|popen|system|tmpfile|mkstemp|mkostemp|opendir|fdopendir|readdir|scandir|"
    r"unlink|unlinkat|rename|renameat\d?|mkdir|mkdirat|link|symlink|truncate|ftruncate|fsync|"
    r"printf|vprintf|puts|putchar|fgets|fread|getline|getdelim|scanf|perror|syslog|vsyslog|"
    r"socket|socketpair|connect|bind|listen|accept\d?|send|sendto|sendmsg|recv|recvfrom|recvmsg|"
    r"getaddrinfo|gethostname|uname|mmap|mount|umount\d?|setns|unshare|"
    r"fork|vfork|clone|f?execv?[lpe]*|execveat|posix_spawnp?|wait|waitpid|waitid|kill|raise|syscall|"
    r"time|clock|clock_gettime|gettimeofday|timespec_get|ftime|nanosleep|sleep|usleep|"
    r"localtime|localtime_r|mktime|tzset|strftime_l|ctime|ctime_r|"
    r"getenv|secure_getenv|setenv|putenv|unsetenv|environ|getauxval|setlocale|"
    r"getpid|getppid|gettid|getuid|geteuid|getpw\w+|getgr\w+|rand|random|getrandom|getentropy|arc4random|"
    r"pthread_create|stdin|stdout|stderr|"
    r"json_load_file|json_loadf|json_loadfd|json_dump_file|json_dumpf|json_dumpfd|"
    r"clock_\w+_ns|file_\w+)(64)?(_chk|_2)?(@.*)?")
STATE_SECTION = re.compile(r"\.(data|bss|tdata|tbss)(\.(?!rel\.ro).*)?|\*COM\*")
# Compilers' own: sanitizers, coverage, section symbols.
COMPILERS_OWN = re.compile(r"(__?(asan|ubsan|tsan|odr|sancov|gcov|llvm)|\.|completed\.|__func__).*|\.(data|bss)")


def archives(tree, folders):
    for folder in folders:
        yield from tree.files((tree.build / "lib" / folder,), (".a",))


def compile_archive(tree):
    """Makes the archive of a planted tree, as CMake would have."""
    for source in tree.files(("lib",), (".c",)):
        folder = tree.build / "lib" / source.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / (source.stem + ".o")
        for command in (("cc", "-O2", "-fPIC", "-c", source, "-o", made),
                        ("ar", "rcs", folder / f"libexecward-{source.parent.name}.a", made)):
            code, text = output(*command)
            if code != 0:
                raise SystemExit(text)


class Purity:
    NAME = "purity"
    PLANTS = [[("lib/core/a.c", text)] for text in (
        "#include <time.h>\nlong f(void);\nlong f(void) { return time(0); }\n",
        "#include <stdlib.h>\nchar *f(void);\nchar *f(void) { return getenv(\"HOME\"); }\n",
        "#include <stdio.h>\nFILE *f(void);\nFILE *f(void) { return fopen(\"/x\", \"r\"); }\n",
        "#include <unistd.h>\nlong f(int d, char *b);\nlong f(int d, char *b) { return read(d, b, 1); }\n",
        "long clock_realtime_ns(void);\nlong f(void);\nlong f(void) { return clock_realtime_ns(); }\n",
        "#include <stdio.h>\nvoid f(int x);\nvoid f(int x) { printf(\"%d\", x); }\n")]
    CLEAN = [("lib/core/a.c", "#include <stdio.h>\n#include <string.h>\nint f(char *b, const char *s);\n"
              "int f(char *b, const char *s) { return snprintf(b, 9, \"%s%zu\", s, strlen(s)); }\n")]
    prepare = staticmethod(compile_archive)

    @staticmethod
    def check(tree):
        findings = []
        found = list(archives(tree, ("core",)))
        if not found:
            return ["no archive of lib/core under the build directory: build first"]
        for path in found:
            code, text = output("nm", "-u", "-A", path)
            if code != 0:
                return [text]
            for line in text.splitlines():
                symbol = line.split()[-1]
                if " U " in line and IMPURE.fullmatch(symbol):
                    findings.append(f"{line.split(': ')[0].split(':', 1)[1].strip(': U')}: core calls {symbol}")
        return findings


class State:
    NAME = "state"
    PLANTS = [[("lib/base/a.c", text)] for text in (
        "int counter;\n", "static int n = 3;\nint f(void);\nint f(void) { return n++; }\n",
        "int f(void);\nint f(void) { static int n; return ++n; }\n",
        "_Thread_local char last_error[80];\n")]
    CLEAN = [("lib/base/a.c", 'static const char *const names[] = {"a", "b"};\nconst char *f(int i);\n'
              "const char *f(int i) { return names[i]; }\n")]
    prepare = staticmethod(compile_archive)

    @staticmethod
    def check(tree):
        findings = []
        found = list(archives(tree, ("base", "core", "crypto", "config", "store")))
        if not found:
            return ["no archive of lib/ under the build directory: build first"]
        for path in found:
            code, text = output("objdump", "-t", path)
            if code != 0:
                return [text]
            findings += [f"{path.name}: {symbol} is mutable state ({section})"
                         for section, symbol in State.symbols(text)]
        return findings

    @staticmethod
    def symbols(text):
        """Objects in writable sections of one `objdump -t`: value, 7 flag columns, section, size, name."""
        for line in text.splitlines():
            match = re.match(r"[0-9a-f]{16} .{7} (\S+)\s+[0-9a-f]{16}\s+(.*)", line)
            if not match or not STATE_SECTION.fullmatch(match.group(1)):
                continue
            symbol = match.group(2).split()[-1]
            if not COMPILERS_OWN.fullmatch(symbol) and symbol != match.group(1):
                yield match.group(1), symbol


RULES = (Purity, State)
