/*
 * Whom this host believes: a directory of public keys that only root can write, read as a whole or
 * not at all.
 *
 *   NAME.pem     a public key
 *   NAME.json    what it may do; without it, sign manifests of every series, for ever:
 *                {"scheme": "ed25519", "uses": ["manifest"], "series": ["example.org/web"],
 *                 "expires": "2027-01-01T00:00:00Z", "ima_key_ids": ["e0bba7da"]}
 *   trust.json   {"revoked_keys": [ID], "revoked_digests": [SHA-256], "floors": {SERIES: VERSION}}
 *
 * Every member may be left out. One that is not known refuses the directory, and so does a file of
 * another name (hidden files and README* are passed over): what was meant to restrict or revoke is
 * never ignored.
 */
#pragma once

#include "crypto/key.h"

#include <sys/types.h>

#define TRUST_KEYS_MAX    64u
#define TRUST_SERIES_MAX  64u    /* patterns of a key */
#define TRUST_IMA_IDS_MAX 4u     /* further ids of a key: subject key ids of its certificates */
#define TRUST_REVOKED_MAX 65536u /* keys, and digests */
#define TRUST_FLOORS_MAX  4096u
#define TRUST_JSON_MAX    (8u << 20) /* bytes of trust.json: 65536 digests and 4096 series fit */

enum trust_use {
	TRUST_USE_UNSET = 0,
	TRUST_USE_MANIFEST, /* signed allowlists */
	TRUST_USE_IMA,      /* security.ima; never with the other, or one format's bytes could pass
	                       for the other's */
	_TRUST_USE_MAX,
};

const char *trust_use_name(enum trust_use use); /* manifest, ima */

struct trust_key {
	struct key *key;
	char *name; /* the file's, without .pem */
	enum trust_use use;
	bool revoked;
	int64_t expires_ns; /* CLOCK_REALTIME; INT64_MAX: never */
	char **series;      /* glob patterns (core/glob.h, text); none: every series */
	size_t n_series;
	uint8_t ima_ids[TRUST_IMA_IDS_MAX][KEY_IMA_ID_SIZE]; /* beside key_ima_id() */
	size_t n_ima_ids;
};

struct trust_floor {
	char *series;
	uint64_t version;
};

struct trust {
	struct trust_key *keys; /* by name, byte by byte; each key once */
	size_t n_keys;
	struct digest *revoked_keys; /* ids; sorted, as the digests */
	size_t n_revoked_keys;
	struct digest *revoked_digests; /* of files, and of lists' bodies */
	size_t n_revoked_digests;
	struct trust_floor *floors; /* by series */
	size_t n_floors;
};

void trust_free(struct trust *trust);
DEFINE_FREEP(trust, trust_free)

enum {
	TRUST_E_MISSING = 1, /* no such directory or file */
	TRUST_E_UNSAFE,      /* others than root could write it, or a symlink is in the way */
	TRUST_E_FORMAT,      /* a faulty key or settings file, or one that does not belong there */
	TRUST_E_CONFLICT,    /* a key twice with different settings, or for both uses */
	TRUST_E_EMPTY,       /* no key at all */
};

struct trust_error {
	char *path;    /* of what is wrong */
	char *message; /* what, and the cure; printable */
};

void trust_error_done(struct trust_error *error);

/*
 * Reads a directory. @owner is a user who may own and write it beside root: geteuid() of a tool, 0
 * for the daemon. No component of @path may be a symlink. 0, a TRUST_E_X or -errno, then with
 * @reterr_error filled (trust_error_done). The caller frees with trust_free().
 */
int trust_load(
        const char *path, uid_t owner, struct trust **ret_trust, struct trust_error *reterr_error);
/*
 * One public key that somebody has named on a command line, for manifests: whose file it is, is for
 * them to know. The same returns.
 */
int trust_load_file(const char *path, struct trust **ret_trust, struct trust_error *reterr_error);

/* Usable now: of that use, neither revoked nor expired. */
bool trust_key_usable(const struct trust_key *key, enum trust_use use, int64_t now_ns);
size_t trust_count_usable(const struct trust *trust, enum trust_use use, int64_t now_ns);
bool trust_key_signs_series(const struct trust_key *key, const char *series);
bool trust_is_revoked(const struct trust *trust, const struct digest *digest);
/* The lowest version of a series that is accepted; 0: any. */
uint64_t trust_floor(const struct trust *trust, const char *series);
