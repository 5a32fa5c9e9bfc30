/*
 * One GET of an envelope, over HTTPS: the only user of libcurl. Who serves the list is not trusted
 * with anything but to be there: signatures say whom to believe, and TLS that nobody on the way
 * picks which list a host gets to see, or learns which it has.
 */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

#define FETCH_REDIRECTS_MAX      5
#define FETCH_CONNECT_TIMEOUT_MS 15000                         /* name, TCP and TLS */
#define FETCH_TIMEOUT_MS         INT64_C(600000)               /* all of it; 64 MiB at 110 kB/s */
#define FETCH_TIMEOUT_TOP_NS     (INT64_C(86400) * 1000000000) /* of --timeout */
#define FETCH_STALL_S            30                            /* seconds without a byte */
#define FETCH_ETAG_MAX           1024u                         /* bytes; a longer one is not kept */

struct fetch_order {
	const char *url;    /* https:// */
	const char *etag;   /* of what is here already, quoted as it came; NULL: nothing is */
	const char *cacert; /* a file of certificates in place of the system's; NULL */
	int64_t timeout_ms; /* above 0 */
};

enum fetch_outcome {
	FETCH_UNSET = 0,
	FETCH_BODY,      /* 200, and all of its body was written */
	FETCH_UNCHANGED, /* 304 to the ETag that was asked with */
	FETCH_TOO_LARGE, /* more than an envelope may have; nothing past it was read */
	FETCH_FAILED, /* not reached, not believed to be who it is, an error, cut off, too slow */
};

struct fetch_answer {
	enum fetch_outcome outcome;
	long status; /* of HTTP; 0: none came */
	char *etag;  /* quoted; NULL: none, or not one to keep */
	char *fault; /* for FETCH_FAILED: why. From outside, so not printable as it is */
};

void fetch_answer_done(struct fetch_answer *answer);

/*
 * Writes the body to @fd, from its position. 0 with @ret_answer filled; or -errno, of the file or
 * of this process. The threads that libcurl may start are gone when it returns.
 */
int fetch_get(const struct fetch_order *order, int fd, struct fetch_answer *ret_answer);

/*
 * The URL as it may be shown and kept: no user, password, query and fragment, which may be secrets;
 * "?..." tells that there was a query. NULL without memory, or for no URL. The caller frees.
 */
char *fetch_shown_url(const char *url);
