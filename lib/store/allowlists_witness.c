/*
 * A database that is gone takes with it what keeps an older list out. So a small file beside it
 * knows which database there was and how far it had come; a new database has another id or none, an
 * older copy has a lower generation. Nothing but an operator's reset makes the file know another
 * one.
 *
 * The file is written after the commit that it tells of: when that fails or is cut off it is
 * behind, which is no loss.
 */
#include "store/allowlists_internal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WITNESS_FILE "allowlists.witness"
#define ID_SIZE      16u /* random bytes */
#define ID_TEXT      (2 * ID_SIZE + 1)
#define FILE_MAX     64u /* bytes: id, space, generation of at most 19 digits, newline */

struct known {
	char id[ID_TEXT]; /* "" for none */
	int64_t generation;
};

/* "" when the database has none. */
static int read_id(struct store *store, char ret_id[ID_TEXT])
{
	_cleanup_free_ char *text = NULL;
	uint8_t bytes[ID_SIZE];
	int r = store_setting_get(store, ALLOWLIST_DATABASE, &text);

	ret_id[0] = '\0';
	if (r == STORE_E_NOTFOUND)
		return 0;
	if (r != 0)
		return r;
	if (hex_decode(text, strlen(text), bytes, sizeof(bytes)) < 0)
		return STORE_E_CORRUPT;
	memcpy(ret_id, text, ID_TEXT);
	return 0;
}

static int read_database(struct store *store, struct known *ret_known)
{
	int r = read_id(store, ret_known->id);

	return r == 0 ? store_setting_number(store, ALLOWLIST_GENERATION, &ret_known->generation)
	              : r;
}

/* What was cut off or written by somebody else knows no database: it is as good as another's. */
static void parse_file(char *text, size_t size, struct known *known)
{
	uint8_t bytes[ID_SIZE];
	const size_t digits = 2 * (size_t)ID_SIZE;

	known->id[0] = '\0';
	if (size < digits + 3 || text[size - 1] != '\n' || text[digits] != ' ' ||
	        memchr(text, '\0', size))
		return;
	text[size - 1] = '\0';
	if (hex_decode(text, digits, bytes, sizeof(bytes)) < 0 ||
	        !store_number_parse(text + digits + 1, &known->generation))
		return;
	memcpy(known->id, text, digits);
	known->id[digits] = '\0';
}

/* *ret_there is false when there is no file. */
static int read_file(struct store *store, struct known *ret_known, bool *ret_there)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r = store_path_beside(store, WITNESS_FILE, &path);

	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, path, FILE_MAX, &text, &size);
	*ret_there = r != -ENOENT;
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		parse_file(text, size, ret_known);
	/* A link, a directory, a longer file: somebody's, and it knows no database. */
	return r == -ELOOP || r == -EINVAL || r == -EFBIG ? 0 : r;
}

static int remembers_nothing(struct store *store, bool *ret_nothing)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = store_prepare_once(store,
	        "SELECT 1 FROM allowlist UNION ALL SELECT 1 FROM allowlist_memory LIMIT 1", &s);
	int code;

	if (r != 0)
		return r;
	code = sqlite3_step(s);
	*ret_nothing = code == SQLITE_DONE;
	return store_result(store, code);
}

int witness_look(struct store *store, enum witness *ret_witness)
{
	struct known database = {0}, file = {0};
	bool there = false, nothing = false;
	int r = read_database(store, &database);

	if (r == 0)
		r = read_file(store, &file, &there);
	if (r == 0 && !there && !database.id[0])
		r = remembers_nothing(store, &nothing);
	if (r != 0)
		return r;
	if (!there && !database.id[0])
		*ret_witness = nothing ? WITNESS_FRESH : WITNESS_LOST;
	else if (!there)
		*ret_witness = WITNESS_ALONE;
	else if (!database.id[0] || strcmp(database.id, file.id) != 0 ||
	         database.generation < file.generation)
		*ret_witness = WITNESS_LOST;
	else
		*ret_witness =
		        database.generation == file.generation ? WITNESS_GOOD : WITNESS_ALONE;
	return 0;
}

int witness_make_id(struct store *store)
{
	uint8_t bytes[ID_SIZE];
	char id[ID_TEXT];
	int r = read_id(store, id);

	if (r != 0 || id[0])
		return r;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	hex_encode(bytes, sizeof(bytes), id);
	return store_setting_set(store, ALLOWLIST_DATABASE, id);
}

int witness_write(struct store *store)
{
	_cleanup_free_ char *path = NULL;
	struct known database = {0};
	char text[FILE_MAX + 1];
	int n, r = read_database(store, &database);

	if (r == 0)
		r = store_path_beside(store, WITNESS_FILE, &path);
	if (r != 0)
		return r;
	if (!database.id[0])
		return -EINVAL;
	n = snprintf(text, sizeof(text), "%s %" PRId64 "\n", database.id, database.generation);
	r = file_write_atomic(path, text, (size_t)n, 0600);
	return r == -ENOSPC || r == -EDQUOT || r == -EFBIG ? STORE_E_FULL : r;
}

/* In a transaction of its own: what is begun afterwards may be rolled back, and the file stays. */
static int start(struct store *store)
{
	enum witness witness = WITNESS_UNSET;
	int r = store_begin(store);

	if (r != 0)
		return r;
	/* Another program may have been faster. */
	r = witness_look(store, &witness);
	if (r == 0 && witness == WITNESS_FRESH)
		r = witness_make_id(store);
	if (r == 0)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int store_witness(struct store *store)
{
	enum witness witness = WITNESS_UNSET;
	int r = witness_look(store, &witness);

	if (r == 0 && witness == WITNESS_FRESH) {
		r = start(store);
		if (r == 0)
			r = witness_look(store, &witness);
	}
	return r == 0 && witness == WITNESS_ALONE ? witness_write(store) : r;
}
