/*
 * Docker's own image store, of the driver overlay2: image/overlay2/repositories.json names images,
 * imagedb holds their configurations by digest, layerdb tells for each chain of layers where
 * overlay2/ has what is in the uppermost. With the containerd image store nothing of that is there.
 */
#include "snapshot/image_storage.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "snapshot/image_ref.h"
#include "snapshot/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGES        "image/overlay2/"
#define CONFIG_MAX    (4u * 1024u * 1024u) /* bytes; far above any configuration */
#define CACHE_ID_MAX  128u                 /* bytes; Docker writes 64, BuildKit 25 */
#define CHAIN_ID_SIZE (sizeof("sha256:") - 1 + 2 * DIGEST_SIZE + 1)

/*
 * Which image.
 */
static const char *target_of(const json_t *value)
{
	const char *text = image_json_text(value);
	struct digest digest;

	return image_json_digest(text, &digest) == 0 ? text + strlen("sha256:") : NULL;
}

static bool is_named(const char *reference, const char *whole)
{
	_cleanup_free_ char *other = image_ref_normalize(reference);

	return other && !strcmp(other, whole);
}

int image_docker_parse(const char *text, size_t size, const char *reference,
        char ret_id[IMAGE_ID_SIZE], char **ret_reference)
{
	_cleanup_(image_json_decref) json_t *root = image_json_load(text, size);
	_cleanup_free_ char *whole = image_ref_normalize(reference), *copy = NULL;
	json_t *repository, *target;
	const char *key, *name;

	if (!json_is_object(root))
		return SOURCE_E_CORRUPT;
	json_object_foreach(json_object_get(root, "Repositories"), key, repository)
	{
		json_object_foreach(repository, name, target)
		{
			const char *id = target_of(target);

			if (!id || !whole || !is_named(name, whole))
				continue;
			copy = strdup(name);
			if (!copy)
				return -ENOMEM;
			memcpy(ret_id, id, IMAGE_ID_SIZE);
			*ret_reference = TAKE_PTR(copy);
			return 0;
		}
	}
	return SOURCE_E_NOTFOUND;
}

char *image_docker_name(const char *text, size_t size, const char *wanted)
{
	_cleanup_(image_json_decref) json_t *root = image_json_load(text, size);
	json_t *repository, *target;
	const char *key, *name, *best = NULL;

	json_object_foreach(json_object_get(root, "Repositories"), key, repository)
	{
		json_object_foreach(repository, name, target)
		{
			const char *id = target_of(target);

			if (!id || strcmp(id, wanted) != 0 || !image_ref_valid(name) ||
			        strchr(name, '@'))
				continue;
			if (!best || strcmp(name, best) < 0)
				best = name;
		}
	}
	return best ? strdup(best) : NULL;
}

/* Every image has its configuration there, with a name or without. */
static int find_id(
        int dirfd, const char *wanted, char ret_id[IMAGE_ID_SIZE], struct image_fault *fault)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct digest digest;
	struct dirent *entry;
	bool found = false;
	int fd = openat(dirfd, IMAGES "imagedb/content/sha256",
	        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? SOURCE_E_NOTFOUND : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (digest_from_hex(entry->d_name, &digest) < 0 ||
		        !image_id_matches(wanted, entry->d_name))
			continue;
		if (found)
			return image_fail(fault, SOURCE_E_AMBIGUOUS,
			        "%s is the beginning of several image ids, %s and %s among them",
			        wanted, ret_id, entry->d_name);
		digest_to_hex(&digest, ret_id);
		found = true;
	}
	if (errno != 0)
		return -errno;
	return found ? 0 : SOURCE_E_NOTFOUND;
}

static int find_image(
        int dirfd, const char *wanted, struct image_found *found, struct image_fault *fault)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = file_read_at(dirfd, IMAGES "repositories.json", IMAGE_JSON_MAX, &text, &size);

	if (r != 0)
		return r == -ENOENT ? SOURCE_E_NOTFOUND : r;
	r = image_docker_parse(text, size, wanted, found->id, &found->reference);
	if (r == SOURCE_E_CORRUPT)
		return image_fail(fault, r, IMAGES "repositories.json of Docker is malformed");
	if (r != SOURCE_E_NOTFOUND)
		return r;
	r = find_id(dirfd, wanted, found->id, fault);
	if (r == 0)
		found->reference = image_docker_name(text, size, found->id);
	return r;
}

/*
 * Which layers.
 */
/* A word of one line, as layerdb has them. 0 or -errno; -EINVAL when it is none. */
static int read_word(
        int dirfd, const char *chain, const char *name, char ret_word[CACHE_ID_MAX + 1])
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size, n;
	int r;

	if (asprintf(&path, IMAGES "layerdb/sha256/%s/%s", chain, name) < 0)
		return -ENOMEM;
	r = file_read_at(dirfd, path, CACHE_ID_MAX, &text, &size);
	if (r != 0)
		return r == -EFBIG ? -EINVAL : r;
	n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz:-");
	if (n == 0 || (text[n] != '\0' && strcmp(text + n, "\n") != 0))
		return -EINVAL;
	memcpy(ret_word, text, n);
	ret_word[n] = '\0';
	return 0;
}

