/*
 * Packages: what an installed one has on the disk, or what one in a file would bring. The package
 * database says which files; their content is read from the disk, and may have been changed since
 * it was installed: whoever lists it says that it is good.
 */
#include "allowlists/rpm_package.h"
#include "base/cleanup.h"
#include "crypto/ima.h"
#include "snapshot/one_file.h"
#include "snapshot/package_file.h"
#include "snapshot/packages.h"
#include "tools/list_sources.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct package {
	struct gather *gather;
	int root_fd;
	uint64_t missing; /* files that it lists, and that are not there */
};

static int on_path(const char *path, void *userdata)
{
	struct package *package = userdata;
	struct list *list = package->gather->list;
	struct entry entry;
	int r;

	if (package->gather->stop && *package->gather->stop)
		return -ECANCELED;
	r = one_file(package->root_fd, path, list->all_files, &entry);
	switch (r) {
	case 0:
		/* One that was passed over has no digest, and is not asked about. */
		if (entry.content == CONTENT_KNOWN &&
		        !gather_is_signed(package->gather, package->root_fd, &entry))
			return 0;
		return list_add_entry(list, &entry);
	case ONE_FILE_E_OTHER:
		return 0;
	case -ENOENT:
	case -ENOTDIR:
		package->missing++;
		return 0;
	case -ENOMEM:
		return r;
	case -EAGAIN:
		list_leave_out(list, path, "changes each time it is read");
		return 0;
	case -ELOOP:
		list_leave_out(list, path, "there is a link on the way to it");
		return 0;
	default:
		list_leave_out(list, path, strerror(-r));
		return 0;
	}
}

int gather_package(struct gather *gather, const char *name)
{
	const struct list *list = gather->list;
	const char *root = gather->packages_root ?: "/";
	_cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct package package = {.gather = gather, .root_fd = fd};
	_cleanup_free_ char *safe = text_safe(name);
	int r;

	if (fd < 0)
		return list_fail(list, root, -errno);
	r = packages_files(fd, name, on_path, &package);
	if (r == PACKAGES_E_NOTFOUND)
		return list_say(list, name, "no such package is installed there", EX_NOINPUT);
	if (r == PACKAGES_E_NO_DATABASE)
		return list_say(list, root,
		        "no package database that can be read here (dpkg's, or rpm's with its "
		        "library)",
		        EX_NOINPUT);
	if (r != 0)
		return list_fail(list, name, r);
	/* Documentation that an image leaves out, and the like: nothing that could run. */
	if (package.missing > 0)
		fprintf(stderr, "execward %s: %s: %" PRIu64 " of its files are not there\n",
		        list->call->verb->name, safe, package.missing);
	return 0;
}

/*
 * In a file.
 */
struct packed {
	struct gather *gather;
	struct rpm_package *rpm; /* NULL: files of it have no signatures */
};

static bool is_signed(struct packed *packed, const struct entry *entry)
{
	uint8_t bytes[IMA_SIZE_MAX];
	size_t size = 0;
	int r = packed->rpm ? rpm_package_signature(
	                              packed->rpm, entry->path, bytes, sizeof(bytes), &size)
	                    : -ENODATA;

	if (r == 0)
		return gather_is_signed_with(packed->gather, entry, bytes, size);
	list_leave_out(packed->gather->list, entry->path,
	        r < 0 ? "the package has no signature of it"
	              : "its signature in the package is malformed");
	return false;
}

static int on_packed(const struct entry *entry, void *userdata)
{
	struct packed *packed = userdata;

	if (packed->gather->terms && !is_signed(packed, entry))
		return 0;
	return list_add_entry(packed->gather->list, entry);
}

/* The headers of an .rpm, when its files must be signed. */
static int read_headers(struct gather *gather, const char *what, int fd, struct rpm_package **ret)
{
	int r = gather->terms ? rpm_package_read(fd, ret) : 0;

	if (r == RPM_PACKAGE_E_FORMAT)
		return list_say(gather->list, what, "its headers are damaged", EX_DATAERR);
	if (r == -ESPIPE)
		return list_say(gather->list, what,
		        "with --require-signature it must be a file, not a pipe", EX_USAGE);
	return r < 0 ? list_fail(gather->list, what, r) : 0;
}

int gather_package_file(struct gather *gather, const char *path)
{
	int code = 0;
	_cleanup_close_ int fd = gather_open(gather, path, &code);
	_cleanup_(rpm_package_freep) struct rpm_package *rpm = NULL;
	struct packed packed = {.gather = gather};
	_cleanup_free_ char *message = NULL;
	struct package_file_options options = {
	        .fd = fd,
	        .what = strcmp(path, "-") ? path : "stdin",
	        .all_files = gather->list->all_files,
	        .stop = gather->stop,
	        .each = on_packed,
	        .userdata = &packed,
	};
	int r = fd < 0 ? code : read_headers(gather, options.what, fd, &rpm);

	if (r != 0)
		return r;
	packed.rpm = rpm;
	r = package_file_read(&options, &message);
	if (r == SOURCE_E_UNSUPPORTED)
		return list_say(
		        gather->list, options.what, "neither a .deb nor an .rpm", EX_DATAERR);
	return r == 0 ? 0 : gather_failed(gather, options.what, message, r);
}
