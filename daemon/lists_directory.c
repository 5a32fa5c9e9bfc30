/*
 * An event says that something has happened to a name; what is there now is the truth, so that each
 * name is looked at once, however many events of a batch are about it. A list knows the file that
 * it came from by its source, `directory:NAME`.
 */
#include "daemon/lists_directory.h"

#include "allowlists/install.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "core/text.h"
#include "daemon/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOURCE_PREFIX "directory:"
#define EVENTS_SIZE   (64u * 1024u) /* bytes of one read(2): some hundred events */
#define NAMES_MAX     4096u         /* looked at, at a time: four times what can be installed */

#define WATCHED                                                                                    \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF |   \
	        IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)

struct lists_directory {
	struct lists_directory_context context;
	struct store *store; /* opened when it is first wanted */
	int notify, watch;   /* inotify's descriptor, and its name for the directory; -1 none */
	int dirfd;           /* -1: not watched */
	struct lists_told *told;
	_Atomic bool ending;
};

/* Names to be looked at, each once, sorted. */
struct names {
	char **items;
	size_t n, room;
	bool all; /* too many, or events were lost: everything */
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
}

int lists_directory_new(
        const struct lists_directory_context *context, struct lists_directory **ret_directory)
{
	struct lists_directory *d = calloc(1, sizeof(*d));
	int r = 0;

	if (!d)
		return -ENOMEM;
	d->context = *context;
	d->watch = d->dirfd = -1;
	d->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (d->notify < 0)
		r = -errno;
	if (r == 0)
		r = lists_told_new(&d->told);
	if (r == 0)
		*ret_directory = TAKE_PTR(d);
	lists_directory_free(d);
	return r;
}

void lists_directory_free(struct lists_directory *d)
{
	if (!d)
		return;
	lists_told_free(d->told);
	cleanup_closep(&d->notify);
	cleanup_closep(&d->dirfd);
	store_free(d->store);
	free(d);
}

void lists_directory_end(struct lists_directory *d)
{
	d->ending = true;
}

int lists_directory_fd(const struct lists_directory *d)
{
	return d->notify;
}

struct store *lists_directory_store(struct lists_directory *d)
{
	int r;

	if (d->store)
		return d->store;
	r = store_open(d->context.state_dir, STORE_READ_WRITE, &d->store);
	if (r != 0) {
		d->store = NULL;
		log_error("allowlists: %s/baseline.db cannot be opened: %s", d->context.state_dir,
		        r < 0 ? strerror(-r) : "it is corrupt, busy or full");
	}
	return d->store;
}

static void refuse(
        struct lists_directory *d, const char *name, const char *reason, const char *detail)
{
	_cleanup_free_ char *shown = text_for_terminal(name), *why = text_for_terminal(detail);

	log_warning("allowlists: %s: REFUSED (%s): %s", shown ?: "a file", reason, why ?: "");
	lists_told_refuse(d->told, name, reason, why);
}

int lists_directory_report(struct lists_directory *d, struct lists_report *ret_report)
{
	return lists_told_report(d->told, ret_report);
}

/*
 * Names.
 */
static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && !strcmp(name + n - m, suffix);
}

/* Hidden ones are what editors and copying programs leave until they are done. */
static bool is_list_name(const char *name)
{
	return name[0] != '.' && (has_suffix(name, ".dsse") || has_suffix(name, ".json"));
}

/* It becomes a list's source, which is shown, and compared. */
static bool is_plain(const char *name)
{
	for (const char *p = name; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return true;
}

static void names_add(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->items[i], name))
			return;
	if (names->n >= NAMES_MAX) {
		names->all = true;
		return;
	}
	if (names->n == names->room) {
		size_t room = names->room ? names->room * 2 : 16;
		char **grown = reallocarray(names->items, room, sizeof(*grown));

		if (!grown) {
			names->all = true;
			return;
		}
		names->items = grown;
		names->room = room;
	}
	names->items[names->n] = strdup(name);
	if (names->items[names->n])
		names->n++;
	else
		names->all = true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_have(const struct names *names, const char *name)
{
	return names->n > 0 &&
	       bsearch(&name, names->items, names->n, sizeof(names->items[0]), compare_names);
}

