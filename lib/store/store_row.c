#include "store/store_internal.h"

#include <stdlib.h>
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

int64_t column_int(sqlite3_stmt *statement, int at, int64_t min, int64_t max, bool *ok)
{
	int64_t value = sqlite3_column_int64(statement, at);

	if (sqlite3_column_type(statement, at) != SQLITE_INTEGER || value < min || value > max) {
		*ok = false;
		return min;
	}
	return value;
}

char *column_text(sqlite3_stmt *statement, int at, size_t max, bool *ok)
{
	const char *text;
	size_t size;
	char *copy;

	if (sqlite3_column_type(statement, at) == SQLITE_NULL)
		return NULL;
	text = (const char *)sqlite3_column_text(statement, at);
	size = (size_t)sqlite3_column_bytes(statement, at);
	if (!text || sqlite3_column_type(statement, at) != SQLITE_TEXT || size > max ||
	        memchr(text, '\0', size)) {
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
	const void *blob;

	if (sqlite3_column_type(statement, at) == SQLITE_NULL)
		return false;
	blob = sqlite3_column_blob(statement, at);
	if (!blob || sqlite3_column_type(statement, at) != SQLITE_BLOB ||
	        sqlite3_column_bytes(statement, at) != (int)DIGEST_SIZE) {
		*ok = false;
		return false;
	}
	memcpy(ret_digest->bytes, blob, DIGEST_SIZE);
	return true;
}
