/*
 * From an event's descriptor to facts: which inode this really is, in which layer of which overlay
 * it lies, and which container asks. The quick part opens nothing on a guarded filesystem and is
 * safe on a deciding thread; the full part may look for overlays and belongs on the pool.
 */
#pragma once

#include "core/facts.h"
#include "daemon/backing.h"
#include "daemon/faults.h"
#include "daemon/hostfs.h"
#include "daemon/mounts.h"
#include "daemon/overlays.h"
#include "daemon/runtime_init.h"

struct probe_context {
	const struct config *config;
	struct backing_table *backings;
	struct overlays *overlays;
	struct mounts *mounts;
	struct runtime_init *inits;
	const struct volumes *volumes; /* NULL: not guarded */
	struct hostfs_table *hosts;
	struct faults *faults;
};

/*
 * What a verdict needs beside the facts. Descriptors are owned; -1 when not needed.
 *  real_fd   the real inode, for lease and digest, when the event's descriptor is an overlay's
 *  lower_fd  the lower file that a copied-up one came from: its content is to be compared
 */
struct probe_result {
	enum origin origin; /* UNKNOWN until told; a copied-up file stays UNKNOWN with compare */
	bool compare;       /* copied up: copied or modified is decided by content */
	bool other_image;
	bool upper;
	bool by_overlay; /* the event is an overlay mark's */
	bool settled;    /* false: the quick probe could not tell, ask the full one */
	int real_fd;
	int lower_fd;
	struct file_identity lower_identity;
	struct file_identity identity; /* of the real inode where it is known */
	mode_t mode;
	uint64_t loader;         /* inode number of the layer's dynamic loader; 0 unknown */
	uint64_t mount_id;       /* of the event's descriptor; 0 unknown */
	struct overlay *overlay; /* the container's; a reference or NULL */
	struct hostfs *host;     /* the guarded host filesystem, of nobody's container; likewise */
	char *path;              /* in the container; NULL when unknown */
	char *host_path;         /* canonical; NULL when unknown */
};

void probe_result_done(struct probe_context *context, struct probe_result *result);

/*
 * The kernel's name for an open file, as it is seen in @overlay's container (NULL: in none). The
 * caller frees; NULL without memory.
 */
char *probe_path_in(const struct overlay *overlay, int fd);

/* Quick: settles image programs and the host's own. 0, or -errno (then nothing is known). */
int probe_quick(struct probe_context *context, int fd, pid_t pid, struct probe_result *ret_result);
/* Full: always settled. */
int probe_full(struct probe_context *context, int fd, pid_t pid, struct probe_result *ret_result);

/*
 * The executable @fd (O_PATH) of a process: IMAGE when it is an untouched file of the overlay that
 * it lies in, with its path there. No FUSE server is asked. 0, or -ENOENT when it lies in no
 * overlay that is known (then there is none in @ret_result), or -errno.
 */
int probe_writer(struct probe_context *context, int fd, struct probe_result *ret_result);

/*
 * For the creation watcher: in whose upper layer @fd lies, or in whose volume, told by the writer
 * @pid. 0 with an overlay reference, identity and paths; -ENOENT when no container's.
 */
int probe_created(
        struct probe_context *context, int fd, pid_t pid, struct probe_result *ret_result);