/*
 * Removing.
 */
struct sweep {
	const struct names *present; /* of every file; NULL: only @name is asked about */
	const char *name;
	const char *but_series; /* which stays; NULL: none */
	int64_t ids[ALLOWLISTS_MAX];
	size_t n;
};

static int sweep_one(const struct allowlist_info *info, void *userdata)
{
	struct sweep *sweep = userdata;
	const char *name = info->source ?: "";
	bool goes;

	if (strncmp(name, SOURCE_PREFIX, strlen(SOURCE_PREFIX)) != 0)
		return 0;
	name += strlen(SOURCE_PREFIX);
	goes = sweep->present ? !names_have(sweep->present, name) : !strcmp(sweep->name, name);
	if (goes && sweep->but_series && !strcmp(sweep->but_series, info->statement.series))
		goes = false;
	if (goes && sweep->n < ALLOWLISTS_MAX)
		sweep->ids[sweep->n++] = info->id;
	return 0;
}

/* True when lists were removed. */
static bool remove_lists(struct lists_directory *d, struct sweep *sweep)
{
	struct store *store = lists_directory_store(d);
	bool removed = false;
	int r;

	if (!store)
		return false;
	r = store_allowlists(store, sweep_one, sweep);
	for (size_t i = 0; i < sweep->n && r == 0; i++) {
		r = store_allowlist_remove(
		        store, sweep->ids[i], 0, clock_realtime_ns(), "its file is gone");
		removed = removed || r == 0;
		if (r == STORE_E_NOTFOUND)
			r = 0;
	}
	if (r != 0)
		log_error("allowlists: what is gone from the directory cannot be removed: %s",
		        store_error(store));
	return removed;
}

static bool remove_of(struct lists_directory *d, const char *name, const char *but_series)
{
	struct sweep sweep = {.name = name, .but_series = but_series};
	_cleanup_free_ char *shown = text_for_terminal(name);
	bool removed = remove_lists(d, &sweep);

	if (removed)
		log_notice("allowlists: %s: removed, since %s", shown ?: "a file",
		        but_series ? "the file holds another series now" : "the file is gone");
	return removed;
}

/*
 * Installing.
 */
static bool installed(
        struct lists_directory *d, const char *name, const struct install_result *result)
{
	const struct statement *s = &result->info.statement;
	_cleanup_free_ char *series = text_for_terminal(s->series ?: "");
	char expires[STATEMENT_TIME_SIZE] = "?";
	bool accepted = result->reason == ALLOWLIST_ACCEPTED;

	lists_told_accept(d->told, name);
	(void)statement_time_print(s->expires_ns, expires);
	if (accepted)
		log_notice("allowlists: %s: installed: series %s, version %llu, %llu entries, "
		           "until %s",
		        name, series ?: "?", (unsigned long long)s->version,
		        (unsigned long long)result->info.subjects, expires);
	return (s->series && remove_of(d, name, s->series)) || accepted;
}

static const char *failure_text(int r)
{
	switch (r) {
	case -EPROTO:
		return "the process that reads it has died";
	case -ETIMEDOUT:
		return "it took too long to read it";
	case -EPERM:
		return "the process that reads it could not give up its rights";
	default:
		return r < 0 ? strerrordesc_np(-r) ?: "unknown error"
		             : "the database cannot be used";
	}
}

