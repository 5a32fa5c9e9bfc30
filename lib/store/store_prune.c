/*
 * Retention: a bounded number of rows goes at a time, so that no writer waits for long. Newest is
 * what was seen last: a program that is written or tried again and again keeps its row.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"

#include <errno.h>

#define PRUNE_ROWS 10000 /* of each rule, a call */

struct limits {
	int64_t events_max, drops_max, before_ns;
};

static int64_t events_max(const struct limits *limits)
{
	return limits->events_max;
}

static int64_t drops_max(const struct limits *limits)
{
	return limits->drops_max;
}

static int64_t before_ns(const struct limits *limits)
{
	return limits->before_ns;
}

static int64_t none(const struct limits *limits)
{
	(void)limits;
	return 0;
}

/* ?1 the limit, ?2 rows at most. Containers last: what referred to them has gone by then. */
static const struct rule {
	const char *sql;
	int64_t (*limit)(const struct limits *limits);
} rules[] = {
        {"DELETE FROM event WHERE id IN (SELECT id FROM event WHERE last_ns < ?1 "
         "ORDER BY last_ns LIMIT ?2)",
                before_ns},
        {"DELETE FROM event WHERE id IN (SELECT id FROM event "
         "ORDER BY last_ns DESC, id DESC LIMIT ?2 OFFSET ?1)",
                events_max},
        {"DELETE FROM drop_ WHERE id IN (SELECT id FROM drop_ WHERE time_ns < ?1 "
         "ORDER BY time_ns LIMIT ?2)",
                before_ns},
        {"DELETE FROM drop_ WHERE id IN (SELECT id FROM drop_ "
         "ORDER BY time_ns DESC, id DESC LIMIT ?2 OFFSET ?1)",
                drops_max},
        {"DELETE FROM container WHERE id IN (SELECT id FROM container c WHERE "
         "NOT EXISTS (SELECT 1 FROM event WHERE container = c.id) AND "
         "NOT EXISTS (SELECT 1 FROM drop_ WHERE container = c.id) LIMIT ?2)",
                none},
};

static int apply(
        struct store *store, const struct rule *rule, const struct limits *limits, bool *more)
{
	_cleanup_(statement_donep) sqlite3_stmt *s = NULL;
	int r = store_prepare_once(store, rule->sql, &s);

	if (r != 0)
		return r;
	sqlite3_bind_int64(s, 1, rule->limit(limits));
	sqlite3_bind_int(s, 2, PRUNE_ROWS);
	r = store_run(store, s);
	if (r == 0 && sqlite3_changes(store->db) >= PRUNE_ROWS)
		*more = true;
	return r;
}

/* 1 says that more remains, so the outcomes of the store are errnos here. */
static int as_errno(int r)
{
	switch (r) {
	case STORE_E_FULL:
		return -ENOSPC;
	case STORE_E_BUSY:
		return -EBUSY;
	case STORE_E_CORRUPT:
		return -EBADMSG;
	default:
		return r > 0 ? -EIO : r;
	}
}

int store_prune(struct store *store, uint32_t events, uint32_t drops, int64_t oldest_ns)
{
	const struct limits limits = {events, drops, oldest_ns};
	bool more = false;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int r = apply(store, &rules[i], &limits, &more);

		if (r != 0)
			return as_errno(r);
	}
	return more ? 1 : 0;
}
