/*
 * execbench PROCESSES COUNT PROGRAM...: executes the programs in turn, COUNT times in all, by as
 * many processes as asked for. Prints the nanoseconds that all of it took, then those of each exec
 * from posix_spawn(3), which is a vfork, to the program's end, one a line.
 */
#include <inttypes.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 1024

/* Shared by the processes: whoever is free takes the next exec, so that all end together. */
struct work {
	atomic_long next;
	int64_t took_ns[];
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int execute(struct work *work, long count, char **programs, int n)
{
	for (long i; (i = atomic_fetch_add(&work->next, 1)) < count;) {
		char *program[] = {programs[i % n], NULL}, *envp[] = {NULL};
		int64_t begin = now_ns();
		int status;
		pid_t pid;

		if (posix_spawn(&pid, program[0], NULL, NULL, program, envp) != 0 ||
		        waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
			return 1;
		work->took_ns[i] = now_ns() - begin;
	}
	return 0;
}

static int start_all(struct work *work, long processes, long count, char **programs, int n)
{
	for (long i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0)
			_exit(execute(work, count, programs, n));
	}
	return 0;
}

static int wait_all(long processes)
{
	int status, failed = 0;

	for (long i = 0; i < processes; i++)
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			failed = 1;
	return failed;
}

int main(int argc, char **argv)
{
	long processes = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
	long count = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
	struct work *work;
	int64_t begin;

	if (processes < 1 || processes > PROCESSES_MAX || count < 1)
		return 64;
	work = mmap(NULL, sizeof(*work) + (size_t)count * sizeof(work->took_ns[0]),
	        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work == MAP_FAILED)
		return 1;
	begin = now_ns();
	if (start_all(work, processes, count, argv + 3, argc - 3) != 0 || wait_all(processes) != 0)
		return 1;
	printf("%" PRId64 "\n", now_ns() - begin);
	for (long i = 0; i < count; i++)
		printf("%" PRId64 "\n", work->took_ns[i]);
	return 0;
}
