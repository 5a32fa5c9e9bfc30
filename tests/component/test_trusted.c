/* Which digests a trusted writer vouches for: the rules about one inode, and the bounds. */
#include "store_fixture.h"

#include "base/clock.h"
#include "daemon/recorder.h"
#include "daemon/trusted_internal.h"

#define NOW clock_realtime_ns()

struct box {
	struct fixture *store;
	struct faults *faults;
	struct rulings *rulings;
	struct recorder *recorder;
	struct trusted *trusted;
	struct overlay overlay;
	struct trusted_process writer;
};

static void configure(struct box *b, const char *text)
{
	struct config_error error = {0};
	struct config *config;

	assert_int_equal(config_parse(text, strlen(text), "test", &config, &error), 0);
	trusted_configure(b->trusted, config);
	config_free(config);
}

/* Of the recorder: what retention says. */
static void set_ruling(struct box *b)
{
	const struct mode_override mode = {0};
	struct config_error error = {0};
	struct shared_config *shared;
	struct ruling *ruling;
	struct config *config;

	assert_int_equal(config_load(NULL, &config, &error), 0);
	assert_int_equal(shared_config_new(config, &shared), 0);
	assert_int_equal(
	        ruling_new(&(struct ruling_parts){.shared = shared, .mode = mode}, &ruling), 0);
	rulings_set(b->rulings, ruling, NULL, NULL);
	shared_config_unref(shared);
}

static int setup_box(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	struct recorder_context recording = {0};
	struct trusted_context context = {0};
	struct digest digest = digest_of(9);

	setup((void **)&b->store);
	assert_int_equal(faults_new(&b->faults), 0);
	assert_int_equal(rulings_new(&b->rulings), 0);
	recording.faults = b->faults;
	recording.rulings = b->rulings;
	set_ruling(b);
	assert_int_equal(recorder_new(&recording, TAKE_PTR(b->store->store), &b->recorder), 0);
	assert_int_equal(recorder_start(b->recorder), 0);
	context.recorder = b->recorder;
	context.probe.faults = b->faults;
	assert_int_equal(trusted_new(&context, &b->trusted), 0);
	configure(b, "trust: {writers: [/bin/pkg]}\n");
	b->overlay.dev = 7;
	b->overlay.guarded_ns = NOW;
	b->writer = (struct trusted_process){.kind = TRUSTED_WRITER, .overlay = 7};
	assert_int_equal(
	        trusted_writer_number(b->trusted, "/bin/pkg", &digest, &b->writer.writer), 0);
	*state = b;
	return 0;
}

static int teardown_box(void **state)
{
	struct box *b = *state;
	void *store = b->store;

	trusted_free(b->trusted);
	recorder_stop(b->recorder);
	recorder_free(b->recorder);
	rulings_free(b->rulings);
	faults_free(b->faults);
	free(b);
	return teardown(&store);
}

static struct trusted_close file_of(const struct box *b, uint64_t ino)
{
	struct trusted_close file = {
	        .identity = identity_of(ino), .times_tell = true, .overlay = &b->overlay};

	file.identity.btime_ns = NOW;
	file.identity.mtime_ns = 1;
	file.identity.size = 100;
	return file;
}

static struct trusted_claim claim_of(const struct trusted_close *file, uint8_t content)
{
	return (struct trusted_claim){
	        .identity = file->identity,
	        .digest = digest_of(content),
	        .scope = {.kind = SCOPE_CONTAINER, .value = KEY},
	        .path = "/bin/hello",
	};
}

static bool vouches(struct box *b, uint8_t content, const char *key)
{
	const struct trusted_scope scope = {.kind = SCOPE_CONTAINER, .value = key};
	struct digest digest = digest_of(content);

	return trusted_vouches(b->trusted, &digest, &scope, NULL);
}

