/*
 * The fingerprint is a hash over ids that the kernel gives out once and that nobody chooses: two
 * lists that differ do not collide by anybody's doing. Used by one thread at a time (the scan lock
 * of mounts.c).
 */
#include "daemon/views.h"

#include "base/cleanup.h"
#include "daemon/kernel_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <uthash.h>

#define IDS_A_CALL 512u

struct view_entry {
	uint64_t id;
	struct view view;
	struct dev_set found;
	uint64_t seen;
	UT_hash_handle hh;
};

struct views {
	struct view_entry *entries;
};

void dev_set_done(struct dev_set *set)
{
	free(set->items);
	*set = (struct dev_set){0};
}

bool dev_set_has(const struct dev_set *set, dev_t dev)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->items[i] == dev)
			return true;
	return false;
}

void dev_set_add(struct dev_set *set, dev_t dev)
{
	if (dev_set_has(set, dev))
		return;
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 32;
		dev_t *grown = reallocarray(set->items, room, sizeof(*grown));

		if (!grown)
			return;
		set->items = grown;
		set->room = room;
	}
	set->items[set->n++] = dev;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	/* splitmix64's finaliser; constants of Steele, Lea and Flood, OOPSLA 2014 */
	value += hash + 0x9e3779b97f4a7c15u;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static uint64_t fingerprint(uint64_t ns_id)
{
	struct abi_mnt_id_req request = {
	        .size = sizeof(request), .mnt_id = ABI_LSMT_ROOT, .mnt_ns_id = ns_id};
	uint64_t ids[IDS_A_CALL], hash = 1;

	for (size_t total = 0; total < VIEW_MOUNTS_MAX;) {
		long n = syscall(ABI_SYS_LISTMOUNT, &request, ids, (size_t)IDS_A_CALL, 0u);

		if (n < 0)
			return 0;
		for (long i = 0; i < n; i++)
			hash = mix(hash, ids[i]);
		if (n < (long)IDS_A_CALL)
			return hash;
		request.param = ids[n - 1];
		total += (size_t)n;
	}
	return 0;
}

int view_look(pid_t pid, struct view *ret_view)
{
	_cleanup_close_ int fd = -1;
	struct view view = {.pid = pid};
	char path[48];
	struct stat st;

	if (pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/mnt");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	view.ino = st.st_ino;
	if (ioctl(fd, ABI_NS_GET_MNTNS_ID, &view.id) == 0)
		view.fingerprint = fingerprint(view.id);
	else
		view.id = 0;
	*ret_view = view;
	return 0;
}

int views_new(struct views **ret_views)
{
	*ret_views = calloc(1, sizeof(**ret_views));
	return *ret_views ? 0 : -ENOMEM;
}

static void entry_remove(struct views *views, struct view_entry *entry)
{
	HASH_DEL(views->entries, entry);
	dev_set_done(&entry->found);
	free(entry);
}

void views_free(struct views *views)
{
	if (!views)
		return;
	while (views->entries)
		entry_remove(views, views->entries);
	free(views);
}

const struct dev_set *views_unchanged(
        struct views *views, const struct view *view, uint64_t generation)
{
	struct view_entry *entry = NULL;

	if (view->id == 0 || view->fingerprint == 0)
		return NULL;
	HASH_FIND(hh, views->entries, &view->id, sizeof(view->id), entry);
	if (!entry)
		return NULL;
	entry->seen = generation;
	entry->view.pid = view->pid;
	return entry->view.fingerprint == view->fingerprint ? &entry->found : NULL;
}

bool views_store(
        struct views *views, const struct view *view, uint64_t generation, struct dev_set *found)
{
	struct view_entry *entry = NULL;
	bool fresh = false;

	if (view->id != 0)
		HASH_FIND(hh, views->entries, &view->id, sizeof(view->id), entry);
	if (!entry && view->id != 0 && HASH_COUNT(views->entries) < VIEWS_MAX &&
	        (entry = calloc(1, sizeof(*entry)))) {
		entry->id = view->id;
		HASH_ADD(hh, views->entries, id, sizeof(entry->id), entry);
		fresh = true;
	}
	if (entry) {
		dev_set_done(&entry->found);
		entry->found = *found;
		*found = (struct dev_set){0};
		entry->view = *view;
		entry->seen = generation;
	}
	dev_set_done(found);
	return fresh || view->id == 0;
}

void views_forget(struct views *views)
{
	for (struct view_entry *entry = views->entries; entry; entry = entry->hh.next)
		entry->view.fingerprint = 0;
}

void views_sweep(struct views *views, uint64_t generation)
{
	struct view_entry *entry, *next;

	HASH_ITER(hh, views->entries, entry, next)
	if (entry->seen < generation)
		entry_remove(views, entry);
}

void views_each_changed(
        struct views *views, void (*fn)(const struct view *now, void *userdata), void *userdata)
{
	struct view_entry *entry, *next;

	HASH_ITER(hh, views->entries, entry, next)
	{
		struct view now;

		/* A task that is gone, or another by now: the next whole scan finds one. */
		if (view_look(entry->view.pid, &now) == 0 && now.id == entry->id &&
		        now.fingerprint != entry->view.fingerprint)
			fn(&now, userdata);
	}
}
