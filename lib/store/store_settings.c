/* Small settings by name: what operators set at run time and a restart must not forget. */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <stdlib.h>

static int remove_setting(struct store *store, const char *name)
{
	sqlite3_stmt *s;
	int r = store_prepare(
	        store, STATEMENT_SETTING_REMOVE, "DELETE FROM setting WHERE name = ?1", &s);

	if (r != 0)
		return r;
	bind_text(s, 1, name);
	return store_run(store, s);
}

int store_setting_set(struct store *store, const char *name, const char *value)
{
	const char *const texts[] = {name, value};
	sqlite3_stmt *s;
	int r = store_texts_fit(texts, 2);

	if (r != 0)
		return r;
	if (!value)
		return remove_setting(store, name);
	r = store_prepare(store, STATEMENT_SETTING_PUT,
	        "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)", &s);
	if (r != 0)
		return r;
	bind_text(s, 1, name);
	bind_text(s, 2, value);
	return store_run(store, s);
}

int store_setting_get(struct store *store, const char *name, char **ret_value)
{
	bool ok = true;
	char *value;
	sqlite3_stmt *s;
	int r, code;

	r = store_prepare(
	        store, STATEMENT_SETTING_GET, "SELECT value FROM setting WHERE name = ?1", &s);
	if (r != 0)
		return r;
	bind_text(s, 1, name);
	code = sqlite3_step(s);
	value = code == SQLITE_ROW ? column_text(s, 0, TEXT_MAX, &ok) : NULL;
	r = code == SQLITE_DONE ? STORE_E_NOTFOUND : store_result(store, code);
	sqlite3_reset(s);
	if (r != 0)
		return r;
	if (!value)
		return STORE_E_CORRUPT;
	*ret_value = value;
	return 0;
}

/*
 * Numbers.
 */
bool store_number_parse(const char *text, int64_t *ret_number)
{
	int64_t number = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' ||
		        __builtin_mul_overflow(number, INT64_C(10), &number) ||
		        __builtin_add_overflow(number, *text - '0', &number))
			return false;
	}
	*ret_number = number;
	return true;
}

int store_setting_number(struct store *store, const char *name, int64_t *ret_number)
{
	_cleanup_free_ char *text = NULL;
	int r = store_setting_get(store, name, &text);

	if (r == STORE_E_NOTFOUND) {
		*ret_number = 0;
		return 0;
	}
	if (r != 0)
		return r;
	return store_number_parse(text, ret_number) ? 0 : STORE_E_CORRUPT;
}

int store_setting_count_up(struct store *store, const char *name)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SETTING_COUNT,
	        "INSERT INTO setting (name, value) VALUES (?1, '1') ON CONFLICT (name) DO UPDATE "
	        "SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, name);
	return store_run(store, s);
}

int store_setting_forward(struct store *store, const char *name, int64_t number)
{
	sqlite3_stmt *s;
	int r = store_prepare(store, STATEMENT_SETTING_FORWARD,
	        "INSERT INTO setting (name, value) VALUES (?1, CAST(?2 AS TEXT)) ON CONFLICT "
	        "(name) DO UPDATE SET value = excluded.value WHERE CAST(value AS INTEGER) < ?2",
	        &s);

	if (r != 0)
		return r;
	bind_text(s, 1, name);
	sqlite3_bind_int64(s, 2, number);
	return store_run(store, s);
}
