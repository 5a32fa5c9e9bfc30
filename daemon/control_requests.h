/*
 * What can be asked, as a table: name, fields, handler. A request with an unknown field is refused:
 * a typing mistake must not widen an approval.
 */
#pragma once

#include "daemon/engine.h"

#include <jansson.h>
#include <stdbool.h>

/* Where an answer goes, a line at a time. */
struct control_reply {
	struct engine *engine;
	struct store *store; /* the control thread's connection; read only */
	int64_t peer_uid;
	bool follow; /* out: the client wants events as they come */
	int (*send)(const char *line, size_t size, void *userdata); /* 0, or -EFBIG */
	void *userdata;
};

struct request_row;

/*
 * Reads a line and finds its row. NULL with both outputs, or the word of the failure with a message
 * that the caller frees. Pure: what the fuzzer calls.
 */
const char *control_parse(const char *line, size_t size, json_t **ret_request,
        const struct request_row **ret_row, char **reterr_message);

/* Handles one line. 0; another value: the connection is to be closed after what was sent. */
int control_handle(struct control_reply *reply, const char *line, size_t size);

/* For handlers: sends one object (the reference is taken). */
int control_send(struct control_reply *reply, json_t *object);
int control_fail(struct control_reply *reply, const char *word, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* control_explain.c */
int control_explain(struct control_reply *reply, json_t *request);
/* What a request is about: its sha256, or the one digest on record for its path. 0 with the digest,
 * or 1 after a failure was sent. @ret_path is borrowed from the request or NULL. */
int control_target(struct control_reply *reply, json_t *request, struct digest *ret_digest,
        const char **ret_path);