static bool install(struct lists_directory *d, const char *name, int fd)
{
	_cleanup_(install_result_done) struct install_result result = {0};
	struct ruling *ruling = rulings_get(d->context.rulings);
	struct store *store = lists_directory_store(d);
	_cleanup_free_ char *source = NULL, *detail = NULL;
	struct install_request request = {0};
	struct allowlists_terms terms;
	bool changed = false;
	int r = -ENOMEM;

	ruling_terms(ruling, clock_realtime_ns(), &terms);
	if (asprintf(&source, SOURCE_PREFIX "%s", name) < 0)
		source = NULL;
	request = (struct install_request){
	        .trust = terms.trust,
	        .keys_dir = ruling_config(ruling)->keys_dir,
	        .threshold = terms.threshold,
	        .limits = terms.limits,
	        .source = source,
	};
	if (!terms.trust)
		refuse(d, name, allowlist_reason_name(ALLOWLIST_NO_KEYS),
		        allowlist_reason_text(ALLOWLIST_NO_KEYS));
	else if (source && store)
		r = allowlist_install(store, d->context.reader, fd, &request, false, &result);
	if (terms.trust && r != 0) {
		refuse(d, name, "failed", failure_text(r));
	} else if (r == 0 && allowlist_is_good(result.reason)) {
		changed = installed(d, name, &result);
	} else if (r == 0) {
		if (asprintf(&detail, "%s%s%s", install_result_text(&result),
		            result.fault ? ": " : "", result.fault ?: "") < 0)
			detail = NULL;
		refuse(d, name, install_result_reason(&result), detail);
	}
	ruling_unref(ruling);
	return changed;
}

