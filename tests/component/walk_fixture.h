/* What the tests of walks share: a tree in a directory of its own, and what a walk found in it. */
#pragma once

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "snapshot/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ELF "\177ELF and so on"

#define ENTRIES_MAX 12000u

struct fixture {
	char dir[64];
	int fd;
	struct walk_options options;
	struct walk_totals totals;
	struct entry *entries; /* ENTRIES_MAX */
	size_t n, n_known, n_progress;
	unsigned int problems[WALK_TOO_LONG + 1];
	int error; /* of the last problem */
	char problem_path[ENTRY_PATH_MAX];
	struct fixture *before; /* what is known */
	void (*on_known)(struct fixture *f, const struct entry *entry);
	volatile sig_atomic_t stop;
	int add_result;
};

static inline const struct entry *find(const struct fixture *f, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->entries[i].path, path))
			return &f->entries[i];
	return NULL;
}

static inline int add(const struct entry *entry, void *userdata)
{
	struct fixture *f = userdata;

	assert_true(f->n < ENTRIES_MAX);
	assert_int_equal(entry_copy(entry, &f->entries[f->n]), 0);
	f->n++;
	return f->add_result;
}

static inline int known(struct entry *entry, void *userdata)
{
	struct fixture *f = userdata;
	const struct entry *before = f->before ? find(f->before, entry->path) : NULL;

	f->n_known++;
	if (f->on_known)
		f->on_known(f, entry);
	if (!before || before->content != CONTENT_KNOWN || !entry_unchanged(before, entry))
		return 0;
	entry->digest = before->digest;
	entry->kind = before->kind;
	entry->flags = before->flags;
	memcpy(entry->caps, before->caps, sizeof(entry->caps));
	entry->caps_size = before->caps_size;
	return 1;
}

static inline void problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct fixture *f = userdata;

	f->problems[problem]++;
	f->error = error;
	snprintf(f->problem_path, sizeof(f->problem_path), "%s", path);
}

static inline void progress(const struct walk_progress *walk, void *userdata)
{
	struct fixture *f = userdata;

	assert_true(walk->bytes_total >= walk->bytes && walk->elapsed_ns >= 0);
	f->n_progress++;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	/* In memory, where thousands of files are made in no time. */
	strcpy(f->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/execward-walk-XXXXXX"
	                                             : "/tmp/execward-walk-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->entries = calloc(ENTRIES_MAX, sizeof(f->entries[0]));
	assert_non_null(f->entries);
	f->options = (struct walk_options){.root_fd = f->fd,
	        .all_files = true,
	        .threads = 4,
	        .known = known,
	        .add = add,
	        .problem = problem,
	        .progress = progress,
	        .stop = &f->stop,
	        .userdata = f};
	*state = f;
	return 0;
}

/* Moves what is in a directory up beside it, so that it can be removed. */
static inline void flatten(int dir_fd, const char *name, unsigned int *counter)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir))) {
		char moved[32];

		snprintf(moved, sizeof(moved), "moved-%u", (*counter)++);
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			assert_int_equal(renameat(fd, d->d_name, dir_fd, moved), 0);
	}
	closedir(dir);
	assert_int_equal(unlinkat(dir_fd, name, AT_REMOVEDIR), 0);
}

/* A tree may be deeper than a path is long. */
static inline void empty(const char *path)
{
	unsigned int counter = 0, left;

	do {
		DIR *dir = opendir(path);
		const struct dirent *d;

		assert_non_null(dir);
		left = 0;
		while ((d = readdir(dir))) {
			if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
				continue;
			left++;
			if (unlinkat(dirfd(dir), d->d_name, 0) < 0)
				flatten(dirfd(dir), d->d_name, &counter);
		}
		closedir(dir);
	} while (left > 0);
}

static inline void forget(struct fixture *f)
{
	while (f->n > 0)
		entry_done(&f->entries[--f->n]);
	f->n_known = 0;
	memset(f->problems, 0, sizeof(f->problems));
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	forget(f);
	free(f->entries);
	close(f->fd);
	empty(f->dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static inline void make(
        const struct fixture *f, const char *path, const void *data, size_t size, mode_t mode)
{
	int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static inline void make_text(
        const struct fixture *f, const char *path, const char *text, mode_t mode)
{
	make(f, path, text, strlen(text), mode);
}

static inline void walk(struct fixture *f)
{
	assert_int_equal(walk_tree(&f->options, &f->totals), 0);
	assert_int_equal(f->totals.entries, f->n);
}

static inline const struct entry *need(const struct fixture *f, const char *path)
{
	const struct entry *entry = find(f, path);

	if (!entry) {
		fail_msg("no entry of %s", path);
		abort();
	}
	return entry;
}

static inline void check_digest(const struct entry *entry, const void *data, size_t size)
{
	struct digest digest;

	assert_int_equal(entry->content, CONTENT_KNOWN);
	assert_int_equal(digest_data(data, size, &digest), 0);
	assert_true(digest_equal(&digest, &entry->digest));
}

/* Until the clock has moved on so far that no change of now could look like the file's last one. */
static inline void settle(const struct fixture *f, const char *path)
{
	struct timespec until;
	struct stat st;

	assert_int_equal(fstatat(f->fd, path, &st, 0), 0);
	until = st.st_ctim;
	until.tv_nsec += 50 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) != 0)
		;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
