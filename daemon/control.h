/*
 * The control socket (docs/control.md): root only by peer credentials, one bounded JSON line a
 * request, a thread of its own. Nothing here is ever in the way of a verdict.
 */
#pragma once

#include "daemon/engine.h"

#define CONTROL_LINE_MAX        65536u /* bytes of a request */
#define CONTROL_CONNECTIONS_MAX 64u
#define CONTROL_OUTPUT_MAX      (64u * 1024u * 1024u) /* bytes waiting for one slow client */
#define CONTROL_IDLE_MS         60000
#define CONTROL_FOLLOW_MAX      4096u /* alerts waiting for followers */

struct control;

/*
 * Binds @runtime_dir/control.sock (the directory is made, 0755, when missing). 0, -EADDRINUSE when
 * a daemon answers there already, or -errno; said in the log.
 */
int control_new(const char *runtime_dir, struct control **ret_control);
int control_start(struct control *control, struct engine *engine);
void control_stop(struct control *control);
/* Removes the socket. */
void control_free(struct control *control);
