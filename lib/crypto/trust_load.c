/*
 * The directory. Whoever can write one of its files decides what runs, so it is looked at as sshd
 * looks at authorized_keys: owner and mode of the files, of the directory, and of all that is above
 * it; and it is opened once, so that what was checked is what is read.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "core/text.h"
#include "crypto/trust_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMES_MAX   4096 /* entries of a directory; three files a key, and the rest */
#define PARENTS_MAX 256u /* directories above it */

struct load {
	const char *path;
	uid_t owner;
	int dirfd;
	struct trust *trust;
	struct trust_error *error;
};

static void load_done(struct load *load)
{
	cleanup_closep(&load->dirfd);
}

static int __attribute__((format(printf, 4, 5)))
fail(const struct load *load, const char *name, int code, const char *format, ...)
{
	_cleanup_free_ char *path = NULL;
	va_list ap;

	if (asprintf(&path, "%s%s%s", load->path, name ? "/" : "", name ?: "") < 0)
		path = NULL;
	trust_error_done(load->error);
	load->error->path = text_for_terminal(path);
	va_start(ap, format);
	if (vasprintf(&load->error->message, format, ap) < 0)
		load->error->message = NULL;
	va_end(ap);
	return code;
}

/* What openat(2) or openat2(2) said. */
static int fail_open(const struct load *load, const char *name, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return fail(load, name, TRUST_E_MISSING, "does not exist");
	if (error == ELOOP)
		return fail(load, name, TRUST_E_UNSAFE,
		        "a symlink is in the way: name the real path, and put real files there");
	return fail(load, name, -error, "%s", strerror(error));
}

static int open_real(int dirfd, const char *path, uint64_t flags)
{
	struct open_how how = {
	        .flags = flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, /* since Linux 5.6 */
	};

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

static int check_owner(const struct load *load, const char *name, const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != load->owner)
		return fail(load, name, TRUST_E_UNSAFE,
		        "belongs to user %u, who could change whom this host trusts: chown it to "
		        "root",
		        st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH) &&
	        !(S_ISDIR(st->st_mode) && !name && st->st_mode & S_ISVTX))
		return fail(load, name, TRUST_E_UNSAFE,
		        "can be written by others (mode %04o): chmod go-w it", st->st_mode & 07777);
	return 0;
}

