/*
 * Options are separated by ',', entries of lowerdir by ':'; overlayfs escapes both with a backslash
 * (ovl_next_opt, ovl_parse_param_split_lowerdirs), and the mount table escapes the backslash, too.
 */
#include "core/overlay.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void overlay_options_done(struct overlay_options *options)
{
	free(options->upper);
	free(options->work);
	for (size_t i = 0; i < options->n_lowers; i++)
		free(options->lowers[i]);
	free(options->lowers);
	memset(options, 0, sizeof(*options));
}

static int octal(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

static void undo_octal(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++) {
		int code = -1;

		if (p[0] == '\\' && octal(p[1]) >= 0 && octal(p[2]) >= 0 && octal(p[3]) >= 0)
			code = octal(p[1]) * 64 + octal(p[2]) * 8 + octal(p[3]);
		if (code > 0 && code < 256) {
			*out++ = (char)code;
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
}

/* Cuts @text at the first unescaped @separator; the rest, or NULL when there was none. */
static char *split(char *text, char separator)
{
	for (char *p = text; *p; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		if (*p == separator) {
			*p = '\0';
			return p + 1;
		}
	}
	return NULL;
}

static char *unescape(const char *text)
{
	char *out = malloc(strlen(text) + 1), *q = out;

	if (!out)
		return NULL;
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		*q++ = *p;
	}
	*q = '\0';
	return out;
}

static int set_path(char **path, const char *value)
{
	if (*path || !*value)
		return -EINVAL;
	*path = unescape(value);
	return *path ? 0 : -ENOMEM;
}

static int add_lower(struct overlay_options *o, const char *value)
{
	if (!*value)
		return -EINVAL;
	if (o->n_lowers >= OVERLAY_LAYERS_MAX)
		return -E2BIG;
	if (!o->lowers) {
		o->lowers = calloc(OVERLAY_LAYERS_MAX, sizeof(o->lowers[0]));
		if (!o->lowers)
			return -ENOMEM;
	}
	o->lowers[o->n_lowers] = unescape(value);
	if (!o->lowers[o->n_lowers])
		return -ENOMEM;
	o->n_lowers++;
	return 0;
}

/* "a:b::data1::data2": an empty entry only announces that a data-only layer follows. */
static int add_lowers(struct overlay_options *o, char *value)
{
	bool first = true;

	while (value) {
		char *rest = split(value, ':');
		int r = 0;

		if (*value)
			r = add_lower(o, value);
		else if (first || !rest || !*rest)
			r = -EINVAL;
		if (r < 0)
			return r;
		first = false;
		value = rest;
	}
	return 0;
}

static bool is_on(const char *value)
{
	return !strcmp(value, "on");
}

static int set_option(struct overlay_options *o, char *name, char *value)
{
	if (!strcmp(name, "userxattr"))
		o->userxattr = true;
	if (!value)
		return 0;
	if (!strcmp(name, "lowerdir"))
		return add_lowers(o, value);
	if (!strcmp(name, "lowerdir+") || !strcmp(name, "datadir+"))
		return add_lower(o, value);
	if (!strcmp(name, "upperdir"))
		return set_path(&o->upper, value);
	if (!strcmp(name, "workdir"))
		return set_path(&o->work, value);
	if (!strcmp(name, "metacopy"))
		o->metacopy = is_on(value);
	if (!strcmp(name, "redirect_dir"))
		o->redirect_dir = is_on(value);
	return 0;
}

int overlay_options_parse(
	const char *options, bool mountinfo_escapes, struct overlay_options *ret_options)
{
	_cleanup_(overlay_options_done) struct overlay_options o = {0};
	_cleanup_free_ char *text = NULL;
	char *item;

	if (strlen(options) > OVERLAY_OPTIONS_MAX)
		return -E2BIG;
	text = strdup(options);
	if (!text)
		return -ENOMEM;
	if (mountinfo_escapes)
		undo_octal(text);
	for (item = text; item;) {
		char *rest = split(item, ','), *value = strchr(item, '=');
		int r;

		if (value)
			*value++ = '\0';
		r = set_option(&o, item, value);
		if (r < 0)
			return r;
		item = rest;
	}
	if (o.n_lowers == 0)
		return -EINVAL;
	*ret_options = o;
	memset(&o, 0, sizeof(o));
	return 0;
}

/*
 * struct ovl_fb, fs/overlayfs/overlayfs.h: version, magic, len, flags, type, uuid[16], fid.
 */
#define FB_VERSION     0
#define FB_MAGIC       0xfb
#define FB_HEADER_SIZE 21u  /* bytes before the real handle */
#define FB_BIG_ENDIAN  0x01
#define FB_ANY_ENDIAN  0x02
#define FB_PATH_UPPER  0x04
#define FB_KNOWN_FLAGS (FB_BIG_ENDIAN | FB_ANY_ENDIAN | FB_PATH_UPPER)
#define FH_PADDING     3u   /* struct ovl_fh: aligns the real handle in f_handle */

static bool is_foreign_endian(uint8_t flags)
{
	bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	return !(flags & FB_ANY_ENDIAN) && ((flags & FB_BIG_ENDIAN) != 0) != big;
}

static enum overlay_handle_result parse_fb(
	const uint8_t *fb, size_t size, struct overlay_handle *ret_handle)
{
	if (size < FB_HEADER_SIZE + 1 || fb[0] != FB_VERSION || fb[1] != FB_MAGIC)
		return OVERLAY_HANDLE_INVALID;
	if (fb[2] < FB_HEADER_SIZE + 1 || fb[2] > size || (fb[3] & ~FB_KNOWN_FLAGS) ||
		is_foreign_endian(fb[3]))
		return OVERLAY_HANDLE_INVALID;
	ret_handle->real_type = fb[4];
	memcpy(ret_handle->uuid, fb + 5, sizeof(ret_handle->uuid));
	ret_handle->real = fb + FB_HEADER_SIZE;
	ret_handle->real_size = fb[2] - FB_HEADER_SIZE;
	return fb[3] & FB_PATH_UPPER ? OVERLAY_HANDLE_UPPER : OVERLAY_HANDLE_LOWER;
}

enum overlay_handle_result overlay_handle_parse(
	const uint8_t *data, size_t size, struct overlay_handle *ret_handle)
{
	if (size <= FH_PADDING)
		return OVERLAY_HANDLE_INVALID;
	return parse_fb(data + FH_PADDING, size - FH_PADDING, ret_handle);
}

enum overlay_handle_result overlay_origin_parse(
	const uint8_t *data, size_t size, struct overlay_handle *ret_handle)
{
	enum overlay_handle_result result = parse_fb(data, size, ret_handle);

	return result == OVERLAY_HANDLE_UPPER ? OVERLAY_HANDLE_LOWER : result;
}
