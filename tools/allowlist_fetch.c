/*
 * execward allowlist fetch: signed lists from any web server, each installed as `allowlist install`
 * would. A server that is not reached changes nothing: what is in force stands until it expires.
 *
 * The envelope goes to a file without a name. Its ETag is kept once its list was installed or found
 * to be here, and only sent while that list is in force: one that was removed, has expired or lost
 * its signers is downloaded again, so that the answer says why, and a new signature gets here.
 */
#include "allowlists/in_force.h"
#include "allowlists/install.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "config/scalar.h"
#include "crypto/dsse.h"
#include "tools/allowlist_fetch_http.h"
#include "tools/allowlist_fetch_tags.h"
#include "tools/allowlist_report.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct fetching {
	const struct tool *tool;
	const struct call *call;
	struct store *store;
	struct trust *trust;
	struct allowlist_limits limits;
	int64_t timeout_ms;
	json_t *tags, *rows; /* rows: NULL without --json */
	bool tags_changed, lists_changed;
};

static void fetching_done(struct fetching *f)
{
	store_free(f->store);
	trust_free(f->trust);
	json_decref(f->tags);
	json_decref(f->rows);
}

/*
 * Where from.
 */

/* As the configuration would take it. 0 or EX_USAGE. */
static int check_url(const struct call *call, const char *url)
{
	static const struct key key = {.name = "url", .type = KEY_HTTPS};
	_cleanup_free_ char *copy = NULL;
	struct scalar_fault fault = {0};

	if (scalar_set(&key, url, &copy, &fault) == 0)
		return 0;
	/* It may hold a secret, so it is not shown. */
	fprintf(stderr, "execward %s: URL: %s%s\n", call->verb->name, fault.why ? "" : "must be ",
	        fault.why ?: scalar_expected(KEY_HTTPS));
	return EX_USAGE;
}

static int read_timeout(const struct call *call, int64_t *ret_ms)
{
	const char *text = call->values[OPTION_TIMEOUT];
	int64_t ns;

	*ret_ms = FETCH_TIMEOUT_MS;
	if (!text)
		return 0;
	if (duration_parse(text, &ns) < 0 || ns < NS_PER_MSEC || ns > FETCH_TIMEOUT_TOP_NS) {
		fprintf(stderr, "execward %s: --timeout: a duration of 1ms to 24h, such as 90s\n",
		        call->verb->name);
		return EX_USAGE;
	}
	*ret_ms = ns / NS_PER_MSEC;
	return 0;
}

/*
 * What is here already.
 */
struct known {
	const struct fetching *fetching;
	const struct digest *payload;
	const char *series; /* wanted; NULL */
	bool in_force;
};

static int compare_known(const struct allowlist_info *info, void *userdata)
{
	struct known *known = userdata;
	const struct fetching *f = known->fetching;

	if (!digest_equal(&info->payload, known->payload) ||
	        (known->series && strcmp(known->series, info->statement.series)))
		return 0;
	known->in_force = allowlist_in_force(info, f->trust, f->tool->config->threshold,
	                          &f->limits) == ALLOWLIST_ACCEPTED;
	return 1;
}

/* The ETag to ask with; NULL: give me whatever there is. Borrowed from the tags. */
static const char *etag_of(const struct fetching *f, const struct config_fetch *source)
{
	struct digest payload;
	const char *etag = fetch_tags_find(f->tags, source->url, &payload);
	struct known known = {.fetching = f, .payload = &payload, .series = source->series};

	if (!etag || store_allowlists(f->store, compare_known, &known) < 0)
		return NULL;
	return known.in_force ? etag : NULL;
}

/*
 * What became of one.
 */
static json_t *add_row(const struct fetching *f, const char *shown)
{
	json_t *row = json_pack("{s:s}", "url", shown);

	json_array_append_new(f->rows, row);
	return row;
}

/* What the server did, where there is no envelope to speak of. Passes @code on. */
static int report_server(const struct fetching *f, const char *shown, const char *result,
        const struct fetch_answer *answer, const char *fault, int code)
{
	_cleanup_free_ char *printable = text_safe(fault);
	json_t *row;

	if (code == EX_UNAVAILABLE)
		fprintf(stderr, "execward %s: %s: %s; the lists in force stand\n",
		        f->call->verb->name, shown, printable);
	else if (!f->rows)
		printf("%s: %s%s%s\n", shown,
		        code == 0 ? result : "REFUSED: ", code == 0 ? "" : printable, "");
	if (!f->rows)
		return code;
	row = add_row(f, shown);
	json_object_set_new(row, "result", json_string(result));
	json_object_set_new(row, "reason",
	        json_string(code == 0   ? allowlist_reason_name(ALLOWLIST_UNCHANGED)
	                    : code == 1 ? dsse_error_name(DSSE_E_TOO_LARGE)
	                                : "unavailable"));
	if (answer->status)
		json_object_set_new(row, "status", json_integer((json_int_t)answer->status));
	if (fault)
		json_object_set_new(row, "fault", json_string(printable));
	return code;
}

/* Its tag is kept from now on: the list is here. */
static int remember(struct fetching *f, const struct config_fetch *source, const char *etag,
        const struct install_result *result)
{
	int r = fetch_tags_set(f->tags, source->url, etag, &result->info.payload, f->limits.now_ns);

	f->tags_changed = true;
	return r < 0 ? allowlist_fail(f->call, NULL, FETCH_TAGS_FILE, r) : 0;
}

