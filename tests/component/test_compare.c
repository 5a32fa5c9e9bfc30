/*
 * The comparison against a real database: what is kept when there is more than is kept, what is
 * looked up, what one side cannot know; alarms and capabilities against tables.
 */
#include "store_fixture.h"

#include "snapshot/compare.h"
#include "snapshot/compare_caps.h"
#include "snapshot/compare_look.h"
#include "snapshot/compare_seen.h"
#include "store/baselines.h"

static struct entry file_of(const char *path, uint8_t content)
{
	return (struct entry){
	        .path = T(path),
	        .type = ENTRY_FILE,
	        .mode = 0755,
	        .size = 10,
	        .flags = ENTRY_EXECUTABLE,
	        .kind = EXEC_KIND_ELF,
	        .content = CONTENT_KNOWN,
	        .digest = digest_of(content),
	};
}

static struct snapshot_info begin(struct store *store, const char *name, bool all_files)
{
	struct snapshot_info info = {
	        .kind = SNAPSHOT_ROOTFS, .name = T(name), .all_files = all_files};

	assert_int_equal(store_snapshot_begin(store, &info, &info.id), 0);
	return info;
}

static void add(struct store *store, const struct snapshot_info *info, struct entry entry)
{
	assert_int_equal(store_snapshot_add(store, info->id, &entry), 0);
}

static void publish(struct store *store, const struct snapshot_info *info)
{
	assert_int_equal(store_snapshot_publish(store, info), 0);
}

static struct comparison compare(struct store *store, const struct snapshot_info *before,
        const struct entry *now, size_t n, uint32_t keep)
{
	struct compare_options options = {
	        .store = store, .before = before, .all_files = before->all_files, .keep = keep};
	_cleanup_(compare_freep) struct compare *compare = NULL;
	struct comparison found;

	assert_int_equal(compare_new(&options, &compare), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(compare_add(&now[i], compare), 0);
	assert_int_equal(compare_finish(compare, &found), 0);
	return found;
}

static void test_kinds(void **state)
{
	struct fixture *f = *state;
	struct snapshot_info info = begin(f->store, "/t", false);
	struct entry now[] = {file_of("/b", 9), file_of("/a", 1), file_of("/d", 3)};
	struct comparison found;

	add(f->store, &info, file_of("/a", 1));
	add(f->store, &info, file_of("/b", 2));
	add(f->store, &info, file_of("/c", 3));
	publish(f->store, &info);
	found = compare(f->store, &info, now, 3, 0);
	assert_int_equal(comparison_mask(&found), 7);
	assert_int_equal(found.n, 3);
	assert_int_equal(found.counts.entries, 3);
	assert_string_equal(difference_path(&found.differences[0]), "/b");
	assert_int_equal(found.differences[0].changes, ENTRY_CHANGED_CONTENT);
	assert_string_equal(difference_path(&found.differences[1]), "/c");
	assert_string_equal(found.differences[1].moved, "/d");
	assert_string_equal(difference_path(&found.differences[2]), "/d");
	assert_string_equal(found.differences[2].moved, "/c");
	comparison_done(&found);
}

/* A flood of harmless changes does not push out the one that matters. */
static void test_the_worst_are_kept(void **state)
{
	struct fixture *f = *state;
	struct snapshot_info info = begin(f->store, "/t", true);
	struct compare_options options = {
	        .store = f->store, .before = &info, .all_files = true, .keep = 10};
	_cleanup_(compare_freep) struct compare *compare = NULL;
	struct comparison found;
	char path[32];

	publish(f->store, &info);
	assert_int_equal(compare_new(&options, &compare), 0);
	for (int i = 0; i < 1000; i++) {
		struct entry entry = file_of(path, 1);

		snprintf(path, sizeof(path), "/%06d", i);
		entry.flags = 0;
		entry.mode = i == 500 ? 04755 : 0644;
		assert_int_equal(compare_add(&entry, compare), 0);
	}
	assert_int_equal(compare_finish(compare, &found), 0);
	assert_int_equal(found.n, 10);
	assert_int_equal(found.left_out, 990);
	assert_int_equal(found.counts.added, 1000);
	assert_int_equal(found.counts.alarms, 1);
	assert_string_equal(difference_path(&found.differences[0]), "/000500");
	assert_int_equal(comparison_mask(&found), DIFFERENCE_ADDED);
	comparison_done(&found);
}

static void test_unread_is_counted(void **state)
{
	struct fixture *f = *state;
	struct snapshot_info info = begin(f->store, "/t", true);
	struct entry unread = file_of("/a", 0), known = file_of("/b", 1);
	struct comparison found;

	unread.content = CONTENT_UNREADABLE;
	memset(&unread.digest, 0, sizeof(unread.digest));
	add(f->store, &info, unread);
	add(f->store, &info, known);
	publish(f->store, &info);
	found = compare(f->store, &info, (struct entry[]){unread, known}, 2, 0);
	assert_int_equal(found.n, 0);
	assert_int_equal(found.counts.unread, 1);
	comparison_done(&found);
	known.content = CONTENT_MUTABLE;
	found = compare(f->store, &info, (struct entry[]){unread, known}, 2, 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.differences[0].alarms, ALARM_UNREAD | ALARM_PROGRAM);
	comparison_done(&found);
}

/* A damaged database is an error, not a comparison. */
static void test_a_row_that_cannot_be_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct snapshot_info info = begin(f->store, "/t", true);
	struct compare_options options = {.store = f->store, .before = &info, .all_files = true};
	_cleanup_(compare_freep) struct compare *compare = NULL;
	struct entry now = file_of("/a", 1);

	add(f->store, &info, now);
	publish(f->store, &info);
	raw(f, "UPDATE entry SET type = 77");
	assert_int_equal(compare_new(&options, &compare), 0);
	assert_int_equal(compare_add(&now, compare), STORE_E_CORRUPT);
}

