/*
 * execward: a verb a file, one table. Results go to stdout, messages to stderr, exit codes follow
 * sysexits(3) (docs/formats.md).
 */
#include "base/cleanup.h"
#include "crypto/key.h"
#include "tools/sigtool.h"
#include "tools/tool_config.h"
#include "tools/verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char which[] = "PATH is a path inside containers when the daemon has it on record, or "
                            "when --container or\n"
                            "--image is given; else a file of this host, which is hashed here "
                            "(./FILE always is). EVENT is\n"
                            "an id as `execward events` shows it.";

static const char snapshot_create[] =
        "Executables (ELF, #!, x bit) are recorded, with --all-files everything. A file that has\n"
        "not changed since the snapshot before is not read again, and when nothing has changed "
        "the\n"
        "snapshot before stands. What is interrupted leaves it as it was (exit code 74); a second\n"
        "signal ends at once. --host takes paths, each of which is recorded within its "
        "filesystem.\n"
        "\n"
        "Exits 1 when it was published without files that could not be read or changed while they\n"
        "were; 66 when there is nothing to record. With --json there is one object a line: events\n"
        "\"progress\" at most once a second, \"snapshot\" for each that was made or stands, and\n"
        "\"daemon\" at the end: whether it is in force.";

static const char snapshot_check[] =
        "Looks again at what each snapshot was made of, reads all of it, and tells what was "
        "added,\n"
        "removed and changed, the most dangerous first. SNAPSHOT is an id, a name or KIND:NAME;\n"
        "without one, all current snapshots of directories and hosts are checked; an image or "
        "archive\n"
        "that is named is read again. In a snapshot "
        "of\n"
        "executables, a file that is still there and is no executable any more has changed; one\n"
        "that has become executable was added.\n"
        "\n"
        "Exits with AIDE's mask: 1 added + 2 removed + 4 changed, 0 for none. 65: the database's "
        "own\n"
        "digest does not hold, somebody has changed entries in it; the report is made all the "
        "same.\n"
        "64 and above: something could not be checked. --packages sets apart what dpkg or rpm\n"
        "accounts for, by the database in the tree itself and, with dpkg, by MD5: that explains a\n"
        "change and proves nothing, so the exit code stays as it is.";
static const char snapshot_diff[] =
        "By the database alone: nothing is read again. The same report and exit mask as check, of\n"
        "what B has that A has not, and so on. NAME@1 is the snapshot before the current one. "
        "Where\n"
        "one of them has executables only, or is an imported list, no more than that is compared.";
static const char snapshot_show[] =
        "Where it vouches, what it counts, its digest, and what was accepted into it, by whom and "
        "why.";
static const char snapshot_explain[] =
        "Which current snapshots know the path or the digest, where they vouch, what was accepted\n"
        "there; and what the daemon would do at the next exec, when one answers. A file of this "
        "host\n"
        "at that path is hashed. Exits 1 when no snapshot knows it.";
static const char snapshot_accept[] =
        "Checks SNAPSHOT, and takes what has changed into it: what GLOB matches (* stays within a\n"
        "directory, ** does not; a path names itself), or with --all everything. The reason is "
        "kept\n"
        "with each path, shown by `snapshot show`. What could not be read is not accepted (exit "
        "1).\n"
        "The snapshot's digest is renewed, and the daemon told. A snapshot whose own digest does "
        "not\n"
        "hold is refused (65): it would be covered up.";
static const char snapshot_reconcile[] =
        "For after a package transaction: what trusted writers (trust.writers) wrote and the\n"
        "package database accounts for becomes part of the snapshot of --host PATH, with the\n"
        "package as its reason; what a package took away goes. Without a snapshot of the host\n"
        "nothing is done.";
static const char snapshot_prune[] =
        "Removes snapshots that newer ones of the same name stand for, but the newest --keep of\n"
        "each; layers that no image on record has; and what trusted writers wrote that has "
        "expired.";
