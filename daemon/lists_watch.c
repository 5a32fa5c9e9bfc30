/*
 * One poll(2) over the directory, a wake-up and a clock. The clock is set to the next time at which
 * something is to be said, and tells when somebody sets the host's.
 */
#include "daemon/lists_watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#define SAVE_EVERY_NS                                                                              \
	(600 * NS_PER_SEC) /* the time that was trusted; a clock may lag by as much                \
	                    */

/* What was said of a list last. */
struct said {
	int64_t id;
	enum allowlist_reason reason;
	bool in_grace;
};

struct lists_watch {
	struct lists_watch_context context;
	struct lists_directory *directory;
	int wake, timer;
	_Atomic bool stopping;
	bool started;
	pthread_t thread;
	struct said said[ALLOWLISTS_MAX];
	size_t n_said;
	int64_t saved_ns; /* what was written last of the time that was trusted; 0: nothing */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t looked;
	uint64_t wanted, done; /* looks at the directory */
	bool ended;            /* the thread */
};

/*
 * Saying.
 */
static const struct said *said_of(const struct lists_watch *w, int64_t id)
{
	for (size_t i = 0; i < w->n_said; i++)
		if (w->said[i].id == id)
			return &w->said[i];
	return NULL;
}

static void say(
        const struct allowlist_info *info, const struct said *now, const struct said *before)
{
	_cleanup_free_ char *series = text_for_terminal(info->statement.series);
	unsigned long long version = (unsigned long long)info->statement.version;

	if (before && before->reason == now->reason && before->in_grace == now->in_grace)
		return;
	if (now->reason != ALLOWLIST_ACCEPTED)
		log_error("allowlists: series %s, version %llu, IS NOT IN FORCE (%s): %s",
		        series ?: "?", version, allowlist_reason_name(now->reason),
		        allowlist_reason_text(now->reason));
	else if (now->in_grace)
		log_warning("allowlists: series %s, version %llu, HAS EXPIRED and goes on for "
		            "trust.grace only: install a newer one",
		        series ?: "?", version);
	else if (before)
		log_notice("allowlists: series %s, version %llu, is in force again", series ?: "?",
		        version);
}

static int64_t earlier_after(int64_t a, int64_t b, int64_t now_ns)
{
	return b > now_ns && b < a ? b : a;
}

/* Says what is new; when to look again. */
static int64_t review(struct lists_watch *w, int64_t now_ns)
{
	struct ruling *ruling = rulings_get(w->context.directory.rulings);
	const struct allowlists *lists = ruling_allowlists(ruling);
	struct said *all = calloc(ALLOWLISTS_MAX, sizeof(*all));
	size_t n = allowlists_count(lists);
	int64_t next_ns = n > 0 ? now_ns + SAVE_EVERY_NS : INT64_MAX;
	struct allowlists_terms terms;

	ruling_terms(ruling, now_ns, &terms);
	for (size_t i = 0; i < n && i < ALLOWLISTS_MAX && all; i++) {
		const struct allowlist_info *info = allowlists_get(lists, i);
		int64_t expires_ns = info->statement.expires_ns;

		all[i].id = info->id;
		all[i].reason = allowlists_state(info, &terms);
		all[i].in_grace = all[i].reason == ALLOWLIST_ACCEPTED && expires_ns <= now_ns;
		say(info, &all[i], said_of(w, info->id));
		next_ns = earlier_after(next_ns, expires_ns, now_ns);
		if (all[i].reason == ALLOWLIST_ACCEPTED)
			next_ns = earlier_after(next_ns, allowlists_until(info, &terms), now_ns);
	}
	if (all)
		memcpy(w->said, all, sizeof(w->said));
	w->n_said = all ? n : 0;
	free(all);
	ruling_unref(ruling);
	return next_ns;
}

static void save_time(struct lists_watch *w, int64_t now_ns)
{
	int64_t latest_ns = allowlists_clock_see(w->context.clock, now_ns);
	struct store *store;

	/* Earlier than what was saved: an operator has reset it. */
	if (w->n_said == 0 || (latest_ns >= w->saved_ns && latest_ns - w->saved_ns < SAVE_EVERY_NS))
		return;
	store = lists_directory_store(w->directory);
	if (store && store_trusted_now_set(store, latest_ns) != 0)
		log_error("allowlists: the trusted time cannot be kept: %s", store_error(store));
	else if (store)
		w->saved_ns = latest_ns;
}

