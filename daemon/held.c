/*
 * One lock orders the three things that must not mix: setting a mark, looking at its lease, and
 * handling a break. An entry is known by its descriptor's number, which is what the signal of a
 * broken lease carries, and which is the number that the lease was taken by.
 */
#include "daemon/held.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/backing.h"
#include "daemon/hashing.h"
#include "daemon/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <uthash.h>

#define EXPIRE_EARLY   (1 * NS_PER_SEC) /* the mark goes before what it stands for expires */
#define SIGNALS_A_READ 64u
#define LOOKS_A_KEEP   16u

enum kind { KIND_CONTAINERS = 0, KIND_HOST, _KIND_MAX };

/* What one container, or the host on one filesystem, holds. */
struct owner {
	const void *key;         /* the overlay's address, or the filesystem's */
	struct held_place place; /* a reference */
	enum kind kind;
	struct held_file *first, **tail; /* oldest first */
	size_t count;
	UT_hash_handle hh;
};

struct inode_key {
	uint64_t dev, ino;
};

struct held_file {
	int fd;
	struct inode_key key;
	struct owner *owner;
	int64_t until_ns;                /* CLOCK_REALTIME; 0 for ever */
	struct held_file *next, **link;  /* of the owner */
	struct lingering_item lingering; /* once the mark is gone */
	UT_hash_handle by_fd, by_inode;
};

struct held {
	struct held_context context;
	int signals, wake, timer;
	atomic_bool stopping;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	struct owner *owners;
	size_t counts[_KIND_MAX];
	struct held_file *by_fd, *by_inode; /* with a mark */
};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, LEASE_SIGNAL);
	sigaddset(&set, SIGIO);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int held_new(const struct held_context *context, struct held **ret_held)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->context = *context;
	pthread_mutex_init(&h->lock, NULL);
	h->signals = open_signals();
	h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (h->signals < 0 || h->wake < 0 || h->timer < 0) {
		int error = errno;

		held_free(h);
		return -error;
	}
	*ret_held = h;
	return 0;
}

/*
 * Entries. All with the lock held.
 */
static void list_remove(struct held_file *entry, struct held_file ***tail)
{
	*entry->link = entry->next;
	if (entry->next)
		entry->next->link = entry->link;
	else
		*tail = entry->link;
}

static void list_append(struct held_file *entry, struct held_file ***tail)
{
	entry->next = NULL;
	entry->link = *tail;
	**tail = entry;
	*tail = &entry->next;
}

static bool is_gone(const struct held_place *place)
{
	return place->host ? place->host->retired : place->overlay->retired;
}

static enum kind kind_of(const struct held_place *place)
{
	return place->host ? KIND_HOST : KIND_CONTAINERS;
}

static struct owner *owner_get(struct held *h, const struct held_place *place)
{
	const void *key = place->host ? (const void *)place->host : place->overlay;
	struct owner *owner = NULL;

	HASH_FIND_PTR(h->owners, &key, owner);
	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->key = key;
	owner->kind = kind_of(place);
	if (place->host)
		owner->place.host = hostfs_ref(place->host);
	else
		owner->place.overlay = overlay_ref(place->overlay);
	owner->tail = &owner->first;
	HASH_ADD_PTR(h->owners, key, owner);
	return owner;
}

static void owner_put(struct held *h, struct owner *owner)
{
	if (owner->count > 0)
		return;
	HASH_DEL(h->owners, owner);
	overlay_unref(h->context.overlays, owner->place.overlay);
	hostfs_unref(owner->place.host);
	free(owner);
}

static void end_lease(struct lingering_item *item)
{
	struct held_file *entry =
	        (struct held_file *)((char *)item - offsetof(struct held_file, lingering));

	close(entry->fd); /* the writer goes on */
	free(entry);
}

/* The mark is gone, or goes now; the lease stays for those whom it let pass, whoever they are. */
static void let_go(struct held *h, struct held_file *entry, bool unmark)
{
	struct owner *owner = entry->owner;

	if (unmark)
		fan_groups_recall(h->context.groups, entry->fd);
	HASH_DELETE(by_fd, h->by_fd, entry);
	HASH_DELETE(by_inode, h->by_inode, entry);
	list_remove(entry, &owner->tail);
	owner->count--;
	h->counts[owner->kind]--;
	owner_put(h, owner);
	entry->lingering = (struct lingering_item){.tgid = 0, .release = end_lease};
	lingering_add(h->context.lingering, &entry->lingering);
}

