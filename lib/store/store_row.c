/* Values on their way into rows and out of them. What comes out is checked as foreign. */
#include "store/store_internal.h"

#include <errno.h>
#include <string.h>

void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	if (text)
		sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(statement, at);
}

void bind_digest(sqlite3_stmt *statement, int at, bool known, const struct digest *digest)
{
	if (known)
		sqlite3_bind_blob(statement, at, digest->bytes, DIGEST_SIZE, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(statement, at);
}

void bind_id(sqlite3_stmt *statement, int at, int64_t id)
{
	if (id != 0)
		sqlite3_bind_int64(statement, at, id);
	else
		sqlite3_bind_null(statement, at);
}

int store_texts_fit(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (texts[i] && strnlen(texts[i], TEXT_MAX + 1) > TEXT_MAX)
			return -EMSGSIZE;
	return 0;
}

int64_t column_int(sqlite3_stmt *statement, int at, int64_t min, int64_t max, bool *ok)
{
	int64_t value = sqlite3_column_int64(statement, at);

	if (sqlite3_column_type(statement, at) != SQLITE_INTEGER || value < min || value > max) {
		*ok = false;
		return min;
	}
	return value;
}

/* The type is asked for first: reading a value as text may convert it. */
char *column_text(sqlite3_stmt *statement, int at, size_t max, bool *ok)
{
	int type = sqlite3_column_type(statement, at);
	const char *text;
	size_t size;
	char *copy;

	if (type == SQLITE_NULL)
		return NULL;
	text = type == SQLITE_TEXT ? (const char *)sqlite3_column_text(statement, at) : NULL;
	size = text ? (size_t)sqlite3_column_bytes(statement, at) : 0;
	if (!text || size > max || memchr(text, '\0', size)) {
		*ok = false;
		return NULL;
	}
	copy = strndup(text, size);
	if (!copy)
		*ok = false;
	return copy;
}

bool column_digest(sqlite3_stmt *statement, int at, struct digest *ret_digest, bool *ok)
{
	int type = sqlite3_column_type(statement, at);
	const void *blob;

	if (type == SQLITE_NULL)
		return false;
	blob = type == SQLITE_BLOB ? sqlite3_column_blob(statement, at) : NULL;
	if (!blob || sqlite3_column_bytes(statement, at) != (int)DIGEST_SIZE) {
		*ok = false;
		return false;
	}
	memcpy(ret_digest->bytes, blob, DIGEST_SIZE);
	return true;
}
