/*
 * dpkg: which installed package lists a path, and whether the content there is the one that it
 * shipped. Every list is read once, and the sums of those packages that list a difference.
 */
#include "core/passwd.h"
#include "base/file.h"
#include "snapshot/beneath.h"
#include "snapshot/packages_internal.h"
#include "snapshot/packages_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE  "/var/lib/dpkg"
#define LABEL_MAX 512u /* bytes of "name version" */

/* What dpkg has no words for, when it is new. */
#define NOT_RECORDED (ALARM_SETUID | ALARM_CAPABILITY | ALARM_WRITABLE)

struct text {
	char *data;
	size_t size;
};

struct dpkg {
	struct packages_query *query;
	int info_fd;
	struct text status, overrides, diversions, passwd, group;
	struct dpkg_paths paths;

	/* The package at hand. */
	const struct dpkg_package *package;
	char label[LABEL_MAX];
	uint64_t hits; /* differences that it lists */
	int error;     /* the first, of memory */
};

static void dpkg_done(struct dpkg *dpkg)
{
	cleanup_closep(&dpkg->info_fd);
	free(dpkg->status.data);
	free(dpkg->overrides.data);
	free(dpkg->diversions.data);
	free(dpkg->passwd.data);
	free(dpkg->group.data);
	dpkg_paths_done(&dpkg->paths);
}

static struct slice slice_of(const struct text *text)
{
	return (struct slice){text->data, text->data ? text->size : 0};
}

/* A missing file is an empty one. 0 or -errno. */
static int read_text(int dirfd, const char *name, struct text *ret_text)
{
	int r = file_read_at(dirfd, name, PACKAGES_FILE_MAX, &ret_text->data, &ret_text->size);

	return r == -ENOENT ? 0 : r;
}

static void say(
        struct dpkg *dpkg, struct difference *difference, const char *remark, bool accounted)
{
	int r = packages_say(difference, dpkg->label, remark, accounted);

	if (r < 0 && dpkg->error == 0)
		dpkg->error = r;
}

/*
 * What the administrator has told dpkg.
 */
static bool is_name_of(const struct text *text, const struct slice *name, uint32_t id)
{
	_cleanup_free_ char *found = NULL;

	if (slice_is(name, "root"))
		return id == 0;
	found = text->data ? passwd_find(text->data, text->size, id) : NULL;
	return found && slice_is(name, found);
}

static bool is_overridden(const struct dpkg *dpkg, const struct entry *now)
{
	static const struct slice nobody = {"", 0};
	struct slice text = slice_of(&dpkg->overrides), line;
	char path[ENTRY_PATH_MAX + 1];
	struct dpkg_override o;
	size_t at = 0;

	while (dpkg_line(&text, &at, &line)) {
		if (!dpkg_override(&line, &o) || !dpkg_path(&dpkg->paths, &nobody, &o.path, path) ||
		        strcmp(path, now->path) != 0)
			continue;
		return o.mode == now->mode && is_name_of(&dpkg->passwd, &o.user, now->uid) &&
		       is_name_of(&dpkg->group, &o.group, now->gid);
	}
	return false;
}

/* True when nothing is left that content alone does not explain. */
static bool is_content_enough(const struct dpkg *dpkg, const struct difference *difference)
{
	unsigned int beyond = packages_beyond_content(difference), alarms = 0;

	if (difference->alarms & ALARM_HIDDEN)
		return false;
	if (difference->kind == DIFFERENCE_ADDED)
		alarms = difference->alarms & NOT_RECORDED;
	if ((beyond | alarms) == 0)
		return true;
	if (beyond & ~(unsigned int)(ENTRY_CHANGED_MODE | ENTRY_CHANGED_OWNER) ||
	        alarms & ALARM_CAPABILITY)
		return false;
	return is_overridden(dpkg, &difference->now);
}

