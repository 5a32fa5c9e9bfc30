/*
 * The lease is on the open file description of @fd: it ends with it. A writer that waits for our
 * lease already counts as a writer, so an exec of the file fails with ETXTBSY meanwhile.
 */
#include "daemon/hashing.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "daemon/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/vfs.h>

#include <uthash.h>

#define TICK_NS (10 * NS_PER_MSEC) /* the longest jiffy of a supported kernel: HZ=100 */

struct cache_key {
	uint64_t dev, ino;
	int64_t btime_ns, ctime_ns, mtime_ns;
	uint64_t size;
};

struct cache_entry {
	struct cache_key key;
	struct digest digest;
	UT_hash_handle hh;
};

struct hash_cache {
	pthread_mutex_t lock;
	bool fine_ctime;
	struct cache_entry *entries; /* in order of insertion: the oldest goes first */
};

int hash_cache_new(const struct kernel_features *kernel, struct hash_cache **ret_cache)
{
	struct hash_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	pthread_mutex_init(&cache->lock, NULL);
	cache->fine_ctime = kernel_has(kernel, KERNEL_FINE_CTIME);
	*ret_cache = cache;
	return 0;
}

static void remove_entry(struct hash_cache *cache, struct cache_entry *entry)
{
	HASH_DEL(cache->entries, entry);
	free(entry);
}

void hash_cache_free(struct hash_cache *cache)
{
	if (!cache)
		return;
	while (cache->entries)
		remove_entry(cache, cache->entries);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct cache_key key_of(const struct file_identity *identity)
{
	return (struct cache_key){
	        .dev = identity->dev,
	        .ino = identity->ino,
	        .btime_ns = identity->btime_ns,
	        .ctime_ns = identity->ctime_ns,
	        .mtime_ns = identity->mtime_ns,
	        .size = identity->size,
	};
}

bool hash_cache_get(
        struct hash_cache *cache, const struct file_identity *identity, struct digest *ret_digest)
{
	struct cache_key key = key_of(identity);
	struct cache_entry *entry = NULL;

	pthread_mutex_lock(&cache->lock);
	HASH_FIND(hh, cache->entries, &key, sizeof(key), entry);
	if (entry)
		*ret_digest = entry->digest;
	pthread_mutex_unlock(&cache->lock);
	return entry != NULL;
}

static void cache_put(
        struct hash_cache *cache, const struct file_identity *identity, const struct digest *digest)
{
	struct cache_entry *entry, *known = NULL;

	/* A coarse ctime may hide a later write of the same tick. */
	if (!cache->fine_ctime && clock_realtime_ns() - identity->ctime_ns < 2 * TICK_NS)
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return;
	entry->key = key_of(identity);
	entry->digest = *digest;
	pthread_mutex_lock(&cache->lock);
	HASH_FIND(hh, cache->entries, &entry->key, sizeof(entry->key), known);
	if (known)
		remove_entry(cache, known);
	if (HASH_COUNT(cache->entries) >= HASH_CACHE_MAX)
		remove_entry(cache, cache->entries);
	HASH_ADD(hh, cache->entries, key, sizeof(entry->key), entry);
	pthread_mutex_unlock(&cache->lock);
}

void hashing_init(struct hashing *h, struct hash_cache *cache, int fd,
        const struct file_identity *identity, bool lease)
{
	*h = (struct hashing){
	        .cache = cache,
	        .fd = fd,
	        .identity = *identity,
	        .lease = lease,
	};
}

void hashing_done(struct hashing *h)
{
	digest_stream_free(h->stream);
	h->stream = NULL;
}

void hashing_release(struct hashing *h)
{
	if (h->leased)
		(void)fcntl(h->fd, F_SETLEASE, F_UNLCK);
	h->leased = false;
}

bool hashing_still_leased(const struct hashing *h)
{
	return !h->lease || (h->leased && fcntl(h->fd, F_GETLEASE) == F_RDLCK);
}

static bool unchanged(const struct hashing *h)
{
	struct file_identity now;
	mode_t mode;

	return file_identity_of(h->fd, &now, &mode) == 0 && file_identity_equal(&now, &h->identity);
}

/* By vm_operations_struct.page_mkwrite, which tmpfs has not. */
bool hashing_stores_move_ctime(int fd)
{
	static const long types[] = {
	        0xef53,     /* EXT4_SUPER_MAGIC, also ext2 and ext3; linux/magic.h */
	        0x58465342, /* XFS_SUPER_MAGIC */
	        0x9123683e, /* BTRFS_SUPER_MAGIC */
	        0xf2f52010, /* F2FS_SUPER_MAGIC */
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (fs.f_type == types[i])
			return true;
	return false;
}

static enum hash_state begin(struct hashing *h, struct digest *ret_digest)
{
	struct digest_stream *stream;

	if (h->lease && !h->leased) {
		if (fcntl(h->fd, F_SETLEASE, F_RDLCK) < 0)
			return errno == EAGAIN ? HASH_MUTABLE : HASH_FAILED;
		h->leased = true;
		(void)fcntl(h->fd, F_SETSIG, LEASE_SIGNAL); /* SIGIO would not say which */
	}
	/* Only now is what stat(2) says about the content binding. */
	if (!unchanged(h))
		return HASH_MUTABLE;
	h->cached = !h->lease || hashing_stores_move_ctime(h->fd);
	if (h->cached && hash_cache_get(h->cache, &h->identity, ret_digest))
		return HASH_DONE;
	if (digest_stream_new(&stream) < 0)
		return HASH_FAILED;
	h->stream = stream;
	h->source = (struct digest_source){.fd = h->fd, .expected_size = h->identity.size};
	return HASH_AGAIN;
}

static enum hash_state finish(struct hashing *h, const struct digest *digest)
{
	if (!hashing_still_leased(h) || !unchanged(h))
		return HASH_MUTABLE;
	if (h->cached)
		cache_put(h->cache, &h->identity, digest);
	return HASH_DONE;
}

enum hash_state hashing_step(struct hashing *h, struct digest *ret_digest)
{
	enum hash_state state;
	int error = 0;

	if (!h->stream) {
		state = begin(h, ret_digest);
		if (state != HASH_AGAIN)
			return state;
	}
	if (!hashing_still_leased(h))
		return HASH_MUTABLE;
	switch (digest_stream_file(h->stream, &h->source, HASH_STEP_BYTES, ret_digest, &error)) {
	case DIGEST_DONE:
		return finish(h, ret_digest);
	case DIGEST_MORE:
		return HASH_AGAIN;
	case DIGEST_LONGER:
	case DIGEST_SHORTER:
		return HASH_MUTABLE;
	default:
		return HASH_FAILED;
	}
}
