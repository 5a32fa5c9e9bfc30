/*
 * One epoll loop over a listener, the connections and a wake-up. Answers are put together in
 * memory and written as the client takes them; a client that does not take them loses its
 * connection, never anybody's time.
 */
#include "daemon/control.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/queue.h"
#include "daemon/control_requests.h"
#include "daemon/log.h"
#include "daemon/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct connection {
	int fd;
	int64_t uid;
	bool following, closing;
	int64_t active_ns; /* CLOCK_MONOTONIC of its last request */
	char *in;
	size_t in_size;
	char *out;
	size_t out_size, out_room, out_sent;
};

struct control {
	struct sockaddr_un address;
	int listener, epoll, wake;
	struct engine *engine;
	struct store *store;
	struct queue *follow; /* alert lines for followers, each malloc'ed */
	_Atomic unsigned int n_following;
	atomic_bool stopping;
	bool started;
	pthread_t thread;
	struct connection *connections[CONTROL_CONNECTIONS_MAX];
};

/*
 * The socket.
 */
static bool is_answered(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int make_dir(const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		log_error("%s: must be a directory of root that nobody else can write", path);
		return -EPERM;
	}
	return 0;
}

static int listen_at(struct control *c)
{
	struct sockaddr_un fresh = {.sun_family = AF_UNIX};
	int r;

	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return -errno;
	if (is_answered(&c->address)) {
		log_error(
		        "%s: another execwardd answers there; stop it first", c->address.sun_path);
		return -EADDRINUSE;
	}
	/* Under a name of its own until it listens: who waits for the socket can connect at once.
	 */
	r = snprintf(fresh.sun_path, sizeof(fresh.sun_path), "%.*s.new",
	        (int)sizeof(fresh.sun_path) - 5, c->address.sun_path);
	if (r < 0 || (unlink(fresh.sun_path) < 0 && errno != ENOENT))
		return -errno;
	if (bind(c->listener, (const struct sockaddr *)&fresh, sizeof(fresh)) < 0)
		return -errno;
	r = chmod(fresh.sun_path, 0600) < 0 ? -errno : 0;
	if (r == 0 && listen(c->listener, CONTROL_CONNECTIONS_MAX) < 0)
		r = -errno;
	if (r == 0 && rename(fresh.sun_path, c->address.sun_path) < 0)
		r = -errno;
	return r;
}

int control_new(const char *runtime_dir, struct control **ret_control)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->listener = c->epoll = c->wake = -1;
	c->address.sun_family = AF_UNIX;
	r = snprintf(
	        c->address.sun_path, sizeof(c->address.sun_path), "%s/control.sock", runtime_dir);
	if (r < 0 || (size_t)r >= sizeof(c->address.sun_path) - strlen(".new")) {
		log_error("%s: runtime_dir is too long for a Unix socket", runtime_dir);
		c->address.sun_path[0] = '\0';
		r = -ENAMETOOLONG;
	} else {
		r = make_dir(runtime_dir);
	}
	if (r == 0)
		r = listen_at(c);
	if (r < 0) {
		if (r != -EADDRINUSE && r != -EPERM)
			log_error("%s: cannot make the control socket: %s", runtime_dir,
			        strerror(-r));
		c->address.sun_path[0] = '\0'; /* not ours to remove */
		control_free(c);
		return r;
	}
	*ret_control = c;
	return 0;
}

/*
 * Connections.
 */
static void connection_free(struct control *c, struct connection *connection)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (c->connections[i] == connection)
			c->connections[i] = NULL;
	c->n_following -= connection->following;
	cleanup_closep(&connection->fd);
	free(connection->in);
	free(connection->out);
	free(connection);
}

