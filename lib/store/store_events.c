/* Verdicts that were reported. */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char put[] =
        "INSERT INTO event (uid, time_ns, last_ns, verdict, reason, origin, container, path, "
        "sha256, drop_id, count, alert) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
        "?12) RETURNING id";

static const char select_row[] =
        "SELECT e.id, e.uid, e.time_ns, e.last_ns, e.verdict, e.reason, e.origin, c.cid, c.name, "
        "c.image, e.path, e.sha256, e.count, e.alert FROM event e "
        "LEFT JOIN container c ON c.id = e.container WHERE e.id = ?1";

/* What no reader would accept is not written: one bad row would end every walk over it. */
static int check(const char *uid, const char *path, const char *alert)
{
	if (uid && strnlen(uid, EVENT_UID_MAX + 1) > EVENT_UID_MAX)
		return -EMSGSIZE;
	if (alert && strnlen(alert, ALERT_MAX + 1) > ALERT_MAX)
		return -EMSGSIZE;
	return store_texts_fit(&path, 1);
}

static void bind_event(sqlite3_stmt *s, const struct store_event *event, int64_t container)
{
	bind_text(s, 1, event->uid);
	sqlite3_bind_int64(s, 2, event->time_ns);
	sqlite3_bind_int64(s, 3, event->last_ns);
	sqlite3_bind_int(s, 4, (int)event->verdict);
	sqlite3_bind_int(s, 5, (int)event->reason);
	sqlite3_bind_int(s, 6, (int)event->origin);
	bind_id(s, 7, container);
	bind_text(s, 8, event->path);
	bind_digest(s, 9, event->has_digest, &event->digest);
	bind_id(s, 10, event->drop_id);
	sqlite3_bind_int64(s, 11, (int64_t)event->count);
	bind_text(s, 12, event->alert);
}

int store_event_add(struct store *store, const struct store_event *event, int64_t *ret_id)
{
	int64_t container = 0;
	sqlite3_stmt *s;
	int r = check(event->uid, event->path, event->alert);

	if (r == 0)
		r = store_container_put(store, event->container, NULL, &container);
	if (r == 0)
		r = store_prepare(store, STATEMENT_EVENT_PUT, put, &s);
	if (r != 0)
		return r;
	bind_event(s, event, container);
	return store_run_for_id(store, s, ret_id);
}

int store_event_update(
        struct store *store, int64_t id, uint64_t count, int64_t last_ns, const char *alert)
{
	sqlite3_stmt *s;
	int r = check(NULL, NULL, alert);

	if (r == 0)
		r = store_prepare(store, STATEMENT_EVENT_UPDATE,
		        "UPDATE event SET count = ?2, last_ns = ?3, alert = ?4 WHERE id = ?1", &s);
	if (r != 0)
		return r;
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
	row->uid = column_text(s, 1, EVENT_UID_MAX, &ok);
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

/* STORE_E_NOTFOUND when it went since its id was read. */
static int load_row(struct store *store, int64_t id, struct store_event_row *row)
{
	sqlite3_stmt *s;
	int code, r = store_prepare(store, STATEMENT_EVENT_ROW, select_row, &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, id);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		r = read_row(s, row) ? 0 : STORE_E_CORRUPT;
	else
		r = store_result(store, code) ?: STORE_E_NOTFOUND;
	sqlite3_reset(s);
	return r;
}

int store_events(struct store *store, const struct store_event_query *query,
        int (*fn)(const struct store_event_row *row, void *userdata), void *userdata)
{
	_cleanup_(store_ids_done) struct store_ids ids = {0};
	int r = store_select_ids(store, store_event_selects[store_select_of(query)], query, &ids);

	for (size_t i = ids.n; i > 0 && r == 0; i--) {
		_cleanup_(store_event_row_done) struct store_event_row row = {0};

		r = load_row(store, ids.ids[i - 1], &row);
		if (r == 0)
			r = fn(&row, userdata);
		else if (r == STORE_E_NOTFOUND)
			r = 0;
	}
	return r;
}
