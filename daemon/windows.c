/*
 * The key is what makes two execs the same to an operator: the same file in the same container with
 * the same verdict for the same reason. Windows stand in order of their opening.
 */
#include "daemon/windows.h"

#include "core/alert.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#define ECHO_NS INT64_C(1000000000) /* the second event follows the first within microseconds */

struct window_key {
	uint64_t dev, ino, container;
	int64_t btime_ns;
	int verdict, reason, fault, padding;
	struct digest digest;
};

struct window {
	struct window_key key;
	char *line; /* as text: 2 KiB, where the object is 17 */
	int64_t event_row;
	uint64_t count;
	int64_t last_ns, end_ns;
	bool dirty;
	pid_t last_pid; /* and by which mark it was seen last */
	bool last_by_overlay;
	UT_hash_handle hh;
};

struct windows {
	struct window *items; /* oldest first */
	size_t max;
	size_t n_dirty;
	int64_t window_ns;
};

int windows_new(size_t max, struct windows **ret_windows)
{
	struct windows *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->max = max;
	*ret_windows = w;
	return 0;
}

static void window_remove(struct windows *w, struct window *window)
{
	HASH_DEL(w->items, window);
	w->n_dirty -= window->dirty;
	free(window->line);
	free(window);
}

void windows_free(struct windows *w)
{
	if (!w)
		return;
	while (w->items)
		window_remove(w, w->items);
	free(w);
}

/* FNV-1a, 64 bit: tells containers apart, nothing depends on it but a count. */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static struct window_key key_of(const struct record *record)
{
	struct window_key key;

	memset(&key, 0, sizeof(key)); /* padding is part of the key */
	key.dev = record->facts.identity.dev;
	key.ino = record->facts.identity.ino;
	key.container = hash_text(record->facts.container.key);
	key.btime_ns = record->facts.identity.btime_ns;
	key.verdict = (int)record->decision.verdict;
	key.reason = (int)record->decision.reason;
	key.fault = (int)record->fault;
	if (record->facts.has_digest)
		key.digest = record->facts.digest;
	return key;
}

static struct window *find(const struct windows *w, const struct record *record)
{
	struct window_key key = key_of(record);
	struct window *window = NULL;

	HASH_FIND(hh, w->items, &key, sizeof(key), window);
	return window;
}

/*
 * With marks on an overlay and on the filesystem below it, one exec that is let through raises
 * twice, the overlay first: the same task and file, seen by the other mark, at once.
 */
static bool is_echo(struct window *window, const struct record *record)
{
	if (!window->last_by_overlay || record->by_overlay ||
	        window->last_pid != record->facts.process.pid ||
	        record->facts.time_ns - window->last_ns > ECHO_NS)
		return false;
	window->last_by_overlay = false;
	return true;
}

bool windows_count(struct windows *w, const struct record *record, int64_t window_ns)
{
	struct window *window = find(w, record);

	w->window_ns = window_ns;
	if (!window || record->facts.time_ns >= window->end_ns)
		return false;
	if (is_echo(window, record))
		return true;
	window->last_pid = record->facts.process.pid;
	window->last_by_overlay = record->by_overlay;
	window->count++;
	if (record->facts.time_ns > window->last_ns)
		window->last_ns = record->facts.time_ns;
	w->n_dirty += !window->dirty;
	window->dirty = true;
	return true;
}

/* One without repeats has nothing left to say; another is closed by the next flush. */
static void end_oldest(struct windows *w)
{
	if (w->items->dirty || w->items->count > 1)
		w->items->end_ns = 0;
	else
		window_remove(w, w->items);
}

void windows_open(
        struct windows *w, const struct record *record, const char *line, int64_t event_row)
{
	struct window *window = find(w, record);

	if (window)
		window->end_ns = 0; /* ended, not flushed yet: the next flush closes it */
	window = window ? NULL : calloc(1, sizeof(*window));
	if (!window || !(window->line = strdup(line))) {
		free(window);
		return;
	}
	if (HASH_COUNT(w->items) >= w->max)
		end_oldest(w);
	window->key = key_of(record);
	window->event_row = event_row;
	window->count = 1;
	window->last_pid = record->facts.process.pid;
	window->last_by_overlay = record->by_overlay;
	window->last_ns = record->facts.time_ns;
	window->end_ns = record->facts.time_ns + w->window_ns;
	HASH_ADD(hh, w->items, key, sizeof(window->key), window);
}

static void bring_up_to_date(struct window *window)
{
	json_t *alert = json_loads(window->line, 0, NULL);
	json_t *fields = json_object_get(alert, "output_fields");
	char *line;

	json_object_set_new(fields, "execward.count", json_integer((json_int_t)window->count));
	json_object_set_new(fields, "execward.last_ns", json_integer((json_int_t)window->last_ns));
	line = fields ? alert_to_line(alert) : NULL;
	json_decref(alert);
	if (!line)
		return; /* without memory: the count before */
	free(window->line);
	window->line = line;
}

void windows_flush(struct windows *w, int64_t now_ns,
        void (*fn)(const struct window_state *state, void *userdata), void *userdata)
{
	struct window *window, *next;

	HASH_ITER(hh, w->items, window, next)
	{
		bool over = window->end_ns <= now_ns;
		struct window_state state = {
		        .event_row = window->event_row,
		        .count = window->count,
		        .last_ns = window->last_ns,
		        .verdict = (enum verdict)window->key.verdict,
		        .closing = over && window->count > 1,
		};

		if (window->dirty || state.closing) {
			bring_up_to_date(window);
			state.line = window->line;
			fn(&state, userdata);
		}
		w->n_dirty -= window->dirty;
		window->dirty = false;
		if (over)
			window_remove(w, window);
	}
}

bool windows_pending(const struct windows *w)
{
	return w->items != NULL;
}

bool windows_dirty(const struct windows *w)
{
	return w->n_dirty > 0;
}

int64_t windows_next_end(const struct windows *w, int64_t now_ns)
{
	if (!w->items)
		return -1;
	return w->items->end_ns > now_ns ? w->items->end_ns - now_ns : 0;
}
