/*
 * Options stand anywhere, as "--name VALUE" or "--name=VALUE"; "--" ends them. A value that is
 * empty or given twice is refused: `--image "$IMAGE"` with an unset variable would approve for
 * every image.
 */
#include "tools/arguments.h"

#include "base/cleanup.h"
#include "core/alert.h"

#include <string.h>
#include <sysexits.h>

struct option_row {
	const char *name;  /* without the dashes */
	const char *value; /* what --help calls it; NULL: a flag */
	const char *help;
};

/* For short: -k. */
static const char letters[_OPTION_MAX] = {
        [OPTION_HELP] = 'h', [OPTION_OUT] = 'o', [OPTION_KEY] = 'k'};

static const struct option_row options[_OPTION_MAX] = {
        [OPTION_CONFIG] = {"config", "FILE", "the daemon's configuration, which names its socket"},
        [OPTION_JSON] = {"json", NULL, "JSON on stdout"},
        [OPTION_HELP] = {"help", NULL, "this text"},
        [OPTION_VERSION] = {"version", NULL, "the version of this tool"},
        [OPTION_WAIT_READY] = {"wait-ready", "SECONDS",
                "wait until the daemon guards everything, at most so long"},
        [OPTION_FOLLOW] = {"follow", NULL, "go on with what comes, until interrupted"},
        [OPTION_SINCE] = {"since", "WHEN",
                "a duration back from now (10m, 24h, 7d), a date, or an RFC 3339 time"},
        [OPTION_CONTAINER] = {"container", "NAME", "a container's name or id"},
        [OPTION_IMAGE] = {"image", "REF", "an image's reference, as `execward status` shows it"},
        [OPTION_PATH] = {"path", "PATH", "a path inside the container"},
        [OPTION_SHA256] = {"sha256", "DIGEST", "64 hexadecimal digits"},
        [OPTION_LIMIT] = {"limit", "N", "the newest N only, 1 to 100000 (1000)"},
        [OPTION_REASON] = {"reason", "TEXT", "why; kept with the decision"},
        [OPTION_FOR] = {"for", "DURATION", "how long it holds (10m, 24h, 30d)"},
        [OPTION_DENY] = {"deny", NULL, "the entry of the denylist, not the approval"},
        [OPTION_HOST] = {"host", NULL, "of these paths of this host, each within its filesystem"},
        [OPTION_ARCHIVE] = {"archive", "FILE", "a docker save or OCI archive; - for stdin"},
        [OPTION_ROOTFS] = {"rootfs", "DIR", "a directory that holds a root filesystem"},
        [OPTION_ALL_FILES] = {"all-files", NULL, "all files, not executables only"},
        [OPTION_REHASH] = {"rehash", NULL, "hash also what has not changed"},
        [OPTION_SCOPE] = {"scope", "SCOPE",
                "where it vouches: image:REF, container:NAME, filesystem:UUID or none"},
        [OPTION_NAME] = {"name", "NAME", "what to call it, instead of what it was made from"},
        [OPTION_SNAPSHOT] = {"snapshot", "SNAPSHOT", "a snapshot's id or name"},
        [OPTION_PACKAGES] = {"packages", NULL,
                "set apart what the package database accounts for (dpkg, rpm)"},
        [OPTION_HTML] = {"html", "FILE", "a report for a browser, in one file"},
        [OPTION_OUT] = {"out", "FILE", "where to write; - for stdout"},
        [OPTION_SERIES] = {"series", "NAME", "the series of the allowlist"},
        [OPTION_LIST_VERSION] = {"list-version", "N", "the version of the allowlist"},
        [OPTION_VALID_FOR] = {"valid-for", "DURATION", "how long the allowlist holds (180d)"},
        [OPTION_BIND] = {"bind", "HOW", "digest: content anywhere in scope; path: where it was"},
        [OPTION_KEEP] = {"keep", "N", "older snapshots of each name to keep (1)"},
        [OPTION_ALL] = {"all", NULL, "everything that was found"},
        [OPTION_THREADS] = {"threads", "N", "threads that hash, 1 to 256 (one per core)"},
        [OPTION_KEY] = {"key", "KEY", "a key's file, or a pkcs11: URI"},
        [OPTION_KEYS] = {"keys", "PATH",
                "whom to trust: a directory of keys, or one public key (trust.keys_dir)"},
        [OPTION_PASSIN] = {"passin", "SOURCE",
                "the passphrase or PIN: env:NAME, file:PATH, fd:N, stdin (asks on the terminal)"},
        [OPTION_TYPE] = {"type", "TYPE", "ed25519 (default), p256, p384 or rsa3072"},
        [OPTION_UNENCRYPTED] = {"unencrypted", NULL, "no passphrase on the private key"},
        [OPTION_APPEND] = {"append", NULL, "add a signature to an envelope"},
        [OPTION_CONFIRM] = {"confirm", NULL, "ask on the terminal before anything is signed"},
        [OPTION_THRESHOLD] = {"threshold", "N",
                "how many different keys must have signed, 1 to 32 (trust.threshold; 1 with "
                "--keys)"},
        [OPTION_SIGNATURE] = {"signature", "FILE", "the signature: its bytes, or base64"},
        [OPTION_DRY_RUN] = {"dry-run", NULL, "only tell what would be done"},
        [OPTION_RESET] = {"reset", NULL, "forget it; --reason says why"},
        [OPTION_FILES] = {"files", "LIST", "a file with paths to hash, one a line; - for stdin"},
        [OPTION_SUMS] = {"sums", "FILE", "output of sha256sum; - for stdin"},
        [OPTION_PACKAGE] = {"package", "NAME", "the files of an installed package (dpkg, rpm)"},
        [OPTION_PACKAGE_FILE] = {"package-file", "FILE", "what a .deb or .rpm would install"},
        [OPTION_SBOM] = {"sbom", "FILE", "files of a CycloneDX or SPDX 2 JSON; - for stdin"},
        [OPTION_LIST_SCOPE] = {"scope", "KIND=GLOB",
                "where the list vouches: image=GLOB, namespace=GLOB, host=LABEL"},
        [OPTION_REQUIRE_SIGNATURE] = {"require-signature", NULL,
                "only files that a trusted key of use ima has signed"},
        [OPTION_LIST_NUMBER] = {"version", "N", "the version of the allowlist (1)"},
        [OPTION_CACERT] = {"cacert", "FILE",
                "certificates of the authorities to believe, in place of the system's"},
        [OPTION_TIMEOUT] = {"timeout", "DURATION", "for each URL, all in all (10m)"},
        [OPTION_YES] = {"yes", NULL, "the answer to --confirm, where there is no terminal"},
        [OPTION_ALLOWLIST] = {"allowlist", "ENVELOPE", "a signed list to look the files up in"},
};

