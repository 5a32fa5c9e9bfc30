#include "snapshot/packages_text.h"

#include "base/hex.h"

#include <string.h>

#define MODE_DIGITS_MAX 5u /* "04755" */

bool slice_is(const struct slice *slice, const char *text)
{
	return slice->size == strlen(text) && !memcmp(slice->data, text, slice->size);
}

bool dpkg_line(const struct slice *text, size_t *at, struct slice *ret_line)
{
	const char *line, *end;

	if (*at >= text->size)
		return false;
	line = text->data + *at;
	end = memchr(line, '\n', text->size - *at);
	ret_line->data = line;
	ret_line->size = end ? (size_t)(end - line) : text->size - *at;
	*at += ret_line->size + (end != NULL);
	return true;
}

static void trim(struct slice *slice)
{
	while (slice->size > 0 && (slice->data[0] == ' ' || slice->data[0] == '\t')) {
		slice->data++;
		slice->size--;
	}
	while (slice->size > 0 &&
	        (slice->data[slice->size - 1] == ' ' || slice->data[slice->size - 1] == '\t'))
		slice->size--;
}

/* The bytes up to the next blank; @rest begins behind it. */
static struct slice word_of(struct slice *rest)
{
	struct slice word;
	const char *end;

	trim(rest);
	word = *rest;
	end = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
	if (end)
		word.size = (size_t)(end - rest->data);
	rest->data += word.size;
	rest->size -= word.size;
	return word;
}

/*
 * Status.
 */
static bool is_name(const struct slice *name)
{
	if (name->size == 0 || name->size > 200 || name->data[0] == '.')
		return false;
	for (size_t i = 0; i < name->size; i++) {
		char c = name->data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
		            c == '.'))
			return false;
	}
	return true;
}

/* "install ok installed": the last word says how far it is. */
static bool is_installed(struct slice status)
{
	static const char *const states[] = {
	        "installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"};
	struct slice word = {status.data, 0};

	while (status.size > 0) {
		struct slice next = word_of(&status);

		if (next.size > 0)
			word = next;
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (slice_is(&word, states[i]))
			return true;
	return false;
}

static bool take_field(const struct slice *line, const char *name, struct slice *ret_value)
{
	size_t n = strlen(name);

	if (line->size <= n || memcmp(line->data, name, n) != 0 || line->data[n] != ':')
		return false;
	*ret_value = (struct slice){line->data + n + 1, line->size - n - 1};
	trim(ret_value);
	return true;
}

/* The lines of a field that begin with a blank. */
static struct slice continuation(const struct slice *status, size_t at)
{
	struct slice lines = {status->data + at, 0}, line;

	while (dpkg_line(status, &at, &line) && line.size > 0 && line.data[0] == ' ')
		lines.size = (size_t)(line.data + line.size - lines.data);
	return lines;
}

static void read_field(const struct slice *status, size_t at, const struct slice *line,
        struct dpkg_package *package)
{
	struct slice value;

	if (take_field(line, "Status", &value))
		package->installed = is_installed(value);
	else if (take_field(line, "Conffiles", &value))
		package->conffiles = continuation(status, at);
	else if (!take_field(line, "Package", &package->name) &&
	         !take_field(line, "Version", &package->version))
		(void)take_field(line, "Architecture", &package->arch);
}

bool dpkg_package(const struct slice *status, size_t *at, struct dpkg_package *ret_package)
{
	struct dpkg_package package = {0};
	struct slice line;

	for (;;) {
		bool more = dpkg_line(status, at, &line);

		if (more && line.size > 0) {
			read_field(status, *at, &line, &package);
			continue;
		}
		if (is_name(&package.name) && is_name(&package.arch)) {
			*ret_package = package;
			return true;
		}
		if (!more)
			return false;
		memset(&package, 0, sizeof(package));
	}
}

/*
 * Sums.
 */
static void without_slash(struct slice *path)
{
	while (path->size > 0 && path->data[0] == '/') {
		path->data++;
		path->size--;
	}
}

bool dpkg_md5sum(const struct slice *line, struct slice *ret_path, uint8_t ret_md5[MD5_SIZE])
{
	size_t digits = 2 * (size_t)MD5_SIZE;

	/* Two blanks: the path begins behind them, with whatever it begins. */
	if (line->size <= digits + 2 || line->data[digits] != ' ' ||
	        line->data[digits + 1] != ' ' ||
	        hex_decode(line->data, digits, ret_md5, MD5_SIZE) < 0)
		return false;
	*ret_path = (struct slice){line->data + digits + 2, line->size - digits - 2};
	without_slash(ret_path);
	return ret_path->size > 0;
}

/* From the end: the path may have blanks. "newconffile" stands for a sum in a transition. */
bool dpkg_conffile(const struct slice *line, struct slice *ret_path, uint8_t ret_md5[MD5_SIZE])
{
	static const char obsolete[] = " obsolete", removing[] = " remove-on-upgrade";
	size_t digits = 2 * (size_t)MD5_SIZE;
	struct slice rest = *line;

	trim(&rest);
	for (size_t i = 0; i < 2; i++) {
		const char *flag = i ? removing : obsolete;
		size_t n = strlen(flag);

		if (rest.size > n && !memcmp(rest.data + rest.size - n, flag, n))
			rest.size -= n;
	}
	if (rest.size <= digits + 1 || rest.data[rest.size - digits - 1] != ' ' ||
	        hex_decode(rest.data + rest.size - digits, digits, ret_md5, MD5_SIZE) < 0)
		return false;
	*ret_path = (struct slice){rest.data, rest.size - digits - 1};
	without_slash(ret_path);
	return ret_path->size > 0;
}

/*
 * What the administrator has said.
 */
bool dpkg_diversion(const struct slice *text, size_t *at, struct dpkg_diversion *ret_diversion)
{
	struct dpkg_diversion d;

	if (!dpkg_line(text, at, &d.from) || !dpkg_line(text, at, &d.to) ||
	        !dpkg_line(text, at, &d.package))
		return false;
	*ret_diversion = d;
	return true;
}

/* Octal digits alone. */
static bool read_mode(const struct slice *word, uint32_t *ret_mode)
{
	uint32_t mode = 0;

	if (word->size == 0 || word->size > MODE_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < word->size; i++) {
		if (word->data[i] < '0' || word->data[i] > '7')
			return false;
		mode = mode * 8 + (uint32_t)(word->data[i] - '0');
	}
	*ret_mode = mode;
	return mode <= 07777;
}

bool dpkg_override(const struct slice *line, struct dpkg_override *ret_override)
{
	struct dpkg_override o = {0};
	struct slice rest = *line, mode;

	o.user = word_of(&rest);
	o.group = word_of(&rest);
	mode = word_of(&rest);
	if (rest.size < 2 || !read_mode(&mode, &o.mode))
		return false;
	o.path = (struct slice){rest.data + 1, rest.size - 1};
	*ret_override = o;
	return o.user.size > 0 && o.group.size > 0 && o.path.data[0] == '/';
}
