/*
 * The scanner: directories depth first, names in order, so that paths come in the order in which
 * trees are stored. What is held are the names on the way from the root: HELD_MAX bytes, then a
 * small buffer of each further directory; one with more comes in several runs, each in order. Only
 * the innermost FRAMES_OPEN directories are open; the way back to another is "..", which must lead
 * to the directory that was left, or else its path.
 */
#include "base/cleanup.h"
#include "snapshot/walk_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define FRAMES_OPEN  64u                       /* descriptors of directories */
#define HELD_MAX     ((size_t)6 * 1024 * 1024) /* bytes of names */
#define BUFFER_LARGE (64u * 1024u)             /* bytes per getdents64(2) */
#define BUFFER_SMALL (2u * 1024u) /* bytes; a path holds 4096 directories at most: 8 MiB */
#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOATIME)

struct frame {
	int fd; /* -1: closed meanwhile */
	struct names {
		char *text; /* names, each with its NUL, one after another */
		size_t size, room;
		uint32_t *starts; /* in text; in order */
		size_t n, n_room;
	} names;
	size_t at;        /* the next of them */
	bool read;        /* there are no more */
	off_t offset;     /* where the directory is read on from, while it is closed */
	size_t path_size; /* bytes of its path; 0 for the root's, so that names begin with '/' */
	uint64_t dev, ino, mount;
	bool local;
};

struct scan {
	struct walk *walk;
	const struct walk_options *options;
	struct frame *frames;
	size_t n_frames, room;
	size_t held; /* bytes of names */
	uint64_t number;
	char path[ENTRY_PATH_MAX]; /* of what is looked at */
	char buffer[BUFFER_LARGE] __attribute__((aligned(8)));
	struct jobs batch;
	int error;
};

/* Hands on what has come together. False ends the scan. */
static bool flush(struct scan *scan)
{
	return walk_give_seen(scan->walk, &scan->batch);
}

static bool fail(struct scan *scan, int error)
{
	scan->error = error;
	return false;
}

static bool push_job(struct scan *scan, struct job *job)
{
	scan->walk->entries++;
	job->number = scan->number++;
	jobs_push(&scan->batch, job);
	return scan->batch.n < BATCH_JOBS || flush(scan);
}

static struct job *new_job(struct scan *scan)
{
	struct job *job = job_new(scan->path[0] ? scan->path : "/");

	if (!job)
		scan->error = -ENOMEM;
	return job;
}

/* Tells a problem with the path that is looked at. */
static bool tell(struct scan *scan, enum walk_problem problem, int error)
{
	struct job *job = new_job(scan);

	if (!job)
		return false;
	job->problem = problem;
	job->error = error;
	job->vanished = true;
	return push_job(scan, job);
}

static bool tell_error(struct scan *scan, int r)
{
	if (r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOSYS)
		return fail(scan, r);
	return tell(scan,
	        r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? WALK_VANISHED : WALK_UNREADABLE, -r);
}

/* The path of @name in the frame's directory. False when it is too long. */
static bool set_path(struct scan *scan, const struct frame *frame, const char *name)
{
	size_t n = strlen(name);

	scan->path[frame->path_size] = '\0';
	if (frame->path_size + 1 + n >= ENTRY_PATH_MAX)
		return false;
	scan->path[frame->path_size] = '/';
	memcpy(scan->path + frame->path_size + 1, name, n + 1);
	return true;
}

static bool is_skipped(const struct scan *scan)
{
	for (const char *const *skip = scan->options->skip; skip && *skip; skip++)
		if (!strcmp(*skip, scan->path))
			return true;
	return false;
}

/*
 * What is no directory.
 */
static bool wants_all(const struct walk_options *options)
{
	return options->all_entries || options->all_files;
}