static void test_snapshots(void **state)
{
	struct fixture *f = *state;
	struct snapshot_info some = begin(f->store, "/some", false), all, list;
	struct entry data = file_of("/data", 5), gone = file_of("/a", 1),
	             imported = file_of("/a", 1);
	struct comparison found;

	add(f->store, &some, file_of("/a", 1));
	publish(f->store, &some);
	all = begin(f->store, "/all", true);
	data.flags = 0;
	gone.mode = 0644;
	gone.flags = 0;
	add(f->store, &all, data);
	add(f->store, &all, gone);
	publish(f->store, &all);
	assert_int_equal(compare_snapshots(f->store, &some, &all, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.differences[0].alarms, ALARM_NOT_EXECUTABLE);
	comparison_done(&found);
	list = (struct snapshot_info){.kind = SNAPSHOT_IMPORT, .name = T("list")};
	assert_int_equal(store_snapshot_begin(f->store, &list, &list.id), 0);
	imported.mode = 0;
	imported.size = 0;
	add(f->store, &list, imported);
	publish(f->store, &list);
	assert_int_equal(compare_snapshots(f->store, &list, &some, &found), 0);
	assert_int_equal(found.n, 0);
	comparison_done(&found);
	assert_int_equal(compare_snapshots(f->store, &some, &list, &found), 0);
	assert_int_equal(found.n, 0);
	comparison_done(&found);
}

static void test_seen(void **state)
{
	_cleanup_(compare_seen_done) struct compare_seen seen = {0};
	static const int64_t ids[] = {0, 1, 32767, 32768, 1000000, INT64_MAX, 5, 40000};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_false(compare_seen_has(&seen, ids[i]));
		assert_int_equal(compare_seen_set(&seen, ids[i]), 0);
	}
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_true(compare_seen_has(&seen, ids[i]));
	assert_false(compare_seen_has(&seen, 2));
	assert_false(compare_seen_has(&seen, INT64_MAX - 1));
	assert_false(compare_seen_has(&seen, -1));
	assert_int_equal(compare_seen_set(&seen, -1), -EINVAL);
}

/*
 * Capabilities.
 */
static void set_caps(struct entry *entry, const void *caps, uint32_t size)
{
	memcpy(entry->caps, caps, size);
	entry->caps_size = size;
}

static void check_caps(const char *bytes, uint32_t size, const char *expected)
{
	char text[CAPS_TEXT_SIZE];

	caps_text((const uint8_t *)bytes, size, text);
	assert_string_equal(text, expected);
}

#define V2(flags, p, i, ph, ih) flags "\0\0\2" p "\0\0\0" i "\0\0\0" ph "\0\0\0" ih "\0\0\0"

