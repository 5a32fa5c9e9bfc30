/*
 * A single file: does anybody answer for it? What is revoked or denied nobody does. Else a list
 * that is in force here and has it; else its own signature, in FILE.sig or in security.ima.
 *
 * All of it is asked about one open file, and what was read must be the same at the end.
 */
#include "tools/verify.h"

#include "allowlists/file_signature.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "core/facts.h"
#include "crypto/digest.h"
#include "tools/print.h"
#include "tools/snapshot_find.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* Reasons beside those of lists (enum allowlist_reason) and signatures (enum ima_result). */
#define WORD_ACCEPTED   "accepted"
#define WORD_REVOKED    "revoked_digest"
#define WORD_DENIED     "denied"
#define WORD_UNREADABLE "unreadable"
#define WORD_CHANGED    "changed"

struct answer {
	bool accepted;
	const char *reason, *text; /* borrowed */
	bool has_digest;
	struct digest digest;
	const struct verify_list *list;  /* that vouches, or has it; NULL: none */
	struct file_signature signature; /* looked for when no list vouches */
};

static int refused(struct answer *answer, const char *reason, const char *text)
{
	answer->reason = reason;
	answer->text = text;
	return 1;
}

static int accepted(struct answer *answer)
{
	answer->accepted = true;
	answer->reason = WORD_ACCEPTED;
	return 0;
}

static int failed(struct answer *answer, int r)
{
	if (r == -EAGAIN)
		refused(answer, WORD_CHANGED, "it changed while it was read: try again");
	else
		refused(answer, WORD_UNREADABLE, strerrordesc_np(-r) ?: "cannot be read");
	switch (r) {
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -EINVAL:
	case -ELOOP:
		return EX_NOINPUT;
	case -ENOMEM:
		return EX_SOFTWARE;
	default:
		return EX_IOERR;
	}
}

static int identify(int fd, struct file_identity *ret_identity)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return -errno;
	if (S_ISDIR(sx.stx_mode))
		return -EISDIR;
	if (!S_ISREG(sx.stx_mode))
		return -EINVAL;
	*ret_identity = file_identity_from(&sx);
	return 0;
}

/* Where the file lies that was opened, without links. */
static int absolute_path(int fd, char **ret_path)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return file_readlink_at(AT_FDCWD, name, ret_path);
}

static const struct trust *trust_of(const struct verify_run *run)
{
	return run->files_trust ?: run->trust;
}

static int ask_signature(const struct verify_run *run, const char *path, int fd, uint64_t size,
        struct answer *answer)
{
	const struct file_content content = {.sha256 = &answer->digest, .fd = fd, .size = size};
	const struct file_signature_terms terms = {trust_of(run), run->now_ns};
	_cleanup_close_ int sidecar = -1;
	int r = file_signature_open_sidecar(path, &sidecar);

	if (r == -EINVAL) {
		answer->signature = (struct file_signature){
		        .result = IMA_MALFORMED, .source = FILE_SIGNATURE_SIDECAR};
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	return file_signature_look(&content, sidecar, &terms, &answer->signature);
}

/* 0, 1, or an exit code. */
static int judge(
        struct verify_run *run, const char *path, int fd, uint64_t size, struct answer *answer)
{
	_cleanup_free_ char *absolute = NULL;
	const char *reason = NULL;
	int r = absolute_path(fd, &absolute);

	if (r < 0)
		return failed(answer, r);
	if (trust_is_revoked(run->trust, &answer->digest) ||
	        trust_is_revoked(trust_of(run), &answer->digest))
		return refused(answer, WORD_REVOKED, "this very content was revoked");
	if (verify_is_denied(run, &answer->digest))
		return refused(answer, WORD_DENIED, "it is on the denylist of this host");
	r = verify_lists_ask(run, &answer->digest, absolute, &answer->list, &reason);
	if (r != 0)
		return r;
	if (answer->list && !strcmp(reason, WORD_ACCEPTED))
		return accepted(answer);
	r = ask_signature(run, path, fd, size, answer);
	if (r < 0)
		return failed(answer, r == -EFBIG ? -EAGAIN : r);
	if (answer->signature.result == IMA_GOOD)
		return accepted(answer);
	if (answer->signature.result == IMA_NONE && answer->list)
		return refused(answer, reason, verify_lists_text(answer->list, reason));
	return refused(answer, ima_result_name(answer->signature.result),
	        file_signature_text(answer->signature.result));
}

static int look(struct verify_run *run, const char *path, struct answer *answer)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct file_identity before = {0}, after;
	int result, r = fd < 0 ? -errno : identify(fd, &before);

