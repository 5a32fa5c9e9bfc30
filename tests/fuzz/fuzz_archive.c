/*
 * The first byte tells what the rest is: 'a' an image's archive, as it is; 'l' two layers, cut in the
 * middle, that are staged and merged whatever their digests are. Sums of tar headers are put right
 * before, or nearly nothing would get past them; both tars lie at multiples of 512 bytes.
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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

static void run_archive(struct store *store, const uint8_t *data, size_t size)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	_cleanup_free_ char *message = NULL;
	_cleanup_close_ int fd = open_bytes(data, size);
	const struct source_request request = {.store = store, .all_files = size % 2};
	struct source_stats stats = {0};
	struct order order = {0};
	int r = snapshot_archive(&request, fd, "fuzz", &info, &stats, &message);

	if (r != 0) {
		require(r >= SOURCE_E_NOTFOUND && r <= SOURCE_E_CORRUPT && message);
		require(store_entries(store, 1, NULL, check_row, &order) == STORE_E_NOTFOUND);
		return;
	}
	require(!message && stats.layers == stats.layers_hashed + stats.layers_shared);
	require(store_entries(store, info.id, NULL, check_row, &order) == 0);
	require(order.n == info.entries);
	free(order.last);
}

static int stage_bytes(struct store *store, const uint8_t *data, size_t size, int64_t *ret_id)
{
	const struct snapshot_info info = {.kind = SNAPSHOT_LAYER, .name = (char[]){"layer"}};
	const struct layer_options options = {.all_files = true};
	_cleanup_(image_fault_done) struct image_fault fault = {0};
	_cleanup_(stage_freep) struct stage *stage = NULL;
	_cleanup_close_ int fd = open_bytes(data, size);
	_cleanup_(feed_done) struct feed feed = {.fd = fd, .what = "layer", .fault = &fault};
	struct layer_totals totals;
	int r = feed_init(&feed, true);

	require(r == 0 && stage_new(store, &info, "layer", &fault, &stage) == 0);
	r = layer_read(&feed, &options, stage, &totals);
	require(r == 0 || (r == SOURCE_E_CORRUPT && fault.message));
	*ret_id = stage_id(stage);
	return r;
}

static void run_layers(struct store *store, const uint8_t *data, size_t size)
{
	size_t half = size / 2 / BLOCK * BLOCK;
	struct walk_totals totals;
	struct order order = {0};
	int64_t layers[2];

	if (stage_bytes(store, data, half, &layers[1]) != 0 ||
	        stage_bytes(store, data + half, size - half, &layers[0]) != 0)
		return;
	require(merge_layers(&(struct merge_options){.store = store,
	                             .layers = layers,
	                             .n_layers = 2,
	                             .all_files = true,
	                             .add = check_entry,
	                             .userdata = &order},
	                &totals) == 0);
	require(totals.entries == order.n);
	free(order.last);
}

static void remove_store(const char *dir)
{
	static const char *const names[] = {
	        "baseline.db", "baseline.db-wal", "baseline.db-shm", "baseline.lock"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	require(rmdir(dir) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/dev/shm/execward-fuzz-XXXXXX";
	struct store *store;
	uint8_t *copy;

	if (size < 1 + BLOCK || (data[0] != 'a' && data[0] != 'l'))
		return 0;
	copy = malloc(size - 1);
	require(copy && mkdtemp(dir) && store_open(dir, STORE_READ_WRITE, &store) == 0);
	memcpy(copy, data + 1, size - 1);
	put_sums_right(copy, size - 1);
	if (data[0] == 'a')
		run_archive(store, copy, size - 1);
	else
		run_layers(store, copy, size - 1);
	free(copy);
	store_free(store);
	remove_store(dir);
	return 0;
}
