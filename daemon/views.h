/*
 * Mount namespaces that have been looked at, and what was found in each: so that a namespace in
 * which nothing was mounted since costs one listmount(2), not a mount table to parse [6.11; before
 * that every look is a whole one].
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VIEWS_MAX       65536u  /* namespaces remembered */
#define VIEW_MOUNTS_MAX 100000u /* mounts of one; fs.mount-max's default */

/* Numbers of devices, mounts or namespaces, each once; for the few that one look finds. */
struct dev_set {
	dev_t *items;
	size_t n, room;
};

void dev_set_done(struct dev_set *set);
/* Without memory the number is left out. */
void dev_set_add(struct dev_set *set, dev_t dev);
bool dev_set_has(const struct dev_set *set, dev_t dev);

struct view {
	pid_t pid;            /* a task of it; 0: our own */
	ino_t ino;            /* of the namespace */
	uint64_t id;          /* never reused; 0 before Linux 6.11 */
	uint64_t fingerprint; /* of the unique ids of its mounts; 0 unknown */
};

/* Looks at the namespace of @pid: 0, or -errno when the task is gone. */
int view_look(pid_t pid, struct view *ret_view);

struct views;
int views_new(struct views **ret_views);
void views_free(struct views *views);

/*
 * What was found in the namespace when it had the same mounts (borrowed until the next call of any
 * function here), or NULL: it is new or has changed. Marks it as seen in @generation.
 */
const struct dev_set *views_unchanged(
        struct views *views, const struct view *view, uint64_t generation);
/* Remembers what was found; *@found is taken and emptied. True when the namespace is a new one. */
bool views_store(
        struct views *views, const struct view *view, uint64_t generation, struct dev_set *found);
/* The next look at each is a whole one. */
void views_forget(struct views *views);
/* Forgets namespaces that were not seen in @generation. */
void views_sweep(struct views *views, uint64_t generation);

/* Calls @fn for each namespace whose mounts are others than when it was stored. */
void views_each_changed(
        struct views *views, void (*fn)(const struct view *now, void *userdata), void *userdata);
