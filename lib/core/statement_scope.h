/*
 * The scope as JSON has it: between the files of lib/core/statement*.c alone.
 */
#pragma once

#include "core/statement.h"

#include <jansson.h>

/*
 * 0, STATEMENT_E_INVALID or STATEMENT_E_UNKNOWN_CRITICAL with *reterr_fault (static), or -ENOMEM.
 */
int statement_scope_read(
        const json_t *object, struct statement_scope *ret_scope, const char **reterr_fault);
