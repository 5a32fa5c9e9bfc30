/*
 * Walks of trees that somebody changes meanwhile, or has changed since; and how a walk ends early.
 */
#include "tests/component/walk_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* The program that was seen is a link to elsewhere when it is opened. */
static void swap_for_link(struct fixture *f, const struct entry *entry)
{
	if (strcmp(entry->path, "/victim"))
		return;
	assert_int_equal(unlinkat(f->fd, "victim", 0), 0);
	assert_int_equal(symlinkat("/usr/bin/env", f->fd, "victim"), 0);
}

static void swap_for_fifo(struct fixture *f, const struct entry *entry)
{
	if (strcmp(entry->path, "/victim"))
		return;
	assert_int_equal(unlinkat(f->fd, "victim", 0), 0);
	assert_int_equal(mkfifoat(f->fd, "victim", 0755), 0);
}

static void swap_directory(struct fixture *f, const struct entry *entry)
{
	if (strcmp(entry->path, "/sub/victim"))
		return;
	assert_int_equal(renameat(f->fd, "sub", f->fd, "gone"), 0);
	assert_int_equal(symlinkat("/usr/bin", f->fd, "sub"), 0);
}

static void test_swapped_while_looking(void **state)
{
	struct fixture *f = *state;

	make_text(f, "victim", ELF, 0755);
	f->on_known = swap_for_link;
	walk(f);
	assert_null(find(f, "/victim"));
	assert_int_equal(f->problems[WALK_VANISHED], 1);
	forget(f);
	assert_int_equal(unlinkat(f->fd, "victim", 0), 0);
	make_text(f, "victim", ELF, 0755);
	f->on_known = swap_for_fifo;
	walk(f);
	assert_null(find(f, "/victim"));
	assert_int_equal(f->problems[WALK_VANISHED], 1);
	forget(f);
	assert_int_equal(mkdirat(f->fd, "sub", 0755), 0);
	make_text(f, "sub/victim", ELF, 0755);
	f->on_known = swap_directory;
	walk(f);
	assert_null(find(f, "/sub/victim"));
	assert_int_equal(f->problems[WALK_VANISHED], 1);
}

/*
 * Change.
 */
/* Another look at the same tree, which knows what the first one found. */
static struct fixture *again(struct fixture *f)
{
	struct fixture *second = calloc(1, sizeof(*second));

	assert_non_null(second);
	*second = (struct fixture){.fd = f->fd, .options = f->options, .before = f};
	second->options.userdata = second;
	second->options.stop = &second->stop;
	second->entries = calloc(ENTRIES_MAX, sizeof(second->entries[0]));
	assert_non_null(second->entries);
	return second;
}

