/*
 * The techniques of the threat matrix, rows 1 to 3 and 5, as a static program that runs inside the
 * container: attack TECHNIQUE SOURCE TARGET [SALT]. SOURCE is a program of the image, TARGET what
 * is dropped or edited. It ends by executing TARGET; when that fails it prints "errno=N" and exits
 * with 1, and when the technique cannot be carried out it prints "setup=N" and exits with 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attack {
	const char *source, *target, *salt;
};

__attribute__((noreturn)) static void setup_failed(const char *what)
{
	printf("setup=%d %s\n", errno, what);
	exit(2);
}

__attribute__((noreturn)) static void exec_failed(void)
{
	printf("errno=%d\n", errno);
	exit(1);
}

__attribute__((noreturn)) static void exec_path(const char *path)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL}, *envp[] = {NULL};

	fflush(stdout);
	execve(path, argv, envp);
	exec_failed();
}

__attribute__((noreturn)) static void exec_fd(int fd, const char *name)
{
	char *argv[] = {(char *)(uintptr_t)name, NULL}, *envp[] = {NULL};

	fflush(stdout);
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	exec_failed();
}

/* Copies the source and the salt behind it into an open descriptor. */
static void fill(const struct attack *a, int fd)
{
	char buffer[65536];
	int in = open(a->source, O_RDONLY);
	ssize_t n;

	if (in < 0)
		setup_failed("source");
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			setup_failed("write");
	if (write(fd, a->salt, strlen(a->salt)) < 0 || fchmod(fd, 0755) < 0)
		setup_failed("salt");
	close(in);
}

static void drop(const struct attack *a, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);

	if (fd < 0)
		setup_failed("create");
	fill(a, fd);
	close(fd);
}

static void plain(const struct attack *a)
{
	drop(a, a->target);
	exec_path(a->target);
}

static void by_execveat(const struct attack *a)
{
	drop(a, a->target);
	exec_fd(open(a->target, O_RDONLY), a->target);
}

static void by_opath(const struct attack *a)
{
	drop(a, a->target);
	exec_fd(open(a->target, O_PATH), a->target);
}

static int memfd_of(const struct attack *a)
{
	int fd = memfd_create("fileless", 0);

	if (fd < 0)
		setup_failed("memfd");
	fill(a, fd);
	return fd;
}

static void by_memfd(const struct attack *a)
{
	exec_fd(memfd_of(a), a->target);
}

static void by_memfd_path(const struct attack *a)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd_of(a));
	exec_path(path);
}

static void by_procfd(const struct attack *a)
{
	char path[64];
	int fd;

	drop(a, a->target);
	fd = open(a->target, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	exec_path(path);
}

static void by_vfork(const struct attack *a)
{
	int status;
	pid_t pid;

	drop(a, a->target);
	fflush(stdout);
	pid = vfork();
	if (pid == 0) {
		char *argv[] = {(char *)(uintptr_t)a->target, NULL}, *envp[] = {NULL};

		execve(a->target, argv, envp);
		_exit(errno == EPERM ? 101 : 102);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 101) {
		printf("errno=%d\n", EPERM);
		exit(1);
	}
	exit(WEXITSTATUS(status));
}

static void by_rename(const struct attack *a)
{
	char temp[4096];

	snprintf(temp, sizeof(temp), "%s.tmp", a->target);
	drop(a, temp);
	if (rename(temp, a->target) < 0)
		setup_failed("rename");
	exec_path(a->target);
}

/* Over a program of the image: the name is the image's, the inode is not. */
static void by_rename_over(const struct attack *a)
{
	drop(a, "/tmp/over");
	if (rename("/tmp/over", a->target) < 0)
		setup_failed("rename");
	exec_path(a->target);
}

static void by_link(const struct attack *a)
{
	drop(a, "/tmp/linked");
	if (link("/tmp/linked", a->target) < 0)
		setup_failed("link");
	exec_path(a->target);
}

static int tmpfile_of(const struct attack *a)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0755);

	if (fd < 0)
		setup_failed("O_TMPFILE");
	fill(a, fd);
	return fd;
}

static void by_tmpfile(const struct attack *a)
{
	char path[64];
	int fd = tmpfile_of(a), again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	if (again < 0)
		setup_failed("reopen");
	close(fd);
	exec_fd(again, a->target);
}

static void by_tmpfile_link(const struct attack *a)
{
	int fd = tmpfile_of(a);

	if (linkat(fd, "", AT_FDCWD, a->target, AT_EMPTY_PATH) < 0)
		setup_failed("linkat");
	close(fd);
	exec_path(a->target);
}

static void by_unlinked(const struct attack *a)
{
	int fd;

	drop(a, a->target);
	fd = open(a->target, O_RDONLY);
	unlink(a->target);
	exec_fd(fd, a->target);
}

static void by_directory(const struct attack *a)
{
	mkdir("/made/", 0755);
	if (mkdir("/made/later", 0755) < 0)
		setup_failed("mkdir");
	drop(a, a->target);
	exec_path(a->target);
}

static void by_script(const struct attack *a)
{
	int fd = open(a->target, O_WRONLY | O_CREAT | O_EXCL, 0755);

	if (fd < 0 || dprintf(fd, "#!%s\n# %s\n", a->source, a->salt) < 0)
		setup_failed("script");
	close(fd);
	exec_path(a->target);
}

/*
 * Row 3: TARGET is a program of the image and is edited where it lies.
 */