static void let_all_go(struct held *h, bool unmark)
{
	struct held_file *entry, *next;

	HASH_ITER(by_fd, h->by_fd, entry, next)
	let_go(h, entry, unmark);
}

static bool still_leased(const struct held_file *entry)
{
	return fcntl(entry->fd, F_GETLEASE) == F_RDLCK;
}

/* The kind that holds more gives one up; of two that hold the same, the one that asks. */
static void make_room(struct held *h, enum kind asking)
{
	enum kind other = asking == KIND_HOST ? KIND_CONTAINERS : KIND_HOST;
	enum kind giving = h->counts[other] > h->counts[asking] ? other : asking;
	struct owner *most = NULL;

	if (HASH_CNT(by_fd, h->by_fd) < h->context.max)
		return;
	for (struct owner *owner = h->owners; owner; owner = owner->hh.next)
		if (owner->kind == giving && (!most || owner->count > most->count))
			most = owner;
	if (most)
		let_go(h, most->first, true);
}

static void arm(const struct held *h, int64_t at_ns)
{
	struct itimerspec spec = {
	        .it_value = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC}};

	(void)timerfd_settime(h->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

/* Drops what is about to expire and sets the timer for the next. */
static void expire(struct held *h)
{
	int64_t now_ns = clock_realtime_ns(), next_ns = INT64_MAX;
	struct held_file *entry, *next;

	HASH_ITER(by_fd, h->by_fd, entry, next)
	{
		if (entry->until_ns == 0)
			continue;
		if (entry->until_ns - EXPIRE_EARLY <= now_ns)
			let_go(h, entry, true);
		else if (entry->until_ns < next_ns)
			next_ns = entry->until_ns;
	}
	arm(h, next_ns == INT64_MAX ? 0 : next_ns - EXPIRE_EARLY);
}

static void wake(const struct held *h)
{
	uint64_t one = 1;

	(void)!write(h->wake, &one, sizeof(one));
}

static struct held_file *entry_new(int fd, int64_t until_ns)
{
	struct held_file *entry = calloc(1, sizeof(*entry));
	struct file_look look = {0};

	if (!entry || file_look(fd, &look) < 0 || look.links == 0) {
		free(entry);
		return NULL;
	}
	entry->fd = fd;
	entry->until_ns = until_ns;
	entry->key = (struct inode_key){look.identity.dev, look.identity.ino};
	return entry;
}

static bool is_unlinked(const struct held_file *entry)
{
	struct file_look look = {0};

	return file_look(entry->fd, &look) == 0 && look.links == 0;
}

/*
 * Upgrades replace programs, and a descriptor keeps the old ones on the disk: with each new one a
 * few of the oldest are looked at. Those that still have a name go to the end of the line.
 */
static void look_at_oldest(struct held *h, struct owner *owner, const struct held_file *fresh)
{
	for (size_t n = owner->count < LOOKS_A_KEEP ? owner->count : LOOKS_A_KEEP; n > 0; n--) {
		struct held_file *entry = owner->first;

		if (entry != fresh && is_unlinked(entry)) {
			let_go(h, entry, true);
			continue;
		}
		list_remove(entry, &owner->tail);
		list_append(entry, &owner->tail);
	}
}

static bool keep_locked(struct held *h, const struct held_place *place, struct held_file *entry)
{
	struct held_file *before = NULL;
	struct owner *owner;

	HASH_FIND(by_inode, h->by_inode, &entry->key, sizeof(entry->key), before);
	if (before)
		let_go(h, before, true);
	make_room(h, kind_of(place));
	owner = owner_get(h, place);
	if (!owner)
		return false;
	entry->owner = owner;
	owner->count++;
	h->counts[owner->kind]++;
	list_append(entry, &owner->tail);
	HASH_ADD(by_fd, h->by_fd, fd, sizeof(entry->fd), entry);
	HASH_ADD(by_inode, h->by_inode, key, sizeof(entry->key), entry);
	/* Marked first, then looked at: a break in between is seen here or by its signal. */
	fan_groups_remember(h->context.groups, entry->fd);
	if (!still_leased(entry))
		let_go(h, entry, true);
	else if (entry->until_ns != 0)
		expire(h);
	else if (owner->kind == KIND_HOST)
		look_at_oldest(h, owner, entry);
	return true;
}

bool held_keep(struct held *h, const struct held_place *place, int64_t until_ns, int *fd)
{
	struct held_file *entry;
	bool kept;

	if (h->context.max == 0 || is_gone(place) ||
	        (until_ns != 0 && until_ns - EXPIRE_EARLY <= clock_realtime_ns()))
		return false;
	entry = entry_new(*fd, until_ns);
	if (!entry)
		return false;
	pthread_mutex_lock(&h->lock);
	kept = keep_locked(h, place, entry);
	pthread_mutex_unlock(&h->lock);
	if (!kept) {
		free(entry);
		return false;
	}
	*fd = -1;
	return true;
}

void held_forget(struct held *h)
{
	pthread_mutex_lock(&h->lock);
	fan_groups_forget(h->context.groups);
	let_all_go(h, false);
	pthread_mutex_unlock(&h->lock);
}

void held_sweep(struct held *h)
{
	struct held_file *entry, *next;

	pthread_mutex_lock(&h->lock);
	HASH_ITER(by_fd, h->by_fd, entry, next)
	if (is_gone(&entry->owner->place) || is_unlinked(entry))
		let_go(h, entry, true);
	pthread_mutex_unlock(&h->lock);
}

size_t held_count(struct held *h)
{
	size_t n;

	pthread_mutex_lock(&h->lock);
	n = HASH_CNT(by_fd, h->by_fd);
	pthread_mutex_unlock(&h->lock);
	return n;
}

/*
 * The thread.
 */
static void check(struct held *h, int fd)
{
	struct held_file *entry = NULL;

	HASH_FIND(by_fd, h->by_fd, &fd, sizeof(fd), entry);
	if (entry && !still_leased(entry))
		let_go(h, entry, true);
}

/* The kernel's queue of signals was full: any lease may be meant. */
static void check_all(struct held *h)
{
	struct held_file *entry, *next;

	HASH_ITER(by_fd, h->by_fd, entry, next)
	if (!still_leased(entry))
		let_go(h, entry, true);
}

static void read_signals(struct held *h)
{
	struct signalfd_siginfo infos[SIGNALS_A_READ];
	ssize_t n;

	while ((n = read(h->signals, infos, sizeof(infos))) > 0) {
		pthread_mutex_lock(&h->lock);
		for (size_t i = 0; i < (size_t)n / sizeof(infos[0]); i++) {
			if (infos[i].ssi_signo == SIGIO)
				check_all(h);
			else
				check(h, infos[i].ssi_fd);
		}
		pthread_mutex_unlock(&h->lock);
	}
}

/* The time came, or somebody set the clock. */
static void read_timer(struct held *h)
{
	uint64_t times;
	ssize_t n = read(h->timer, &times, sizeof(times));

	if (n < 0 && errno != ECANCELED)
		return;
	pthread_mutex_lock(&h->lock);
	expire(h);
	pthread_mutex_unlock(&h->lock);
}

static void *held_main(void *userdata)
{
	struct held *h = userdata;
	struct pollfd fds[] = {
	        {.fd = h->signals, .events = POLLIN},
	        {.fd = h->wake, .events = POLLIN},
	        {.fd = h->timer, .events = POLLIN},
	};

	thread_hurry(); /* a writer waits for this thread */
	while (!h->stopping) {
		uint64_t ignored;

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			break;
		(void)!read(h->wake, &ignored, sizeof(ignored));
		read_signals(h);
		if (fds[2].revents)
			read_timer(h);
	}
	return NULL;
}

int held_start(struct held *h)
{
	int r = -pthread_create(&h->thread, NULL, held_main, h);

	h->started = r == 0;
	return r;
}

void held_stop(struct held *h)
{
	if (!h)
		return;
	if (h->started) {
		h->stopping = true;
		wake(h);
		pthread_join(h->thread, NULL);
		h->started = false;
	}
	pthread_mutex_lock(&h->lock);
	let_all_go(h, false);
	pthread_mutex_unlock(&h->lock);
}

void held_free(struct held *h)
{
	if (!h)
		return;
	held_stop(h);
	cleanup_closep(&h->signals);
	cleanup_closep(&h->wake);
	cleanup_closep(&h->timer);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