static const char snapshot_export[] =
        "Writes the executables of SNAPSHOT as an allowlist (docs/formats.md), sorted, unsigned:\n"
        "ready for `execward sign`. SOURCE_DATE_EPOCH sets when it was issued; the same snapshot\n"
        "then gives the same bytes. What cannot be named in a list (control characters, no UTF-8)\n"
        "or has no digest is left out and said, with exit code 1. --bind digest unless given.";
static const char snapshot_import[] =
        "Reads an unsigned allowlist as `snapshot export` writes it. Whoever gives it a --scope\n"
        "vouches for it; without, it is for comparison only. A signed one is for `execward "
        "allowlist\n"
        "install`. With a scope, a list that has expired or binds to paths is refused.";

static const char allowlist_install[] =
        "Verifies each ENVELOPE (- for stdin; never a symbolic link), in a process that can do "
        "nothing\n"
        "else, and puts it in force: all of it or nothing. An older version than was in force here "
        "is\n"
        "refused. Exits 1 with the reason when one was refused, 65 for what is no envelope. A "
        "daemon "
        "that\n"
        "runs is told, and the next exec sees the list.";
static const char allowlist_rollback[] =
        "The highest version of each series that was in force here, which keeps older ones out. "
        "Exits 1\n"
        "when it cannot be believed: the database is another one, or an older copy. --reset "
        "forgets "
        "one\n"
        "series, or without SERIES everything that is remembered, the latest trusted time with it; "
        "first\n"
        "raise the floors in trust.json. Lists in force stay.";
static const char allowlist_create[] =
        "Lists what a release consists of, sorted, unsigned: ready for `execward sign`. Sources "
        "may\n"
        "be mixed and repeated. Trees, images, archives, snapshots and packages give their\n"
        "executables (ELF, #!, x bit), with --all-files all files; files that are named, --sums "
        "and\n"
        "--sbom give all they name. FILE is listed by where it is on this host; names in --sums "
        "and\n"
        "--sbom are below the root of where they will run. With --package, --rootfs is where the\n"
        "package is installed, and no source itself. --scope narrows where the list vouches: one "
        "of\n"
        "each kind must match. SOURCE_DATE_EPOCH sets when it was issued; the same files then "
        "give\n"
        "the same bytes.\n"
        "\n"
        "Exits 1 when it was written without what could not be read, has no SHA-256, or cannot be\n"
        "named in a list; 66 when there is nothing to list. Only --snapshot, --image and\n"
        "--require-signature without --keys read the daemon's configuration. --require-signature\n"
        "leaves out every file without a good signature in its security.ima, in FILE.sig beside it "
        "or\n"
        "in its .rpm.";
static const char allowlist_diff[] =
        "What B adds, removes and changes, and how its head differs. Statements, or envelopes, "
        "whose\n"
        "signatures are not looked at. Exits 1 when the two differ in any of it.";
static const char verify[] =
        "FILE is an envelope (JSON with a payload), which is verified as a list that is to be\n"
        "installed; versions that were in force on a host are not known here: a rollback is found\n"
        "when it is installed. Any other file is answered for as it is: revoked or denied, or "
        "else\n"
        "vouched for by an allowlist that is in force on this host, by FILE.sig beside it or by "
        "its\n"
        "security.ima, with trusted keys of use ima. With --keys nothing of the host is asked, "
        "unless\n"
        "--config is given too; --allowlist is then the list to look the files up in.\n"
        "\n"
        "Exits 0 only when every FILE is accepted, and 1 with the reason when one is not; 64 and "
        "above\n"
        "when that could not be told.";

