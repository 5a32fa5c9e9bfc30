/* Trusted writers put together. */
#pragma once

#include "daemon/engine.h"
#include "daemon/probe.h"

/* After the tables and the recorder are there. 0 or -errno. */
int engine_writers_new(struct engine *engine, const struct probe_context *probe);
