/*
 * Runs a fuzz target over every file of the directories given: a corpus as a plain test, with any
 * compiler. Files in the order of their names, so that a failure comes back. Fails when nothing was
 * read: a corpus that has moved must not look like one that passed.
 */
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#define INPUT_MAX (16u << 20) /* bytes; far above libFuzzer's own default of 4096 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the input's size, so that the address sanitizer sees a read past its end. */
static int run(const char *data, size_t size)
{
	_cleanup_free_ uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		return -ENOMEM;
	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	return 0;
}

static int run_file(int dirfd, const char *directory, const char *name)
{
	_cleanup_free_ char *data = NULL;
	size_t size;
	int r = file_read_at(dirfd, name, INPUT_MAX, &data, &size);

	/* Said before the input runs: after a crash it is the last line. */
	printf("%s/%s\n", directory, name);
	fflush(stdout);
	if (r == 0)
		r = run(data, size);
	if (r < 0)
		fprintf(stderr, "%s/%s: %s\n", directory, name, strerror(-r));
	return r;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The number of inputs that ran, or -errno of the first that did not. */
static int run_directory(const char *path)
{
	_cleanup_close_ int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries = NULL;
	int n = dirfd < 0 ? -1 : scandirat(dirfd, ".", &entries, is_visible, alphasort);
	int r = 0;

	if (n < 0) {
		r = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = run_file(dirfd, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	int inputs = 0;

	for (int i = 1; i < argc; i++) {
		int n = run_directory(argv[i]);

		if (n < 0)
			return EXIT_FAILURE;
		inputs += n;
	}
	printf("%d inputs\n", inputs);
	return inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
