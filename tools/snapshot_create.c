/*
 * execward snapshot create: what is in a directory, on a host's filesystem, in a container, becomes
 * a snapshot. It is published in one step, when all of it was read: who interrupts it, and what
 * goes wrong, leaves the one before as it was.
 */
#include "tools/snapshot_create.h"

#include "base/clock.h"
#include "tools/client.h"
#include "tools/interrupt.h"
#include "tools/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define TELL_TIMEOUT_MS 10000u /* for the daemon to read the snapshots */

static const struct source sources[] = {
        {OPTION_HOST, create_host},
        {OPTION_ROOTFS, create_rootfs},
        {OPTION_CONTAINER, create_container},
        {OPTION_IMAGE, create_image},
        {OPTION_ARCHIVE, create_archive},
};

#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

int creation_say(const char *what, const char *text, int code)
{
	_cleanup_free_ char *safe = text_safe(what), *message = text_safe(text);

	fprintf(stderr, "execward: %s: %s\n", safe, message);
	return code;
}

/*
 * The database.
 */
static int say(const char *what, const char *text, const char *cure, int code)
{
	_cleanup_free_ char *safe = text_safe(what);

	fprintf(stderr, "execward: %s: %s%s%s\n", safe, text, cure ? "; " : "", cure ?: "");
	return code;
}

static int code_of_errno(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return EX_NOPERM;
	case ENOENT:
	case ENOTDIR:
		return EX_NOINPUT;
	case ENOMEM:
		return EX_SOFTWARE;
	default:
		return EX_IOERR;
	}
}

int creation_failed(struct creation *creation, const char *what, int r)
{
	_cleanup_free_ char *database =
	        text_format("%s/baseline.db", creation->tool->config->state_dir);

	switch (r) {
	case STORE_E_NEWER:
		return say(database, "written by a later release", "upgrade execward", EX_CONFIG);
	case STORE_E_CORRUPT:
		return say(database, "is damaged",
		        "move it away and start the daemon again: it makes a new one", EX_DATAERR);
	case STORE_E_UNSAFE:
		return say(database, "it or its directory is not only its owner's to write",
		        "give both to root, without write access for others", EX_NOPERM);
	case STORE_E_FULL:
		return say(database, "no room for it on the disk",
		        "nothing was published, the snapshot before stands", EX_IOERR);
	case STORE_E_BUSY:
		return say(database, "another process keeps it busy", "try again", EX_UNAVAILABLE);
	default:
		return r < 0 ? say(what, strerror(-r), NULL, code_of_errno(-r))
		             : say(what, creation->store ? store_error(creation->store) : "failed",
		                       NULL, EX_SOFTWARE);
	}
}

int creation_store(struct creation *creation, enum store_access access)
{
	const char *dir = creation->tool->config->state_dir;
	int r;

	if (creation->store && (creation->access == STORE_READ_WRITE || access == creation->access))
		return 0;
	store_free(TAKE_PTR(creation->store));
	r = store_open(dir, access, &creation->store);
	if (r == 0) {
		creation->access = access;
		return 0;
	}
	if (access == STORE_READ_ONLY)
		return EX_NOINPUT; /* none yet, or an old one: nothing to compare with */
	if (r == -ENOENT)
		return say(dir, "the directory of the database does not exist",
		        "start execwardd once, or make it: only root may write it", EX_CANTCREAT);
	if (r == -EROFS)
		return say(dir, strerror(EROFS), "state_dir of the configuration names another",
		        EX_CANTCREAT);
	return creation_failed(creation, dir, r);
}

int creation_interrupted(const char *kind, const char *name)
{
	_cleanup_free_ char *what = text_format("%s %s", kind, name);

	return say(
	        what, "interrupted", "nothing was published, the snapshot before stands", EX_IOERR);
}

/*
 * The daemon.
 */
static bool tell_daemon(const struct tool *tool)
{
	_cleanup_(client_freep) struct client *client = NULL;
	json_t *request, *answer = NULL;
	const char *line;
	size_t size;
	bool told;
	int r;

	if (client_connect(tool->config->runtime_dir, &client) < 0)
		return false;
	request = request_new("baselines");
	r = client_send(client, request);
	json_decref(request);
	if (r == 0)
		r = client_receive(
		        client, clock_monotonic_ns() + TELL_TIMEOUT_MS * NS_PER_MSEC, &line, &size);
	if (r == 0)
		answer = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	told = json_is_true(json_object_get(answer, "ok"));
	json_decref(answer);
	return told;
}

static void show_daemon(const struct tool *tool)
{
	bool told = tell_daemon(tool);

	if (tool->json) {
		json_t *event = json_pack("{s:s, s:b}", "event", "daemon", "in_force", told);

		print_json(event);
		json_decref(event);
		return;
	}
	puts(told ? "In force: the daemon has it."
	          : "No daemon could be told: it is in force when execwardd starts or reloads.");
}

/*
 * Which source.
 */
static int choose(const struct call *call, const struct source **ret_source)
{
	const struct source *chosen = NULL;
	size_t n = 0;

	for (size_t i = 0; i < N_SOURCES; i++)
		if (call_has(call, sources[i].option)) {
			chosen = &sources[i];
			n++;
		}
	if (n != 1) {
		fprintf(stderr,
		        "execward %s: name %s of what: --host PATH..., --rootfs DIR, --container "
		        "NAME, --image REF or --archive FILE; see execward %s --help\n",
		        call->verb->name, n == 0 ? "a snapshot" : "one snapshot", call->verb->name);
		return EX_USAGE;
	}
	if (chosen->option != OPTION_HOST && call->n_arguments > 0)
		return say(call->argument, "only --host takes paths", NULL, EX_USAGE);
	*ret_source = chosen;
	return 0;
}

static int check_threads(const struct call *call)
{
	const char *text = call->values[OPTION_THREADS];
	size_t digits = text ? strspn(text, "0123456789") : 0;
	unsigned long n = digits > 0 && digits < 5 ? strtoul(text, NULL, 10) : 0;

	if (!text || (!text[digits] && n >= 1 && n <= WALK_THREADS_MAX))
		return 0;
	fprintf(stderr, "execward %s: --threads: not a number of 1 to %u\n", call->verb->name,
	        WALK_THREADS_MAX);
	return EX_USAGE;
}

unsigned int creation_threads(const struct creation *creation)
{
	const char *text = creation->call->values[OPTION_THREADS];

	return text ? (unsigned int)strtoul(text, NULL, 10) : 0;
}

int verb_snapshot_create(const struct tool *tool, const struct call *call)
{
	struct creation creation = {.tool = tool, .call = call};
	const struct source *source;
	int r = choose(call, &source);

	if (r == 0)
		r = check_threads(call);
	if (r != 0)
		return r;
	/* What is half built when a second signal comes is swept by the next snapshot. */
	creation.stop = interrupt_catch();
	r = source->create(&creation);
	store_free(creation.store);
	if (creation.published)
		show_daemon(tool);
	return r;
}
