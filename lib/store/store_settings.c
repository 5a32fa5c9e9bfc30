/* Small settings by name: what operators set at run time and a restart must not forget. */
#include "store/store_internal.h"

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