static bool is_new_content(const struct difference *difference)
{
	return difference->now.type == ENTRY_FILE &&
	       (difference->kind == DIFFERENCE_ADDED ||
	               (difference->kind == DIFFERENCE_CHANGED &&
	                       difference->changes & ENTRY_CHANGED_CONTENT));
}

/*
 * The package's files.
 */
static struct difference *find(struct dpkg *dpkg, const struct slice *path)
{
	char disk[ENTRY_PATH_MAX + 1];

	return dpkg_path(&dpkg->paths, &dpkg->package->name, path, disk)
	               ? packages_find(dpkg->query, disk)
	               : NULL;
}

static void check_sum(
        struct dpkg *dpkg, const struct slice *path, const uint8_t md5[MD5_SIZE], const char *kind)
{
	struct difference *difference = find(dpkg, path);
	uint8_t now[MD5_SIZE];
	char remark[160];
	bool enough;

	if (!difference || difference->accounted || !is_new_content(difference))
		return;
	if (!packages_md5(dpkg->query->root_fd, &difference->now, now)) {
		say(dpkg, difference, "could not be read again as it was compared", false);
		return;
	}
	if (memcmp(now, md5, MD5_SIZE) != 0) {
		(void)snprintf(
		        remark, sizeof(remark), "its content is not the %s of the package", kind);
		say(dpkg, difference, remark, false);
		return;
	}
	enough = is_content_enough(dpkg, difference);
	(void)snprintf(remark, sizeof(remark), "content of the package's %s (by MD5)%s", kind,
	        enough ? "" : "; dpkg does not account for the rest");
	say(dpkg, difference, remark, enough);
}

static void check_sums(struct dpkg *dpkg, const struct slice *text)
{
	uint8_t md5[MD5_SIZE];
	struct slice line, path;
	size_t at = 0;

	while (dpkg_line(text, &at, &line))
		if (dpkg_md5sum(&line, &path, md5))
			check_sum(dpkg, &path, md5, "file");
	at = 0;
	while (dpkg_line(&dpkg->package->conffiles, &at, &line))
		if (dpkg_conffile(&line, &path, md5))
			check_sum(dpkg, &path, md5, "configuration file");
}

static void count_hit(struct dpkg *dpkg, struct difference *difference)
{
	(void)difference;
	dpkg->hits++;
}

/* What the list alone tells, after the sums have spoken. */
static void say_listed(struct dpkg *dpkg, struct difference *difference)
{
	bool enough;

	if (difference->accounted || difference->remark)
		return;
	if (difference->kind == DIFFERENCE_REMOVED) {
		say(dpkg, difference, "is gone, and the package has it", false);
		return;
	}
	if (is_new_content(difference)) {
		say(dpkg, difference, "the package lists it without a sum", false);
		return;
	}
	enough = difference->now.type == ENTRY_DIRECTORY && is_content_enough(dpkg, difference);
	if (difference->now.type == ENTRY_FILE)
		enough = is_content_enough(dpkg, difference);
	say(dpkg, difference,
	        enough ? "as the package or dpkg-statoverride has it"
	               : "of the package; dpkg records no such thing",
	        enough);
}

static void each_listed(struct dpkg *dpkg, const struct slice *list,
        void (*fn)(struct dpkg *dpkg, struct difference *difference))
{
	struct slice line;
	size_t at = 0;

	while (dpkg_line(list, &at, &line)) {
		struct difference *difference = find(dpkg, &line);

		if (difference)
			fn(dpkg, difference);
	}
}

/* "NAME.list", or "NAME:ARCH.list" where several architectures of it may be installed. */
static int read_info(const struct dpkg *dpkg, const char *suffix, struct text *ret_text)
{
	const struct dpkg_package *p = dpkg->package;
	char name[512];
	int r;

	(void)snprintf(name, sizeof(name), "%.*s:%.*s.%s", (int)p->name.size, p->name.data,
	        (int)p->arch.size, p->arch.data, suffix);
	r = read_text(dpkg->info_fd, name, ret_text);
	if (r != 0 || ret_text->data)
		return r;
	(void)snprintf(name, sizeof(name), "%.*s.%s", (int)p->name.size, p->name.data, suffix);
	return read_text(dpkg->info_fd, name, ret_text);
}

