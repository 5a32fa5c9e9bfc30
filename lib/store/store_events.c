/* Verdicts that were reported. */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int failed(struct store *store)
{
	return store_result(store, sqlite3_errcode(store->db)) ?: -EIO;
}

int store_event_add(struct store *store, const struct store_event *event, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int64_t container = 0;
	int r = store_container_put(store, event->container, &container);

	if (r != 0)
		return r;
	s = store_statement(store, STATEMENT_EVENT_PUT,
	        "INSERT INTO event (uid, time_ns, last_ns, verdict, reason, origin, container, "
	        "path, "
	        "sha256, drop_id, count, alert) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
	        "?11, "
	        "?12)");
	if (!s)
		return failed(store);
	bind_text(s, 1, event->uid);
	sqlite3_bind_int64(s, 2, event->time_ns);
	sqlite3_bind_int64(s, 3, event->last_ns);
	sqlite3_bind_int(s, 4, (int)event->verdict);
	sqlite3_bind_int(s, 5, (int)event->reason);
	sqlite3_bind_int(s, 6, (int)event->origin);
	if (container != 0)
		sqlite3_bind_int64(s, 7, container);
	bind_text(s, 8, event->path);
	bind_digest(s, 9, event->has_digest, &event->digest);
	if (event->drop_id != 0)
		sqlite3_bind_int64(s, 10, event->drop_id);
	sqlite3_bind_int64(s, 11, (int64_t)event->count);
	bind_text(s, 12, event->alert);
	r = store_run(store, s);
	if (r == 0)
		*ret_id = sqlite3_last_insert_rowid(store->db);
	return r;
}

int store_event_update(
        struct store *store, int64_t id, uint64_t count, int64_t last_ns, const char *alert)
{
	sqlite3_stmt *s = store_statement(store, STATEMENT_EVENT_UPDATE,
	        "UPDATE event SET count = ?2, last_ns = ?3, alert = ?4 WHERE id = ?1");
	int r;

	if (!s)
		return failed(store);
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, (int64_t)count);
	sqlite3_bind_int64(s, 3, last_ns);
	bind_text(s, 4, alert);
	r = store_run(store, s);
	return r == 0 && sqlite3_changes(store->db) == 0 ? STORE_E_NOTFOUND : r;
}

void store_event_row_done(struct store_event_row *row)
{
	free(row->uid);
	free(row->container_id);
	free(row->container_name);
	free(row->image);
	free(row->path);
	free(row->alert);
	memset(row, 0, sizeof(*row));
}

static bool read_row(sqlite3_stmt *s, struct store_event_row *row)
{
	bool ok = true;

	row->id = column_int(s, 0, 1, INT64_MAX, &ok);
	row->uid = column_text(s, 1, 64, &ok);
	row->time_ns = column_int(s, 2, 0, INT64_MAX, &ok);
	row->last_ns = column_int(s, 3, 0, INT64_MAX, &ok);
	row->verdict = (enum verdict)column_int(s, 4, 0, _VERDICT_MAX - 1, &ok);
	row->reason = (enum reason)column_int(s, 5, 0, _REASON_MAX - 1, &ok);
	row->origin = (enum origin)column_int(s, 6, 0, _ORIGIN_MAX - 1, &ok);
	row->container_id = column_text(s, 7, TEXT_MAX, &ok);
	row->container_name = column_text(s, 8, TEXT_MAX, &ok);
	row->image = column_text(s, 9, TEXT_MAX, &ok);
	row->path = column_text(s, 10, TEXT_MAX, &ok);
	row->has_digest = column_digest(s, 11, &row->digest, &ok);
	row->count = (uint64_t)column_int(s, 12, 1, INT64_MAX, &ok);
	row->alert = column_text(s, 13, ALERT_MAX, &ok);
	return ok && row->uid && row->path && row->alert;
}

int store_events(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_event_row *row, void *userdata), void *userdata)
{
	sqlite3_stmt *s = store_statement(store, STATEMENT_EVENTS,
	        "SELECT * FROM (SELECT e.id, e.uid, e.time_ns, e.last_ns, e.verdict, e.reason, "
	        "e.origin, "
	        "c.cid, c.name, c.image, e.path, e.sha256, e.count, e.alert FROM event e LEFT JOIN "
	        "container c ON c.id = e.container WHERE e.last_ns >= ?1 AND e.id > ?2 AND (?3 IS "
	        "NULL "
	        "OR c.name = ?3 OR c.cid = ?3 OR c.key = ?3 OR (length(?3) >= 12 AND substr(c.cid, "
	        "1, "
	        "length(?3)) = ?3)) AND (?4 IS NULL OR e.path = ?4) AND (?5 IS NULL OR e.sha256 = "
	        "?5) "
	        "AND (?6 IS NULL OR e.uid = ?6) ORDER BY e.id DESC LIMIT ?7) ORDER BY 1");
	int code, r = 0;

	if (!s)
		return failed(store);
	sqlite3_bind_int64(s, 1, query->since_ns);
	sqlite3_bind_int64(s, 2, query->after_id);
	bind_text(s, 3, query->container);
	bind_text(s, 4, query->path);
	bind_digest(s, 5, query->digest != NULL, query->digest);
	bind_text(s, 6, query->uid);
	sqlite3_bind_int64(s, 7, query->limit ? query->limit : 1000);
	while (r == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
		_cleanup_(store_event_row_done) struct store_event_row row = {0};

		r = read_row(s, &row) ? fn(&row, userdata) : STORE_E_CORRUPT;
	}
	sqlite3_reset(s);
	return r != 0 ? r : store_result(store, code);
}
