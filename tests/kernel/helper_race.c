/*
 * Rows 9 and 10: race write|nonblock|mmap|rename TARGET TRIES ATTACKERS PACE_US. Attackers change
 * the word in TARGET between GOOD (approved) and EVIL, each in its own way, while it is executed
 * TRIES times. Prints how often each content ran, and how often it did not run.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char word[] = "MARKER-";

struct target {
	const char *path;
	char *good, *evil;    /* the whole file in both contents */
	size_t size, at;      /* where the word's end lies */
	unsigned int pace_us; /* between two changes: time in which nobody has it open */
};

static void load(const char *path, struct target *t)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *found;

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(2);
	t->path = path;
	t->size = (size_t)st.st_size;
	t->good = malloc(t->size);
	t->evil = malloc(t->size);
	if (!t->good || !t->evil || read(fd, t->good, t->size) != st.st_size)
		exit(2);
	found = memmem(t->good, t->size, "MARKER-GOOD", strlen("MARKER-GOOD"));
	if (!found)
		exit(2);
	t->at = (size_t)(found - t->good) + strlen(word);
	memcpy(t->evil, t->good, t->size);
	memcpy(t->evil + t->at, "EVIL", 4);
	close(fd);
}

static void pace(const struct target *t)
{
	struct timespec time = {.tv_nsec = (long)t->pace_us * 1000};

	if (t->pace_us > 0)
		nanosleep(&time, NULL);
}

/* A writer that waits for a lease counts as a writer; one that does not wait comes again. */
static void attack_open(const struct target *t, int flags)
{
	for (unsigned int i = 0;; i++, pace(t)) {
		int fd = open(t->path, O_WRONLY | (i % 3 ? flags : O_NONBLOCK));

		if (fd < 0)
			continue;
		if (pwrite(fd, i % 2 ? "GOOD" : "EVIL", 4, (off_t)t->at) < 0)
			_exit(2);
		close(fd);
	}
}

static void attack_write(const struct target *t)
{
	attack_open(t, 0);
}

static void attack_nonblock(const struct target *t)
{
	attack_open(t, O_NONBLOCK);
}

/* The descriptor is closed: only the mapping is left to write through. */
static void attack_mmap(const struct target *t)
{
	for (unsigned int i = 0;; i++, pace(t)) {
		int fd = open(t->path, O_RDWR);
		char *data;

		if (fd < 0)
			continue;
		data = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		if (data == MAP_FAILED)
			continue;
		for (unsigned int j = 0; j < 64; j++)
			memcpy(data + t->at, j % 2 ? "GOOD" : "EVIL", 4);
		memcpy(data + t->at, i % 2 ? "GOOD" : "EVIL", 4);
		munmap(data, t->size);
	}
}

static void attack_rename(const struct target *t)
{
	char temp[4096];

	snprintf(temp, sizeof(temp), "%s.%d", t->path, (int)getpid());
	for (unsigned int i = 0;; i++, pace(t)) {
		int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0755);

		if (fd < 0)
			continue;
		if (write(fd, i % 2 ? t->good : t->evil, t->size) < 0)
			_exit(2);
		close(fd);
		rename(temp, t->path);
	}
}

enum outcome { GOOD, EVIL, DENIED, BUSY, OTHER, N_OUTCOMES };

static enum outcome try_once(const char *path)
{
	char text[64] = "";
	int fds[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fds) < 0)
		return OTHER;
	pid = fork();
	if (pid == 0) {
		char *argv[] = {(char *)(unsigned long)path, NULL}, *envp[] = {NULL};

		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execve(path, argv, envp);
		_exit(errno == EPERM ? 101 : errno == ETXTBSY ? 102 : 103);
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (n > 0)
		return strstr(text, "MARKER-GOOD") ? GOOD : EVIL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 101)
		return DENIED;
	return WIFEXITED(status) && WEXITSTATUS(status) == 102 ? BUSY : OTHER;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const struct target *t);
	} attacks[] = {{"write", attack_write}, {"nonblock", attack_nonblock},
	        {"mmap", attack_mmap}, {"rename", attack_rename}};
	long counts[N_OUTCOMES] = {0};
	struct target target;
	pid_t pids[64];
	long tries, n;

	if (argc != 6)
		return 64;
	load(argv[2], &target);
	tries = strtol(argv[3], NULL, 10);
	n = strtol(argv[4], NULL, 10);
	target.pace_us = (unsigned int)strtoul(argv[5], NULL, 10);
	for (long i = 0; i < n && i < 64; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t j = 0; j < sizeof(attacks) / sizeof(attacks[0]); j++)
			if (!strcmp(attacks[j].name, argv[1]))
				attacks[j].run(&target);
		_exit(64);
	}
	for (long i = 0; i < tries; i++)
		counts[try_once(target.path)]++;
	for (long i = 0; i < n && i < 64; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	printf("good=%ld evil=%ld denied=%ld busy=%ld other=%ld\n", counts[GOOD], counts[EVIL],
	        counts[DENIED], counts[BUSY], counts[OTHER]);
	return 0;
}
