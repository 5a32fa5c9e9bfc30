/*
 * execbench COUNT PROGRAM...: executes the programs in turn, COUNT times in all, and prints the
 * nanoseconds from posix_spawn(3), which is a vfork, to the end of each, one a line.
 */
#include <inttypes.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

	for (long i = 0; i < count; i++) {
		char *program[] = {argv[2 + i % (argc - 2)], NULL}, *envp[] = {NULL};
		int64_t begin = now_ns();
		int status;
		pid_t pid;

		if (posix_spawn(&pid, program[0], NULL, NULL, program, envp) != 0 ||
		        waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
			return 1;
		printf("%" PRId64 "\n", now_ns() - begin);
	}
	return count > 0 ? 0 : 64;
}
