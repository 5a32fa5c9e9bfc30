#include "daemon/believed.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct believed {
	atomic_uint refs;
	char *keys_dir;
	struct trust *trust; /* NULL: nobody */
	char *fault;         /* NULL: none */
	const char *nobody;
};

DEFINE_FREEP(believed, believed_unref)

struct believed *believed_ref(struct believed *believed)
{
	if (believed)
		atomic_fetch_add(&believed->refs, 1);
	return believed;
}

void believed_unref(struct believed *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) > 1)
		return;
	trust_free(b->trust);
	free(b->fault);
	free(b->keys_dir);
	free(b);
}

int believed_load(const char *keys_dir, struct believed **ret_believed)
{
	_cleanup_(believed_unrefp) struct believed *b = calloc(1, sizeof(*b));
	_cleanup_(trust_error_done) struct trust_error error = {0};
	int r;

	if (!b)
		return -ENOMEM;
	atomic_init(&b->refs, 1);
	b->keys_dir = strdup(keys_dir);
	if (!b->keys_dir)
		return -ENOMEM;
	r = trust_load(keys_dir, 0, &b->trust, &error);
	if (r == TRUST_E_MISSING && error.path && !strcmp(error.path, keys_dir))
		b->nobody = "the directory does not exist";
	else if (r == TRUST_E_EMPTY)
		b->nobody = "the directory has no key";
	else if (r != 0 && asprintf(&b->fault, "%s: %s", error.path ?: keys_dir,
	                           error.message ?: "cannot be read") < 0) {
		b->fault = NULL;
		return -ENOMEM;
	}
	*ret_believed = TAKE_PTR(b);
	return 0;
}

const struct trust *believed_trust(const struct believed *b)
{
	return b ? b->trust : NULL;
}

const char *believed_fault(const struct believed *b)
{
	return b ? b->fault : NULL;
}

const char *believed_nobody(const struct believed *b)
{
	return b ? b->nobody : NULL;
}

const char *believed_keys_dir(const struct believed *b)
{
	return b ? b->keys_dir : NULL;
}

bool believed_revoked(const struct believed *b, const struct digest *digest)
{
	return b && b->trust && trust_is_revoked(b->trust, digest);
}
