/*
 * What an event says is not looked at: any change is a reason to read the table again, and the
 * table is the truth. Containers' namespaces are watched like our own once they are known [6.15];
 * one that nobody knows yet shows with its container's first exec (guard.h), or in the look at all
 * of them that follows each change.
 */
#include "daemon/mounts_watch.h"

#include "base/cleanup.h"
#include "daemon/fan_groups.h"

#include <errno.h>
#include <libmount/libmount.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

#define QUIET_MS 250 /* a container's start is a burst of a dozen mounts within 100 ms */

struct mounts_watch {
	struct mounts *mounts;
	int group;
	struct libmnt_monitor *monitor;
	int stop;
	bool started;
	pthread_t thread;
};

static void drain(struct mounts_watch *w)
{
	_Alignas(struct fanotify_event_metadata) char buffer[FAN_READ_SIZE];

	if (w->group >= 0) {
		while (fan_groups_read(w->group, buffer) > 0)
			;
		return;
	}
	while (mnt_monitor_next_change(w->monitor, NULL, NULL) == 0)
		;
}

static void *watch_main(void *userdata)
{
	struct mounts_watch *w = userdata;
	struct pollfd fds[] = {
	        {.fd = w->stop, .events = POLLIN},
	        {.fd = w->group >= 0 ? w->group : mnt_monitor_get_fd(w->monitor), .events = POLLIN},
	};
	bool pending = false;

	for (;;) {
		int n = poll(fds, 2, pending ? QUIET_MS : -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || fds[0].revents)
			return NULL;
		if (n == 0) {
			pending = false;
			mounts_scan(w->mounts);
			continue;
		}
		drain(w);
		mounts_scan_known(w->mounts);
		pending = true;
	}
}

int mounts_watch_start(struct mounts *mounts, int group, struct mounts_watch **ret_watch)
{
	struct mounts_watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	w->mounts = mounts;
	w->group = group;
	w->stop = eventfd(0, EFD_CLOEXEC);
	if (w->stop < 0)
		r = -errno;
	if (r == 0 && group < 0) {
		w->monitor = mnt_new_monitor();
		r = w->monitor ? mnt_monitor_enable_kernel(w->monitor, 1) : -ENOMEM;
	}
	if (r == 0)
		r = -pthread_create(&w->thread, NULL, watch_main, w);
	if (r < 0) {
		mounts_watch_stop(w);
		return r;
	}
	w->started = true;
	*ret_watch = w;
	return 0;
}

void mounts_watch_stop(struct mounts_watch *w)
{
	uint64_t one = 1;

	if (!w)
		return;
	if (w->started) {
		(void)!write(w->stop, &one, sizeof(one));
		pthread_join(w->thread, NULL);
	}
	if (w->monitor)
		mnt_unref_monitor(w->monitor);
	cleanup_closep(&w->stop);
	free(w);
}