static const struct verb verbs[] = {
        {"status", "What is guarded, in which mode, with what result", NULL, TAKES(WAIT_READY), 0,
                NULL, verb_status},
        {"events", "What was denied or reported, oldest first", NULL,
                TAKES(SINCE) | TAKES(FOLLOW) | TAKES(CONTAINER) | TAKES(PATH) | TAKES(SHA256) |
                        TAKES(LIMIT),
                0, "With --json each line is one alert, as the outputs of the daemon carry it.",
                verb_events},
        {"show", "One event in full, and what to do next", "EVENT", 0, 0, NULL, verb_show},
        {"explain", "Why a program did or would not run, who dropped it, what would let it",
                "PATH|SHA256|EVENT", TAKES(CONTAINER) | TAKES(IMAGE), 0, which, verb_explain},
        {"approve", "Lets a program run, from the next exec on", "SHA256|PATH|EVENT",
                TAKES(REASON) | TAKES(IMAGE) | TAKES(CONTAINER) | TAKES(FOR), TAKES(REASON), which,
                verb_approve},
        {"revoke", "Takes back what was approved, learned or denied", "SHA256|PATH|EVENT",
                TAKES(IMAGE) | TAKES(CONTAINER) | TAKES(DENY), 0, which, verb_revoke},
        {"deny", "Never lets a program run, wherever it comes from", "SHA256|PATH|EVENT",
                TAKES(REASON) | TAKES(CONTAINER) | TAKES(FOR), TAKES(REASON), which, verb_deny},
        {"grants", "What was approved, learned and denied", NULL, 0, 0, NULL, verb_grants},
        {"mode", "Shows or changes the mode", "[report|enforce|learn|config]", TAKES(FOR), 0,
                "learn always has an end (--for). config gives the mode back to the configuration.",
                verb_mode},
        {"reload", "Reads the configuration again", NULL, 0, 0,
                "A configuration with a fault is refused with its place, and the old one stays in "
                "force.",
                verb_reload},
        {"report", "A summary: denials by container, program and writer", NULL, TAKES(SINCE), 0,
                "Of the last 24 hours, or as --since says.", verb_report},
        {"doctor", "What this host has, what it lacks, what that weakens and how to mend it", NULL,
                0, 0, "Exits 1 when something is weak.", verb_doctor},
        {"keygen", "Makes a pair of keys: PREFIX.key to sign with, PREFIX.pem to trust", NULL,
                VERB_OFFLINE | TAKES(TYPE) | TAKES(OUT) | TAKES(PASSIN) | TAKES(UNENCRYPTED),
                TAKES(OUT), "--out is the PREFIX. Files that are there are never written over.",
                verb_keygen},
        {"pubkey", "The public half of a key, and its id", NULL,
                VERB_OFFLINE | TAKES(KEY) | TAKES(OUT) | TAKES(PASSIN), TAKES(KEY), NULL,
                verb_pubkey},
        {"sign", "Signs an allowlist: a statement, or an envelope with --append", "FILE",
                VERB_OFFLINE | TAKES(KEY) | TAKES(OUT) | TAKES(PASSIN) | TAKES(APPEND) |
                        TAKES(CONFIRM) | TAKES(YES),
                TAKES(KEY) | TAKES(OUT),
                "Shows what is signed first, on stderr. FILE and --out may be - for a pipe.",
                verb_sign},
        {"verify", "Whether a signed allowlist is to be believed, or who vouches for a file",
                "FILE...",
                VERB_OFFLINE | TAKES(KEYS) | TAKES(THRESHOLD) | TAKES(SERIES) | TAKES(ALLOWLIST), 0,
                verify, verb_verify},
        {"inspect", "What an envelope claims, unverified", "ENVELOPE", VERB_OFFLINE, 0, NULL,
                verb_inspect},
        {"pae", "Writes the bytes to sign, for a signer of any kind", "FILE",
                VERB_OFFLINE | TAKES(OUT), 0,
                "FILE is an envelope or a statement. `execward attach` takes the signature.",
                verb_pae},
        {"attach", "Adds a signature that was made elsewhere", "FILE",
                VERB_OFFLINE | TAKES(KEY) | TAKES(SIGNATURE) | TAKES(OUT),
                TAKES(KEY) | TAKES(SIGNATURE) | TAKES(OUT),
                "FILE is an envelope or a statement; --key is the signer's public key. A signature "
                "that is\n"
                "not by that key over this content is refused.",
                verb_attach},
        {"merge", "Makes one envelope of several with the same content", "ENVELOPE...",
                VERB_OFFLINE | TAKES(OUT), TAKES(OUT), NULL, verb_merge},
        {"export", "The envelope with one signature alone, for sigstore's tools", "ENVELOPE",
                VERB_OFFLINE | TAKES(KEY) | TAKES(OUT), TAKES(KEY) | TAKES(OUT),
                "--key is the public key of the signature to keep.", verb_export},
        {"allowlist fetch", "Gets signed allowlists over HTTPS and installs them", "[URL...]",
                TAKES(SERIES) | TAKES(CACERT) | TAKES(TIMEOUT), 0,
                "Without a URL, those of trust.fetch. --series: nothing else is taken from there. "
                "A list that\n"
                "is refused or a server that is not reached changes nothing; exits 1 or 69 then.",
                verb_allowlist_fetch},
        {"selftest", "Attacks a scratch overlay under the running daemon", NULL, 0, 0,
                "Tries the techniques of the threat matrix that are safe to try, and compares what "
                "the\n"
                "daemon did with what it should have done. Needs root; takes 30 seconds at most.",
                verb_selftest},
        {"snapshot create", "Records what may run: of a directory, a host, a container, an image",
                "[PATH...]",
                TAKES(HOST) | TAKES(ROOTFS) | TAKES(CONTAINER) | TAKES(IMAGE) | TAKES(ARCHIVE) |
                        TAKES(ALL_FILES) | TAKES(REHASH) | TAKES(SCOPE) | TAKES(NAME) |
                        TAKES(THREADS),
                0, snapshot_create, verb_snapshot_create},
        {"snapshot check", "What has changed since", "[SNAPSHOT...]",
                TAKES(PACKAGES) | TAKES(HTML) | TAKES(THREADS), 0, snapshot_check,
                verb_snapshot_check},
        {"snapshot diff", "What differs between two snapshots", "A B", TAKES(HTML), 0,
                snapshot_diff, verb_snapshot_diff},
        {"snapshot list", "What snapshots there are", NULL, TAKES(ALL), 0,
                "The current ones; with --all those that newer ones stand for, too.",
                verb_snapshot_list},
        {"snapshot show", "One snapshot in full", "SNAPSHOT", 0, 0, snapshot_show,
                verb_snapshot_show},
        {"snapshot explain", "Which snapshot knows a program, and where it vouches", "PATH|SHA256",
                0, 0, snapshot_explain, verb_snapshot_explain},
        {"snapshot accept", "Takes what has changed into a snapshot", "SNAPSHOT [GLOB]",
                TAKES(REASON) | TAKES(ALL) | TAKES(THREADS), TAKES(REASON), snapshot_accept,
                verb_snapshot_accept},
        {"snapshot reconcile", "Takes what trusted writers wrote into a host's snapshot",
                "[PATH...]", TAKES(HOST), 0, snapshot_reconcile, verb_snapshot_reconcile},
        {"snapshot prune", "Removes snapshots that newer ones stand for", NULL, TAKES(KEEP), 0,
                snapshot_prune, verb_snapshot_prune},
        {"snapshot export", "Writes a snapshot as an allowlist", "SNAPSHOT",
                TAKES(OUT) | TAKES(SERIES) | TAKES(LIST_VERSION) | TAKES(LIST_NUMBER) |
                        TAKES(VALID_FOR) | TAKES(BIND) | VERB_REPEATS | TAKES(LIST_SCOPE),
                TAKES(OUT) | TAKES(SERIES) | TAKES(VALID_FOR), snapshot_export,
                verb_snapshot_export},
        {"snapshot import", "Reads an allowlist as a snapshot", "FILE", TAKES(NAME) | TAKES(SCOPE),
                0, snapshot_import, verb_snapshot_import},
        {"allowlist install", "Verifies signed allowlists and puts them in force", "ENVELOPE...",
                TAKES(SERIES) | TAKES(THRESHOLD) | TAKES(KEYS) | TAKES(DRY_RUN), 0,
                allowlist_install, verb_allowlist_install},
        {"allowlist list", "What allowlists are installed, and whether they are in force", NULL, 0,
                0, NULL, verb_allowlist_list},
        {"allowlist remove", "Takes a list away; its version stays remembered", "SERIES",
                TAKES(REASON), TAKES(REASON), NULL, verb_allowlist_remove},
        {"allowlist rollback-state", "Which versions were in force, or forgets them", "[SERIES]",
                TAKES(RESET) | TAKES(REASON), 0, allowlist_rollback, verb_allowlist_rollback},
        {"allowlist create", "Lists what a release consists of, for signing", "[FILE...]",
                VERB_OFFLINE | VERB_REPEATS | OPTIONS_OF_SOURCES | TAKES(ALL_FILES) |
                        TAKES(SERIES) | TAKES(LIST_NUMBER) | TAKES(LIST_VERSION) |
                        TAKES(VALID_FOR) | TAKES(BIND) | TAKES(LIST_SCOPE) | TAKES(OUT) |
                        TAKES(REQUIRE_SIGNATURE) | TAKES(KEYS),
                TAKES(OUT) | TAKES(SERIES) | TAKES(VALID_FOR), allowlist_create,
                verb_allowlist_create},
        {"allowlist diff", "What differs between two lists", "A B", VERB_OFFLINE, 0, allowlist_diff,
                verb_allowlist_diff},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static bool needs_config(const struct call *call)
{
	if (!(call->verb->takes & VERB_OFFLINE) || call_has(call, OPTION_CONFIG))
		return true;
	/* It says where the database and the storage of images are. */
	if (call_has(call, OPTION_SNAPSHOT) || call_has(call, OPTION_IMAGE))
		return true;
	if (call->verb->takes & TAKES(REQUIRE_SIGNATURE) &&
	        !call_has(call, OPTION_REQUIRE_SIGNATURE))
		return false;
	return call->verb->takes & TAKES(KEYS) && !call_has(call, OPTION_KEYS);
}

static int run(const struct call *call)
{
	const char *no_color = getenv("NO_COLOR");
	struct tool tool = {
	        .json = call_has(call, OPTION_JSON),
	        .colour = isatty(STDOUT_FILENO) && !(no_color && *no_color),
	};
	int r;

	if (call_has(call, OPTION_VERSION)) {
		printf("execward %s\n", EXECWARD_VERSION);
		return EX_OK;
	}
	if (call_has(call, OPTION_HELP)) {
		if (call->verb)
			arguments_print_verb(stdout, call->verb);
		else if (call->group)
			arguments_print_group(stdout, call->group, verbs, N_VERBS);
		else
			arguments_print_tool(stdout, verbs, N_VERBS);
		return EX_OK;
	}
	if (!call->verb && call->group) {
		arguments_print_group(stderr, call->group, verbs, N_VERBS);
		return EX_USAGE;
	}
	if (!call->verb) {
		arguments_print_tool(stderr, verbs, N_VERBS);
		return EX_USAGE;
	}
	r = needs_config(call) ? tool_config_load(call->values[OPTION_CONFIG], &tool.config) : 0;
	if (r == 0)
		r = call->verb->run(&tool, call);
	config_free(tool.config);
	return r;
}

/* What could not be written is an error, except to a reader that has seen enough (head). */
static int flush(int r)
{
	struct pollfd reader = {.fd = STDOUT_FILENO};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	if (poll(&reader, 1, 0) == 1 && reader.revents & POLLERR)
		return r == EX_IOERR ? EX_OK : r;
	fputs("execward: stdout could not be written\n", stderr);
	return r > 1 ? r : EX_IOERR;
}

int main(int argc, char **argv)
{
	struct call call;
	int r;

	signal(SIGPIPE, SIG_IGN); /* seen as EPIPE instead */
	signal(SIGXFSZ, SIG_IGN); /* seen as EFBIG: what was begun is taken away again */
	if (key_setup() < 0) {
		fputs("execward: OpenSSL cannot be used\n", stderr);
		return EX_SOFTWARE;
	}
	if (sigtool_is_called(argv[0]))
		return flush(sigtool_main(argc, argv));
	r = arguments_parse(argc, argv, verbs, N_VERBS, &call);
	return r != 0 ? r : flush(run(&call));
}
