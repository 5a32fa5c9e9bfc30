#include "daemon/lists_report.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct lists_told {
	pthread_mutex_t lock;
	char *path, *fault;
	struct lists_refusal refused[LISTS_REFUSED_MAX];
	size_t n_refused;
};

static void refusal_done(struct lists_refusal *refusal)
{
	free(refusal->name);
	free(refusal->detail);
}

void lists_report_done(struct lists_report *report)
{
	for (size_t i = 0; i < report->n_refused; i++)
		refusal_done(&report->refused[i]);
	free(report->refused);
	free(report->path);
	free(report->fault);
}

int lists_told_new(struct lists_told **ret_told)
{
	struct lists_told *told = calloc(1, sizeof(*told));

	if (!told)
		return -ENOMEM;
	pthread_mutex_init(&told->lock, NULL);
	*ret_told = told;
	return 0;
}

void lists_told_free(struct lists_told *told)
{
	if (!told)
		return;
	for (size_t i = 0; i < told->n_refused; i++)
		refusal_done(&told->refused[i]);
	pthread_mutex_destroy(&told->lock);
	free(told->path);
	free(told->fault);
	free(told);
}

bool lists_told_set(struct lists_told *told, const char *path, char *fault)
{
	bool news;

	pthread_mutex_lock(&told->lock);
	news = fault && (!told->fault || strcmp(told->fault, fault) != 0);
	free(told->fault);
	told->fault = fault;
	if (!told->path || strcmp(told->path, path) != 0) {
		free(told->path);
		told->path = strdup(path);
	}
	pthread_mutex_unlock(&told->lock);
	return news;
}

/* Lock held. */
static void drop(struct lists_told *told, size_t i)
{
	refusal_done(&told->refused[i]);
	told->refused[i] = told->refused[--told->n_refused];
}

static void forget(struct lists_told *told, const char *name)
{
	for (size_t i = 0; i < told->n_refused; i++) {
		if (strcmp(told->refused[i].name, name) != 0)
			continue;
		drop(told, i);
		return;
	}
}

void lists_told_accept(struct lists_told *told, const char *name)
{
	pthread_mutex_lock(&told->lock);
	forget(told, name);
	pthread_mutex_unlock(&told->lock);
}

void lists_told_refuse(
        struct lists_told *told, const char *name, const char *reason, const char *detail)
{
	struct lists_refusal refusal = {.name = strdup(name),
	        .reason = reason,
	        .detail = strdup(detail ?: ""),
	        .time_ns = clock_realtime_ns()};

	pthread_mutex_lock(&told->lock);
	forget(told, name);
	if (refusal.name && refusal.detail && told->n_refused < LISTS_REFUSED_MAX)
		told->refused[told->n_refused++] = refusal;
	else
		refusal_done(&refusal);
	pthread_mutex_unlock(&told->lock);
}

void lists_told_keep(struct lists_told *told,
        bool (*is_there)(const char *name, const void *userdata), const void *userdata)
{
	pthread_mutex_lock(&told->lock);
	for (size_t i = told->n_refused; i-- > 0;)
		if (!is_there(told->refused[i].name, userdata))
			drop(told, i);
	pthread_mutex_unlock(&told->lock);
}

static int copy_refusal(const struct lists_refusal *from, struct lists_refusal *to)
{
	*to = (struct lists_refusal){.name = strdup(from->name),
	        .reason = from->reason,
	        .detail = strdup(from->detail),
	        .time_ns = from->time_ns};
	return to->name && to->detail ? 0 : -ENOMEM;
}

int lists_told_report(struct lists_told *told, struct lists_report *ret_report)
{
	struct lists_report report = {0};
	int r = 0;

	pthread_mutex_lock(&told->lock);
	report.path = told->path ? strdup(told->path) : NULL;
	report.fault = told->fault ? strdup(told->fault) : NULL;
	report.refused = calloc(LISTS_REFUSED_MAX, sizeof(report.refused[0]));
	if ((told->path && !report.path) || (told->fault && !report.fault) || !report.refused)
		r = -ENOMEM;
	for (size_t i = 0; i < told->n_refused && r == 0; i++)
		r = copy_refusal(&told->refused[i], &report.refused[report.n_refused++]);
	pthread_mutex_unlock(&told->lock);
	if (r == 0)
		*ret_report = report;
	else
		lists_report_done(&report);
	return r;
}
