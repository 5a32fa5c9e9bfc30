/*
 * Trusted writers: what a package manager unpacks is vouched for as it is written (trust.writers).
 *
 * Whom: a process counts as a writer by the identity of its executable, which is an untouched file
 * of the container's image, or a file of the baseline of a guarded host filesystem; its path there
 * is a configured one. Further it runs as root or as the owner of that executable, and nobody
 * traces it. So whoever may be root in a container can use its package manager, and nobody else
 * can: that is what trusting it means.
 *
 * What: a digest, within the container or the host filesystem. A file's digest is vouched for when
 *  - every close after writing since the inode was born was seen here, and was a trusted writer's;
 *  - the digest was made under a read lease on the real inode (nobody can write it, nobody has it
 *    mapped so), and everything that was closed before the lease has been seen;
 *  - size and mtime are not newer than the last of those closes.
 * Each close vouches for one digest: what is read later is not what was written then.
 *
 * Everything is bounded, and what is forgotten is not trusted.
 */
#pragma once

#include "config/config.h"
#include "daemon/probe.h"
#include "daemon/trusted_digests.h"

#include <stdint.h>

#define TRUSTED_NOTES_MAX   65536u /* inodes on record at a time */
#define TRUSTED_WRITERS_MAX 4096u  /* writers on record: configured paths, by their digests */
#define TRUSTED_UUID_SIZE   64u    /* bytes with the NUL; FILESYSTEM_UUID_SIZE of lib/snapshot */

struct recorder;
struct trusted;

/* A guarded host filesystem. */
struct trusted_host {
	char uuid[TRUSTED_UUID_SIZE];
	int64_t guarded_ns; /* CLOCK_REALTIME: writes are seen since then */
};

struct trusted_context {
	struct probe_context probe;
	struct recorder *recorder;
	/*
	 * Guarded host filesystems; NULL: there are none. The one on @dev, false when that is none;
	 * and whether its baseline has the digest. On any thread.
	 */
	bool (*host_of)(uint64_t dev, struct trusted_host *ret_host, void *userdata);
	/* The directory that is guarded on @dev, in which writers have their paths. Caller frees.
	 */
	char *(*root_of)(uint64_t dev, void *userdata);
	bool (*in_baseline)(const struct digest *digest, const char *uuid, void *userdata);
	void *userdata;
};

int trusted_new(const struct trusted_context *context, struct trusted **ret_trusted);
void trusted_free(struct trusted *trusted);
/* At start, and whenever the configuration is read. */
void trusted_configure(struct trusted *trusted, const struct config *config);
/* What is on record from before; after trusted_configure(). 0, STORE_E_* or -errno. */
int trusted_load(struct trusted *trusted, struct store *store);

/* What belongs to containers that are gone expires at once. Walks over all of it. The same. */
int trusted_sweep(struct store *store);

/* Whether there are writers: nothing else needs to be asked when not. NULL: no. */
bool trusted_watching(const struct trusted *trusted);

enum trusted_kind {
	TRUSTED_UNSET = 0, /* could not be told: the process is gone */
	TRUSTED_OTHER,
	TRUSTED_WRITER,
};

struct trusted_process {
	enum trusted_kind kind;
	uint32_t writer;                    /* number of the writer; below: WRITER only */
	uint32_t uid;                       /* effective */
	uint64_t overlay;                   /* st_dev of the overlay whose image it is of; or 0 */
	char filesystem[TRUSTED_UUID_SIZE]; /* UUID of the host's; or "" */
};

/*
 * Who has @pid now; @pidfd (or negative) is checked afterwards. Looks at /proc, and at the
 * executable itself when it is seen first. A process that is gone is told as it was seen last, at
 * most two seconds ago. On any thread.
 */
void trusted_look(
        struct trusted *trusted, pid_t pid, int pidfd, struct trusted_process *ret_process);

/*
 * Whether the program of an exec may be a writer, by its name: then each exec of it must be seen. A
 * writer may be gone before anything that it does is seen, but not before its exec is answered.
 */
bool trusted_is_candidate(struct trusted *trusted, int fd);

/* An exec that waits for our verdict, and what the probe says of the program. */
struct trusted_exec {
	pid_t pid;
	int fd; /* borrowed */
	const struct probe_result *probe;
};

/*
 * What the process is about to become. What it closed before must have been seen already
 * (creations_drain), while it is still what wrote that. Reads the program when it is seen first.
 */
void trusted_executes(struct trusted *trusted, const struct trusted_exec *exec);

/* A file that was closed after writing. */
struct trusted_close {
	struct file_identity identity; /* of the real inode */
	uint32_t owner;                /* uid */
	bool times_tell;               /* hashing_stores_move_ctime() of its filesystem */
	const struct overlay *overlay; /* in whose upper layer it lies; NULL: in none */
};

/* By @process: takes note. True when a digest that is made now may be vouched for. */
bool trusted_closed(struct trusted *trusted, const struct trusted_process *process,
        const struct trusted_close *file);
/* By somebody else, or nobody knows: never trusted any more. */
void trusted_distrust(struct trusted *trusted, const struct file_identity *identity);
/* Closes were missed: what is older than now has an unknown past. */
void trusted_lost(struct trusted *trusted);

/* What has a digest, made under a lease that still stands; and everything closed before was seen.
 */
struct trusted_claim {
	struct file_identity identity; /* as it was when the digest was made */
	struct digest digest;
	struct trusted_scope scope;
	const char *path; /* describes */
};

/* Vouches for the digest of a file that only trusted writers have written. */
bool trusted_confirm(struct trusted *trusted, const struct trusted_claim *claim);

struct trusted_answer {
	char *writer; /* path of its executable; the caller frees */
	int64_t time_ns, expires_ns;
};

/* Whether the digest is vouched for within the scope. @ret_answer (NULL: not wanted). */
bool trusted_vouches(struct trusted *trusted, const struct digest *digest,
        const struct trusted_scope *scope, struct trusted_answer *ret_answer);
/* VOUCH_TRUSTED_WRITER or VOUCH_NONE, of the digest of @facts in its scope. */
unsigned int trusted_bits(struct trusted *trusted, const struct exec_facts *facts);
/* The guarded host filesystem on @dev; false when that is none, or has no UUID. */
bool trusted_host_of(const struct trusted *trusted, uint64_t dev, struct trusted_host *ret_host);
/* The scope of a file that is executed; kind NONE when none can hold. Borrows from @facts. */
struct trusted_scope trusted_scope_of(const struct exec_facts *facts);

size_t trusted_notes(struct trusted *trusted);
size_t trusted_digests(struct trusted *trusted);
