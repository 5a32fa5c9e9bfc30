/*
 * execward allowlist install: signed lists are verified, stored and put in force. The file is
 * opened here, as it is named, and nothing of it is read here: that is a reader's work, which has
 * no other rights than to do it.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tools/allowlist_report.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct installing {
	const struct tool *tool;
	const struct call *call;
	struct store *store;
	struct install_request request;
	bool dry_run;
	uint64_t installed;
};

static int read_threshold(const struct tool *tool, const struct call *call, uint32_t *ret_threshold)
{
	const char *text = call->values[OPTION_THRESHOLD];
	unsigned long n;
	char *end;

	*ret_threshold = tool->config->threshold;
	if (!text)
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > DSSE_SIGNATURES_MAX) {
		fprintf(stderr, "execward %s: --threshold: a number of keys, 1 to %u\n",
		        call->verb->name, DSSE_SIGNATURES_MAX);
		return EX_USAGE;
	}
	*ret_threshold = (uint32_t)n; /* 0 is refused with its reason */
	return 0;
}

static int refuse(const struct installing *installing, const char *path, const char *word, int code,
        const char *text)
{
	_cleanup_free_ char *name = text_safe(path);
	json_t *object;

	fprintf(stderr, "execward %s: %s: %s\n", installing->call->verb->name, name, text);
	if (installing->tool->json) {
		object = json_pack(
		        "{s:s, s:s, s:s}", "envelope", name, "reason", word, "result", "refused");
		print_json(object);
		json_decref(object);
	}
	return code;
}

/* A link could be made to lead elsewhere after somebody has looked at it. */
static int open_envelope(const struct installing *installing, const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!strcmp(path, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return refuse(installing, path, "symbolic_link", EX_NOINPUT,
		        "is a symbolic link: name the file that it leads to");
	if (fd < 0)
		return refuse(installing, path, "unreadable",
		        errno == EACCES ? EX_NOPERM : EX_NOINPUT, strerror(errno));
	if (strcmp(path, "-") != 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return refuse(installing, path, "no_regular_file", EX_NOINPUT,
		        "is no regular file: name one, or - for stdin");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void show(
        const struct installing *installing, const char *path, const struct install_result *result)
{
	_cleanup_free_ char *name = text_safe(strcmp(path, "-") ? path : "stdin");
	json_t *object;

	if (!installing->tool->json) {
		install_result_print(installing->tool, name, result);
		return;
	}
	object = json_object();
	json_object_set_new(object, "envelope", json_string(name));
	json_object_set_new(object, "dry_run", json_boolean(installing->dry_run));
	install_result_json(result, object);
	print_json(object);
	json_decref(object);
}

static int install(struct installing *installing, const char *path)
{
	_cleanup_(install_result_done) struct install_result result = {0};
	_cleanup_close_ int fd = -1;
	int r = open_envelope(installing, path, &fd);

	if (r != 0)
		return r;
	r = allowlist_install(
	        installing->store, NULL, fd, &installing->request, installing->dry_run, &result);
	if (r != 0)
		return allowlist_fail(
		        installing->call, installing->store, strcmp(path, "-") ? path : "stdin", r);
	show(installing, path, &result);
	installing->installed += result.reason == ALLOWLIST_ACCEPTED && !installing->dry_run;
	return install_result_code(&result);
}

/* Each is tried; the worst is the answer. */
static int install_all(struct installing *installing)
{
	const struct call *call = installing->call;
	int worst = 0;

	for (size_t i = 0; i < call->n_arguments; i++) {
		int r = install(installing, call->arguments[i]);

		worst = r > worst ? r : worst;
	}
	if (installing->installed > 0) {
		int r = allowlist_show_daemon(installing->tool);

		worst = r > worst ? r : worst;
	}
	return worst;
}

static int open_store(struct installing *installing)
{
	const char *dir = installing->tool->config->state_dir;
	int r = store_open(dir, STORE_READ_WRITE, &installing->store);

	return r == 0 ? 0 : allowlist_fail(installing->call, NULL, dir, r);
}

int verb_allowlist_install(const struct tool *tool, const struct call *call)
{
	_cleanup_(trust_freep) struct trust *trust = NULL;
	struct installing installing = {.tool = tool,
	        .call = call,
	        .dry_run = call_has(call, OPTION_DRY_RUN),
	        .request = {.keys_dir = allowlist_keys_dir(tool, call),
	                .series = call->values[OPTION_SERIES],
	                .source = "install",
	                .by_uid = getuid()}};
	int r = read_threshold(tool, call, &installing.request.threshold);

	if (r == 0)
		r = allowlist_trust(tool, call, &trust);
	if (r != 0)
		return r;
	installing.request.trust = trust;
	allowlist_limits(tool->config, clock_realtime_ns(), &installing.request.limits);
	r = open_store(&installing);
	if (r == 0)
		r = install_all(&installing);
	store_free(installing.store);
	return r;
}
