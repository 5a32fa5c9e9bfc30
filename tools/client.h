/* The control socket from the asking side (docs/control.md). */
#pragma once

#include "base/cleanup.h"
#include "tools/verbs.h"

#include <jansson.h>
#include <stdint.h>

#define CLIENT_LINE_MAX                                                                            \
	(64u * 1024u * 1024u)    /* bytes of an answer's line; the daemon's own bound */
#define CLIENT_TIMEOUT_MS 60000u /* for an answer; a reload or a rescan may take its time */

/*
 * The connection: errors are told by errno, nothing is printed.
 */
struct client;

int client_connect(const char *runtime_dir, struct client **ret_client); /* 0 or -errno */
void client_free(struct client *client);
DEFINE_FREEP(client, client_free)

int client_send(struct client *client, const json_t *request); /* 0 or -errno */
/*
 * The next line of an answer, borrowed until the next call. @until_ns is CLOCK_MONOTONIC, INT64_MAX
 * for ever. 0; -ETIMEDOUT; -EPIPE when the daemon is gone; -EMSGSIZE; -EINTR after
 * client_interruptible(), when a signal came or nobody reads stdout any more.
 */
int client_receive(
        struct client *client, int64_t until_ns, const char **ret_line, size_t *ret_size);
/* From here on SIGINT and SIGTERM end a client_receive() instead of the tool. 0 or -errno. */
int client_interruptible(struct client *client);

/*
 * Requests as the verbs make them: all of these print what is wrong and return an exit code.
 */
/* A request of that name; NULL is caught by whoever sends it. */
json_t *request_new(const char *name);
/* Sets a field; NULL leaves it out. EX_USAGE when @value is not UTF-8. */
int request_set(json_t *request, const char *key, const char *value);

/*
 * Asks and returns the one answer with "ok" true; the reference to the request is taken. 1 for
 * not_found and ambiguous, 69 when nobody answers, 77, 78 for invalid_config.
 */
int client_ask(const struct tool *tool, json_t *request, json_t **ret_answer);
/* The same, where @word ("not_found") is an answer too: 0 with NULL, and not a word. */
int client_ask_for(const struct tool *tool, json_t *request, const char *word, json_t **ret_answer);

/*
 * Asks for events: @fn gets each, parsed and as it was sent (not terminated); another value than 0
 * from it ends the loop and is returned. With `follow` in the request it goes on until a signal, or
 * until nobody reads stdout.
 */
typedef int (*client_event_fn)(const json_t *event, const char *text, size_t size, void *userdata);
int client_events(const struct tool *tool, json_t *request, client_event_fn fn, void *userdata);
