/*
 * The daemon makes its socket under another name and renames it when it listens, and it answers
 * when it guards: inotify tells of the first, an open request waits for the second. Every directory
 * on the way to the socket that exists is watched, from the root down, before each try: one that
 * does not exist yet is then made under a watch.
 */
#include "tools/wait_ready.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "tools/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

#define ASK_AGAIN_MS 100 /* a daemon that answers "not yet" tells of no change by itself */

/* Also the end of a stale socket's directory, or a socket that changes hands. */
#define WATCHED (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR)

static int watch_way(int inotify, const char *dir)
{
	_cleanup_free_ char *path = strdup(dir);

	if (!path)
		return -ENOMEM;
	(void)inotify_add_watch(inotify, "/", WATCHED);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)inotify_add_watch(inotify, path, WATCHED);
		*slash = '/';
	}
	(void)inotify_add_watch(inotify, path, WATCHED);
	return 0;
}

/*
 * Sleeps until something was made on the way to the socket. With @connected that is no news, and
 * others may be busy in those directories: then it is a short time.
 */
static int wait_change(int inotify, bool connected, int64_t until_ns)
{
	struct pollfd fd = {.fd = connected ? -1 : inotify, .events = POLLIN};
	int64_t left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MSEC + 1;
	char events[4096];

	if (until_ns <= clock_monotonic_ns())
		return -ETIMEDOUT;
	if (connected && left_ms > ASK_AGAIN_MS)
		left_ms = ASK_AGAIN_MS;
	if (poll(&fd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0 && errno != EINTR)
		return -errno;
	while (read(inotify, events, sizeof(events)) > 0)
		;
	return 0;
}

/* 0 with the status of a daemon that is ready; -EAGAIN when it is not yet; another -errno. */
static int ask(struct client *client, int64_t until_ns, json_t **ret_status)
{
	json_t *request = request_new("status"), *answer, *status;
	const char *line;
	size_t size;
	int r = client_send(client, request);

	json_decref(request);
	if (r == 0)
		r = client_receive(client, until_ns, &line, &size);
	if (r < 0)
		return r;
	answer = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	status = json_object_get(answer, "status");
	r = -EAGAIN;
	if (json_is_true(json_object_get(status, "ready"))) {
		*ret_status = json_incref(status);
		r = 0;
	}
	if (json_is_string(json_object_get(answer, "error")) &&
	        !strcmp(json_string_value(json_object_get(answer, "error")), "denied"))
		r = -EACCES;
	json_decref(answer);
	return r;
}

int wait_ready(const struct tool *tool, int64_t until_ns, json_t **ret_status)
{
	_cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (inotify < 0)
		return -errno;
	for (;;) {
		_cleanup_(client_freep) struct client *client = NULL;
		int r = watch_way(inotify, tool->config->runtime_dir);
		bool connected = false;

		if (r == 0) {
			r = client_connect(tool->config->runtime_dir, &client);
			connected = r == 0;
		}
		if (r == 0)
			r = ask(client, until_ns, ret_status);
		if (r == 0 || r == -ETIMEDOUT || r == -EACCES || r == -ENAMETOOLONG)
			return r;
		/* One that listens but is not ready, or has just gone, is asked again. */
		r = wait_change(inotify, connected, until_ns);
		if (r < 0)
			return r;
	}
}
