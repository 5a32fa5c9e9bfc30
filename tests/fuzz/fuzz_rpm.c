/* The headers of an .rpm: any bytes. What is found can be asked for, and nothing else. */
#include "allowlists/rpm_package.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct rpm_package *package)
{
	uint8_t bytes[64];
	size_t n;

	for (size_t i = 0; i < rpm_package_files(package); i++) {
		const char *path = rpm_package_path(package, i);
		int r = rpm_package_signature(package, path, bytes, sizeof(bytes), &n);

		if (path[0] != '/' || r == -ENOENT || (r == 0 && n > sizeof(bytes)))
			abort();
		if (i > 0 && strcmp(rpm_package_path(package, i - 1), path) >= 0)
			abort();
	}
	if (rpm_package_signature(package, "", bytes, sizeof(bytes), &n) != -ENOENT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpm_package *package = NULL;
	int fd = memfd_create("rpm", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (rpm_package_read(fd, &package) == 0)
		ask(package);
	rpm_package_free(package);
	close(fd);
	return 0;
}
