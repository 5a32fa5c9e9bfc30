/*
 * Packages: what is told of one has the name of a file, once, and a digest; in order. Time is
 * bounded: a file of holes is digested for as long as it says.
 */
#include "snapshot/package_file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LATE_S 2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile sig_atomic_t late;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void on_late(int number)
{
	(void)number;
	late = 1;
}

static int check(const struct entry *entry, void *userdata)
{
	char **last = userdata;

	require(entry_path_valid(entry->path) && entry->type == ENTRY_FILE);
	require(entry->content == CONTENT_KNOWN);
	require(!*last || strcmp(*last, entry->path) < 0);
	free(*last);
	*last = strdup(entry->path);
	require(*last != NULL);
	return 0;
}

/* Of this process's clock, started once. */
static timer_t timer_of_process(void)
{
	static timer_t timer;
	static bool started;

	if (!started) {
		struct sigaction action = {.sa_handler = on_late};

		require(sigaction(SIGUSR2, &action, NULL) == 0);
		require(timer_create(CLOCK_MONOTONIC,
		                &(struct sigevent){
		                        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2},
		                &timer) == 0);
		started = true;
	}
	return timer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_free_ char *last = NULL, *message = NULL;
	struct package_file_options options = {.fd = fd,
	        .what = "package",
	        .all_files = true,
	        .stop = &late,
	        .each = check,
	        .userdata = &last};
	timer_t timer = timer_of_process();
	int r;

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	late = 0;
	require(timer_settime(
	                timer, 0, &(struct itimerspec){.it_value = {.tv_sec = LATE_S}}, NULL) == 0);
	r = package_file_read(&options, &message);
	require(timer_settime(timer, 0, &(struct itimerspec){0}, NULL) == 0);
	require(r == 0 || r == SOURCE_E_CORRUPT || r == SOURCE_E_UNSUPPORTED ||
	        (r == -ECANCELED && late));
	return 0;
}
