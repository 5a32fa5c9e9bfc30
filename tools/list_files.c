/* Files by name, and lists that others have made: sha256sum, bills of materials. */
#include "base/cleanup.h"
#include "core/sbom.h"
#include "core/sums.h"
#include "snapshot/one_file.h"
#include "tools/envelope_io.h"
#include "tools/list_sources.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TEXT_MAX_BYTES (256u << 20) /* of a list of names or sums: 1000000 long names */

/*
 * Named files. Whoever names one wants it in the list: what is not there is an error, and it need
 * not be executable. Its name is where it really is, as the kernel will call it.
 */
int gather_file(struct gather *gather, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct entry entry;
	int r;

	if (!real || root_fd < 0)
		return list_fail(gather->list, path, -errno);
	if (gather->stop && *gather->stop)
		return list_fail(gather->list, path, -ECANCELED);
	r = one_file(root_fd, real, true, &entry);
	if (r == ONE_FILE_E_OTHER)
		return list_say(gather->list, path, "no regular file; --rootfs takes a directory",
		        EX_NOINPUT);
	if (r == -EAGAIN) {
		list_leave_out(gather->list, path, "changes each time it is read");
		return 0;
	}
	if (r == 0 && gather_is_signed(gather, root_fd, &entry))
		r = list_add(gather->list, real, &entry.digest);
	return r == 0 ? 0 : list_fail(gather->list, path, r);
}

/* Lines, or names with a NUL behind each (find -print0). Cuts @text up. */
int gather_files(struct gather *gather, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, at = 0;
	char end;
	int r = input_read(gather->list->call, path, TEXT_MAX_BYTES, &text, &size);

	if (r != 0)
		return r;
	end = memchr(text, '\0', size) ? '\0' : '\n';
	while (at < size && r == 0) {
		char *line = text + at, *stop = memchr(line, end, size - at);
		size_t n = stop ? (size_t)(stop - line) : size - at;

		line[n] = '\0'; /* the text ends with one of its own */
		at += n + 1;
		if (n > 0)
			r = gather_file(gather, line);
	}
	return r;
}

/*
 * sha256sum.
 */
static int bad_line(struct gather *gather, const char *path, size_t number, int r)
{
	_cleanup_free_ char *text = text_format("line %zu: %s", number,
	        r == SUMS_E_OTHER
	                ? "a sum that is not SHA-256: make them with sha256sum"
	                : "not as sha256sum writes it: 64 hexadecimal digits, two spaces, a name");

	return list_say(gather->list, strcmp(path, "-") ? path : "stdin", text, EX_DATAERR);
}

int gather_sums(struct gather *gather, const char *path)
{
	_cleanup_free_ char *text = NULL;
	char name[SUMS_NAME_MAX + 2];
	struct digest digest;
	size_t size = 0, at = 0, number = 0;
	int r = input_read(gather->list->call, path, TEXT_MAX_BYTES, &text, &size);

	if (r != 0)
		return r;
	while (at < size) {
		const char *stop = memchr(text + at, '\n', size - at);
		size_t n = stop ? (size_t)(stop - (text + at)) : size - at;

		number++;
		r = sums_line(text + at, n, &digest, name);
		if (r > 0)
			return bad_line(gather, path, number, r);
		r = list_add(gather->list, name, &digest);
		if (r < 0)
			return list_fail(gather->list, path, r);
		at += n + 1;
	}
	return 0;
}

/*
 * Bills of materials.
 */
static int on_listed(const struct sbom_file *file, void *userdata)
{
	static const char *const lacks[_SBOM_LACK_MAX] = {
	        [SBOM_LACK_DIGEST] = "it has no digest there",
	        [SBOM_LACK_WEAK] = "its only digests are weak (MD5, SHA-1): a list takes SHA-256",
	        [SBOM_LACK_OTHER] = "it has no SHA-256, and a list can say nothing else: hash the "
	                            "file itself (--files, --rootfs, --sums)",
	};
	struct gather *gather = userdata;
	char name[SUMS_NAME_MAX + 2];

	if (file->lack != SBOM_LACK_NONE) {
		list_leave_out(gather->list, file->name, lacks[file->lack]);
		return 0;
	}
	if (!sums_absolute(file->name, name)) {
		list_leave_out(gather->list, file->name, "no name that a file can have");
		return 0;
	}
	return list_add(gather->list, name, &file->digest);
}

int gather_sbom(struct gather *gather, const char *path)
{
	const char *what = strcmp(path, "-") ? path : "stdin";
	struct sbom_error error = {{0}};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = input_read(gather->list->call, path, SBOM_SIZE_MAX, &text, &size);

	if (r != 0)
		return r;
	r = sbom_read(text, size, on_listed, gather, &error);
	if (r > 0)
		return list_say(gather->list, what, error.message, EX_DATAERR);
	return r == 0 ? 0 : list_fail(gather->list, what, r);
}