static void close_vouches_for_one_digest(void **state)
{
	struct box *b = *state;
	struct trusted_close file = file_of(b, 1);
	struct trusted_claim first = claim_of(&file, 1), second = claim_of(&file, 2);

	assert_true(trusted_closed(b->trusted, &b->writer, &file));
	assert_false(vouches(b, 1, KEY));
	assert_true(trusted_confirm(b->trusted, &first));
	assert_true(vouches(b, 1, KEY));
	assert_false(vouches(b, 1, "/another"));
	assert_false(trusted_confirm(b->trusted, &second));
	assert_false(vouches(b, 2, KEY));
	assert_true(trusted_closed(b->trusted, &b->writer, &file));
	assert_true(trusted_confirm(b->trusted, &second));
}

static void what_is_newer_than_the_close(void **state)
{
	struct box *b = *state;
	struct trusted_close file = file_of(b, 1);
	struct trusted_claim claim = claim_of(&file, 1);

	assert_true(trusted_closed(b->trusted, &b->writer, &file));
	claim.identity.size++;
	assert_false(trusted_confirm(b->trusted, &claim));
	claim.identity.size--;
	claim.identity.mtime_ns = NOW + NS_PER_SEC;
	assert_false(trusted_confirm(b->trusted, &claim));
	claim.identity.mtime_ns = 5; /* utimensat(2) of the writer, after its close */
	claim.identity.ctime_ns++;   /* and its rename(2) */
	assert_true(trusted_confirm(b->trusted, &claim));
}

static void another_hand_is_for_good(void **state)
{
	struct box *b = *state;
	const struct trusted_process other = {.kind = TRUSTED_OTHER}, unknown = {0};
	const struct trusted_process *const hands[] = {&other, &unknown};

	for (uint64_t i = 0; i < 2; i++) {
		struct trusted_close file = file_of(b, 1 + i);
		struct trusted_claim claim = claim_of(&file, 1);

		assert_true(trusted_closed(b->trusted, &b->writer, &file));
		assert_false(trusted_closed(b->trusted, hands[i], &file));
		assert_false(trusted_confirm(b->trusted, &claim));
		assert_false(trusted_closed(b->trusted, &b->writer, &file));
		assert_false(trusted_confirm(b->trusted, &claim));
	}
}

static void who_and_where(void **state)
{
	struct box *b = *state;
	struct trusted_process process = b->writer;
	struct trusted_close file;

	process.uid = 1000;
	file = file_of(b, 1);
	assert_true(trusted_closed(b->trusted, &process, &file)); /* root's file */
	file = file_of(b, 2);
	file.owner = 1000;
	assert_true(trusted_closed(b->trusted, &process, &file));
	file = file_of(b, 3);
	file.owner = 1001;
	assert_false(trusted_closed(b->trusted, &process, &file));
	process.overlay = 8;
	file = file_of(b, 4);
	assert_false(trusted_closed(b->trusted, &process, &file));
	file = file_of(b, 5);
	file.overlay = NULL;
	assert_false(trusted_closed(b->trusted, &b->writer, &file));
	file = file_of(b, 6);
	file.times_tell = false;
	assert_false(trusted_closed(b->trusted, &b->writer, &file));
}

static void an_unknown_past(void **state)
{
	struct box *b = *state;
	struct trusted_close file = file_of(b, 1), clean = file_of(b, 4);
	struct trusted_claim claim = claim_of(&clean, 1);

	file.identity.btime_ns = b->overlay.guarded_ns;
	assert_false(trusted_closed(b->trusted, &b->writer, &file));
	file = file_of(b, 2);
	file.identity.btime_ns = 0;
	assert_false(trusted_closed(b->trusted, &b->writer, &file));
	file = file_of(b, 3);
	b->overlay.guarded_ns = 0;
	assert_false(trusted_closed(b->trusted, &b->writer, &file));
	b->overlay.guarded_ns = 1;
	assert_true(trusted_closed(b->trusted, &b->writer, &clean));
	trusted_lost(b->trusted);
	assert_false(trusted_confirm(b->trusted, &claim));
	assert_false(trusted_closed(b->trusted, &b->writer, &clean));
}

