/*
 * The digest of a file that somebody may be writing: a read lease is taken before the first byte
 * and checked after the last, and in between at every step, so that a writer waits for one step at
 * most. Without the lease (somebody has it open for writing, or has it mapped so) there is no
 * digest: the file is mutable.
 *
 * Digests are remembered by the identity of the inode and its change time, and only those that
 * were made under a lease: nobody could write then, and whoever wrote since has moved ctime.
 */
#pragma once

#include "core/facts.h"
#include "crypto/digest.h"
#include "daemon/kernel.h"

#include <signal.h>
#include <stdbool.h>

#define HASH_STEP_BYTES (4u * 1024u * 1024u) /* a step: 2 to 15 ms on the machines we know */
#define HASH_CACHE_MAX  65536u               /* digests remembered */
#define LEASE_SIGNAL    (SIGRTMIN + 3) /* somebody asks to write what we lease; ssi_fd tells what */

enum hash_state {
	HASH_UNSET = 0,
	HASH_AGAIN,   /* call again */
	HASH_DONE,    /* the digest is that of the file, and nobody can write it while leased */
	HASH_MUTABLE, /* somebody can write it, or it changed on the way */
	HASH_FAILED,  /* unreadable */
};

struct hash_cache;

int hash_cache_new(const struct kernel_features *kernel, struct hash_cache **ret_cache);
void hash_cache_free(struct hash_cache *cache);

/* The digest of a lower file, or of one that is leased now. */
bool hash_cache_get(
        struct hash_cache *cache, const struct file_identity *identity, struct digest *ret_digest);

struct hashing {
	struct hash_cache *cache;
	int fd; /* borrowed */
	struct file_identity identity;
	bool lease; /* take one: false for lower files, which no container can write */
	bool leased;
	bool cached; /* its digest may be remembered by its times */
	struct digest_stream *stream;
	struct digest_source source;
};

/* @identity: of @fd, read by the caller before anything else. */
void hashing_init(struct hashing *hashing, struct hash_cache *cache, int fd,
        const struct file_identity *identity, bool lease);
/* Releases the stream; the lease stays on the descriptor until hashing_release() or close(2). */
void hashing_done(struct hashing *hashing);
void hashing_release(struct hashing *hashing);
/* True while nobody has asked to write since the lease was taken. */
bool hashing_still_leased(const struct hashing *hashing);

/*
 * Whether the filesystem moves ctime at the first store through a new mapping, as tmpfs does not:
 * there, what was mapped and changed while nobody held a lease looks as before.
 */
bool hashing_stores_move_ctime(int fd);

enum hash_state hashing_step(struct hashing *hashing, struct digest *ret_digest);