static void arm(const struct lists_watch *w, int64_t at_ns)
{
	struct itimerspec spec = {
	        .it_value = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC}};

	if (at_ns == INT64_MAX)
		spec.it_value = (struct timespec){0};
	(void)timerfd_settime(w->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

/*
 * The thread.
 */
static void take_over(struct lists_watch *w)
{
	struct ruling *ruling;

	if (w->stopping || w->context.changed(w->context.userdata) != 0)
		return; /* the next start sees it; or it was said where it failed */
	ruling = rulings_get(w->context.directory.rulings);
	log_notice("allowlists: %zu installed, from now on",
	        allowlists_count(ruling_allowlists(ruling)));
	ruling_unref(ruling);
}

static void look_if_wanted(struct lists_watch *w)
{
	uint64_t wanted;
	bool changed;

	pthread_mutex_lock(&w->lock);
	wanted = w->wanted;
	changed = wanted != w->done;
	pthread_mutex_unlock(&w->lock);
	if (!changed)
		return;
	if (lists_directory_look(w->directory))
		take_over(w);
	pthread_mutex_lock(&w->lock);
	w->done = wanted;
	pthread_cond_broadcast(&w->looked);
	pthread_mutex_unlock(&w->lock);
}

/* False: somebody has set the host's clock. */
static bool read_timer(const struct lists_watch *w)
{
	uint64_t times;

	return read(w->timer, &times, sizeof(times)) >= 0 || errno != ECANCELED;
}

static void *watch_main(void *userdata)
{
	struct lists_watch *w = userdata;
	struct pollfd fds[] = {
	        {.fd = w->wake, .events = POLLIN},
	        {.fd = lists_directory_fd(w->directory), .events = POLLIN},
	        {.fd = w->timer, .events = POLLIN},
	};

	while (!w->stopping) {
		uint64_t ignored;
		int64_t now_ns;

		look_if_wanted(w);
		now_ns = clock_realtime_ns();
		arm(w, review(w, now_ns));
		save_time(w, now_ns);
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			break;
		(void)!read(w->wake, &ignored, sizeof(ignored));
		if (fds[2].revents && !read_timer(w))
			w->context.clock_set(w->context.userdata);
		if (fds[1].revents && lists_directory_read(w->directory))
			take_over(w);
	}
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->looked);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void watch_free(struct lists_watch *w)
{
	lists_directory_free(w->directory);
	cleanup_closep(&w->wake);
	cleanup_closep(&w->timer);
	pthread_cond_destroy(&w->looked);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void init_waiting(struct lists_watch *w)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->looked, &attributes);
	pthread_condattr_destroy(&attributes);
}

int lists_watch_start(const struct lists_watch_context *context, struct lists_watch **ret_watch)
{
	struct lists_watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	init_waiting(w);
	w->context = *context;
	w->wanted = 1;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->wake < 0 || w->timer < 0)
		r = -errno;
	if (r == 0)
		r = lists_directory_new(&context->directory, &w->directory);
	if (r == 0)
		r = -pthread_create(&w->thread, NULL, watch_main, w);
	if (r < 0) {
		watch_free(w);
		return r;
	}
	w->started = true;
	*ret_watch = w;
	return 0;
}

static void wake(const struct lists_watch *w)
{
	uint64_t one = 1;

	(void)!write(w->wake, &one, sizeof(one));
}

/* For a look, or for the end of the thread. */
static bool wait_for(struct lists_watch *w, uint64_t look, unsigned int timeout_ms)
{
	bool ended;
	int64_t end_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MSEC;
	struct timespec end = {.tv_sec = end_ns / NS_PER_SEC, .tv_nsec = end_ns % NS_PER_SEC};
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (w->done < look && !w->ended && r == 0)
		r = pthread_cond_timedwait(&w->looked, &w->lock, &end);
	ended = w->ended;
	pthread_mutex_unlock(&w->lock);
	return ended;
}

void lists_watch_settle(struct lists_watch *w, unsigned int timeout_ms)
{
	(void)wait_for(w, 1, timeout_ms);
}

void lists_watch_look(struct lists_watch *w, unsigned int timeout_ms)
{
	uint64_t look;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	look = ++w->wanted;
	pthread_mutex_unlock(&w->lock);
	wake(w);
	(void)wait_for(w, look, timeout_ms);
}

void lists_watch_review(struct lists_watch *w)
{
	if (w)
		wake(w);
}

void lists_watch_end(struct lists_watch *w)
{
	if (!w)
		return;
	w->stopping = true;
	lists_directory_end(w->directory);
	wake(w);
}

bool lists_watch_ended(struct lists_watch *w, unsigned int timeout_ms)
{
	return !w || wait_for(w, UINT64_MAX, timeout_ms);
}

void lists_watch_stop(struct lists_watch *w)
{
	if (!w)
		return;
	lists_watch_end(w);
	if (w->started)
		pthread_join(w->thread, NULL);
	watch_free(w);
}

void lists_watch_report(struct lists_watch *w, struct lists_report *ret_report)
{
	if (lists_directory_report(w->directory, ret_report) < 0)
		*ret_report = (struct lists_report){0};
}
