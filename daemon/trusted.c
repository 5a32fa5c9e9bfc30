/*
 * Notes about inodes, and the digests that follow from them.
 *
 * A note says that an inode was written by trusted writers only (CLEAN), that a digest of what they
 * wrote has been vouched for since (SPENT), or that somebody else has written it, too (FOUL, for
 * good). Everybody's closes are noted, not only those of programs: who had a file open before the
 * writer was done with it may still have it mapped, which under an overlay mark no later close
 * tells. When a foul note has to make room, every inode of that age has an unknown past and cannot
 * become clean any more (blind_ns).
 *
 * A file's owner must be the writer's user or root: a file of somebody else that the writer happens
 * to close last (a shell's redirection, an inherited descriptor) has been written by that somebody.
 */
#include "daemon/trusted_internal.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "daemon/recorder.h"

#include <errno.h>
#include <string.h>

enum note_state { NOTE_FOUL = 0, NOTE_CLEAN, NOTE_SPENT };

struct note_key {
	uint64_t dev, ino;
	int64_t btime_ns;
};

struct trusted_note {
	struct note_key key;
	enum note_state state;
	uint32_t writer;
	int64_t mtime_ns, seen_ns; /* when it was noted: CLOCK_REALTIME */
	uint64_t size;
	UT_hash_handle hh;
};

/*
 * Lifetime.
 */
int trusted_new(const struct trusted_context *context, struct trusted **ret_trusted)
{
	struct trusted *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->context = *context;
	pthread_mutex_init(&t->lock, NULL);
	r = trusted_digests_new(TRUSTED_DIGESTS_HALF, &t->digests);
	if (r < 0) {
		trusted_free(t);
		return r;
	}
	*ret_trusted = t;
	return 0;
}

static void remove_note(struct trusted *t, struct trusted_note *note)
{
	HASH_DEL(t->notes, note);
	free(note);
}

static void free_paths(struct trusted *t)
{
	for (size_t i = 0; i < t->n_paths; i++)
		free(t->paths[i]);
	free(t->paths);
	t->paths = NULL;
	t->n_paths = 0;
}

