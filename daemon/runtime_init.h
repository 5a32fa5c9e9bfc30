/*
 * The init programs that runtimes mount into containers (docker run --init): files of the host that
 * no image ships, and that are executed first in every such container. They are known by identity,
 * with their change time: a container that could write one would change that.
 */
#pragma once

#include "core/facts.h"

#include <stdbool.h>

struct runtime_init;

/* Looks at the usual places; what is not there is not there. 0 or -ENOMEM. */
int runtime_init_new(struct runtime_init **ret_table);
void runtime_init_free(struct runtime_init *table);

bool runtime_init_has(const struct runtime_init *table, const struct file_identity *identity);