static int read_target(int dir_fd, const char *name, struct job *job)
{
	char target[ENTRY_PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	job->entry.target = strdup(target);
	job->text_size += (size_t)n + 1;
	return job->entry.target ? 0 : -ENOMEM;
}

static bool add_file(
        struct scan *scan, int dir_fd, const char *name, bool local, const struct look *look)
{
	struct job *job = new_job(scan);
	struct entry *entry = job ? &job->entry : NULL;
	int r = 0;

	if (!job)
		return false;
	look_fill(look, entry);
	job->local = local;
	job->read = entry->type == ENTRY_FILE;
	job->linked = look->links > 1;
	if (job->read)
		look_handle(dir_fd, name, entry);
	else if (entry->type == ENTRY_SYMLINK)
		r = read_target(dir_fd, name, job);
	else if (entry->type == ENTRY_CHAR && scan->options->layer && look->rdev_major == 0 &&
	         look->rdev_minor == 0)
		entry->type = ENTRY_WHITEOUT;
	if (r == 0)
		return push_job(scan, job);
	job_free(job);
	return tell_error(scan, r);
}

static bool is_elsewhere(const struct scan *scan, uint64_t mount, const struct look *look)
{
	return scan->options->one_filesystem && look->mount != mount;
}

/*
 * Directories.
 */
static bool is_opaque(int fd)
{
	static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque"};
	char value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fgetxattr(fd, names[i], &value, sizeof(value)) == 1 && value == 'y')
			return true;
	return false;
}

static bool add_directory(struct scan *scan, int fd, const struct look *look)
{
	struct job *job;

	if (!wants_all(scan->options))
		return true;
	job = new_job(scan);
	if (!job)
		return false;
	look_fill(look, &job->entry);
	if (fd >= 0 && scan->options->layer && is_opaque(fd))
		job->entry.flags |= ENTRY_OPAQUE;
	return push_job(scan, job);
}

static void close_outer(struct scan *scan)
{
	struct frame *frame;

	if (scan->n_frames <= FRAMES_OPEN)
		return;
	frame = &scan->frames[scan->n_frames - 1 - FRAMES_OPEN];
	if (frame->fd < 0)
		return;
	frame->offset = lseek(frame->fd, 0, SEEK_CUR);
	close(TAKE_FD(frame->fd));
}

/* @fd is taken. */
static bool push_frame(struct scan *scan, int fd, const struct look *look, bool local)
{
	_cleanup_close_ int owned = fd;
	struct frame *frame;

	if (scan->n_frames == scan->room) {
		size_t room = scan->room * 2 + 16;
		struct frame *grown = reallocarray(scan->frames, room, sizeof(scan->frames[0]));

		if (!grown)
			return fail(scan, -ENOMEM);
		scan->frames = grown;
		scan->room = room;
	}
	frame = &scan->frames[scan->n_frames];
	*frame = (struct frame){
	        .fd = -1,
	        .path_size = strlen(scan->path),
	        .dev = look->identity.dev,
	        .ino = look->identity.ino,
	        .mount = look->mount,
	        .local = local,
	};
	frame->fd = TAKE_FD(owned);
	scan->n_frames++;
	close_outer(scan);
	return true;
}

/* @fd is a directory that was opened beneath the root; taken. @outer: NULL for the first. */
static bool enter_fd(struct scan *scan, int fd, const struct frame *outer)
{
	_cleanup_close_ int owned = fd;
	bool local = outer && outer->local;
	struct look look;
	int r = look_at(fd, "", &look);

	if (r < 0)
		return tell_error(scan, r);
	if (!outer || look.mount != outer->mount) {
		enum filesystem_kind kind = filesystem_kind_of(fd);

		if (kind == FILESYSTEM_KERNEL || (outer && scan->options->one_filesystem))
			return true;
		local = kind == FILESYSTEM_LOCAL;
	}
	return add_directory(scan, fd, &look) && push_frame(scan, TAKE_FD(owned), &look, local);
}

static bool enter_name(
        struct scan *scan, const struct frame *frame, const char *name, const struct look *look)
{
	int fd = beneath_open_name(frame->fd, name, DIR_FLAGS);

	if (fd >= 0)
		return enter_fd(scan, fd, frame);
	if (fd != -ENOENT && !add_directory(scan, -1, look))
		return false;
	return tell_error(scan, fd);
}

