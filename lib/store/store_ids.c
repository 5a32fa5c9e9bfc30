/*
 * Which rows a query is about. The selects are fixed texts, one for each column that narrows best;
 * what else the query asks for filters behind it. Each goes through an index, which a test holds.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 1000u
#define IDS_MIN       64u /* slots of the first allocation */

#define EVENT_FILTER                                                                               \
	"last_ns >= ?1 AND id > ?2 AND (?3 IS NULL OR container IN " CONTAINERS_NAMED              \
	") AND (?4 IS NULL OR path = ?4) AND (?5 IS NULL OR sha256 = ?5) "                         \
	"AND (?6 IS NULL OR uid = ?6) ORDER BY id DESC LIMIT ?7"

#define DROP_FILTER                                                                                \
	"time_ns >= ?1 AND id > ?2 AND (?3 IS NULL OR container IN " CONTAINERS_NAMED              \
	") AND (?4 IS NULL OR path = ?4) AND (?5 IS NULL OR sha256 = ?5) "                         \
	"ORDER BY time_ns DESC, id DESC LIMIT ?7"

/* INDEXED BY: the order asked for must not tempt the planner to walk the whole table for it. */
const char *const store_event_selects[_SELECT_MAX] = {
        [SELECT_ALL] = "SELECT id FROM event NOT INDEXED WHERE " EVENT_FILTER,
        [SELECT_SINCE] = "SELECT id FROM event INDEXED BY event_by_last WHERE " EVENT_FILTER,
        [SELECT_CONTAINER] = "SELECT id FROM event INDEXED BY event_by_container "
                             "WHERE container IN " CONTAINERS_NAMED " AND " EVENT_FILTER,
        [SELECT_PATH] =
                "SELECT id FROM event INDEXED BY event_by_path WHERE path = ?4 AND " EVENT_FILTER,
        [SELECT_DIGEST] = "SELECT id FROM event INDEXED BY event_by_sha256 "
                          "WHERE sha256 = ?5 AND " EVENT_FILTER,
        [SELECT_UID] = "SELECT id FROM event WHERE uid = ?6 AND " EVENT_FILTER,
};

const char *const store_drop_selects[_SELECT_MAX] = {
        [SELECT_ALL] = "SELECT id FROM drop_ INDEXED BY drop_by_time WHERE " DROP_FILTER,
        [SELECT_SINCE] = "SELECT id FROM drop_ INDEXED BY drop_by_time WHERE " DROP_FILTER,
        [SELECT_CONTAINER] = "SELECT id FROM drop_ INDEXED BY drop_by_container "
                             "WHERE container IN " CONTAINERS_NAMED " AND " DROP_FILTER,
        [SELECT_PATH] =
                "SELECT id FROM drop_ INDEXED BY drop_by_path WHERE path = ?4 AND " DROP_FILTER,
        [SELECT_DIGEST] = "SELECT id FROM drop_ INDEXED BY drop_by_sha256 "
                          "WHERE sha256 = ?5 AND " DROP_FILTER,
};

enum select store_select_of(const struct store_event_query *query)
{
	if (query->uid)
		return SELECT_UID;
	if (query->digest)
		return SELECT_DIGEST;
	if (query->path)
		return SELECT_PATH;
	if (query->container)
		return SELECT_CONTAINER;
	return query->since_ns > 0 ? SELECT_SINCE : SELECT_ALL;
}

void store_ids_done(struct store_ids *ids)
{
	free(ids->ids);
	*ids = (struct store_ids){0};
}

static int append(struct store_ids *ids, size_t *slots, int64_t id)
{
	if (ids->n == *slots) {
		size_t more = *slots ? *slots * 2 : IDS_MIN;
		int64_t *grown = reallocarray(ids->ids, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		ids->ids = grown;
		*slots = more;
	}
	ids->ids[ids->n++] = id;
	return 0;
}

static void bind_query(sqlite3_stmt *s, const struct store_event_query *query)
{
	sqlite3_bind_int64(s, 1, query->since_ns);
	sqlite3_bind_int64(s, 2, query->after_id);
	bind_text(s, 3, query->container);
	bind_text(s, 4, query->path);
	bind_digest(s, 5, query->digest != NULL, query->digest);
	bind_text(s, 6, query->uid);
	sqlite3_bind_int64(s, 7, query->limit ? query->limit : LIMIT_DEFAULT);
}

int store_select_ids(struct store *store, const char *sql, const struct store_event_query *query,
        struct store_ids *ret_ids)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	_cleanup_(store_ids_done) struct store_ids ids = {0};
	size_t slots = 0;
	int code = SQLITE_ROW;
	int r = store_prepare_once(store, sql, &s);

	if (r != 0)
		return r;
	bind_query(s, query);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
		r = append(&ids, &slots, sqlite3_column_int64(s, 0));
	if (r == 0)
		r = store_result(store, code);
	if (r != 0)
		return r;
	*ret_ids = ids;
	ids = (struct store_ids){0};
	return 0;
}
