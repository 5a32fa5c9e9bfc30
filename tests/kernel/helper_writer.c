/*
 * A package manager in small: unpacks the payload as dpkg(1) does, under a name of its own first,
 * with a time of the past, and then renames it.
 *
 *   writer unpack TARGET SALT      and exits at once
 *   writer safe TARGET SALT        opens it once more to sync it, before the rename
 *   writer hold TARGET SALT        says OPEN, waits for a line, writes and closes, says CLOSED,
 * waits writer later TARGET SALT       says OPEN, waits for a line, then unpacks and exits writer
 * run TARGET SALT         and executes it at once writer many DIRECTORY NUMBER   and executes each
 * at once, in a child; says how many did not run writer then TARGET SALT PROGRAM  writes TARGET,
 * then becomes PROGRAM
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	printf("SETUP %s: %s\n", what, strerror(errno));
	exit(70);
}

static void pause_for(const char *word)
{
	char c = 0;

	puts(word);
	fflush(stdout);
	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

static int create(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0)
		die(name);
	return fd;
}

static void fill(int fd, const char *salt)
{
	int in = open("/bin/payload", O_RDONLY | O_CLOEXEC);
	static char buffer[1 << 16];
	ssize_t n;

	if (in < 0)
		die("payload");
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			die("write");
	if (write(fd, salt, strlen(salt)) < 0 || fchown(fd, geteuid(), getegid()) < 0 ||
	        fchmod(fd, 0755) < 0)
		die("salt");
	close(in);
}

static void finish(const char *name, const char *target, int safe)
{
	const struct timespec times[2] = {{1600000000, 0}, {1600000000, 0}};

	if (utimensat(AT_FDCWD, name, times, 0) < 0)
		die("utimensat");
	if (safe) {
		int fd = open(name, O_WRONLY);

		if (fd < 0 || fsync(fd) < 0 || close(fd) < 0)
			die("fsync");
	}
	if (rename(name, target) < 0)
		die("rename");
}

static void unpack(const char *target, const char *salt, int safe, int hold)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "%s.new", target);
	fd = create(name);
	if (hold)
		pause_for("OPEN");
	fill(fd, salt);
	close(fd);
	if (hold)
		pause_for("CLOSED");
	finish(name, target, safe);
	if (hold)
		pause_for("RENAMED");
}

static int runs(const char *target)
{
	int status = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execl(target, target, (char *)NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("vfork");
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static void many(const char *directory, int number)
{
	char target[4096], salt[32];
	int failed = 0;

	for (int i = 0; i < number; i++) {
		snprintf(target, sizeof(target), "%s/p%d", directory, i);
		snprintf(salt, sizeof(salt), "many %d", i);
		unpack(target, salt, 0, 0);
		failed += !runs(target);
	}
	fprintf(stderr, "FAILED %d\n", failed);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 64;
	if (!strcmp(argv[1], "unpack"))
		unpack(argv[2], argv[3], 0, 0);
	else if (!strcmp(argv[1], "safe"))
		unpack(argv[2], argv[3], 1, 0);
	else if (!strcmp(argv[1], "hold"))
		unpack(argv[2], argv[3], 0, 1);
	else if (!strcmp(argv[1], "later")) {
		pause_for("OPEN");
		unpack(argv[2], argv[3], 0, 0);
	} else if (!strcmp(argv[1], "many"))
		many(argv[2], atoi(argv[3]));
	else if (!strcmp(argv[1], "run") || (!strcmp(argv[1], "then") && argc > 4)) {
		const char *next = argc > 4 ? argv[4] : argv[2];

		unpack(argv[2], argv[3], 0, 0);
		execl(next, next, (char *)NULL);
		printf("errno=%d\n", errno);
		return 126;
	} else
		return 64;
	return 0;
}