void trusted_free(struct trusted *t)
{
	if (!t)
		return;
	while (t->notes)
		remove_note(t, t->notes);
	for (uint32_t i = 0; i < t->n_writers; i++)
		free(t->writers[i].path);
	free_paths(t);
	trusted_digests_free(t->digests);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/*
 * Writers.
 */
bool trusted_is_configured(const struct trusted *t, const char *path)
{
	for (size_t i = 0; path && i < t->n_paths; i++)
		if (t->paths[i] && !strcmp(t->paths[i], path))
			return true;
	return false;
}

int trusted_writer_number(
        struct trusted *t, const char *path, const struct digest *digest, uint32_t *ret)
{
	struct trusted_writer *writer;

	for (uint32_t i = 0; i < t->n_writers; i++) {
		if (digest_equal(&t->writers[i].digest, digest) &&
		        !strcmp(t->writers[i].path, path)) {
			*ret = i;
			return 0;
		}
	}
	if (t->n_writers == TRUSTED_WRITERS_MAX)
		return -ENOSPC;
	writer = &t->writers[t->n_writers];
	*writer = (struct trusted_writer){
	        .path = strdup(path),
	        .digest = *digest,
	        .configured = trusted_is_configured(t, path),
	};
	if (!writer->path)
		return -ENOMEM;
	*ret = t->n_writers++;
	return 0;
}

/* Short of memory a writer is left out: that trusts less. */
static void take_paths(struct trusted *t, const struct config *config)
{
	char **paths = calloc(config->n_writers + 1, sizeof(paths[0]));
	size_t n = 0;

	for (size_t i = 0; paths && i < config->n_writers; i++) {
		paths[n] = strdup(config->writers[i]);
		n += paths[n] != NULL;
	}
	free_paths(t);
	t->paths = paths;
	t->n_paths = n;
}

void trusted_configure(struct trusted *t, const struct config *config)
{
	pthread_mutex_lock(&t->lock);
	take_paths(t, config);
	t->keep_ns = (int64_t)config->writers_keep_ms * NS_PER_MSEC;
	/* Nothing was noted while there were no writers. */
	if (!t->watching)
		t->blind_ns = clock_realtime_ns();
	for (uint32_t i = 0; i < t->n_writers; i++)
		t->writers[i].configured = trusted_is_configured(t, t->writers[i].path);
	memset(t->executables, 0, sizeof(t->executables));
	memset(t->recent, 0, sizeof(t->recent));
	t->watching = t->n_paths > 0;
	pthread_mutex_unlock(&t->lock);
}

bool trusted_watching(const struct trusted *t)
{
	return t && t->watching;
}

/*
 * Notes. Lock held.
 */
static struct note_key key_of(const struct file_identity *identity)
{
	return (struct note_key){
	        .dev = identity->dev, .ino = identity->ino, .btime_ns = identity->btime_ns};
}

static struct trusted_note *find_note(struct trusted *t, const struct file_identity *identity)
{
	struct note_key key = key_of(identity);
	struct trusted_note *note = NULL;

	HASH_FIND(hh, t->notes, &key, sizeof(key), note);
	return note;
}

/* Gone with what it knew. */
static void forget_oldest(struct trusted *t)
{
	if (t->notes->state == NOTE_FOUL)
		t->blind_ns = clock_realtime_ns();
	remove_note(t, t->notes);
}

static struct trusted_note *add_note(struct trusted *t, const struct file_identity *identity)
{
	struct trusted_note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	if (HASH_COUNT(t->notes) >= TRUSTED_NOTES_MAX)
		forget_oldest(t);
	note->key = key_of(identity);
	HASH_ADD(hh, t->notes, key, sizeof(note->key), note);
	return note;
}

static void make_foul(struct trusted *t, const struct file_identity *identity)
{
	struct trusted_note *note = find_note(t, identity) ?: add_note(t, identity);

	if (note)
		note->state = NOTE_FOUL;
	else
		t->blind_ns = clock_realtime_ns();
}

void trusted_distrust(struct trusted *t, const struct file_identity *identity)
{
	pthread_mutex_lock(&t->lock);
	make_foul(t, identity);
	pthread_mutex_unlock(&t->lock);
}

void trusted_lost(struct trusted *t)
{
	pthread_mutex_lock(&t->lock);
	while (t->notes)
		remove_note(t, t->notes);
	t->blind_ns = clock_realtime_ns();
	pthread_mutex_unlock(&t->lock);
}

/*
 * In the layer of its own image's container, or on the host filesystem whose baseline has it; and
 * since when writes are seen there.
 */
static bool is_in_scope(struct trusted *t, const struct trusted_process *process,
        const struct trusted_close *file, int64_t *ret_guarded_ns)
{
	struct trusted_host host = {0};

	if (file->overlay) {
		*ret_guarded_ns = file->overlay->guarded_ns;
		return process->overlay != 0 && process->overlay == file->overlay->dev;
	}
	if (process->overlay != 0 || !*process->filesystem ||
	        !trusted_host_of(t, file->identity.dev, &host))
		return false;
	*ret_guarded_ns = host.guarded_ns;
	return !strcmp(host.uuid, process->filesystem);
}

/* Lock held. Whether all that was ever written to it has been seen. */
static bool is_past_known(
        const struct trusted *t, const struct file_identity *identity, int64_t guarded_ns)
{
	return identity->btime_ns > t->blind_ns && guarded_ns != 0 &&
	       identity->btime_ns > guarded_ns;
}

bool trusted_closed(
        struct trusted *t, const struct trusted_process *process, const struct trusted_close *file)
{
	int64_t guarded_ns = 0;
	bool trusted = process->kind == TRUSTED_WRITER &&
	               is_in_scope(t, process, file, &guarded_ns) &&
	               (file->owner == process->uid || file->owner == 0) && file->times_tell;
	struct trusted_note *note;

	pthread_mutex_lock(&t->lock);
	note = find_note(t, &file->identity);
	trusted = trusted &&
	          (note ? note->state != NOTE_FOUL : is_past_known(t, &file->identity, guarded_ns));
	if (trusted && !note)
		note = add_note(t, &file->identity);
	if (trusted && note) {
		note->state = NOTE_CLEAN;
		note->writer = process->writer;
		note->mtime_ns = file->identity.mtime_ns;
		note->size = file->identity.size;
		note->seen_ns = clock_realtime_ns();
	} else
		make_foul(t, &file->identity);
	pthread_mutex_unlock(&t->lock);
	return trusted && note;
}

/*
 * Digests.
 */
static void record(struct trusted *t, const struct trusted_claim *claim,
        const struct trusted_entry *entry, const struct trusted_writer *writer)
{
	struct record *r = record_new(RECORD_PROVENANCE);

	if (!r) {
		faults_count(t->context.probe.faults, FAULT_MEMORY);
		return;
	}
	r->facts.digest = claim->digest;
	r->facts.time_ns = (int64_t)entry->created_s * NS_PER_SEC;
	r->facts.path = strdup(claim->path ?: "");
	r->scope = claim->scope.kind;
	r->scope_value = strdup(claim->scope.value);
	r->writer.exepath = strdup(writer->path);
	r->writer_digest = writer->digest;
	r->expires_ns = entry->expires_ns;
	(void)recorder_push(t->context.recorder, r);
}

/* Lock held. True when it was not known, or would soon be no more: then it goes on record. */
static bool vouch(struct trusted *t, const struct digest *key, uint32_t writer,
        struct trusted_entry *ret_entry)
{
	const struct trusted_entry *known = trusted_digests_find(t->digests, key);
	int64_t now_ns = clock_realtime_ns();
	struct trusted_entry entry = {
	        .key = *key,
	        .expires_ns = now_ns + t->keep_ns,
	        .writer = writer,
	        .created_s = (uint32_t)(now_ns / NS_PER_SEC),
	};
	bool fresh = !known || known->expires_ns < now_ns + t->keep_ns / 2 ||
	             !t->writers[known->writer].configured;

	*ret_entry = entry;
	if (fresh && trusted_digests_add(t->digests, &entry) < 0)
		faults_count(t->context.probe.faults, FAULT_MEMORY);
	return fresh;
}

/* Lock held. */
static bool may_confirm(const struct trusted_note *note, const struct trusted_claim *claim)
{
	return note && note->state == NOTE_CLEAN && note->size == claim->identity.size &&
	       (note->mtime_ns == claim->identity.mtime_ns ||
	               claim->identity.mtime_ns <= note->seen_ns);
}

bool trusted_confirm(struct trusted *t, const struct trusted_claim *claim)
{
	struct trusted_writer writer = {0};
	struct trusted_entry entry = {0};
	struct trusted_note *note;
	struct digest key;
	bool confirmed, fresh = false;

	if (claim->scope.kind == SCOPE_NONE ||
	        trusted_digests_key(&claim->digest, &claim->scope, &key) < 0)
		return false;
	pthread_mutex_lock(&t->lock);
	note = find_note(t, &claim->identity);
	confirmed = may_confirm(note, claim) && t->writers[note->writer].configured;
	if (confirmed) {
		note->state = NOTE_SPENT;
		writer = t->writers[note->writer];
		fresh = vouch(t, &key, note->writer, &entry);
	}
	pthread_mutex_unlock(&t->lock);
	/* A writer's path stays as long as we do. */
	if (fresh)
		record(t, claim, &entry, &writer);
	return confirmed;
}

bool trusted_vouches(struct trusted *t, const struct digest *digest,
        const struct trusted_scope *scope, struct trusted_answer *ret_answer)
{
	const struct trusted_entry *entry;
	struct digest key;
	bool found;

	if (!t || scope->kind == SCOPE_NONE || !scope->value ||
	        trusted_digests_key(digest, scope, &key) < 0)
		return false;
	pthread_mutex_lock(&t->lock);
	entry = trusted_digests_find(t->digests, &key);
	found = entry && entry->expires_ns > clock_realtime_ns() &&
	        t->writers[entry->writer].configured;
	if (found && ret_answer)
		*ret_answer = (struct trusted_answer){
		        .writer = strdup(t->writers[entry->writer].path),
		        .time_ns = (int64_t)entry->created_s * NS_PER_SEC,
		        .expires_ns = entry->expires_ns,
		};
	pthread_mutex_unlock(&t->lock);
	return found;
}

bool trusted_host_of(const struct trusted *t, uint64_t dev, struct trusted_host *ret_host)
{
	const struct trusted_context *c = &t->context;

	return c->host_of && c->host_of(dev, ret_host, c->userdata) && *ret_host->uuid;
}

struct trusted_scope trusted_scope_of(const struct exec_facts *facts)
{
	if (facts->has_container && facts->container.key)
		return (struct trusted_scope){
		        .kind = SCOPE_CONTAINER, .value = facts->container.key};
	if (facts->origin == ORIGIN_HOST && facts->filesystem)
		return (struct trusted_scope){.kind = SCOPE_FILESYSTEM, .value = facts->filesystem};
	return (struct trusted_scope){.kind = SCOPE_NONE};
}

unsigned int trusted_bits(struct trusted *t, const struct exec_facts *facts)
{
	const struct trusted_scope scope = trusted_scope_of(facts);

	if (!facts->has_digest || !trusted_watching(t))
		return VOUCH_NONE;
	return trusted_vouches(t, &facts->digest, &scope, NULL) ? VOUCH_TRUSTED_WRITER : VOUCH_NONE;
}

size_t trusted_notes(struct trusted *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = HASH_COUNT(t->notes);
	pthread_mutex_unlock(&t->lock);
	return n;
}

size_t trusted_digests(struct trusted *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = trusted_digests_count(t->digests);
	pthread_mutex_unlock(&t->lock);
	return n;
}