static void notes_are_bounded(void **state)
{
	struct box *b = *state;
	struct trusted_close early = file_of(b, 1), late;
	struct file_identity other = identity_of(2);

	trusted_distrust(b->trusted, &early.identity);
	for (uint64_t i = 0; i < TRUSTED_NOTES_MAX + 10; i++) {
		other.ino = 2 + i;
		trusted_distrust(b->trusted, &other);
	}
	assert_int_equal(trusted_notes(b->trusted), TRUSTED_NOTES_MAX);
	/* What was known of it is forgotten, and so is that it could be trusted. */
	assert_false(trusted_closed(b->trusted, &b->writer, &early));
	late = file_of(b, TRUSTED_NOTES_MAX * 2);
	assert_true(trusted_closed(b->trusted, &b->writer, &late));
}

static void a_writer_that_is_not_configured_any_more(void **state)
{
	struct box *b = *state;
	struct trusted_close file = file_of(b, 1);
	struct trusted_claim claim = claim_of(&file, 1);

	assert_true(trusted_closed(b->trusted, &b->writer, &file));
	assert_true(trusted_confirm(b->trusted, &claim));
	configure(b, "trust: {writers: [/bin/else]}\n");
	assert_false(vouches(b, 1, KEY));
	configure(b, "trust: {writers: [/bin/else, /bin/pkg]}\n");
	assert_true(vouches(b, 1, KEY));
	configure(b, "trust: {writers: []}\n");
	assert_false(trusted_watching(b->trusted));
}

static struct trusted_entry entry_of(uint32_t number)
{
	const struct trusted_scope scope = {.kind = SCOPE_CONTAINER, .value = KEY};
	struct trusted_entry entry = {.expires_ns = 1, .writer = number};
	struct digest digest = {0};

	memcpy(digest.bytes, &number, sizeof(number));
	assert_int_equal(trusted_digests_key(&digest, &scope, &entry.key), 0);
	return entry;
}

static void digests_are_bounded(void **state)
{
	const uint32_t half = 3000;
	struct trusted_digests *set;

	(void)state;
	assert_int_equal(trusted_digests_new(half, &set), 0);
	for (uint32_t i = 0; i < 10 * half; i++) {
		struct trusted_entry entry = entry_of(i);
		const struct trusted_entry *found;

		assert_null(trusted_digests_find(set, &entry.key));
		assert_int_equal(trusted_digests_add(set, &entry), 0);
		found = trusted_digests_find(set, &entry.key);
		assert_non_null(found);
		assert_int_equal(found->writer, i);
		assert_true(trusted_digests_count(set) <= 2 * half);
		/* The newer half is always there. */
		entry = entry_of(i < half ? 0 : i - half + 1);
		assert_non_null(trusted_digests_find(set, &entry.key));
	}
	trusted_digests_free(set);
	assert_int_equal(sizeof(struct trusted_entry), 48);
}

static void keys_differ_by_scope(void **state)
{
	const struct trusted_scope scopes[] = {
	        {SCOPE_CONTAINER, "a"}, {SCOPE_CONTAINER, "b"}, {SCOPE_FILESYSTEM, "a"}};
	struct digest digest = digest_of(1), keys[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(trusted_digests_key(&digest, &scopes[i], &keys[i]), 0);
	assert_false(digest_equal(&keys[0], &keys[1]));
	assert_false(digest_equal(&keys[0], &keys[2]));
	assert_false(digest_equal(&keys[1], &keys[2]));
}

#define BOX(test) cmocka_unit_test_setup_teardown(test, setup_box, teardown_box)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOX(close_vouches_for_one_digest),
	        BOX(what_is_newer_than_the_close),
	        BOX(another_hand_is_for_good),
	        BOX(who_and_where),
	        BOX(an_unknown_past),
	        BOX(notes_are_bounded),
	        BOX(a_writer_that_is_not_configured_any_more),
	        cmocka_unit_test(digests_are_bounded),
	        cmocka_unit_test(keys_differ_by_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
