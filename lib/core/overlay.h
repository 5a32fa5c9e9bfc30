/*
 * Overlay mounts as text: the options of a mount table line, and the layer a real inode lies in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVERLAY_LAYERS_MAX 1024u /* lowers of one overlay; OVL_MAX_STACK is 500 */
/* Bytes of one options text: 500 layers of fsconfig(2)'s 255 bytes, each an octal escape. */
#define OVERLAY_OPTIONS_MAX (1024u * 1024u)

struct overlay_options {
	char *upper; /* NULL for a read-only overlay */
	char *work;
	char **lowers; /* uppermost first, data-only layers last */
	size_t n_lowers;
	bool userxattr;
	bool metacopy;     /* "on" is shown; the module's default is not */
	bool redirect_dir; /* likewise */
};

/*
 * Parses the superblock options of an overlay as mountinfo or statmount(2) give them:
 * `lowerdir=a:b`, `lowerdir+=a`, `datadir+=a`, `lowerdir=a::data`, upperdir=, workdir=, and flags.
 * With @mountinfo_escapes the text is the mount table's: a comma or a backslash inside of a path is
 * an octal escape (\054, \134). Without, it is what mount(2) takes, and `\,` keeps a comma.
 * Overlayfs's own `\:` and `\\` are undone where it undoes them itself (not in lowerdir+,
 * datadir+). Entries are returned as written: relative ones and links are the caller's to resolve.
 * 0; -EINVAL when there is no lower layer or the text is malformed; -E2BIG past a bound above;
 * -ENOMEM. overlay_options_done() frees.
 */
int overlay_options_parse(
        const char *options, bool mountinfo_escapes, struct overlay_options *ret_options);
void overlay_options_done(struct overlay_options *options);

/*
 * An overlay file handle (name_to_handle_at with AT_HANDLE_FID on an overlay; struct ovl_fb of
 * fs/overlayfs/overlayfs.h, stable since Linux 4.8; the same bytes as trusted.overlay.origin
 * without its padding).
 */
#define OVERLAY_HANDLE_TYPE 0xf8 /* OVL_FILEID_V1 */

enum overlay_handle_result {
	OVERLAY_HANDLE_UNCHECKED = 0,
	OVERLAY_HANDLE_UPPER, /* born in the upper layer */
	OVERLAY_HANDLE_LOWER, /* lower, or copied up from it */
	OVERLAY_HANDLE_INVALID,
};

struct overlay_handle {
	int real_type;
	uint8_t uuid[16];    /* of the filesystem of the real inode */
	const uint8_t *real; /* borrowed from the input */
	size_t real_size;
};

/* @data is f_handle of a handle of OVERLAY_HANDLE_TYPE: three bytes of padding, then ovl_fb. */
enum overlay_handle_result overlay_handle_parse(
        const uint8_t *data, size_t size, struct overlay_handle *ret_handle);

/* @data is the value of trusted.overlay.origin: ovl_fb without padding. Never answers UPPER for
 * the flag's sake: an origin always names a lower inode. */
enum overlay_handle_result overlay_origin_parse(
        const uint8_t *data, size_t size, struct overlay_handle *ret_handle);