/* A list that cannot be read accounts for nothing: that is seen in the report. 0 or -errno. */
static int ask_package(struct dpkg *dpkg, const struct dpkg_package *package)
{
	struct text list = {0}, sums = {0};
	struct slice lines, lines_of_sums;
	int r;

	dpkg->package = package;
	dpkg->hits = 0;
	(void)snprintf(dpkg->label, sizeof(dpkg->label), "%.*s %.*s", (int)package->name.size,
	        package->name.data,
	        (int)(package->version.size < 256 ? package->version.size : 256),
	        package->version.data ?: "");
	r = read_info(dpkg, "list", &list);
	lines = slice_of(&list);
	if (r == 0)
		each_listed(dpkg, &lines, count_hit);
	if (r == 0 && dpkg->hits > 0) {
		r = read_info(dpkg, "md5sums", &sums);
		lines_of_sums = slice_of(&sums);
		check_sums(dpkg, &lines_of_sums);
		each_listed(dpkg, &lines, say_listed);
	}
	free(list.data);
	free(sums.data);
	return r;
}

/*
 * The database.
 */
static int open_database(struct dpkg *dpkg)
{
	int root_fd = dpkg->query->root_fd, r;
	_cleanup_close_ int dir = beneath_open(root_fd, DATABASE, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return dir;
	r = file_read_at(dir, "status", PACKAGES_FILE_MAX, &dpkg->status.data, &dpkg->status.size);
	if (r < 0)
		return r;
	dpkg->info_fd = beneath_open_name(dir, "info", O_RDONLY | O_DIRECTORY);
	if (dpkg->info_fd < 0)
		return dpkg->info_fd;
	r = read_text(dir, "statoverride", &dpkg->overrides);
	return r == 0 ? read_text(dir, "diversions", &dpkg->diversions) : r;
}

/* Names of users and groups are a courtesy: without them no override is believed. */
static void read_names(struct dpkg *dpkg)
{
	_cleanup_close_ int etc =
	        beneath_open(dpkg->query->root_fd, "/etc", O_RDONLY | O_DIRECTORY);

	if (etc < 0)
		return;
	(void)read_text(etc, "passwd", &dpkg->passwd);
	(void)read_text(etc, "group", &dpkg->group);
}

static int ask_all(struct dpkg *dpkg)
{
	struct slice status = slice_of(&dpkg->status), diversions = slice_of(&dpkg->diversions);
	struct packages_report *report = dpkg->query->report;
	struct dpkg_package package;
	size_t at = 0;
	int r = dpkg_paths_init(dpkg->query->root_fd, &diversions, &dpkg->paths);

	while (r == 0 && dpkg->error == 0 && dpkg_package(&status, &at, &package)) {
		if (!package.installed)
			continue;
		report->installed++;
		r = ask_package(dpkg, &package);
		if (r < 0 && r != -ENOMEM) {
			report->result = PACKAGES_FAILED;
			report->error = -r;
			r = 0;
		}
	}
	return r != 0 ? r : dpkg->error;
}

int packages_dpkg(struct packages_query *query)
{
	_cleanup_(dpkg_done) struct dpkg dpkg = {.query = query, .info_fd = -1};
	struct packages_report *report = query->report;
	int r = open_database(&dpkg);

	if (r == -ENOMEM)
		return r;
	report->result = r == 0 ? PACKAGES_READ : PACKAGES_FAILED;
	report->error = -r;
	if (r == -ENOENT)
		*report = (struct packages_report){
		        .manager = report->manager, .result = PACKAGES_NONE};
	if (r < 0)
		return 0;
	read_names(&dpkg);
	r = ask_all(&dpkg);
	for (size_t i = 0; i < query->n && r == 0; i++)
		report->accounted += query->differences[i]->accounted;
	return r;
}