/* Looked at before it is opened: opening a mount point may mount something. */
static bool look_at_name(struct scan *scan, const struct frame *frame, const char *name)
{
	struct look look;
	int r;

	if (!set_path(scan, frame, name))
		return tell(scan, WALK_TOO_LONG, ENAMETOOLONG);
	if (is_skipped(scan))
		return true;
	r = look_at(frame->fd, name, &look);
	if (r < 0)
		return tell_error(scan, r);
	if (is_elsewhere(scan, frame->mount, &look))
		return true;
	if (S_ISDIR(look.mode))
		return enter_name(scan, frame, name, &look);
	if (!S_ISREG(look.mode) && !wants_all(scan->options))
		return true;
	return add_file(scan, frame->fd, name, frame->local, &look);
}

/*
 * The way back.
 */
static bool is_frame(const struct frame *frame, int fd)
{
	struct look look;

	return fd >= 0 && look_at(fd, "", &look) == 0 && look.identity.dev == frame->dev &&
	       look.identity.ino == frame->ino && look.mount == frame->mount;
}

static void reopen(struct scan *scan, struct frame *frame, int inner_fd)
{
	_cleanup_close_ int fd = -1;

	scan->path[frame->path_size] = '\0';
	/* Not beneath @inner_fd, and wherever it leads: only the directory that was left will do.
	 */
	fd = openat(inner_fd, "..", DIR_FLAGS | O_CLOEXEC | O_NOFOLLOW);
	if (!is_frame(frame, fd)) {
		cleanup_closep(&fd);
		fd = beneath_open(scan->options->root_fd, scan->path, DIR_FLAGS);
	}
	if (is_frame(frame, fd) &&
	        (frame->read || lseek(fd, frame->offset, SEEK_SET) == frame->offset))
		frame->fd = TAKE_FD(fd);
}

static void drop_names(struct scan *scan, struct frame *frame)
{
	scan->held -= frame->names.room + frame->names.n_room * sizeof(frame->names.starts[0]);
	free(frame->names.text);
	free(frame->names.starts);
	frame->names = (struct names){.text = NULL};
	frame->at = 0;
}

static void close_frame(struct scan *scan, struct frame *frame)
{
	cleanup_closep(&frame->fd);
	frame->fd = -1;
	drop_names(scan, frame);
}

/* The innermost directory is done. */
static bool pop_frame(struct scan *scan)
{
	struct frame *frame = &scan->frames[scan->n_frames - 1], *outer = frame - 1;
	bool lost = false;

	if (scan->n_frames > 1 && outer->fd < 0) {
		reopen(scan, outer, frame->fd);
		lost = outer->fd < 0;
	}
	close_frame(scan, frame);
	scan->n_frames--;
	/* The rest of it cannot be seen: it ends at once, and the one around it is tried. */
	if (lost) {
		drop_names(scan, outer);
		outer->read = true;
		return tell(scan, WALK_VANISHED, ESTALE);
	}
	return true;
}

/*
 * Names.
 */
static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Room for @more in an array of @size bytes per item; counts what is held. */
static bool grow(struct scan *scan, void **array, size_t *room, size_t n, size_t size)
{
	size_t more = *room * 2 > n ? *room * 2 : n;
	void *grown;

	if (n <= *room)
		return true;
	grown = reallocarray(*array, more, size);
	if (!grown)
		return fail(scan, -ENOMEM);
	scan->held += (more - *room) * size;
	*array = grown;
	*room = more;
	return true;
}

static bool add_name(struct scan *scan, struct names *names, const struct dirent64 *d)
{
	size_t size = strlen(d->d_name) + 1;
	void *text = names->text, *starts = names->starts;
	bool ok;

	ok = grow(scan, &text, &names->room, names->size + size, 1);
	names->text = text;
	ok = ok && grow(scan, &starts, &names->n_room, names->n + 1, sizeof(names->starts[0]));
	names->starts = starts;
	if (!ok)
		return false;
	names->starts[names->n++] = (uint32_t)names->size;
	memcpy(names->text + names->size, d->d_name, size);
	names->size += size;
	return true;
}