#define COMMON (TAKES(CONFIG) | TAKES(JSON) | TAKES(HELP))

static bool may_repeat(const struct verb *verb, int option)
{
	return verb && verb->takes & VERB_REPEATS &&
	       (OPTIONS_OF_SOURCES | TAKES(LIST_SCOPE)) & UINT64_C(1) << option;
}

/*
 * Spelling: the word that somebody may have meant.
 */
#define WORD_MAX 24u /* letters; no verb or option is longer */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with their neighbour to get from one word to another. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][WORD_MAX + 1], n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *last = row[(i - 1) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = smaller(smaller(last[j], now[j - 1]) + 1,
			        last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = smaller(now[j], before[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

/* Keeps @candidate in *near when it is closer to @word than what was found before. */
static void consider(const char *word, const char *candidate, const char **near, size_t *best)
{
	size_t d = distance(word, candidate);

	/* "stat" is far from "status" by letters, and meant all the same. */
	if (strlen(word) >= 3 && !strncmp(word, candidate, strlen(word)))
		d = 0;
	if (d < *best && d <= 1 + strlen(candidate) / 4) {
		*near = candidate;
		*best = d;
	}
}

static int refuse(const struct call *call, const char *word, const char *what, const char *near)
{
	_cleanup_free_ char *printable = text_for_terminal(word);
	const char *name = call->verb ? call->verb->name : call->group;

	fprintf(stderr, "execward%s%s: %s: %s%s%s; see execward %s%s--help\n", name ? " " : "",
	        name ?: "", printable ?: "", what, near ? ", did you mean " : "", near ?: "",
	        name ?: "", name ? " " : "");
	return EX_USAGE;
}

/*
 * Parsing.
 */
static uint64_t taken(const struct call *call)
{
	return COMMON | (call->verb ? call->verb->takes : TAKES(VERSION));
}

static int find_option(const struct call *call, const char *name, size_t size)
{
	for (int i = 0; i < _OPTION_MAX; i++)
		if (taken(call) & UINT64_C(1) << i && !strncmp(options[i].name, name, size) &&
		        !options[i].name[size])
			return i;
	return -1;
}

/* The same of "-k"; -1 also for what is no letter alone. */
static int find_letter(const struct call *call, const char *word)
{
	for (int i = 0; i < _OPTION_MAX; i++)
		if (taken(call) & UINT64_C(1) << i && letters[i] && letters[i] == word[1] &&
		        !word[2])
			return i;
	return -1;
}

static int unknown_option(const struct call *call, const char *word)
{
	_cleanup_free_ char *near = NULL;
	const char *name = NULL;
	size_t best = WORD_MAX;

	for (int i = 0; i < _OPTION_MAX; i++)
		if (taken(call) & UINT64_C(1) << i)
			consider(word + strspn(word, "-"), options[i].name, &name, &best);
	if (name && asprintf(&near, "--%s", name) < 0)
		near = NULL;
	return refuse(call, word, "unknown option", near);
}

static int keep(const char *word, int option, const char *value, struct call *call)
{
	call->values[option] = value;
	if (!may_repeat(call->verb, option))
		return 0;
	if (call->n_given == GIVEN_MAX)
		return refuse(call, word, "one too many of those that may repeat", NULL);
	call->given[call->n_given++] = (struct given){(enum option)option, value};
	return 0;
}

/* One option at argv[*at]; moves *at past its value. */
static int parse_option(int argc, char **argv, int *at, struct call *call)
{
	bool is_long = argv[*at][1] == '-';
	const char *word = argv[*at], *name = word + (is_long ? 2 : 1);
	const char *equals = is_long ? strchr(name, '=') : NULL, *value = "";
	int i = is_long ? find_option(call, name, equals ? (size_t)(equals - name) : strlen(name))
	                : find_letter(call, word);

	if (i < 0)
		return unknown_option(call, word);
	if (!options[i].value && equals)
		return refuse(call, word, "takes no value", NULL);
	if (options[i].value && equals)
		value = equals + 1;
	else if (options[i].value && *at + 1 < argc)
		value = argv[++*at];
	if (options[i].value && !*value)
		return refuse(call, word, "needs a value", NULL);
	if (options[i].value && call->values[i] && !may_repeat(call->verb, i))
		return refuse(call, word, "given twice", NULL);
	return keep(word, i, value, call);
}

/* How many arguments the verb takes, at most and at least, by what its usage says. */
static size_t most(const struct verb *verb)
{
	const char *text = verb->argument;

	if (!text)
		return 0;
	if (strstr(text, "..."))
		return SIZE_MAX;
	return strchr(text, ' ') ? 2 : 1;
}

static size_t least(const struct verb *verb)
{
	const char *text = verb->argument;

	if (!text || text[0] == '[')
		return 0;
	return most(verb) == 2 && !strchr(text, '[') ? 2 : 1;
}

static int parse_argument(char *word, char **argv, struct call *call)
{
	if (call->n_arguments == most(call->verb))
		return refuse(call, word, "one argument too many", NULL);
	if (!*word)
		return refuse(call, word, "an empty argument", NULL);
	/* The arguments before it were at or after this place. */
	argv[call->n_arguments++] = word;
	call->arguments = (const char *const *)argv;
	call->argument = argv[0];
	return 0;
}

/* The group is the first word of names of two: "snapshot". */
static bool is_in_group(const struct verb *verb, const char *group)
{
	size_t n = strlen(group);

	return !strncmp(verb->name, group, n) && verb->name[n] == ' ';
}

static bool is_group(const char *word, const struct verb *verbs, size_t n_verbs)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (is_in_group(&verbs[i], word))
			return true;
	return false;
}

static int parse_verb(const char *word, const struct verb *verbs, size_t n_verbs, struct call *call)
{
	const char *near = NULL;
	size_t best = WORD_MAX;

	for (size_t i = 0; i < n_verbs; i++) {
		const char *name = verbs[i].name;

		if (call->group && !is_in_group(&verbs[i], call->group))
			continue;
		if (call->group)
			name += strlen(call->group) + 1;
		if (!strcmp(name, word)) {
			call->verb = &verbs[i];
			return 0;
		}
		consider(word, name, &near, &best);
	}
	if (!call->group && is_group(word, verbs, n_verbs)) {
		call->group = word;
		return 0;
	}
	return refuse(call, word, "unknown verb", near);
}

/* What the verb cannot do without. */
static int check(const struct call *call)
{
	const struct verb *verb = call->verb;

	if (call->n_arguments < least(verb))
		return refuse(call, verb->argument, "is missing", NULL);
	for (int i = 0; i < _OPTION_MAX; i++) {
		_cleanup_free_ char *text = NULL;

		if (!(verb->needs & UINT64_C(1) << i) || call->values[i])
			continue;
		if (asprintf(&text, "--%s %s", options[i].name, options[i].value) < 0)
			text = NULL;
		return refuse(call, text, "is missing", NULL);
	}
	return 0;
}

int arguments_parse(
        int argc, char **argv, const struct verb *verbs, size_t n_verbs, struct call *ret_call)
{
	struct call call = {0};
	bool only_words = false;
	int r = 0;

	for (int i = 1; i < argc && r == 0; i++) {
		const char *word = argv[i];

		if (only_words || word[0] != '-' || !word[1])
			r = call.verb ? parse_argument(argv[i], argv, &call)
			              : parse_verb(word, verbs, n_verbs, &call);
		else if (!strcmp(word, "--"))
			only_words = true;
		else
			r = parse_option(argc, argv, &i, &call);
	}
	if (r == 0 && call.verb && !call_has(&call, OPTION_HELP))
		r = check(&call);
	if (r == 0)
		*ret_call = call;
	return r;
}

/*
 * Help.
 */
static void print_option(FILE *stream, int i)
{
	const struct option_row *row = &options[i];
	char letter[] = {'-', letters[i], ',', ' ', '\0'};
	int n = fprintf(stream, "  %s--%s%s%s", letters[i] ? letter : "", row->name,
	        row->value ? " " : "", row->value ?: "");

	fprintf(stream, "%*s%s\n", n < 24 ? 24 - n : 1, "", row->help);
}

void arguments_print_verb(FILE *stream, const struct verb *verb)
{
	fprintf(stream, "usage: execward %s", verb->name);
	if (verb->argument)
		fprintf(stream, " %s", verb->argument);
	for (int i = 0; i < _OPTION_MAX; i++) {
		bool needed = verb->needs & UINT64_C(1) << i;

		if (verb->takes & UINT64_C(1) << i)
			fprintf(stream, " %s--%s%s%s%s%s", needed ? "" : "[", options[i].name,
			        options[i].value ? " " : "", options[i].value ?: "",
			        needed ? "" : "]", may_repeat(verb, i) ? "..." : "");
	}
	fprintf(stream, " [--json]\n\n%s.\n", verb->summary);
	if (verb->details)
		fprintf(stream, "\n%s\n", verb->details);
	fputc('\n', stream);
	for (int i = 0; i < _OPTION_MAX; i++)
		if ((verb->takes | COMMON) & UINT64_C(1) << i)
			print_option(stream, i);
}

void arguments_print_group(
        FILE *stream, const char *group, const struct verb *verbs, size_t n_verbs)
{
	fprintf(stream, "usage: execward [--config FILE] %s VERB [ARGUMENTS] [OPTIONS]\n\n", group);
	for (size_t i = 0; i < n_verbs; i++)
		if (is_in_group(&verbs[i], group))
			fprintf(stream, "  %s %-10s%s\n", group, verbs[i].name + strlen(group) + 1,
			        verbs[i].summary);
	fprintf(stream, "\n`execward %s VERB --help` shows a verb's own options.\n", group);
}

void arguments_print_tool(FILE *stream, const struct verb *verbs, size_t n_verbs)
{
	fputs("usage: execward [--config FILE] VERB [ARGUMENT] [OPTIONS]\n\n"
	      "The exec firewall for containers: asks and tells the daemon execwardd.\n\n",
	        stream);
	for (size_t i = 0; i < n_verbs; i++)
		fprintf(stream, "  %-18s%s\n", verbs[i].name, verbs[i].summary);
	fputc('\n', stream);
	for (int i = 0; i < _OPTION_MAX; i++)
		if ((COMMON | TAKES(VERSION)) & UINT64_C(1) << i)
			print_option(stream, i);
	fputs("\n`execward VERB --help` shows a verb's own options. Exit codes: 0 fine, 1 rejected "
	      "or\n"
	      "findings, 64 and above operational errors: execward(1).\n",
	        stream);
}
