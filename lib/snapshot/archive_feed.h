/*
 * Bytes on their way into a reader of libarchive: from a descriptor, or from what another reader
 * gives. A feed can be looked into before it is read, takes a digest of what passes, and keeps why
 * it failed, since libarchive would only say that something did.
 */
#pragma once

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "snapshot/image_fault.h"

#include <archive.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define FEED_BUFFER (256u * 1024u) /* bytes */

struct feed {
	/* One of both; borrowed. */
	int fd;
	struct archive *from;
	struct feed *below; /* what @from reads: it knows better why that failed */

	const char *what; /* for messages: the member; borrowed */
	struct image_fault *fault;
	const volatile sig_atomic_t *stop;              /* or NULL */
	void (*passed)(uint64_t bytes, void *userdata); /* or NULL: so many more were read */
	void *userdata;

	struct digest_stream *digest; /* NULL: none is taken */
	uint8_t *buffer;              /* FEED_BUFFER bytes */
	size_t held;                  /* looked at, and not given yet */
	uint64_t pulled;              /* bytes, so far */
	bool ended;
	int error; /* SOURCE_E_CORRUPT with a message, or -errno; 0 */
};

/* 0, -ENOMEM or -EIO. feed_done(), also after a failure. */
int feed_init(struct feed *feed, bool with_digest);
void feed_done(struct feed *feed);
/* The first bytes: at least @wanted of them, unless it is shorter. 0 or feed.error. */
int feed_peek(struct feed *feed, size_t wanted, const uint8_t **ret_data, size_t *ret_size);
/* All that nobody has read, into the digest. 0 or feed.error. */
int feed_drain(struct feed *feed);
/* After feed_drain(). */
int feed_digest(struct feed *feed, struct digest *ret_digest);

enum feed_format {
	FEED_RAW, /* whatever it is, without its compression */
	FEED_TAR,
	FEED_COMPRESSED_TAR,
	FEED_AR,
	FEED_RPM, /* the cpio in it */
};
/*
 * A reader on @feed, on its first header already when it is RAW. 0; -ENOMEM; feed.error; -ENOSYS
 * when libarchive was built without a compression: it would start a program for it.
 */
int feed_reader(struct feed *feed, enum feed_format format, struct archive **ret_reader);
/* Why @reader failed: SOURCE_E_CORRUPT, whose message is said with it, or -errno. */
int feed_failure(struct feed *feed, struct archive *reader);

static inline void feed_reader_freep(struct archive **reader)
{
	if (*reader)
		archive_read_free(*reader);
}
