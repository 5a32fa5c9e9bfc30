#include "allowlists/file_signature.h"

#include "base/cleanup.h"
#include "base/strtab.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *const source_names[_FILE_SIGNATURE_SOURCE_MAX] = {
        [FILE_SIGNATURE_NOWHERE] = "none",
        [FILE_SIGNATURE_XATTR] = "xattr",
        [FILE_SIGNATURE_SIDECAR] = "sidecar",
        [FILE_SIGNATURE_PACKAGE] = "package",
};

static const char *const texts[_IMA_RESULT_MAX] = {
        [IMA_UNCHECKED] = "nobody has looked",
        [IMA_GOOD] = "signed by a trusted key",
        [IMA_NONE] = "no signature, and no list in force has it: sign it, or install a list that "
                     "has it",
        [IMA_MALFORMED] = "the signature is cut, too long or no signature at all: sign again",
        [IMA_NO_SIGNATURE] = "security.ima holds a bare digest, which approves nothing",
        [IMA_OBSOLETE] = "a signature of version 1, which is obsolete: sign again with evmctl",
        [IMA_UNSUPPORTED] = "a signature of a kind that is not supported: version 3, over "
                            "fs-verity, or another hash than sha256, sha384 and sha512",
        [IMA_UNKNOWN_KEY] = "no trusted key of use ima has the id that the signature names",
        [IMA_REVOKED_KEY] = "signed by a revoked key: sign again with another",
        [IMA_EXPIRED_KEY] = "signed by a key that has expired: sign again with another",
        [IMA_BAD_SIGNATURE] = "not signed as it is: the file was changed after it was signed, or "
                              "the signature is of another file or key",
};

const char *file_signature_source_name(enum file_signature_source source)
{
	return strtab_name(source_names, _FILE_SIGNATURE_SOURCE_MAX, (int)source);
}

const char *file_signature_text(enum ima_result result)
{
	return strtab_name(texts, _IMA_RESULT_MAX, (int)result);
}

static int digest_as(
        const struct file_content *content, enum key_hash hash, struct key_digest *ret_digest)
{
	if (hash != KEY_HASH_SHA256)
		return ima_digest(content->fd, hash, content->size, ret_digest);
	*ret_digest = (struct key_digest){.hash = hash};
	memcpy(ret_digest->bytes, content->sha256->bytes, DIGEST_SIZE);
	return 0;
}

int file_signature_check(const struct file_content *content, enum file_signature_source source,
        const uint8_t *bytes, size_t size, const struct file_signature_terms *terms,
        struct file_signature *ret_signature)
{
	struct file_signature found = {.source = source};
	struct ima_signature signature = {0};
	struct key_digest digest;
	int r;

	found.result = ima_parse(bytes, size, &signature);
	if (found.result == IMA_UNCHECKED) {
		found.hash = signature.hash;
		memcpy(found.key_id, signature.key_id, KEY_IMA_ID_SIZE);
		if (content->fd < 0 && signature.hash != KEY_HASH_SHA256) {
			found.result = IMA_UNSUPPORTED;
		} else {
			r = digest_as(content, signature.hash, &digest);
			if (r < 0)
				return r;
			found.result = ima_verify(
			        &signature, &digest, terms->trust, terms->now_ns, &found.key);
		}
	}
	*ret_signature = found;
	return 0;
}

/* All of a descriptor, up to one byte more than a signature may have. */
static int read_sidecar(int fd, uint8_t ret_bytes[IMA_SIZE_MAX + 1], size_t *ret_size)
{
	size_t size = 0;

	while (size <= IMA_SIZE_MAX) {
		ssize_t n = pread(fd, ret_bytes + size, IMA_SIZE_MAX + 1 - size, (off_t)size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return 0;
}

static int look_sidecar(const struct file_content *content, int fd,
        const struct file_signature_terms *terms, struct file_signature *ret_signature)
{
	uint8_t bytes[IMA_SIZE_MAX + 1];
	size_t size = 0;
	int r;

	if (fd < 0)
		return 0;
	r = read_sidecar(fd, bytes, &size);
	if (r < 0)
		return r;
	return file_signature_check(
	        content, FILE_SIGNATURE_SIDECAR, bytes, size, terms, ret_signature);
}

static int look_xattr(const struct file_content *content, const struct file_signature_terms *terms,
        struct file_signature *ret_signature)
{
	uint8_t bytes[IMA_SIZE_MAX];
	size_t size = 0;
	int r = ima_read(content->fd, bytes, &size);

	if (r == 0)
		return file_signature_check(
		        content, FILE_SIGNATURE_XATTR, bytes, size, terms, ret_signature);
	if (r == -ERANGE) {
		*ret_signature = (struct file_signature){
		        .result = IMA_MALFORMED, .source = FILE_SIGNATURE_XATTR};
		return 0;
	}
	return r == -ENODATA || r == -EOPNOTSUPP ? 0 : r;
}

int file_signature_look(const struct file_content *content, int sidecar_fd,
        const struct file_signature_terms *terms, struct file_signature *ret_signature)
{
	struct file_signature sidecar = {.result = IMA_NONE}, xattr = {.result = IMA_NONE};
	int r = look_sidecar(content, sidecar_fd, terms, &sidecar);

	if (r == 0 && sidecar.result != IMA_GOOD)
		r = look_xattr(content, terms, &xattr);
	if (r < 0)
		return r;
	*ret_signature = xattr.result == IMA_GOOD || sidecar.result == IMA_NONE ? xattr : sidecar;
	return 0;
}

int file_signature_open_sidecar(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s" FILE_SIGNATURE_SUFFIX, path) < 0)
		return -ENOMEM;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENAMETOOLONG ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
