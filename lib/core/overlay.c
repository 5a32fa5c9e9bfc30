/*
 * Options are separated by ',', the entries of lowerdir by ':'. Two escapes lie on top of each
 * other: overlayfs's backslash, which keeps a separator in a path, and the mount table's octal
 * numbers, which keep a comma, a space or a backslash in a field (seq_show_option). Separators are
 * looked for before anything is unescaped: an upper directory named "u,lowerdir=/x" reads
 * "u\054lowerdir=/x", and would else bring an option of its own.
 *
 * Limits: Linux 6.5 and 6.6 show lower paths without overlayfs's backslashes, a colon in them as
 * \072; a backslash in such a name is then read as an escape, and the layer is not found. Options
 * that have their default value are not shown at all.
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

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/*
 * The character that begins at @p, and how many bytes it is written with: 4 for an escape of the
 * mount table (\040), else 1.
 */
static size_t unit(const char *p, bool escapes, char *ret_c)
{
	*ret_c = *p;
	if (!escapes || p[0] != '\\' || !is_octal(p[1]) || !is_octal(p[2]) || !is_octal(p[3]))
		return 1;
	if (p[1] > '3' || (p[1] == '0' && p[2] == '0' && p[3] == '0'))
		return 1; /* past a byte, or a NUL, which no path holds */
	*ret_c = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
	return 4;
}

/*
 * Cuts @text at the first @separator that stands for itself: not one that is escaped in the mount
 * table, nor (with @backslashes) one behind a backslash. The rest, or NULL when there was none.
 */
static char *split(char *text, char separator, bool escapes, bool backslashes)
{
	bool quoted = false;
	size_t n;
	char c;

	for (char *p = text; *p; p += n) {
		n = unit(p, escapes, &c);
		if (n == 1 && c == separator && !quoted) {
			*p = '\0';
			return p + 1;
		}
		quoted = backslashes && !quoted && c == '\\';
	}
	return NULL;
}

/* A path as the kernel opened it. */
static char *decode(const char *text, bool escapes, bool backslashes)
{
	char *out = malloc(strlen(text) + 1), *q = out;
	bool quoted = false;
	char c;

	if (!out)
		return NULL;
	for (const char *p = text; *p;) {
		p += unit(p, escapes, &c);
		quoted = backslashes && !quoted && c == '\\';
		if (!quoted)
			*q++ = c;
	}
	*q = '\0';
	return out;
}

static int set_path(char **path, const char *value, bool escapes)
{
	if (*path || !*value)
		return -EINVAL;
	*path = decode(value, escapes, true);
	return *path ? 0 : -ENOMEM;
}

static int add_lower(struct overlay_options *o, const char *value, bool escapes, bool backslashes)
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
	o->lowers[o->n_lowers] = decode(value, escapes, backslashes);
	if (!o->lowers[o->n_lowers])
		return -ENOMEM;
	o->n_lowers++;
	return 0;
}

/*
 * "a:b::data1::data2": an empty entry says that a data-only layer follows, and behind the first
 * of these there are no others (ovl_parse_param_lowerdir).
 */
static int add_lowers(struct overlay_options *o, char *value, bool escapes)
{
	bool data = false, announced = false;

	if (o->n_lowers > 0)
		return -EINVAL;
	while (value) {
		char *rest = split(value, ':', escapes, true);
		int r;

		if (*value) {
			r = data && !announced ? -EINVAL : add_lower(o, value, escapes, true);
			announced = false;
		} else {
			r = announced || o->n_lowers == 0 || !rest ? -EINVAL : 0;
			data = announced = true;
		}
		if (r < 0)
			return r;
		value = rest;
	}
	return 0;
}

static bool is_on(const char *value)
{
	return !strcmp(value, "on");
}

static int set_option(struct overlay_options *o, const char *name, char *value, bool escapes)
{
	if (!value) {
		if (!strcmp(name, "userxattr"))
			o->userxattr = true;
		return 0;
	}
	if (!strcmp(name, "lowerdir"))
		return add_lowers(o, value, escapes);
	/* set by fsconfig(2) alone, where a backslash is a character like others */
	if (!strcmp(name, "lowerdir+") || !strcmp(name, "datadir+"))
		return add_lower(o, value, escapes, false);
	if (!strcmp(name, "upperdir"))
		return set_path(&o->upper, value, escapes);
	if (!strcmp(name, "workdir"))
		return set_path(&o->work, value, escapes);
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

	if (strnlen(options, OVERLAY_OPTIONS_MAX + 1) > OVERLAY_OPTIONS_MAX)
		return -E2BIG;
	text = strdup(options);
	if (!text)
		return -ENOMEM;
	for (item = text; item;) {
		char *rest = split(item, ',', mountinfo_escapes, !mountinfo_escapes);
		char *value = strchr(item, '=');
		int r;

		if (value)
			*value++ = '\0';
		r = set_option(&o, item, value, mountinfo_escapes);
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
#define FB_HEADER_SIZE 21u /* bytes before the real handle */
#define FB_BIG_ENDIAN  0x01
#define FB_ANY_ENDIAN  0x02
#define FB_PATH_UPPER  0x04
#define FB_KNOWN_FLAGS (FB_BIG_ENDIAN | FB_ANY_ENDIAN | FB_PATH_UPPER)
#define FH_PADDING     3u /* struct ovl_fh: aligns the real handle in f_handle */

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
