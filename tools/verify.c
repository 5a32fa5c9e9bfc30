/*
 * execward verify: whether this host would believe an envelope, or what stands for a single file.
 * Which of them an argument is, its content says: an envelope is JSON that has a payload.
 */
#include "tools/verify.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/print.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static int load(struct verify_run *run, bool from_file, struct trust **ret_trust)
{
	_cleanup_(trust_error_done) struct trust_error error = {0};
	const char *path = run->call->values[OPTION_KEYS] ?: run->tool->config->keys_dir;
	int r = from_file ? trust_load_file(path, ret_trust, &error)
	                  : trust_load(path, geteuid(), ret_trust, &error);

	if (r == 0)
		return 0;
	fprintf(stderr, "%s: %s: %s\n", run->name, error.path ?: "keys", error.message ?: "failed");
	if (r < 0)
		return r == -EACCES || r == -EPERM ? EX_NOPERM : EX_IOERR;
	return r == TRUST_E_MISSING ? EX_NOINPUT : EX_CONFIG;
}

/* A key that is named on the command line is trusted for what is asked of it: lists, or files. */
static int load_keys(struct verify_run *run)
{
	const char *path = run->call->values[OPTION_KEYS];
	struct stat st;
	int r;

	if (!path || stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return load(run, false, &run->trust);
	r = load(run, true, &run->trust);
	if (r == 0)
		r = load(run, true, &run->files_trust);
	for (size_t i = 0; r == 0 && i < run->files_trust->n_keys; i++)
		run->files_trust->keys[i].use = TRUST_USE_IMA;
	return r;
}

/* 0 and the number of --threshold, else the configuration's; or EX_USAGE. */
static int read_threshold(const struct verify_run *run, uint32_t *ret_threshold)
{
	const char *text = run->call->values[OPTION_THRESHOLD];
	unsigned long n;
	char *end;

	*ret_threshold = call_has(run->call, OPTION_KEYS) ? 1 : run->tool->config->threshold;
	if (!text)
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < 1 || n > DSSE_SIGNATURES_MAX) {
		fprintf(stderr, "%s: --threshold: a number of keys, 1 to %u\n", run->name,
		        DSSE_SIGNATURES_MAX);
		return EX_USAGE;
	}
	*ret_threshold = (uint32_t)n;
	return 0;
}

void verify_limits(const struct verify_run *run, struct allowlist_limits *ret_limits)
{
	const struct config *config = run->tool->config;

	*ret_limits = (struct allowlist_limits){
	        .now_ns = run->now_ns,
	        .skew_ns = config ? config->skew_s * NS_PER_SEC : ALLOWLIST_SKEW_NS,
	        .max_validity_ns =
	                config ? config->max_validity_s * NS_PER_SEC : ALLOWLIST_MAX_VALIDITY_NS,
	        .grace_ns = config ? config->grace_s * NS_PER_SEC : 0,
	};
}

int verify_run_init(struct verify_run *run)
{
	int r = read_threshold(run, &run->threshold);

	run->now_ns = clock_realtime_ns();
	return r == 0 ? load_keys(run) : r;
}

void verify_run_done(struct verify_run *run)
{
	verify_lists_done(run);
	trust_free(run->trust);
	trust_free(run->files_trust);
}

int verify_refuse(const struct verify_run *run, const char *path, int code, const char *what)
{
	_cleanup_free_ char *name = text_safe(strcmp(path, "-") ? path : "stdin");

	fprintf(stderr, "%s: %s: %s\n", run->name, name, what);
	return code;
}

/* A claim that is false is found out as one: a faulty envelope. */
static bool claims_payload(const char *text, size_t size)
{
	static const char member[] = "\"payload";

	while (size > 0 && isspace((unsigned char)*text)) {
		text++;
		size--;
	}
	return size > 0 && *text == '{' && memmem(text, size, member, strlen(member));
}

/*
 * Whether a file is an envelope, by its own claim: what begins as a JSON object does and names a
 * payload or its type within what an envelope may have beside the payload.
 */
static bool is_envelope(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *head = malloc(DSSE_BESIDE_MAX);
	ssize_t n = fd >= 0 && head ? pread(fd, head, DSSE_BESIDE_MAX, 0) : 0;

	return n > 0 && claims_payload(head, (size_t)n);
}

/* What is no regular file (a pipe) is an envelope: a single file has a name that answers for it. */
static int verify_one(struct verify_run *run, const char *path)
{
	struct stat st;

	if (!strcmp(path, "-") || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) ||
	        is_envelope(path))
		return verify_envelope(run, path);
	return verify_file(run, path);
}

int verb_verify(const struct tool *tool, const struct call *call)
{
	_cleanup_(verify_run_done) struct verify_run run = {
	        .tool = tool, .call = call, .name = "execward verify"};
	int result = 0, r = verify_run_init(&run);

	if (r != 0)
		return r;
	/* The first fault, else whether one was refused. */
	for (size_t i = 0; i < call->n_arguments; i++) {
		r = verify_one(&run, call->arguments[i]);
		if (r > 1 && result <= 1)
			result = r;
		else if (r == 1 && result == 0)
			result = 1;
	}
	return result;
}
