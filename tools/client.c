/*
 * Lines over a Unix stream socket, each wait with a deadline. The daemon is root's and trusted, but
 * an answer is bounded and must be JSON like any foreign text: something else may sit on the path.
 */
#include "tools/client.h"

#include "base/clock.h"
#include "core/alert.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

struct client {
	int fd;
	int signals; /* -1 unless interruptible */
	char *buffer;
	size_t room, size, used; /* bytes; used: of the line that was handed out */
};

int client_connect(const char *runtime_dir, struct client **ret_client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(
	        address.sun_path, sizeof(address.sun_path), "%s/control.sock", runtime_dir);
	struct client *client;

	if (fd < 0)
		return -errno;
	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->fd = TAKE_FD(fd);
	client->signals = -1;
	*ret_client = client;
	return 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	cleanup_closep(&client->fd);
	cleanup_closep(&client->signals);
	free(client->buffer);
	free(client);
}

int client_interruptible(struct client *client)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	client->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return client->signals < 0 ? -errno : 0;
}

int client_send(struct client *client, const json_t *request)
{
	_cleanup_free_ char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t size, sent = 0;

	if (!line)
		return -ENOMEM;
	size = strlen(line);
	line[size++] = '\n'; /* in place of the NUL */
	while (sent < size) {
		ssize_t n = send(client->fd, line + sent, size - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		sent += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int poll_ms(int64_t until_ns)
{
	int64_t left_ns;

	if (until_ns == INT64_MAX)
		return -1;
	left_ns = until_ns - clock_monotonic_ns();
	if (left_ns <= 0)
		return 0;
	return left_ns >= INT32_MAX * NS_PER_MSEC ? INT32_MAX : (int)(left_ns / NS_PER_MSEC) + 1;
}

/* Until the socket has something. A poll for no event on stdout tells when its reader is gone. */
static int wait_readable(const struct client *client, int64_t until_ns)
{
	struct pollfd fds[] = {
	        {.fd = client->fd, .events = POLLIN},
	        {.fd = client->signals, .events = POLLIN},
	        {.fd = client->signals < 0 ? -1 : STDOUT_FILENO},
	};
	int n = poll(fds, 3, poll_ms(until_ns));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (fds[1].revents || fds[2].revents & POLLERR)
		return -EINTR;
	return fds[0].revents ? 1 : 0;
}

static int fill(struct client *client)
{
	ssize_t n;

	if (client->size == client->room) {
		size_t room = client->room * 2 + 65536;
		char *grown = room <= 2 * CLIENT_LINE_MAX ? realloc(client->buffer, room) : NULL;

		if (!grown)
			return room <= 2 * CLIENT_LINE_MAX ? -ENOMEM : -EMSGSIZE;
		client->buffer = grown;
		client->room = room;
	}
	n = recv(client->fd, client->buffer + client->size, client->room - client->size,
	        MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0
		       : errno == ECONNRESET             ? -EPIPE
		                                         : -errno;
	client->size += (size_t)n;
	return n == 0 ? -EPIPE : 0;
}

int client_receive(struct client *client, int64_t until_ns, const char **ret_line, size_t *ret_size)
{
	size_t seen = 0;

	client->size -= client->used;
	if (client->used > 0)
		memmove(client->buffer, client->buffer + client->used, client->size);
	client->used = 0;
	for (;;) {
		char *end = client->size > seen
		                    ? memchr(client->buffer + seen, '\n', client->size - seen)
		                    : NULL;
		int r;

		if (end) {
			*ret_line = client->buffer;
			*ret_size = (size_t)(end - client->buffer);
			client->used = *ret_size + 1;
			return 0;
		}
		seen = client->size;
		if (seen > CLIENT_LINE_MAX)
			return -EMSGSIZE;
		r = wait_readable(client, until_ns);
		if (r > 0)
			r = fill(client);
		if (r < 0)
			return r;
	}
}

/*
 * With words.
 */
json_t *request_new(const char *name)
{
	return json_pack("{s:s}", "request", name);
}

int request_set(json_t *request, const char *key, const char *value)
{
	json_t *text = value ? json_string(value) : NULL;

	if (value && !text) {
		fprintf(stderr, "execward: %s: is not UTF-8; name the program by its SHA-256\n",
		        key);
		return EX_USAGE;
	}
	if (text)
		json_object_set_new(request, key, text);
	return 0;
}

static int open_client(const struct tool *tool, struct client **ret_client)
{
	const char *dir = tool->config->runtime_dir;
	int r = client_connect(dir, ret_client);

	if (r == 0)
		return 0;
	if (r == -EACCES || r == -EPERM) {
		fprintf(stderr, "execward: %s/control.sock: only root may ask the daemon\n", dir);
		return EX_NOPERM;
	}
	fprintf(stderr,
	        "execward: no daemon answers at %s/control.sock (%s): start it (systemctl start "
	        "execwardd), or name its configuration with --config\n",
	        dir, strerror(-r));
	return EX_UNAVAILABLE;
}

static int say_lost(int r)
{
	if (r == -ETIMEDOUT)
		fputs("execward: the daemon does not answer\n", stderr);
	else if (r == -EPIPE || r == -ECONNRESET)
		fputs("execward: the daemon closed the connection\n", stderr);
	else
		fprintf(stderr, "execward: the daemon's answer: %s\n", strerror(-r));
	return r == -EMSGSIZE || r == -ENOMEM ? EX_SOFTWARE : EX_UNAVAILABLE;
}

/* The exit code of a failed answer, after its message went to stderr. */
static int say_failure(const json_t *answer)
{
	static const struct {
		const char *word;
		int code;
	} codes[] = {
	        {"not_found", 1},
	        {"ambiguous", 1},
	        {"bad_request", EX_USAGE},
	        {"unknown_request", EX_UNAVAILABLE}, /* an older daemon */
	        {"too_large", EX_DATAERR},
	        {"invalid_config", EX_CONFIG},
	        {"disabled", EX_CONFIG},
	        {"denied", EX_NOPERM},
	        {"unavailable", EX_UNAVAILABLE},
	};
	const char *word = json_string_value(json_object_get(answer, "error"));
	_cleanup_free_ char *message =
	        text_for_terminal(json_string_value(json_object_get(answer, "message")));

	fprintf(stderr, "execward: %s\n", message ?: "the daemon's answer is not as documented");
	for (size_t i = 0; word && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i].word, word))
			return codes[i].code;
	return EX_SOFTWARE;
}

static int receive_json(struct client *client, int64_t until_ns, const char **ret_line,
        size_t *ret_size, json_t **ret)
{
	int r = client_receive(client, until_ns, ret_line, ret_size);

	if (r < 0)
		return r;
	*ret = json_loadb(*ret_line, *ret_size, JSON_REJECT_DUPLICATES, NULL);
	return *ret ? 0 : -EBADMSG;
}

static int64_t timeout(void)
{
	return clock_monotonic_ns() + CLIENT_TIMEOUT_MS * NS_PER_MSEC;
}

int client_ask_for(const struct tool *tool, json_t *request, const char *word, json_t **ret_answer)
{
	_cleanup_(client_freep) struct client *client = NULL;
	json_t *answer = NULL;
	const char *line, *error;
	size_t size;
	int r = open_client(tool, &client);

	if (r == 0) {
		r = client_send(client, request);
		if (r == 0)
			r = receive_json(client, timeout(), &line, &size, &answer);
		r = r < 0 ? say_lost(r) : 0;
	}
	json_decref(request);
	if (r != 0)
		return r;
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_answer = answer;
		return 0;
	}
	error = json_string_value(json_object_get(answer, "error"));
	*ret_answer = NULL;
	r = word && error && !strcmp(word, error) ? 0 : say_failure(answer);
	json_decref(answer);
	return r;
}

int client_ask(const struct tool *tool, json_t *request, json_t **ret_answer)
{
	return client_ask_for(tool, request, NULL, ret_answer);
}

/* The alert within {"event":ALERT}, byte by byte as the daemon sent it. */
static void unwrap(const char **text, size_t *size)
{
	static const char before[] = "{\"event\":";

	if (*size > sizeof(before) && !memcmp(*text, before, sizeof(before) - 1)) {
		*text += sizeof(before) - 1;
		*size -= sizeof(before);
	}
}

/* One line. 0 to go on, -1 after the last one, or an exit code. */
static int handle_line(
        const json_t *answer, const char *line, size_t size, client_event_fn fn, void *userdata)
{
	const json_t *event = json_object_get(answer, "event");

	if (event) {
		unwrap(&line, &size);
		return fn(event, line, size, userdata);
	}
	return json_is_true(json_object_get(answer, "ok")) ? -1 : say_failure(answer);
}

static int read_events(struct client *client, bool follow, client_event_fn fn, void *userdata)
{
	for (;;) {
		json_t *answer = NULL;
		const char *line;
		size_t size;
		int r = receive_json(client, follow ? INT64_MAX : timeout(), &line, &size, &answer);

		if (r == -EINTR)
			return 0;
		if (r < 0)
			return say_lost(r);
		r = handle_line(answer, line, size, fn, userdata);
		json_decref(answer);
		if (r != 0)
			return r < 0 ? 0 : r;
	}
}

int client_events(const struct tool *tool, json_t *request, client_event_fn fn, void *userdata)
{
	_cleanup_(client_freep) struct client *client = NULL;
	bool follow = json_is_true(json_object_get(request, "follow"));
	int r = open_client(tool, &client);

	if (r == 0) {
		r = follow ? client_interruptible(client) : 0;
		if (r == 0)
			r = client_send(client, request);
		r = r < 0 ? say_lost(r) : 0;
	}
	json_decref(request);
	return r != 0 ? r : read_events(client, follow, fn, userdata);
}