/* One above the other up to the root; a sticky directory (/tmp) keeps others off our entries. */
static int check_parents(const struct load *load)
{
	_cleanup_close_ int fd = openat(load->dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat below, st;

	if (fd < 0 || fstat(fd, &below) < 0)
		return fail(load, NULL, -errno, "%s", strerror(errno));
	for (unsigned int i = 0; i < PARENTS_MAX; i++) {
		int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r;

		if (above < 0 || fstat(above, &st) < 0) {
			r = -errno;
			cleanup_closep(&above);
			return fail(load, NULL, r, "its parent: %s", strerror(-r));
		}
		close(fd);
		fd = above;
		if (st.st_ino == below.st_ino && st.st_dev == below.st_dev)
			return 0;
		below = st;
		if (check_owner(load, NULL, &st) != 0)
			return fail(load, NULL, TRUST_E_UNSAFE,
			        "a directory above it belongs to user %u with mode %04o, so that "
			        "it "
			        "could be replaced: chown it to root, and chmod go-w it",
			        st.st_uid, st.st_mode & 07777);
	}
	return fail(load, NULL, -ELOOP, "nested too deep");
}

static int open_directory(struct load *load)
{
	struct stat st;
	int r;

	load->dirfd = open_real(AT_FDCWD, load->path, O_DIRECTORY);
	if (load->dirfd < 0)
		return fail_open(load, NULL, errno);
	if (fstat(load->dirfd, &st) < 0)
		return fail(load, NULL, -errno, "%s", strerror(errno));
	/* Its own sticky bit would not keep others from adding a file. */
	st.st_mode &= ~(mode_t)S_ISVTX;
	r = check_owner(load, NULL, &st);
	return r == 0 ? check_parents(load) : r;
}

/* The content of a file of the directory, checked on the descriptor that it is read from. */
static int read_checked(
        const struct load *load, const char *name, size_t max, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = open_real(load->dirfd, name, O_NOFOLLOW);
	struct stat st;
	int r;

	if (fd < 0)
		return fail_open(load, name, errno);
	if (fstat(fd, &st) < 0)
		return fail(load, name, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(load, name, TRUST_E_FORMAT, "is no regular file");
	r = check_owner(load, name, &st);
	if (r != 0)
		return r;
	if ((uint64_t)st.st_size > max)
		return fail(load, name, TRUST_E_FORMAT, "is larger than %zu bytes", max);
	r = file_read_fd(fd, max, ret_text, ret_size);
	return r < 0 ? fail(load, name, r, "%s", strerror(-r)) : 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && !strcmp(name + n - m, suffix);
}

/* NAME.pem of NAME.json and the other way round. The caller frees. */
static char *with_suffix(const char *name, const char *from, const char *to)
{
	char *other;

	if (asprintf(&other, "%.*s%s", (int)(strlen(name) - strlen(from)), name, to) < 0)
		return NULL;
	return other;
}

static int load_public(const struct load *load, const char *name, struct key **ret_key)
{
	_cleanup_free_ char *pem = NULL;
	size_t size = 0;
	int r = read_checked(load, name, KEY_PEM_MAX, &pem, &size);

	if (r != 0)
		return r;
	r = key_from_pem(pem, size, ret_key);
	if (r > 0)
		return fail(load, name, TRUST_E_FORMAT, "%s", key_error_text(r));
	return r < 0 ? fail(load, name, r, "%s", strerror(-r)) : 0;
}

/* The settings beside a key, where there are any. */
static int load_beside(const struct load *load, const char *name, struct trust_key *key)
{
	_cleanup_free_ char *text = NULL, *message = NULL;
	_cleanup_free_ char *beside = with_suffix(name, ".pem", ".json");
	struct stat st;
	size_t size = 0;
	int r;

	if (!beside)
		return fail(load, name, -ENOMEM, "%s", strerror(ENOMEM));
	if (fstatat(load->dirfd, beside, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	r = read_checked(load, beside, KEY_PEM_MAX, &text, &size);
	if (r == 0)
		r = trust_parse_key(text, size, key, &message);
	return message ? fail(load, beside, r, "%s", message) : r;
}

static bool same_settings(const struct trust_key *a, const struct trust_key *b)
{
	if (a->expires_ns != b->expires_ns || a->n_series != b->n_series ||
	        a->n_ima_ids != b->n_ima_ids ||
	        memcmp(a->ima_ids, b->ima_ids, a->n_ima_ids * KEY_IMA_ID_SIZE) != 0)
		return false;
	for (size_t i = 0; i < a->n_series; i++)
		if (strcmp(a->series[i], b->series[i]) != 0)
			return false;
	return true;
}

/* Takes @key into the store, unless it is there under another name. */
static int keep(const struct load *load, const char *name, struct trust_key *key)
{
	struct trust *trust = load->trust;

	for (size_t i = 0; i < trust->n_keys; i++) {
		const struct trust_key *other = &trust->keys[i];

		if (!key_equal(other->key, key->key))
			continue;
		if (other->use != key->use)
			return fail(load, name, TRUST_E_CONFLICT,
			        "is the same key as %s.pem, for another use: a key may not serve "
			        "both manifests and IMA",
			        other->name);
		if (!same_settings(other, key))
			return fail(load, name, TRUST_E_CONFLICT,
			        "is the same key as %s.pem, with other settings: remove one",
			        other->name);
		return 0;
	}
	trust->keys[trust->n_keys++] = *key;
	*key = (struct trust_key){0};
	return 0;
}

static int load_key(const struct load *load, const char *name)
{
	_cleanup_(trust_key_done) struct trust_key key = {
	        .use = TRUST_USE_MANIFEST, .expires_ns = INT64_MAX};
	int r;

	if (load->trust->n_keys == TRUST_KEYS_MAX)
		return fail(load, name, TRUST_E_FORMAT, "is one key too many: at most %u",
		        TRUST_KEYS_MAX);
	key.name = with_suffix(name, ".pem", "");
	if (!key.name)
		return fail(load, name, -ENOMEM, "%s", strerror(ENOMEM));
	r = load_public(load, name, &key.key);
	if (r == 0)
		r = load_beside(load, name, &key);
	return r == 0 ? keep(load, name, &key) : r;
}

static int load_settings(const struct load *load, const char *name)
{
	_cleanup_free_ char *text = NULL, *message = NULL;
	size_t size = 0;
	int r = read_checked(load, name, TRUST_JSON_MAX, &text, &size);

	if (r == 0)
		r = trust_parse_settings(text, size, load->trust, &message);
	return message ? fail(load, name, r, "%s", message) : r;
}

static int load_name(const struct load *load, const char *name)
{
	_cleanup_free_ char *key = NULL;
	struct stat st;

	if (name[0] == '.' || !strncmp(name, "README", 6))
		return 0;
	if (!strcmp(name, "trust.json"))
		return load_settings(load, name);
	if (has_suffix(name, ".pem"))
		return load_key(load, name);
	if (!has_suffix(name, ".json"))
		return fail(load, name, TRUST_E_FORMAT,
		        "does not belong here: keys are NAME.pem, with NAME.json beside them, and "
		        "trust.json");
	key = with_suffix(name, ".json", ".pem");
	if (!key)
		return fail(load, name, -ENOMEM, "%s", strerror(ENOMEM));
	if (fstatat(load->dirfd, key, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(load, name, TRUST_E_FORMAT,
		        "has no key beside it (%s): its restrictions would hold for nothing", key);
	return 0; /* read with its key */
}

/* Byte by byte, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_names(const struct load *load)
{
	struct dirent **names = NULL;
	int n = scandirat(load->dirfd, ".", &names, NULL, by_name);
	int r = 0;

	if (n < 0)
		return fail(load, NULL, -errno, "%s", strerror(errno));
	if (n > NAMES_MAX)
		r = fail(load, NULL, TRUST_E_FORMAT, "has more than %d files", NAMES_MAX);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = load_name(load, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (r == 0 && load->trust->n_keys == 0)
		r = fail(load, NULL, TRUST_E_EMPTY, "has no key: put NAME.pem there");
	return r;
}

static int new_trust(struct trust **ret_trust)
{
	struct trust *trust = calloc(1, sizeof(*trust));

	if (trust)
		trust->keys = calloc(TRUST_KEYS_MAX, sizeof(*trust->keys));
	*ret_trust = trust;
	return trust && trust->keys ? 0 : -ENOMEM;
}

int trust_load(
        const char *path, uid_t owner, struct trust **ret_trust, struct trust_error *reterr_error)
{
	_cleanup_(trust_freep) struct trust *trust = NULL;
	_cleanup_(load_done) struct load load = {
	        .path = path, .owner = owner, .dirfd = -1, .error = reterr_error};
	int r = new_trust(&trust);

	if (r < 0)
		return fail(&load, NULL, r, "%s", strerror(-r));
	load.trust = trust;
	r = open_directory(&load);
	if (r == 0)
		r = load_names(&load);
	if (r != 0)
		return r;
	/* The file that revokes may be read after the keys that it names. */
	for (size_t i = 0; i < trust->n_keys; i++)
		trust->keys[i].revoked = trust_is_revoked_key(trust, key_id(trust->keys[i].key));
	*ret_trust = TAKE_PTR(trust);
	return 0;
}

int trust_load_file(const char *path, struct trust **ret_trust, struct trust_error *reterr_error)
{
	_cleanup_(trust_freep) struct trust *trust = NULL;
	_cleanup_free_ char *pem = NULL;
	struct load load = {.path = path, .error = reterr_error};
	size_t size;
	int r = new_trust(&trust);

	if (r == 0)
		r = file_read_at(AT_FDCWD, path, KEY_PEM_MAX, &pem, &size);
	if (r == -EFBIG || r == -EINVAL)
		return fail(&load, NULL, TRUST_E_FORMAT, "is no key file");
	if (r < 0)
		return fail_open(&load, NULL, -r);
	trust->keys[0] = (struct trust_key){
	        .use = TRUST_USE_MANIFEST, .expires_ns = INT64_MAX, .name = strdup(path)};
	trust->n_keys = 1;
	if (!trust->keys[0].name)
		return fail(&load, NULL, -ENOMEM, "%s", strerror(ENOMEM));
	r = key_from_pem(pem, size, &trust->keys[0].key);
	if (r > 0)
		return fail(&load, NULL, TRUST_E_FORMAT, "%s", key_error_text(r));
	if (r < 0)
		return fail(&load, NULL, r, "%s", strerror(-r));
	*ret_trust = TAKE_PTR(trust);
	return 0;
}
