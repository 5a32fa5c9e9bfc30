/*
 * rpm: its database is asked through its own library, found at run time, so that a host without it
 * needs none. It keeps SHA-256, modes, owners and link targets, which are compared here; of
 * capabilities it has a text, which is not.
 *
 * The library reads the database of the tree that is looked at, in this process: rpm is as exposed
 * to such a tree as `rpm --root` is.
 */
#include "snapshot/beneath.h"
#include "snapshot/packages_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* rpm/rpmtag.h, rpm/rpmpgp.h, rpm/rpmlog.h; the same in 4.14 to 4.20. */
#define TAG_BASENAMES      1117
#define TAG_NEVRA          5016
#define INDEX_PACKAGES     0
#define INDEX_NAME         1000 /* RPMDBI_NAME */
#define INDEX_FILENAMES    5040 /* RPMDBI_INSTFILENAMES */
#define HASH_MD5           1
#define HASH_SHA256        8
#define LOG_UP_TO_CRITICAL 7
#define MACRO_LEVEL        (-7)  /* RMIL_CMDLINE of rpm/rpmmacro.h: above what files define */
#define ROOT_MAX           4096u /* bytes of the root's path */

struct rpm {
	int (*rpmReadConfigFiles)(const char *file, const char *target);
	int (*rpmDefineMacro)(void *context, const char *macro, int level);
	int (*rpmlogSetMask)(int mask);
	void *(*rpmtsCreate)(void);
	void *(*rpmtsFree)(void *ts);
	int (*rpmtsSetRootDir)(void *ts, const char *root);
	int (*rpmtsOpenDB)(void *ts, int mode);
	void *(*rpmtsInitIterator)(const void *ts, int tag, const void *key, size_t size);
	void *(*rpmdbNextIterator)(void *iterator);
	void *(*rpmdbFreeIterator)(void *iterator);
	char *(*headerGetAsString)(void *header, int tag);
	void *(*rpmfilesNew)(void *pool, void *header, int tag, int flags);
	void *(*rpmfilesFree)(void *files);
	int (*rpmfilesFindFN)(void *files, const char *path);
	int (*rpmfilesFC)(void *files);
	char *(*rpmfilesFN)(void *files, int i);
	uint16_t (*rpmfilesFMode)(void *files, int i);
	const unsigned char *(*rpmfilesFDigest)(void *files, int i, int *algorithm, size_t *size);
	const char *(*rpmfilesFLink)(void *files, int i);
	const char *(*rpmfilesFUser)(void *files, int i);
	const char *(*rpmfilesFGroup)(void *files, int i);
};

#define SYMBOL(name)                                                                               \
	{                                                                                          \
#name, offsetof(struct rpm, name)                                                  \
	}

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
        SYMBOL(rpmReadConfigFiles),
        SYMBOL(rpmDefineMacro),
        SYMBOL(rpmlogSetMask),
        SYMBOL(rpmtsCreate),
        SYMBOL(rpmtsFree),
        SYMBOL(rpmtsSetRootDir),
        SYMBOL(rpmtsOpenDB),
        SYMBOL(rpmtsInitIterator),
        SYMBOL(rpmdbNextIterator),
        SYMBOL(rpmdbFreeIterator),
        SYMBOL(headerGetAsString),
        SYMBOL(rpmfilesNew),
        SYMBOL(rpmfilesFree),
        SYMBOL(rpmfilesFindFN),
        SYMBOL(rpmfilesFC),
        SYMBOL(rpmfilesFN),
        SYMBOL(rpmfilesFMode),
        SYMBOL(rpmfilesFDigest),
        SYMBOL(rpmfilesFLink),
        SYMBOL(rpmfilesFUser),
        SYMBOL(rpmfilesFGroup),
};

