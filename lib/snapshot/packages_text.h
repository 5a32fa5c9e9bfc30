/*
 * The text files of dpkg's database, line by line. They come from the tree that is looked at: any
 * bytes, in any order. Nothing is allocated; what is malformed is passed over, which accounts for
 * less, never for more.
 */
#pragma once

#include "crypto/md5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const char *data; /* not terminated */
	size_t size;
};

bool slice_is(const struct slice *slice, const char *text);

/* The next line of @text from *at on, without its end; *at moves behind it. False at the end. */
bool dpkg_line(const struct slice *text, size_t *at, struct slice *ret_line);

/* One package of /var/lib/dpkg/status. Slices point into the text. */
struct dpkg_package {
	struct slice name, version, arch;
	struct slice conffiles; /* lines of " /path md5[ obsolete]"; empty when it has none */
	bool installed;         /* its files are there: unpacked at least */
};

/*
 * The next package from *at on, whose name and architecture are such that they may be part of a
 * file's name. False at the end.
 */
bool dpkg_package(const struct slice *status, size_t *at, struct dpkg_package *ret_package);

/* "MD5  path" of a .md5sums file, or " /path MD5" of Conffiles; the path without leading slash. */
bool dpkg_md5sum(const struct slice *line, struct slice *ret_path, uint8_t ret_md5[MD5_SIZE]);
bool dpkg_conffile(const struct slice *line, struct slice *ret_path, uint8_t ret_md5[MD5_SIZE]);

/* Three lines of /var/lib/dpkg/diversions: a file, where it went, who has the name now (":": the
 * administrator). */
struct dpkg_diversion {
	struct slice from, to, package;
};
bool dpkg_diversion(const struct slice *text, size_t *at, struct dpkg_diversion *ret_diversion);

/* "user group mode path" of /var/lib/dpkg/statoverride. */
struct dpkg_override {
	struct slice user, group, path;
	uint32_t mode;
};
bool dpkg_override(const struct slice *line, struct dpkg_override *ret_override);