static void edit_write(const struct attack *a)
{
	int fd = open(a->target, O_WRONLY | O_APPEND);

	if (fd < 0 || write(fd, a->salt, strlen(a->salt)) < 0)
		setup_failed("append");
	close(fd);
	exec_path(a->target);
}

static void edit_mmap(const struct attack *a)
{
	int fd = open(a->target, O_RDWR);
	unsigned char *data;

	if (fd < 0)
		setup_failed("open");
	data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		setup_failed("mmap");
	data[9] ^= 0x55; /* padding of e_ident */
	munmap(data, 4096);
	close(fd);
	exec_path(a->target);
}

static void edit_truncate(const struct attack *a)
{
	int fd = open(a->target, O_WRONLY | O_TRUNC);

	if (fd < 0)
		setup_failed("truncate");
	fill(a, fd);
	close(fd);
	exec_path(a->target);
}

/* A donor of other content, made outside of what is edited. */
static int donor(const struct attack *a)
{
	int fd = open("/tmp/donor", O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		setup_failed("donor");
	fill(a, fd);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void edit_copy_range(const struct attack *a)
{
	int in = donor(a), out = open(a->target, O_WRONLY | O_TRUNC);
	struct stat st;
	ssize_t n = 1;

	if (out < 0 || fstat(in, &st) < 0)
		setup_failed("open");
	while (n > 0)
		n = copy_file_range(in, NULL, out, NULL, (size_t)st.st_size, 0);
	if (n < 0)
		setup_failed("copy_file_range");
	close(out);
	exec_path(a->target);
}

static void edit_splice(const struct attack *a)
{
	int in = donor(a), out = open(a->target, O_WRONLY | O_TRUNC), fds[2];
	ssize_t n;

	if (out < 0 || pipe(fds) < 0)
		setup_failed("open");
	while ((n = splice(in, NULL, fds[1], NULL, 4096, 0)) > 0)
		if (splice(fds[0], NULL, out, NULL, (size_t)n, 0) != n)
			setup_failed("splice");
	if (n < 0)
		setup_failed("splice");
	close(out);
	exec_path(a->target);
}

/* The kernel closes a ring's files some time after us; a lease is refused until then. */
static void wait_unwritten(const char *path)
{
	int fd = open(path, O_RDONLY);

	for (unsigned int i = 0; i < 5000 && fcntl(fd, F_SETLEASE, F_RDLCK) < 0; i++)
		usleep(1000);
	close(fd);
}

/* One write through a ring of one entry, by the raw system calls. */
static void edit_io_uring(const struct attack *a)
{
	struct io_uring_params p = {0};
	int fd = open(a->target, O_WRONLY), ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *sqes;
	struct stat st;
	char *sq;

	if (fd < 0 || ring < 0 || fstat(fd, &st) < 0)
		setup_failed("io_uring_setup");
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(uint32_t), PROT_READ | PROT_WRITE,
	        MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
	        IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqes == MAP_FAILED)
		setup_failed("mmap");
	memset(sqes, 0, sizeof(*sqes));
	sqes->opcode = IORING_OP_WRITE;
	sqes->fd = fd;
	sqes->addr = (uint64_t)(uintptr_t)a->salt;
	sqes->len = (uint32_t)strlen(a->salt);
	sqes->off = (uint64_t)st.st_size;
	((uint32_t *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		setup_failed("io_uring_enter");
	close(ring);
	close(fd);
	wait_unwritten(a->target);
	exec_path(a->target);
}

/* Somebody can still write it: a descriptor stays open in a child that waits. */
static void still_open(const struct attack *a)
{
	int fd = open(a->target, O_WRONLY | O_CREAT | O_EXCL, 0755), fds[2];

	if (fd < 0 || pipe(fds) < 0)
		setup_failed("create");
	fill(a, fd);
	/* ETXTBSY comes from the kernel itself; what is asserted is that it does not run. */
	exec_path(a->target);
}

/* Row 4: metadata only, then the program of the image runs. */
static void touched(const struct attack *a)
{
	if (chmod(a->target, 0711) < 0 || chown(a->target, 1, 1) < 0 ||
	        utimensat(AT_FDCWD, a->target, NULL, 0) < 0)
		setup_failed("touch");
	exec_path(a->target);
}

static void none(const struct attack *a)
{
	exec_path(a->target);
}

static const struct {
	const char *name;
	void (*run)(const struct attack *a);
} attacks[] = {
        {"none", none},
        {"plain", plain},
        {"execveat", by_execveat},
        {"opath", by_opath},
        {"procfd", by_procfd},
        {"memfd", by_memfd},
        {"memfd-path", by_memfd_path},
        {"vfork", by_vfork},
        {"rename", by_rename},
        {"rename-over", by_rename_over},
        {"link", by_link},
        {"tmpfile", by_tmpfile},
        {"tmpfile-link", by_tmpfile_link},
        {"unlinked", by_unlinked},
        {"directory", by_directory},
        {"script", by_script},
        {"edit-write", edit_write},
        {"edit-mmap", edit_mmap},
        {"edit-truncate", edit_truncate},
        {"edit-copy-range", edit_copy_range},
        {"edit-splice", edit_splice},
        {"edit-io-uring", edit_io_uring},
        {"still-open", still_open},
        {"touched", touched},
};

int main(int argc, char **argv)
{
	struct attack a = {.salt = "salt"};

	if (argc < 4)
		return 64;
	a.source = argv[2];
	a.target = argv[3];
	if (argc > 4)
		a.salt = argv[4];
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (!strcmp(attacks[i].name, argv[1]))
			attacks[i].run(&a);
	return 64;
}