/* The library stays loaded: it has state that it tears down when the process ends. */
static bool load(struct rpm *ret_rpm)
{
	static const char *const libraries[] = {"librpm.so.10", "librpm.so.9"};
	void *library = NULL;

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && !library; i++)
		library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = dlsym(library, symbols[i].name);

		if (!symbol)
			return false;
		memcpy((char *)ret_rpm + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return library != NULL;
}

/* Which way the tree has it: where the database is depends on the tree, not on this host. */
static const char *database_of(int root_fd)
{
	static const char *const places[] = {"/usr/lib/sysimage/rpm", "/var/lib/rpm"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		_cleanup_close_ int fd = beneath_open(root_fd, places[i], O_PATH | O_DIRECTORY);

		if (fd >= 0)
			return places[i];
	}
	return NULL;
}

/*
 * One file of one package.
 */
static bool is_content(const struct packages_query *query, const struct entry *now,
        const unsigned char *digest, int algorithm, size_t size)
{
	uint8_t md5[MD5_SIZE];

	if (!digest || now->content != CONTENT_KNOWN)
		return false;
	if (algorithm == HASH_SHA256 && size == DIGEST_SIZE)
		return !memcmp(now->digest.bytes, digest, DIGEST_SIZE);
	return algorithm == HASH_MD5 && size == MD5_SIZE &&
	       packages_md5(query->root_fd, now, md5) && !memcmp(md5, digest, MD5_SIZE);
}

/* Names of other users than root mean something only inside the tree: they are not believed. */
static bool is_owner(const char *name, uint32_t id)
{
	return name && !strcmp(name, "root") && id == 0;
}

static bool is_same(const struct packages_query *query, const struct rpm *rpm, void *files, int i,
        const struct difference *difference)
{
	const struct entry *now = &difference->now;
	const char *target = rpm->rpmfilesFLink(files, i);
	size_t size = 0;
	int algorithm = 0;
	const unsigned char *digest = rpm->rpmfilesFDigest(files, i, &algorithm, &size);

	if (difference->alarms & (ALARM_CAPABILITY | ALARM_HIDDEN) ||
	        difference->changes & (ENTRY_CHANGED_CAPS | ENTRY_CHANGED_IMA) ||
	        !is_owner(rpm->rpmfilesFUser(files, i), now->uid) ||
	        !is_owner(rpm->rpmfilesFGroup(files, i), now->gid))
		return false;
	if (now->type == ENTRY_SYMLINK)
		return target && now->target && !strcmp(target, now->target);
	if ((rpm->rpmfilesFMode(files, i) & 07777) != now->mode)
		return false;
	return now->type == ENTRY_DIRECTORY ||
	       (now->type == ENTRY_FILE && is_content(query, now, digest, algorithm, size));
}

static int say_file(struct packages_query *query, const struct rpm *rpm, void *header,
        struct difference *difference)
{
	_cleanup_free_ char *label = rpm->headerGetAsString(header, TAG_NEVRA);
	void *files = rpm->rpmfilesNew(NULL, header, TAG_BASENAMES, 0);
	int i = files ? rpm->rpmfilesFindFN(files, difference_path(difference)) : -1, r = 0;

	if (i >= 0 && label && difference->kind == DIFFERENCE_REMOVED)
		r = packages_say(difference, label, "is gone, and the package has it", false);
	else if (i >= 0 && label && is_same(query, rpm, files, i, difference))
		r = packages_say(difference, label, "as the package has it", true);
	else if (i >= 0 && label)
		r = packages_say(difference, label, "is not as the package has it", false);
	rpm->rpmfilesFree(files);
	return r;
}

static int ask(struct packages_query *query, const struct rpm *rpm, void *ts,
        struct difference *difference)
{
	const char *path = difference_path(difference);
	void *found = rpm->rpmtsInitIterator(ts, INDEX_FILENAMES, path, strlen(path)), *header;
	bool accounted = difference->accounted;
	int r = 0;