/* OCI image specification, "Layer ChainID": a hash of the chain below and the layer's diff id. */
static int next_chain(const char *diff, char chain[CHAIN_ID_SIZE])
{
	char text[2 * CHAIN_ID_SIZE];
	struct digest digest;
	int r;

	if (!*chain) {
		memcpy(chain, diff, DIGEST_HEX_SIZE);
		return 0;
	}
	snprintf(text, sizeof(text), "sha256:%s sha256:%s", chain, diff);
	r = digest_data(text, strlen(text), &digest);
	if (r == 0)
		digest_to_hex(&digest, chain);
	return r;
}

static int add_layer(int dirfd, const char *chain, const char *diff, struct image_found *found,
        struct image_fault *fault)
{
	char word[CACHE_ID_MAX + 1], *path;
	int r = read_word(dirfd, chain, "diff", word);

	if (r == 0 && (strncmp(word, "sha256:", 7) != 0 || strcmp(word + 7, diff) != 0))
		r = -EINVAL;
	if (r == 0)
		r = read_word(dirfd, chain, "cache-id", word);
	if (r == 0 && strchr(word, ':'))
		r = -EINVAL;
	if (r == -EINVAL || r == -ENOENT)
		return image_fail(fault, SOURCE_E_CORRUPT,
		        IMAGES "layerdb/sha256/%s of Docker is %s: image %s cannot be put together",
		        chain, r == -EINVAL ? "malformed" : "missing", found->id);
	if (r != 0)
		return r;
	if (asprintf(&path, "overlay2/%s/diff", word) < 0)
		path = NULL;
	return image_found_add(found, strdup(diff), path);
}

/* The configuration is what its name says, or it is not used. */
static int read_config(int dirfd, struct image_found *found, struct digest **ret_diff_ids,
        size_t *ret_n, struct image_fault *fault)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;
	size_t size;
	int r;

	if (asprintf(&path, IMAGES "imagedb/content/sha256/%s", found->id) < 0)
		return -ENOMEM;
	r = file_read_at(dirfd, path, CONFIG_MAX, &text, &size);
	if (r == 0)
		r = digest_data(text, size, &digest);
	if (r != 0 && r != -ENOENT && r != -EFBIG)
		return r;
	if (r == 0) {
		digest_to_hex(&digest, hex);
		r = strcmp(hex, found->id) ? -EINVAL
		                           : image_config_parse(text, size, ret_diff_ids, ret_n);
	}
	if (r == -ENOMEM || r == 0)
		return r;
	return image_fail(fault, SOURCE_E_CORRUPT,
	        "%s of Docker is missing, or not the configuration of an image", path);
}

static int find_layers(int dirfd, struct image_found *found, struct image_fault *fault)
{
	_cleanup_free_ struct digest *diff_ids = NULL;
	char chain[CHAIN_ID_SIZE] = "", diff[DIGEST_HEX_SIZE];
	size_t n = 0;
	int r = read_config(dirfd, found, &diff_ids, &n, fault);

	for (size_t i = 0; i < n && r == 0; i++) {
		digest_to_hex(&diff_ids[i], diff);
		r = next_chain(diff, chain);
		if (r == 0)
			r = add_layer(dirfd, chain, diff, found, fault);
	}
	return r;
}

/*
 * The storage.
 */
static bool exists(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * The image is not there: the daemon may keep its images elsewhere. A daemon of the store that is
 * read here always writes repositories.json; rootfs/ is where the other one mounts containers.
 */
static int check_driver(int dirfd, const char *directory, struct image_fault *fault)
{
	const bool ours = exists(dirfd, IMAGES "repositories.json");
	static const char *const drivers[] = {
	        "vfs", "btrfs", "zfs", "aufs", "devicemapper", "fuse-overlayfs"};
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "image/%s/repositories.json", drivers[i]);
		if (!ours && exists(dirfd, path))
			return image_fail(fault, SOURCE_E_UNSUPPORTED,
			        "Docker in %s uses the storage driver %s; only overlay2 is "
			        "supported: save the image (docker save) and give that with "
			        "--archive",
			        directory, drivers[i]);
	}
	if (exists(dirfd, "rootfs/overlayfs") || (!ours && exists(dirfd, "containers")))
		return image_fail(fault, SOURCE_E_UNSUPPORTED,
		        "Docker in %s keeps images in containerd's image store, which is not "
		        "supported: save the image (docker save) and give that with --archive",
		        directory);
	return SOURCE_E_NOTFOUND;
}

int image_docker_find(const char *directory, const char *reference, struct image_found *ret_found,
        struct image_fault *fault)
{
	_cleanup_close_ int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(image_found_done) struct image_found found = {0};
	int r;

	if (dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR ? SOURCE_E_NOTFOUND : -errno;
	r = find_image(dirfd, reference, &found, fault);
	if (r == SOURCE_E_NOTFOUND)
		return check_driver(dirfd, directory, fault);
	if (r == 0)
		r = find_layers(dirfd, &found, fault);
	if (r != 0)
		return r;
	*ret_found = found;
	memset(&found, 0, sizeof(found));
	return 0;
}