static int append(const char *line, size_t size, void *userdata)
{
	struct connection *connection = userdata;
	size_t need = connection->out_size + size + 1;

	if (need > CONTROL_OUTPUT_MAX)
		return -EFBIG;
	if (need > connection->out_room) {
		size_t room = need * 2;
		char *grown = realloc(connection->out, room);

		if (!grown)
			return -ENOMEM;
		connection->out = grown;
		connection->out_room = room;
	}
	memcpy(connection->out + connection->out_size, line, size);
	connection->out[connection->out_size + size] = '\n';
	connection->out_size = need;
	return 0;
}

static void watch(struct control *c, struct connection *connection)
{
	bool more = connection->out_sent < connection->out_size;
	struct epoll_event event = {
	        .events = EPOLLIN | (more ? (uint32_t)EPOLLOUT : 0u),
	        .data.ptr = connection,
	};

	(void)epoll_ctl(c->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Writes what the client takes; false when it is gone. */
static bool flush(struct control *c, struct connection *connection)
{
	while (connection->out_sent < connection->out_size) {
		ssize_t n = send(connection->fd, connection->out + connection->out_sent,
		        connection->out_size - connection->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		connection->out_sent += (size_t)n;
	}
	if (connection->out_sent == connection->out_size) {
		connection->out_sent = connection->out_size = 0;
		if (connection->closing)
			return false;
	}
	watch(c, connection);
	return true;
}

static void handle_line(
        struct control *c, struct connection *connection, const char *line, size_t size)
{
	struct control_reply reply = {
	        .engine = c->engine,
	        .store = c->store,
	        .peer_uid = connection->uid,
	        .send = append,
	        .userdata = connection,
	};

	if (control_handle(&reply, line, size) != 0)
		connection->closing = true;
	if (reply.follow && !connection->following) {
		connection->following = true;
		c->n_following++;
	}
	connection->active_ns = clock_monotonic_ns();
}

static void handle_lines(struct control *c, struct connection *connection)
{
	char *end;

	while (!connection->closing && (end = memchr(connection->in, '\n', connection->in_size))) {
		size_t size = (size_t)(end - connection->in);

		handle_line(c, connection, connection->in, size);
		connection->in_size -= size + 1;
		memmove(connection->in, end + 1, connection->in_size);
	}
	if (connection->in_size >= CONTROL_LINE_MAX) {
		static const char message[] = "{\"error\":\"too_large\",\"message\":\"a request is "
		                              "at most 64 KiB\",\"ok\":false}";

		(void)append(message, sizeof(message) - 1, connection);
		connection->closing = true;
		connection->in_size = 0;
	}
}

static bool receive(struct control *c, struct connection *connection)
{
	ssize_t n = recv(connection->fd, connection->in + connection->in_size,
	        CONTROL_LINE_MAX - connection->in_size, MSG_DONTWAIT);

	if (n == 0)
		return false;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->in_size += (size_t)n;
	handle_lines(c, connection);
	return flush(c, connection);
}

static struct connection **free_slot(struct control *c)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (!c->connections[i])
			return &c->connections[i];
	return NULL;
}

static void refuse(int fd, const char *word, const char *message)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "{\"error\":\"%s\",\"message\":\"%s\",\"ok\":false}\n",
	        word, message);

	(void)send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void accept_one(struct control *c)
{
	_cleanup_close_ int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection **slot = free_slot(c), *connection;
	struct epoll_event event = {.events = EPOLLIN};
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0) {
		refuse(fd, "denied", "only root may ask");
		return;
	}
	connection = slot ? calloc(1, sizeof(*connection)) : NULL;
	if (!connection || !(connection->in = malloc(CONTROL_LINE_MAX))) {
		refuse(fd, "unavailable", "too many connections");
		free(connection);
		return;
	}
	connection->uid = peer.uid;
	connection->active_ns = clock_monotonic_ns();
	event.data.ptr = connection;
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(connection->in);
		free(connection);
		return;
	}
	connection->fd = TAKE_FD(fd);
	*slot = connection;
}

/*
 * Followers. The recorder hands a line over and goes on.
 */