static int install(struct fetching *f, const struct config_fetch *source, const char *shown, int fd,
        const struct fetch_answer *answer)
{
	_cleanup_(install_result_done) struct install_result result = {0};
	_cleanup_free_ char *from = text_format("fetch:%s", shown);
	const struct install_request request = {
	        .trust = f->trust,
	        .keys_dir = f->tool->config->keys_dir,
	        .threshold = f->tool->config->threshold,
	        .limits = f->limits,
	        .series = source->series,
	        .source = from,
	        .by_uid = getuid(),
	};
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;

	if (r == 0)
		r = allowlist_install(f->store, NULL, fd, &request, false, &result);
	if (r != 0)
		return allowlist_fail(f->call, f->store, shown, r);
	if (f->rows)
		install_result_json(&result, add_row(f, shown));
	else
		install_result_print(f->tool, shown, &result);
	f->lists_changed = f->lists_changed || result.reason == ALLOWLIST_ACCEPTED;
	/* What is no envelope at all is refused like any other: no input of the caller's was bad.
	 */
	if (!allowlist_is_good(result.reason))
		return 1;
	return remember(f, source, answer->etag, &result);
}

static int judge(struct fetching *f, const struct config_fetch *source, const char *shown, int fd,
        const struct fetch_answer *answer)
{
	switch (answer->outcome) {
	case FETCH_BODY:
		return install(f, source, shown, fd, answer);
	case FETCH_UNCHANGED:
		return report_server(f, shown, "unchanged", answer, NULL, 0);
	case FETCH_TOO_LARGE:
		return report_server(
		        f, shown, "refused", answer, dsse_error_text(DSSE_E_TOO_LARGE), 1);
	case FETCH_FAILED:
	case FETCH_UNSET:
	default:
		return report_server(
		        f, shown, "unavailable", answer, answer->fault, EX_UNAVAILABLE);
	}
}

static int fetch_one(struct fetching *f, const struct config_fetch *source)
{
	const char *state_dir = f->tool->config->state_dir;
	_cleanup_(fetch_answer_done) struct fetch_answer answer = {0};
	_cleanup_free_ char *url = fetch_shown_url(source->url);
	_cleanup_free_ char *shown = text_safe(url ?: "URL");
	const struct fetch_order order = {
	        .url = source->url,
	        .etag = etag_of(f, source),
	        .cacert = f->call->values[OPTION_CACERT],
	        .timeout_ms = f->timeout_ms,
	};
	_cleanup_close_ int fd = open(state_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return allowlist_fail(f->call, NULL, state_dir, -errno);
	r = fetch_get(&order, fd, &answer);
	if (r < 0)
		return allowlist_fail(f->call, NULL, shown, r);
	return judge(f, source, shown, fd, &answer);
}

/*
 * All of them.
 */
static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* Each on its own: one server that is down keeps no other list from getting here. */
static int fetch_all(struct fetching *f)
{
	const struct call *call = f->call;
	const struct config *config = f->tool->config;
	int r = 0;

	for (size_t i = 0; i < call->n_arguments; i++) {
		/* Only read. */
		struct config_fetch source = {.url = (char *)(uintptr_t)call->arguments[i],
		        .series = (char *)(uintptr_t)call->values[OPTION_SERIES]};

		r = larger(r, fetch_one(f, &source));
	}
	for (size_t i = 0; call->n_arguments == 0 && i < config->n_fetch; i++)
		r = larger(r, fetch_one(f, &config->fetch[i]));
	return r;
}

static int check_call(const struct tool *tool, const struct call *call)
{
	for (size_t i = 0; i < call->n_arguments; i++) {
		int r = check_url(call, call->arguments[i]);

		if (r != 0)
			return r;
	}
	if (call->n_arguments > 0)
		return 0;
	if (call_has(call, OPTION_SERIES)) {
		fprintf(stderr, "execward %s: --series is of a URL: name it too\n",
		        call->verb->name);
		return EX_USAGE;
	}
	if (tool->config->n_fetch > 0)
		return 0;
	fprintf(stderr,
	        "execward %s: nothing to fetch: name a URL, or trust.fetch in the configuration\n",
	        call->verb->name);
	return EX_CONFIG;
}

static int open_all(struct fetching *f)
{
	const char *state_dir = f->tool->config->state_dir;
	int r = check_call(f->tool, f->call);

	if (r == 0)
		r = read_timeout(f->call, &f->timeout_ms);
	if (r == 0)
		r = allowlist_trust(f->tool, f->call, &f->trust);
	if (r != 0)
		return r;
	r = store_open(state_dir, STORE_READ_WRITE, &f->store);
	if (r != 0)
		return allowlist_fail(f->call, f->store, state_dir, r);
	allowlist_limits(f->tool->config, clock_realtime_ns(), &f->limits);
	r = store_trusted_now(f->store, &f->limits.latest_now_ns);
	if (r != 0)
		return allowlist_fail(f->call, f->store, state_dir, r);
	f->tags = fetch_tags_read(state_dir);
	f->rows = f->tool->json ? json_array() : NULL;
	if (!f->tags || (f->tool->json && !f->rows))
		return allowlist_fail(f->call, NULL, "memory", -ENOMEM);
	return 0;
}

int verb_allowlist_fetch(const struct tool *tool, const struct call *call)
{
	_cleanup_(fetching_done) struct fetching f = {.tool = tool, .call = call};
	int r = open_all(&f), told;

	if (r != 0)
		return r;
	r = fetch_all(&f);
	/* The tags follow the lists: a crash in between costs a download. */
	if (f.tags_changed) {
		int written = fetch_tags_write(f.tags, tool->config->state_dir);

		if (written < 0)
			r = larger(r, allowlist_fail(call, NULL, FETCH_TAGS_FILE, written));
	}
	told = f.lists_changed ? allowlist_tell_daemon(tool) : 0;
	if (f.rows) {
		json_t *object = json_pack("{s:O}", "lists", f.rows);

		print_json(object);
		json_decref(object);
	}
	return larger(r, told);
}
