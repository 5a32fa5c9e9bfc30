/*
 * Writes are whole lines with O_APPEND. An http output needs a thread and a queue of its own; it is
 * refused with a warning at start until it has them.
 */
#include "daemon/sinks.h"

#include "base/cleanup.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

struct sink {
	enum output_type type;
	char *path;
	int fd; /* STDOUT and FILE; -1: open at the next line */
};

struct sinks {
	pthread_mutex_t lock;
	struct faults *faults;
	struct sink *items;
	size_t n;
};

static void clear(struct sinks *sinks)
{
	for (size_t i = 0; i < sinks->n; i++) {
		free(sinks->items[i].path);
		if (sinks->items[i].type == OUTPUT_FILE)
			cleanup_closep(&sinks->items[i].fd);
	}
	free(sinks->items);
	sinks->items = NULL;
	sinks->n = 0;
}

static int open_file(const char *path)
{
	int fd;

	if (!path)
		return -1; /* config.h promises one; the analyser wants to see it */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		log_warning("%s: cannot open the output file: %s", path, strerror(errno));
	return fd;
}

static int fill(struct sinks *sinks, const struct config *config)
{
	sinks->items = calloc(config->n_outputs ?: 1, sizeof(sinks->items[0]));
	if (!sinks->items)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_outputs; i++) {
		const struct config_output *output = &config->outputs[i];
		struct sink *sink = &sinks->items[sinks->n];

		if (output->type == OUTPUT_HTTP) {
			log_warning(
			        "outputs: http is not served by this release; use a file output "
			        "and a shipper");
			continue;
		}
		*sink = (struct sink){.type = output->type, .fd = -1};
		if (output->path && !(sink->path = strdup(output->path)))
			return -ENOMEM;
		if (output->type == OUTPUT_FILE)
			sink->fd = open_file(sink->path);
		if (output->type == OUTPUT_STDOUT)
			sink->fd = STDOUT_FILENO;
		sinks->n++;
	}
	return 0;
}

int sinks_new(const struct config *config, struct faults *faults, struct sinks **ret_sinks)
{
	struct sinks *sinks = calloc(1, sizeof(*sinks));
	int r;

	if (!sinks)
		return -ENOMEM;
	pthread_mutex_init(&sinks->lock, NULL);
	sinks->faults = faults;
	r = fill(sinks, config);
	if (r < 0) {
		sinks_free(sinks);
		return r;
	}
	*ret_sinks = sinks;
	return 0;
}

void sinks_free(struct sinks *sinks)
{
	if (!sinks)
		return;
	clear(sinks);
	pthread_mutex_destroy(&sinks->lock);
	free(sinks);
}

int sinks_reload(struct sinks *sinks, const struct config *config)
{
	int r;

	pthread_mutex_lock(&sinks->lock);
	clear(sinks);
	r = fill(sinks, config);
	pthread_mutex_unlock(&sinks->lock);
	return r;
}

static int write_line(int fd, const char *line)
{
	struct iovec parts[] = {
	        {.iov_base = (void *)(uintptr_t)line, .iov_len = strlen(line)},
	        {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1},
	};
	ssize_t n = writev(fd, parts, 2);

	if (n < 0)
		return -errno;
	return (size_t)n == parts[0].iov_len + 1 ? 0 : -EIO;
}

static int emit(struct sink *sink, const char *line, bool critical)
{
	switch (sink->type) {
	case OUTPUT_STDOUT:
		return write_line(sink->fd, line);
	case OUTPUT_FILE:
		if (sink->fd < 0)
			sink->fd = open_file(sink->path);
		return sink->fd < 0 ? -EIO : write_line(sink->fd, line);
	case OUTPUT_JOURNALD:
		return sd_journal_send("MESSAGE=%s", line, "PRIORITY=%i",
		        critical ? LOG_CRIT : LOG_NOTICE, "SYSLOG_IDENTIFIER=execward", NULL);
	case OUTPUT_SYSLOG:
		syslog(LOG_DAEMON | (critical ? LOG_CRIT : LOG_NOTICE), "%s", line);
		return 0;
	default:
		return -EINVAL;
	}
}

void sinks_write(struct sinks *sinks, const char *line, bool critical)
{
	pthread_mutex_lock(&sinks->lock);
	for (size_t i = 0; i < sinks->n; i++)
		if (emit(&sinks->items[i], line, critical) < 0)
			faults_count(sinks->faults, FAULT_SINK);
	pthread_mutex_unlock(&sinks->lock);
}
