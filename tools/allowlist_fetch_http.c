#include "tools/allowlist_fetch_http.h"

#include "crypto/dsse.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the body goes. */
struct sink {
	int fd;
	uint64_t size; /* bytes so far */
	bool too_large;
	int error; /* -errno of a write; 0 */
};

static void easy_cleanupp(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void url_cleanupp(CURLU **url)
{
	curl_url_cleanup(*url);
}

void fetch_answer_done(struct fetch_answer *answer)
{
	free(answer->etag);
	free(answer->fault);
	memset(answer, 0, sizeof(*answer));
}

/* Whatever the server has said of the length: another return than @n ends the transfer. */
static size_t take(char *data, size_t size, size_t n, void *userdata)
{
	struct sink *sink = userdata;

	n *= size;
	if (sink->size + n > DSSE_ENVELOPE_MAX) {
		sink->too_large = true;
		return 0;
	}
	for (size_t done = 0; done < n;) {
		ssize_t r = write(sink->fd, data + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			sink->error = r < 0 ? -errno : -EIO;
			return 0;
		}
		done += (size_t)r;
	}
	sink->size += n;
	return n;
}

/* What an ETag is made of (RFC 9110, 8.8.3), and bounded: it comes back in a header of ours. */
static bool etag_is_fine(const char *text)
{
	size_t n = strlen(text);

	if (!strncmp(text, "W/", 2)) {
		text += 2;
		n -= 2;
	}
	if (n < 2 || n > FETCH_ETAG_MAX || text[0] != '"' || text[n - 1] != '"')
		return false;
	for (size_t i = 1; i < n - 1; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '"')
			return false;
	return true;
}

/* Of the last response: one that only redirects has nothing to say about the envelope. */
static int read_etag(CURL *curl, char **ret_etag)
{
	struct curl_header *header;

	if (curl_easy_header(curl, "ETag", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
	        header->amount != 1 || !etag_is_fine(header->value))
		return 0;
	*ret_etag = strdup(header->value);
	return *ret_etag ? 0 : -ENOMEM;
}

static bool set_limits(CURL *curl, const struct fetch_order *order)
{
	return !curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) &&
	       !curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS_MAX) &&
	       !curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)FETCH_CONNECT_TIMEOUT_MS) &&
	       !curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)order->timeout_ms) &&
	       !curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) &&
	       !curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)FETCH_STALL_S) &&
	       !curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)DSSE_ENVELOPE_MAX) &&
	       !curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) &&
	       !curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

static bool set_tls(CURL *curl, const struct fetch_order *order)
{
	if (curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) ||
	        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) ||
	        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2))
		return false;
	if (!order->cacert)
		return true;
	/* In place of the system's certificates, not beside them. */
	return !curl_easy_setopt(curl, CURLOPT_CAINFO, order->cacert) &&
	       !curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static bool set_request(CURL *curl, const struct fetch_order *order, struct sink *sink,
        char *reterr_text, struct curl_slist **headers)
{
	if (order->etag && etag_is_fine(order->etag)) {
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "If-None-Match: %s", order->etag) < 0)
			return false;
		*headers = curl_slist_append(NULL, line);
		if (!*headers || curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers))
			return false;
	}
	return !curl_easy_setopt(curl, CURLOPT_URL, order->url) &&
	       !curl_easy_setopt(curl, CURLOPT_USERAGENT, "execward/" EXECWARD_VERSION) &&
	       !curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reterr_text) &&
	       !curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) &&
	       !curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
}

static enum fetch_outcome outcome_of(
        CURLcode code, long status, const struct fetch_order *order, const struct sink *sink)
{
	if (sink->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return FETCH_TOO_LARGE;
	if (code != CURLE_OK)
		return FETCH_FAILED;
	if (status == 200)
		return FETCH_BODY;
	return status == 304 && order->etag ? FETCH_UNCHANGED : FETCH_FAILED;
}

static char *fault_of(CURLcode code, long status, const char *said)
{
	char *text = NULL;

	if (status >= 300)
		return asprintf(&text, "the server answers with status %ld", status) < 0 ? NULL
		                                                                         : text;
	if (code == CURLE_OK)
		return asprintf(&text, "the server answers with status %ld, which is no list",
		               status) < 0
		               ? NULL
		               : text;
	return strdup(*said ? said : curl_easy_strerror(code));
}

static int get(CURL *curl, const struct fetch_order *order, struct sink *sink,
        struct fetch_answer *ret_answer)
{
	_cleanup_(slist_freep) struct curl_slist *headers = NULL;
	_cleanup_(fetch_answer_done) struct fetch_answer answer = {0};
	char said[CURL_ERROR_SIZE] = "";
	CURLcode code;
	int r = 0;

	if (!set_limits(curl, order) || !set_tls(curl, order) ||
	        !set_request(curl, order, sink, said, &headers))
		return -EINVAL;
	code = curl_easy_perform(curl);
	if (sink->error < 0)
		return sink->error;
	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	answer.outcome = outcome_of(code, answer.status, order, sink);
	if (answer.outcome == FETCH_FAILED) {
		/* A redirect that was refused, a cut-off body: what went wrong says more. */
		bool http = code == CURLE_OK || code == CURLE_HTTP_RETURNED_ERROR;

		answer.fault = fault_of(code, http ? answer.status : 0, said);
		r = answer.fault ? 0 : -ENOMEM;
	}
	if (r == 0 && answer.outcome == FETCH_BODY)
		r = read_etag(curl, &answer.etag);
	if (r < 0)
		return r;
	*ret_answer = (struct fetch_answer){.outcome = answer.outcome,
	        .status = answer.status,
	        .etag = TAKE_PTR(answer.etag),
	        .fault = TAKE_PTR(answer.fault)};
	return 0;
}

static int get_once(
        const struct fetch_order *order, struct sink *sink, struct fetch_answer *ret_answer)
{
	_cleanup_(easy_cleanupp) CURL *curl = curl_easy_init();

	return curl ? get(curl, order, sink, ret_answer) : -ENOMEM;
}

int fetch_get(const struct fetch_order *order, int fd, struct fetch_answer *ret_answer)
{
	struct sink sink = {.fd = fd};
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	r = get_once(order, &sink, ret_answer);
	curl_global_cleanup();
	return r;
}

char *fetch_shown_url(const char *url)
{
	_cleanup_(url_cleanupp) CURLU *parts = curl_url();
	char *text = NULL, *made = NULL, *query = NULL;

	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
		return NULL;
	(void)curl_url_get(parts, CURLUPART_QUERY, &query, 0);
	if (curl_url_set(parts, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
	        curl_url_set(parts, CURLUPART_OPTIONS, NULL, 0) == CURLUE_OK &&
	        curl_url_set(parts, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
	        curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
	        curl_url_get(parts, CURLUPART_URL, &text, 0) == CURLUE_OK &&
	        asprintf(&made, "%s%s", text, query ? "?..." : "") < 0)
		made = NULL;
	curl_free(text);
	curl_free(query);
	return made;
}