static int in_order(const void *a, const void *b, void *text)
{
	const uint32_t *x = a, *y = b;

	return strcmp((const char *)text + *x, (const char *)text + *y);
}

/* One getdents64(2). False ends the scan. */
static bool read_names(struct scan *scan, struct frame *frame, size_t room)
{
	ssize_t n = getdents64(frame->fd, scan->buffer, room);

	if (n <= 0) {
		int error = errno;

		frame->read = true;
		scan->path[frame->path_size] = '\0';
		return n == 0 || error == ENOENT || tell_error(scan, -error);
	}
	for (size_t at = 0; at < (size_t)n;) {
		const struct dirent64 *d = (const struct dirent64 *)(void *)(scan->buffer + at);

		if (!is_dots(d->d_name) && !add_name(scan, &frame->names, d))
			return false;
		at += d->d_reclen;
	}
	return true;
}

/* The next run of names. */
static bool fill(struct scan *scan, struct frame *frame)
{
	bool ok = true;

	drop_names(scan, frame);
	if (scan->held > HELD_MAX)
		ok = read_names(scan, frame, BUFFER_SMALL);
	while (ok && !frame->read && scan->held <= HELD_MAX)
		ok = read_names(scan, frame, BUFFER_LARGE);
	if (frame->names.starts && frame->names.n > 1)
		qsort_r(frame->names.starts, frame->names.n, sizeof(frame->names.starts[0]),
		        in_order, frame->names.text);
	return ok;
}

/* One step of the innermost directory. False ends the scan. */
static bool step(struct scan *scan)
{
	struct frame *frame = &scan->frames[scan->n_frames - 1];

	if (frame->at < frame->names.n)
		return look_at_name(
		        scan, frame, frame->names.text + frame->names.starts[frame->at++]);
	if (frame->read)
		return pop_frame(scan);
	if (!fill(scan, frame))
		return false;
	return scan->walk->hungry == 0 || flush(scan);
}

/* Where the walk begins: a directory, or one file. */
static bool begin(struct scan *scan)
{
	const char *prefix = scan->options->prefix ?: "/";
	_cleanup_close_ int fd = -1;
	struct look look;
	size_t n = strlen(prefix);
	int r;

	if (prefix[0] != '/' || n >= ENTRY_PATH_MAX)
		return fail(scan, n >= ENTRY_PATH_MAX ? -ENAMETOOLONG : -EINVAL);
	memcpy(scan->path, prefix, n + 1);
	while (n > 0 && scan->path[n - 1] == '/')
		scan->path[--n] = '\0';
	fd = beneath_open(scan->options->root_fd, scan->path, O_PATH);
	r = fd < 0 ? fd : look_at(fd, "", &look);
	if (r < 0)
		return fail(scan, r);
	if (!S_ISDIR(look.mode))
		return add_file(scan, fd, "", filesystem_kind_of(fd) == FILESYSTEM_LOCAL, &look) &&
		       flush(scan);
	cleanup_closep(&fd);
	fd = beneath_open(scan->options->root_fd, scan->path, DIR_FLAGS);
	if (fd < 0)
		return fail(scan, fd);
	return enter_fd(scan, TAKE_FD(fd), NULL) && flush(scan);
}

void *walk_scan_thread(void *walk)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	bool more;

	if (!scan) {
		walk_end_scan(walk, -ENOMEM);
		return NULL;
	}
	scan->walk = walk;
	scan->options = scan->walk->options;
	jobs_init(&scan->batch);
	more = begin(scan);
	while (more && scan->n_frames > 0)
		more = step(scan);
	if (scan->error == 0)
		(void)flush(scan);
	jobs_clear(&scan->batch);
	while (scan->n_frames > 0)
		close_frame(scan, &scan->frames[--scan->n_frames]);
	free(scan->frames);
	walk_end_scan(walk, scan->error);
	free(scan);
	return NULL;
}
