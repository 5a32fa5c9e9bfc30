/*
 * Publishes a snapshot as `execward snapshot create` would, of digests that a test says:
 *
 *   publish STATE_DIR KIND NAME SCOPE SCOPE_VALUE IMAGE_ID   ("" for none; then the digests on
 *                                                            standard input, a line each, as hex)
 *   publish STATE_DIR remove ID
 *
 * Prints the snapshot's id. Not static like the helpers: it runs on the host.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/digest.h"
#include "store/baselines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "publish: %s: %d\n", what, r);
	exit(1);
}

static char *text_or_null(char *text)
{
	return *text ? text : NULL;
}

static void add(struct store *store, struct snapshot_info *info, const char *hex)
{
	char path[64];
	struct entry entry = {
	        .path = path,
	        .type = ENTRY_FILE,
	        .mode = 0755,
	        .size = 1,
	        .flags = ENTRY_EXECUTABLE,
	        .kind = EXEC_KIND_ELF,
	        .content = CONTENT_KNOWN,
	};

	snprintf(path, sizeof(path), "/bin/%llu", (unsigned long long)info->entries);
	check(digest_from_hex(hex, &entry.digest), "not a digest");
	check(store_snapshot_add(store, info->id, &entry), "store_snapshot_add");
	info->entries++;
	info->files++;
	info->executables++;
}

static void publish(struct store *store, struct snapshot_info *info)
{
	struct digest_stream *stream;
	char line[128];

	check(digest_stream_new(&stream), "digest_stream_new");
	check(store_snapshot_begin(store, info, &info->id), "store_snapshot_begin");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		add(store, info, line);
		check(digest_stream_update(stream, line, strlen(line)), "digest_stream_update");
	}
	check(digest_stream_final(stream, &info->digest), "digest_stream_final");
	info->has_digest = true;
	check(store_snapshot_publish(store, info), "store_snapshot_publish");
	digest_stream_free(stream);
	printf("%lld\n", (long long)info->id);
}

int main(int argc, char **argv)
{
	struct store *store;

	if (argc != 4 && argc != 7)
		return 64;
	check(store_open(argv[1], STORE_READ_WRITE, &store), "store_open");
	if (argc == 4) {
		check(store_snapshot_remove(store, strtoll(argv[3], NULL, 10)), "remove");
	} else {
		struct snapshot_info info = {
		        .kind = snapshot_kind_from_name(argv[2]),
		        .name = argv[3],
		        .scope = snapshot_scope_from_name(argv[4]),
		        .scope_value = text_or_null(argv[5]),
		        .image_id = text_or_null(argv[6]),
		        .created_ns = clock_realtime_ns(),
		};

		publish(store, &info);
	}
	store_free(store);
	return 0;
}