static void follow(const char *line, void *userdata)
{
	struct control *c = userdata;
	uint64_t one = 1;
	char *copy;

	if (c->n_following == 0 || !(copy = strdup(line)))
		return;
	if (!queue_push(c->follow, copy)) {
		free(copy);
		return;
	}
	(void)!write(c->wake, &one, sizeof(one));
}

static void send_followers(struct control *c, const char *line)
{
	_cleanup_free_ char *wrapped = NULL;
	int n = asprintf(&wrapped, "{\"event\":%s}", line);

	if (n < 0) {
		wrapped = NULL;
		return;
	}
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = c->connections[i];

		if (!connection || !connection->following)
			continue;
		if (append(wrapped, (size_t)n, connection) < 0 || !flush(c, connection))
			connection_free(c, connection);
	}
}

static void drain_follow(struct control *c)
{
	uint64_t ignored;
	char *line;

	(void)!read(c->wake, &ignored, sizeof(ignored));
	while ((line = queue_pop(c->follow, 0))) {
		send_followers(c, line);
		free(line);
	}
}

static void close_idle(struct control *c)
{
	int64_t before_ns = clock_monotonic_ns() - CONTROL_IDLE_MS * NS_PER_MSEC;

	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = c->connections[i];

		if (connection && !connection->following && connection->active_ns < before_ns)
			connection_free(c, connection);
	}
}

static bool has_connections(const struct control *c)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (c->connections[i] && !c->connections[i]->following)
			return true;
	return false;
}

static void handle_event(struct control *c, const struct epoll_event *event)
{
	struct connection *connection = event->data.ptr;
	bool alive;

	if (event->data.ptr == &c->listener) {
		accept_one(c);
		return;
	}
	if (event->data.ptr == &c->wake) {
		drain_follow(c);
		return;
	}
	alive = event->events & EPOLLOUT ? flush(c, connection) : receive(c, connection);
	if (!alive || (event->events & (EPOLLERR | EPOLLHUP)))
		connection_free(c, connection);
}

static void *control_main(void *userdata)
{
	struct control *c = userdata;
	struct epoll_event event;

	while (!c->stopping) {
		/* One event a time: a handler may free the connection of the next. */
		int n = epoll_wait(c->epoll, &event, 1, has_connections(c) ? CONTROL_IDLE_MS : -1);

		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			handle_event(c, &event);
		close_idle(c);
	}
	return NULL;
}

static int add_fd(struct control *c, int fd, void *tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int control_start(struct control *c, struct engine *engine)
{
	int r;

	c->engine = engine;
	r = store_open(engine_state_dir(engine), STORE_READ_ONLY, &c->store);
	if (r != 0)
		return r < 0 ? r : -EIO;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = c->epoll < 0 || c->wake < 0 ? -errno : queue_new(CONTROL_FOLLOW_MAX, &c->follow);
	if (r == 0)
		r = add_fd(c, c->listener, &c->listener);
	if (r == 0)
		r = add_fd(c, c->wake, &c->wake);
	if (r == 0)
		r = -pthread_create(&c->thread, NULL, control_main, c);
	c->started = r == 0;
	if (r == 0)
		recorder_follow(engine_recorder(engine), follow, c);
	return r;
}

void control_stop(struct control *c)
{
	uint64_t one = 1;

	if (!c || !c->started)
		return;
	recorder_follow(engine_recorder(c->engine), NULL, NULL);
	c->stopping = true;
	(void)!write(c->wake, &one, sizeof(one));
	pthread_join(c->thread, NULL);
	c->started = false;
}

void control_free(struct control *c)
{
	char *line;

	if (!c)
		return;
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (c->connections[i])
			connection_free(c, c->connections[i]);
	while (c->follow && (line = queue_pop(c->follow, 0)))
		free(line);
	queue_free(c->follow);
	store_free(c->store);
	cleanup_closep(&c->listener);
	cleanup_closep(&c->epoll);
	cleanup_closep(&c->wake);
	if (c->address.sun_path[0])
		(void)unlink(c->address.sun_path);
	free(c);
}
