/*
 * The files' signatures in an .rpm, as `rpmsign --signfiles` puts them there: per file the bytes of
 * security.ima, in hexadecimal. The two headers of the package are read here, its content is not:
 * whoever unpacks it hashes each file and asks for the signature by the path.
 *
 * The package is foreign. That it is signed as a whole says nothing here; what counts is each
 * file's signature over the content that was unpacked.
 */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

#define RPM_PACKAGE_HEADER_MAX                                                                     \
	(64u << 20)                    /* bytes of a header; rpm's own bound is four times that */
#define RPM_PACKAGE_TAGS_MAX  65535u   /* of a header; hdrchkTags() of rpm */
#define RPM_PACKAGE_FILES_MAX 1000000u /* as many as a list may have */

enum {
	RPM_PACKAGE_E_NONE = 1, /* it does not begin as an .rpm does */
	RPM_PACKAGE_E_FORMAT,   /* it does, and is faulty, or larger than the bounds */
};

struct rpm_package;

/*
 * @fd is a regular file; pread(2) from its begin. 0, a RPM_PACKAGE_E_X, or -errno. Free with
 * rpm_package_free().
 */
int rpm_package_read(int fd, struct rpm_package **ret_package);
void rpm_package_free(struct rpm_package *package);
DEFINE_FREEP(rpm_package, rpm_package_free)

size_t rpm_package_files(const struct rpm_package *package);
/* The path of a file, sorted byte by byte; borrowed. */
const char *rpm_package_path(const struct rpm_package *package, size_t i);

/*
 * The signature of the file at the absolute @path, at most @room bytes. 0; -ENOENT: the package has
 * no such file; -ENODATA: it has no signature; RPM_PACKAGE_E_FORMAT: no hexadecimal digits, or more
 * than @room bytes.
 */
int rpm_package_signature(const struct rpm_package *package, const char *path, uint8_t *ret_bytes,
        size_t room, size_t *ret_size);
