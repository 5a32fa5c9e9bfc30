/* Keys of tests/golden/keys, and the worked example of docs/formats.md. */
#pragma once

#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/key_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY_1_ID "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9"
#define KEY_2_ID "deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170"
#define SIG_1                                                                                      \
	"nnNOFqy276PVV/1nvnNblIIkVLlGUURh1fxWk74P0RByV6itrNEfXsed5rcrvnf3gsGVRjMyNT4k+hoT9KMlCA=="
#define SIG_2                                                                                      \
	"P1YuFlKdcJwFsC0NE1vrsI9xFHI3u4n2Qe6GvdbE0Gp9gAUUNfQhxm4bySvaMxBSNINj7q0VRltkyVEkgk5WDA=="
#define EXAMPLE_BODY                                                                               \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"/usr/bin/"        \
	"hello\","                                                                                 \
	"\"digest\":{\"sha256\":"                                                                  \
	"\"a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447\"}}],"                 \
	"\"predicateType\":\"https://example.org/exec-allowlist/v1\",\"predicate\":{"              \
	"\"series\":\"example.org/demo\",\"version\":7,\"issued\":\"2026-01-01T00:00:00Z\","       \
	"\"expires\":\"2026-07-01T00:00:00Z\"}}"

static inline char *golden_text(const char *name, size_t *ret_size)
{
	char path[512], *text = NULL;

	snprintf(path, sizeof(path), "%s/tests/golden/keys/%s", TEST_SOURCE_DIR, name);
	if (file_read_at(AT_FDCWD, path, KEY_PEM_MAX, &text, ret_size) < 0)
		fail_msg("%s is missing", path);
	return text;
}

/* A golden key, public or private by its name. */
static inline struct key *golden_key(const char *name)
{
	char path[512];
	struct key *key = NULL;

	snprintf(path, sizeof(path), "%s/tests/golden/keys/%s", TEST_SOURCE_DIR, name);
	assert_int_equal(key_file_read(path, NULL, &key, NULL), 0);
	return key;
}
