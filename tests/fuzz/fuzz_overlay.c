/*
 * The first byte tells what the rest is: 'm' the options of a mount table, 'p' those of mount(2),
 * 'h' a file handle, 'o' an origin attribute. Options written anew out of what was read, each byte
 * of a path escaped, give the same layers again: no name can bring an option of its own.
 */
#include "base/cleanup.h"
#include "core/overlay.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Every byte as an octal escape; a backslash twice where overlayfs itself would drop one. */
static void put(FILE *out, const char *option, const char *path, bool backslashes)
{
	fprintf(out, ",%s=", option);
	for (; *path; path++)
		fprintf(out, backslashes && *path == '\\' ? "\\134\\134" : "\\%03o",
		        (unsigned char)*path);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_again(const struct overlay_options *o)
{
	_cleanup_(overlay_options_done) struct overlay_options again = {0};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;

	require(out != NULL);
	fputs("rw", out);
	for (size_t i = 0; i < o->n_lowers; i++)
		put(out, "lowerdir+", o->lowers[i], false);
	if (o->upper)
		put(out, "upperdir", o->upper, true);
	if (o->work)
		put(out, "workdir", o->work, true);
	require(fclose(out) == 0);
	r = overlay_options_parse(text, true, &again);
	if (size > OVERLAY_OPTIONS_MAX) {
		require(r == -E2BIG);
		return;
	}
	require(r == 0 && again.n_lowers == o->n_lowers && !again.userxattr);
	for (size_t i = 0; i < o->n_lowers; i++)
		require(same(again.lowers[i], o->lowers[i]));
	require(same(again.upper, o->upper) && same(again.work, o->work));
}

static void fuzz_options(const uint8_t *data, size_t size, bool escapes)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_(overlay_options_done) struct overlay_options o = {0};
	bool empty = false;
	int r;

	require(text != NULL);
	r = overlay_options_parse(text, escapes, &o);
	require(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r < 0) {
		require(!o.lowers && !o.upper && !o.work && o.n_lowers == 0);
		return;
	}
	require(o.n_lowers > 0 && o.n_lowers <= OVERLAY_LAYERS_MAX);
	for (size_t i = 0; i < o.n_lowers; i++)
		empty = empty || !*o.lowers[i]; /* of a lone backslash */
	empty = empty || (o.upper && !*o.upper) || (o.work && !*o.work);
	if (!empty)
		check_again(&o);
}

static void fuzz_handle(const uint8_t *data, size_t size, bool origin)
{
	_cleanup_free_ uint8_t *exact = malloc(size ? size : 1); /* with a red zone behind it */
	struct overlay_handle h = {0};
	enum overlay_handle_result result;

	require(exact != NULL);
	memcpy(exact, data, size);
	result = origin ? overlay_origin_parse(exact, size, &h)
	                : overlay_handle_parse(exact, size, &h);
	require(result != OVERLAY_HANDLE_UNCHECKED);
	require(!origin || result != OVERLAY_HANDLE_UPPER);
	if (result == OVERLAY_HANDLE_INVALID)
		return;
	require(h.real_size > 0 && h.real > exact && h.real + h.real_size <= exact + size);
	require(h.real_type >= 0 && h.real_type <= 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'm':
	case 'p':
		fuzz_options(data + 1, size - 1, data[0] == 'm');
		break;
	case 'h':
	case 'o':
		fuzz_handle(data + 1, size - 1, data[0] == 'o');
		break;
	default:
		break;
	}
	return 0;
}