static void test_unchanged_is_not_read(void **state)
{
	struct fixture *f = *state, *second;
	struct timespec times[2];
	struct stat st;

	make_text(f, "same", ELF, 0755);
	make_text(f, "edited", ELF, 0755);
	make_text(f, "touched", ELF, 0755);
	make_text(f, "renamed", ELF, 0755);
	settle(f, "renamed");
	walk(f);
	assert_true(need(f, "/same")->settled);
	second = again(f);
	walk(second);
	assert_int_equal(second->totals.hashed, 0);
	assert_int_equal(second->totals.files, 4);
	check_digest(need(second, "/same"), ELF, strlen(ELF));
	assert_int_equal(need(second, "/same")->flags, ENTRY_EXECUTABLE);
	forget(second);
	/* The same size, and the old time put back: the change time tells. */
	assert_int_equal(fstatat(f->fd, "touched", &st, 0), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	make_text(f, "touched", "\177ELF and so ON", 0755);
	assert_int_equal(utimensat(f->fd, "touched", times, 0), 0);
	make_text(f, "edited", "\177ELF and so xx", 0755);
	make_text(f, "new", ELF, 0755);
	assert_int_equal(renameat(f->fd, "new", f->fd, "renamed"), 0);
	walk(second);
	assert_int_equal(second->totals.hashed, 3);
	check_digest(need(second, "/touched"), "\177ELF and so ON", strlen(ELF));
	forget(second);
	free(second->entries);
	free(second);
}

/* What changed in the clock's last tick may change again without a trace. */
static void test_fresh_is_not_settled(void **state)
{
	struct fixture *f = *state;
	struct timespec ahead[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	unsigned int unsettled = 0;

	/* Between the touch and the look less than 20 ms pass in one of a hundred tries. */
	for (unsigned int i = 0; i < 100 && unsettled == 0; i++) {
		make_text(f, "fresh", ELF, 0755);
		assert_int_equal(utimensat(f->fd, "fresh", ahead, 0), 0);
		walk(f);
		unsettled += !need(f, "/fresh")->settled;
		forget(f);
	}
	assert_int_equal(unsettled, 1);
}

static void edit(struct fixture *f, const struct entry *entry)
{
	if (!strcmp(entry->path, "/victim"))
		make_text(f, "victim", "#!/bin/sh\nnew and longer\n", 0755);
}

/* Seen, then changed once, then read: what is read is what the entry says. */
static void test_changed_before_the_read(void **state)
{
	struct fixture *f = *state;
	const struct entry *entry;

	make_text(f, "victim", ELF, 0644);
	f->on_known = edit;
	walk(f);
	entry = need(f, "/victim");
	check_digest(entry, "#!/bin/sh\nnew and longer\n", 25);
	assert_int_equal(entry->size, 25);
	assert_int_equal(entry->kind, EXEC_KIND_SCRIPT);
	assert_int_equal(f->problems[WALK_MUTABLE], 0);
}

struct writer {
	int fd;
	atomic_bool end, started;
};

static void *keep_writing(void *userdata)
{
	struct writer *writer = userdata;

	for (unsigned int i = 0; !writer->end; i++) {
		assert_int_equal(pwrite(writer->fd, &i, sizeof(i), 0), (ssize_t)sizeof(i));
		writer->started = true;
	}
	return NULL;
}

static void test_mutable(void **state)
{
	struct fixture *f = *state;
	struct writer writer = {.end = false};
	pthread_t thread;

	make_text(f, "log", ELF, 0755);
	make_text(f, "quiet", ELF, 0755);
	writer.fd = openat(f->fd, "log", O_WRONLY | O_CLOEXEC);
	/* Sparse: each read of it takes a while. */
	assert_int_equal(ftruncate(writer.fd, 64 << 20), 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_writing, &writer), 0);
	while (!writer.started)
		sched_yield();
	walk(f);
	writer.end = true;
	pthread_join(thread, NULL);
	close(writer.fd);
	assert_int_equal(f->problems[WALK_MUTABLE], 1);
	assert_string_equal(f->problem_path, "/log");
	assert_int_equal(f->totals.mutable_files, 1);
	assert_int_equal(need(f, "/log")->content, CONTENT_MUTABLE);
	assert_false(need(f, "/log")->settled);
	assert_int_equal(need(f, "/quiet")->content, CONTENT_KNOWN);
}

/*
 * Who may not, who stops, who refuses.
 */
static int walk_as_nobody(struct fixture *f)
{
	const struct entry *entry;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	if (walk_tree(&f->options, &f->totals) != 0)
		return 1;
	entry = find(f, "/secret");
	if (!entry || entry->content != CONTENT_UNREADABLE || entry->flags != ENTRY_EXECUTABLE)
		return 2;
	if (f->problems[WALK_UNREADABLE] != 2 || f->totals.unreadable != 2 || f->error != EACCES)
		return 3;
	if (!find(f, "/closed") || find(f, "/closed/x"))
		return 4;
	entry = find(f, "/open");
	return entry && entry->content == CONTENT_KNOWN ? 0 : 5;
}

static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	make_text(f, "secret", ELF, 0711);
	make_text(f, "open", ELF, 0755);
	assert_int_equal(mkdirat(f->fd, "closed", 0700), 0);
	make_text(f, "closed/x", ELF, 0755);
	assert_int_equal(chmod(f->dir, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(walk_as_nobody(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void stop_at_five(struct fixture *f, const struct entry *entry)
{
	(void)entry;
	if (f->n_known == 5)
		f->stop = 1;
}

static void test_stop(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%u", i);
		make_text(f, name, name, 0755);
	}
	f->on_known = stop_at_five;
	assert_int_equal(walk_tree(&f->options, &f->totals), -ECANCELED);
}

static void stop_now(struct fixture *f, const struct entry *entry)
{
	if (entry->type == ENTRY_FILE)
		f->stop = 1;
}

/* A file of a terabyte, though there is nothing in it, takes minutes to read. */
static void test_stop_within_a_file(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_text(f, "huge", "", 0755);
	fd = openat(f->fd, "huge", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
	close(fd);
	f->on_known = stop_now;
	assert_int_equal(walk_tree(&f->options, &f->totals), -ECANCELED);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%u", i);
		make_text(f, name, name, 0755);
	}
	f->add_result = 42;
	assert_int_equal(walk_tree(&f->options, &f->totals), 42);
	assert_int_equal(f->n, 1);
}

static void test_threads(void **state)
{
	struct fixture *f = *state;

	make_text(f, "one", ELF, 0755);
	for (unsigned int n = 0; n <= 300; n += n < 4 ? 1 : 74) {
		f->options.threads = n;
		walk(f);
		check_digest(need(f, "/one"), ELF, strlen(ELF));
		forget(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_swapped_while_looking),
	        TEST(test_unchanged_is_not_read),
	        TEST(test_fresh_is_not_settled),
	        TEST(test_changed_before_the_read),
	        TEST(test_mutable),
	        TEST(test_unreadable),
	        TEST(test_stop),
	        TEST(test_stop_within_a_file),
	        TEST(test_refused),
	        TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
