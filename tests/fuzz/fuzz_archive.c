/*
 * The first byte tells what the rest is: 'a' an image's archive, as it is; 'l' two layers, cut in
 * the middle, that are staged and merged whatever their digests are. Sums of tar headers are put
 * right before, or nearly nothing would get past them; both tars lie at multiples of 512 bytes.
 *
 * What comes out is an image: paths in order, each once, no whiteouts, executables with a digest.
 * What is refused leaves nothing.
 */
#include "base/cleanup.h"
#include "snapshot/archive_feed.h"
#include "snapshot/archive_layer.h"
#include "snapshot/merge.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BLOCK 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void put_sums_right(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
		unsigned int sum = 0;
		char text[8];

		if (memcmp(data + at + 257, "ustar", 5) != 0)
			continue;
		memset(data + at + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += data[at + i];
		snprintf(text, sizeof(text), "%06o", sum % 01000000);
		memcpy(data + at + 148, text, 7);
	}
}

static int open_bytes(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/*
 * One database for all inputs: to make one takes longer than most of them. Each leaves it empty. A
 * file of holes is digested for as long as it says; here it is stopped.
 */
#define LATE_S 2u

static struct {
	char dir[64];
	struct store *store;
	volatile sig_atomic_t late;
	timer_t timer;
} place;

struct order {
	char *last;
	uint64_t n;
};

static int check_entry(const struct entry *entry, void *userdata)
{
	struct order *order = userdata;

	require(entry_path_valid(entry->path) && strcmp(entry->path, "/") != 0);
	require(!order->last || entry_path_compare(order->last, entry->path) < 0);
	require(entry->type != ENTRY_WHITEOUT && entry->type != ENTRY_UNSET);
	require(!(entry->flags & ENTRY_OPAQUE));
	require(!(entry->flags & ENTRY_EXECUTABLE) || entry->content == CONTENT_KNOWN);
	free(order->last);
	order->last = strdup(entry->path);
	order->n++;
	return 0;
}

static int check_row(const struct entry *entry, int64_t id, void *userdata)
{
	(void)id;
	return check_entry(entry, userdata);
}

/* The id that comes next: every one before it was used. */
static int64_t next_id(struct store *store)
{
	const struct snapshot_info info = {.kind = SNAPSHOT_LAYER, .name = (char[]){"next"}};
	int64_t id;

	require(store_snapshot_begin(store, &info, &id) == 0);
	require(store_snapshot_remove(store, id) == 0);
	return id + 1;
}

/* Snapshots from @first on: none is left, or what is left goes. */
static void remove_from(struct store *store, int64_t first, bool left)
{
	for (int64_t id = first, end = next_id(store); id < end; id++) {
		int r = store_snapshot_remove(store, id);

		require(r == STORE_E_NOTFOUND || (left && r == 0));
	}
}

static void run_archive(struct store *store, const uint8_t *data, size_t size)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_free_ char *message = NULL;
	_cleanup_close_ int fd = open_bytes(data, size);
	const struct source_request request = {
	        .store = store, .all_files = size % 2, .stop = &place.late};
	struct source_stats stats = {0};
	struct order order = {0};
	const int64_t first = next_id(store);
	int r = snapshot_archive(&request, fd, "fuzz", &info, &stats, &message);

	if (r != 0) {
		require((r >= SOURCE_E_NOTFOUND && r <= SOURCE_E_CORRUPT && message) ||
		        (r == -ECANCELED && place.late));
		remove_from(store, first, false);
		return;
	}
	require(!message && stats.layers == stats.layers_hashed + stats.layers_shared);
	require(store_entries(store, info.id, NULL, check_row, &order) == 0);
	require(order.n == info.entries);
	free(order.last);
	remove_from(store, first, true);
}

static int stage_bytes(struct store *store, const uint8_t *data, size_t size, int64_t *ret_id)
{
	const struct snapshot_info info = {.kind = SNAPSHOT_LAYER, .name = (char[]){"layer"}};
	const struct layer_options options = {.all_files = true, .stop = &place.late};
	_cleanup_(image_fault_done) struct image_fault fault = {0};
	_cleanup_(stage_freep) struct stage *stage = NULL;
	_cleanup_close_ int fd = open_bytes(data, size);
	_cleanup_(feed_done) struct feed feed = {.fd = fd, .what = "layer", .fault = &fault};
	struct layer_totals totals;
	int r = feed_init(&feed, true);

	require(r == 0 && stage_new(store, &info, "layer", &fault, &stage) == 0);
	r = layer_read(&feed, &options, stage, &totals);
	require(r == 0 || (r == SOURCE_E_CORRUPT && fault.message) ||
	        (r == -ECANCELED && place.late));
	*ret_id = stage_id(stage);
	return r;
}

static void run_layers(struct store *store, const uint8_t *data, size_t size)
{
	size_t half = size / 2 / BLOCK * BLOCK;
	struct walk_totals totals;
	struct order order = {0};
	const int64_t first = next_id(store);
	int64_t layers[2];

	if (stage_bytes(store, data, half, &layers[1]) != 0 ||
	        stage_bytes(store, data + half, size - half, &layers[0]) != 0) {
		remove_from(store, first, true);
		return;
	}
	require(merge_layers(&(struct merge_options){.store = store,
	                             .layers = layers,
	                             .n_layers = 2,
	                             .all_files = true,
	                             .add = check_entry,
	                             .userdata = &order},
	                &totals) == 0);
	require(totals.entries == order.n);
	free(order.last);
	remove_from(store, first, true);
}

static void remove_place(void)
{
	static const char *const names[] = {
	        "baseline.db", "baseline.db-wal", "baseline.db-shm", "baseline.lock"};
	char path[128];

	store_free(place.store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", place.dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(place.dir);
}

static void on_alarm(int number)
{
	(void)number;
	place.late = 1;
}

static void set_alarm(unsigned int seconds)
{
	const struct itimerspec when = {.it_value.tv_sec = (time_t)seconds};

	place.late = 0;
	require(timer_settime(place.timer, 0, &when, NULL) == 0);
}

static struct store *open_place(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

	if (place.store)
		return place.store;
	strcpy(place.dir, "/dev/shm/execward-fuzz-XXXXXX");
	require(signal(SIGRTMIN, on_alarm) != SIG_ERR);
	require(timer_create(CLOCK_MONOTONIC, &event, &place.timer) == 0);
	require(mkdtemp(place.dir) && atexit(remove_place) == 0);
	require(store_open(place.dir, STORE_READ_WRITE, &place.store) == 0);
	return place.store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = open_place();
	uint8_t *copy;

	if (size < 1 + BLOCK || (data[0] != 'a' && data[0] != 'l'))
		return 0;
	copy = malloc(size - 1);
	require(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	put_sums_right(copy, size - 1);
	set_alarm(LATE_S);
	if (data[0] == 'a')
		run_archive(store, copy, size - 1);
	else
		run_layers(store, copy, size - 1);
	set_alarm(0);
	free(copy);
	return 0;
}
