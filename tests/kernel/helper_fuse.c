/*
 * Row 16: fuse MOUNTPOINT PROGRAM serve|switch|stall. A FUSE server without a library, for inside a
 * container: one file, `prog`, with the content of PROGRAM. `switch` gives every other read a byte
 * that differs in its last place; `stall` never answers an open, `stall-read` a read,
 * `stall-lookup` a name. Prints "ready" once mounted. As fuse MOUNTPOINT PROGRAM argv, executes
 * PROGRAM with an argument that lies in a mapping of such a file, and prints the error; `argv-wait`
 * waits for a line between the two.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NODE_PROG 2

static char *content;
static size_t size;
static bool switching, stalling, stalling_reads, stalling_lookups;
static unsigned int reads;

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(2);
	size = (size_t)st.st_size;
	content = malloc(size);
	if (!content || read(fd, content, size) != st.st_size)
		exit(2);
	close(fd);
}

static void reply(int fd, const struct fuse_in_header *in, int error, const void *data, size_t n)
{
	struct fuse_out_header out = {
	        .len = (uint32_t)(sizeof(out) + n), .error = error, .unique = in->unique};
	struct iovec parts[] = {{&out, sizeof(out)}, {(void *)(unsigned long)data, n}};

	if (writev(fd, parts, n ? 2 : 1) < 0 && errno != ENOENT)
		exit(3);
}

static struct fuse_attr attr_of(uint64_t node)
{
	struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};

	attr.mode = node == NODE_PROG ? S_IFREG | 0755 : S_IFDIR | 0755;
	attr.size = node == NODE_PROG ? size : 0;
	return attr;
}

static void do_init(int fd, const struct fuse_in_header *in)
{
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
	        .minor = 31,
	        .max_write = 65536,
	        .max_readahead = 65536};

	reply(fd, in, 0, &out, sizeof(out));
}

static void do_lookup(int fd, const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = {.nodeid = NODE_PROG,
	        .attr = attr_of(NODE_PROG),
	        .entry_valid = 60,
	        .attr_valid = 60};

	if (stalling_lookups)
		return;
	if (strcmp(name, "prog"))
		reply(fd, in, -ENOENT, NULL, 0);
	else
		reply(fd, in, 0, &out, sizeof(out));
}

static void do_read(int fd, const struct fuse_in_header *in, const struct fuse_read_in *arg)
{
	size_t at = arg->offset < size ? arg->offset : size;
	size_t n = arg->size < size - at ? arg->size : size - at;

	if (switching)
		content[size - 1] = (char)(reads++ % 2);
	reply(fd, in, 0, content + at, n);
}

static void serve_one(int fd, const struct fuse_in_header *in, const void *arg)
{
	struct fuse_attr_out attr = {.attr = attr_of(in->nodeid), .attr_valid = 60};
	struct fuse_open_out opened = {.open_flags = switching ? FOPEN_DIRECT_IO : 0};

	switch (in->opcode) {
	case FUSE_INIT:
		do_init(fd, in);
		break;
	case FUSE_LOOKUP:
		do_lookup(fd, in, arg);
		break;
	case FUSE_GETATTR:
		reply(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		if (!stalling)
			reply(fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		if (!stalling_reads)
			do_read(fd, in, arg);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_ACCESS:
		reply(fd, in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(fd, in, -ENOSYS, NULL, 0);
	}
}

static int exec_with_argument(const char *mountpoint, const char *program, bool wait)
{
	char path[4096], *args[] = {(char *)(unsigned long)program, NULL, NULL}, *envp[] = {NULL};
	int fd;

	snprintf(path, sizeof(path), "%s/prog", mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	args[1] = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || args[1] == MAP_FAILED)
		return 2;
	if (wait) {
		puts("mapped");
		fflush(stdout);
		getchar();
	}
	execve(program, args, envp);
	puts(errno == EPERM ? "EPERM" : strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	static char buffer[1 << 20];
	char options[128];
	int fd;

	if (argc != 4)
		return 64;
	if (!strncmp(argv[3], "argv", 4))
		return exec_with_argument(argv[1], argv[2], argv[3][4] != '\0');
	load(argv[2]);
	stalling_lookups = !strcmp(argv[3], "stall-lookup");
	stalling_reads = !strcmp(argv[3], "stall-read");
	switching = !strcmp(argv[3], "switch");
	stalling = !strcmp(argv[3], "stall");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
	        fd);
	if (fd < 0 || mount("race", argv[1], "fuse", MS_NOSUID, options) < 0) {
		perror("mount");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n = read(fd, buffer, sizeof(buffer));
		const struct fuse_in_header *in = (const void *)buffer;

		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (n < (ssize_t)sizeof(*in))
			return n < 0 && errno != ENODEV;
		serve_one(fd, in, in + 1);
	}
}