	if (r == 0)
		r = digest_file(fd, &answer->digest);
	if (r < 0)
		return failed(answer, r);
	answer->has_digest = true;
	result = judge(run, path, fd, before.size, answer);
	r = identify(fd, &after);
	if (r == 0 && !file_identity_equal(&before, &after))
		r = -EAGAIN;
	if (r < 0)
		*answer = (struct answer){0};
	return r < 0 ? failed(answer, r) : result;
}

/*
 * Shown.
 */
static void signature_json(const struct file_signature *signature, json_t *object)
{
	char id[2 * KEY_IMA_ID_SIZE + 1], hex[DIGEST_HEX_SIZE];

	json_object_set_new(
	        object, "source", json_string(file_signature_source_name(signature->source)));
	if (signature->hash != KEY_HASH_UNSET) {
		hex_encode(signature->key_id, KEY_IMA_ID_SIZE, id);
		json_object_set_new(object, "ima_key_id", json_string(id));
	}
	if (signature->key) {
		json_object_set_new(
		        object, "key_id", json_string(id_text(signature->key->key, hex)));
		json_object_set_new(object, "name", json_string(signature->key->name));
	}
}

static void list_json(const struct verify_list *list, json_t *object)
{
	json_object_set_new(object, "source", json_string("allowlist"));
	json_object_set_new(object, "series", json_string(list->series));
	json_object_set_new(object, "version", json_integer((json_int_t)list->version));
	json_object_set_new(object, "bind", json_string(statement_bind_name(list->bind)));
}

static void show_json(const char *path, const struct answer *answer)
{
	json_t *object = json_pack("{s:b, s:s, s:s}", "accepted", answer->accepted, "reason",
	        answer->reason ?: "unchecked", "kind", "file");

	set_path(object, "file", path);
	if (answer->has_digest)
		json_object_set_new(object, "sha256", digest_json(&answer->digest));
	if (answer->signature.source == FILE_SIGNATURE_NOWHERE && answer->list)
		list_json(answer->list, object);
	else
		signature_json(&answer->signature, object);
	print_json(object);
	json_decref(object);
}

static void show_source(FILE *stream, const struct answer *answer)
{
	static const char *const places[_FILE_SIGNATURE_SOURCE_MAX] = {
	        [FILE_SIGNATURE_XATTR] = "security.ima",
	        [FILE_SIGNATURE_SIDECAR] = "the .sig beside it",
	};
	const struct file_signature *signature = &answer->signature;
	char hex[DIGEST_HEX_SIZE];

	if (signature->source != FILE_SIGNATURE_NOWHERE) {
		fprintf(stream, "  by         %s\n", places[signature->source]);
		if (signature->hash != KEY_HASH_UNSET) {
			hex_encode(signature->key_id, KEY_IMA_ID_SIZE, hex);
			fprintf(stream, "  key named  %s\n", hex);
		}
	} else if (answer->list) {
		_cleanup_free_ char *series = text_safe(answer->list->series);

		fprintf(stream, "  by         allowlist %s, version %" PRIu64 "\n", series,
		        answer->list->version);
	}
	if (signature->key) {
		_cleanup_free_ char *name = text_safe(signature->key->name);

		fprintf(stream, "  key        %s %s\n", id_text(signature->key->key, hex), name);
	}
}

static void show_text(const struct verify_run *run, const char *path, const struct answer *answer)
{
	_cleanup_free_ char *file = text_safe(path);
	char hex[DIGEST_HEX_SIZE];

	printf("%s: ", file);
	print_word(run->tool, answer->accepted ? COLOUR_GOOD : COLOUR_BAD,
	        answer->accepted ? "vouched for" : "NOT VOUCHED FOR");
	if (!answer->accepted)
		printf(" (%s): %s", answer->reason, answer->text);
	printf("\n");
	if (!answer->has_digest)
		return;
	digest_to_hex(&answer->digest, hex);
	printf("  sha256     %s\n", hex);
	show_source(stdout, answer);
}

int verify_file(struct verify_run *run, const char *path)
{
	struct answer answer = {0};
	_cleanup_free_ char *file = text_safe(path);
	int r = verify_lists_open(run);

	if (r == 0)
		r = look(run, path, &answer);
	if (r > 1 && answer.reason)
		fprintf(stderr, "%s: %s: %s\n", run->name, file, answer.text);
	if (run->quiet && r == 1 && answer.reason)
		fprintf(stderr, "%s: %s: not vouched for (%s): %s\n", run->name, file,
		        answer.reason, answer.text);
	if (run->tool->json && answer.reason)
		show_json(path, &answer);
	else if (!run->quiet && r <= 1 && answer.reason)
		show_text(run, path, &answer);
	return r;
}
