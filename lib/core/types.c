#include "core/types.h"

#include "base/hex.h"
#include "base/strtab.h"

#include <string.h>

static const char *const origin_names[_ORIGIN_MAX] = {
        [ORIGIN_UNKNOWN] = "unknown",
        [ORIGIN_IMAGE] = "image",
        [ORIGIN_COPIED] = "copied",
        [ORIGIN_MODIFIED] = "modified",
        [ORIGIN_DROPPED] = "dropped",
        [ORIGIN_VOLUME] = "volume",
        [ORIGIN_HOST] = "host",
        [ORIGIN_MUTABLE] = "mutable",
        [ORIGIN_UNGUARDED] = "unguarded",
};

static const char *const verdict_names[_VERDICT_MAX] = {
        [VERDICT_UNSET] = "unset",
        [VERDICT_ALLOW] = "allow",
        [VERDICT_DENY] = "deny",
        [VERDICT_WOULD_DENY] = "would_deny",
};

static const char *const mode_names[_MODE_MAX] = {
        [MODE_UNSET] = "unset",
        [MODE_REPORT] = "report",
        [MODE_ENFORCE] = "enforce",
        [MODE_LEARN] = "learn",
};

static const char *const action_names[_ACTION_MAX] = {
        [ACTION_UNSET] = "unset",
        [ACTION_ALLOW] = "allow",
        [ACTION_DENY] = "deny",
};

static const char *const reason_names[_REASON_MAX] = {
        [REASON_UNSET] = "unset",
        [REASON_DENYLISTED] = "denylisted",
        [REASON_IMAGE] = "image",
        [REASON_COPIED] = "copied",
        [REASON_APPROVED] = "approved",
        [REASON_LEARNED] = "learned",
        [REASON_BASELINE] = "baseline",
        [REASON_ALLOWLISTED] = "allowlisted",
        [REASON_SIGNED] = "signed",
        [REASON_TRUSTED_WRITER] = "trusted_writer",
        [REASON_RULE] = "rule",
        [REASON_COPY_ALLOWED] = "copy_allowed",
        [REASON_LEARNING] = "learning",
        [REASON_DROPPED] = "dropped",
        [REASON_DROPPED_COPY] = "dropped_copy",
        [REASON_MODIFIED] = "modified",
        [REASON_VOLUME] = "volume",
        [REASON_OTHER_IMAGE] = "other_image",
        [REASON_HOST] = "host",
        [REASON_UNKNOWN] = "unknown_origin",
        [REASON_MUTABLE] = "mutable",
        [REASON_UNGUARDED] = "unguarded",
        [REASON_FAULT] = "fault",
        [REASON_LOADER] = "loader",
        [REASON_MEMFD] = "memfd",
};

static const char *const exec_kind_names[_EXEC_KIND_MAX] = {
        [EXEC_KIND_UNKNOWN] = "unknown",
        [EXEC_KIND_ELF] = "elf",
        [EXEC_KIND_SCRIPT] = "script",
        [EXEC_KIND_OTHER] = "other",
};

static const char *const mark_kind_names[_MARK_KIND_MAX] = {
        [MARK_KIND_UNSET] = "unset",
        [MARK_KIND_AUTO] = "auto",
        [MARK_KIND_BACKING] = "backing",
        [MARK_KIND_OVERLAY] = "overlay",
};

#define DEFINE_NAMES(type, max)                                                                    \
	const char *type##_name(enum type value)                                                   \
	{                                                                                          \
		return strtab_name(type##_names, max, (int)value);                                 \
	}

/* A name that is unknown, or that stands for zero, is zero. */
#define DEFINE_FROM_NAME(type, max)                                                                \
	enum type type##_from_name(const char *name)                                               \
	{                                                                                          \
		int value = strtab_value(type##_names, max, name);                                 \
                                                                                                   \
		return value < 0 ? (enum type)0 : (enum type)value;                                \
	}

DEFINE_NAMES(origin, _ORIGIN_MAX)
DEFINE_NAMES(verdict, _VERDICT_MAX)
DEFINE_NAMES(mode, _MODE_MAX)
DEFINE_NAMES(action, _ACTION_MAX)
DEFINE_NAMES(reason, _REASON_MAX)
DEFINE_NAMES(exec_kind, _EXEC_KIND_MAX)
DEFINE_NAMES(mark_kind, _MARK_KIND_MAX)
DEFINE_FROM_NAME(origin, _ORIGIN_MAX)
DEFINE_FROM_NAME(verdict, _VERDICT_MAX)
DEFINE_FROM_NAME(mode, _MODE_MAX)
DEFINE_FROM_NAME(action, _ACTION_MAX)
DEFINE_FROM_NAME(reason, _REASON_MAX)
DEFINE_FROM_NAME(mark_kind, _MARK_KIND_MAX)

enum exec_kind exec_kind_of(const uint8_t *head, size_t size)
{
	static const uint8_t elf[] = {0x7f, 'E', 'L', 'F'}; /* ELF magic, gABI chapter 4 */

	if (size >= sizeof(elf) && !memcmp(head, elf, sizeof(elf)))
		return EXEC_KIND_ELF;
	if (size >= 2 && head[0] == '#' && head[1] == '!')
		return EXEC_KIND_SCRIPT;
	return EXEC_KIND_OTHER;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return !memcmp(a->bytes, b->bytes, DIGEST_SIZE);
}

void digest_to_hex(const struct digest *digest, char ret_text[DIGEST_HEX_SIZE])
{
	hex_encode(digest->bytes, DIGEST_SIZE, ret_text);
}

int digest_from_hex(const char *text, struct digest *ret_digest)
{
	struct digest digest;
	int r = hex_decode(text, strnlen(text, DIGEST_HEX_SIZE), digest.bytes, DIGEST_SIZE);

	if (r < 0)
		return r;
	*ret_digest = digest;
	return 0;
}