static void test_caps_in_words(void **state)
{
	struct entry before = file_of("/a", 1), now = file_of("/a", 1);
	char all[20], text[CAPS_TEXT_SIZE];

	(void)state;
	check_caps("", 0, "none");
	check_caps("abc", 3, "invalid (3 bytes)");
	check_caps(V2("\1", "\1", "\0", "\0", "\0"), 20, "cap_chown=ep");
	check_caps(V2("\0", "\3", "\1", "\0", "\0"), 20, "cap_chown=ip cap_dac_override=p");
	check_caps(V2("\1", "\0", "\0", "\x80", "\0"), 20, "cap_bpf=ep");
	check_caps(V2("\0", "\0", "\0", "\0", "\0"), 20, "none");
	check_caps(V2("\1", "\1", "\0", "\0", "\0") "\xe8\3\0\0", 24, "invalid (24 bytes)");
	check_caps("\1\0\0\3\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe8\3\0\0", 24,
	        "cap_chown=ep [rootid=1000]");
	check_caps("\1\0\0\7\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, "invalid (20 bytes)");
	/* Everything is said, or cut: never past the end. */
	memset(all, 0xff, sizeof(all));
	memcpy(all, "\1\0\0\2", 4);
	caps_text((const uint8_t *)all, sizeof(all), text);
	assert_true(strlen(text) < CAPS_TEXT_SIZE);
	assert_non_null(strstr(text, "cap_checkpoint_restore,41"));
	set_caps(&now, V2("\1", "\1", "\0", "\0", "\0"), 20);
	assert_true(caps_gained(&before, &now));
	assert_true(caps_gained(NULL, &now));
	assert_false(caps_gained(&now, &before));
	assert_false(caps_gained(&now, &now));
}

/*
 * Alarms.
 */
static void test_alarms(void **state)
{
	struct entry program = file_of("/a", 1), data = file_of("/a", 1), setuid = file_of("/a", 1),
	             other = file_of("/a", 2),
	             directory = {.path = T("/a"), .type = ENTRY_DIRECTORY};

	(void)state;
	data.flags = 0;
	data.mode = 0644;
	setuid.mode = 04755;
	assert_int_equal(compare_alarms(&program, &program), 0);
	assert_int_equal(compare_alarms(NULL, &program), ALARM_NEW_PROGRAM);
	assert_int_equal(compare_alarms(&program, NULL), ALARM_GONE_PROGRAM);
	assert_int_equal(compare_alarms(NULL, &data), 0);
	assert_int_equal(compare_alarms(&program, &setuid), ALARM_SETUID);
	assert_int_equal(compare_alarms(&setuid, &program), 0);
	assert_int_equal(compare_alarms(&program, &other), ALARM_PROGRAM);
	/* Other content under a setuid bit that was there. */
	other.mode = 04755;
	assert_int_equal(compare_alarms(&setuid, &other), ALARM_PROGRAM | ALARM_SETUID);
	setuid.uid = 7;
	assert_int_equal(
	        compare_alarms(&setuid, &other), ALARM_PROGRAM | ALARM_SETUID | ALARM_OWNER);
	/* The time was put back. */
	other.mode = 0755;
	other.identity.mtime_ns = program.identity.mtime_ns = 5;
	assert_int_equal(compare_alarms(&program, &other), ALARM_PROGRAM | ALARM_HIDDEN);
	other.size = 11;
	assert_int_equal(compare_alarms(&program, &other), ALARM_PROGRAM);
	/* setgid without x locks; with it, it gives rights. */
	data.mode = 02644;
	assert_int_equal(compare_alarms(NULL, &data), 0);
	data.mode = 02654;
	assert_int_equal(compare_alarms(NULL, &data), ALARM_SETUID);
	data.mode = 0666;
	assert_int_equal(compare_alarms(NULL, &data), ALARM_WRITABLE);
	directory.mode = 01777;
	assert_int_equal(compare_alarms(NULL, &directory), 0);
	directory.mode = 0777;
	assert_int_equal(compare_alarms(NULL, &directory), ALARM_WRITABLE);
	directory.mode = 02775;
	assert_int_equal(compare_alarms(NULL, &directory), 0);
	assert_int_equal(compare_alarms(&program, &directory), ALARM_NOT_EXECUTABLE);
	for (unsigned int bit = 1; bit & _ALARMS_ALL; bit <<= 1)
		assert_non_null(difference_alarm_name(bit));
	assert_null(difference_alarm_name(_ALARMS_ALL + 1));
}

/*
 * A look at one path.
 */
static void test_look(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int root = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct entry now = {0};
	char path[128];

	assert_true(root >= 0);
	assert_int_equal(compare_look(root, "/none", &now), 0);
	assert_int_equal(compare_look(root, "/baseline.db/x", &now), 0);
	assert_int_equal(file_write_atomic(path_of(f, "f", path), "#!/bin/sh\n", 10, 0644), 0);
	assert_int_equal(compare_look(root, "/f", &now), 1);
	assert_int_equal(now.content, CONTENT_KNOWN);
	assert_int_equal(now.kind, EXEC_KIND_SCRIPT);
	assert_int_equal(now.flags, ENTRY_EXECUTABLE);
	assert_string_equal(now.path, "/f");
	entry_done(&now);
	assert_int_equal(unlink(path), 0);
	/* Neither followed nor opened. */
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(compare_look(root, "/f/passwd", &now), 0);
	assert_int_equal(compare_look(root, "/f", &now), 1);
	assert_int_equal(now.type, ENTRY_SYMLINK);
	assert_string_equal(now.target, "/etc");
	entry_done(&now);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(compare_look(root, "/f", &now), 1);
	assert_int_equal(now.type, ENTRY_FIFO);
	entry_done(&now);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_the_worst_are_kept, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unread_is_counted, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                test_a_row_that_cannot_be_is_an_error, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_look, setup, teardown),
	        cmocka_unit_test(test_seen),
	        cmocka_unit_test(test_caps_in_words),
	        cmocka_unit_test(test_alarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
