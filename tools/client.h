/* The control socket from the asking side (docs/control.md). */
#pragma once

#include "tools/verbs.h"

#include <jansson.h>
#include <stdint.h>

struct client;

/* 0, or an exit code after saying what is wrong (EX_UNAVAILABLE when no daemon answers). */
int client_open(const struct tool *tool, struct client **ret_client);
/* The same without a word when nobody answers: -1. */
int client_try(const struct tool *tool, struct client **ret_client);
void client_close(struct client *client);

/* Sends a request; the reference is taken. 0, or an exit code after a message. */
int client_send(struct client *client, json_t *request);
/* The next line of an answer: a new reference; NULL when the daemon is gone. @ret_line, when not
 * NULL, receives its text, borrowed until the next call. */
json_t *client_receive(struct client *client, const char **ret_line);
int client_fd(const struct client *client);

/*
 * Asks and returns the one answer with "ok" true. 0 with a new reference; else an exit code, after
 * the daemon's message went to stderr: 1 for not_found and ambiguous, 78 for invalid_config.
 */
int client_ask(const struct tool *tool, json_t *request, json_t **ret_answer);
/* For answers of several lines: calls @fn with each line that has @key. */
int client_each(const struct tool *tool, json_t *request, const char *key,
	int (*fn)(json_t *value, const char *line, void *userdata), void *userdata);
/* The exit code for a failed answer, after its message went to stderr. */
int client_failure(json_t *answer);
