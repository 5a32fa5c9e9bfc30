/* What the tests of metadata.h and of its parsers share. cmocka.h comes with it. */
#pragma once

#include "daemon/metadata_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X16(c) c c c c c c c c c c c c c c c c
#define X64(c) X16(c) X16(c) X16(c) X16(c)

/* Literals become fields without a copy: nothing here is freed. */
#define T(literal) ((char *)(uintptr_t)(literal))

#define DOCKER_FILE(id, name, rest)                                                                \
	"{\"ID\":\"" id "\",\"Name\":\"/" name "\",\"Image\":\"sha256:" X64("b") "\"," rest "}"

static inline void assert_text(const char *what, const char *got, const char *wanted)
{
	if (!got != !wanted || (got && wanted && strcmp(got, wanted)))
		fail_msg("%s is %s, not %s", what, got ?: "NULL", wanted ?: "NULL");
}

static inline void assert_info(
        const struct container_info *got, const struct container_info *wanted)
{
	assert_text("runtime", got->runtime, wanted->runtime);
	assert_text("id", got->id, wanted->id);
	assert_text("name", got->name, wanted->name);
	assert_text("image", got->image, wanted->image);
	assert_text("image_id", got->image_id, wanted->image_id);
	assert_text("ns", got->ns, wanted->ns);
	assert_text("pod", got->pod, wanted->pod);
	assert_null(got->key);
	if (got->start_ns != wanted->start_ns)
		fail_msg("start_ns is %lld", (long long)got->start_ns);
}