static int open_in(const struct lists_directory *d, const char *name)
{
	return openat(d->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* What is under the name now. */
static bool look_at(struct lists_directory *d, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!is_list_name(name))
		return false;
	if (!is_plain(name)) {
		refuse(d, name, "unsafe", "its name is not printable ASCII: rename it");
		return false;
	}
	/* Asked first: opening a device or a FIFO does something. */
	if (fstatat(d->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		lists_told_accept(d->told, name);
		return errno == ENOENT && remove_of(d, name, NULL);
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(d, name, "unsafe",
		        S_ISLNK(st.st_mode) ? "is a symlink: put the file itself there"
		                            : "is no regular file");
		return false;
	}
	fd = open_in(d, name);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		refuse(d, name, "unreadable", fd < 0 ? strerror(errno) : "is no regular file");
		return false;
	}
	return install(d, name, fd);
}

/*
 * The directory.
 */
static int open_real(const char *path)
{
	struct open_how how = {
	        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, /* since Linux 5.6 */
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

__attribute__((format(printf, 1, 2))) static char *format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = strdup("out of memory");
	va_end(args);
	return text;
}

/* NULL, or why it may not be used. */
static char *check_directory(int fd)
{
	struct stat st;

	if (fd == -ENOENT)
		return strdup("it does not exist; create it, then execward reload");
	if (fd == -ELOOP)
		return strdup("a symlink leads to it: name the real path");
	if (fd < 0 || fstat(fd, &st) < 0)
		return format("%s", strerror(fd < 0 ? -fd : errno));
	if (st.st_uid != 0)
		return format("it belongs to user %u: chown it to root", st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return format("it can be written by others (mode %04o): chmod go-w it",
		        st.st_mode & 07777);
	return NULL;
}

static void unwatch(struct lists_directory *d)
{
	if (d->watch >= 0)
		(void)inotify_rm_watch(d->notify, d->watch);
	d->watch = -1;
	cleanup_closep(&d->dirfd);
	d->dirfd = -1;
}

/* By the descriptor that was checked, whatever the path leads to by now. */
static int watch_fd(struct lists_directory *d, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	d->watch = inotify_add_watch(d->notify, path, WATCHED);
	return d->watch < 0 ? -errno : 0;
}

/* True when it may be told what is there: the directory is open, or there is none. */
static bool open_directory(struct lists_directory *d)
{
	struct ruling *ruling = rulings_get(d->context.rulings);
	const char *path = ruling_config(ruling)->allowlists_dir;
	int fd = -ENOENT, r;
	char *fault = NULL;
	bool gone;

	unwatch(d);
	if (!d->context.reader)
		fault = strdup("the process that reads lists could not be started");
	else
		fd = open_real(path);
	gone = !fault && fd == -ENOENT;
	if (!fault)
		fault = check_directory(fd);
	if (!fault && (r = watch_fd(d, fd)) < 0)
		fault = format(
		        "%s%s", strerror(-r), r == -ENOSPC ? " (fs.inotify.max_user_watches)" : "");
	if (!fault)
		d->dirfd = fd;
	else if (fd >= 0)
		close(fd);
	if (lists_told_set(d->told, path, fault))
		log_warning("trust.allowlists_dir: %s: not watched: %s", path, fault);
	ruling_unref(ruling);
	return d->dirfd >= 0 || gone;
}

/* The names of lists, sorted. False when they cannot be read, or are too many to be told. */
static bool read_names(const struct lists_directory *d, struct names *names)
{
	int copy = d->dirfd >= 0 ? openat(d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_closedir_ DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;

	if (d->dirfd < 0)
		return true;
	if (!dir) {
		cleanup_closep(&copy);
		return false;
	}
	while ((entry = readdir(dir)))
		if (is_list_name(entry->d_name))
			names_add(names, entry->d_name);
	if (names->n > 1)
		qsort(names->items, names->n, sizeof(names->items[0]), compare_names);
	return !names->all;
}

static bool is_there(const char *name, const void *userdata)
{
	return names_have(userdata, name);
}

bool lists_directory_look(struct lists_directory *d)
{
	_cleanup_(names_done) struct names names = {0};
	struct sweep *sweep;
	bool changed = false;

	if (!open_directory(d))
		return false;
	if (!read_names(d, &names)) {
		log_error("trust.allowlists_dir: has more than %u lists, or cannot be read: "
		          "none of them is looked at",
		        NAMES_MAX);
		return false;
	}
	lists_told_keep(d->told, is_there, &names);
	sweep = calloc(1, sizeof(*sweep));
	if (sweep) {
		sweep->present = &names;
		changed = remove_lists(d, sweep);
		if (changed)
			log_notice("allowlists: those whose file is gone were removed");
	}
	free(sweep);
	for (size_t i = 0; i < names.n && !d->ending; i++)
		changed = look_at(d, names.items[i]) || changed;
	return changed;
}

/* A file that was only created will be closed; a link is there as it is. */
static bool is_complete(const struct lists_directory *d, const struct inotify_event *event)
{
	struct stat st;

	if (!(event->mask & IN_CREATE))
		return !(event->mask & IN_ATTRIB);
	return fstatat(d->dirfd, event->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	       !S_ISREG(st.st_mode) || st.st_nlink > 1;
}

static void take_event(
        const struct lists_directory *d, const struct inotify_event *event, struct names *names)
{
	if (event->mask & IN_Q_OVERFLOW)
		names->all = true;
	/* Of a watch that was taken away: its last words. */
	if (event->wd != d->watch)
		return;
	/* Moved, deleted, or with other rights: is it still the one that the path leads to? */
	if (event->len == 0)
		names->all = true;
	else if (is_list_name(event->name) && is_complete(d, event))
		names_add(names, event->name);
}

bool lists_directory_read(struct lists_directory *d)
{
	_cleanup_(names_done) struct names names = {0};
	_cleanup_free_ char *buffer = aligned_alloc(__alignof__(struct inotify_event), EVENTS_SIZE);
	bool changed = false;
	ssize_t n;

	while (buffer && (n = read(d->notify, buffer, EVENTS_SIZE)) > 0) {
		for (const char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const void *)at;

			take_event(d, event, &names);
			at += sizeof(*event) + event->len;
		}
	}
	if (names.all)
		return lists_directory_look(d);
	for (size_t i = 0; i < names.n && d->dirfd >= 0 && !d->ending; i++)
		changed = look_at(d, names.items[i]) || changed;
	return changed;
}