	while (found && r == 0 && (header = rpm->rpmdbNextIterator(found)) != NULL)
		r = say_file(query, rpm, header, difference);
	rpm->rpmdbFreeIterator(found);
	query->report->accounted += difference->accounted && !accounted;
	return r;
}

/*
 * The database.
 */
static int ask_all(struct packages_query *query, const struct rpm *rpm, void *ts)
{
	void *all = rpm->rpmtsInitIterator(ts, INDEX_PACKAGES, NULL, 0);
	int r = 0;

	while (all && rpm->rpmdbNextIterator(all))
		query->report->installed++;
	rpm->rpmdbFreeIterator(all);
	for (size_t i = 0; i < query->n && r == 0; i++)
		r = ask(query, rpm, ts, query->differences[i]);
	return r;
}

static bool root_path(int root_fd, char ret_path[ROOT_MAX])
{
	char name[64];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", root_fd);
	n = readlink(name, ret_path, ROOT_MAX - 1);
	if (n <= 0 || n >= (ssize_t)ROOT_MAX - 1)
		return false;
	ret_path[n] = '\0';
	return ret_path[0] == '/';
}

/* READ with a transaction set to free, or why there is none. */
static enum packages_result open_database(int root_fd, struct rpm *rpm, void **ret_ts)
{
	const char *place = database_of(root_fd);
	char root[ROOT_MAX], macro[64];
	void *ts;

	if (!place)
		return PACKAGES_NONE;
	if (!load(rpm))
		return PACKAGES_NO_LIBRARY;
	(void)rpm->rpmlogSetMask(LOG_UP_TO_CRITICAL);
	if (!root_path(root_fd, root) || rpm->rpmReadConfigFiles(NULL, NULL) != 0)
		return PACKAGES_FAILED;
	(void)snprintf(macro, sizeof(macro), "_dbpath %s", place);
	if (rpm->rpmDefineMacro(NULL, macro, MACRO_LEVEL) != 0)
		return PACKAGES_FAILED;
	ts = rpm->rpmtsCreate();
	if (ts && rpm->rpmtsSetRootDir(ts, root) == 0 && rpm->rpmtsOpenDB(ts, O_RDONLY) == 0) {
		*ret_ts = ts;
		return PACKAGES_READ;
	}
	rpm->rpmtsFree(ts);
	return PACKAGES_FAILED;
}

int packages_rpm(struct packages_query *query)
{
	struct rpm rpm;
	void *ts = NULL;
	int r;

	query->report->result = open_database(query->root_fd, &rpm, &ts);
	if (query->report->result != PACKAGES_READ)
		return 0;
	r = ask_all(query, &rpm, ts);
	rpm.rpmtsFree(ts);
	return r;
}

/*
 * The files of one package.
 */
static int list_files(const struct rpm *rpm, void *header, struct packages_listing *listing)
{
	void *files = rpm->rpmfilesNew(NULL, header, TAG_BASENAMES, 0);
	int n = files ? rpm->rpmfilesFC(files) : 0, r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		_cleanup_free_ char *path = rpm->rpmfilesFN(files, i);

		if (path && entry_path_valid(path))
			r = listing->each(path, listing->userdata);
	}
	rpm->rpmfilesFree(files);
	return r;
}

enum packages_result packages_rpm_files(struct packages_listing *listing, int *ret_r)
{
	enum packages_result result;
	struct rpm rpm;
	void *ts = NULL, *found, *header;

	result = open_database(listing->root_fd, &rpm, &ts);
	if (result != PACKAGES_READ)
		return result;
	found = rpm.rpmtsInitIterator(ts, INDEX_NAME, listing->name, 0);
	while (found && *ret_r == 0 && (header = rpm.rpmdbNextIterator(found)) != NULL) {
		listing->found++;
		*ret_r = list_files(&rpm, header, listing);
	}
	rpm.rpmdbFreeIterator(found);
	rpm.rpmtsFree(ts);
	return result;
}
