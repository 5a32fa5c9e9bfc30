/* Filled once at start, read by the pool: no lock. */
#include "daemon/runtime_init.h"

#include "base/cleanup.h"
#include "daemon/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Docker's and podman's defaults, in Debian, Fedora and upstream packages. */
static const char *const places[] = {
        "/usr/bin/docker-init",
        "/usr/sbin/docker-init",
        "/usr/libexec/docker/docker-init",
        "/usr/bin/tini",
        "/usr/bin/tini-static",
        "/usr/bin/catatonit",
        "/usr/libexec/podman/catatonit",
        "/usr/libexec/catatonit/catatonit",
        "/usr/lib/podman/catatonit",
};

#define N_PLACES (sizeof(places) / sizeof(places[0]))

struct runtime_init {
	size_t n;
	struct file_identity items[N_PLACES];
};

static void add(struct runtime_init *table, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct file_identity identity;
	struct stat st;
	mode_t mode;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	        (st.st_mode & 022) || file_identity_of(fd, &identity, &mode) < 0)
		return;
	table->items[table->n++] = identity;
}

int runtime_init_new(struct runtime_init **ret_table)
{
	struct runtime_init *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < N_PLACES; i++)
		add(table, places[i]);
	*ret_table = table;
	return 0;
}

void runtime_init_free(struct runtime_init *table)
{
	free(table);
}

bool runtime_init_has(const struct runtime_init *table, const struct file_identity *identity)
{
	for (size_t i = 0; i < table->n; i++)
		if (file_identity_equal(&table->items[i], identity))
			return true;
	return false;
}
